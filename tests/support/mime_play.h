/*
 * mime_play -- a whole message through mime_scan and mime_convert, its body cut
 * as guarded_feed() does.
 */
#ifndef TESTS_SUPPORT_MIME_PLAY_H
#define TESTS_SUPPORT_MIME_PLAY_H

#include "proto/buf.h"
#include "proto/mime_scan.h"

/* Up to and with the first empty line. */
struct text mime_play_header(struct text message);
/* A way is one of guarded_feed()'s, or: */
#define MIME_PLAY_WHOLE SIZE_MAX
#define MIME_PLAY_BITS  (SIZE_MAX - 1) /* pieces of 1 to 7 octets */

void mime_play_scan(struct text message, const char *charset, size_t way,
                    struct mime_facts *facts_r);
/* False when out is full. */
bool mime_play_convert(struct text message, const char *plan, bool to_7bit,
                       size_t way, struct buf *out);

/* Scan and convert for both kinds of provider, and judge what comes out: the
 * same in pieces, each part decoded as it was, nothing left that a provider may
 * not take, and untouched where nothing is to be done.  NULL, or what is
 * wrong. */
const char *mime_play_check(struct text message);

#endif
