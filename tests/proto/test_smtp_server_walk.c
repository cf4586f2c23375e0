#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/bytes.h"
#include "tests/support/chance.h"
#include "tests/support/server_play.h"

/* A client and a driver who do anything, beside a model of RFC 5321 that says
 * what must come of it: each command's events and reply codes, in order.  The
 * rules of server_rules.h are minded all along. */

enum { MAX_RECIPIENTS = 3, MAX_SIZE = 400, MAX_BAD = 6 };

#define CAPS                                                                   \
	(SMTP_CAP(SIZE) | SMTP_CAP(PIPELINING) | SMTP_CAP(AUTH) |              \
	 SMTP_CAP(STARTTLS))

/* What the model knows of the session. */
struct model {
	enum { START, READY, CLOSED } state;
	bool in_transaction, authenticated, tls, is_esmtp;
	bool greeted_in_clear, recipient_refused;
	bool wary; /* of mail data where commands belong */
	unsigned recipients, bad;
	/* The settings. */
	bool strict, single_line_ehlo, any_login, tls_required, login_required;
};

struct walk {
	struct chance chance;
	struct model model;
	struct server_play *play;
	int answer; /* to the next question */
	struct buf expected, actual;
	struct buf content, body; /* of a message: on the wire, and read */
	struct buf came;
	unsigned steps, seed;
	const char *command;
};

/* ---- what is expected ---- */

static void expect(struct walk *walk, const char *word)
{
	buf_printf(&walk->expected, "%s ", word);
}

static void expect_code(struct walk *walk, int code)
{
	buf_printf(&walk->expected, "%d ", code);
}

static void expect_reset(struct walk *walk)
{
	if (walk->model.in_transaction)
		expect(walk, "RESET");
	walk->model.in_transaction = false;
	walk->model.recipient_refused = false;
	walk->model.recipients = 0;
}

static void expect_close(struct walk *walk)
{
	expect_reset(walk);
	expect(walk, "CLOSE");
	walk->model.state = CLOSED;
}

/* News come in the order of their making, the codes before them. */
static void expect_refused(struct walk *walk, int code)
{
	bool is_bad = code != 452 && code != 552 && code != 451 && code != 5540;

	expect_code(walk, code == 5540 ? 554 : code);
	if (is_bad && ++walk->model.bad == MAX_BAD) {
		expect_code(walk, 421);
		expect(walk, "REFUSED");
		expect_close(walk);
		return;
	}
	expect(walk, "REFUSED");
}

static void expect_mail_data(struct walk *walk)
{
	expect_code(walk, 421);
	expect(walk, "REFUSED");
	expect_close(walk);
}

/* True when TLS is required first, and that was told. */
static bool expect_tls(struct walk *walk)
{
	if (!walk->model.tls_required || walk->model.tls)
		return false;
	expect_refused(walk, 530);
	return true;
}

/* True when the client is greeted, or is forgiven. */
static bool is_greeted(struct walk *walk)
{
	if (walk->model.state == READY)
		return true;
	if (!walk->model.greeted_in_clear || walk->model.strict)
		return false;
	walk->model.state = READY;
	return true;
}

/* A question and its answer; true when it was yes. */
static bool expect_question(struct walk *walk, const char *word)
{
	bool yes = walk->answer / 100 == 2 || walk->answer == 354;

	expect(walk, word);
	expect_code(walk, walk->answer);
	if (walk->answer == 421)
		expect_close(walk);
	if (yes)
		walk->model.bad = 0;
	return yes;
}

/* ---- what is said ---- */

static void feed(struct walk *walk, struct text bytes)
{
	while (bytes.len > 0) {
		size_t len = 1 + chance_below(&walk->chance, 40);

		if (len > bytes.len)
			len = bytes.len;
		server_play_feed(walk->play, text_make(bytes.data, len));
		bytes = text_skip(bytes, len);
	}
	server_play_settle(walk->play);
}

static void say(struct walk *walk, const char *line)
{
	walk->command = line;
	feed(walk, text_of(line));
	feed(walk, chance_one_in(&walk->chance, 5) ? TEXT("\n") : TEXT("\r\n"));
}

static void answer_with(struct walk *walk, int yes, int no)
{
	walk->answer = chance_one_in(&walk->chance, 150) ? 421
		       : chance_one_in(&walk->chance, 5) ? no
							 : yes;
}

/* ---- commands ---- */

static void do_hello(struct walk *walk)
{
	static const char *const lines[] = { "EHLO a", "helo", "HELO b" };
	unsigned which = chance_below(&walk->chance, COUNT(lines));

	answer_with(walk, 250, 550);
	walk->model.wary = false;
	if (which > 0 && expect_tls(walk)) {
		;
	} else if (which == 1 && walk->model.strict) {
		expect_refused(walk, 501);
	} else {
		walk->model.is_esmtp = which == 0;
		if (expect_question(walk, "EHLO"))
			walk->model.state = READY;
		if (walk->model.state != CLOSED)
			expect_reset(walk);
	}
	say(walk, lines[which]);
}

/* What MAIL meets before its argument counts; true when nothing. */
static bool expect_mail(struct walk *walk)
{
	struct model *model = &walk->model;

	model->wary = false;
	if (expect_tls(walk))
		return false;
	if (!is_greeted(walk)) {
		expect_refused(walk, 503);
		return false;
	}
	if (model->login_required && !model->authenticated) {
		expect_refused(walk, 530);
		return false;
	}
	if (model->in_transaction &&
	    (model->recipients > 0 || !model->recipient_refused ||
	     model->strict)) {
		expect_refused(walk, 503);
		return false;
	}
	expect_reset(walk); /* a dead one */
	return true;
}

static bool takes_params(const struct walk *walk)
{
	return !walk->model.strict ||
	       (walk->model.is_esmtp && !walk->model.single_line_ehlo);
}

static void do_mail(struct walk *walk)
{
	answer_with(walk, 250, 550);
	if (expect_mail(walk)) {
		if (!takes_params(walk))
			expect_refused(walk, 555);
		else if (expect_question(walk, "MAIL"))
			walk->model.in_transaction = true;
	}
	say(walk, "MAIL FROM:<a@b.example> SIZE=100");
}

static void do_bad_mail(struct walk *walk)
{
	static const struct {
		const char *line;
		int code;
	} lines[] = {
		{ "MAIL", 501 },
		{ "MAIL FROM:<a b@c>", 501 },
		{ "MAIL FROM:<a@b.example> X=Y", 555 },
		{ "MAIL FROM:<a@b.example> SIZE=500", 552 },
	};
	unsigned which = chance_below(&walk->chance, COUNT(lines));

	if (which == 0 && walk->model.wary)
		expect_mail_data(walk);
	else if (expect_mail(walk))
		expect_refused(walk, which == 3 && !takes_params(walk)
					     ? 555
					     : lines[which].code);
	say(walk, lines[which].line);
}

/* What RCPT meets before its argument counts; true when nothing. */
static bool expect_rcpt(struct walk *walk)
{
	if (expect_tls(walk))
		return false;
	if (!walk->model.in_transaction)
		expect_refused(walk, 503);
	else if (walk->model.recipients == MAX_RECIPIENTS)
		expect_refused(walk, 452);
	else
		return true;
	return false;
}

static void do_rcpt(struct walk *walk)
{
	bool is_bad = chance_one_in(&walk->chance, 8);

	answer_with(walk, 250, 450);
	if (expect_rcpt(walk)) {
		if (is_bad)
			expect_refused(walk, 501);
		if (!is_bad && expect_question(walk, "RCPT"))
			walk->model.recipients++;
		else
			walk->model.recipient_refused = true;
	}
	say(walk, is_bad ? "RCPT TO:<>" : "rcpt TO:<c@d.example>");
}

/* Two in one, with one answer for both. */
static void expect_two(struct walk *walk)
{
	struct model *model = &walk->model;
	bool yes = walk->answer / 100 == 2;

	if (walk->answer != 421) {
		expect(walk, "RCPT");
		model->recipients += yes;
		model->recipient_refused |= !yes;
	}
	if (model->recipients == MAX_RECIPIENTS)
		expect_refused(walk, 452);
	else if (expect_question(walk, "RCPT"))
		model->recipients++;
}

static void do_two_rcpt(struct walk *walk)
{
	static const char *const lines[] = {
		"RCPT TO:<c@d.example,e@f.example>",
		"RCPT TO:c@d.example; e@f.example",
		"RCPT TO:<c@d.example>,<e@f.example>;",
	};

	answer_with(walk, 250, 450);
	if (expect_rcpt(walk)) {
		if (!walk->model.strict) {
			expect_two(walk);
		} else {
			expect_refused(walk, 501);
			walk->model.recipient_refused = true;
		}
	}
	say(walk, lines[chance_below(&walk->chance, COUNT(lines))]);
}

static void do_rset(struct walk *walk)
{
	walk->model.wary = false;
	if (!expect_tls(walk)) {
		expect_code(walk, 250);
		expect_reset(walk);
	}
	say(walk, "RSET");
}

static void do_noop(struct walk *walk)
{
	static const struct {
		const char *line;
		int code;
	} lines[] = { { "NOOP", 250 },
		      { "noop x", 250 },
		      { "HELP", 214 },
		      { "VRFY x", 252 } };
	unsigned which = chance_below(&walk->chance, COUNT(lines));

	if (which < 2 || !expect_tls(walk))
		expect_code(walk, lines[which].code);
	say(walk, lines[which].line);
}

static void do_nonsense(struct walk *walk)
{
	static const char *const lines[] = { ".", "FOO", "\x01", "250 ok" };
	unsigned which = chance_below(&walk->chance, COUNT(lines));

	if (walk->model.wary && which > 0)
		expect_mail_data(walk);
	else if (!expect_tls(walk))
		expect_refused(walk, 500);
	say(walk, lines[which]);
}

static void do_header(struct walk *walk)
{
	expect_mail_data(walk);
	say(walk, "Subject: MAIL FROM:<evil@x.example>");
}

static void do_long_line(struct walk *walk)
{
	static char line[20000];

	memset(line, 'x', sizeof(line) - 1);
	if (walk->model.wary)
		expect_mail_data(walk);
	else
		expect_refused(walk, 500);
	feed(walk, text_of(line));
	say(walk, "NOOP");
}

static void do_empty_line(struct walk *walk)
{
	if (walk->model.strict)
		expect_refused(walk, 500);
	say(walk, "");
}

static void do_quit(struct walk *walk)
{
	expect_code(walk, 221);
	expect_close(walk);
	say(walk, "QUIT");
}

static void do_bdat(struct walk *walk)
{
	expect_code(walk, 502);
	if (++walk->model.bad == MAX_BAD)
		expect_code(walk, 421);
	expect(walk, "REFUSED");
	expect_close(walk);
	say(walk, "BDAT 4 LAST\r\nQUIT");
}

static void do_goodbye(struct walk *walk)
{
	expect_code(walk, 421);
	expect_close(walk);
	walk->command = "(goodbye)";
	smtp_server_goodbye(server_play_engine(walk->play), 421, "4.4.2",
			    "Too late");
	server_play_settle(walk->play);
}

static void secure(struct walk *walk)
{
	struct model *model = &walk->model;

	smtp_server_tls_established(server_play_engine(walk->play),
				    CAPS & ~SMTP_CAP(STARTTLS));
	model->state = START;
	model->tls = model->greeted_in_clear = true;
	model->is_esmtp = model->authenticated = model->wary = false;
}

static void do_starttls(struct walk *walk)
{
	bool yes = false;

	answer_with(walk, 220, 454);
	if (walk->model.state == START ||
	    (!walk->model.tls && walk->model.in_transaction))
		expect_refused(walk, 503);
	else if (walk->model.tls)
		expect_refused(walk, 502);
	else
		yes = expect_question(walk, "STARTTLS");
	say(walk, "STARTTLS");
	if (yes)
		secure(walk);
}

/* Not inside TLS, where it is a line like others. */
static void do_tls_hello(struct walk *walk)
{
	if (walk->model.tls)
		return;
	expect(walk, "TLS_HELLO");
	expect_close(walk);
	walk->command = "(TLS hello)";
	feed(walk, TEXT("\x16\x03\x01\x02\n\x01\r\nNOOP\r\n"));
}

/* ---- login ---- */

static void do_response(struct walk *walk)
{
	unsigned kind = chance_below(&walk->chance, 6);

	answer_with(walk, chance_one_in(&walk->chance, 3) ? 334 : 235, 535);
	if (kind == 0) {
		expect_refused(walk, 501);
		say(walk, "*");
	} else if (kind == 1) {
		expect_refused(walk, 501);
		say(walk, "QUIT!");
	} else {
		if (expect_question(walk, "RESPONSE"))
			walk->model.authenticated = true;
		say(walk, kind == 2 ? "" : "dXNlcg==");
		if (walk->answer == 334)
			do_response(walk);
	}
}

static bool takes_auth(const struct walk *walk)
{
	const struct model *model = &walk->model;

	return (takes_params(walk) || model->any_login) &&
	       !model->in_transaction && !model->authenticated;
}

static void do_auth(struct walk *walk)
{
	bool foreign = chance_one_in(&walk->chance, 8);

	answer_with(walk, chance_one_in(&walk->chance, 2) ? 334 : 235, 535);
	if (expect_tls(walk)) {
		;
	} else if (!is_greeted(walk) || !takes_auth(walk)) {
		expect_refused(walk, 503);
	} else if (foreign && !walk->model.any_login) {
		expect_refused(walk, 504);
	} else {
		if (expect_question(walk, "AUTH"))
			walk->model.authenticated = true;
		say(walk, "AUTH LOGIN dXNlcg==");
		if (walk->answer == 334)
			do_response(walk);
		return;
	}
	say(walk, foreign ? "AUTH NTLM" : "AUTH LOGIN dXNlcg==");
}

/* ---- mail data ---- */

/* Lines on the wire into walk->content, what they say into walk->body. */
static void make_body(struct walk *walk)
{
	buf_clear(&walk->content);
	buf_clear(&walk->body);
	for (unsigned n = chance_below(&walk->chance, 12); n > 0; n--) {
		bool dot = chance_one_in(&walk->chance, 3);
		unsigned len = chance_below(&walk->chance, 60);

		buf_puts(&walk->content, dot ? ".." : "");
		buf_puts(&walk->body, dot ? "." : "");
		for (unsigned i = 0; i < len; i++) {
			buf_putc(&walk->content, "a.\t "[i % 4]);
			buf_putc(&walk->body, "a.\t "[i % 4]);
		}
		buf_puts(&walk->content, "\r\n");
		buf_puts(&walk->body, "\r\n");
	}
}

static void end_data(struct walk *walk, int refused)
{
	int code = refused;

	if (refused == 0) {
		answer_with(walk, 250, 451);
		expect(walk, "END");
		expect_code(walk, walk->answer);
		if (walk->answer / 100 == 2)
			walk->model.bad = 0;
		walk->model.in_transaction = false;
		walk->model.recipient_refused = false;
		walk->model.recipients = 0;
		if (walk->answer == 421)
			expect_close(walk);
	} else {
		expect_refused(walk, code);
	}
	walk->model.wary = true;
	feed(walk, TEXT(".\r\n"));
	walk->command = ".";
}

static int send_body(struct walk *walk)
{
	unsigned kind = chance_below(&walk->chance, 8);
	int refused = 0;

	make_body(walk);
	if (kind == 0) {
		buf_append(&walk->content, "x\0y\r\n", 5);
		refused = 5540;
	}
	feed(walk, buf_text(&walk->content));
	if (buf_len(&walk->body) > MAX_SIZE)
		refused = 552;
	if (kind == 1 && refused == 0) {
		smtp_server_refuse_data(server_play_engine(walk->play), 451,
					"4.3.1", "Full");
		server_play_settle(walk->play);
		refused = 451;
		feed(walk, TEXT("MAIL FROM:<a@b.example>\r\nQUIT\r\n"));
	}
	return refused;
}

static void do_data(struct walk *walk)
{
	int refused;

	answer_with(walk, 354, 451);
	walk->command = "DATA";
	if (expect_tls(walk)) {
		walk->model.wary = true;
		say(walk, "DATA");
		return;
	}
	if (!walk->model.in_transaction || walk->model.recipients == 0) {
		expect_refused(walk, walk->model.in_transaction ? 554 : 503);
		walk->model.wary = true;
		say(walk, "DATA");
		return;
	}
	if (!expect_question(walk, "DATA")) {
		if (walk->model.state != CLOSED)
			expect_reset(walk);
		walk->model.wary = true;
		say(walk, "DATA");
		return;
	}
	say(walk, "DATA");
	refused = send_body(walk);
	if (refused != 0)
		expect_reset(walk);
	if (chance_one_in(&walk->chance, 10))
		do_goodbye(walk);
	else
		end_data(walk, refused);
}

/* ---- the walk ---- */

static const struct {
	void (*run)(struct walk *walk);
	unsigned share;
} commands[] = {
	{ do_hello, 12 },     { do_mail, 25 },    { do_bad_mail, 3 },
	{ do_rcpt, 25 },      { do_data, 20 },    { do_rset, 4 },
	{ do_noop, 4 },       { do_nonsense, 2 }, { do_long_line, 1 },
	{ do_empty_line, 2 }, { do_quit, 1 },     { do_bdat, 1 },
	{ do_goodbye, 1 },    { do_starttls, 4 }, { do_auth, 6 },
	{ do_two_rcpt, 6 },   { do_header, 1 },   { do_tls_hello, 1 },
};

static void on_question(void *ctx, struct server_play *play,
			enum smtp_server_event_type question)
{
	struct walk *walk = ctx;
	bool bears_status =
		walk->answer >= 400 ||
		(walk->answer / 100 == 2 && question != SMTP_SERVER_EV_EHLO &&
		 question != SMTP_SERVER_EV_CONNECT);
	char status[] = "0.0.0";

	status[0] = (char)('0' + walk->answer / 100);
	server_play_reply(play, walk->answer, bears_status ? status : NULL,
			  "said");
}

static void on_event(void *ctx, const struct smtp_server_event *event)
{
	struct walk *walk = ctx;

	if (event->type == SMTP_SERVER_EV_DATA_CHUNK) {
		buf_text_append(&walk->came, event->chunk);
		return;
	}
	if (event->type == SMTP_SERVER_EV_DATA)
		buf_clear(&walk->came);
	if (event->type == SMTP_SERVER_EV_DATA_END)
		assert_bytes("the message", buf_text(&walk->came),
			     buf_text(&walk->body));
	buf_printf(&walk->actual, "%s ", server_play_event_name(event->type));
}

static void on_output(void *ctx, struct text bytes)
{
	struct walk *walk = ctx;
	struct text line;

	while (text_token(&bytes, '\n', &line))
		if (line.len > 4 && line.data[3] == ' ')
			buf_printf(&walk->actual, "%.3s ", line.data);
}

static struct model any_model(struct walk *walk)
{
	struct chance *chance = &walk->chance;

	return (struct model){
		.state = START,
		.strict = chance_one_in(chance, 4),
		.single_line_ehlo = chance_one_in(chance, 4),
		.any_login = chance_one_in(chance, 4),
		.tls_required = chance_one_in(chance, 6),
		.login_required = chance_one_in(chance, 6),
	};
}

static void open_session(struct walk *walk)
{
	struct model model = any_model(walk);
	struct server_play_settings settings = {
		.engine = { .hostname = "relay.example",
			    .capabilities = CAPS,
			    .mechanisms = "LOGIN",
			    .max_message_size = MAX_SIZE,
			    .max_recipients = MAX_RECIPIENTS,
			    .max_bad_commands = MAX_BAD,
			    .strict = model.strict,
			    .single_line_ehlo = model.single_line_ehlo,
			    .any_login = model.any_login,
			    .tls_required = model.tls_required,
			    .login_required = model.login_required },
		.answer = on_question,
		.event = on_event,
		.output = on_output,
		.ctx = walk,
		.late = chance_one_in(&walk->chance, 2),
	};

	walk->model = model;
	walk->answer = 220;
	walk->play = server_play_new(&settings);
	server_play_settle(walk->play);
	buf_clear(&walk->actual);
}

static void check(struct walk *walk)
{
	const char *broken = server_play_broken(walk->play);

	if (broken != NULL)
		fail_msg("seed %u, step %u, %s: broken rule: %s", walk->seed,
			 walk->steps, walk->command, broken);
	if (!text_equal(buf_text(&walk->expected), buf_text(&walk->actual)))
		fail_msg("seed %u, step %u, %s: expected %s, came %s",
			 walk->seed, walk->steps, walk->command,
			 buf_string(&walk->expected),
			 buf_string(&walk->actual));
	assert_int_equal(smtp_server_state(server_play_engine(walk->play)) ==
				 SMTP_SERVER_CLOSED,
			 walk->model.state == CLOSED);
	buf_clear(&walk->expected);
	buf_clear(&walk->actual);
}

static void step(struct walk *walk)
{
	unsigned total = 0, pick;
	size_t i = 0;

	for (size_t c = 0; c < COUNT(commands); c++)
		total += commands[c].share;
	for (pick = chance_below(&walk->chance, total);
	     pick >= commands[i].share; i++)
		pick -= commands[i].share;
	commands[i].run(walk);
	check(walk);
	walk->steps++;
}

static void walk_with(unsigned seed, unsigned steps)
{
	struct walk walk = {
		.chance = chance_of(seed),
		.seed = seed,
		.expected = BUF_INIT(SIZE_MAX),
		.actual = BUF_INIT(SIZE_MAX),
		.content = BUF_INIT(SIZE_MAX),
		.body = BUF_INIT(SIZE_MAX),
		.came = BUF_INIT(SIZE_MAX),
	};

	while (walk.steps < steps) {
		open_session(&walk);
		while (walk.steps < steps && walk.model.state != CLOSED)
			step(&walk);
		server_play_free(&walk.play);
	}
	buf_free(&walk.expected);
	buf_free(&walk.actual);
	buf_free(&walk.content);
	buf_free(&walk.body);
	buf_free(&walk.came);
}

static void test_walk(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20; seed++)
		walk_with(seed, 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
