#include "relay/outbound/dialogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/sasl_mask.h"
#include "proto/utf8.h"
#include "proto/xalloc.h"

enum {
	LINE_MAX = 512,
	OPENING_MAX = 4 * 1024,
	TAIL_MAX = 12 * 1024 - 128, /* and a line that tells of a cut */
	UNMASKED_MAX = 4 * DIALOGUE_MAX /* "(masked)" may be the longer one */
};

static const char cut_mark[] = " [cut]";

struct dialogue {
	size_t opening_len;
	bool opened;               /* the tail has begun */
	uint64_t said;             /* octets that went into the tail, ever */
	struct buf text;           /* for who asks */
	char opening[OPENING_MAX];
	char tail[TAIL_MAX];       /* octet n is at n % TAIL_MAX */
};

struct dialogue *dialogue_new(void)
{
	struct dialogue *dialogue = xcalloc(1, sizeof *dialogue);

	buf_init(&dialogue->text, UNMASKED_MAX);
	return dialogue;
}

void dialogue_free(struct dialogue **dialogue)
{
	if (*dialogue == NULL)
		return;
	buf_free(&(*dialogue)->text);
	free(*dialogue);
	*dialogue = NULL;
}

/* ---- recording ---- */

static void put_tail(struct dialogue *dialogue, const char *data, size_t len)
{
	size_t at = dialogue->said % TAIL_MAX;
	size_t first = len < TAIL_MAX - at ? len : TAIL_MAX - at;

	memcpy(dialogue->tail + at, data, first);
	memcpy(dialogue->tail, data + first, len - first);
	dialogue->said += len;
}

static void put(struct dialogue *dialogue, const char *line, size_t len)
{
	if (!dialogue->opened && dialogue->opening_len + len <= OPENING_MAX) {
		memcpy(dialogue->opening + dialogue->opening_len, line, len);
		dialogue->opening_len += len;
		return;
	}
	dialogue->opened = true;
	put_tail(dialogue, line, len);
}

/* What is no reply may hold ends of lines. */
static void copy_line(char *to, struct text line)
{
	char *end;

	if (line.len == 0)
		return;
	memcpy(to, line.data, line.len);
	while ((end = memchr(to, '\n', line.len)) != NULL)
		*end = ' ';
}

void dialogue_line(struct dialogue *dialogue, char side, struct text line)
{
	char kept[LINE_MAX] = { side, ' ' };
	size_t len = 2, room = sizeof kept - len - 1;
	bool cut = line.len > room;

	if (cut)
		line = utf8_cut(line, room - strlen(cut_mark));
	copy_line(kept + len, line);
	len += line.len;
	if (cut) {
		memcpy(kept + len, cut_mark, strlen(cut_mark));
		len += strlen(cut_mark);
	}
	kept[len++] = '\n';
	put(dialogue, kept, len);
}

void dialogue_note(struct dialogue *dialogue, const char *format, ...)
{
	char words[2 * LINE_MAX];
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(words, sizeof words, format, args);
	va_end(args);
	if (len > (int)sizeof words - 1)
		len = (int)sizeof words - 1;
	dialogue_line(dialogue, '*', text_make(words, len > 0 ? (size_t)len : 0));
}

uint64_t dialogue_begin(struct dialogue *dialogue)
{
	dialogue->opened = true;
	return dialogue->said;
}

/* ---- reading ---- */

static char tail_at(const struct dialogue *dialogue, uint64_t n)
{
	return dialogue->tail[n % TAIL_MAX];
}

/* Where the first whole line begins that is still there. */
static uint64_t oldest(const struct dialogue *dialogue)
{
	uint64_t n;

	if (dialogue->said <= TAIL_MAX)
		return 0;
	n = dialogue->said - TAIL_MAX;
	while (n < dialogue->said && tail_at(dialogue, n) != '\n')
		n++;
	return n + 1;
}

static void read_tail(struct dialogue *dialogue, uint64_t from)
{
	uint64_t begin = oldest(dialogue);

	if (begin > from)
		buf_printf(&dialogue->text, "* [%llu octets are cut here]\n",
		           (unsigned long long)(begin - from));
	else
		begin = from;
	while (begin < dialogue->said)
		buf_putc(&dialogue->text, tail_at(dialogue, begin++));
}

static void mask(struct dialogue *dialogue, const struct sasl_credentials *who)
{
	struct buf masked = BUF_INIT(UNMASKED_MAX);

	sasl_mask_secrets(who, &masked, buf_text(&dialogue->text));
	buf_free(&dialogue->text);
	dialogue->text = masked;
}

/* A bound for a provider that says a short secret again and again. */
static void bound(struct dialogue *dialogue)
{
	struct text text = utf8_cut(buf_text(&dialogue->text),
	                            DIALOGUE_MAX - 1);

	dialogue->text.end = dialogue->text.start + text.len;
}

const char *dialogue_text(struct dialogue *dialogue, uint64_t from,
                          const struct sasl_credentials *who)
{
	struct buf *text = &dialogue->text;

	buf_clear(text);
	buf_append(text, dialogue->opening, dialogue->opening_len);
	read_tail(dialogue, from);
	if (who != NULL)
		mask(dialogue, who);
	bound(dialogue);
	if (buf_len(text) > 0)
		utf8_mend(text->data + text->start, buf_len(text));
	return buf_string(text);
}
