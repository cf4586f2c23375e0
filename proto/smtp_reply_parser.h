/*
 * smtp_reply_parser -- bytes from a server to replies, bounded.
 *
 *     RFC 5321 4.2:  *( code "-" [text] CRLF ) code [ SP text ] CRLF
 *
 * A code alone is a reply; a lone LF ends a line too; the last line's code
 * decides where lines disagree.  Limits: 4096 octets a line, 128 lines, 64 KiB
 * in all; beyond them, or without three digits, the peer does not speak SMTP.
 */
#ifndef PROTO_SMTP_REPLY_PARSER_H
#define PROTO_SMTP_REPLY_PARSER_H

#include "proto/smtp_reply.h"

struct smtp_reply_parser {
	struct buf line, text;
	unsigned lines;
	bool done;             /* the last push completed a reply */
	struct smtp_status status;
};

void smtp_reply_parser_init(struct smtp_reply_parser *parser);
void smtp_reply_parser_free(struct smtp_reply_parser *parser);

/* Take bytes off the front of *input.  Returns 1 with a reply (valid until the
 * next push; the rest of *input is untouched), 0 when more is needed, -1 when
 * it is not SMTP. */
int smtp_reply_parser_push(struct smtp_reply_parser *parser,
                           struct text *input, struct smtp_reply *reply_r);
/* True between replies: no byte of one has been read. */
bool smtp_reply_parser_idle(const struct smtp_reply_parser *parser);
/* What has been read of an unfinished line, for error messages. */
struct text smtp_reply_parser_rest(const struct smtp_reply_parser *parser);

#endif
