/* The client engine against a server that says anything, fed whole and in
 * pieces: the rules hold, nothing unsafe or secret leaves, and the story is
 * the same each time. */
#include <string.h>

#include "tests/fuzz/fuzz_smtp.h"
#include "tests/support/chance.h"
#include "tests/support/client_play.h"

enum { LETTERS = 4 };

struct session {
	struct client_play *play;
	unsigned char flags;
	size_t begun, done;
	bool depends; /* on when bytes came, and may: STARTTLS */
};

static const char *const safe[] = { "one@d.example", "two@d.example",
				    "three@d.example" };
static const char *const unsafe[] = { "one@d.example",
				      "x@d.example>\r\nRCPT TO:<evil@x" };
static const struct smtp_transaction letters[LETTERS] = {
	{ "a@b.example", safe, 3, 100, true, (void *)"0" },
	{ "", safe, 1, 0, false, (void *)"1" },
	{ "a@b.example", safe, 2, 1000, false, (void *)"2" },
	{ "a@b.example", unsafe, 2, 0, false, (void *)"3" },
};

static void go_on(struct session *session)
{
	struct smtp_client *client = client_play_engine(session->play);
	size_t last =
		session->flags & FUZZ_CLIENT_UNSAFE ? LETTERS : LETTERS - 1;

	if (session->begun < last && smtp_client_can_begin(client))
		client_play_begin(session->play, &letters[session->begun++]);
	else if (session->begun == last && session->done == last)
		client_play_quit(session->play);
}

static void on_event(void *ctx, struct client_play *play,
		     const struct smtp_client_event *event)
{
	static const char body[] = ".one\r\n\r\n..two\r\nthree";
	struct session *session = ctx;

	switch (event->type) {
	case SMTP_CLIENT_EV_STARTTLS:
		session->depends = true;
		client_play_tls_established(play);
		break;
	case SMTP_CLIENT_EV_BODY:
		client_play_body(play, text_make(body, 7), false);
		client_play_body(play, text_of(body + 7), true);
		go_on(session);
		break;
	case SMTP_CLIENT_EV_DONE:
		session->done++;
		go_on(session);
		break;
	case SMTP_CLIENT_EV_READY:
		go_on(session);
		break;
	case SMTP_CLIENT_EV_FAILED:
		if (event->problem == SMTP_PROBLEM_INJECTION)
			session->depends = true;
		break;
	case SMTP_CLIENT_EV_RECIPIENT:
	case SMTP_CLIENT_EV_CLOSED:
	case SMTP_CLIENT_EV_NONE:
		break;
	}
}

static struct client_play_settings settings_of(struct session *session)
{
	static const struct sasl_credentials credentials = { "scan",
							     "hunter2" };
	static const char *const mechanisms[] = { "PLAIN", "LOGIN", NULL };
	unsigned char flags = session->flags;

	return (struct client_play_settings){
		.engine = {
			.helo_name = "lanpost.example",
			.tls = flags & FUZZ_CLIENT_STARTTLS ? SMTP_TLS_STARTTLS
							    : SMTP_TLS_NONE,
			.credentials = flags & FUZZ_CLIENT_LOGIN ? &credentials
								 : NULL,
			.mechanisms = mechanisms,
			.pipelining = flags & FUZZ_CLIENT_PIPELINING,
			.eager = flags & FUZZ_CLIENT_EAGER,
		},
		.event = on_event,
		.ctx = session,
	};
}

static bool shows(struct text trace, const char *secret)
{
	return memmem(trace.data, trace.len, secret, strlen(secret)) != NULL;
}

/* Not even when the server says it: it may be an echo. */
static void check_story(struct text story, struct text trace, bool logs_in)
{
	must(text_find_nocase(story, text_of("C: RCPT TO:<evil@x")) < 0);
	if (!logs_in)
		return; /* then it is nobody's secret */
	must(!shows(trace, "hunter2"));
	must(!shows(trace, "aHVudGVyMg"));
	must(!shows(trace, "AHNjYW4AaHVudGVyMg"));
}

/* Returns whether the story must be the same in each way. */
static bool tell(struct text input, unsigned char flags, unsigned step,
		 struct buf *story)
{
	struct session session = { .flags = flags };
	struct client_play_settings settings = settings_of(&session);
	struct text piece;

	session.play = client_play_new(&settings);
	while (fuzz_piece(&input, &step, &piece))
		client_play_feed(session.play, piece);
	must_keep(client_play_broken(session.play));
	record_cut(client_play_record(session.play));
	buf_text_append(story,
			buf_text(&client_play_record(session.play)->lines));
	check_story(buf_text(story), client_play_trace(session.play),
		    flags & FUZZ_CLIENT_LOGIN);
	buf_text_append(story, client_play_trace(session.play));
	client_play_free(&session.play);
	return !session.depends;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned step = fuzz_step(&data, &size);
	unsigned char flags = fuzz_byte(&data, &size);
	struct buf whole = BUF_INIT(SIZE_MAX), split = BUF_INIT(SIZE_MAX);
	struct text input;
	bool same = true;

	fuzz_byte(&data, &size); /* the driver says yes to all */
	input = text_make((const char *)data, size);
	same &= tell(input, flags, 0, &whole);
	same &= tell(input, flags, step, &split);
	if (same)
		must(text_equal(buf_text(&whole), buf_text(&split)));
	buf_free(&whole);
	buf_free(&split);
	return 0;
}
