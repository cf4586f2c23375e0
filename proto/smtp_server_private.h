/*
 * smtp_server_private -- what the files of the server engine share, and nobody
 * else includes: smtp_server.c (bytes in and out, lines, mail data, the pull),
 * smtp_server_commands.c (a function per verb), smtp_server_answers.c (what an
 * answer means).
 */
#ifndef PROTO_SMTP_SERVER_PRIVATE_H
#define PROTO_SMTP_SERVER_PRIVATE_H

#include "proto/smtp_command.h"
#include "proto/smtp_server.h"

enum { SERVER_LINE_MAX = 12288 }; /* RFC 4954 4; RFC 5321 asks for 512 */

/* The question that is open, if one is. */
enum question {
	ASK_NOTHING, ASK_CONNECT, ASK_EHLO, ASK_STARTTLS, ASK_AUTH, ASK_MAIL,
	ASK_RCPT, ASK_DATA, ASK_DATA_END
};

/* The recipients of one RCPT that names several: asked about one by one, and
 * answered with the worst of the answers. */
struct several {
	unsigned left;               /* still to be asked about; 0: no such RCPT */
	struct smtp_path_list list;
	struct smtp_rcpt_params params;
	bool full;                   /* max_recipients came before the end */
	struct smtp_reply worst;
	char worst_text[300];
};

struct smtp_server {
	struct smtp_server_settings settings;
	enum smtp_server_state state;
	enum question asking;
	bool is_esmtp, authenticated;
	bool secure;                 /* inside TLS */
	bool greeted_in_clear;       /* by EHLO or HELO, before TLS */
	bool login_ended;            /* until 334, and the next verb: a
	                                device may go on with it all the same */
	bool transaction;            /* MAIL was accepted and not yet ended */
	unsigned recipients;         /* accepted in this transaction */
	bool recipient_refused;      /* one of it at least */
	struct several several;
	bool run_again;              /* the line, now that RESET was told */
	bool met_line;               /* the session has begun to speak */
	bool wary;                   /* mail data ended or was refused: what is no
	                                command may be more of it */
	unsigned empty_lines;        /* since the last that was not */
	unsigned bad_commands;       /* since the last good one */
	unsigned refused_commands;
	unsigned quirks;             /* SMTP_QUIRK() bits */
	uint64_t skipping;           /* octets of an over-long line so far */
	struct smtp_data_reader data;
	bool discarding;             /* the rest of the data is not wanted */
	struct smtp_reply refusal;   /* and this is its answer */
	char refusal_text[200];
	bool owes_reset, owes_close; /* news to be told by the next next() */
	bool has_refused;
	struct smtp_reply refused_reply;
	char refused_command[128], refused_text[256];
	struct text input;           /* what feed() was given, not yet read */
	struct buf kept;             /* input that outlived its feed() */
	struct buf line;             /* the command line views point into */
	struct buf decoded;          /* a SASL response */
	struct buf output;
};

/* smtp_server.c */
void server_set_state(struct smtp_server *server, enum smtp_server_state state);
struct text server_unread(const struct smtp_server *server);
void server_trace(struct smtp_server *server, enum smtp_side side,
                  struct text line);
void server_say(struct smtp_server *server, const struct smtp_reply *reply);
void server_close(struct smtp_server *server);
void server_say_simple(struct smtp_server *server, int code,
                       const char *status, const char *text);
/* Bytes behind a refused DATA may be a body that would read as commands: a
 * client that did not wait for the 354 is not listening (RFC 2920 3.1). */
void server_close_if_talking(struct smtp_server *server);
enum smtp_server_event_type server_ask(struct smtp_server *server,
                                       enum question question,
                                       enum smtp_server_event_type type);
/* The one place where a transaction ends; tell: by EV_RESET. */
void server_end_transaction(struct smtp_server *server, bool tell);
/* What a log may show of a line: no login, nor what goes on with a refused
 * one as if it had not been. */
void server_mask(const struct smtp_server *server, struct text line, char *out,
                 size_t size);
/* The engine's own refusal: said, told by EV_REFUSED, counted. */
void server_refuse(struct smtp_server *server, struct text command,
                   const struct smtp_reply *reply);

void server_forget_input(struct smtp_server *server);
void server_consume(struct smtp_server *server, size_t len);

/* smtp_server_lines.c */
enum smtp_server_event_type
server_next_command(struct smtp_server *server,
                    struct smtp_server_event *event);

/* smtp_server_content.c */
enum smtp_server_event_type server_next_data(struct smtp_server *server,
                                             struct smtp_server_event *event);

/* smtp_server_commands.c: run the line in server->line, its end taken off.
 * NONE: it has been answered. */
enum smtp_server_event_type server_run_line(struct smtp_server *server,
                                            struct smtp_server_event *event);
/* Refuse the line that is being run. */
void server_refuse_line(struct smtp_server *server, int code,
                        const char *status, const char *text);
/* What came is no command: 421 and the end. */
void server_close_on_mail_data(struct smtp_server *server);
/* The EHLO reply said these SMTP_CAP() bits; after HELO it was nothing. */
unsigned server_offered(const struct smtp_server *server);

/* A verb: it asks, or has been answered (NONE). */
typedef enum smtp_server_event_type
server_verb(struct smtp_server *server, const struct smtp_command *command,
            struct smtp_server_event *event);

/* smtp_server_hello.c */
server_verb server_hello, server_starttls, server_auth;
enum smtp_server_event_type server_auth_response(
	struct smtp_server *server, struct text line,
	struct smtp_server_event *event);

/* smtp_server_envelope.c */
server_verb server_mail, server_rcpt, server_data;
/* The next recipient of several. */
enum smtp_server_event_type
server_next_recipient(struct smtp_server *server,
                      struct smtp_server_event *event);
/* An answer about one of several: false until it was the last, then *reply is
 * what to say. */
bool server_merge_answer(struct smtp_server *server, struct smtp_reply *reply);

#endif
