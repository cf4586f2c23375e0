#include "proto/smtp_caps.h"

#include <string.h>

static const char *const keywords[] = {
#define X(name, keyword) [SMTP_CAP_BIT_##name] = keyword,
	SMTP_CAP_MAP(X)
#undef X
};

static bool next_word(struct text *rest, struct text *word_r)
{
	while (text_token(rest, ' ', word_r)) {
		*word_r = text_trim(*word_r);
		if (word_r->len > 0)
			return true;
	}
	return false;
}

static bool holds_word(const char *words, struct text word)
{
	struct text rest = text_of(words), each;

	while (next_word(&rest, &each))
		if (text_equal_nocase(each, word))
			return true;
	return false;
}

/* RFC 4422 3.1:  sasl-mech = 1*20mech-char
 *                mech-char = UPPER-ALPHA / DIGIT / "-" / "_" */
static bool is_mechanism(struct text word)
{
	for (size_t i = 0; i < word.len; i++) {
		char c = word.data[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') &&
		    !(c >= '0' && c <= '9') && c != '-' && c != '_')
			return false;
	}
	return word.len > 0;
}

static char upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static void add_mechanism(struct smtp_caps *caps, struct text word)
{
	size_t len = strlen(caps->mechanisms);

	if (!is_mechanism(word) || holds_word(caps->mechanisms, word) ||
	    len + 1 + word.len >= sizeof(caps->mechanisms))
		return;
	if (len > 0)
		caps->mechanisms[len++] = ' ';
	for (size_t i = 0; i < word.len; i++)
		caps->mechanisms[len++] = upper(word.data[i]);
	caps->mechanisms[len] = '\0';
}

static void read_auth(struct smtp_caps *caps, struct text words)
{
	struct text word;

	while (next_word(&words, &word))
		add_mechanism(caps, word);
}

static void read_size(struct smtp_caps *caps, struct text words)
{
	struct text word;

	if (!next_word(&words, &word) || !text_to_u64(word, &caps->max_size))
		caps->max_size = 0;
}

static void read_line(struct smtp_caps *caps, struct text line)
{
	struct text keyword = text_of("AUTH"), rest = line;
	unsigned bit = 0;

	if (text_starts(line, "AUTH="))
		rest = text_skip(line, 5);
	else if (!next_word(&rest, &keyword))
		return;
	while (bit < SMTP_CAP_BITS && !text_is(keyword, keywords[bit]))
		bit++;
	if (bit == SMTP_CAP_BITS)
		return;
	caps->set |= 1u << bit;
	if (bit == SMTP_CAP_BIT_AUTH)
		read_auth(caps, rest);
	else if (bit == SMTP_CAP_BIT_SIZE)
		read_size(caps, rest);
}

void smtp_caps_parse(struct smtp_caps *caps_r, const struct smtp_reply *reply)
{
	struct text rest = reply->text, line;

	*caps_r = (struct smtp_caps){ 0 };
	text_token(&rest, '\n', &line);
	while (text_token(&rest, '\n', &line))
		read_line(caps_r, text_trim(line));
}

bool smtp_caps_has_mechanism(const struct smtp_caps *caps, const char *name)
{
	return holds_word(caps->mechanisms, text_of(name));
}

static void print_value(struct buf *out, const struct smtp_caps *caps,
			unsigned bit)
{
	if (bit == SMTP_CAP_BIT_SIZE && caps->max_size > 0)
		buf_printf(out, " %llu", (unsigned long long)caps->max_size);
	else if (bit == SMTP_CAP_BIT_AUTH && caps->mechanisms[0] != '\0')
		buf_printf(out, " %s", caps->mechanisms);
}

void smtp_caps_print(struct buf *out, const struct smtp_caps *caps)
{
	bool first = true;

	for (unsigned bit = 0; bit < SMTP_CAP_BITS; bit++) {
		if ((caps->set & 1u << bit) == 0)
			continue;
		if (!first)
			buf_putc(out, '\n');
		first = false;
		buf_puts(out, keywords[bit]);
		print_value(out, caps, bit);
	}
}
