#include "proto/mailbox.h"

#include <string.h>
#include "proto/field_lex.h"
#include "proto/phrase.h"
#include "proto/smtp_path.h"
#include "proto/smtp_syntax.h"
#include "proto/utf8.h"

enum {
	NAME_HELD_MAX = 1024,
	ADDRESS_HELD_MAX = 512,
	/* With the longest address it stays below the 998 octets of a line. */
	NAME_PRINTED_MAX = 700,
};

/* An addr-spec as it is put together from words. */
struct spec {
	struct buf text;
	bool broken; /* too long, or words with nothing to join them */
};

/* One address of the list while it is read. */
struct scan {
	struct text rest;
	struct buf phrase, comment;
	struct spec bare, angle; /* outside of angle brackets, and inside */
	bool in_angle, had_angle;
	bool gap; /* space or comment since the last word */
	bool bad;
};

void mailbox_init(struct mailbox *mailbox)
{
	*mailbox = (struct mailbox){
		.name = BUF_INIT(NAME_HELD_MAX),
		.address = BUF_INIT(ADDRESS_HELD_MAX),
	};
}

void mailbox_free(struct mailbox *mailbox)
{
	buf_free(&mailbox->name);
	buf_free(&mailbox->address);
}

static void scan_begin(struct scan *scan)
{
	buf_clear(&scan->phrase);
	buf_clear(&scan->comment);
	buf_clear(&scan->bare.text);
	buf_clear(&scan->angle.text);
	scan->bare.broken = scan->angle.broken = false;
	scan->in_angle = scan->had_angle = false;
	scan->gap = scan->bad = false;
}

static void scan_free(struct scan *scan)
{
	buf_free(&scan->phrase);
	buf_free(&scan->comment);
	buf_free(&scan->bare.text);
	buf_free(&scan->angle.text);
}

static bool joins(char c)
{
	return c == '.' || c == '@';
}

/* RFC 5322 4.4 lets white space and comments stand around "." and "@". */
static void spec_add(struct spec *spec, struct text word, bool gap)
{
	struct text before = buf_text(&spec->text);

	if (gap && before.len > 0 && !joins(before.data[before.len - 1]) &&
	    !joins(word.data[0]))
		spec->broken = true;
	if (!buf_text_append(&spec->text, word))
		spec->broken = true;
}

/* Add what a quoted string or comment says: no backslashes, no folds.  What
 * goes beyond the maximum is dropped. */
static void add_unquoted(struct buf *out, struct text text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\\' && i + 1 < text.len)
			i++;
		if (text.data[i] != '\r' && text.data[i] != '\n')
			buf_putc(out, text.data[i]);
	}
}

static void add_name(struct scan *scan, struct text word)
{
	if (scan->gap && buf_len(&scan->phrase) > 0)
		buf_putc(&scan->phrase, ' ');
	if (word.data[0] == '"')
		add_unquoted(&scan->phrase,
			     text_make(word.data + 1, word.len - 2));
	else
		for (size_t i = 0; i < word.len; i++)
			buf_putc(&scan->phrase, word.data[i]);
}

static void add_word(struct scan *scan, size_t len)
{
	struct text word = text_make(scan->rest.data, len);

	scan->rest = text_skip(scan->rest, len);
	if (scan->in_angle) {
		spec_add(&scan->angle, word, scan->gap);
	} else if (scan->had_angle) {
		scan->bad = true;
	} else {
		add_name(scan, word);
		spec_add(&scan->bare, word, scan->gap);
	}
	scan->gap = false;
}

/* The length of what begins at text[0] and ends with the byte end, both
 * counted; 0: it does not end. */
static size_t enclosed(struct text text, char end)
{
	for (size_t i = 1; i < text.len; i++) {
		if (text.data[i] == '\\')
			i++;
		else if (text.data[i] == end)
			return i + 1;
	}
	return 0;
}

static void read_enclosed(struct scan *scan, char end)
{
	size_t len = enclosed(scan->rest, end);

	if (len > 0) {
		add_word(scan, len);
		return;
	}
	scan->bad = true;
	scan->rest.len = 0;
}

static void read_comment(struct scan *scan)
{
	size_t len = field_comment_length(scan->rest);

	if (len == 0) {
		scan->bad = true;
		scan->rest.len = 0;
		return;
	}
	if (!scan->in_angle && buf_len(&scan->comment) == 0)
		add_unquoted(&scan->comment,
			     text_make(scan->rest.data + 1, len - 2));
	scan->rest = text_skip(scan->rest, len);
	scan->gap = true;
}

static void read_bracket(struct scan *scan, bool opens)
{
	if (opens ? scan->in_angle || scan->had_angle : !scan->in_angle)
		scan->bad = true;
	scan->in_angle = opens;
	scan->had_angle = !opens;
	scan->gap = false;
	scan->rest = text_skip(scan->rest, 1);
}

static bool in_route(const struct scan *scan)
{
	struct text angle = buf_text(&scan->angle.text);

	return scan->in_angle && angle.len > 0 && angle.data[0] == '@';
}

/* RFC 5322 3.4:  group = display-name ":" [group-list] ";"
 * Inside brackets the colon ends an obsolete route (4.4). */
static void read_colon(struct scan *scan)
{
	bool bad = scan->bad || scan->had_angle ||
		   (scan->in_angle && !in_route(scan));

	if (!scan->in_angle) {
		scan_begin(scan);
	} else {
		buf_clear(&scan->angle.text);
		scan->angle.broken = false;
	}
	scan->bad = bad;
	scan->rest = text_skip(scan->rest, 1);
}

/* RFC 5322 3.2.3:  specials, and white space, end an atom; "." and "@" are
 * left in, to be judged with the whole address. */
static size_t atom_length(struct text text)
{
	size_t len = 0;

	while (len < text.len && text.data[len] != '\0' &&
	       strchr("()<>[]:;,\" \t\r\n", text.data[len]) == NULL)
		len++;
	return len > 0 ? len : 1;
}

/* An encoded word with commas and the like in it, as some write them; what could
 * hold an address is not one. */
static size_t encoded_length(struct text text)
{
	unsigned marks = 0;

	if (!text_starts(text, "=?"))
		return 0;
	for (size_t i = 2; i + 1 < text.len; i++) {
		char c = text.data[i];

		if ((unsigned char)c <= ' ' || strchr("()<>@[]\"\\", c) != NULL)
			break;
		marks += c == '?';
		if (marks == 3)
			return text.data[i + 1] == '=' ? i + 2 : 0;
	}
	return 0;
}

static size_t word_length(const struct scan *scan)
{
	size_t len = scan->in_angle ? 0 : encoded_length(scan->rest);

	return len > 0 ? len : atom_length(scan->rest);
}

static void skip_space(struct scan *scan)
{
	scan->gap = true;
	scan->rest = text_skip(scan->rest, 1);
}

/* A comma inside a route goes with it. */
static void read_comma(struct scan *scan)
{
	scan->bad |= !in_route(scan);
	scan->rest = text_skip(scan->rest, 1);
}

static void read_token(struct scan *scan)
{
	switch (scan->rest.data[0]) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		skip_space(scan);
		break;
	case '(':
		read_comment(scan);
		break;
	case '"':
		read_enclosed(scan, '"');
		break;
	case '[':
		read_enclosed(scan, ']');
		break;
	case '<':
	case '>':
		read_bracket(scan, scan->rest.data[0] == '<');
		break;
	case ':':
		read_colon(scan);
		break;
	case ',':
	case ';':
		read_comma(scan);
		break;
	default:
		add_word(scan, word_length(scan));
	}
}

/* Semicolons separate too: they end a group, and people type them. */
static bool at_separator(const struct scan *scan)
{
	char c = scan->rest.data[0];

	return (c == ',' || c == ';') && !scan->in_angle;
}

static bool read_element(struct scan *scan)
{
	if (scan->rest.len == 0)
		return false;
	scan_begin(scan);
	while (scan->rest.len > 0 && !at_separator(scan))
		read_token(scan);
	scan->rest = text_skip(scan->rest, 1);
	scan->bad |= scan->in_angle;
	return true;
}

static bool is_address(const struct scan *scan, const struct spec *spec)
{
	struct smtp_path path;

	return !scan->bad && !spec->broken &&
	       smtp_address_parse(buf_text(&spec->text), &path);
}

/* A name that was cut ends before what was cut in two: a character, an encoded
 * word. */
static struct text whole_part(struct text name)
{
	size_t begin = name.len;

	if (name.len < NAME_HELD_MAX)
		return name;
	while (begin > 0 && name.data[begin - 1] != ' ')
		begin--;
	if (text_starts(text_skip(name, begin), "=?"))
		return text_trim(text_make(name.data, begin));
	return utf8_cut(name, name.len - 1);
}

/* "John <j@x>" is named by its phrase, "j@x (John)" by its comment. */
static void take_name(struct mailbox *mailbox, const struct scan *scan)
{
	struct text phrase = text_trim(whole_part(buf_text(&scan->phrase)));
	struct text comment = text_trim(whole_part(buf_text(&scan->comment)));
	bool by_phrase =
		comment.len == 0 || (scan->had_angle && phrase.len > 0);

	buf_clear(&mailbox->name);
	buf_text_append(&mailbox->name, by_phrase ? phrase : comment);
}

static void take_element(struct mailbox *mailbox, const struct scan *scan)
{
	const struct spec *spec = scan->had_angle ? &scan->angle : &scan->bare;

	if (!is_address(scan, spec)) {
		if (mailbox->count == 0 && buf_len(&mailbox->name) == 0)
			take_name(mailbox, scan);
		return;
	}
	if (mailbox->count++ > 0)
		return;
	buf_text_append(&mailbox->address, buf_text(&spec->text));
	take_name(mailbox, scan);
	if (!scan->had_angle && buf_len(&scan->comment) == 0)
		buf_clear(&mailbox->name);
}

static void scan_init(struct scan *scan, struct text value)
{
	*scan = (struct scan){
		.rest = value,
		.phrase = BUF_INIT(NAME_HELD_MAX),
		.comment = BUF_INIT(NAME_HELD_MAX),
		.bare = { .text = BUF_INIT(ADDRESS_HELD_MAX) },
		.angle = { .text = BUF_INIT(ADDRESS_HELD_MAX) },
	};
}

static void mailbox_clear(struct mailbox *mailbox)
{
	buf_clear(&mailbox->name);
	buf_clear(&mailbox->address);
	mailbox->count = 0;
}

bool mailbox_parse(struct mailbox *mailbox, struct text value)
{
	struct scan scan;

	scan_init(&scan, value);
	mailbox_clear(mailbox);
	while (read_element(&scan))
		take_element(mailbox, &scan);
	scan_free(&scan);
	return mailbox->count > 0;
}

bool mailbox_next(struct mailbox *mailbox, struct text *rest)
{
	struct scan scan;

	scan_init(&scan, *rest);
	mailbox_clear(mailbox);
	while (mailbox->count == 0 && read_element(&scan))
		take_element(mailbox, &scan);
	*rest = scan.rest;
	scan_free(&scan);
	return mailbox->count > 0;
}

static void print_clean(struct buf *out, struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.data[i] >= ' ' && text.data[i] != 127)
			buf_putc(out, text.data[i]);
}

void mailbox_print(struct buf *out, struct text name, struct text address)
{
	struct buf phrase = BUF_INIT(NAME_PRINTED_MAX);

	phrase_print(&phrase, name, NAME_PRINTED_MAX);
	if (buf_len(&phrase) > 0) {
		buf_text_append(out, buf_text(&phrase));
		buf_puts(out, " <");
	}
	print_clean(out, address);
	if (buf_len(&phrase) > 0)
		buf_putc(out, '>');
	buf_free(&phrase);
}
