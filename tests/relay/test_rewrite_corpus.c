/* Plays relay/rewrite/corpus.txt, which says how it reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "relay/policy/rewrite.h"
#include "relay/policy/send_as.h"
#include "tests/support/bytes.h"
#include "tests/support/guarded.h"

#define CORPUS "relay/rewrite/corpus.txt"
#define RELAY "relay@contoso.com"
#define TO_DESK { REPLY_TO_ADDRESS, (char *)"desk@contoso.com" }

enum { ROOM = 1024 * 1024, CASES_MIN = 100 };

static char *const covered[] = { (char *)"*@old.example" };

static const struct account_config account = {
	.username = (char *)RELAY,
	.senders = { .words = (char **)covered, .n = 1 },
};

static const struct {
	const char *name;
	struct rewrite rewrite;
} hows[] = {
	{ "me", { .from = RELAY, .identity = RELAY } },
	{ "named", { .from = RELAY, .from_name = "Scans, 3rd floor",
	             .identity = RELAY } },
	{ "desk", { .from = RELAY, .identity = RELAY, .reply_to = TO_DESK } },
	{ "silent", { .from = RELAY, .identity = RELAY,
	              .reply_to = { REPLY_TO_NONE, NULL } } },
	{ "behalf", { .sender = RELAY, .identity = RELAY } },
	{ "stay", { .identity = RELAY } },
	{ "senders", { .identity = RELAY,
	               .may_send_as = account_may_send_as,
	               .account = &account } },
	{ "stay-desk", { .identity = RELAY, .reply_to = TO_DESK } },
	{ "pass", { .identity = RELAY, .any_sender = true } },
};

/* ---- the file ---- */

struct example {
	char *name;
	const struct rewrite *how;
	struct buf header, whole;
};

static char unescape(const char **at)
{
	const char *c = *at + 1;
	char digits[3] = { 0 };

	*at += 2;
	switch (*c) {
	case 't':
		return '\t';
	case 'r':
		return '\r';
	case 'n':
		return '\n';
	case 'x':
		memcpy(digits, c + 1, 2);
		*at += 2;
		return (char)strtol(digits, NULL, 16);
	default:
		return *c;
	}
}

static void add_line(struct buf *out, const char *line)
{
	while (*line != '\0')
		buf_putc(out, *line == '\\' ? unescape(&line) : *line++);
	buf_puts(out, "\r\n");
}

static const struct rewrite *find_how(const char *name)
{
	for (size_t i = 0; i < COUNT(hows); i++)
		if (strcmp(hows[i].name, name) == 0)
			return &hows[i].rewrite;
	fail_msg("%s: %s?", CORPUS, name);
	return NULL;
}

static bool next_line(FILE *file, char line[2000])
{
	if (fgets(line, 2000, file) == NULL)
		return false;
	line[strcspn(line, "\n")] = '\0';
	return true;
}

/* "=== name | how" */
static void begin_example(struct example *example, const char *line)
{
	const char *bar = strrchr(line, '|');

	assert_non_null(bar);
	*example = (struct example){
		.name = strndup(line + 4, (size_t)(bar - line) - 5),
		.how = find_how(bar + 2),
		.header = BUF_INIT(ROOM),
		.whole = BUF_INIT(ROOM),
	};
}

static bool read_example(FILE *file, struct example *example)
{
	char line[2000];

	do {
		if (!next_line(file, line))
			return false;
	} while (strncmp(line, "=== ", 4) != 0);
	begin_example(example, line);
	while (next_line(file, line) && strcmp(line, "---") != 0)
		add_line(&example->header, line);
	buf_puts(&example->header, "\r\n");
	while (next_line(file, line) && *line != '\0')
		if (strcmp(line, "(same)") != 0)
			add_line(&example->whole, line);
	if (buf_len(&example->whole) == 0)
		buf_text_append(&example->whole, buf_text(&example->header));
	else
		buf_puts(&example->whole, "\r\n");
	return true;
}

static void free_example(struct example *example)
{
	free(example->name);
	buf_free(&example->header);
	buf_free(&example->whole);
}

/* ---- the play ---- */

static void check(const struct example *example, struct text header)
{
	struct guarded input = guarded_copy(header);
	struct buf out = BUF_INIT(ROOM);

	assert_true(rewrite_header(&out, input.text, example->how));
	assert_bytes(example->name, buf_text(&out), buf_text(&example->whole));
	buf_free(&out);
	guarded_free(&input);
}

/* Once more, and nothing changes. */
static void test_each_becomes_what_it_should(void **state)
{
	FILE *file = fopen(CORPUS, "r");
	struct example example;
	unsigned n = 0;

	(void)state;
	assert_non_null(file);
	while (read_example(file, &example)) {
		check(&example, buf_text(&example.header));
		check(&example, buf_text(&example.whole));
		free_example(&example);
		n++;
	}
	fclose(file);
	assert_true(n >= CASES_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_becomes_what_it_should),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
