/*
 * smtp_params -- the ESMTP parameters behind a path (RFC 5321 4.1.2).
 *
 * Known and harmless ones are accepted whether they were offered or not,
 * since devices send them after HELO too, and a SIZE or NOTIFY that makes no
 * sense is passed over; an unknown one is answered 555, a broken value 501
 * (RFC 5321 4.1.1.11).
 *
 * SIZE RFC 1870, BODY RFC 6152, AUTH RFC 4954, RET ENVID NOTIFY ORCPT
 * RFC 3461, SMTPUTF8 RFC 6531.
 */
#ifndef PROTO_SMTP_PARAMS_H
#define PROTO_SMTP_PARAMS_H

#include "proto/smtp_caps.h"

enum smtp_body { SMTP_BODY_UNSAID, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

struct smtp_mail_params {
	bool has_size;
	uint64_t size;        /* octets, a hint only; UINT64_MAX: beyond any */
	enum smtp_body body;
	bool smtputf8;
	unsigned needs;       /* SMTP_CAP() bits of what offers those given */
	bool ignored;         /* one made no sense and was passed over */
};

struct smtp_rcpt_params {
	bool notify_never;    /* NOTIFY=NEVER */
	unsigned needs;
	bool ignored;
};

/* Returns true, or false with the reply that says what is wrong in *reply_r
 * (its text is static). */
bool smtp_mail_params_parse(struct text rest, struct smtp_mail_params *params_r,
                            struct smtp_reply *reply_r);
bool smtp_rcpt_params_parse(struct text rest, struct smtp_rcpt_params *params_r,
                            struct smtp_reply *reply_r);

#endif
