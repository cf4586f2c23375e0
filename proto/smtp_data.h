/*
 * smtp_data -- mail data on the wire: dots, line ends, and where it ends.
 *
 * Reading.  Only CRLF "." CRLF ends the data, and only a line that follows a
 * real CRLF loses its leading dot (RFC 5321 4.5.2); a message may also be
 * empty: "." CRLF at once.  What comes out has CRLF line ends only: CR LF
 * stays, CR CR LF collapses, a lone CR or LF becomes CRLF.  So no byte
 * sequence reads as one message here and as two at the next server.
 *
 * For a device that cannot do better, lf_end lets LF "." LF (with or without CR
 * before the last LF) end the data as well, but only while it has held no CR at
 * all; until then a line that follows LF loses its leading dot, as such a device
 * doubled it.  Whatever follows in the session is then not read.
 *
 * Writing.  Input has CRLF line ends; each line that begins with a dot gets
 * another; the end adds CRLF if the last line lacks it, then "." CRLF.
 */
#ifndef PROTO_SMTP_DATA_H
#define PROTO_SMTP_DATA_H

#include "proto/buf.h"

/* What was met in the data, for policy and the log. */
struct smtp_data_stats {
	uint64_t octets;      /* that came out, line ends normalised */
	uint64_t bare_cr, bare_lf, nul;
	uint64_t has_8bit;    /* octets above 127 */
	uint64_t longest_line; /* without its end */
	bool lf_dot;          /* LF "." was met where CRLF "." would end it */
	bool lf_ended;        /* and was taken as the end */
};

enum smtp_data_state {
	SMTP_DATA_LINE,       /* inside a line */
	SMTP_DATA_CR,         /* after CR, nothing decided */
	SMTP_DATA_START,      /* after CRLF, or at the very beginning */
	SMTP_DATA_LF_START,   /* after a lone LF or CR: looks like a line start */
	SMTP_DATA_LF_DOT,     /* the same and ".", which ends nothing */
	SMTP_DATA_DOT,        /* after CRLF "." */
	SMTP_DATA_DOT_CR,     /* after CRLF "." CR */
	SMTP_DATA_END,        /* the end was read */
};

struct smtp_data_reader {
	enum smtp_data_state state;
	uint64_t line;        /* octets of the present line */
	bool lf_end;          /* set by the owner after init; the first CR
	                         clears it */
	struct smtp_data_stats stats;
};

void smtp_data_reader_init(struct smtp_data_reader *reader);
/* Take bytes off *input and yield the next piece of content: a view of the
 * input where it can be, static bytes where line ends are mended.  Returns 1
 * with a piece, 0 when the input is used up, -1 at the end of data (the rest
 * of *input are commands). */
int smtp_data_read(struct smtp_data_reader *reader, struct text *input,
                   struct text *piece_r);

struct smtp_data_writer {
	bool line_start, after_cr;
};

void smtp_data_writer_init(struct smtp_data_writer *writer);
/* Append to out with dots added; out must have room for twice the input. */
void smtp_data_write(struct smtp_data_writer *writer, struct buf *out,
                     struct text content);
void smtp_data_write_end(struct smtp_data_writer *writer, struct buf *out);

#endif
