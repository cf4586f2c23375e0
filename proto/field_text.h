/*
 * field_text -- what a header field's value says: one line of UTF-8; and such a
 * line written as a field again (RFC 5322 2.2.3, RFC 2047).
 */
#ifndef PROTO_FIELD_TEXT_H
#define PROTO_FIELD_TEXT_H

#include "proto/buf.h"

enum {
	FIELD_LINE_MAX = 998,  /* octets without CRLF, RFC 5322 2.1.1 */
	FIELD_WORD_MAX = 900,  /* of a word that stands in a line as it is */
};

/* Append the value in UTF-8 on one line: folds undone, ends trimmed, no control
 * character but HT.  It is read as UTF-8 where it is that (a character cut off
 * at the end is dropped), else as charset (iconv's name; NULL or one that is
 * not known: windows-1252); an octet that is no character becomes "?". */
void field_text(struct buf *out, struct text value, const char *charset);

/* Append a line of text; words beyond ASCII, or over FIELD_WORD_MAX, are
 * encoded. */
void field_encode(struct buf *out, struct text text);
/* The same for what stands in a comment: backslashes in such words go. */
void field_encode_comment(struct buf *out, struct text text);

/* Append "name: text" and CRLF, folded where blanks are to lines of 76 octets
 * (RFC 2047 2); where there are none, no line passes FIELD_LINE_MAX.  text: a
 * line of ASCII.  No line is made of blanks alone. */
void field_fold(struct buf *out, struct text name, struct text text);

#endif
