#include "proto/smtp_params.h"

#include "proto/smtp_syntax.h"

/* A keyword, and how to read its value ("" without one): false when broken.
 * The value is one esmtp-value or nothing. */
struct param {
	const char *keyword;
	unsigned offer; /* the SMTP_CAP() that offers it */
	bool (*read)(struct text value, void *params);
	const char *broken;
};

static bool is_all_digits(struct text text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.len > 0;
}

/* RFC 1870 3:  size-value = 1*20DIGIT; a hint, and no worse when missing */
static bool read_size(struct text value, void *params)
{
	struct smtp_mail_params *mail = params;

	if (!is_all_digits(value)) {
		mail->ignored = true;
		return true;
	}
	if (!text_to_u64(value, &mail->size))
		mail->size = UINT64_MAX;
	mail->has_size = true;
	return true;
}

static bool read_body(struct text value, void *params)
{
	struct smtp_mail_params *mail = params;

	if (text_is(value, "7BIT"))
		mail->body = SMTP_BODY_7BIT;
	else if (text_is(value, "8BITMIME"))
		mail->body = SMTP_BODY_8BITMIME;
	else
		return false;
	return true;
}

static bool read_smtputf8(struct text value, void *params)
{
	struct smtp_mail_params *mail = params;

	mail->smtputf8 = true;
	return value.len == 0;
}

static bool read_ret(struct text value, void *params)
{
	(void)params;
	return text_is(value, "FULL") || text_is(value, "HDRS");
}

static bool read_something(struct text value, void *params)
{
	(void)params;
	return value.len > 0;
}

/* RFC 3461 4.1:  notify-list-element = "SUCCESS" / "FAILURE" / "DELAY" */
static bool is_notify_list(struct text value)
{
	struct text word = text_of("");

	while (text_token(&value, ',', &word))
		if (!text_is(word, "SUCCESS") && !text_is(word, "FAILURE") &&
		    !text_is(word, "DELAY"))
			return false;
	return word.len > 0;
}

/* Mail libraries send it empty or malformed, and nothing hangs on it. */
static bool read_notify(struct text value, void *params)
{
	struct smtp_rcpt_params *rcpt = params;

	rcpt->notify_never = text_is(value, "NEVER");
	rcpt->ignored |= !rcpt->notify_never && !is_notify_list(value);
	return true;
}

static const struct param mail_params[] = {
	{ "SIZE", SMTP_CAP(SIZE), read_size, "" },
	{ "BODY", SMTP_CAP(8BITMIME), read_body,
	  "BODY takes 7BIT or 8BITMIME" },
	{ "AUTH", SMTP_CAP(AUTH), read_something,
	  "AUTH takes an address or <>" },
	{ "SMTPUTF8", SMTP_CAP(SMTPUTF8), read_smtputf8,
	  "SMTPUTF8 takes no value" },
	{ "RET", SMTP_CAP(DSN), read_ret, "RET takes FULL or HDRS" },
	{ "ENVID", SMTP_CAP(DSN), read_something, "ENVID takes a value" },
	{ 0 },
};

static const struct param rcpt_params[] = {
	{ "NOTIFY", SMTP_CAP(DSN), read_notify, "" },
	{ "ORCPT", SMTP_CAP(DSN), read_something, "ORCPT takes an address" },
	{ 0 },
};

static bool refuse(struct smtp_reply *reply_r, int code, const char *text)
{
	*reply_r = smtp_reply_make(code, "5.5.4", text);
	return false;
}

/* RFC 5321 4.1.2:  esmtp-param = esmtp-keyword ["=" esmtp-value] */
static bool read_param(const struct param *table, struct text token,
		       void *params, unsigned *needs,
		       struct smtp_reply *reply_r)
{
	struct text value = token, keyword = text_of("");

	text_token(&value, '=', &keyword);
	if (!smtp_is_keyword(keyword) ||
	    (value.len > 0 && !smtp_is_esmtp_value(value)))
		return refuse(reply_r, 501,
			      "A parameter behind the address is "
			      "malformed");
	while (table->keyword != NULL && !text_is(keyword, table->keyword))
		table++;
	if (table->keyword == NULL)
		return refuse(reply_r, 555,
			      "A parameter behind the address is "
			      "not known here");
	*needs |= table->offer;
	return table->read(value, params) ||
	       refuse(reply_r, 501, table->broken);
}

static bool read_params(const struct param *table, struct text rest,
			void *params, unsigned *needs,
			struct smtp_reply *reply_r)
{
	struct text token;

	while (text_token(&rest, ' ', &token)) {
		token = text_trim(token);
		if (token.len > 0 &&
		    !read_param(table, token, params, needs, reply_r))
			return false;
	}
	return true;
}

bool smtp_mail_params_parse(struct text rest, struct smtp_mail_params *params_r,
			    struct smtp_reply *reply_r)
{
	*params_r = (struct smtp_mail_params){ 0 };
	return read_params(mail_params, rest, params_r, &params_r->needs,
			   reply_r);
}

bool smtp_rcpt_params_parse(struct text rest, struct smtp_rcpt_params *params_r,
			    struct smtp_reply *reply_r)
{
	*params_r = (struct smtp_rcpt_params){ 0 };
	return read_params(rcpt_params, rest, params_r, &params_r->needs,
			   reply_r);
}
