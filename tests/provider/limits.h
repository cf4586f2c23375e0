/*
 * limits -- how fast one may send: what Microsoft 365 allows, in its words.
 *
 *     --limits "minute=30 day=10000 connections=3 recipients=500"
 *
 * What is over a limit is refused and counted; the count is printed with the
 * others as refused=.  minute: messages in any 60 s; day: recipients in all;
 * connections: at the end of a message; recipients: of one message.
 */
#ifndef TESTS_PROVIDER_LIMITS_H
#define TESTS_PROVIDER_LIMITS_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/smtp_reply.h"

struct limits {
	uint64_t minute, day, connections, recipients; /* 0: none */
	uint64_t *times;     /* of the last messages, a ring of `minute` */
	uint64_t taken, sent_to, refused;
};

/* False: a word is not understood. */
bool limits_parse(struct limits *limits, struct text list);
void limits_free(struct limits *limits);

/* May it have one recipient more than n? */
bool limits_recipient(struct limits *limits, size_t n,
                      struct smtp_reply *refusal_r);
/* May a message to so many go now, with so many connections open?  It is
 * counted if it may. */
bool limits_message(struct limits *limits, size_t recipients,
                    uint64_t connections, uint64_t now_ms,
                    struct smtp_reply *refusal_r);

#endif
