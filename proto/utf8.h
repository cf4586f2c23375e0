/*
 * utf8 -- whether bytes are UTF-8 (RFC 3629), and where they may be cut.
 */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include "proto/text.h"

bool utf8_is_valid(struct text text); /* ASCII is, too */
/* At most max octets from the beginning, no character cut in two. */
struct text utf8_cut(struct text text, size_t max);

#endif
