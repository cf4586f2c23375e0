/*
 * smtp_caps -- what a server offers in its EHLO reply: keywords and bits.
 *
 * One table maps keywords to bits, both ways.  The mechanisms of AUTH are kept
 * as words, also from the old form "AUTH=LOGIN PLAIN" and merged over several
 * lines, because a message to the administrator must be able to name them.
 */
#ifndef PROTO_SMTP_CAPS_H
#define PROTO_SMTP_CAPS_H

#include "proto/buf.h"
#include "proto/smtp_reply.h"

#define SMTP_CAP_MAP(X)                                   \
	X(PIPELINING, "PIPELINING")                       \
	X(8BITMIME, "8BITMIME")                           \
	X(SIZE, "SIZE")                                   \
	X(STARTTLS, "STARTTLS")                           \
	X(AUTH, "AUTH")                                   \
	X(ENHANCEDSTATUSCODES, "ENHANCEDSTATUSCODES")     \
	X(CHUNKING, "CHUNKING")                           \
	X(BINARYMIME, "BINARYMIME")                       \
	X(DSN, "DSN")                                     \
	X(SMTPUTF8, "SMTPUTF8")

enum smtp_cap_bit {
#define X(name, keyword) SMTP_CAP_BIT_##name,
	SMTP_CAP_MAP(X)
#undef X
	SMTP_CAP_BITS
};
#define SMTP_CAP(name) (1u << SMTP_CAP_BIT_##name)

struct smtp_caps {
	unsigned set;        /* SMTP_CAP() bits */
	uint64_t max_size;   /* of SIZE; 0: no fixed limit */
	char mechanisms[160]; /* of AUTH, "PLAIN LOGIN", in upper case */
};

/* Read a positive EHLO reply; the first line, the server's name, is skipped. */
void smtp_caps_parse(struct smtp_caps *caps_r, const struct smtp_reply *reply);
bool smtp_caps_has_mechanism(const struct smtp_caps *caps, const char *name);
/* Write the EHLO reply's lines behind the name: "SIZE 36700160\n8BITMIME". */
void smtp_caps_print(struct buf *out, const struct smtp_caps *caps);

#endif
