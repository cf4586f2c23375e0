#include "proto/smtp_syntax.h"

#include <arpa/inet.h>
#include <string.h>

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_let_dig(char c)
{
	return is_letter(c) || is_digit(c);
}

static bool is_ldh(char c)
{
	return is_let_dig(c) || c == '-' || c == '_';
}

/* RFC 5322 3.2.3 */
static bool is_atext(char c)
{
	return is_let_dig(c) ||
	       (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool all_are(struct text text, bool (*is)(char))
{
	for (size_t i = 0; i < text.len; i++)
		if (!is(text.data[i]))
			return false;
	return true;
}

static bool is_no_control(char c)
{
	return (unsigned char)c >= 32 && c != 127;
}

static bool is_7bit(char c)
{
	return (unsigned char)c < 128;
}

bool smtp_has_control(struct text text)
{
	return !all_are(text, is_no_control);
}

bool smtp_has_8bit(struct text text)
{
	return !all_are(text, is_7bit);
}

/* One or more parts that pass, with single dots between them. */
static bool is_dotted(struct text text, bool (*is_part)(struct text))
{
	struct text part;

	if (text.len == 0 || text.data[text.len - 1] == '.')
		return false;
	while (text_token(&text, '.', &part))
		if (!is_part(part))
			return false;
	return true;
}

/* RFC 5321 4.1.2:  sub-domain = Let-dig [Ldh-str]
 *                  Ldh-str    = *( ALPHA / DIGIT / "-" ) Let-dig */
static bool is_sub_domain(struct text part)
{
	return part.len > 0 && part.data[0] != '-' &&
	       part.data[part.len - 1] != '-' && all_are(part, is_ldh);
}

bool smtp_is_domain(struct text text)
{
	return text.len <= 255 && is_dotted(text, is_sub_domain);
}

/* RFC 5321 4.1.3; no tag but IPv6 was ever registered. */
bool smtp_is_address_literal(struct text text)
{
	struct in6_addr address;
	char inside[64];
	int family = AF_INET;

	if (text.len < 3 || text.data[0] != '[' ||
	    text.data[text.len - 1] != ']' || smtp_has_control(text))
		return false;
	text = text_make(text.data + 1, text.len - 2);
	if (text_starts(text, "IPv6:")) {
		family = AF_INET6;
		text = text_skip(text, 5);
	}
	if (text.len >= sizeof(inside))
		return false;
	memcpy(inside, text.data, text.len);
	inside[text.len] = '\0';
	return inet_pton(family, inside, &address) == 1;
}

static bool is_atom(struct text part)
{
	return part.len > 0 && all_are(part, is_atext);
}

bool smtp_is_dot_string(struct text text)
{
	return is_dotted(text, is_atom);
}

bool smtp_is_loose_dot_string(struct text text)
{
	struct text part;
	bool has_atom = false;

	while (text_token(&text, '.', &part)) {
		if (!all_are(part, is_atext))
			return false;
		has_atom |= part.len > 0;
	}
	return has_atom;
}

/* RFC 5321 4.1.2:  Quoted-string   = DQUOTE *QcontentSMTP DQUOTE
 *                  qtextSMTP       = %d32-33 / %d35-91 / %d93-126
 *                  quoted-pairSMTP = %d92 %d32-126 */
bool smtp_is_quoted_string(struct text text)
{
	size_t i = 1;

	if (text.len < 2 || text.data[0] != '"' || smtp_has_control(text) ||
	    smtp_has_8bit(text))
		return false;
	while (i < text.len && text.data[i] != '"')
		i += text.data[i] == '\\' ? 2 : 1;
	return i == text.len - 1;
}

static bool is_keyword_char(char c)
{
	return is_let_dig(c) || c == '-';
}

/* RFC 5321 4.1.2:  esmtp-keyword = (ALPHA / DIGIT)
 *                                  *(ALPHA / DIGIT / "-") */
bool smtp_is_keyword(struct text text)
{
	return text.len > 0 && text.data[0] != '-' &&
	       all_are(text, is_keyword_char);
}

/* RFC 5321 4.1.2:  esmtp-value = 1*(%d33-60 / %d62-126) */
static bool is_value_char(char c)
{
	return c > ' ' && c < 127 && c != '=';
}

bool smtp_is_esmtp_value(struct text text)
{
	return text.len > 0 && all_are(text, is_value_char);
}

static int hex_value(char c)
{
	if (is_digit(c))
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* RFC 3461 4:  xtext   = *( xchar / hexchar )
 *              xchar   = any ASCII 33-126 except "+" and "="
 *              hexchar = "+" 2 upper-case hexadecimal digits */
static size_t xtext_char(struct text in, char *c_r)
{
	*c_r = in.data[0];
	if (*c_r != '+')
		return is_value_char(*c_r) ? 1 : 0;
	if (in.len < 3 || hex_value(in.data[1]) < 0 ||
	    hex_value(in.data[2]) < 0)
		return 0;
	*c_r = (char)(hex_value(in.data[1]) << 4 | hex_value(in.data[2]));
	return 3;
}

bool smtp_xtext_decode(struct buf *out, struct text in)
{
	char *room = buf_room(out, in.len);
	size_t len = 0;

	if (room == NULL)
		return false;
	while (in.len > 0) {
		size_t taken = xtext_char(in, &room[len++]);

		if (taken == 0)
			return false;
		in = text_skip(in, taken);
	}
	buf_added(out, len);
	return true;
}
