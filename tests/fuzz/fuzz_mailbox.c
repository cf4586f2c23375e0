/* A From value: what is read is an address; what is printed again, whatever
 * the name, is one line with that one address. */
#include <string.h>

#include "proto/mailbox.h"
#include "proto/smtp_path.h"
#include "proto/smtp_syntax.h"
#include "tests/fuzz/fuzz.h"

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
	mailbox_free(&again);
	buf_free(&out);
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
	check_printed(value, text_of("me@here.example"));
	check_printed(buf_text(&mailbox.name), text_of("me@here.example"));
	mailbox_free(&mailbox);
	return 0;
}
