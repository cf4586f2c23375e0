/*
 * mime_scan -- what a message's body is made of, learnt while it streams past.
 *
 *     new -> field... -> body... -> finish
 *
 * Each part (RFC 2046 5.1, nested ones too) is looked at for what a provider
 * may not take: octets above 127, lines over 998 octets, 8-bit text in a part's
 * own header.  What would have to be done about it is written down as a plan, a
 * short line of text that mime_convert follows at each attempt; a body that
 * needs nothing, which is nearly every one, has none.
 *
 * Parts that are signed or encrypted (multipart/signed, application/pkcs7-mime,
 * a clear-signed PGP text) are never touched, nor is anything around them that
 * the signature covers.  Depth and number of parts are bounded; what lies
 * beyond is opaque, and left alone.  Linear in the length, bounded in memory.
 */
#ifndef PROTO_MIME_SCAN_H
#define PROTO_MIME_SCAN_H

#include "proto/rfc5322.h"

struct mime_scan;

struct mime_facts {
	bool has_8bit;          /* octets above 127 in the body */
	uint64_t longest_line;  /* octets, without its end */
	bool is_signed;         /* some of it */
	bool is_long;           /* a line over 998 octets will be mended */
	bool is_undeclared;     /* 8-bit text without MIME fields */
	char *plan;             /* NULL: nothing to do; the caller's */
};

struct mime_scan *mime_scan_new(void);
void mime_scan_free(struct mime_scan **scan);
/* A field of the message's own header, as it will be stored. */
void mime_scan_field(struct mime_scan *scan, const struct rfc5322_field *field);
/* The next piece of the body, CRLF line ends, cut anywhere. */
void mime_scan_body(struct mime_scan *scan, struct text piece);
/* charset: of 8-bit text that is not UTF-8, "windows-1252". */
void mime_scan_finish(struct mime_scan *scan, const char *charset,
                      struct mime_facts *facts_r);

#endif
