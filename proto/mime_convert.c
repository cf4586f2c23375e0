#include "proto/mime_convert.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base64.h"
#include "proto/field_repair.h"
#include "proto/mime_plan.h"
#include "proto/quoted_printable.h"
#include "proto/xalloc.h"

enum { MENDED_FIELD_MAX = (FIELD_REPAIR_GROWTH + 1) * MIME_HEADER_MAX };

/* What becomes of the octets of a part's content, or of a multipart's frame. */
enum coding { AS_IT_IS, WRAP_BASE64, TO_BASE64, WRAP_QP, TO_QP, MEND_FRAME };

struct mime_convert {
	struct mime_walk walk;
	struct mime_plan plan;
	bool to_7bit;
	enum coding coding;
	struct quoted_printable qp;
	struct base64_lines base64;
	unsigned column;
};

struct mime_convert *mime_convert_new(const char *plan, bool to_7bit)
{
	struct mime_convert *convert = xcalloc(1, sizeof *convert);

	mime_walk_init(&convert->walk);
	mime_plan_parse(&convert->plan, plan);
	convert->to_7bit = to_7bit;
	return convert;
}

void mime_convert_free(struct mime_convert **convert)
{
	if (*convert == NULL)
		return;
	mime_walk_free(&(*convert)->walk);
	free(*convert);
	*convert = NULL;
}

static unsigned needs_of(const struct mime_convert *convert, unsigned part)
{
	return mime_needs_now(convert->plan.parts[part], convert->to_7bit);
}

/* ---- content and frame ---- */

static enum coding coding_of(const struct mime_entity *entity, unsigned needs)
{
	if ((needs & (MIME_NEED(LINES) | MIME_NEED(EIGHT_BIT))) == 0 ||
	    (entity->kind != MIME_TEXT && entity->kind != MIME_OTHER))
		return AS_IT_IS;
	if (entity->encoding == MIME_BASE64)
		return WRAP_BASE64;
	if (entity->encoding == MIME_QUOTED_PRINTABLE)
		return WRAP_QP;
	if (!mime_entity_is_plain(entity))
		return AS_IT_IS;
	return entity->kind == MIME_TEXT ? TO_QP : TO_BASE64;
}

static void begin_coding(struct mime_convert *convert, enum coding coding)
{
	convert->coding = coding;
	convert->base64 = (struct base64_lines){ 0 };
	convert->column = 0;
	quoted_printable_init(&convert->qp, coding == WRAP_QP);
}

/* Nobody reads what stands between the parts.  A line begun here begins with a
 * space, so that it is no boundary line. */
static bool mend_frame(struct mime_convert *convert, struct text piece,
		       struct buf *out)
{
	char *room = buf_room(out, 4 * piece.len), *end = room;

	if (room == NULL)
		return false;
	for (size_t i = 0; i < piece.len; i++) {
		char c = piece.data[i];

		if ((unsigned char)c > 127 && convert->to_7bit)
			c = '?';
		if (c == '\n') {
			convert->column = 0;
		} else if (c != '\r' && ++convert->column > MIME_LINE_MAX) {
			memcpy(end, "\r\n ", 3);
			end += 3;
			convert->column = 2;
		}
		*end++ = c;
	}
	buf_added(out, (size_t)(end - room));
	return true;
}

static bool code(struct mime_convert *convert, struct text piece,
		 struct buf *out)
{
	switch (convert->coding) {
	case WRAP_BASE64:
		return base64_wrap(&convert->column, piece, out);
	case TO_BASE64:
		return base64_lines_add(&convert->base64, piece, out);
	case WRAP_QP:
	case TO_QP:
		return quoted_printable_add(&convert->qp, piece, out);
	case MEND_FRAME:
		return mend_frame(convert, piece, out);
	case AS_IT_IS:
		break;
	}
	return buf_text_append(out, piece);
}

static bool finish_coding(struct mime_convert *convert, struct buf *out)
{
	enum coding coding = convert->coding;

	convert->coding = AS_IT_IS;
	if (coding == TO_BASE64)
		return base64_lines_finish(&convert->base64, out);
	if (coding == WRAP_QP || coding == TO_QP)
		return quoted_printable_finish(&convert->qp, out);
	return true;
}

/* ---- headers ---- */

/* The part gets a label of ours; its own goes. */
static bool is_relabelled(const struct mime_convert *convert, unsigned needs)
{
	return mime_entity_is_plain(&convert->walk.entity) &&
	       (needs &
		(MIME_NEED(LINES) | MIME_NEED(EIGHT_BIT) | MIME_NEED(DECLARE) |
		 MIME_NEED(BINARY) | MIME_NEED(LABEL))) != 0;
}

static enum mime_kind read_type(struct mime_entity *entity, struct text value)
{
	struct rfc5322_field field = { .name = text_of("Content-Type"),
				       .value = value };

	mime_entity_init(entity, false);
	mime_entity_field(entity, &field);
	return entity->kind == MIME_OTHER ? MIME_TEXT : entity->kind;
}

/* Parts are found by the boundary: a repair may not change how it is read. */
static bool is_same_type(const struct rfc5322_field *field, struct text mended)
{
	struct mime_entity before, behind;
	struct text name;

	return text_token(&mended, ':', &name) &&
	       read_type(&before, field->value) == read_type(&behind, mended) &&
	       text_equal(text_make(before.boundary, before.boundary_len),
			  text_make(behind.boundary, behind.boundary_len));
}

static void without_8bit(struct text raw, struct buf *out)
{
	for (size_t i = 0; i < raw.len; i++)
		buf_putc(out, (unsigned char)raw.data[i] > 127 ? '?'
							      : raw.data[i]);
}

/* Where encoding would move the boundary, "?" stands for what is 8-bit.  In a
 * boundary itself nothing may be (RFC 2046 5.1.1), and nobody finds its parts. */
static bool put_plain(struct mime_convert *convert,
		      const struct rfc5322_field *field, struct buf *out)
{
	struct buf plain = BUF_INIT(field->raw.len);
	struct buf folded = BUF_INIT(MENDED_FIELD_MAX);
	struct rfc5322_field copy;
	struct text best;
	bool is_done;

	without_8bit(field->raw, &plain);
	rfc5322_field_make(&copy, buf_text(&plain));
	field_repair(&folded, &copy, convert->plan.charset);
	best = is_same_type(field, buf_text(&folded)) ? buf_text(&folded)
						      : buf_text(&plain);
	is_done = buf_text_append(out, best);
	buf_free(&plain);
	buf_free(&folded);
	return is_done;
}

static bool put_mended(struct mime_convert *convert,
		       const struct rfc5322_field *field, struct buf *out)
{
	struct buf mended = BUF_INIT(MENDED_FIELD_MAX);
	bool is_done;

	field_repair(&mended, field, convert->plan.charset);
	if (rfc5322_field_is(field, "Content-Type") &&
	    !is_same_type(field, buf_text(&mended)))
		is_done = put_plain(convert, field, out);
	else
		is_done = buf_text_append(out, buf_text(&mended));
	buf_free(&mended);
	return is_done;
}

static bool put_field(struct mime_convert *convert, unsigned part,
		      const struct rfc5322_field *field, struct buf *out)
{
	unsigned needs = needs_of(convert, part);

	if (is_relabelled(convert, needs) &&
	    rfc5322_field_is(field, "Content-Transfer-Encoding"))
		return true;
	if ((needs & MIME_NEED(HEADER)) == 0 ||
	    (field_needs(field) &
	     (FIELD_REPAIR(EIGHT_BIT) | FIELD_REPAIR(LONG))) == 0)
		return buf_text_append(out, field->raw);
	return put_mended(convert, field, out);
}

static const char *label_of(const struct mime_convert *convert)
{
	if (convert->coding == TO_QP)
		return "quoted-printable";
	if (convert->coding == TO_BASE64)
		return "base64";
	return convert->to_7bit ? "7bit" : "8bit";
}

static bool put_declaration(struct mime_convert *convert, struct buf *out)
{
	bool is_done = true;

	if (!convert->walk.entity.has_version)
		is_done = buf_puts(out, "MIME-Version: 1.0\r\n");
	if (!convert->walk.entity.has_type &&
	    (convert->plan.parts[0] & MIME_NEED(DECLARE)) != 0)
		is_done &= buf_printf(
			out, "Content-Type: text/plain; charset=%s\r\n",
			convert->plan.charset);
	return is_done;
}

static bool message_gets_field(const struct mime_convert *convert,
			       unsigned part)
{
	return convert->walk.entity.kind == MIME_MESSAGE &&
	       needs_of(convert, part + 1) != 0;
}

/* The header ends with an empty line where it got one more field, or where
 * what follows is encoded: that was no field, but may look like one then. */
static bool end_header(struct mime_convert *convert, unsigned part,
		       struct text raw, struct buf *out)
{
	unsigned needs = needs_of(convert, part);

	begin_coding(convert, coding_of(&convert->walk.entity, needs));
	if (!is_relabelled(convert, needs)) {
		if (raw.len == 0 && (convert->coding != AS_IT_IS ||
				     message_gets_field(convert, part)))
			raw = text_of("\r\n");
		return buf_text_append(out, raw);
	}
	if (part == 0 && !put_declaration(convert, out))
		return false;
	return buf_printf(out, "Content-Transfer-Encoding: %s\r\n\r\n",
			  label_of(convert));
}

bool mime_convert_header(struct mime_convert *convert, struct text header,
			 struct buf *out)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;
	bool is_done = true;

	rfc5322_init(&reader, header.len);
	rfc5322_push(&reader, header);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD) {
		mime_walk_root(&convert->walk, &field);
		is_done &= put_field(convert, 0, &field, out);
	}
	rfc5322_free(&reader);
	mime_walk_begin(&convert->walk);
	return end_header(convert, 0, text_of("\r\n"), out) && is_done;
}

bool mime_header_is_signed(struct text header)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;
	bool is_signed = false;

	rfc5322_init(&reader, header.len);
	rfc5322_push(&reader, header);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD)
		is_signed |= rfc5322_field_is(&field, "DKIM-Signature");
	rfc5322_free(&reader);
	return is_signed;
}

/* ---- the body ---- */

static bool put_frame(struct mime_convert *convert,
		      const struct mime_item *item, struct buf *out)
{
	unsigned needs = needs_of(convert, item->part) &
			 (MIME_NEED(FRAME_LINES) | MIME_NEED(FRAME_8BIT));

	if (needs != 0 && convert->coding == AS_IT_IS)
		begin_coding(convert, MEND_FRAME);
	return code(convert, item->raw, out);
}

static bool put_item(struct mime_convert *convert, const struct mime_item *item,
		     struct buf *out)
{
	switch (item->type) {
	case MIME_FIELD:
		return put_field(convert, item->part, &item->field, out);
	case MIME_HEADER_END:
		return end_header(convert, item->part, item->raw, out);
	case MIME_CONTENT:
		return code(convert, item->raw, out);
	case MIME_FRAME:
		return put_frame(convert, item, out);
	case MIME_DELIMITER:
		return finish_coding(convert, out) &&
		       buf_text_append(out, item->raw);
	case MIME_BEYOND:
	case MIME_NONE:
		break;
	}
	return buf_text_append(out, item->raw);
}

static bool put_items(struct mime_convert *convert, struct buf *out)
{
	struct mime_item item;

	while (mime_walk_next(&convert->walk, &item) != MIME_NONE)
		if (!put_item(convert, &item, out))
			return false;
	return true;
}

bool mime_convert_body(struct mime_convert *convert, struct text piece,
		       struct buf *out)
{
	mime_walk_push(&convert->walk, piece);
	return put_items(convert, out);
}

bool mime_convert_finish(struct mime_convert *convert, struct buf *out)
{
	mime_walk_finish(&convert->walk);
	if (!put_items(convert, out) || !finish_coding(convert, out))
		return false;
	return convert->base64.column == 0 || buf_puts(out, "\r\n");
}
