/*
 * utf8 -- whether bytes are UTF-8 (RFC 3629), and where they may be cut.
 */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include "proto/text.h"

bool utf8_is_valid(struct text text); /* ASCII is, too */
/* At most max octets from the beginning, no character cut in two. */
struct text utf8_cut(struct text text, size_t max);
/* Make a C string of it in place: what is no UTF-8, and NUL, becomes '?'. */
void utf8_mend(char *data, size_t len);

/* Whether it is, for text that comes in pieces, cut anywhere. */
struct utf8_check {
	bool failed;
	unsigned wanted;          /* octets of the character still to come */
	unsigned char low, high;  /* what the next of them may be */
};

void utf8_check_init(struct utf8_check *check);
void utf8_check_add(struct utf8_check *check, struct text piece);
bool utf8_check_done(const struct utf8_check *check); /* all of it was UTF-8 */

#endif
