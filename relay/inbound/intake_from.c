#include "relay/inbound/intake_from.h"

#include <string.h>

#include "proto/field_lex.h"
#include "proto/mailbox.h"
#include "proto/smtp_path.h"
#include "proto/smtp_syntax.h"

enum { ADDRESS_MAX = 320, NAME_MAX_OCTETS = 1000 };

/* What the tokens of the value amount to. */
struct survey {
	size_t elements;      /* that hold a word */
	size_t words;
	struct text first, last; /* words */
	struct text angle;    /* what stands in the first pair of brackets */
	bool has_angle;
};

static void survey_token(struct survey *survey, const struct field_token *token,
                         bool *in_element)
{
	if (field_token_is(token, ':') && *in_element)
		survey->elements--; /* a group's name */
	if (field_token_is(token, ',') || field_token_is(token, ';') ||
	    field_token_is(token, ':'))
		*in_element = false;
	if (token->kind != FIELD_ATOM && token->kind != FIELD_QUOTED)
		return;
	if (survey->words++ == 0)
		survey->first = token->text;
	survey->last = token->text;
	if (!*in_element)
		survey->elements++;
	*in_element = true;
}

static void survey_value(struct survey *survey, struct text value)
{
	bool in_element = false, in_angle = false;
	struct field_token token;

	while (field_lex(&value, &token)) {
		if (field_token_is(&token, '<') && !survey->has_angle) {
			survey->angle = text_make(value.data, 0);
			survey->has_angle = in_angle = true;
		} else if (field_token_is(&token, '>')) {
			in_angle = false;
		} else if (in_angle) {
			survey->angle.len += token.text.len;
		}
		/* A route's commas and colons part nothing. */
		if (!in_angle || token.kind != FIELD_SPECIAL)
			survey_token(survey, &token, &in_element);
	}
}

static bool is_address(struct text text)
{
	struct smtp_path path;

	return text.len <= ADDRESS_MAX && !smtp_has_8bit(text) &&
	       !smtp_has_control(text) && smtp_address_parse(text, &path);
}

static bool is_local(struct text text)
{
	return text.len <= SMTP_LOCAL_MAX && smtp_is_dot_string(text);
}

static bool has_lower_or_digit(struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
			return true;
	}
	return false;
}

/* Words as they are, quotes and brackets gone. */
static void say(struct buf *out, struct text text)
{
	struct field_token token;

	while (field_lex(&text, &token)) {
		struct text word = token.text;

		if (field_token_is(&token, '<') || field_token_is(&token, '>'))
			continue;
		if (token.kind == FIELD_QUOTED) {
			word = text_skip(word, 1);
			word.len -= word.len > 0 && !token.open;
		}
		for (size_t i = 0; i < word.len; i++) {
			if (token.kind == FIELD_QUOTED && word.data[i] == '\\' &&
			    i + 1 < word.len)
				i++;
			buf_putc(out, word.data[i]);
		}
	}
}

static void found(struct intake_from *from, enum intake_from_kind kind,
                  struct text address, struct text name)
{
	from->kind = kind;
	buf_text_append(&from->address, address);
	say(&from->name, text_trim(name));
}

/* The name is what stands before the address. */
static struct text before(struct text value, struct text address)
{
	size_t len = (size_t)(address.data - value.data);

	while (len > 0 && strchr("< \t", value.data[len - 1]) != NULL)
		len--;
	return text_make(value.data, len);
}

static void read_odd(struct intake_from *from, const struct survey *survey,
                     struct text value)
{
	struct text none = text_of(""), angle = text_trim(survey->angle);
	bool alone = survey->words == 1 &&
		     text_equal(text_trim(value), survey->first);

	if (survey->has_angle && is_address(angle))
		found(from, INTAKE_FROM_MENDED, angle, before(value, angle));
	else if (survey->has_angle && is_local(angle))
		found(from, INTAKE_FROM_LOCAL, angle, none);
	else if (survey->words > 1 && is_address(survey->last))
		found(from, INTAKE_FROM_MENDED, survey->last,
		      before(value, survey->last));
	else if (alone && is_local(survey->first) &&
	         has_lower_or_digit(survey->first))
		found(from, INTAKE_FROM_LOCAL, survey->first, none);
	else
		found(from, INTAKE_FROM_NONE, none, value);
}

void intake_from_read(struct intake_from *from, struct text value)
{
	struct survey survey = { .first = { "", 0 }, .last = { "", 0 },
		.angle = { "", 0 } };
	struct mailbox mailbox;
	bool readable;

	*from = (struct intake_from){ .address = BUF_INIT(ADDRESS_MAX),
		.name = BUF_INIT(NAME_MAX_OCTETS) };
	mailbox_init(&mailbox);
	readable = mailbox_parse(&mailbox, value) &&
	           is_address(buf_text(&mailbox.address));
	survey_value(&survey, value);
	if (readable && mailbox.count == survey.elements)
		found(from, INTAKE_FROM_GOOD, buf_text(&mailbox.address),
		      text_of(""));
	else if (readable && mailbox.count > 1)
		found(from, INTAKE_FROM_MENDED, buf_text(&mailbox.address),
		      buf_text(&mailbox.name));
	else
		read_odd(from, &survey, value);
	if (readable && (from->kind == INTAKE_FROM_NONE ||
	                 from->kind == INTAKE_FROM_LOCAL)) {
		from->kind = INTAKE_FROM_MENDED;
		buf_clear(&from->address);
		buf_text_append(&from->address, buf_text(&mailbox.address));
	}
	mailbox_free(&mailbox);
}

void intake_from_free(struct intake_from *from)
{
	buf_free(&from->address);
	buf_free(&from->name);
}
