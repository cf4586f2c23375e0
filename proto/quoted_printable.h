/*
 * quoted_printable -- RFC 2045 6.7, written as text streams past.
 *
 *     init -> add... -> finish
 *
 * Lines come out with at most 76 characters, soft line breaks between them.
 * None that begins behind a soft break looks like a boundary line.
 */
#ifndef PROTO_QUOTED_PRINTABLE_H
#define PROTO_QUOTED_PRINTABLE_H

#include "proto/buf.h"

struct quoted_printable {
	bool is_encoded;   /* the input is quoted-printable already */
	bool is_broken;    /* this line began behind a soft break */
	unsigned column;
	char held[2];      /* white space or CR; with is_encoded "=", "=C" */
	unsigned n_held;
	char *end;         /* where the output is being written */
};

/* is_encoded: long lines are broken, octets above 127 encoded, and all else is
 * kept. */
void quoted_printable_init(struct quoted_printable *qp, bool is_encoded);
/* Append what comes of the piece, at most four times its length and a few
 * octets; false, and nothing done, when out is full. */
bool quoted_printable_add(struct quoted_printable *qp, struct text piece,
                          struct buf *out);
/* The text is over; its last line may lack its end. */
bool quoted_printable_finish(struct quoted_printable *qp, struct buf *out);

#endif
