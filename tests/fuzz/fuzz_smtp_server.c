/* The server engine, fed whole and in pieces, answered at once and late: the
 * rules hold, and the story is the same each time. */
#include <string.h>

#include "proto/smtp_syntax.h"
#include "tests/fuzz/fuzz_smtp.h"
#include "tests/support/chance.h"
#include "tests/support/server_play.h"

struct session {
	struct server_play *play;
	struct chance chance;
	bool says_yes;
	unsigned char flags;
	unsigned chunks; /* of this message */
	/* It depends on when bytes came, and may: STARTTLS, and what follows
	 * a DATA without 354. */
	bool depends;
};

static int answer_to(struct session *session,
		     enum smtp_server_event_type question)
{
	static const struct {
		int yes, no;
	} codes[] = {
		[SMTP_SERVER_EV_CONNECT] = { 220, 554 },
		[SMTP_SERVER_EV_EHLO] = { 250, 550 },
		[SMTP_SERVER_EV_STARTTLS] = { 220, 454 },
		[SMTP_SERVER_EV_AUTH] = { 334, 535 },
		[SMTP_SERVER_EV_AUTH_RESPONSE] = { 235, 334 },
		[SMTP_SERVER_EV_MAIL] = { 250, 450 },
		[SMTP_SERVER_EV_RCPT] = { 250, 550 },
		[SMTP_SERVER_EV_DATA] = { 354, 451 },
		[SMTP_SERVER_EV_DATA_END] = { 250, 552 },
	};
	unsigned pick =
		session->says_yes ? 9 : chance_below(&session->chance, 40);

	return pick == 0  ? 421
	       : pick < 6 ? codes[question].no
			  : codes[question].yes;
}

static void on_question(void *ctx, struct server_play *play,
			enum smtp_server_event_type question)
{
	struct session *session = ctx;
	int code = answer_to(session, question);
	bool bears = code >= 400 ||
		     (code < 300 && question != SMTP_SERVER_EV_CONNECT &&
		      question != SMTP_SERVER_EV_EHLO);
	char status[] = "0.0.0";

	status[0] = (char)('0' + code / 100);
	if (question == SMTP_SERVER_EV_STARTTLS ||
	    (question == SMTP_SERVER_EV_DATA && code != 354))
		session->depends = true;
	session->chunks = 0;
	server_play_reply(play, code, bears ? status : NULL, "said");
}

/* Nothing of the envelope can break a line, wherever it is written. */
static void check_fields(const struct smtp_server_event *event)
{
	if (event->type == SMTP_SERVER_EV_EHLO)
		must(!smtp_has_control(event->ehlo.helo_name) &&
		     event->ehlo.helo_name.len <= 255);
	if (event->type == SMTP_SERVER_EV_MAIL)
		must(!smtp_has_control(event->mail.path.address) &&
		     !smtp_has_8bit(event->mail.path.address));
	if (event->type == SMTP_SERVER_EV_RCPT)
		must(!smtp_has_control(event->rcpt.path.address) &&
		     !smtp_has_8bit(event->rcpt.path.address) &&
		     event->rcpt.path.address.len > 0);
	if (event->type == SMTP_SERVER_EV_AUTH)
		must(!smtp_has_control(event->auth.mechanism));
}

/* What is forgiven is refused where it is strict. */
static void check_quirks(const struct session *session)
{
	unsigned quirks =
		smtp_server_quirks(server_play_engine(session->play));
	unsigned told = SMTP_QUIRK(PREGREET) | SMTP_QUIRK(PARAMETER) |
			SMTP_QUIRK(LF_END);

	must(quirks < 1u << SMTP_QUIRKS);
	if (session->flags & FUZZ_SERVER_STRICT)
		must((quirks & ~told &
		      ~(session->flags & FUZZ_SERVER_KIND
				? SMTP_QUIRK(AUTH_UNOFFERED)
				: 0u)) == 0);
}

static void on_event(void *ctx, const struct smtp_server_event *event)
{
	struct session *session = ctx;

	if (event->type == SMTP_SERVER_EV_REFUSED &&
	    text_starts(text_trim(event->refused.command), "DATA"))
		session->depends = true;
	check_fields(event);
	if (event->type != SMTP_SERVER_EV_DATA_CHUNK)
		return;
	must(event->chunk.len > 0);
	if (++session->chunks == 1 && (session->flags & FUZZ_SERVER_REFUSES))
		smtp_server_refuse_data(server_play_engine(session->play), 451,
					"4.3.1", "Full");
}

static struct smtp_server_settings engine_of(const struct session *session)
{
	struct smtp_server_settings engine = {
		.hostname = "relay.example",
		.mechanisms = "PLAIN LOGIN",
		.max_message_size = 100000,
		.max_recipients = 100,
		.max_bad_commands = 20,
	};

	if (!(session->flags & FUZZ_SERVER_BARE))
		engine.capabilities = SMTP_CAP(SIZE) | SMTP_CAP(PIPELINING) |
				      SMTP_CAP(8BITMIME);
	if (session->flags & FUZZ_SERVER_AUTH)
		engine.capabilities |= SMTP_CAP(AUTH);
	if (session->flags & FUZZ_SERVER_STARTTLS)
		engine.capabilities |= SMTP_CAP(STARTTLS);
	engine.strict = (session->flags & FUZZ_SERVER_STRICT) != 0;
	if (session->flags & FUZZ_SERVER_KIND)
		engine.any_login = engine.single_line_ehlo =
			engine.lf_end_of_data = true;
	if (session->flags & FUZZ_SERVER_REQUIRES) {
		engine.login_required = true;
		engine.tls_required =
			(session->flags & FUZZ_SERVER_STARTTLS) != 0;
	}
	if (session->flags & FUZZ_SERVER_TIGHT) {
		engine.max_message_size = 20;
		engine.max_recipients = 2;
		engine.max_bad_commands = 3;
	}
	return engine;
}

static void after_feed(struct session *session)
{
	struct smtp_server *server = server_play_engine(session->play);

	if (smtp_server_state(server) != SMTP_SERVER_TLS)
		return;
	smtp_server_tls_established(server, SMTP_CAP(AUTH));
	server_play_drain(session->play);
}

/* Returns whether the story must be the same in each way. */
static bool tell(struct text input, const unsigned char head[2], unsigned step,
		 bool late, struct buf *story)
{
	struct session session = { .flags = head[0],
				   .says_yes = head[1] == 0,
				   .chance = chance_of(head[1]) };
	struct server_play_settings settings = {
		.engine = engine_of(&session),
		.answer = on_question,
		.event = on_event,
		.ctx = &session,
		.late = late,
	};
	struct text piece;

	session.play = server_play_new(&settings);
	if (session.flags & FUZZ_SERVER_STRICT)
		server_play_settle(session.play); /* none is too early */
	while (fuzz_piece(&input, &step, &piece)) {
		server_play_feed(session.play, piece);
		after_feed(&session);
	}
	server_play_settle(session.play);
	must_keep(server_play_broken(session.play));
	check_quirks(&session);
	record_cut(server_play_record(session.play));
	buf_text_append(story,
			buf_text(&server_play_record(session.play)->lines));
	buf_text_append(story, server_play_trace(session.play));
	server_play_free(&session.play);
	return !session.depends;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned step = fuzz_step(&data, &size);
	unsigned char head[2];
	struct buf stories[3] = { BUF_INIT(SIZE_MAX), BUF_INIT(SIZE_MAX),
				  BUF_INIT(SIZE_MAX) };
	struct text input;
	bool same = true;

	head[0] = fuzz_byte(&data, &size);
	head[1] = fuzz_byte(&data, &size);
	input = text_make((const char *)data, size);
	same &= tell(input, head, 0, false, &stories[0]);
	same &= tell(input, head, step, false, &stories[1]);
	same &= tell(input, head, step, true, &stories[2]);
	for (size_t i = 1; same && i < 3; i++)
		must(text_equal(buf_text(&stories[0]), buf_text(&stories[i])));
	for (size_t i = 0; i < 3; i++)
		buf_free(&stories[i]);
	return 0;
}
