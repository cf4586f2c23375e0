#include "relay/config/value_kind.h"

#include <ctype.h>
#include <iconv.h>
#include <stdlib.h>
#include <string.h>
#include "proto/smtp_path.h"
#include "proto/smtp_syntax.h"
#include "proto/utf8.h"

enum {
	CHARSET_MAX = 40,
	NAME_MAX_LEN = 200,
	SENDER_MAX = 600,
	/* "550 5.7.1 " and CRLF make 512 of it with room to spare
	 * (RFC 5321 4.5.3.1.5). */
	REPLY_TEXT_MAX = 400,
};

static bool is_charset_name(struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (!isalnum(c) && (c == '\0' || !strchr("-_.:+()", c)))
			return false;
	}
	return text.len > 0 && text.len <= CHARSET_MAX;
}

/* What is ASCII in a header must be the same in the charset. */
static bool carries_ascii(iconv_t converter)
{
	char in[] = "From: a.b <c@d.example>", out[sizeof(in) + 8];
	char *from = in, *to = out;
	size_t left = sizeof(in) - 1, room = sizeof(out);

	return iconv(converter, &from, &left, &to, &room) != (size_t)-1 &&
	       left == 0 &&
	       text_equal(text_make(out, (size_t)(to - out)), text_of(in));
}

VALUE_PARSER(charset)
{
	char *name = is_charset_name(text) ? text_dup(text) : NULL;
	iconv_t converter = (iconv_t)-1;
	bool good = false;

	(void)kind;
	if (name)
		converter = iconv_open("UTF-8", name);
	free(name);
	if (converter != (iconv_t)-1) {
		good = carries_ascii(converter);
		iconv_close(converter);
	}
	if (!good)
		return value_refuse(why, text,
				    "is not a charset of mail that this system "
				    "knows; write it like windows-1252, "
				    "iso-8859-2 or shift_jis (\"iconv -l\" "
				    "lists them)");
	value_replace_text(field, text);
	return true;
}

static bool is_address(struct text text)
{
	struct smtp_path path;

	return smtp_address_parse(text, &path);
}

bool value_is_recipient(struct text address)
{
	struct smtp_path path;
	struct text domain;

	if (!smtp_address_parse(address, &path))
		return false;
	domain = smtp_path_domain(&path);
	return smtp_is_address_literal(domain) ||
	       memchr(domain.data, '.', domain.len) != NULL;
}

VALUE_PARSER(mailbox)
{
	(void)kind;
	if (!value_is_recipient(text))
		return value_refuse(why, text,
				    "is not an address with a full domain; "
				    "write it like archive@example.com");
	value_replace_text(field, text);
	return true;
}

/* Providers refuse addresses in single-label domains. */
VALUE_PARSER(domain)
{
	(void)kind;
	if (!smtp_is_domain(text) || !memchr(text.data, '.', text.len))
		return value_refuse(why, text,
				    "is not a full domain; write it like "
				    "example.com");
	value_replace_text(field, text);
	return true;
}

VALUE_PARSER(reply_text)
{
	bool good = text.len <= REPLY_TEXT_MAX;

	(void)kind;
	for (size_t i = 0; i < text.len; i++)
		good = good && text.data[i] >= ' ' && text.data[i] < 0x7f;
	if (!good) {
		buf_printf(why,
			   "the text goes into an SMTP reply: one line of "
			   "ASCII, at most %d characters",
			   REPLY_TEXT_MAX);
		return false;
	}
	value_replace_text(field, text);
	return true;
}

static bool refuse_sender(struct text text, struct buf *why)
{
	return value_refuse(why, text,
			    "is not a sender; write it like "
			    "scanner@example.com or \"Scanner, 2nd floor\" "
			    "<scanner@example.com>");
}

/* DQUOTE *qcontent DQUOTE, unquoted; or words that need no quotes. */
static bool take_name(struct text text, struct buf *out)
{
	bool quoted = text.len > 0 && text.data[0] == '"';
	const char *never = quoted ? "\"\\" : "\"\\<>@,;:";
	size_t end = text.len - quoted;

	if (quoted && (text.len < 2 || text.data[text.len - 1] != '"'))
		return false;
	for (size_t i = quoted; i < end; i++) {
		if (quoted && text.data[i] == '\\' && i + 1 < end)
			i++;
		else if (strchr(never, text.data[i]))
			return false;
		if (!buf_putc(out, text.data[i]))
			return false;
	}
	return buf_len(out) > 0;
}

/* [ name ] "<" address ">" */
static bool split_sender(struct text text, struct text *address_r,
			 struct buf *name)
{
	size_t at = text.len;
	struct text before;

	if (text.len == 0 || text.data[text.len - 1] != '>') {
		*address_r = text;
		return true;
	}
	while (at > 0 && text.data[at - 1] != '<')
		at--;
	if (at == 0)
		return false;
	*address_r = text_make(text.data + at, text.len - at - 1);
	before = text_trim(text_make(text.data, at - 1));
	return before.len == 0 || take_name(before, name);
}

VALUE_PARSER(sender)
{
	struct buf name = BUF_INIT(NAME_MAX_LEN);
	struct sender_value *sender = field;
	struct text address;
	bool good;

	(void)kind;
	good = text.len <= SENDER_MAX && !smtp_has_control(text) &&
	       utf8_is_valid(text) && split_sender(text, &address, &name) &&
	       is_address(address);
	if (good) {
		value_free_sender(field);
		sender->address = text_dup(address);
		if (buf_len(&name) > 0)
			sender->name = text_dup(buf_text(&name));
	}
	buf_free(&name);
	return good || refuse_sender(text, why);
}

VALUE_PRINTER(sender)
{
	const struct sender_value *sender = field;

	(void)kind;
	if (!sender->name) {
		buf_puts(out, sender->address ? sender->address : "");
		return;
	}
	buf_putc(out, '"');
	for (const char *c = sender->name; *c; c++) {
		if (*c == '"' || *c == '\\')
			buf_putc(out, '\\');
		buf_putc(out, *c);
	}
	buf_printf(out, "\" <%s>", sender->address);
}

void value_free_sender(void *field)
{
	struct sender_value *sender = field;

	free(sender->name);
	free(sender->address);
	*sender = (struct sender_value){ 0 };
}

VALUE_PARSER(reply_to)
{
	struct reply_to_value value = { REPLY_TO_ORIGINAL, NULL };

	(void)kind;
	if (text_is(text, "none")) {
		value.kind = REPLY_TO_NONE;
	} else if (is_address(text)) {
		value.kind = REPLY_TO_ADDRESS;
		value.address = text_dup(text);
	} else if (!text_is(text, "original")) {
		return value_refuse(why, text,
				    "is not one of original, none or an "
				    "address such as office@example.com");
	}
	value_free_reply_to(field);
	memcpy(field, &value, sizeof(value));
	return true;
}

VALUE_PRINTER(reply_to)
{
	const struct reply_to_value *value = field;

	(void)kind;
	if (value->kind == REPLY_TO_ADDRESS)
		buf_puts(out, value->address);
	else
		buf_puts(out,
			 value->kind == REPLY_TO_NONE ? "none" : "original");
}

void value_free_reply_to(void *field)
{
	struct reply_to_value *value = field;

	free(value->address);
	*value = (struct reply_to_value){ 0 };
}
