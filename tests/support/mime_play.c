#include "tests/support/mime_play.h"

#include <stdlib.h>

#include "proto/mime_convert.h"
#include "tests/support/guarded.h"
#include "tests/support/mime_tree.h"

enum { ROOM = 1 << 22 };

struct text mime_play_header(struct text message)
{
	ptrdiff_t end = text_find_nocase(message, text_of("\r\n\r\n"));

	if (text_starts(message, "\r\n"))
		end = -2;
	return text_make(message.data, end != -1 ? (size_t)(end + 4) : 0);
}

static void feed_bits(struct text body,
		      void (*take)(void *ctx, struct text piece), void *ctx)
{
	for (size_t len = 1; body.len > 0; len = len * 5 % 7 + 1) {
		if (len > body.len)
			len = body.len;
		take(ctx, text_make(body.data, len));
		body = text_skip(body, len);
	}
}

static void feed(struct text body, size_t way,
		 void (*take)(void *ctx, struct text piece), void *ctx)
{
	if (way == MIME_PLAY_WHOLE)
		take(ctx, body);
	else if (way == MIME_PLAY_BITS)
		feed_bits(body, take, ctx);
	else
		guarded_feed(body, way, take, ctx);
}

static void scan_piece(void *ctx, struct text piece)
{
	mime_scan_body(ctx, piece);
}

void mime_play_scan(struct text message, const char *charset, size_t way,
		    struct mime_facts *facts_r)
{
	struct mime_scan *scan = mime_scan_new();
	struct text header = mime_play_header(message), body;
	struct rfc5322_field field;
	struct rfc5322 reader;

	rfc5322_init(&reader, header.len);
	rfc5322_push(&reader, header);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD)
		mime_scan_field(scan, &field);
	rfc5322_free(&reader);
	feed(text_skip(message, header.len), way, scan_piece, scan);
	mime_scan_finish(scan, charset, facts_r);
	mime_scan_free(&scan);
}

struct converting {
	struct mime_convert *convert;
	struct buf *out;
	bool is_done;
};

static void convert_piece(void *ctx, struct text piece)
{
	struct converting *converting = ctx;

	converting->is_done &=
		mime_convert_body(converting->convert, piece, converting->out);
}

bool mime_play_convert(struct text message, const char *plan, bool to_7bit,
		       size_t way, struct buf *out)
{
	struct text header = mime_play_header(message);
	struct converting converting = { mime_convert_new(plan, to_7bit), out,
					 true };

	converting.is_done =
		mime_convert_header(converting.convert, header, out);
	feed(text_skip(message, header.len), way, convert_piece, &converting);
	converting.is_done &= mime_convert_finish(converting.convert, out);
	mime_convert_free(&converting.convert);
	return converting.is_done;
}

/* ---- properties ---- */

static bool has_same_parts(struct text a, struct text b)
{
	struct buf tree_a = BUF_INIT(ROOM), tree_b = BUF_INIT(ROOM);
	bool is_same;

	mime_tree_print(&tree_a, a);
	mime_tree_print(&tree_b, b);
	is_same = text_equal(buf_text(&tree_a), buf_text(&tree_b));
	buf_free(&tree_a);
	buf_free(&tree_b);
	return is_same;
}

/* A boundary that is too long for a line stays, and with it the need: then
 * mending changes nothing more. */
static bool is_settled(struct text out, const char *plan)
{
	struct buf again = BUF_INIT(ROOM);
	bool is_same;

	is_same = mime_play_convert(out, plan, false, MIME_PLAY_WHOLE,
				    &again) &&
		  text_equal(buf_text(&again), out);
	buf_free(&again);
	return is_same;
}

static const char *check_mended(struct text out, const char *plan, bool to_7bit)
{
	struct mime_facts facts;
	const char *wrong = NULL;

	mime_play_scan(out, "windows-1252", MIME_PLAY_WHOLE, &facts);
	if (mime_plan_applies(facts.plan, false) &&
	    !is_settled(out, facts.plan))
		wrong = "it needs to be mended again";
	else if (to_7bit && mime_plan_can_7bit(plan) && facts.has_8bit)
		wrong = "it is 8-bit";
	else if (!to_7bit && plan != NULL &&
		 facts.has_8bit != mime_plan_keeps_8bit(plan))
		wrong = "it is 8-bit, and should not be, or the reverse";
	free(facts.plan);
	return wrong;
}

static const char *check_output(struct text message, const char *plan,
				bool to_7bit, struct text whole,
				struct text split)
{
	if (!text_equal(whole, split))
		return "converted in pieces, it differs";
	if (!has_same_parts(message, whole))
		return "its parts differ";
	if (!mime_plan_applies(plan, to_7bit) && !text_equal(message, whole))
		return "it was touched without need";
	return check_mended(whole, plan, to_7bit);
}

static const char *check_conversion(struct text message, const char *plan,
				    bool to_7bit)
{
	struct buf whole = BUF_INIT(ROOM), split = BUF_INIT(ROOM);
	const char *wrong = "the output is full";

	if (mime_play_convert(message, plan, to_7bit, MIME_PLAY_WHOLE,
			      &whole) &&
	    mime_play_convert(message, plan, to_7bit, MIME_PLAY_BITS, &split))
		wrong = check_output(message, plan, to_7bit, buf_text(&whole),
				     buf_text(&split));
	buf_free(&whole);
	buf_free(&split);
	return wrong;
}

const char *mime_play_check(struct text message)
{
	struct mime_facts whole, split;
	const char *wrong = NULL;

	mime_play_scan(message, "windows-1252", MIME_PLAY_WHOLE, &whole);
	mime_play_scan(message, "windows-1252", MIME_PLAY_BITS, &split);
	if (!text_equal(text_of(whole.plan), text_of(split.plan)) ||
	    whole.longest_line != split.longest_line ||
	    whole.has_8bit != split.has_8bit)
		wrong = "scanned in pieces, it differs";
	if (wrong == NULL)
		wrong = check_conversion(message, whole.plan, false);
	if (wrong == NULL)
		wrong = check_conversion(message, whole.plan, true);
	free(whole.plan);
	free(split.plan);
	return wrong;
}
