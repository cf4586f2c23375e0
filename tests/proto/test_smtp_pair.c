#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/base64.h"
#include "tests/support/bytes.h"
#include "tests/support/chance.h"
#include "tests/support/client_play.h"
#include "tests/support/server_play.h"

/* The two engines with a wire between them that carries any number of bytes at
 * a time.  Each answer has words of its own, "r17"; both sides write down what
 * was answered to what, and which messages went over.  What goes in comes out,
 * and both tell the same story. */

enum { LETTERS = 12, RECIPIENTS_MAX = 5 };

/* Transactions begun behind another's final dot. */
static unsigned rode_along;

struct letter {
	struct smtp_transaction transaction;
	char addresses[RECIPIENTS_MAX][40];
	const char *recipients[RECIPIENTS_MAX];
	char from[40], name[8];
	struct buf body, given; /* what arrives, what is handed over */
};

struct way {
	bool pipelining, eager, starttls;
	const char *mechanism; /* NULL: no login */
	bool odd_line_ends;    /* bare CR and LF in the bodies */
};

struct pair {
	struct way way;
	struct chance chance;
	struct client_play *client;
	struct server_play *server;
	struct buf to_server, to_client;
	struct letter letters[LETTERS];
	size_t begun, given; /* of letters[giving]: octets */
	struct letter *giving;
	bool over;
	unsigned answers;
	struct sasl_server sasl;
	bool has_response;
	struct buf response;
	/* both stories */
	struct buf told_by_server, told_by_client;
	struct buf content_now;
};

/* ---- letters ---- */

static void put_line_end(struct pair *pair, struct letter *letter, bool last)
{
	static const char *const odd[] = { "\r\n", "\r\n", "\n", "\r\r\n",
					   "\r" };
	unsigned i = pair->way.odd_line_ends && !last
			     ? chance_below(&pair->chance, COUNT(odd))
			     : 0;

	buf_puts(&letter->given, odd[i]);
	buf_puts(&letter->body, "\r\n");
}

static void put_byte(struct letter *letter, char byte)
{
	buf_putc(&letter->given, byte);
	buf_putc(&letter->body, byte);
}

static void make_body(struct pair *pair, struct letter *letter)
{
	unsigned lines = chance_below(&pair->chance, 20);

	if (chance_one_in(&pair->chance, 20))
		lines = 2000;
	for (; lines > 0; lines--) {
		unsigned len = chance_below(&pair->chance, 3) *
			       chance_below(&pair->chance, 30);

		put_byte(letter, chance_one_in(&pair->chance, 3) ? '.' : 'x');
		for (; len > 0; len--)
			put_byte(letter,
				 ". \xe4\ta."[chance_below(&pair->chance, 6)]);
		put_line_end(pair, letter, lines == 1);
	}
	/* A last line without its end gets one. */
	if (chance_one_in(&pair->chance, 3)) {
		put_byte(letter, 'y');
		buf_puts(&letter->body, "\r\n");
	}
}

static void make_letter(struct pair *pair, size_t i)
{
	struct letter *letter = &pair->letters[i];
	size_t n = 1 + chance_below(&pair->chance, RECIPIENTS_MAX);

	*letter = (struct letter){ .body = BUF_INIT(SIZE_MAX),
				   .given = BUF_INIT(SIZE_MAX) };
	snprintf(letter->name, sizeof(letter->name), "%zu", i);
	snprintf(letter->from, sizeof(letter->from), "from%zu@b.example", i);
	if (chance_one_in(&pair->chance, 6))
		letter->from[0] = '\0';
	for (size_t r = 0; r < n; r++) {
		snprintf(letter->addresses[r], sizeof(letter->addresses[r]),
			 "to%zu.%zu@d.example", i, r);
		letter->recipients[r] = letter->addresses[r];
	}
	make_body(pair, letter);
	letter->transaction = (struct smtp_transaction){
		.reverse_path = letter->from,
		.recipients = letter->recipients,
		.n_recipients = n,
		.size = chance_one_in(&pair->chance, 2) ? buf_len(&letter->body)
							: 0,
		.has_8bit = chance_one_in(&pair->chance, 2),
		.owner = letter->name,
	};
}

/* ---- the server's side ---- */

static int pick_code(struct pair *pair, enum smtp_server_event_type question)
{
	static const struct {
		enum smtp_server_event_type question;
		int yes, no;
		unsigned no_in; /* one in so many */
	} codes[] = {
		{ SMTP_SERVER_EV_CONNECT, 220, 0, 0 },
		{ SMTP_SERVER_EV_EHLO, 250, 0, 0 },
		{ SMTP_SERVER_EV_STARTTLS, 220, 0, 0 },
		{ SMTP_SERVER_EV_MAIL, 250, 550, 10 },
		{ SMTP_SERVER_EV_RCPT, 250, 450, 3 },
		{ SMTP_SERVER_EV_DATA, 354, 451, 10 },
		{ SMTP_SERVER_EV_DATA_END, 250, 552, 8 },
	};

	for (size_t i = 0; i < COUNT(codes); i++)
		if (codes[i].question == question)
			return codes[i].no_in > 0 &&
					       chance_one_in(&pair->chance,
							     codes[i].no_in)
				       ? codes[i].no
				       : codes[i].yes;
	return 500;
}

static void answer_login(struct pair *pair, struct server_play *play)
{
	struct text challenge = { "", 0 };
	struct buf encoded = BUF_INIT(1000);
	enum sasl_server_result result =
		sasl_server_step(&pair->sasl, pair->has_response,
				 buf_text(&pair->response), &challenge);

	assert_int_not_equal(result, SASL_SERVER_BAD);
	base64_encode(&encoded, challenge);
	if (result == SASL_SERVER_CHALLENGE) {
		server_play_reply(play, 334, NULL, buf_string(&encoded));
	} else {
		assert_string_equal(buf_string(&pair->sasl.username), "scan");
		assert_string_equal(buf_string(&pair->sasl.password),
				    "hunter2");
		server_play_reply(play, 235, "2.7.0", "Welcome");
	}
	buf_free(&encoded);
}

static void tell_answer(struct pair *pair, const char *stage, int code)
{
	buf_printf(&pair->told_by_server, "%s %d r%u\n", stage, code,
		   pair->answers);
}

static void tell_server_side(struct pair *pair,
			     enum smtp_server_event_type question, int code)
{
	if (question == SMTP_SERVER_EV_RCPT)
		tell_answer(pair, "RCPT", code);
	if (question == SMTP_SERVER_EV_MAIL && code >= 400)
		tell_answer(pair, "MAIL", code);
	if (question == SMTP_SERVER_EV_DATA && code >= 400)
		tell_answer(pair, "DATA", code);
	if (question != SMTP_SERVER_EV_DATA_END)
		return;
	tell_answer(pair, "END", code);
	buf_text_append(&pair->told_by_server, buf_text(&pair->content_now));
}

static void on_question(void *ctx, struct server_play *play,
			enum smtp_server_event_type question)
{
	struct pair *pair = ctx;
	int code = pick_code(pair, question);
	char text[20];

	if (question == SMTP_SERVER_EV_AUTH ||
	    question == SMTP_SERVER_EV_AUTH_RESPONSE) {
		answer_login(pair, play);
		return;
	}
	snprintf(text, sizeof(text), "r%u", ++pair->answers);
	tell_server_side(pair, question, code);
	server_play_reply(play, code,
			  code == 354 || question == SMTP_SERVER_EV_CONNECT ||
					  question == SMTP_SERVER_EV_EHLO
				  ? NULL
			  : code < 400 ? "2.0.0"
			  : code < 500 ? "4.0.0"
				       : "5.0.0",
			  text);
}

static void on_server_event(void *ctx, const struct smtp_server_event *event)
{
	struct pair *pair = ctx;

	if (event->type == SMTP_SERVER_EV_DATA)
		buf_clear(&pair->content_now);
	if (event->type == SMTP_SERVER_EV_DATA_CHUNK)
		buf_text_append(&pair->content_now, event->chunk);
	if (event->type == SMTP_SERVER_EV_MAIL) {
		buf_puts(&pair->told_by_server, "FROM ");
		buf_text_append(&pair->told_by_server,
				event->mail.path.address);
		buf_putc(&pair->told_by_server, '\n');
	}
	if (event->type == SMTP_SERVER_EV_AUTH)
		sasl_server_init(&pair->sasl, event->auth.mechanism);
	if (event->type != SMTP_SERVER_EV_AUTH &&
	    event->type != SMTP_SERVER_EV_AUTH_RESPONSE)
		return;
	buf_clear(&pair->response);
	buf_text_append(&pair->response, event->auth.response);
	pair->has_response = event->auth.has_response;
}

static void on_server_output(void *ctx, struct text bytes)
{
	struct pair *pair = ctx;

	buf_text_append(&pair->to_client, bytes);
}

/* ---- the client's side ---- */

static struct letter *letter_of(struct pair *pair,
				const struct smtp_client_event *event)
{
	return &pair->letters[atoi(event->transaction->owner)];
}

static void tell_client_side(struct pair *pair, const char *stage,
			     const struct smtp_reply *reply)
{
	buf_printf(&pair->told_by_client, "%s %d %.*s\n", stage, reply->code,
		   TEXT_ARG(reply->text));
}

/* The sender, as the server told it when it was asked. */
static void tell_sender(struct pair *pair, const struct letter *letter)
{
	buf_printf(&pair->told_by_client, "FROM %s\n", letter->from);
}

static void on_done(struct pair *pair, const struct smtp_client_event *event)
{
	struct letter *letter = letter_of(pair, event);

	if (event->stage == SMTP_STAGE_MAIL) {
		tell_sender(pair, letter);
		tell_client_side(pair, "MAIL", &event->reply);
	}
	if (event->stage == SMTP_STAGE_DATA)
		tell_client_side(pair, "DATA", &event->reply);
	if (event->stage == SMTP_STAGE_RCPT)
		assert_int_equal(event->reply.code, 0);
	if (event->stage != SMTP_STAGE_DATA_END)
		return;
	tell_client_side(pair, "END", &event->reply);
	buf_text_append(&pair->told_by_client, buf_text(&letter->body));
}

static void on_client_event(void *ctx, struct client_play *play,
			    const struct smtp_client_event *event)
{
	struct pair *pair = ctx;

	switch (event->type) {
	case SMTP_CLIENT_EV_STARTTLS:
		assert_int_equal(buf_len(&pair->to_client), 0);
		smtp_server_tls_established(server_play_engine(pair->server),
					    SMTP_CAP(AUTH) |
						    SMTP_CAP(8BITMIME) |
						    SMTP_CAP(PIPELINING));
		client_play_tls_established(play);
		break;
	case SMTP_CLIENT_EV_RECIPIENT:
		if (event->recipient == 0)
			tell_sender(pair, letter_of(pair, event));
		tell_client_side(pair, "RCPT", &event->reply);
		break;
	case SMTP_CLIENT_EV_BODY:
		pair->giving = letter_of(pair, event);
		pair->given = 0;
		break;
	case SMTP_CLIENT_EV_DONE:
		on_done(pair, event);
		break;
	case SMTP_CLIENT_EV_FAILED:
		fail_msg("the session failed: %s",
			 smtp_problem_text(event->problem));
		break;
	case SMTP_CLIENT_EV_CLOSED:
		pair->over = true;
		break;
	case SMTP_CLIENT_EV_READY:
	case SMTP_CLIENT_EV_NONE:
		break;
	}
}

static void on_client_output(void *ctx, struct text bytes)
{
	struct pair *pair = ctx;

	buf_text_append(&pair->to_server, bytes);
}

/* ---- what may happen next ---- */

static bool carry_to_server(struct pair *pair)
{
	size_t len = buf_len(&pair->to_server);
	struct text bytes = buf_text(&pair->to_server);

	if (len == 0)
		return false;
	bytes.len = 1 + chance_below(&pair->chance, (unsigned)len);
	bytes.data = text_dup(bytes);
	buf_consume(&pair->to_server, bytes.len);
	server_play_feed(pair->server, bytes);
	free((char *)bytes.data);
	return true;
}

static bool carry_to_client(struct pair *pair)
{
	size_t len = buf_len(&pair->to_client);
	struct text bytes = buf_text(&pair->to_client);

	if (len == 0)
		return false;
	bytes.len = 1 + chance_below(&pair->chance, (unsigned)len);
	bytes.data = text_dup(bytes);
	buf_consume(&pair->to_client, bytes.len);
	client_play_feed(pair->client, bytes);
	free((char *)bytes.data);
	return true;
}

static bool give_body(struct pair *pair)
{
	struct text rest;
	bool last;

	if (pair->giving == NULL)
		return false;
	rest = text_skip(buf_text(&pair->giving->given), pair->given);
	if (rest.len > 0)
		rest.len = 1 + chance_below(&pair->chance, (unsigned)rest.len);
	pair->given += rest.len;
	last = pair->given == buf_len(&pair->giving->given);
	if (last)
		pair->giving = NULL;
	client_play_body(pair->client, rest, last);
	return true;
}

static bool begin_next(struct pair *pair)
{
	if (pair->begun == LETTERS ||
	    !smtp_client_can_begin(client_play_engine(pair->client)))
		return false;
	rode_along += smtp_client_stage(client_play_engine(pair->client)) ==
		      SMTP_STAGE_DATA_END;
	client_play_begin(pair->client,
			  &pair->letters[pair->begun++].transaction);
	return true;
}

static bool quit(struct pair *pair)
{
	if (pair->begun < LETTERS || pair->over ||
	    smtp_client_stage(client_play_engine(pair->client)) !=
		    SMTP_STAGE_READY)
		return false;
	client_play_quit(pair->client);
	return true;
}

static void run(struct pair *pair)
{
	static bool (*const moves[])(struct pair * pair) = {
		carry_to_server, carry_to_client, give_body, begin_next, quit
	};
	unsigned idle = 0;

	while (!pair->over && server_play_broken(pair->server) == NULL &&
	       client_play_broken(pair->client) == NULL) {
		unsigned move = chance_below(&pair->chance, COUNT(moves));

		idle = moves[move](pair) ? 0 : idle + 1;
		/* Nothing for long: a late server has a question open. */
		if (idle > 30)
			server_play_settle(pair->server);
		if (idle > 100)
			fail_msg("both wait for each other");
	}
}

/* ---- all ways ---- */

static struct server_play *open_server(struct pair *pair)
{
	struct server_play_settings settings = {
		.engine = {
			.hostname = "relay.example",
			.capabilities =
				SMTP_CAP(SIZE) | SMTP_CAP(8BITMIME) |
				(pair->way.pipelining ? SMTP_CAP(PIPELINING)
						      : 0) |
				(pair->way.starttls ? SMTP_CAP(STARTTLS) : 0) |
				(pair->way.mechanism ? SMTP_CAP(AUTH) : 0),
			.mechanisms = pair->way.mechanism,
			.max_recipients = 100,
			.max_bad_commands = 100,
		},
		.answer = on_question,
		.event = on_server_event,
		.output = on_server_output,
		.ctx = pair,
		.late = chance_one_in(&pair->chance, 2),
		.sips = chance_one_in(&pair->chance, 4),
	};

	return server_play_new(&settings);
}

static struct client_play *open_client(struct pair *pair)
{
	static const struct sasl_credentials credentials = { "scan",
							     "hunter2" };
	static const char *const mechanisms[] = { "PLAIN", "LOGIN", NULL };
	struct client_play_settings settings = {
		.engine = {
			.helo_name = "lanpost.example",
			.tls = pair->way.starttls ? SMTP_TLS_STARTTLS
						  : SMTP_TLS_NONE,
			.credentials = pair->way.mechanism ? &credentials
							   : NULL,
			.mechanisms = mechanisms,
			.pipelining = pair->way.pipelining,
			.eager = pair->way.eager,
		},
		.event = on_client_event,
		.output = on_client_output,
		.ctx = pair,
		.sips = chance_one_in(&pair->chance, 4),
	};

	return client_play_new(&settings);
}

static void free_pair(struct pair *pair)
{
	client_play_free(&pair->client);
	server_play_free(&pair->server);
	for (size_t i = 0; i < LETTERS; i++) {
		buf_free(&pair->letters[i].body);
		buf_free(&pair->letters[i].given);
	}
	sasl_server_free(&pair->sasl);
	buf_free(&pair->response);
	buf_free(&pair->to_server);
	buf_free(&pair->to_client);
	buf_free(&pair->told_by_server);
	buf_free(&pair->told_by_client);
	buf_free(&pair->content_now);
}

static void check_rules(struct pair *pair, unsigned seed)
{
	const char *broken = server_play_broken(pair->server);

	if (broken == NULL)
		broken = client_play_broken(pair->client);
	if (broken != NULL)
		fail_msg("seed %u: broken rule: %s", seed, broken);
}

/* Behind a lone CR or LF a dot may be doubled: it is for the caller to hand
 * over lines.  All else must come out, and both sides stay in step. */
static void drop_dots(struct buf *story)
{
	struct text text = buf_text(story);
	struct buf out = BUF_INIT(SIZE_MAX);

	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] != '.')
			buf_putc(&out, text.data[i]);
	buf_free(story);
	*story = out;
}

static void try_way(const struct way *way, unsigned seed)
{
	struct pair *pair = calloc(1, sizeof(*pair));
	char name[40];

	assert_non_null(pair);
	pair->way = *way;
	pair->chance = chance_of(seed);
	buf_init(&pair->to_server, SIZE_MAX);
	buf_init(&pair->to_client, SIZE_MAX);
	buf_init(&pair->response, SIZE_MAX);
	buf_init(&pair->told_by_server, SIZE_MAX);
	buf_init(&pair->told_by_client, SIZE_MAX);
	buf_init(&pair->content_now, SIZE_MAX);
	for (size_t i = 0; i < LETTERS; i++)
		make_letter(pair, i);
	pair->server = open_server(pair);
	pair->client = open_client(pair);
	server_play_drain(pair->server);
	run(pair);
	check_rules(pair, seed);
	snprintf(name, sizeof(name), "seed %u", seed);
	if (way->odd_line_ends) {
		drop_dots(&pair->told_by_client);
		drop_dots(&pair->told_by_server);
	}
	assert_bytes(name, buf_text(&pair->told_by_client),
		     buf_text(&pair->told_by_server));
	assert_int_equal(smtp_server_state(server_play_engine(pair->server)),
			 SMTP_SERVER_CLOSED);
	free_pair(pair);
	free(pair);
}

static void try_ways(struct way way, unsigned seeds)
{
	for (unsigned seed = 1; seed <= seeds; seed++) {
		way.mechanism = seed % 3 == 0   ? NULL
				: seed % 3 == 1 ? "PLAIN"
						: "LOGIN";
		/* Behind STARTTLS the server here always offers all. */
		way.starttls = way.mechanism != NULL && way.pipelining &&
			       seed % 2 == 0;
		try_way(&way, seed);
	}
}

static void test_one_by_one(void **state)
{
	(void)state;
	try_ways((struct way){ 0 }, 40);
}

static void test_pipelined(void **state)
{
	(void)state;
	try_ways((struct way){ .pipelining = true }, 60);
	assert_int_equal(rode_along, 0);
}

static void test_eager(void **state)
{
	(void)state;
	try_ways((struct way){ .pipelining = true, .eager = true }, 100);
	assert_true(rode_along > 100);
}

static void test_odd_line_ends(void **state)
{
	(void)state;
	try_ways((struct way){ .pipelining = true,
			       .eager = true,
			       .odd_line_ends = true },
		 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_by_one),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_eager),
		cmocka_unit_test(test_odd_line_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
