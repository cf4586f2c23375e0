/*
 * smtp_command -- a command line as a verb and its argument.
 *
 * Verbs are ASCII in any case.  For MAIL and RCPT the words "FROM:" and "TO:"
 * are taken off, with or without a space around the colon.
 */
#ifndef PROTO_SMTP_COMMAND_H
#define PROTO_SMTP_COMMAND_H

#include "proto/text.h"

#define SMTP_VERB_MAP(X)                                            \
	X(HELO) X(EHLO) X(STARTTLS) X(AUTH) X(MAIL) X(RCPT) X(DATA) \
	X(BDAT) X(RSET) X(NOOP) X(HELP) X(VRFY) X(EXPN) X(QUIT)     \
	X(TURN) X(ETRN) X(XCLIENT) X(XFORWARD)

enum smtp_verb {
	SMTP_VERB_UNKNOWN,
#define X(name) SMTP_VERB_##name,
	SMTP_VERB_MAP(X)
#undef X
};

struct smtp_command {
	enum smtp_verb verb;
	struct text word;     /* the verb as written */
	struct text argument; /* trimmed; without "FROM:" or "TO:", and then
	                         with the space that stood behind the colon */
	bool has_keyword;     /* MAIL and RCPT: that word was there */
};

/* line: without its end of line.  Views point into it. */
void smtp_command_parse(struct text line, struct smtp_command *command_r);
const char *smtp_verb_name(enum smtp_verb verb); /* "MAIL"; "?" if unknown */

/* What a log may show of a command line: AUTH's argument is masked. */
void smtp_command_masked(struct text line, char *out, size_t size);

#endif
