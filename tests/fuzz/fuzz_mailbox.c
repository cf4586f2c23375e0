/* A From value: what is read is an address; what is printed again, whatever
 * the name, is one line with that one address. */
#include <string.h>

#include "proto/mailbox.h"
#include "proto/smtp_path.h"
#include "proto/smtp_syntax.h"
#include "tests/fuzz/fuzz.h"

/* What was printed once is printed so again. */
static void check_settled(const struct mailbox *again, struct text printed)
{
	struct buf out = BUF_INIT(SIZE_MAX);

	mailbox_print(&out, buf_text(&again->name), buf_text(&again->address));
	must(text_equal(buf_text(&out), printed));
	buf_free(&out);
}

static void check_printed(struct text name, struct text address)
{
	struct buf out = BUF_INIT(SIZE_MAX);
	struct mailbox again;

	mailbox_print(&out, name, address);
	must(buf_len(&out) <= 998);
	must(!smtp_has_control(buf_text(&out)));
	must(!smtp_has_8bit(buf_text(&out)));
	mailbox_init(&again);
	must(mailbox_parse(&again, buf_text(&out)));
	must(again.count == 1);
	must(text_equal(buf_text(&again.address), address));
	check_settled(&again, buf_text(&out));
	mailbox_free(&again);
	buf_free(&out);
}

/* One by one they are as many as together, and the first comes first. */
static void check_list(const struct mailbox *all, struct text value)
{
	struct mailbox one;
	unsigned n = 0;

	mailbox_init(&one);
	while (mailbox_next(&one, &value)) {
		must(one.count == 1);
		if (n++ == 0)
			must(text_equal(buf_text(&one.address),
			                buf_text(&all->address)) &&
			     text_equal(buf_text(&one.name),
			                buf_text(&all->name)));
	}
	must(n == all->count);
	mailbox_free(&one);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text value = text_make((const char *)data, size);
	struct mailbox mailbox;
	struct smtp_path path;

	mailbox_init(&mailbox);
	if (mailbox_parse(&mailbox, value)) {
		must(mailbox.count > 0);
		must(smtp_address_parse(buf_text(&mailbox.address), &path));
		check_printed(buf_text(&mailbox.name),
			      buf_text(&mailbox.address));
	} else {
		must(mailbox.count == 0 && buf_len(&mailbox.address) == 0);
	}
	must(buf_len(&mailbox.name) <= 1024);
	check_list(&mailbox, value);
	check_printed(value, text_of("me@here.example"));
	check_printed(buf_text(&mailbox.name), text_of("me@here.example"));
	mailbox_free(&mailbox);
	return 0;
}
