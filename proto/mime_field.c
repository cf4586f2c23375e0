#include "proto/mime_field.h"

#include <string.h>

enum { COMMENT_MAX = 250 };

void mime_entity_init(struct mime_entity *entity, bool in_digest)
{
	*entity = (struct mime_entity){
		.kind = in_digest ? MIME_MESSAGE : MIME_TEXT,
	};
}

bool mime_entity_is_plain(const struct mime_entity *entity)
{
	return entity->encoding == MIME_AS_IT_IS ||
	       entity->encoding == MIME_8BIT || entity->encoding == MIME_BINARY;
}

/* ---- words ---- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* RFC 5322 3.2.2:  comment = "(" *([FWS] ccontent) [FWS] ")".  0 where it is
 * not closed soon: a parenthesis, as in a file name. */
static size_t comment_length(struct text text)
{
	size_t at = 0, depth = 0;

	do {
		char c = text.data[at++];

		if (c == '\\' && at < text.len)
			at++;
		else if (c == '(')
			depth++;
		else if (c == ')')
			depth--;
	} while (depth > 0 && at < text.len && at < COMMENT_MAX);
	return depth == 0 ? at : 0;
}

static void skip_cfws(struct text *rest)
{
	size_t len = 1;

	while (rest->len > 0 && len > 0) {
		if (rest->data[0] == '(')
			len = comment_length(*rest);
		else
			len = is_space(rest->data[0]);
		*rest = text_skip(*rest, len);
	}
}

static struct text take_until(struct text *rest, const char *ends)
{
	struct text word = *rest;

	word.len = 0;
	while (word.len < rest->len &&
	       memchr(ends, rest->data[word.len], strlen(ends)) == NULL)
		word.len++;
	*rest = text_skip(*rest, word.len);
	return text_trim(word);
}

/* ---- Content-Transfer-Encoding ---- */

static const struct {
	const char *name;
	enum mime_encoding encoding;
} encodings[] = {
	{ "8bit", MIME_8BIT },
	{ "8-bit", MIME_8BIT },
	{ "binary", MIME_BINARY },
	{ "quoted-printable", MIME_QUOTED_PRINTABLE },
	{ "base64", MIME_BASE64 },
	{ "uuencode", MIME_STRANGE },
	{ "uue", MIME_STRANGE },
};

static enum mime_encoding encoding_of(struct text value)
{
	struct text word;

	skip_cfws(&value);
	word = take_until(&value, " \t\r\n;(");
	for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
		if (text_is(word, encodings[i].name))
			return encodings[i].encoding;
	return text_starts(word, "x-") ? MIME_STRANGE : MIME_AS_IT_IS;
}

/* ---- Content-Type ---- */

static const struct {
	const char *prefix;
	enum mime_kind kind;
} kinds[] = {
	{ "text/", MIME_TEXT },
	{ "multipart/signed", MIME_SIGNED },
	{ "multipart/encrypted", MIME_SIGNED },
	{ "application/pkcs7-mime", MIME_SIGNED },
	{ "application/x-pkcs7-mime", MIME_SIGNED },
	{ "multipart/", MIME_MULTIPART },
	{ "message/rfc822", MIME_MESSAGE },
	{ "message/global", MIME_MESSAGE },
	{ "message/news", MIME_MESSAGE },
	{ "message/partial", MIME_SEALED },
	{ "message/external-body", MIME_SEALED },
	{ "message/", MIME_TEXT }, /* a report: lines of text */
};

/* What is no "type/subtype" is plain text (RFC 2045 5.2). */
static enum mime_kind kind_of(struct text type)
{
	const char *slash = memchr(type.data, '/', type.len);

	if (slash == NULL || slash == type.data)
		return MIME_TEXT;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (text_starts(type, kinds[i].prefix))
			return kinds[i].kind;
	return MIME_OTHER;
}

/* Put the value, without quotes, into out; false: it is longer. */
static bool read_value(struct text *rest, char *out, size_t *len_r)
{
	bool quoted = rest->len > 0 && rest->data[0] == '"';
	struct text value;
	size_t n = 0;

	if (!quoted) {
		value = take_until(rest, ";\r\n");
		*len_r = value.len;
		if (value.len > MIME_BOUNDARY_MAX)
			return false;
		memcpy(out, value.data, value.len);
		return true;
	}
	for (*rest = text_skip(*rest, 1); rest->len > 0 && rest->data[0] != '"';
	     *rest = text_skip(*rest, 1)) {
		char c = rest->data[0];

		if (c == '\\' && rest->len > 1) {
			*rest = text_skip(*rest, 1);
			c = rest->data[0];
		}
		if (n <= MIME_BOUNDARY_MAX && c != '\r' && c != '\n')
			out[n++] = c;
	}
	*len_r = n;
	return n <= MIME_BOUNDARY_MAX;
}

/* RFC 2046 5.1.1 is stricter; devices put nearly anything there. */
static bool is_boundary(const char *boundary, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (boundary[i] < ' ' || boundary[i] > 126)
			return false;
	return len > 0;
}

/* RFC 2045 5.1:  parameter = attribute "=" value, each behind a ";" */
static void read_boundary(struct mime_entity *entity, struct text rest)
{
	char value[MIME_BOUNDARY_MAX + 1];
	size_t len;

	while (rest.len > 0) {
		struct text name;
		bool fits;

		take_until(&rest, ";");
		rest = text_skip(rest, 1);
		skip_cfws(&rest);
		name = take_until(&rest, "=;\r\n(");
		skip_cfws(&rest);
		if (rest.len == 0 || rest.data[0] != '=')
			continue;
		rest = text_skip(rest, 1);
		skip_cfws(&rest);
		fits = read_value(&rest, value, &len);
		while (fits && len > 0 && is_space(value[len - 1]))
			len--;
		if (text_is(name, "boundary") && fits &&
		    is_boundary(value, len)) {
			memcpy(entity->boundary, value, len);
			entity->boundary_len = len;
			return;
		}
	}
}

static void read_type(struct mime_entity *entity, struct text value)
{
	struct text type;

	skip_cfws(&value);
	type = take_until(&value, " \t\r\n;(");
	entity->kind = kind_of(type);
	entity->is_digest = text_is(type, "multipart/digest");
	if (entity->kind != MIME_MULTIPART)
		return;
	read_boundary(entity, value);
	if (entity->boundary_len == 0)
		entity->kind = MIME_SEALED;
}

void mime_entity_field(struct mime_entity *entity,
		       const struct rfc5322_field *field)
{
	if (rfc5322_field_is(field, "MIME-Version")) {
		entity->has_version = true;
	} else if (rfc5322_field_is(field, "Content-Type")) {
		if (!entity->has_type)
			read_type(entity, field->value);
		entity->has_type = true;
	} else if (rfc5322_field_is(field, "Content-Transfer-Encoding")) {
		if (!entity->has_encoding)
			entity->encoding = encoding_of(field->value);
		entity->has_encoding = true;
	}
}
