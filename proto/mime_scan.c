#include "proto/mime_scan.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mime_plan.h"
#include "proto/utf8.h"
#include "proto/xalloc.h"

#define CLEAR_SIGNED "-----BEGIN PGP SIGNED MESSAGE-----"

/* The part whose content, or the multipart whose frame, streams past. */
struct leaf {
	unsigned part;
	bool is_frame;
	bool is_fixed; /* must stay as it is */
	bool is_binary;
	bool has_8bit, is_long;
};

struct mime_scan {
	struct mime_walk walk;
	struct mime_plan plan;
	bool begun;
	bool is_undeclared; /* the message has no Content-Type */
	struct leaf leaf;
	uint64_t column; /* octets of the line so far, a CR too */
	bool at_cr;
	size_t marked; /* of the line: octets as in CLEAR_SIGNED */
	struct utf8_check utf8;
	struct mime_facts facts;
};

struct mime_scan *mime_scan_new(void)
{
	struct mime_scan *scan = xcalloc(1, sizeof *scan);

	mime_walk_init(&scan->walk);
	utf8_check_init(&scan->utf8);
	return scan;
}

void mime_scan_free(struct mime_scan **scan)
{
	if (*scan == NULL)
		return;
	mime_walk_free(&(*scan)->walk);
	free(*scan);
	*scan = NULL;
}

void mime_scan_field(struct mime_scan *scan, const struct rfc5322_field *field)
{
	mime_walk_root(&scan->walk, field);
}

/* ---- octets and lines ---- */

static bool has_8bit(struct text text)
{
	uint64_t word, all = 0;

	for (; text.len >= sizeof word; text = text_skip(text, sizeof word)) {
		memcpy(&word, text.data, sizeof word);
		all |= word;
	}
	for (; text.len > 0; text = text_skip(text, 1))
		all |= (unsigned char)text.data[0];
	return (all & UINT64_C(0x8080808080808080)) != 0;
}

/* Further along what may be the line of a clear-signed text; true when that is
 * whole. */
static bool match_marker(struct mime_scan *scan, struct text fragment)
{
	enum { WHOLE = sizeof CLEAR_SIGNED - 1 };

	while (fragment.len > 0 && scan->marked < WHOLE &&
	       fragment.data[0] == CLEAR_SIGNED[scan->marked]) {
		fragment = text_skip(fragment, 1);
		scan->marked++;
	}
	return scan->marked == WHOLE;
}

static bool measure_fragment(struct mime_scan *scan, struct text fragment)
{
	uint64_t length;

	if (scan->marked == scan->column && match_marker(scan, fragment))
		scan->leaf.is_fixed = scan->facts.is_signed = true;
	if (fragment.len > 0)
		scan->at_cr = fragment.data[fragment.len - 1] == '\r';
	scan->column += fragment.len;
	length = scan->column - scan->at_cr;
	if (length > scan->facts.longest_line)
		scan->facts.longest_line = length;
	return length > MIME_LINE_MAX;
}

/* Returns whether a line is longer than it may be. */
static bool measure(struct mime_scan *scan, struct text raw)
{
	bool is_long = false;

	while (raw.len > 0) {
		const char *lf = memchr(raw.data, '\n', raw.len);
		size_t len = lf != NULL ? (size_t)(lf - raw.data) : raw.len;

		is_long |= measure_fragment(scan, text_make(raw.data, len));
		if (lf != NULL) {
			scan->column = scan->marked = 0;
			scan->at_cr = false;
		}
		raw = text_skip(raw, len + (lf != NULL));
	}
	return is_long;
}

/* ---- parts ---- */

static void need(struct mime_scan *scan, unsigned part, unsigned needs)
{
	scan->plan.parts[part] |= (uint16_t)needs;
}

static void end_leaf(struct mime_scan *scan)
{
	struct leaf leaf = scan->leaf;
	unsigned eight_bit = leaf.is_fixed   ? MIME_NEED(FIXED)
			     : leaf.is_frame ? MIME_NEED(FRAME_8BIT)
					     : MIME_NEED(EIGHT_BIT);
	unsigned lines = leaf.is_fixed   ? 0
			 : leaf.is_frame ? MIME_NEED(FRAME_LINES)
					 : MIME_NEED(LINES);

	if (leaf.has_8bit)
		need(scan, leaf.part, eight_bit);
	if (leaf.is_long || (leaf.has_8bit && leaf.is_binary))
		need(scan, leaf.part, lines);
	scan->facts.is_long |= leaf.is_long && !leaf.is_fixed;
	scan->leaf = (struct leaf){ 0 };
}

static void begin_leaf(struct mime_scan *scan, unsigned part)
{
	const struct mime_entity *entity = &scan->walk.entity;

	scan->leaf.part = part;
	scan->leaf.is_fixed = entity->kind == MIME_SIGNED ||
			      entity->kind == MIME_SEALED ||
			      entity->encoding == MIME_STRANGE;
	scan->leaf.is_binary = entity->encoding == MIME_BINARY;
	scan->facts.is_signed |= entity->kind == MIME_SIGNED;
}

static void begin_body(struct mime_scan *scan, unsigned part)
{
	const struct mime_entity *entity = &scan->walk.entity;

	if (entity->kind != MIME_MULTIPART && entity->kind != MIME_MESSAGE)
		begin_leaf(scan, part);
	else if (entity->encoding == MIME_8BIT)
		need(scan, part, MIME_NEED(LABEL));
	else if (entity->encoding == MIME_BINARY)
		need(scan, part, MIME_NEED(BINARY));
}

static void begin(struct mime_scan *scan)
{
	const struct mime_entity *entity = &scan->walk.entity;

	if (scan->begun)
		return;
	scan->begun = true;
	mime_walk_begin(&scan->walk);
	scan->is_undeclared = !entity->has_type && mime_entity_is_plain(entity);
	begin_body(scan, 0);
}

/* ---- items ---- */

static void got_field(struct mime_scan *scan, const struct mime_item *item,
		      bool is_8bit, bool is_long)
{
	if (is_8bit || is_long)
		need(scan, item->part, MIME_NEED(HEADER));
	scan->facts.is_long |= is_long;
}

static void got_content(struct mime_scan *scan, const struct mime_item *item,
			bool is_8bit, bool is_long)
{
	scan->leaf.part = item->part;
	scan->leaf.is_frame = item->type == MIME_FRAME;
	scan->leaf.is_fixed |= item->type == MIME_BEYOND;
	scan->leaf.has_8bit |= is_8bit;
	scan->leaf.is_long |= is_long;
	if (scan->is_undeclared)
		utf8_check_add(&scan->utf8, item->raw);
}

static void got_item(struct mime_scan *scan, const struct mime_item *item)
{
	bool is_8bit = has_8bit(item->raw);
	bool is_long = measure(scan, item->raw);

	scan->facts.has_8bit |= is_8bit;
	switch (item->type) {
	case MIME_FIELD:
		got_field(scan, item, is_8bit, is_long);
		break;
	case MIME_HEADER_END:
		begin_body(scan, item->part);
		break;
	case MIME_CONTENT:
	case MIME_FRAME:
	case MIME_BEYOND:
		got_content(scan, item, is_8bit, is_long);
		break;
	case MIME_DELIMITER:
		end_leaf(scan);
		break;
	case MIME_NONE:
		break;
	}
}

static void take_items(struct mime_scan *scan)
{
	struct mime_item item;

	while (mime_walk_next(&scan->walk, &item) != MIME_NONE)
		got_item(scan, &item);
}

void mime_scan_body(struct mime_scan *scan, struct text piece)
{
	begin(scan);
	mime_walk_push(&scan->walk, piece);
	take_items(scan);
}

/* ---- the end ---- */

/* A label that is untrue does no harm as long as all is 7-bit. */
static void drop_labels(struct mime_scan *scan)
{
	for (size_t i = 0; i <= MIME_PARTS_MAX; i++)
		scan->plan.parts[i] &=
			(uint16_t) ~(MIME_NEED(LABEL) | MIME_NEED(BINARY));
}

static void declare(struct mime_scan *scan)
{
	scan->facts.is_undeclared = true;
	need(scan, 0, MIME_NEED(DECLARE));
}

/* The charset is for 8-bit text in headers, or for text not declared. */
static void set_charset(struct mime_scan *scan, const char *charset)
{
	unsigned needs = 0;

	for (size_t i = 0; i <= MIME_PARTS_MAX; i++)
		needs |= scan->plan.parts[i];
	if ((needs & (MIME_NEED(HEADER) | MIME_NEED(DECLARE))) == 0)
		return;
	if (scan->facts.is_undeclared && utf8_check_done(&scan->utf8))
		charset = "utf-8";
	if (charset == NULL || !mime_is_charset(text_of(charset)))
		charset = "windows-1252";
	strcpy(scan->plan.charset, charset);
}

void mime_scan_finish(struct mime_scan *scan, const char *charset,
		      struct mime_facts *facts_r)
{
	begin(scan);
	mime_walk_finish(&scan->walk);
	take_items(scan);
	end_leaf(scan);
	if (!scan->facts.has_8bit)
		drop_labels(scan);
	else if (scan->is_undeclared)
		declare(scan);
	set_charset(scan, charset);
	*facts_r = scan->facts;
	facts_r->plan = mime_plan_print(&scan->plan);
}
