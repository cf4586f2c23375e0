/*
 * mime_field -- what a part says of itself: Content-Type and
 * Content-Transfer-Encoding (RFC 2045 5, 6), read as kindly as mail readers do.
 *
 * A part begins as mime_entity_init() has it, is told each field of its header,
 * the first of a kind counting, and is what mime_entity.kind says.
 */
#ifndef PROTO_MIME_FIELD_H
#define PROTO_MIME_FIELD_H

#include "proto/rfc5322.h"

/* RFC 2046 5.1.1 allows 70; some devices take more. */
enum { MIME_BOUNDARY_MAX = 250 };

enum mime_kind {
	MIME_TEXT,      /* text/..., what says nothing, or nothing readable */
	MIME_OTHER,     /* image, application ... */
	MIME_MULTIPART, /* with a boundary */
	MIME_MESSAGE,   /* message/rfc822: a header and a body follow */
	MIME_SIGNED,    /* or encrypted: nobody may touch what is in it */
	MIME_SEALED,    /* message/partial, a multipart without a boundary: may
	                   not be encoded */
};

/* Content-Transfer-Encoding; readers take what they do not know as it is. */
enum mime_encoding {
	MIME_AS_IT_IS,   /* 7bit, none at all, "none", "us-ascii" ... */
	MIME_8BIT,       /* "8-bit" and the like, too */
	MIME_BINARY,
	MIME_QUOTED_PRINTABLE,
	MIME_BASE64,
	MIME_STRANGE,    /* x-uuencode: encoded, but not as MIME knows it */
};

struct mime_entity {
	enum mime_kind kind;
	enum mime_encoding encoding;
	bool has_type, has_encoding, has_version;
	bool is_digest;  /* its parts are messages (RFC 2046 5.1.5) */
	char boundary[MIME_BOUNDARY_MAX + 1];
	size_t boundary_len;
};

/* in_digest: a part of a multipart/digest. */
void mime_entity_init(struct mime_entity *entity, bool in_digest);
void mime_entity_field(struct mime_entity *entity,
                       const struct rfc5322_field *field);
/* Neither encoded nor strange: encoding it changes its bytes, not its text. */
bool mime_entity_is_plain(const struct mime_entity *entity);

#endif
