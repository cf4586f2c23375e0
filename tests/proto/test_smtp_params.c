#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/smtp_params.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

/* code: of the refusal, 0 when there is none. */
static const struct {
	struct text rest;
	int code;
	struct smtp_mail_params params;
} mails[] = {
	{ BYTES(""), 0, { 0 } },
	/* Q29: all that is known is taken, offered or not. */
	{ BYTES("SIZE=1000 BODY=8BITMIME AUTH=<> SMTPUTF8"),
	  0,
	  { .has_size = true,
	    .size = 1000,
	    .body = SMTP_BODY_8BITMIME,
	    .smtputf8 = true,
	    .needs = SMTP_CAP(SIZE) | SMTP_CAP(8BITMIME) | SMTP_CAP(AUTH) |
		     SMTP_CAP(SMTPUTF8) } },
	{ BYTES("  size=0   body=7bit  "),
	  0,
	  { .has_size = true,
	    .body = SMTP_BODY_7BIT,
	    .needs = SMTP_CAP(SIZE) | SMTP_CAP(8BITMIME) } },
	{ BYTES("SIZE=18446744073709551616"),
	  0,
	  { .has_size = true, .size = UINT64_MAX, .needs = SMTP_CAP(SIZE) } },
	{ BYTES("SIZE=99999999999999999999999999999999"),
	  0,
	  { .has_size = true, .size = UINT64_MAX, .needs = SMTP_CAP(SIZE) } },
	{ BYTES("RET=HDRS ENVID=QQ314159"), 0, { .needs = SMTP_CAP(DSN) } },
	{ BYTES("AUTH=e+3Dmc2@example.com"), 0, { .needs = SMTP_CAP(AUTH) } },
	/* Q30: a hint that makes no sense is none. */
	{ BYTES("SIZE=5e20"), 0, { .needs = SMTP_CAP(SIZE), .ignored = true } },
	{ BYTES("SIZE=-1"), 0, { .needs = SMTP_CAP(SIZE), .ignored = true } },
	{ BYTES("SIZE="), 0, { .needs = SMTP_CAP(SIZE), .ignored = true } },
	{ BYTES("SIZE"), 0, { .needs = SMTP_CAP(SIZE), .ignored = true } },
	{ BYTES("BODY=BINARYMIME"), 501, { 0 } },
	{ BYTES("BODY"), 501, { 0 } },
	{ BYTES("SMTPUTF8=yes"), 501, { 0 } },
	{ BYTES("RET=ALL"), 501, { 0 } },
	{ BYTES("SIZE=1=2"), 501, { 0 } },
	{ BYTES("=1"), 501, { 0 } },
	{ BYTES("<b@c>"), 501, { 0 } },
	{ BYTES("SIZE=1\0"), 501, { 0 } },
	{ BYTES("SIZE=1\r\nRCPT"), 501, { 0 } },
	{ BYTES("ENVID=a\x80"), 501, { 0 } },
	{ BYTES("XYZZY"), 555, { 0 } },
	{ BYTES("XYZZY=1"), 555, { 0 } },
	{ BYTES("SIZE=1 NOTIFY=NEVER"), 555, { 0 } },
};

static void test_mail(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mails); i++) {
		struct guarded rest = guarded_copy(mails[i].rest);
		const struct smtp_mail_params *expected = &mails[i].params;
		struct smtp_mail_params params;
		struct smtp_reply reply = { 0 };
		bool taken = smtp_mail_params_parse(rest.text, &params, &reply);

		guarded_free(&rest);
		if (taken != (mails[i].code == 0) ||
		    reply.code != mails[i].code)
			fail_msg("%.*s: %d", TEXT_ARG(mails[i].rest),
				 reply.code);
		if (!taken) {
			assert_true(smtp_status_is(&reply.status, "5.5.4"));
			assert_true(reply.text.len > 0);
			continue;
		}
		assert_int_equal(params.has_size, expected->has_size);
		assert_true(params.size == expected->size);
		assert_int_equal(params.body, expected->body);
		assert_int_equal(params.smtputf8, expected->smtputf8);
		assert_int_equal(params.needs, expected->needs);
		assert_int_equal(params.ignored, expected->ignored);
	}
}

static const struct {
	struct text rest;
	int code;
	bool notify_never, ignored;
} rcpts[] = {
	{ BYTES(""), 0, false, false },
	{ BYTES("NOTIFY=NEVER"), 0, true, false },
	{ BYTES("notify=never ORCPT=rfc822;a+2Bb@c"), 0, true, false },
	{ BYTES("NOTIFY=SUCCESS,FAILURE"), 0, false, false },
	/* Q29: mail libraries send it so; nothing hangs on it. */
	{ BYTES("NOTIFY="), 0, false, true },
	{ BYTES("NOTIFY"), 0, false, true },
	{ BYTES("NOTIFY=SOMETIMES"), 0, false, true },
	{ BYTES("NOTIFY=NEVER,FAILURE"), 0, false, true },
	{ BYTES("ORCPT="), 501, false, false },
	{ BYTES("SIZE=1"), 555, false, false },
	{ BYTES("X=1"), 555, false, false },
	{ BYTES("a@b"), 501, false, false },
};

static void test_rcpt(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rcpts); i++) {
		struct guarded rest = guarded_copy(rcpts[i].rest);
		struct smtp_rcpt_params params;
		struct smtp_reply reply = { 0 };
		bool taken = smtp_rcpt_params_parse(rest.text, &params, &reply);

		guarded_free(&rest);
		if (taken != (rcpts[i].code == 0) ||
		    reply.code != rcpts[i].code)
			fail_msg("%.*s: %d", TEXT_ARG(rcpts[i].rest),
				 reply.code);
		if (!taken)
			continue;
		assert_int_equal(params.notify_never, rcpts[i].notify_never);
		assert_int_equal(params.ignored, rcpts[i].ignored);
		assert_int_equal(params.needs,
				 rcpts[i].rest.len > 0 ? SMTP_CAP(DSN) : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mail),
		cmocka_unit_test(test_rcpt),
	};

	return cmocka_run_group_tests_name("smtp_params", tests, NULL, NULL);
}
