/*
 * smtp_trace -- a look at the dialogue, line by line, with secrets masked by
 * the engine that knows them: what follows AUTH never gets here.
 */
#ifndef PROTO_SMTP_TRACE_H
#define PROTO_SMTP_TRACE_H

#include "proto/text.h"

enum smtp_side { SMTP_SIDE_CLIENT, SMTP_SIDE_SERVER };

/* line: without its end.  Mail data is not traced, nor what a server says that
 * is no reply.  Valid during the call. */
struct smtp_trace {
	void (*line)(void *ctx, enum smtp_side said_by, struct text line);
	void *ctx;
};

#endif
