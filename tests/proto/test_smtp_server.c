#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/xalloc.h"
#include "tests/support/bytes.h"
#include "tests/support/server_play.h"

/* What the dialogues in transcripts/server cannot show: sizes, bounds, the
 * output while it waits, secrets. */

enum { CHUNK = 64 * 1024 };

struct scene {
	struct server_play *play;
	unsigned events[SMTP_SERVER_EV_CLOSE + 1];
	struct buf refused; /* commands and texts of EV_REFUSED */
	struct buf last;    /* the output of the last feed */
	uint64_t octets;    /* of mail data */
	int answers[SMTP_SERVER_EV_CLOSE + 1]; /* 0: yes */
	bool refuses_first_chunk;
};

static void on_event(void *ctx, const struct smtp_server_event *event)
{
	struct scene *scene = ctx;

	scene->events[event->type]++;
	if (event->type == SMTP_SERVER_EV_REFUSED) {
		buf_text_append(&scene->refused, event->refused.command);
		buf_text_append(&scene->refused, event->refused.reply.text);
	}
	if (event->type != SMTP_SERVER_EV_DATA_CHUNK)
		return;
	scene->octets += event->chunk.len;
	if (scene->refuses_first_chunk)
		smtp_server_refuse_data(server_play_engine(scene->play), 452,
					"4.3.1", "Full");
}

static void on_question(void *ctx, struct server_play *play,
			enum smtp_server_event_type question)
{
	struct scene *scene = ctx;
	int code = scene->answers[question];

	if (code == 0)
		code = question == SMTP_SERVER_EV_CONNECT ? 220
		       : question == SMTP_SERVER_EV_DATA  ? 354
							  : 250;
	server_play_reply(play, code,
			  code == 354 || code == 334 || code == 220 ||
					  question == SMTP_SERVER_EV_EHLO
				  ? NULL
			  : code < 300 ? "2.0.0"
			  : code < 500 ? "4.0.0"
				       : "5.0.0",
			  "said");
}

static void on_output(void *ctx, struct text bytes)
{
	struct scene *scene = ctx;

	buf_text_append(&scene->last, bytes);
}

static struct smtp_server_settings usual(void)
{
	return (struct smtp_server_settings){
		.hostname = "relay.example",
		.capabilities = SMTP_CAP(SIZE) | SMTP_CAP(PIPELINING) |
				SMTP_CAP(8BITMIME) |
				SMTP_CAP(ENHANCEDSTATUSCODES),
		.max_message_size = 36700160,
		.max_recipients = 500,
		.max_bad_commands = 10,
	};
}

static void open_scene(struct scene *scene,
		       const struct smtp_server_settings *engine)
{
	struct server_play_settings settings = {
		.engine = *engine,
		.answer = on_question,
		.event = on_event,
		.output = on_output,
		.ctx = scene,
	};

	*scene = (struct scene){ .refused = BUF_INIT(SIZE_MAX),
				 .last = BUF_INIT(SIZE_MAX) };
	scene->play = server_play_new(&settings);
}

static void close_scene(struct scene *scene)
{
	assert_string_equal(server_play_broken(scene->play) == NULL
				    ? "no rule broken"
				    : server_play_broken(scene->play),
			    "no rule broken");
	server_play_free(&scene->play);
	buf_free(&scene->refused);
	buf_free(&scene->last);
}

static void feed(struct scene *scene, const char *bytes)
{
	buf_clear(&scene->last);
	server_play_feed(scene->play, text_of(bytes));
}

/* As feed(), and the answer begins with what is expected. */
static void say(struct scene *scene, const char *bytes, const char *expected)
{
	struct text last;

	feed(scene, bytes);
	last = buf_text(&scene->last);
	if (last.len > strlen(expected))
		last.len = strlen(expected);
	assert_bytes(bytes, last, text_of(expected));
}

static void feed_run(struct scene *scene, char byte, size_t len)
{
	char *run = xmalloc(CHUNK);

	memset(run, byte, CHUNK);
	buf_clear(&scene->last);
	for (; len > 0; len -= len < CHUNK ? len : CHUNK)
		server_play_feed(scene->play,
				 text_make(run, len < CHUNK ? len : CHUNK));
	free(run);
}

static enum smtp_server_state state_of(const struct scene *scene)
{
	return smtp_server_state(server_play_engine(scene->play));
}

static void begin_data(struct scene *scene)
{
	feed(scene, "EHLO a\r\nMAIL FROM:<a@b.example>\r\n"
		    "RCPT TO:<c@d.example>\r\nDATA\r\n");
	assert_int_equal(state_of(scene), SMTP_SERVER_DATA);
}

/* ---- bounds ---- */

static void test_a_command_without_end(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;

	(void)state;
	open_scene(&scene, &settings);
	feed(&scene, "EHLO a\r\n");
	feed_run(&scene, 'x', 1024 * 1024 + 2 * CHUNK);
	assert_bytes("the answer", text_make(scene.last.data, 9),
		     TEXT("421 4.7.0"));
	assert_int_equal(state_of(&scene), SMTP_SERVER_CLOSED);
	assert_int_equal(scene.events[SMTP_SERVER_EV_CLOSE], 1);
	close_scene(&scene);
}

static void test_a_login_without_end(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;

	(void)state;
	settings.capabilities = SMTP_CAP(AUTH);
	settings.mechanisms = "PLAIN";
	open_scene(&scene, &settings);
	scene.answers[SMTP_SERVER_EV_AUTH] = 334;
	feed(&scene, "EHLO a\r\nAUTH PLAIN\r\n");
	feed_run(&scene, 'Q', 1024 * 1024 + 2 * CHUNK);
	assert_int_equal(state_of(&scene), SMTP_SERVER_CLOSED);
	close_scene(&scene);
}

static void end_of_data(struct scene *scene, size_t line, const char *expected)
{
	begin_data(scene);
	feed_run(scene, 'x', line);
	say(scene, "\r\nshort\r\n.\r\n", expected);
	assert_int_equal(state_of(scene), SMTP_SERVER_READY);
}

/* An attachment in one line; it is wrapped on its way out (mime_convert.h). */
static void test_a_line_of_any_length(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;

	(void)state;
	open_scene(&scene, &settings);
	end_of_data(&scene, 5000000, "250 2.0.0");
	assert_int_equal(scene.octets, 5000000 + 2 + 7);
	close_scene(&scene);
}

/* It is read to its end, so that the client reads the answer. */
static void test_too_large_a_message(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;

	(void)state;
	settings.max_message_size = 1000 * 1000;
	open_scene(&scene, &settings);
	begin_data(&scene);
	for (size_t i = 0; i < 3 * 1000; i++) {
		feed_run(&scene, 'x', 998);
		say(&scene, "\r\n", "");
	}
	assert_int_equal(state_of(&scene), SMTP_SERVER_DATA);
	assert_true(scene.octets <= 1000 * 1000);
	say(&scene, ".\r\nNOOP\r\n", "552 5.3.4 ");
	assert_int_equal(state_of(&scene), SMTP_SERVER_READY);
	assert_int_equal(scene.events[SMTP_SERVER_EV_RESET], 1);
	close_scene(&scene);
}

/* One who was told the limit by SIZE and never ends is cut off. */
static void test_far_too_large_a_message(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;

	(void)state;
	settings.max_message_size = 1000;
	open_scene(&scene, &settings);
	begin_data(&scene);
	for (size_t i = 0; i < 1100; i++) {
		buf_clear(&scene.last);
		feed_run(&scene, 'x', CHUNK);
	}
	assert_int_equal(state_of(&scene), SMTP_SERVER_CLOSED);
	assert_int_equal(scene.events[SMTP_SERVER_EV_RESET], 1);
	assert_int_equal(scene.events[SMTP_SERVER_EV_CLOSE], 1);
	close_scene(&scene);
}

static size_t count(struct text text, const char *needle)
{
	size_t n = 0, len = strlen(needle);

	for (size_t i = 0; i + len <= text.len; i++)
		n += memcmp(text.data + i, needle, len) == 0;
	return n;
}

static void test_ten_thousand_recipients(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;
	struct buf wire = BUF_INIT(SIZE_MAX);
	struct text rest;

	(void)state;
	open_scene(&scene, &settings);
	feed(&scene, "EHLO a\r\nMAIL FROM:<a@b.example>\r\n");
	buf_clear(&scene.last);
	for (int i = 0; i < 10000; i++)
		buf_printf(&wire, "RCPT TO:<user%d@company.example>\r\n", i);
	for (rest = buf_text(&wire); rest.len > 0;
	     rest = text_skip(rest, rest.len < CHUNK ? rest.len : CHUNK))
		server_play_feed(scene.play,
				 text_make(rest.data, rest.len < CHUNK
							      ? rest.len
							      : CHUNK));
	assert_int_equal(count(buf_text(&scene.last), "250 2.0.0 "), 500);
	assert_int_equal(count(buf_text(&scene.last), "452 4.5.3 "), 9500);
	assert_int_equal(state_of(&scene), SMTP_SERVER_RCPT);
	say(&scene, "DATA\r\n", "354 ");
	buf_free(&wire);
	close_scene(&scene);
}

/* ---- what devices need ---- */

static enum smtp_server_event_type feed_raw(struct smtp_server *server,
					    const char *bytes,
					    struct smtp_server_event *event)
{
	smtp_server_feed(server, bytes, strlen(bytes));
	return smtp_server_next(server, event);
}

/* Q15: it fits into one segment, and into the buffer of a device. */
static void test_the_answer_to_ehlo_is_short(void **state)
{
	static const char name[] = "EHLO a\r\n";
	struct smtp_server_settings settings = usual();
	struct smtp_server *server;
	struct smtp_server_event event;
	char hostname[256];
	const void *data;

	(void)state;
	memset(hostname, 'x', 255);
	hostname[255] = '\0';
	settings.capabilities |= SMTP_CAP(STARTTLS) | SMTP_CAP(AUTH);
	settings.mechanisms = "PLAIN LOGIN";
	settings.max_message_size = UINT64_MAX;
	server = smtp_server_new(&settings);
	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_CONNECT);
	smtp_server_replyf(server, 220, NULL, "hello");
	smtp_server_output_sent(server, smtp_server_output(server, &data));
	smtp_server_feed(server, name, strlen(name));
	assert_int_equal(smtp_server_next(server, &event), SMTP_SERVER_EV_EHLO);
	smtp_server_replyf(server, 250, NULL, "%s", hostname);
	assert_in_range(smtp_server_output(server, &data), 300, 511);
	smtp_server_free(&server);
}

/* Q54: a log about a device that hangs can say that it said LF.LF. */
static void test_what_was_met_in_the_data_so_far(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;
	const struct smtp_data_stats *stats;

	(void)state;
	open_scene(&scene, &settings);
	begin_data(&scene);
	feed(&scene, "one\n.");
	stats = smtp_server_data_stats(server_play_engine(scene.play));
	assert_false(stats->lf_dot);
	feed(&scene, "\n");
	assert_true(stats->lf_dot);
	feed(&scene, "\r\n.\r\n");
	begin_data(&scene);
	assert_false(stats->lf_dot);
	close_scene(&scene);
}

static void test_each_quirk_has_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SMTP_QUIRKS; i++)
		assert_true(smtp_quirk_text((enum smtp_quirk)i)[0] != '\0');
	assert_string_equal(smtp_quirk_text(SMTP_QUIRK_BIT_NO_HELO), "no HELO");
}

/* RFC 8314: where TLS comes first there is no greeting before it. */
static void test_tls_from_the_beginning(void **state)
{
	struct smtp_server_settings settings = usual();
	struct smtp_server *server;
	struct smtp_server_event event;

	(void)state;
	settings.tls_required = true;
	server = smtp_server_new(&settings);
	smtp_server_tls_established(server, SMTP_CAP(SIZE));
	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_CONNECT);
	smtp_server_replyf(server, 220, NULL, "hello");
	assert_int_equal(feed_raw(server, "MAIL FROM:<>\r\n", &event),
			 SMTP_SERVER_EV_REFUSED);
	assert_int_equal(event.refused.reply.code, 503);
	assert_int_equal(feed_raw(server, "HELO a\r\n", &event),
			 SMTP_SERVER_EV_EHLO);
	smtp_server_replyf(server, 250, NULL, "me");
	assert_int_equal(feed_raw(server, "MAIL FROM:<>\r\n", &event),
			 SMTP_SERVER_EV_MAIL);
	smtp_server_free(&server);
}

/* ---- one that does not listen ---- */

static struct smtp_server *open_raw(const struct smtp_server_settings *settings)
{
	struct smtp_server *server = smtp_server_new(settings);
	struct smtp_server_event event;

	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_CONNECT);
	smtp_server_replyf(server, 220, NULL, "hello");
	assert_int_equal(feed_raw(server, "HELO a\r\n", &event),
			 SMTP_SERVER_EV_EHLO);
	smtp_server_replyf(server, 250, NULL, "me");
	return server;
}

/* Commands without end, and no reply is ever read. */
static void test_output_is_bounded(void **state)
{
	struct smtp_server_settings settings = usual();
	struct smtp_server *server = open_raw(&settings);
	struct smtp_server_event event;
	enum smtp_server_event_type type = SMTP_SERVER_EV_NONE;
	const void *data;

	(void)state;
	for (size_t i = 0; i < 100000 && type == SMTP_SERVER_EV_NONE; i++)
		type = feed_raw(server, "NOOP\r\n", &event);
	assert_int_equal(type, SMTP_SERVER_EV_CLOSE);
	assert_true(smtp_server_output(server, &data) < 256 * 1024);
	assert_int_equal(feed_raw(server, "NOOP\r\n", &event),
			 SMTP_SERVER_EV_NONE);
	smtp_server_free(&server);
}

/* The answer that is one too many opens a transaction: it is reset. */
static void test_output_is_bounded_inside_a_transaction(void **state)
{
	struct smtp_server_settings settings = usual();
	struct smtp_server *server = open_raw(&settings);
	struct smtp_server_event event;

	(void)state;
	for (size_t i = 0; smtp_server_state(server) == SMTP_SERVER_READY;
	     i++) {
		assert_true(i < 100000);
		assert_int_equal(
			feed_raw(server, "RSET\r\nMAIL FROM:<>\r\n", &event),
			SMTP_SERVER_EV_MAIL);
		smtp_server_replyf(server, 250, "2.1.0", "%0500d", 0);
		if (smtp_server_state(server) == SMTP_SERVER_CLOSED)
			break;
		assert_int_equal(feed_raw(server, "RSET\r\n", &event),
				 SMTP_SERVER_EV_RESET);
	}
	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_RESET);
	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_CLOSE);
	smtp_server_free(&server);
}

/* A caller that ignores is_full(): memory stays bounded, the session ends. */
static void test_input_is_bounded(void **state)
{
	struct smtp_server_settings settings = usual();
	struct smtp_server *server = smtp_server_new(&settings);
	struct smtp_server_event event;

	(void)state;
	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_CONNECT);
	for (size_t i = 0; i < 3 * 1024 * 1024 / 70; i++)
		feed_raw(server,
			 "NOOP ............................................."
			 "..................\r\n",
			 &event);
	assert_int_equal(smtp_server_state(server), SMTP_SERVER_CLOSED);
	smtp_server_replyf(server, 220, NULL, "hello");
	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_CLOSE);
	smtp_server_free(&server);
}

/* ---- questions that stay open ---- */

static void test_is_full_while_a_question_is_open(void **state)
{
	struct smtp_server_settings settings = usual();
	struct smtp_server *server = smtp_server_new(&settings);
	struct smtp_server_event event;
	char wire[] = "EHLO a\r\nNOOP\r\n";
	const void *data;

	(void)state;
	assert_false(smtp_server_is_asking(server));
	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_CONNECT);
	assert_true(smtp_server_is_asking(server));
	assert_int_equal(smtp_server_next(server, &event), SMTP_SERVER_EV_NONE);
	assert_false(smtp_server_is_full(server));
	assert_int_equal(smtp_server_output(server, &data), 0);

	smtp_server_feed(server, wire, strlen(wire));
	assert_int_equal(smtp_server_next(server, &event), SMTP_SERVER_EV_NONE);
	memset(wire, 'x', strlen(wire));
	assert_true(smtp_server_is_full(server));
	assert_int_equal(smtp_server_output(server, &data), 0);

	smtp_server_replyf(server, 220, NULL, "hello");
	assert_false(smtp_server_is_asking(server));
	assert_int_equal(smtp_server_next(server, &event), SMTP_SERVER_EV_EHLO);
	assert_bytes("the name", event.ehlo.helo_name, TEXT("a"));
	smtp_server_replyf(server, 250, NULL, "me");
	assert_int_equal(smtp_server_next(server, &event), SMTP_SERVER_EV_NONE);
	assert_false(smtp_server_is_full(server));
	smtp_server_free(&server);
	assert_null(server);
}

/* Freed with a question, kept input and output: nothing leaks. */
static void test_free_in_the_middle(void **state)
{
	static const char *const wires[] = {
		"",
		"EHL",
		"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT",
		"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<a@b.example>"
		"\r\nDATA\r\nhalf a li",
	};
	struct smtp_server_settings settings = usual();
	struct scene scene;
	struct smtp_server_event event;
	struct smtp_server *server = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(wires); i++) {
		open_scene(&scene, &settings);
		feed(&scene, wires[i]);
		close_scene(&scene);
		server = smtp_server_new(&settings);
		smtp_server_feed(server, wires[i], strlen(wires[i]));
		smtp_server_next(server, &event);
		smtp_server_next(server, &event);
		smtp_server_free(&server);
	}
	smtp_server_free(&server);
}

/* ---- replies ---- */

static void answer_mail(struct smtp_server *server, const char *text)
{
	struct smtp_server_event event;

	assert_int_equal(smtp_server_next(server, &event),
			 SMTP_SERVER_EV_CONNECT);
	smtp_server_replyf(server, 220, NULL, "hello");
	smtp_server_feed(server, "HELO a\r\n", 8);
	assert_int_equal(smtp_server_next(server, &event), SMTP_SERVER_EV_EHLO);
	smtp_server_replyf(server, 250, NULL, "me");
	smtp_server_feed(server, "MAIL FROM:<>\r\n", 14);
	assert_int_equal(smtp_server_next(server, &event), SMTP_SERVER_EV_MAIL);
	smtp_server_output_sent(
		server, smtp_server_output(server, &(const void *){ 0 }));
	smtp_server_replyf(server, 550, "5.7.1", "%s", text);
}

static void test_a_reply_of_many_lines(void **state)
{
	struct smtp_server_settings settings = usual();
	struct smtp_server *server = smtp_server_new(&settings);
	const void *data;
	size_t len;

	(void)state;
	answer_mail(server, "One\nTwo\r\n250 Three\n\x1b[1m\xff");
	len = smtp_server_output(server, &data);
	assert_bytes("the reply", text_make(data, len),
		     TEXT("550-5.7.1 One\r\n550-5.7.1 Two?\r\n"
			  "550-5.7.1 250 Three\r\n550 5.7.1 ?[1m?\r\n"));
	smtp_server_output_sent(server, 4);
	assert_int_equal(smtp_server_output(server, &data), len - 4);
	assert_memory_equal(data, "5.7.1 One\r\n", 11);
	smtp_server_output_sent(server, len - 4);
	assert_int_equal(smtp_server_output(server, &data), 0);
	smtp_server_free(&server);
}

static void test_a_reply_line_is_cut_at_512(void **state)
{
	struct smtp_server_settings settings = usual();
	struct smtp_server *server = smtp_server_new(&settings);
	char text[900];
	const void *data;
	size_t len;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	answer_mail(server, text);
	len = smtp_server_output(server, &data);
	assert_int_equal(len, SMTP_REPLY_LINE_MAX);
	assert_memory_equal((const char *)data + len - 2, "\r\n", 2);
	smtp_server_free(&server);
}

/* ---- refusing data ---- */

static void test_refuse_data_at_the_first_chunk(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;

	(void)state;
	open_scene(&scene, &settings);
	scene.refuses_first_chunk = true;
	begin_data(&scene);
	say(&scene, "a\r\nb\nc\r\n", "");
	assert_int_equal(scene.events[SMTP_SERVER_EV_DATA_CHUNK], 1);
	assert_int_equal(scene.events[SMTP_SERVER_EV_RESET], 1);
	assert_int_equal(scene.events[SMTP_SERVER_EV_REFUSED], 0);
	say(&scene, "d\r\n.\r\n", "452 4.3.1 Full\r\n");
	assert_int_equal(scene.events[SMTP_SERVER_EV_REFUSED], 1);
	assert_int_equal(scene.events[SMTP_SERVER_EV_DATA_END], 0);
	close_scene(&scene);
}

/* A caller that refuses twice, or what was refused already: the first counts,
 * and the transaction is gone once. */
static void test_refuse_data_twice(void **state)
{
	struct smtp_server_settings settings = usual();
	struct scene scene;
	struct smtp_server *server;

	(void)state;
	open_scene(&scene, &settings);
	begin_data(&scene);
	server = server_play_engine(scene.play);
	smtp_server_refuse_data(server, 452, "4.3.1", "First");
	smtp_server_refuse_data(server, 451, "4.3.0", "Second");
	server_play_drain(scene.play);
	say(&scene, "x\0y\r\n.\r\n", "");
	say(&scene, "\r\n.\r\n", "452 4.3.1 First\r\n");
	assert_int_equal(scene.events[SMTP_SERVER_EV_RESET], 1);
	close_scene(&scene);
}

/* ---- secrets ---- */

static bool holds_secret(struct text text)
{
	static const char *const secrets[] = {
		"hunter2",
		"aHVudGVyMg",
		"AHNjYW4AaHVudGVyMg",
		"YW4AaHVudGVy",
	};

	for (size_t i = 0; i < COUNT(secrets); i++)
		if (text_find_nocase(text, text_of(secrets[i])) >= 0)
			return true;
	return false;
}

static void test_logins_are_never_traced(void **state)
{
	static const char *const logins[] = {
		"AUTH PLAIN AHNjYW4AaHVudGVyMg==\r\n",
		"auth  PLAIN   AHNjYW4AaHVudGVyMg==\r\n",
		"AUTH PLAIN AHNjYW4AaHVudGVyMg==x\r\n",
		"AUTH PLAIN\r\nAHNjYW4AaHVudGVyMg==\r\n",
		"AUTH PLAIN\r\nAHNjYW4AaHVudGVyMg=\r\n",
		"AUTH LOGIN\r\naHVudGVyMg==\r\n",
		"AUTH PLAIN AHNjYW4AaHVudGVyMg==\rx\r\n",
	};
	struct smtp_server_settings settings = usual();
	struct scene scene;

	(void)state;
	settings.mechanisms = "PLAIN LOGIN";
	for (size_t i = 0; i < 2 * COUNT(logins); i++) {
		settings.capabilities = i < COUNT(logins) ? SMTP_CAP(AUTH) : 0;
		open_scene(&scene, &settings);
		scene.answers[SMTP_SERVER_EV_AUTH] = 334;
		scene.answers[SMTP_SERVER_EV_AUTH_RESPONSE] = 535;
		feed(&scene, "EHLO a\r\n");
		feed(&scene, logins[i % COUNT(logins)]);
		assert_false(holds_secret(server_play_trace(scene.play)));
		assert_false(holds_secret(buf_text(&scene.refused)));
		close_scene(&scene);
	}
}

/* Some devices go on with a login that was refused: no verb, no log. */
static void test_what_follows_a_refused_login_is_masked(void **state)
{
	static const struct {
		const char *before;
		int connect;
		unsigned capabilities;
	} sessions[] = {
		{ "EHLO a\r\n", 220, SMTP_CAP(AUTH) },
		{ "EHLO a\r\n", 220, 0 },
		{ "", 220, SMTP_CAP(AUTH) },
		{ "", 554, 0 },
		{ "EHLO a\r\nMAIL FROM:<>\r\n", 220, SMTP_CAP(AUTH) },
	};
	struct smtp_server_settings settings = usual();
	struct scene scene;

	(void)state;
	settings.mechanisms = "LOGIN";
	for (size_t i = 0; i < COUNT(sessions); i++) {
		settings.capabilities = sessions[i].capabilities;
		open_scene(&scene, &settings);
		scene.answers[SMTP_SERVER_EV_AUTH] = 535;
		scene.answers[SMTP_SERVER_EV_CONNECT] = sessions[i].connect;
		feed(&scene, sessions[i].before);
		feed(&scene, "AUTH LOGIN\r\nc2Nhbg==\r\n"
			     "aHVudGVyMg==\r\nNOOP\r\nFOO\r\n");
		assert_false(holds_secret(server_play_trace(scene.play)));
		assert_false(holds_secret(buf_text(&scene.refused)));
		assert_true(text_find_nocase(buf_text(&scene.refused),
					     TEXT("FOO")) >= 0);
		close_scene(&scene);
	}
}

static void test_words_for_states(void **state)
{
	(void)state;
	for (enum smtp_server_state s = SMTP_SERVER_CONNECT;
	     s <= SMTP_SERVER_CLOSED; s++)
		assert_true(strlen(smtp_server_state_text(s)) > 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_command_without_end),
		cmocka_unit_test(test_a_login_without_end),
		cmocka_unit_test(test_a_line_of_any_length),
		cmocka_unit_test(test_too_large_a_message),
		cmocka_unit_test(test_far_too_large_a_message),
		cmocka_unit_test(test_the_answer_to_ehlo_is_short),
		cmocka_unit_test(test_what_was_met_in_the_data_so_far),
		cmocka_unit_test(test_each_quirk_has_words),
		cmocka_unit_test(test_tls_from_the_beginning),
		cmocka_unit_test(test_output_is_bounded),
		cmocka_unit_test(test_output_is_bounded_inside_a_transaction),
		cmocka_unit_test(test_input_is_bounded),
		cmocka_unit_test(test_ten_thousand_recipients),
		cmocka_unit_test(test_is_full_while_a_question_is_open),
		cmocka_unit_test(test_free_in_the_middle),
		cmocka_unit_test(test_a_reply_of_many_lines),
		cmocka_unit_test(test_a_reply_line_is_cut_at_512),
		cmocka_unit_test(test_refuse_data_at_the_first_chunk),
		cmocka_unit_test(test_refuse_data_twice),
		cmocka_unit_test(test_logins_are_never_traced),
		cmocka_unit_test(test_what_follows_a_refused_login_is_masked),
		cmocka_unit_test(test_words_for_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
