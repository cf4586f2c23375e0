#include "proto/field_private.h"

#include <string.h>

#include "proto/smtp_syntax.h"

enum {
	NAME_MAX_OCTETS = 60,  /* of a parameter that can be written in parts */
	PART_OCTETS = 60,      /* of a value, percent signs counted */
	TWINS_SOUGHT = 8,      /* parameters whose extended form is looked for */
};

struct param {
	struct text name, value;
	bool quoted;
};

static bool is_attribute_char(unsigned char c)
{
	return c > ' ' && c < 127 && strchr("*'%()<>@,;:\\\"/[]?=", c) == NULL;
}

static size_t character_length(struct text text)
{
	size_t len = 1;

	while (len < text.len && (text.data[0] & 0xc0) == 0xc0 &&
	       (text.data[len] & 0xc0) == 0x80)
		len++;
	return len;
}

/* RFC 2231 7:  attribute-char or "%" and two digits.  Stops before a character
 * that would lead beyond max; what is left stays in *text. */
static void put_percent(struct buf *out, struct text *text, size_t max)
{
	size_t begin = buf_len(out);

	while (text->len > 0) {
		size_t len = character_length(*text);

		if (buf_len(out) - begin + 3 * len > max)
			return;
		for (size_t i = 0; i < len; i++) {
			unsigned char c = (unsigned char)text->data[i];

			if (is_attribute_char(c))
				buf_putc(out, (char)c);
			else
				buf_printf(out, "%%%02X", c);
		}
		*text = text_skip(*text, len);
	}
}

/* RFC 2231 3, 4:  name*=UTF-8''value, or name*0*=UTF-8''part; name*1*=part */
static void put_extended(struct buf *out, struct text name, struct text value)
{
	struct buf whole = BUF_INIT(3 * value.len + 1);
	struct text rest = value;
	unsigned part = 0;

	put_percent(&whole, &rest, SIZE_MAX);
	if (buf_len(&whole) <= PART_OCTETS) {
		buf_printf(out, "%.*s*=UTF-8''", TEXT_ARG(name));
		buf_text_append(out, buf_text(&whole));
		buf_free(&whole);
		return;
	}
	buf_free(&whole);
	while (value.len > 0) {
		buf_printf(out, "%s%.*s*%u*=%s", part > 0 ? "; " : "",
			   TEXT_ARG(name), part, part > 0 ? "" : "UTF-8''");
		put_percent(out, &value, PART_OCTETS);
		part++;
	}
}

static void unquote(struct buf *out, struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\\' && i + 1 < text.len)
			i++;
		buf_putc(out, text.data[i]);
	}
}

static struct param split_param(struct text text)
{
	struct param param = { text, text_of(""), false };
	const char *equals = memchr(text.data, '=', text.len);

	if (equals == NULL)
		return param;
	param.name = text_trim(text_make(text.data,
					 (size_t)(equals - text.data)));
	param.value = text_trim(text_skip(text, (size_t)(equals - text.data) +
						1));
	param.quoted = param.value.len > 0 && param.value.data[0] == '"';
	if (param.quoted)
		param.value = text_skip(param.value, 1);
	if (param.quoted && param.value.len > 0 &&
	    param.value.data[param.value.len - 1] == '"')
		param.value.len--;
	return param;
}

static bool can_be_extended(const struct param *param)
{
	return param->name.len > 0 && param->name.len <= NAME_MAX_OCTETS &&
	       !smtp_has_8bit(param->name) &&
	       memchr(param->name.data, '*', param->name.len) == NULL &&
	       memchr(param->name.data, ' ', param->name.len) == NULL;
}

/* "filename*=" beside "filename=": the device has said it twice. */
static bool has_twin(struct text all, struct text name)
{
	char twin[NAME_MAX_OCTETS + 1];

	memcpy(twin, name.data, name.len);
	twin[name.len] = '*';
	return text_find_nocase(all, text_make(twin, name.len + 1)) >= 0;
}

static void put_param(struct buf *out, struct text text, struct text all)
{
	struct param param = split_param(text);
	struct buf value = BUF_INIT(text.len + 1);
	struct field_token token;

	if (smtp_has_8bit(param.value) && can_be_extended(&param) &&
	    !has_twin(all, param.name)) {
		if (param.quoted)
			unquote(&value, param.value);
		else
			buf_text_append(&value, param.value);
		put_extended(out, param.name, buf_text(&value));
	} else {
		while (field_lex(&text, &token))
			field_put_token(out, &token);
	}
	buf_free(&value);
}

void field_put_params(struct buf *out, struct text text)
{
	struct text param = text_make(text.data, 0), all = text;
	struct field_token token;
	unsigned n = 0;

	while (text.len > 0) {
		bool ends = false;

		while (!ends && field_lex(&text, &token)) {
			ends = field_token_is(&token, ';');
			param.len += ends ? 0 : token.text.len;
		}
		param = text_trim(param);
		if (param.len > 0 || n == 0) {
			buf_puts(out, n == 0 ? "" : "; ");
			put_param(out, param,
				  n < TWINS_SOUGHT ? all : text_of(""));
			n++;
		}
		param = text_make(text.data, 0);
	}
}
