#include "proto/quoted_printable.h"

#include <string.h>

/* The soft break's "=" is the 76th.  A held octet or two, and a soft break, may
 * come out with any piece. */
enum { LINE_MAX_COLUMNS = 75, BLANK_MAX_COLUMNS = 990, HELD_ROOM = 16 };

void quoted_printable_init(struct quoted_printable *qp, bool is_encoded)
{
	*qp = (struct quoted_printable){ .is_encoded = is_encoded };
}

/* ---- writing ---- */

static void put(struct quoted_printable *qp, const char *octets, unsigned n)
{
	memcpy(qp->end, octets, n);
	qp->end += n;
	qp->column += n;
}

/* Octets that stay together on a line. */
static void put_together(struct quoted_printable *qp, const char *octets,
			 unsigned n)
{
	if (qp->column + n > LINE_MAX_COLUMNS) {
		put(qp, "=\r\n", 3);
		qp->column = 0;
		qp->is_broken = true;
	}
	put(qp, octets, n);
	qp->is_broken = false;
}

static void put_encoded(struct quoted_printable *qp, char c)
{
	static const char hex[] = "0123456789ABCDEF";
	char code[3] = { '=', hex[(unsigned char)c >> 4], hex[c & 15] };

	put_together(qp, code, sizeof code);
}

/* RFC 2046 5.1.1: a line of the content that was none may be a boundary now. */
static void put_literal(struct quoted_printable *qp, char c)
{
	if (c == '-' && (qp->is_broken || qp->column >= LINE_MAX_COLUMNS))
		put_encoded(qp, c);
	else
		put_together(qp, &c, 1);
}

static void put_line_end(struct quoted_printable *qp)
{
	put(qp, "\r\n", 2);
	qp->column = 0;
	qp->is_broken = false;
}

/* ---- text ---- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 2045 6.7 (1) to (3) */
static bool is_literal(char c)
{
	return (c >= '!' && c <= '~' && c != '=') || is_blank(c);
}

/* White space stays as it is unless it ends the line. */
static void put_held(struct quoted_printable *qp, bool at_line_end)
{
	char c = qp->held[0];

	if (qp->n_held == 0)
		return;
	qp->n_held = 0;
	if (is_blank(c) && !at_line_end)
		put_literal(qp, c);
	else
		put_encoded(qp, c);
}

static void encode(struct quoted_printable *qp, char c)
{
	if (c == '\n' && qp->n_held > 0 && qp->held[0] == '\r') {
		qp->n_held = 0;
		put_line_end(qp);
		return;
	}
	put_held(qp, c == '\r');
	if (c == '\r' || is_blank(c))
		qp->held[qp->n_held++] = c;
	else if (is_literal(c))
		put_literal(qp, c);
	else
		put_encoded(qp, c);
}

/* ---- what is quoted-printable already ---- */

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F') ||
	       (c >= 'a' && c <= 'f');
}

/* A "=" that encodes nothing is one that its sender forgot to encode. */
static void put_stray(struct quoted_printable *qp)
{
	put_encoded(qp, '=');
	if (qp->n_held > 1)
		put_literal(qp, qp->held[1]);
	qp->n_held = 0;
}

/* Behind "=" or "=C".  Returns whether c was a part of it. */
static bool continue_code(struct quoted_printable *qp, char c)
{
	char code[3] = { '=', qp->held[1], c };

	if (is_hex(c) && qp->n_held == 1) {
		qp->held[qp->n_held++] = c;
		return true;
	}
	if (is_hex(c)) {
		put_together(qp, code, sizeof code);
		qp->n_held = 0;
		return true;
	}
	if (qp->n_held > 1 || (c != '\r' && c != '\n' && !is_blank(c))) {
		put_stray(qp);
		return false;
	}
	put(qp, "=", 1); /* a soft break, padded maybe */
	qp->n_held = 0;
	return false;
}

/* White space at the end of a line means nothing, nor does it between a soft
 * break's "=" and the end: no break may make it mean something. */
static void keep(struct quoted_printable *qp, char c)
{
	if (qp->n_held > 0 && continue_code(qp, c))
		return;
	if (c == '=') {
		qp->held[qp->n_held++] = c;
	} else if (c == '\r' || c == '\n') {
		*qp->end++ = c;
		qp->column = 0;
		qp->is_broken = false;
	} else if (is_blank(c) && qp->column < BLANK_MAX_COLUMNS) {
		put(qp, &c, 1);
	} else if ((unsigned char)c > 127) {
		put_encoded(qp, c);
	} else {
		put_literal(qp, c);
	}
}

/* ---- the stream ---- */

static bool begin(struct quoted_printable *qp, struct buf *out, size_t len)
{
	qp->end = buf_room(out, 4 * len + HELD_ROOM);
	return qp->end != NULL;
}

static void end(struct quoted_printable *qp, struct buf *out)
{
	buf_added(out, (size_t)(qp->end - (out->data + out->end)));
	qp->end = NULL;
}

bool quoted_printable_add(struct quoted_printable *qp, struct text piece,
			  struct buf *out)
{
	if (!begin(qp, out, piece.len))
		return false;
	for (size_t i = 0; i < piece.len; i++) {
		if (qp->is_encoded)
			keep(qp, piece.data[i]);
		else
			encode(qp, piece.data[i]);
	}
	end(qp, out);
	return true;
}

bool quoted_printable_finish(struct quoted_printable *qp, struct buf *out)
{
	if (!begin(qp, out, 0))
		return false;
	if (!qp->is_encoded)
		put_held(qp, true);
	else if (qp->n_held == 1)
		put(qp, "=", 1);
	else if (qp->n_held == 2)
		put_stray(qp);
	qp->n_held = 0;
	end(qp, out);
	return true;
}
