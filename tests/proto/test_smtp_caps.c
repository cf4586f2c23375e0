#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/smtp_caps.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

#define CAP(name) SMTP_CAP(name)

static const struct {
	const char *name;
	struct text text;
	unsigned set;
	uint64_t max_size;
	const char *mechanisms;
} offers[] = {
	{ "Microsoft 365 before TLS",
	  BYTES("AM0PR.outlook.office365.com Hello [192.0.2.7]\n"
		"SIZE 157286400\nPIPELINING\nDSN\nENHANCEDSTATUSCODES\n"
		"STARTTLS\n8BITMIME\nBINARYMIME\nCHUNKING\nSMTPUTF8"),
	  CAP(SIZE) | CAP(PIPELINING) | CAP(DSN) | CAP(ENHANCEDSTATUSCODES) |
		  CAP(STARTTLS) | CAP(8BITMIME) | CAP(BINARYMIME) |
		  CAP(CHUNKING) | CAP(SMTPUTF8),
	  157286400, "" },
	{ "login offered", BYTES("x\nAUTH LOGIN XOAUTH2"), CAP(AUTH), 0,
	  "LOGIN XOAUTH2" },
	{ "old form", BYTES("x\nAUTH=LOGIN PLAIN"), CAP(AUTH), 0,
	  "LOGIN PLAIN" },
	{ "both forms are merged",
	  BYTES("x\nAUTH PLAIN LOGIN\nAUTH=LOGIN plain ntlm"), CAP(AUTH), 0,
	  "PLAIN LOGIN NTLM" },
	{ "any case", BYTES("x\nauth login\nStartTLS\nsize 10"),
	  CAP(AUTH) | CAP(STARTTLS) | CAP(SIZE), 10, "LOGIN" },
	{ "size without a limit", BYTES("x\nSIZE"), CAP(SIZE), 0, "" },
	{ "size of zero", BYTES("x\nSIZE 0"), CAP(SIZE), 0, "" },
	{ "nonsense size", BYTES("x\nSIZE lots"), CAP(SIZE), 0, "" },
	{ "huge size", BYTES("x\nSIZE 99999999999999999999"), CAP(SIZE), 0,
	  "" },
	{ "auth without a mechanism", BYTES("x\nAUTH"), CAP(AUTH), 0, "" },
	{ "odd mechanisms", BYTES("x\nAUTH  LOGIN  PL\x01IN CRAM-MD5 "),
	  CAP(AUTH), 0, "LOGIN CRAM-MD5" },
	{ "the name is not a keyword", BYTES("STARTTLS\nDSN"), CAP(DSN), 0,
	  "" },
	{ "longer words are others", BYTES("x\nSTARTTLSX\nXSTARTTLS\nSIZE=5"),
	  0, 0, "" },
	{ "odd spaces", BYTES("x\n  STARTTLS  \n\tSIZE\t5"), CAP(STARTTLS), 0,
	  "" },
	{ "the name alone", BYTES("x"), 0, 0, "" },
	{ "nothing", BYTES(""), 0, 0, "" },
};

static void test_parses(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(offers); i++) {
		struct guarded text = guarded_copy(offers[i].text);
		struct smtp_reply reply = { .code = 250, .text = text.text };
		struct smtp_caps caps;

		smtp_caps_parse(&caps, &reply);
		guarded_free(&text);
		if (caps.set != offers[i].set ||
		    caps.max_size != offers[i].max_size)
			fail_msg("%s: %#x", offers[i].name, caps.set);
		assert_string_equal(caps.mechanisms, offers[i].mechanisms);
	}
}

static void test_too_many_mechanisms_are_left_out(void **state)
{
	struct buf text = BUF_INIT(100000);
	struct smtp_reply reply = { .code = 250 };
	struct smtp_caps caps;

	(void)state;
	buf_puts(&text, "x\nAUTH");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, " MECHANISM-%d", i);
	buf_puts(&text, " A");
	reply.text = buf_text(&text);
	smtp_caps_parse(&caps, &reply);
	assert_true(strlen(caps.mechanisms) < sizeof(caps.mechanisms));
	assert_true(smtp_caps_has_mechanism(&caps, "mechanism-0"));
	assert_false(smtp_caps_has_mechanism(&caps, "MECHANISM-999"));
	assert_false(smtp_caps_has_mechanism(&caps, "MECHANISM"));
	assert_false(smtp_caps_has_mechanism(&caps, ""));
	buf_free(&text);
}

static const struct {
	struct smtp_caps caps;
	struct text text;
} printed[] = {
	{ { .set = 0 }, BYTES("") },
	{ { .set = CAP(SIZE) | CAP(8BITMIME) | CAP(PIPELINING),
	    .max_size = 36700160 },
	  BYTES("PIPELINING\n8BITMIME\nSIZE 36700160") },
	{ { .set = CAP(SIZE) | CAP(AUTH), .mechanisms = "PLAIN LOGIN" },
	  BYTES("SIZE\nAUTH PLAIN LOGIN") },
};

static void test_prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(printed); i++) {
		struct buf out = BUF_INIT(1000);

		smtp_caps_print(&out, &printed[i].caps);
		assert_bytes("caps", buf_text(&out), printed[i].text);
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parses),
		cmocka_unit_test(test_too_many_mechanisms_are_left_out),
		cmocka_unit_test(test_prints),
	};

	return cmocka_run_group_tests_name("smtp_caps", tests, NULL, NULL);
}
