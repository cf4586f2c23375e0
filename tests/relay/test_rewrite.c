#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/mailbox.h"
#include "proto/rfc5322.h"
#include "proto/xalloc.h"
#include "relay/policy/rewrite.h"
#include "tests/support/bytes.h"
#include "tests/support/chance.h"
#include "tests/support/guarded.h"

#define ME "relay@contoso.com"
#define END "\r\n"
#define TO "To: you@fabrikam.com\r\n"

enum { ROOM = 4 * 1024 * 1024 };

/* A rewritten header, taken apart. */
struct result {
	struct buf whole, from, reply_to, kept; /* whole fields, as they stand */
	unsigned n_from, n_reply_to, n_fields;
};

static void result_free(struct result *result)
{
	buf_free(&result->whole);
	buf_free(&result->from);
	buf_free(&result->reply_to);
	buf_free(&result->kept);
}

static void sort_field(struct result *result, const struct rfc5322_field *field)
{
	result->n_fields++;
	if (rfc5322_field_is(field, "From")) {
		result->n_from++;
		buf_text_append(&result->from, field->raw);
	} else if (rfc5322_field_is(field, "Reply-To")) {
		result->n_reply_to++;
		buf_text_append(&result->reply_to, field->raw);
	} else {
		buf_text_append(&result->kept, field->raw);
	}
}

/* Nothing but fields, and one empty line at the very end. */
static void take_apart(const char *name, struct result *result)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	enum rfc5322_item item;
	struct text body;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, buf_text(&result->whole));
	rfc5322_finish(&reader);
	while ((item = rfc5322_next(&reader, &field, &body)) == RFC5322_FIELD)
		sort_field(result, &field);
	if (item != RFC5322_END || !reader.separated ||
	    rfc5322_next(&reader, &field, &body) != RFC5322_NONE)
		fail_msg("%s: no header section: %s", name,
		         buf_string(&result->whole));
	rfc5322_free(&reader);
}

static struct result rewrite(const char *name, struct text header,
                             const char *from)
{
	struct rewrite settings = { .from = from,
		                    .any_sender = from == NULL };
	struct guarded input = guarded_copy(header);
	struct result result = { BUF_INIT(ROOM), BUF_INIT(ROOM),
		                 BUF_INIT(ROOM), BUF_INIT(ROOM), 0, 0, 0 };

	assert_true(rewrite_header(&result.whole, input.text, &settings));
	guarded_free(&input);
	take_apart(name, &result);
	return result;
}

/* Once more, and nothing changes. */
static void assert_settled(const char *name, const struct result *result,
                           const char *from)
{
	struct result again = rewrite(name, buf_text(&result->whole), from);

	assert_bytes(name, buf_text(&again.whole), buf_text(&result->whole));
	result_free(&again);
}

/* kept NULL: the header's other fields, as they stand in it. */
static const struct {
	const char *name;
	struct text header;
	const char *from, *reply_to, *kept;
} cases[] = {
	{ "an address alone",
	  BYTES("Subject: x\r\nFrom: scan@old.example\r\n" TO END),
	  "From: scan <" ME ">\r\n", "Reply-To: scan@old.example\r\n",
	  "Subject: x\r\n" TO },
	{ "the display name is kept",
	  BYTES("From: Scanner 3 <scan@old.example>\r\n" TO END),
	  "From: Scanner 3 <" ME ">\r\n",
	  "Reply-To: Scanner 3 <scan@old.example>\r\n", TO },
	{ "quoted where it must be",
	  BYTES("From: \"Doe, John\" <scan@old.example>\r\n" TO END),
	  "From: \"Doe, John\" <" ME ">\r\n",
	  "Reply-To: \"Doe, John\" <scan@old.example>\r\n", TO },
	{ "a name with an address in it",
	  BYTES("From: boss@bank.example <scan@old.example>\r\n" TO END),
	  "From: \"boss@bank.example\" <" ME ">\r\n",
	  "Reply-To: \"boss@bank.example\" <scan@old.example>\r\n", TO },
	{ "encoded words stay encoded words",
	  BYTES("From: =?UTF-8?Q?J=C3=BCrgen?= <scan@old.example>\r\n" TO END),
	  "From: =?UTF-8?Q?J=C3=BCrgen?= <" ME ">\r\n",
	  "Reply-To: =?UTF-8?Q?J=C3=BCrgen?= <scan@old.example>\r\n", TO },
	{ "raw UTF-8 is encoded",
	  BYTES("From: Empf\xc3\xa4nger <scan@old.example>\r\n" TO END),
	  "From: =?UTF-8?B?RW1wZsOkbmdlcg==?= <" ME ">\r\n",
	  "Reply-To: =?UTF-8?B?RW1wZsOkbmdlcg==?= <scan@old.example>\r\n", TO },
	{ "and last",
	  BYTES("From: \xc3\xa4\xc3\xb6\xc3\xbc <scan@printer>\r\n" END),
	  "From: =?UTF-8?B?w6TDtsO8?= <" ME ">\r\n", NULL, "" },
	{ "raw Latin-1 is encoded",
	  BYTES("From: Empf\xe4nger <scan@old.example>\r\n" TO END),
	  "From: =?windows-1252?B?RW1wZuRuZ2Vy?= <" ME ">\r\n",
	  "Reply-To: =?windows-1252?B?RW1wZuRuZ2Vy?= <scan@old.example>\r\n",
	  TO },
	{ "a folded From",
	  BYTES("From:\r\n Scanner\r\n\t3\r\n <scan@old.example>\r\n" TO END),
	  "From: Scanner 3 <" ME ">\r\n",
	  "Reply-To: Scanner 3 <scan@old.example>\r\n", TO },
	{ "a name in a comment",
	  BYTES("From: scan@old.example (Scanner)\r\n" TO END),
	  "From: Scanner <" ME ">\r\n",
	  "Reply-To: Scanner <scan@old.example>\r\n", TO },
	{ "in any case, and with space before the colon",
	  BYTES("FROM : Scanner <scan@old.example>\r\nfrom: b@old.example\r\n"
	        TO END),
	  "From: Scanner <" ME ">\r\n",
	  "Reply-To: Scanner <scan@old.example>\r\n", TO },
	{ "two addresses become one",
	  BYTES("From: A <a@old.example>, B <b@old.example>\r\n" TO END),
	  "From: A <" ME ">\r\n",
	  "Reply-To: A <a@old.example>,\r\n B <b@old.example>\r\n", TO },
	{ "two From fields become one",
	  BYTES("From: A <a@old.example>\r\n" TO
	        "From: B <b@old.example>\r\n" END),
	  "From: A <" ME ">\r\n", "Reply-To: A <a@old.example>\r\n", TO },
	{ "no From at all", BYTES(TO "Subject: x\r\n" END),
	  "From: " ME "\r\n", NULL, NULL },
	{ "an empty From", BYTES("From:\r\n" TO END), "From: " ME "\r\n", NULL,
	  TO },
	{ "a From without address", BYTES("From: Scanner\r\n" TO END),
	  "From: Scanner <" ME ">\r\n", NULL, TO },
	{ "an empty header", BYTES(END), "From: " ME "\r\n", NULL, "" },
	/* Reply-To */
	{ "an old Reply-To is kept",
	  BYTES("From: scan@old.example\r\nReply-To: Desk <d@old.example>\r\n"
	        TO END),
	  "From: scan <" ME ">\r\n", "Reply-To: Desk <d@old.example>\r\n", TO },
	{ "even where nobody could answer to From",
	  BYTES("From: scan@printer.local\r\nREPLY-TO:d@old.example\r\n" TO
	        END),
	  "From: scan <" ME ">\r\n", "REPLY-TO:d@old.example\r\n", TO },
	{ "From is the account already",
	  BYTES("From: Scanner <" ME ">\r\n" TO END),
	  "From: Scanner <" ME ">\r\n", NULL, TO },
	{ "in other letters",
	  BYTES("From: Scanner <Relay@Contoso.COM>\r\n" TO END),
	  "From: Scanner <" ME ">\r\n", NULL, TO },
	{ "From is the account, without a name",
	  BYTES("From: " ME "\r\n" TO END), "From: " ME "\r\n", NULL, TO },
	/* What goes. */
	{ "Sender", BYTES("Sender: s@old.example\r\nFrom: A <a@old.example>\r\n"
	                  "sender:\r\n t@old.example\r\n" TO END),
	  "From: A <" ME ">\r\n", "Reply-To: A <a@old.example>\r\n", TO },
	{ "Bcc and Return-Path",
	  BYTES("Return-Path: <x@old.example>\r\nBCC: hidden@x.example,\r\n"
	        " more@x.example\r\nFrom: A <a@old.example>\r\n" TO
	        "Bcc :z@x.example\r\nResent-Bcc: y@x.example\r\n" END),
	  "From: A <" ME ">\r\n", "Reply-To: A <a@old.example>\r\n", TO },
	{ "signatures",
	  BYTES("DKIM-Signature: v=1; a=rsa-sha256; d=old.example;\r\n"
	        "\tb=abc\r\n def\r\nARC-Seal: i=1; a=rsa-sha256\r\n"
	        "ARC-Message-Signature: i=1\r\n"
	        "ARC-Authentication-Results: i=1; x\r\n"
	        "From: A <a@old.example>\r\n" TO END),
	  "From: A <" ME ">\r\n", "Reply-To: A <a@old.example>\r\n", TO },
	{ "receipts that cannot arrive",
	  BYTES("Disposition-Notification-To: a@printer\r\n"
	        "Return-Receipt-To: b@printer.local\r\nErrors-To:\r\n"
	        "From: A <a@printer>\r\n" TO END),
	  "From: A <" ME ">\r\n", NULL, TO },
	/* What only looks like it stays. */
	{ "fields of similar names",
	  BYTES("X-From: a\r\nFromm: b\r\nFrom-: c\r\nX-Bcc: d\r\nBccc: e\r\n"
	        "Return-Paths: f\r\nSenders: g\r\nX-Sender: h\r\n"
	        "Envelope-From: i\r\nReply-To-X: j\r\nARC-X: k\r\n"
	        "List-Id: l\r\nResent-From: m@n.example\r\n" END),
	  "From: " ME "\r\n", NULL, NULL },
	{ "a Bcc inside another field",
	  BYTES("Subject: x\r\n Bcc: not@a.field\r\nFrom: A <a@old.example>\r\n"
	        END),
	  "From: A <" ME ">\r\n", "Reply-To: A <a@old.example>\r\n",
	  "Subject: x\r\n Bcc: not@a.field\r\n" },
	/* Byte for byte. */
	{ "odd fields are kept as they stand",
	  BYTES("Received: from a\r\n\tby b ;  x\r\nSUBJECT:\tM\xfcller \xff\r\n"
	        "X-Empty:\r\nX-Blank: \t\r\n  \t folded\r\nTo :  a@b ,c@d\r\n"
	        "X-8: \x1b[1m\x01\r\nX-Nul: a\0b\r\n" END),
	  "From: " ME "\r\n", NULL, NULL },
	/* Injection. */
	{ "a quoted line end",
	  BYTES("From: \"x\r\n Bcc: evil@x.example\" <a@old.example>\r\n" TO
	        END),
	  "From: \"x Bcc: evil@x.example\" <" ME ">\r\n",
	  "Reply-To: \"x Bcc: evil@x.example\" <a@old.example>\r\n", TO },
	{ "bare CR and LF in a name",
	  BYTES("From: x\rBcc: e@x.example\n <a@old.example>\r\n" TO END),
	  NULL, NULL, TO },
	{ "an escaped line end",
	  BYTES("From: \"x\\\r\n Bcc: e@x.example\" <a@old.example>\r\n" TO END),
	  NULL, NULL, TO },
	{ "line ends in encoded words",
	  BYTES("From: =?utf-8?Q?x=0D=0ABcc:_e@x.example?= <a@old.example>\r\n"
	        TO END),
	  NULL, NULL, TO },
	{ "a bracket in a quoted name",
	  BYTES("From: \"x> <evil@x.example\" <a@old.example>\r\n" TO END),
	  "From: \"x> <evil@x.example\" <" ME ">\r\n",
	  "Reply-To: \"x> <evil@x.example\" <a@old.example>\r\n", TO },
	{ "an escaped quote in a name",
	  BYTES("From: \"x\\\" <evil@x.example>, \\\"y\" <a@old.example>\r\n" TO
	        END),
	  "From: \"x\\\" <evil@x.example>, \\\"y\" <" ME ">\r\n",
	  "Reply-To: \"x\\\" <evil@x.example>, \\\"y\" <a@old.example>\r\n",
	  TO },
	{ "two addresses in brackets",
	  BYTES("From: x <a@old.example> <evil@x.example>\r\n" TO END),
	  "From: x <" ME ">\r\n", NULL, TO },
	{ "a bracket too many",
	  BYTES("From: x <a@old.example>>\r\n" TO END), NULL, NULL, TO },
	{ "a quote that is not closed",
	  BYTES("From: \"x <a@old.example>\r\n" TO END), NULL, NULL, TO },
	{ "a comment that is not closed",
	  BYTES("From: (x <a@old.example>\r\n" TO END), NULL, NULL, TO },
	{ "NUL and escapes in a name",
	  BYTES("From: x\0y\x1b[2J\x07 <a@old.example>\r\n" TO END),
	  NULL, NULL, TO },
	{ "a quoted local part",
	  BYTES("From: \"a b>\\\"\"@old.example\r\n" TO END), NULL, NULL, TO },
	{ "a route", BYTES("From: <@x.example,@y.example:a@old.example>\r\n" TO
	                   END),
	  "From: a <" ME ">\r\n", "Reply-To: a@old.example\r\n", TO },
	{ "a group", BYTES("From: Team: a@old.example, b@old.example;\r\n" TO
	                   END),
	  NULL, NULL, TO },
};

static struct text value_of(struct text raw)
{
	const char *colon = memchr(raw.data, ':', raw.len);

	assert_non_null(colon);
	return text_skip(raw, (size_t)(colon - raw.data) + 1);
}

/* A From that was right already may be folded. */
static bool is_fold(struct text raw, size_t i)
{
	return raw.data[i] == '\t' ||
	       text_equal(text_make(raw.data + i, 2), TEXT("\r\n")) ||
	       text_equal(text_make(raw.data + i - 1, 2), TEXT("\r\n"));
}

/* One From with one address, ours, whatever it was before. */
static void assert_our_from(const char *name, struct result *result,
                            const char *from)
{
	struct text raw = buf_text(&result->from);
	struct mailbox mailbox;

	if (result->n_from != 1)
		fail_msg("%s: %u From", name, result->n_from);
	mailbox_init(&mailbox);
	if (!mailbox_parse(&mailbox, value_of(raw)) || mailbox.count != 1)
		fail_msg("%s: %s", name, buf_string(&result->from));
	assert_bytes(name, buf_text(&mailbox.address), text_of(from));
	for (size_t i = 0; i + 2 < raw.len; i++)
		if (((unsigned char)raw.data[i] < 32 && !is_fold(raw, i)) ||
		    (unsigned char)raw.data[i] > 126)
			fail_msg("%s: byte %02x in From", name,
			         (unsigned char)raw.data[i]);
	mailbox_free(&mailbox);
}

static void assert_case(size_t i, struct result *result)
{
	const char *name = cases[i].name;
	struct text header = cases[i].header;
	struct text kept = text_make(header.data, header.len - 2);

	assert_our_from(name, result, ME);
	if (cases[i].from != NULL) {
		assert_bytes(name, buf_text(&result->from),
		             text_of(cases[i].from));
		assert_bytes(name, buf_text(&result->reply_to),
		             text_of(cases[i].reply_to));
	}
	if (cases[i].kept != NULL)
		kept = text_of(cases[i].kept);
	assert_bytes(name, buf_text(&result->kept), kept);
}

static void test_from_is_replaced(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct result result =
			rewrite(cases[i].name, cases[i].header, ME);

		assert_case(i, &result);
		assert_settled(cases[i].name, &result, ME);
		result_free(&result);
	}
}

static bool is_always_dropped(const struct rfc5322_field *field)
{
	return rfc5322_field_is(field, "Bcc") ||
	       rfc5322_field_is(field, "Resent-Bcc") ||
	       rfc5322_field_is(field, "Return-Path");
}

/* All but those, and a From too many, as they stand. */
static void expect_kept(struct buf *out, struct text header)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;
	unsigned n_from = 0;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, header);
	rfc5322_finish(&reader);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD)
		if (!is_always_dropped(&field) &&
		    !(rfc5322_field_is(&field, "From") && n_from++ > 0))
			buf_text_append(out, field.raw);
	buf_puts(out, "\r\n");
	rfc5322_free(&reader);
}

static void test_without_an_address_from_stays(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct buf expected = BUF_INIT(ROOM);
		struct result result =
			rewrite(cases[i].name, cases[i].header, NULL);

		expect_kept(&expected, cases[i].header);
		assert_bytes(cases[i].name, buf_text(&result.whole),
		             buf_text(&expected));
		buf_free(&expected);
		result_free(&result);
	}
}

static void test_trace_fields_stay_first(void **state)
{
	static const struct text headers[] = {
		BYTES("Received: by a\r\nReceived: by b\r\n" TO END),
		BYTES("Received: by a\r\nReceived: by b\r\n"
		      "From: A <a@old.example>\r\n" END),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(headers); i++) {
		struct result result = rewrite("trace", headers[i], ME);

		assert_true(text_starts(buf_text(&result.whole),
		                        "Received: by a\r\n"
		                        "Received: by b\r\n"));
		result_free(&result);
	}
}

/* Who can be answered from outside? */
static const struct {
	const char *address;
	bool answerable;
} answers[] = {
	{ "scan@old.example.com", true },
	{ "o'brien+x@old.example", true },
	{ "scan@printer.localhost.example", true },
	{ "scan@local.example", true },
	{ "scan@2n.example.x1", true },
	{ "scan@localhost", false },
	{ "root@printer3", false },
	{ "scan@printer.local", false },
	{ "scan@printer.LOCAL", false },
	{ "scan@a.b.lan", false },
	{ "scan@localhost.localdomain", false },
	{ "scan@fritz.home.arpa", false },
	{ "scan@app.internal", false },
	{ "scan@[192.168.1.5]", false },
	{ "scan@[IPv6:fd00::1]", false },
	{ "scan@192.168.1.5", false },
	{ "scan@10.0.0.7", false },
};

static void test_only_what_can_be_answered_goes_into_reply_to(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(answers); i++) {
		const char *address = answers[i].address;
		char *header = xasprintf("From: S <%s>\r\n\r\n", address);
		char *expected = xasprintf("Reply-To: S <%s>\r\n", address);
		struct result result = rewrite(address, text_of(header), ME);

		assert_bytes(address, buf_text(&result.from),
		             TEXT("From: S <" ME ">\r\n"));
		assert_bytes(address, buf_text(&result.reply_to),
		             text_of(answers[i].answerable ? expected : ""));
		assert_settled(address, &result, ME);
		free(header);
		free(expected);
		result_free(&result);
	}
}

static void test_five_hundred_addresses_in_from(void **state)
{
	struct buf header = BUF_INIT(ROOM), reply_to = BUF_INIT(ROOM);
	struct result result;

	(void)state;
	buf_puts(&header, "Subject: x\r\nFrom: ");
	buf_puts(&reply_to, "Reply-To: ");
	for (int i = 0; i < 500; i++)
		buf_printf(&header, "%s\"Nr, %d\" <a%d@old.example>",
		           i > 0 ? ",\r\n " : "", i, i);
	for (int i = 0; i < 50; i++)
		buf_printf(&reply_to, "%s\"Nr, %d\" <a%d@old.example>",
		           i > 0 ? ",\r\n " : "", i, i);
	buf_puts(&header, "\r\n\r\n");
	buf_puts(&reply_to, "\r\n");
	result = rewrite("500", buf_text(&header), ME);
	assert_bytes("From", buf_text(&result.from),
	             TEXT("From: \"Nr, 0\" <" ME ">\r\n"));
	assert_bytes("Reply-To", buf_text(&result.reply_to),
	             buf_text(&reply_to));
	assert_bytes("kept", buf_text(&result.kept), TEXT("Subject: x\r\n"));
	result_free(&result);
	buf_free(&header);
	buf_free(&reply_to);
}

static size_t longest_line(struct text text)
{
	struct text line;
	size_t longest = 0;

	while (text_token(&text, '\n', &line))
		if (line.len > longest)
			longest = line.len;
	return longest;
}

/* What a header of a megabyte may be made of. */
static const struct {
	const char *begin, *repeat, *end;
} megabytes[] = {
	{ "From: A <a@old.example>\r\n", "X: y\r\n", END },
	{ "From: A <a@old.example>\r\n", "Bcc: a@b.example\r\n", END },
	{ "", "From: A <a@old.example>\r\n", END },
	{ "", "Reply-To: a@b.example\r\n", "From: b@c.example\r\n" END },
	{ "From: ", "a@old.example,", "\r\n" END },
	{ "From: ", "A <a@old.example>,\r\n ", "b@old.example\r\n" END },
	{ "From: ", "(", "\r\n" END },
	{ "From: ", "()", "a@old.example\r\n" END },
	{ "From: ", "<", "\r\n" END },
	{ "From: ", "\"\" ", "<a@old.example>\r\n" END },
	{ "From: \"", "\\\"", "\" <a@old.example>\r\n" END },
	{ "From: ", "\xc3\xa4", " <a@old.example>\r\n" END },
	{ "From: ", "=?utf-8?Q?a?= ", "<a@old.example>\r\n" END },
	{ "From: ", "x\r\n ", "<a@old.example>\r\n" END },
	{ "From: ", "a", "@old.example\r\n" END },
	{ "From: a@", "a.", "example\r\n" END },
	{ "From: <", "@a,", ":a@old.example>\r\n" END },
	{ "From: A <a@old.example>\r\nX:", " a\r\n", END },
};

static void test_a_megabyte_of_anything(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(megabytes); i++) {
		struct buf header = BUF_INIT(ROOM);
		struct result result;

		buf_puts(&header, megabytes[i].begin);
		while (buf_len(&header) < 1024 * 1024)
			buf_puts(&header, megabytes[i].repeat);
		buf_puts(&header, megabytes[i].end);
		result = rewrite(megabytes[i].repeat, buf_text(&header), ME);
		if (result.n_from != 1)
			fail_msg("%s: %u From", megabytes[i].repeat,
			         result.n_from);
		if (longest_line(buf_text(&result.from)) > 999 ||
		    longest_line(buf_text(&result.reply_to)) > 999)
			fail_msg("%s: a line too long", megabytes[i].repeat);
		result_free(&result);
		buf_free(&header);
	}
}

/* Whatever the room, out is whole or the answer is false. */
static void test_a_full_buffer_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct rewrite settings = { .from = ME };
		struct result whole =
			rewrite(cases[i].name, cases[i].header, ME);
		size_t len = buf_len(&whole.whole);

		for (size_t room = 1; room <= len; room++) {
			struct buf out = BUF_INIT(room);
			bool fits = rewrite_header(&out, cases[i].header,
			                           &settings);

			if (fits != (room == len))
				fail_msg("%s: %zu octets of room for %zu",
				         cases[i].name, room, len);
			buf_free(&out);
		}
		result_free(&whole);
	}
}

/* Attempts through other accounts rewrite the original, not each other. */
static void test_accounts_take_turns(void **state)
{
	struct text header = TEXT("From: A <a@old.example>\r\n" TO END);
	struct result first = rewrite("first", header, ME);
	struct result other = rewrite("other", header, "x@fabrikam.com");
	struct result again = rewrite("again", header, ME);

	(void)state;
	assert_our_from("other", &other, "x@fabrikam.com");
	assert_bytes("Reply-To", buf_text(&other.reply_to),
	             TEXT("Reply-To: A <a@old.example>\r\n"));
	assert_bytes("again", buf_text(&again.whole), buf_text(&first.whole));
	result_free(&first);
	result_free(&other);
	result_free(&again);
}

/* ---- headers of chance ---- */

static const char *const field_names[] = {
	"From", "from", "FROM ", "Sender", "Reply-To", "Bcc", "Return-Path",
	"To", "Subject", "DKIM-Signature", "Disposition-Notification-To",
	"Errors-To", "X-From", "Received"
};
static const char *const value_pieces[] = {
	"a@old.example", "<b@old.example>", "<" ME ">", ME, "c@mfp.local",
	"root", "A", "\"B, C\"", "\"", "\\", "(", ")", "(d)", "<", ">", ",",
	";", ":", "@", ".", " ", "\r\n ", "\r\n\t", "\r", "\n", "\x01",
	"=?utf-8?Q?=C3=A4?=", "=?utf-8?Q?=0D=0ABcc:_x?=", "\xc3\xa4", "\xe4",
	"Team:", "[1]", "\r\n Bcc: e@x.example"
};

static void add_random_field(struct buf *header, struct chance *chance)
{
	unsigned n = chance_below(chance, 8);

	buf_printf(header, "%s:",
	           field_names[chance_below(chance, COUNT(field_names))]);
	while (n-- > 0)
		buf_printf(header, "%s%s", chance_one_in(chance, 3) ? "" : " ",
		           value_pieces[chance_below(chance,
		                                     COUNT(value_pieces))]);
	buf_puts(header, "\r\n");
}

static bool is_ours(const struct rfc5322_field *field)
{
	return rfc5322_field_is(field, "From") ||
	       rfc5322_field_is(field, "Sender") ||
	       rfc5322_field_is(field, "Reply-To");
}

/* Does the field stand in the header, as it is? */
static bool stands_in(struct text header, const struct rfc5322_field *wanted)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;
	bool found = false;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, header);
	rfc5322_finish(&reader);
	while (!found &&
	       rfc5322_next(&reader, &field, &body) == RFC5322_FIELD)
		found = text_equal(field.raw, wanted->raw);
	rfc5322_free(&reader);
	return found;
}

static void assert_nothing_new(struct text header, struct text output)
{
	struct rfc5322_field field;
	struct rfc5322 reader;
	struct text body;

	rfc5322_init(&reader, ROOM);
	rfc5322_push(&reader, output);
	rfc5322_finish(&reader);
	while (rfc5322_next(&reader, &field, &body) == RFC5322_FIELD)
		if (!is_ours(&field) && !stands_in(header, &field))
			fail_msg("%.*s appeared in %.*s", TEXT_ARG(field.raw),
			         TEXT_ARG(header));
	rfc5322_free(&reader);
}

/* One From, ours; no field that neither was there nor is ours; and once more
 * changes nothing. */
static void test_whatever_the_header(void **state)
{
	struct chance chance = chance_of(9);

	(void)state;
	for (int round = 0; round < 4000; round++) {
		struct buf header = BUF_INIT(ROOM);
		struct result result;

		for (unsigned n = chance_below(&chance, 7); n > 0; n--)
			add_random_field(&header, &chance);
		buf_puts(&header, "\r\n");
		result = rewrite("chance", buf_text(&header), ME);
		assert_our_from(buf_string(&header), &result, ME);
		assert_nothing_new(buf_text(&header), buf_text(&result.whole));
		assert_settled(buf_string(&header), &result, ME);
		result_free(&result);
		buf_free(&header);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_is_replaced),
		cmocka_unit_test(test_without_an_address_from_stays),
		cmocka_unit_test(test_trace_fields_stay_first),
		cmocka_unit_test(
			test_only_what_can_be_answered_goes_into_reply_to),
		cmocka_unit_test(test_five_hundred_addresses_in_from),
		cmocka_unit_test(test_a_megabyte_of_anything),
		cmocka_unit_test(test_a_full_buffer_is_told),
		cmocka_unit_test(test_accounts_take_turns),
		cmocka_unit_test(test_whatever_the_header),
	};

	alarm(120);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
