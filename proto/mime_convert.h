/*
 * mime_convert -- a message's body on its way to a provider that cannot take it
 * as it is.
 *
 *     new -> header -> body... -> finish
 *
 * Follows the plan that mime_scan wrote at acceptance, so that every attempt
 * yields the same bytes: base64 with long lines is wrapped at 76, text becomes
 * quoted-printable, anything else base64, 8-bit text in a part's header is
 * encoded, 8-bit text without MIME fields is declared.  What was 8-bit becomes
 * 7-bit only where to_7bit asks for it (the provider lacks 8BITMIME, RFC 6152).
 * Decoded, each part is to the octet what it was.
 */
#ifndef PROTO_MIME_CONVERT_H
#define PROTO_MIME_CONVERT_H

#include "proto/buf.h"

struct mime_convert;

/* Is there anything to do?  plan NULL: no. */
bool mime_plan_applies(const char *plan, bool to_7bit);
/* Can all of an 8-bit body be made 7-bit?  Not what is signed, nor one without
 * a plan. */
bool mime_plan_can_7bit(const char *plan);
/* Is an 8-bit body 8-bit still when it has been converted without to_7bit?
 * Maybe only its lines and headers were, which are mended in any case. */
bool mime_plan_keeps_8bit(const char *plan);
/* A DKIM signature (RFC 6376) in the header as it would go out covers all of
 * the body, and some of the header: follow no plan then. */
bool mime_header_is_signed(struct text header);

/* A plan that cannot be read is followed as far as it can. */
struct mime_convert *mime_convert_new(const char *plan, bool to_7bit);
void mime_convert_free(struct mime_convert **convert);
/* The message's header section with its closing empty line, as it would go
 * out; false when out is full. */
bool mime_convert_header(struct mime_convert *convert, struct text header,
                         struct buf *out);
/* Append what comes of the piece: at most four times its length and a few
 * lines, besides what the header of a part becomes (FIELD_REPAIR_GROWTH). */
bool mime_convert_body(struct mime_convert *convert, struct text piece,
                       struct buf *out);
bool mime_convert_finish(struct mime_convert *convert, struct buf *out);

#endif
