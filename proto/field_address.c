#include "proto/field_private.h"

#include <string.h>

#include "proto/field_text.h"
#include "proto/rfc2047.h"
#include "proto/smtp_syntax.h"

/* ---- phrases ---- */

static struct text without_quotes(const struct field_token *token)
{
	struct text text = text_skip(token->text, 1);

	if (!token->open)
		text.len--;
	return text;
}

static void put_unquoted(struct buf *out, const struct field_token *token)
{
	bool quoted = token->kind == FIELD_QUOTED;
	struct text text = quoted ? without_quotes(token) : token->text;

	for (size_t i = 0; i < text.len; i++) {
		if (quoted && text.data[i] == '\\' && i + 1 < text.len)
			i++;
		buf_putc(out, text.data[i]);
	}
}

static bool is_encoded_word(struct text word)
{
	return word.len > 4 && text_starts(word, "=?") &&
	       memcmp(word.data + word.len - 2, "?=", 2) == 0;
}

/* Words beyond ASCII that stand side by side, to be encoded together. */
struct phrase {
	struct buf *out, run;
	size_t begin;       /* of the phrase in out */
	bool gap;           /* a blank is due before the next word */
	bool after_encoded; /* whose reader drops that blank */
};

static void put_gap(struct phrase *phrase)
{
	if (phrase->gap && buf_len(phrase->out) > phrase->begin)
		buf_putc(phrase->out, ' ');
	phrase->gap = false;
}

static void end_run(struct phrase *phrase)
{
	if (buf_len(&phrase->run) == 0)
		return;
	rfc2047_encode(phrase->out, buf_text(&phrase->run), "UTF-8");
	buf_clear(&phrase->run);
	phrase->gap = true;
}

static void add_to_run(struct phrase *phrase, const struct field_token *token)
{
	bool is_new = buf_len(&phrase->run) == 0;

	if (phrase->gap && (!is_new || phrase->after_encoded))
		buf_putc(&phrase->run, ' ');
	if (is_new) {
		phrase->gap = true; /* RFC 2047 5 (3) */
		put_gap(phrase);
	}
	put_unquoted(&phrase->run, token);
	phrase->gap = false;
}

static void add_plain(struct phrase *phrase, const struct field_token *token)
{
	bool is_encoded = is_encoded_word(token->text);

	if (is_encoded && buf_len(&phrase->run) > 0)
		buf_putc(&phrase->run, ' ');
	end_run(phrase);
	put_gap(phrase);
	field_put_token(phrase->out, token);
	phrase->after_encoded = is_encoded;
}

static bool is_coded(const struct field_token *token)
{
	return (token->kind == FIELD_ATOM || token->kind == FIELD_QUOTED) &&
	       (smtp_has_8bit(token->text) ||
		token->text.len > FIELD_WORD_MAX);
}

void field_put_phrase(struct buf *out, struct text text)
{
	struct phrase phrase = { .out = out, .run = BUF_INIT(text.len + 1),
		.begin = buf_len(out) };
	struct field_token token;

	while (field_lex(&text, &token)) {
		if (token.kind == FIELD_SPACE)
			phrase.gap = true;
		else if (is_coded(&token))
			add_to_run(&phrase, &token);
		else
			add_plain(&phrase, &token);
	}
	end_run(&phrase);
	buf_free(&phrase.run);
}

/* ---- one element of a list ---- */

/* "phrase <address> (comment)", or "address (comment)". */
struct element {
	struct text phrase, address, behind;
	bool has_angle;
};

static struct element split_element(struct text text)
{
	struct element element = { text, text_of(""), text_of(""), false };
	struct text rest = text;
	struct field_token token;

	while (field_lex(&rest, &token)) {
		size_t at = (size_t)(token.text.data - text.data);

		if (field_token_is(&token, '<') && !element.has_angle) {
			element.has_angle = true;
			element.phrase = text_make(text.data, at);
			element.address = rest;
		} else if (field_token_is(&token, '>') && element.has_angle) {
			element.address.len = (size_t)(token.text.data -
						       element.address.data);
			element.behind = rest;
			break;
		}
	}
	return element;
}

static void put_tokens(struct buf *out, struct text text)
{
	struct field_token token;

	while (field_lex(&text, &token))
		field_put_token(out, &token);
}

/* Nothing beyond ASCII, and too long for a line, but in comments. */
static bool is_sendable(struct text text)
{
	struct field_token token;

	while (field_lex(&text, &token))
		if (token.kind != FIELD_COMMENT &&
		    (smtp_has_8bit(token.text) ||
		     token.text.len > FIELD_WORD_MAX))
			return false;
	return true;
}

static void put_angle(struct buf *out, const struct element *element)
{
	size_t begin = buf_len(out);

	field_put_phrase(out, text_trim(element->phrase));
	buf_puts(out, buf_len(out) > begin ? " <" : "<");
	put_tokens(out, text_trim(element->address));
	buf_putc(out, '>');
	if (text_trim(element->behind).len > 0)
		buf_putc(out, ' ');
	field_put_phrase(out, text_trim(element->behind));
}

static bool can_be_sent(struct text text)
{
	struct element element = split_element(text);

	return is_sendable(element.has_angle ? element.address : text);
}

static void put_element(struct buf *out, struct text text)
{
	struct element element = split_element(text);

	if (!can_be_sent(text)) {
		rfc2047_encode(out, text, "UTF-8");
		buf_puts(out, " :;");
	} else if (element.has_angle) {
		put_angle(out, &element);
	} else {
		put_tokens(out, text);
	}
}

/* ---- lists ---- */

/* RFC 5322 3.4:  address-list = (address *("," address))
 *                group = display-name ":" [group-list] ";" */
struct list {
	struct buf *out;
	struct text element;  /* what was read of it */
	bool in_angle, in_group;
	bool comma;           /* is due before the next element */
};

static void put_comma(struct list *list)
{
	if (list->comma)
		buf_puts(list->out, ", ");
	list->comma = false;
}

static void end_element(struct list *list)
{
	struct text text = text_trim(list->element);

	list->element = text_of("");
	list->in_angle = false;
	if (text.len == 0 || (list->in_group && !can_be_sent(text)))
		return;
	put_comma(list);
	put_element(list->out, text);
	list->comma = true;
}

static void begin_group(struct list *list)
{
	struct text name = text_trim(list->element);

	list->element = text_of("");
	if (!field_has_words(name))
		return;
	put_comma(list);
	field_put_phrase(list->out, name);
	/* RFC 2047 5 (3): a blank between an encoded word and a special. */
	buf_puts(list->out, smtp_has_8bit(name) ? " : " : ": ");
	list->in_group = true;
}

static void end_group(struct list *list)
{
	end_element(list);
	if (!list->in_group)
		return;
	buf_putc(list->out, ';');
	list->comma = true;
	list->in_group = false;
}

static void add_to_element(struct list *list, const struct field_token *token)
{
	if (list->element.len == 0)
		list->element = token->text;
	else
		list->element.len += token->text.len;
	if (field_token_is(token, '<') || field_token_is(token, '>'))
		list->in_angle = token->text.data[0] == '<';
}

void field_put_addresses(struct buf *out, struct text text)
{
	struct list list = { .out = out, .element = { "", 0 } };
	struct field_token token;

	while (field_lex(&text, &token)) {
		if (list.in_angle)
			add_to_element(&list, &token);
		else if (field_token_is(&token, ','))
			end_element(&list);
		else if (field_token_is(&token, ';'))
			end_group(&list);
		else if (field_token_is(&token, ':') && !list.in_group)
			begin_group(&list);
		else
			add_to_element(&list, &token);
	}
	end_group(&list);
}

bool field_has_semicolons(struct text text)
{
	bool in_angle = false, in_group = false;
	struct field_token token;

	while (field_lex(&text, &token)) {
		char c = token.kind == FIELD_SPECIAL ? token.text.data[0] : 0;

		if (c == '<' || c == '>')
			in_angle = c == '<';
		else if (c == ':' && !in_angle)
			in_group = true;
		else if (c == ';' && !in_angle && !in_group)
			return true;
		else if (c == ';' && !in_angle)
			in_group = false;
	}
	return false;
}
