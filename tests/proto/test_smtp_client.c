#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/support/bytes.h"
#include "tests/support/client_play.h"

/* What the dialogues in transcripts/client cannot show: all outcomes of three
 * recipients, whole flights, bodies of any shape, secrets. */

struct scene {
	struct client_play *play;
	struct buf wire;   /* what left since the last look */
	int recipients[3]; /* the codes that were told */
	unsigned answered, bodies, dones;
	enum smtp_stage done_at;
	int done_code;
	enum smtp_problem problem;
};

static const char *const three[] = { "one@d.example", "two@d.example",
				     "three@d.example" };
static const struct smtp_transaction to_three = {
	.reverse_path = "a@b.example",
	.recipients = three,
	.n_recipients = 3,
	.owner = (void *)"a",
};

static void on_event(void *ctx, struct client_play *play,
		     const struct smtp_client_event *event)
{
	struct scene *scene = ctx;

	(void)play;
	if (event->type == SMTP_CLIENT_EV_RECIPIENT) {
		scene->recipients[event->recipient % 3] = event->reply.code;
		scene->answered++;
	}
	if (event->type == SMTP_CLIENT_EV_BODY)
		scene->bodies++;
	if (event->type == SMTP_CLIENT_EV_DONE ||
	    event->type == SMTP_CLIENT_EV_FAILED) {
		scene->done_at = event->stage;
		scene->done_code = event->reply.code;
		scene->problem = event->problem;
		scene->dones++;
	}
}

static void on_output(void *ctx, struct text bytes)
{
	struct scene *scene = ctx;

	buf_text_append(&scene->wire, bytes);
}

static void open_scene(struct scene *scene, struct smtp_client_settings engine)
{
	struct client_play_settings settings = {
		.engine = engine,
		.event = on_event,
		.output = on_output,
		.ctx = scene,
	};

	settings.engine.helo_name = "lanpost.example";
	*scene = (struct scene){ .wire = BUF_INIT(SIZE_MAX) };
	scene->play = client_play_new(&settings);
}

static void close_scene(struct scene *scene)
{
	assert_null(client_play_broken(scene->play));
	client_play_free(&scene->play);
	buf_free(&scene->wire);
}

static void feed(struct scene *scene, const char *bytes)
{
	client_play_feed(scene->play, text_of(bytes));
}

/* The server says, the client says. */
static void say(struct scene *scene, const char *server, const char *client)
{
	buf_clear(&scene->wire);
	feed(scene, server);
	assert_bytes(server, buf_text(&scene->wire), text_of(client));
}

static void open_ready(struct scene *scene, bool pipelining)
{
	open_scene(scene, (struct smtp_client_settings){ .pipelining = true });
	say(scene, "220 mx.example\r\n", "EHLO lanpost.example\r\n");
	say(scene,
	    pipelining ? "250-mx.example\r\n250 PIPELINING\r\n"
		       : "250 mx.example\r\n",
	    "");
	assert_true(smtp_client_can_begin(client_play_engine(scene->play)));
}

/* ---- three recipients, three outcomes each ---- */

static const char *const outcomes[] = { "250 2.1.5 ok\r\n",
					"450 4.2.1 later\r\n",
					"550 5.1.1 no\r\n" };
static const int codes[] = { 250, 450, 550 };

/* Answer the three RCPTs, all at once or as they come. */
static void answer_recipients(struct scene *scene, const int outcome[3],
			      bool pipelining)
{
	feed(scene, "250 2.1.0 ok\r\n");
	for (int i = 0; i < 3; i++) {
		if (!pipelining)
			assert_int_equal(smtp_client_stage(client_play_engine(
						 scene->play)),
					 SMTP_STAGE_RCPT);
		feed(scene, outcomes[outcome[i]]);
		assert_int_equal(scene->recipients[i], codes[outcome[i]]);
	}
}

static void check_accepted(struct scene *scene)
{
	feed(scene, "354 go\r\n");
	assert_int_equal(scene->bodies, 1);
	buf_clear(&scene->wire);
	client_play_body(scene->play, TEXT("x\r\n"), true);
	assert_bytes("the body", buf_text(&scene->wire), TEXT("x\r\n.\r\n"));
	feed(scene, "250 2.0.0 queued\r\n");
	assert_int_equal(scene->dones, 1);
	assert_int_equal(scene->done_at, SMTP_STAGE_DATA_END);
	assert_int_equal(scene->done_code, 250);
	assert_int_equal(scene->problem, SMTP_PROBLEM_NONE);
}

static void check_refused(struct scene *scene, bool pipelining)
{
	if (pipelining)
		feed(scene, "503 5.5.1 no recipients\r\n");
	assert_int_equal(scene->bodies, 0);
	assert_int_equal(scene->dones, 1);
	assert_int_equal(scene->done_at, SMTP_STAGE_RCPT);
	assert_int_equal(scene->done_code, 0);
}

static void try_outcomes(const int outcome[3], bool pipelining)
{
	struct scene scene;

	open_ready(&scene, pipelining);
	client_play_begin(scene.play, &to_three);
	answer_recipients(&scene, outcome, pipelining);
	if (outcome[0] == 0 || outcome[1] == 0 || outcome[2] == 0)
		check_accepted(&scene);
	else
		check_refused(&scene, pipelining);
	assert_true(smtp_client_can_begin(client_play_engine(scene.play)));
	close_scene(&scene);
}

static void test_all_outcomes_of_three_recipients(void **state)
{
	(void)state;
	for (int i = 0; i < 27; i++) {
		const int outcome[] = { i % 3, i / 3 % 3, i / 9 };

		try_outcomes(outcome, false);
		try_outcomes(outcome, true);
	}
}

/* ---- flights ---- */

static void test_one_flight_is_one_output(void **state)
{
	static const char wire[] = "MAIL FROM:<a@b.example>\r\n"
				   "RCPT TO:<one@d.example>\r\n"
				   "RCPT TO:<two@d.example>\r\n"
				   "RCPT TO:<three@d.example>\r\n"
				   "DATA\r\n";
	struct smtp_client_settings settings = { .helo_name = "a",
						 .pipelining = true };
	struct smtp_client *client = smtp_client_new(&settings);
	struct smtp_client_event event;
	static const char hello[] = "220 x\r\n250-x\r\n250 PIPELINING\r\n";
	const void *data;
	size_t len;

	(void)state;
	smtp_client_feed(client, hello, strlen(hello));
	assert_int_equal(smtp_client_next(client, &event),
			 SMTP_CLIENT_EV_READY);
	assert_int_equal(smtp_client_next(client, &event), SMTP_CLIENT_EV_NONE);
	len = smtp_client_output(client, &data);
	smtp_client_output_sent(client, len);
	smtp_client_begin(client, &to_three);
	len = smtp_client_output(client, &data);
	assert_bytes("the flight", text_make(data, len), TEXT(wire));
	smtp_client_output_sent(client, len);
	assert_int_equal(smtp_client_output(client, &data), 0);
	smtp_client_free(&client);
	assert_null(client);
}

static void test_many_recipients(void **state)
{
	enum { MANY = 5000 };
	static const char *recipients[MANY];
	struct smtp_transaction transaction = to_three;
	struct scene scene;

	(void)state;
	for (int i = 0; i < MANY; i++)
		recipients[i] = "somebody@d.example";
	transaction.recipients = recipients;
	transaction.n_recipients = MANY;
	for (int pipelining = 0; pipelining < 2; pipelining++) {
		open_ready(&scene, pipelining);
		client_play_begin(scene.play, &transaction);
		feed(&scene, "250 ok\r\n");
		for (int i = 0; i < MANY; i++)
			feed(&scene,
			     i < MANY - 1 ? "450 no\r\n" : "250 ok\r\n");
		assert_int_equal(scene.answered, MANY);
		feed(&scene, "354 go\r\n");
		assert_int_equal(scene.bodies, 1);
		close_scene(&scene);
	}
}

/* ---- bodies ---- */

static unsigned long long chance_state;

static unsigned chance(unsigned below)
{
	chance_state =
		chance_state * 6364136223846793005ull + 1442695040888963407ull;
	return (unsigned)(chance_state >> 33) % below;
}

/* Lines with CRLF, many of them with dots in front. */
static void make_body(struct buf *body, size_t lines)
{
	static const char *const starts[] = {
		"", ".", "..", "x", ".x", "\xff"
	};

	for (; lines > 0; lines--) {
		buf_puts(body, starts[chance(COUNT(starts))]);
		for (unsigned n = chance(3) * chance(40); n > 0; n--)
			buf_putc(body, "ab .\t"[chance(5)]);
		if (lines > 1 || chance(2) == 0)
			buf_puts(body, "\r\n");
	}
}

static void dot_stuff(struct buf *wire, struct text body)
{
	bool start = true;

	for (size_t i = 0; i < body.len; i++) {
		if (start && body.data[i] == '.')
			buf_putc(wire, '.');
		buf_putc(wire, body.data[i]);
		start = body.data[i] == '\n';
	}
	buf_puts(wire, start ? ".\r\n" : "\r\n.\r\n");
}

static void give_in_pieces(struct scene *scene, struct text body, size_t most)
{
	while (body.len > 0) {
		size_t len = 1 + chance((unsigned)most);
		bool last;

		if (len > body.len)
			len = body.len;
		last = len == body.len && chance(2) == 0;
		client_play_body(scene->play, text_make(body.data, len), last);
		body = text_skip(body, len);
		if (last)
			return;
	}
	client_play_body(scene->play, text_of(""), true);
}

static void try_body(struct text body, size_t most)
{
	struct buf expected = BUF_INIT(SIZE_MAX);
	struct scene scene;

	dot_stuff(&expected, body);
	open_ready(&scene, true);
	client_play_begin(scene.play, &to_three);
	feed(&scene, "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go\r\n");
	assert_int_equal(scene.bodies, 1);
	buf_clear(&scene.wire);
	give_in_pieces(&scene, body, most);
	assert_bytes("on the wire", buf_text(&scene.wire), buf_text(&expected));
	assert_int_equal(smtp_client_stage(client_play_engine(scene.play)),
			 SMTP_STAGE_DATA_END);
	close_scene(&scene);
	buf_free(&expected);
}

static void test_bodies_of_any_shape(void **state)
{
	(void)state;
	chance_state = 1;
	for (unsigned i = 0; i < 300; i++) {
		struct buf body = BUF_INIT(SIZE_MAX);

		make_body(&body, i % 50);
		try_body(buf_text(&body), i % 3 == 0   ? 1
					  : i % 3 == 1 ? 7
						       : 400);
		buf_free(&body);
	}
}

static void test_a_large_body(void **state)
{
	struct buf body = BUF_INIT(SIZE_MAX);

	(void)state;
	chance_state = 2;
	make_body(&body, 100000);
	try_body(buf_text(&body), 100000);
	buf_free(&body);
}

/* ---- secrets ---- */

static bool holds_secret(struct text text)
{
	return text_find_nocase(text, TEXT("hunter2")) >= 0 ||
	       text_find_nocase(text, TEXT("aHVudGVyMg")) >= 0 ||
	       text_find_nocase(text, TEXT("AHNjYW4AaHVudGVyMg")) >= 0;
}

static void open_login(struct scene *scene, const char *mechanism,
		       const struct sasl_credentials *credentials)
{
	static const char *mechanisms[2];

	mechanisms[0] = mechanism;
	open_scene(scene,
		   (struct smtp_client_settings){ .tls = SMTP_TLS_IMPLICIT,
						  .credentials = credentials,
						  .mechanisms = mechanisms });
	feed(scene, "220 x\r\n");
	buf_clear(&scene->wire);
	feed(scene, "250-x\r\n250 AUTH PLAIN LOGIN\r\n");
}

static void test_logins_are_never_traced(void **state)
{
	static const struct sasl_credentials credentials = { "scan",
							     "hunter2" };
	struct scene scene;
	struct text trace;

	(void)state;
	open_login(&scene, "PLAIN", &credentials);
	assert_true(holds_secret(buf_text(&scene.wire)));
	feed(&scene, "535 no\r\n");
	trace = client_play_trace(scene.play);
	assert_false(holds_secret(trace));
	assert_true(text_find_nocase(trace, TEXT("AUTH PLAIN")) >= 0);
	close_scene(&scene);

	open_login(&scene, "LOGIN", &credentials);
	feed(&scene, "334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n");
	assert_true(holds_secret(buf_text(&scene.wire)));
	feed(&scene, "235 ok\r\n");
	assert_false(holds_secret(client_play_trace(scene.play)));
	close_scene(&scene);
}

/* RFC 4954 4: where AUTH would pass 512 octets, the response comes alone. */
static void test_a_long_secret(void **state)
{
	struct sasl_credentials credentials = { "scan", NULL };
	char secret[2001];
	struct scene scene;
	struct text wire;

	(void)state;
	memset(secret, 's', sizeof(secret) - 1);
	secret[sizeof(secret) - 1] = '\0';
	credentials.secret = secret;
	open_login(&scene, "PLAIN", &credentials);
	assert_bytes("AUTH", buf_text(&scene.wire), TEXT("AUTH PLAIN\r\n"));
	buf_clear(&scene.wire);
	feed(&scene, "334 \r\n");
	wire = buf_text(&scene.wire);
	assert_int_equal(wire.len, (1 + 4 + 1 + 2000 + 2) / 3 * 4 + 2);
	assert_memory_equal(wire.data, "AHNjYW4Ac3Nz", 12);
	feed(&scene, "235 ok\r\n");
	assert_true(smtp_client_can_begin(client_play_engine(scene.play)));
	close_scene(&scene);
}

/* ---- looking at it ---- */

static void test_caps_of_the_last_ehlo(void **state)
{
	struct scene scene;
	const struct smtp_caps *caps;

	(void)state;
	open_scene(&scene,
		   (struct smtp_client_settings){ .tls = SMTP_TLS_STARTTLS });
	say(&scene, "220 x\r\n", "EHLO lanpost.example\r\n");
	say(&scene, "250-x\r\n250-SIZE 5\r\n250-DSN\r\n250 STARTTLS\r\n",
	    "STARTTLS\r\n");
	caps = smtp_client_caps(client_play_engine(scene.play));
	assert_int_equal(caps->set,
			 SMTP_CAP(SIZE) | SMTP_CAP(DSN) | SMTP_CAP(STARTTLS));
	say(&scene, "220 go\r\n", "");
	client_play_tls_established(scene.play);
	assert_int_equal(caps->set, 0);
	assert_int_equal(caps->max_size, 0);
	say(&scene, "250-x\r\n250-AUTH LOGIN XOAUTH2\r\n250 SIZE 7\r\n", "");
	assert_int_equal(caps->set, SMTP_CAP(SIZE) | SMTP_CAP(AUTH));
	assert_int_equal(caps->max_size, 7);
	assert_string_equal(caps->mechanisms, "LOGIN XOAUTH2");
	close_scene(&scene);
}

static void test_words_for_stages_and_problems(void **state)
{
	(void)state;
	for (enum smtp_stage stage = SMTP_STAGE_GREETING;
	     stage <= SMTP_STAGE_QUIT; stage++) {
		assert_true(strlen(smtp_stage_text(stage)) > 5);
		assert_true(strlen(smtp_stage_name(stage)) > 2);
		assert_in_range(smtp_stage_share(stage), 1, 200);
	}
	assert_string_equal(smtp_stage_name(SMTP_STAGE_DATA_END), "DATA_END");
	for (enum smtp_problem problem = SMTP_PROBLEM_NONE;
	     problem <= SMTP_PROBLEM_NO_8BITMIME; problem++)
		assert_true(strlen(smtp_problem_text(problem)) > 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_outcomes_of_three_recipients),
		cmocka_unit_test(test_one_flight_is_one_output),
		cmocka_unit_test(test_many_recipients),
		cmocka_unit_test(test_bodies_of_any_shape),
		cmocka_unit_test(test_a_large_body),
		cmocka_unit_test(test_logins_are_never_traced),
		cmocka_unit_test(test_a_long_secret),
		cmocka_unit_test(test_caps_of_the_last_ehlo),
		cmocka_unit_test(test_words_for_stages_and_problems),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
