#include "proto/field_repair.h"

#include <string.h>

#include "proto/field_private.h"
#include "proto/field_text.h"
#include "proto/smtp_syntax.h"

enum field_kind {
	FIELD_UNSTRUCTURED,
	FIELD_STRUCTURED, /* only its comments hold text */
	FIELD_ADDRESSES,
	FIELD_PHRASES,
	FIELD_PARAMS,
};

#define NAMED(string) { string, sizeof(string) - 1 }

static const struct {
	struct text name;
	enum field_kind kind;
} kinds[] = {
	{ NAMED("From"), FIELD_ADDRESSES },
	{ NAMED("Sender"), FIELD_ADDRESSES },
	{ NAMED("Reply-To"), FIELD_ADDRESSES },
	{ NAMED("To"), FIELD_ADDRESSES },
	{ NAMED("Cc"), FIELD_ADDRESSES },
	{ NAMED("Resent-From"), FIELD_ADDRESSES },
	{ NAMED("Resent-Sender"), FIELD_ADDRESSES },
	{ NAMED("Resent-To"), FIELD_ADDRESSES },
	{ NAMED("Resent-Cc"), FIELD_ADDRESSES },
	{ NAMED("Disposition-Notification-To"), FIELD_ADDRESSES },
	{ NAMED("Return-Receipt-To"), FIELD_ADDRESSES },
	{ NAMED("Errors-To"), FIELD_ADDRESSES },
	{ NAMED("Keywords"), FIELD_PHRASES },
	{ NAMED("Content-Type"), FIELD_PARAMS },
	{ NAMED("Content-Disposition"), FIELD_PARAMS },
	{ NAMED("Date"), FIELD_STRUCTURED },
	{ NAMED("Message-ID"), FIELD_STRUCTURED },
	{ NAMED("In-Reply-To"), FIELD_STRUCTURED },
	{ NAMED("References"), FIELD_STRUCTURED },
	{ NAMED("Resent-Date"), FIELD_STRUCTURED },
	{ NAMED("Resent-Message-ID"), FIELD_STRUCTURED },
	{ NAMED("Received"), FIELD_STRUCTURED },
	{ NAMED("MIME-Version"), FIELD_STRUCTURED },
	{ NAMED("Content-Transfer-Encoding"), FIELD_STRUCTURED },
	{ NAMED("Content-ID"), FIELD_STRUCTURED },
	{ NAMED("DKIM-Signature"), FIELD_STRUCTURED },
	{ NAMED("ARC-Seal"), FIELD_STRUCTURED },
	{ NAMED("ARC-Message-Signature"), FIELD_STRUCTURED },
	{ NAMED("ARC-Authentication-Results"), FIELD_STRUCTURED },
	{ NAMED("Authentication-Results"), FIELD_STRUCTURED },
	{ NAMED("Auto-Submitted"), FIELD_STRUCTURED },
	{ NAMED("List-Unsubscribe"), FIELD_STRUCTURED },
};

static enum field_kind kind_of(const struct rfc5322_field *field)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (text_equal_nocase(field->name, kinds[i].name))
			return kinds[i].kind;
	return FIELD_UNSTRUCTURED;
}

/* ---- what it needs ---- */

static bool is_plain(unsigned char c)
{
	return (c >= ' ' && c < 127) || c == '\t';
}

static unsigned look_at_line(struct text line, bool is_folded)
{
	unsigned needs = line.len > FIELD_LINE_MAX ? FIELD_REPAIR(LONG) : 0;

	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];

		if (!is_plain(c))
			needs |= c > 127 ? FIELD_REPAIR(EIGHT_BIT)
					 : FIELD_REPAIR(CONTROL);
	}
	if (is_folded && text_trim(line).len == 0)
		needs |= FIELD_REPAIR(BLANK);
	return needs;
}

static unsigned look_at_lines(struct text raw)
{
	bool is_folded = false;
	unsigned needs = 0;
	struct text line;

	if (raw.len == 0 || raw.data[raw.len - 1] != '\n')
		needs |= FIELD_REPAIR(BLANK);
	while (text_token(&raw, '\n', &line)) {
		if (line.len > 0 && line.data[line.len - 1] == '\r')
			line.len--;
		else
			needs |= FIELD_REPAIR(BLANK);
		needs |= look_at_line(line, is_folded);
		is_folded = true;
	}
	return needs;
}

unsigned field_needs(const struct rfc5322_field *field)
{
	unsigned needs = look_at_lines(field->raw);

	if (field->raw.data[field->name.len] != ':')
		needs |= FIELD_REPAIR(BLANK);
	if (field->value.len > 0 &&
	    memchr(field->value.data, ';', field->value.len) != NULL &&
	    kind_of(field) == FIELD_ADDRESSES &&
	    field_has_semicolons(field->value))
		needs |= FIELD_REPAIR(SEMICOLON);
	return needs;
}

bool field_is_bomb(const struct rfc5322_field *field)
{
	return field->value.len > 0 &&
	       memchr(field->value.data, '(', field->value.len) != NULL &&
	       kind_of(field) != FIELD_UNSTRUCTURED &&
	       field_comment_depth(field->value) > FIELD_COMMENTS_DEEP;
}

/* ---- its parts ---- */

void field_put_ascii(struct buf *out, struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (c < 0x80)
			buf_putc(out, (char)c);
		else if (c >= 0xc0) /* where a character begins */
			buf_putc(out, '?');
	}
}

void field_put_comment(struct buf *out, const struct field_token *token)
{
	struct text text = token->text;
	size_t begin = 0, i;

	for (i = 0; i < text.len; i++) {
		if (text.data[i] == '\\') {
			i++;
		} else if (text.data[i] == '(' || text.data[i] == ')') {
			field_encode_comment(out, text_make(text.data + begin,
							    i - begin));
			buf_putc(out, text.data[i]);
			begin = i + 1;
		}
	}
	if (begin < text.len)
		field_encode_comment(out, text_skip(text, begin));
	for (i = 0; i < token->open; i++)
		buf_putc(out, ')');
}

void field_put_token(struct buf *out, const struct field_token *token)
{
	if (token->kind == FIELD_COMMENT)
		field_put_comment(out, token);
	else
		field_put_ascii(out, token->text);
	if (token->kind == FIELD_QUOTED && token->open)
		buf_putc(out, '"');
}

/* Lists without blanks get some, where they may be folded. */
static void put_structured(struct buf *out, struct text text)
{
	struct field_token token;
	bool in_angle = false;

	while (field_lex(&text, &token)) {
		field_put_token(out, &token);
		if (field_token_is(&token, '<') || field_token_is(&token, '>'))
			in_angle = token.text.data[0] == '<';
		if ((field_token_is(&token, ',') ||
		     field_token_is(&token, ';')) &&
		    !in_angle && text.len > 0 && text.data[0] != ' ')
			buf_putc(out, ' ');
	}
}

static void put_phrases(struct buf *out, struct text text)
{
	struct text phrase;
	bool is_first = true;

	while (text_token(&text, ',', &phrase)) {
		if (!is_first)
			buf_puts(out, ", ");
		is_first = false;
		field_put_phrase(out, text_trim(phrase));
	}
}

void field_repair(struct buf *out, const struct rfc5322_field *field,
                  const char *charset)
{
	static void (*const put[])(struct buf *, struct text) = {
		[FIELD_UNSTRUCTURED] = field_encode,
		[FIELD_STRUCTURED] = put_structured,
		[FIELD_ADDRESSES] = field_put_addresses,
		[FIELD_PHRASES] = put_phrases,
		[FIELD_PARAMS] = field_put_params,
	};
	size_t max = FIELD_REPAIR_GROWTH * field->raw.len + FIELD_LINE_MAX;
	struct buf text = BUF_INIT(max), value = BUF_INIT(max);

	field_text(&text, field->value, charset);
	put[kind_of(field)](&value, buf_text(&text));
	field_fold(out, field->name, buf_text(&value));
	buf_free(&text);
	buf_free(&value);
}
