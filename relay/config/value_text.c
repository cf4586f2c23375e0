#include "relay/config/value_kind.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/config/provider.h"
#include "relay/net/address.h"

enum { TEXT_MAX = 1000 };

void value_replace_text(void *field, struct text text)
{
	char **string = field;

	xfree_secret(string);
	*string = text_dup(text);
}

static bool is_printable(struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < ' ' || c == 0x7f)
			return false;
	}
	return true;
}

bool value_parse_text(const struct value_kind *kind, struct text text,
		      void *field, struct buf *why)
{
	(void)kind;
	if (text.len > TEXT_MAX || !is_printable(text)) {
		buf_printf(why,
			   "the value is longer than %d bytes or holds "
			   "control characters",
			   TEXT_MAX);
		return false;
	}
	value_replace_text(field, text);
	return true;
}

bool value_parse_hostname(const struct value_kind *kind, struct text text,
			  void *field, struct buf *why)
{
	(void)kind;
	if (!smtp_is_domain(text) || memchr(text.data, '_', text.len))
		return value_refuse(why, text,
				    "is not a host name; write it with "
				    "letters, digits, '-' and '.', such as "
				    "relay.example.com");
	value_replace_text(field, text);
	return true;
}

static bool is_host(struct text text)
{
	struct address address;

	return address_parse(text, &address) || smtp_is_domain(text);
}

bool value_parse_host(const struct value_kind *kind, struct text text,
		      void *field, struct buf *why)
{
	struct text name = text;

	(void)kind;
	if (text.len > 2 && text.data[0] == '[' &&
	    text.data[text.len - 1] == ']')
		name = text_make(text.data + 1, text.len - 2);
	if (text_find_nocase(name, text_of("://")) >= 0)
		return value_refuse(why, text,
				    "is a URL; write only the host, such as "
				    "smtp.example.com");
	if (is_host(name)) {
		value_replace_text(field, name);
		return true;
	}
	if (name.len > 0 && memchr(name.data, ':', name.len))
		return value_refuse(why, text,
				    "is not a host name or IP address; a "
				    "port goes into the key \"port\"");
	return value_refuse(why, text,
			    "is not a host name or IP address; write it "
			    "like smtp.example.com or 192.0.2.1");
}

static bool is_word(struct text text, const char *more, size_t max)
{
	if (text.len == 0 || text.len > max ||
	    isdigit((unsigned char)text.data[0]))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c == '\0' || (!isalnum(c) && !strchr(more, c)))
			return false;
	}
	return true;
}

bool value_parse_user(const struct value_kind *kind, struct text text,
		      void *field, struct buf *why)
{
	(void)kind;
	if (!is_word(text, "_-.", 32))
		return value_refuse(why, text,
				    "is not the name of a user; write it "
				    "like lanpost");
	value_replace_text(field, text);
	return true;
}

/* Somebody may have put the secret itself here: it is not quoted. */
bool value_parse_variable(const struct value_kind *kind, struct text text,
			  void *field, struct buf *why)
{
	(void)kind;
	if (!is_word(text, "_", 255)) {
		buf_puts(why,
			 "the value is not the name of an environment "
			 "variable, such as SMTP_PASSWORD; the secret itself "
			 "goes into \"password\"");
		return false;
	}
	value_replace_text(field, text);
	return true;
}

bool value_parse_fingerprint(const struct value_kind *kind, struct text text,
			     void *field, struct buf *why)
{
	unsigned digits = 0;

	(void)kind;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (isxdigit(c))
			digits++;
		else if (c != ':')
			digits = 65;
	}
	if (digits != 64)
		return value_refuse(
			why, text,
			"is not a SHA-256 fingerprint; write "
			"its 64 hex digits, with or without colons, as "
			"\"openssl x509 -fingerprint -sha256\" shows");
	value_replace_text(field, text);
	return true;
}

void value_print_text(const struct value_kind *kind, const void *field,
		      struct buf *out)
{
	char *const *string = field;

	(void)kind;
	if (*string)
		buf_puts(out, *string);
}

void value_print_secret(const struct value_kind *kind, const void *field,
			struct buf *out)
{
	char *const *string = field;

	(void)kind;
	if (*string)
		buf_puts(out, "********");
}

void value_print_provider(const struct value_kind *kind, const void *field,
			  struct buf *out)
{
	const struct provider *const *provider = field;

	(void)kind;
	if (*provider)
		buf_puts(out, (*provider)->name);
}

void value_free_text(void *field)
{
	xfree_secret(field);
}
