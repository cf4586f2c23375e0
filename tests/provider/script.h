/*
 * script -- what a practice provider does out of the ordinary, as data.
 *
 * A line of a script is a rule: at which stage, for whom, what to answer, what
 * to do.  The first rule that matches wins; times= uses it up.  README.md in
 * this folder is the manual.
 */
#ifndef TESTS_PROVIDER_SCRIPT_H
#define TESTS_PROVIDER_SCRIPT_H

#include "proto/smtp_reply.h"

/* name, what match= is compared with, and what after= counts */
#define STAGE_MAP(X)                                                         \
	X(CONNECT, "connect", "the client's address", "matches")             \
	X(EHLO, "ehlo", "the name in EHLO or HELO", "matches")               \
	X(STARTTLS, "starttls", "the client's address", "matches")           \
	X(TLS, "tls", "the client's address", "matches")                     \
	X(AUTH, "auth", "the user name", "matches")                          \
	X(MAIL, "mail", "the sender", "matches")                             \
	X(RCPT, "rcpt", "the recipient", "matches")                          \
	X(DATA, "data", "sender, each recipient", "matches")                 \
	X(BODY, "body", "sender, each recipient", "octets of the message")   \
	X(DATA_END, "data-end", "sender, each recipient", "matches")         \
	X(IDLE, "idle", "the client's address", "messages of the connection")

enum stage {
#define X(name, word, subject, counted) STAGE_##name,
	STAGE_MAP(X)
#undef X
	STAGES
};

/* name, default of the number behind the colon, what it does */
#define DEED_MAP(X)                                                          \
	X(ANSWER, "answer", 0, "answer and go on (the default)")             \
	X(CLOSE, "close", 0, "close the connection")                         \
	X(RESET, "reset", 0, "reset the connection")                         \
	X(HANG, "hang", 0, "stay connected and say nothing more")            \
	X(DELAY, "delay", 1000, "wait so many milliseconds first")           \
	X(GARBAGE, "garbage", 200, "send so many octets of rubbish instead") \
	X(TRICKLE, "trickle", 100,                                           \
	  "send the answer octet by octet, so many milliseconds apart")      \
	X(DROP_STARTTLS, "drop-starttls", 0, "ehlo: do not offer STARTTLS")  \
	X(INJECT, "inject-after-starttls", 0,                                \
	  "starttls: send a reply in the clear behind the 220")

enum deed {
#define X(name, word, amount, meaning) DEED_##name,
	DEED_MAP(X)
#undef X
	DEEDS
};

struct rule {
	enum stage stage;
	enum deed deed;
	uint64_t amount;          /* of the deed */
	char *match;              /* glob; NULL: everybody */
	char *words;              /* what reply points into */
	struct smtp_reply reply;  /* code 0: none given */
	bool usual_reply;         /* reply=ok */
	char *raw;                /* octets to send as they are */
	size_t raw_len;
	bool keep;                /* the message counts as taken all the same */
	uint64_t after, times;    /* times 0: for ever */
	uint64_t passed, used;
};

struct script;

/* NULL, with "file:line: what is wrong" in *error_r (static). */
struct script *script_load(const char *path, const char **error_r);
void script_free(struct script **script);

/* The rule for this moment, or NULL; it is counted as used.  subject: what
 * match= is compared with, if several then one a line.  progress: what after=
 * counts at the stages body and idle. */
const struct rule *script_match(struct script *script, enum stage stage,
                                struct text subject, uint64_t progress);

/* Whether a rule lets the reply be heard: without one, or before a deed. */
bool rule_answers(const struct rule *rule);

void script_print_help(void);

#endif
