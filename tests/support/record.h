/*
 * record -- what an engine said and told, one line each, for comparison.
 *
 *     S: 250 2.1.0 Ok          bytes for the peer, without CRLF
 *     E: MAIL <a@b>            an event
 *     D: Subject: x            mail data that came out whole
 *
 * Lines are escaped: \r \n \t \\ and \x00; one that does not end in CRLF ends
 * in a backslash.  Mail data shows when its transaction ends well, in one run,
 * however it was cut; of one that is reset, nothing shows.
 *
 * Between two cuts the events come first and the output behind them: which of
 * two calls returned first is nobody's business.  A question is a cut.
 */
#ifndef TESTS_SUPPORT_RECORD_H
#define TESTS_SUPPORT_RECORD_H

#include "proto/buf.h"

struct record {
	struct buf lines;   /* up to the last cut */
	struct buf events, output, content;
	char output_mark;   /* 'S', or 'C' for a client */
};

void record_init(struct record *record, char output_mark);
void record_free(struct record *record);

void record_event(struct record *record, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void record_output(struct record *record, const void *data, size_t len);
void record_content(struct record *record, struct text piece);
void record_content_done(struct record *record, bool kept);
void record_cut(struct record *record);

/* Append bytes escaped; as lines with "X: " before each. */
void record_escape(struct buf *out, struct text text);
void record_print(struct buf *out, char mark, struct text bytes);

#endif
