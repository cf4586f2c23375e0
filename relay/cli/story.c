#include "relay/cli/story.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/cli/client.h"
#include "relay/cli/terminal.h"

enum {
	LABEL = 14,
	INNER = 20,
	LINES_MAX = 2000,      /* of a dialogue */
	TEXT_MAX = 16 * 1024
};

static bool is(json_t *object, const char *key, const char *value)
{
	const char *text = member_text(object, key);

	return text != NULL && value != NULL && strcmp(text, value) == 0;
}

/* ---- one line each ---- */

static void say(const char *label, struct buf *text)
{
	terminal_paragraph(stdout, LABEL, label, buf_string(text));
	buf_clear(text);
}

static void add_named(struct buf *text, const char *before, const char *name,
                      const char *after)
{
	if (name == NULL)
		return;
	buf_puts(text, before);
	terminal_append(text, name, TERMINAL_TEXT_MAX);
	buf_puts(text, after);
}

static void add_time(struct buf *text, const char *before, const char *time,
                     int64_t now_s)
{
	if (time == NULL)
		return;
	buf_puts(text, before);
	terminal_time(text, time, now_s);
}

static void tell_sender(json_t *story, struct buf *text)
{
	const char *from = member_text(story, "from");
	const char *header = member_text(story, "header_from");

	add_named(text, "", from && *from ? from : "<>", "");
	if (header != NULL && (from == NULL || strcmp(header, from) != 0))
		add_named(text, " (From: ", header, ")");
	say("From", text);
}

static void tell_arrival(json_t *story, struct buf *text, int64_t now_s)
{
	add_time(text, "", member_text(story, "time"), now_s);
	add_named(text, ", from device ", member_text(story, "device"), " at");
	add_named(text, member_text(story, "device") ? " " : ", from ",
	          member_text(story, "client"), "");
	add_named(text, " (", member_text(story, "helo"), ")");
	add_named(text, ", by listener ", member_text(story, "listener"), "");
	say("Accepted", text);
}

static void tell_way(json_t *story, struct buf *text)
{
	const char *rule = member_text(story, "rule");

	add_named(text, "by rule ", rule, ", ");
	if (rule == NULL)
		buf_puts(text, "by no rule, ");
	add_named(text, "to account ", member_text(story, "account"), "");
	say("Routed", text);
}

/* A time is told where it is what decides. */
static void tell_wait(json_t *story, const char *waits, struct buf *text,
                      int64_t now_s)
{
	add_named(text, "", waits, "");
	if (strcmp(waits, "its next attempt") == 0)
		add_time(text, " at ", member_text(story, "next_attempt"),
		         now_s);
	if (is(story, "state", "queued"))
		add_time(text, "; fails for good at ",
		         member_text(story, "expires"), now_s);
	say("Waits for", text);
}

static void tell_state(json_t *story, struct buf *text, int64_t now_s)
{
	const char *waits = member_text(story, "waits_for");
	long long attempts = member_number(story, "attempts");

	add_named(text, "", member_text(story, "state"), "");
	buf_printf(text, ", %lld attempt%s", attempts,
	           attempts == 1 ? "" : "s");
	add_time(text, ", finished ", member_text(story, "finished"), now_s);
	say("State", text);
	if (waits != NULL)
		tell_wait(story, waits, text, now_s);
}

static void tell_notice(json_t *story, struct buf *text)
{
	const char *notice = member_text(story, "notice");

	if (json_is_true(json_object_get(story, "is_notice")))
		buf_puts(text, "this is one of lanpost's own");
	else if (notice != NULL)
		buf_puts(text, strcmp(notice, "due") == 0
		                       ? "to be written"
		                       : "written; lanpost history shows it");
	if (buf_len(text) > 0)
		say("Notice", text);
}

static void tell_words(json_t *of, int indent, const char *means,
                       const char *todo)
{
	terminal_paragraph(stdout, indent, means,
	                   member_text(of, "explanation"));
	terminal_paragraph(stdout, indent, todo, member_text(of, "fix"));
}

/* ---- recipients and attempts ---- */

/* What stands above for the whole message is not told again. */
static bool has_own_words(json_t *story, json_t *part)
{
	return !is(part, "state", "delivered") &&
	       !is(part, "reason", member_text(story, "reason"));
}

static void tell_recipient(json_t *story, json_t *to, struct buf *text)
{
	buf_puts(text, "  ");
	add_named(text, "", member_text(to, "address"), "");
	add_named(text, "  ", member_text(to, "state"), "");
	if (json_is_integer(json_object_get(to, "delay_ms"))) {
		buf_puts(text, " after ");
		terminal_duration(text, member_number(to, "delay_ms"));
	}
	puts(buf_string(text));
	buf_clear(text);
	terminal_paragraph(stdout, INNER, "    reply",
	                   member_text(to, "reply"));
	if (has_own_words(story, to))
		tell_words(to, INNER, "    it means", "    what to do");
}

/* Each line of the text, escaped, behind a bar. */
static void tell_dialogue(const char *dialogue)
{
	struct text rest = text_of(dialogue), line;
	struct buf out = BUF_INIT(TEXT_MAX);
	int n = 0;

	while (n++ < LINES_MAX && text_token(&rest, '\n', &line)) {
		char *copy = text_dup(line);

		buf_puts(&out, "    | ");
		terminal_append(&out, copy, TERMINAL_TEXT_MAX);
		puts(buf_string(&out));
		buf_clear(&out);
		free(copy);
	}
	buf_free(&out);
}

static void tell_attempt(json_t *story, json_t *attempt, struct buf *text,
                         int64_t now_s)
{
	buf_printf(text, "  %lld  ", (long long)member_number(attempt, "n"));
	add_time(text, "", member_text(attempt, "time"), now_s);
	buf_puts(text, ", took ");
	terminal_duration(text, member_number(attempt, "took_ms"));
	add_named(text, ", account ", member_text(attempt, "account"), "");
	add_named(text, ", as ", member_text(attempt, "sent_as"), "");
	puts(buf_string(text));
	buf_clear(text);
	terminal_paragraph(stdout, INNER, "     host",
	                   member_text(attempt, "host"));
	terminal_paragraph(stdout, INNER, "     result",
	                   member_text(attempt, "summary"));
	add_named(text, "", member_text(attempt, "reply"), "");
	add_named(text, " (at ", member_text(attempt, "stage"), ")");
	if (buf_len(text) > 0)
		terminal_paragraph(stdout, INNER, "     reply",
		                   buf_string(text));
	buf_clear(text);
	if (has_own_words(story, attempt))
		tell_words(attempt, INNER, "     it means", "     what to do");
	if (member_text(attempt, "dialogue") != NULL)
		tell_dialogue(member_text(attempt, "dialogue"));
}

static void tell_head(json_t *story, struct buf *text, int64_t now_s)
{
	fputs("Message ", stdout);
	terminal_print(stdout, member_text(story, "id"));
	puts("\n");
	terminal_paragraph(stdout, LABEL, "Subject",
	                   member_text(story, "subject"));
	tell_sender(story, text);
	terminal_octets(text, member_number(story, "size"));
	say("Size", text);
	tell_arrival(story, text, now_s);
	tell_way(story, text);
	tell_state(story, text, now_s);
	tell_notice(story, text);
	tell_words(story, LABEL, "It means", "What to do");
}

void story_print(json_t *story, int64_t now_s)
{
	struct buf text = BUF_INIT(TEXT_MAX);
	json_t *list, *item;
	size_t i;

	tell_head(story, &text, now_s);
	puts("\nRecipients");
	list = json_object_get(story, "recipients");
	json_array_foreach(list, i, item)
		tell_recipient(story, item, &text);
	list = json_object_get(story, "tries");
	if (json_array_size(list) > 0)
		puts("\nAttempts");
	json_array_foreach(list, i, item)
		tell_attempt(story, item, &text, now_s);
	buf_free(&text);
}

int story_tell(struct client *client, const char *id, bool json)
{
	json_t *story;
	int code = client_get(client, "/api/v1/messages/*", id, &story);

	if (code != EX_OK)
		return code;
	if (json)
		terminal_json(story);
	else
		story_print(story, (int64_t)time(NULL));
	return EX_OK;
}
