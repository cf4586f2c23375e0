/*
 * phrase -- a display name as it may be written before an address.
 *
 *     RFC 5322 3.2.5:  phrase = 1*word
 *     RFC 2047 5 (3):  an encoded word may stand in place of a word
 *
 * Names come as mailbox.h reads them: unquoted, encoded words as they are.
 * Encoded words that are fit stay as they stand; others are put right where
 * they can be read: too long, with letters that are specials here, or with
 * control characters inside.
 */
#ifndef PROTO_PHRASE_H
#define PROTO_PHRASE_H

#include "proto/buf.h"

/* Append the name, quoted where it must be (with '@' always), encoded where it
 * is not ASCII, without control characters; nothing in it can end the phrase.
 * At most max octets: what is beyond is left out, and neither a character nor
 * an encoded word is cut.  Nothing at all may be left. */
void phrase_print(struct buf *out, struct text name, size_t max);

#endif
