#include "tests/provider/script.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

struct script {
	struct rule *rules;
	size_t count;
};

static const char *const stage_words[] = {
#define X(name, word, subject, counted) [STAGE_##name] = word,
	STAGE_MAP(X)
#undef X
};

static const struct {
	const char *word;
	uint64_t amount;
} deeds[] = {
#define X(name, word, amount, meaning) [DEED_##name] = { word, amount },
	DEED_MAP(X)
#undef X
};

/* --- errors ------------------------------------------------------------- */

static char error_text[400];

static bool __attribute__((format(printf, 1, 2)))
fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error_text, sizeof(error_text), format, args);
	va_end(args);
	return false;
}

/* --- key=value and key="quoted value" ----------------------------------- */

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Behind a backslash; returns how many characters were read. */
static size_t unescape(const char *at, char *out)
{
	static const char from[] = "nrt0", to[] = "\n\r\t\0";
	const char *found = *at ? strchr(from, *at) : NULL;

	*out = found ? to[found - from] : *at;
	if (*at != 'x' || hex_value(at[1]) < 0 || hex_value(at[2]) < 0)
		return 1;
	*out = (char)(hex_value(at[1]) << 4 | hex_value(at[2]));
	return 3;
}

static bool read_quoted(const char **at, struct buf *value)
{
	const char *p = *at + 1;

	for (; *p != '"'; p++) {
		char c = *p;

		if (c == '\0')
			return fail("the quotation mark is not closed");
		if (c == '\\' && p[1])
			p += unescape(p + 1, &c);
		buf_putc(value, c);
	}
	*at = p + 1;
	return true;
}

static bool read_value(const char **at, struct buf *value)
{
	size_t len;

	if (**at == '"')
		return read_quoted(at, value);
	len = strcspn(*at, " \t\r\n");
	buf_append(value, *at, len);
	*at += len;
	return true;
}

/* --- one setter a key --------------------------------------------------- */

static bool set_stage(struct rule *rule, struct text value)
{
	for (unsigned i = 0; i < STAGES; i++)
		if (text_is(value, stage_words[i])) {
			rule->stage = (enum stage)i;
			return true;
		}
	return fail("there is no stage \"%.*s\"", TEXT_ARG(value));
}

static bool set_number(struct text value, uint64_t *number_r)
{
	if (text_to_u64(value, number_r))
		return true;
	return fail("\"%.*s\" is not a number", TEXT_ARG(value));
}

static bool set_do(struct rule *rule, struct text value)
{
	struct text word = { NULL, 0 }, rest = value;

	text_token(&rest, ':', &word);
	for (unsigned i = 0; i < DEEDS; i++) {
		if (!text_is(word, deeds[i].word))
			continue;
		rule->deed = (enum deed)i;
		rule->amount = deeds[i].amount;
		return rest.len == 0 || set_number(rest, &rule->amount);
	}
	return fail("there is nothing to do called \"%.*s\"", TEXT_ARG(value));
}

static bool set_match(struct rule *rule, struct text value)
{
	free(rule->match);
	rule->match = text_dup(value);
	return true;
}

static bool parse_code(struct text text, int *code_r)
{
	uint64_t code;

	if (text.len < 3 || !text_to_u64(text_make(text.data, 3), &code) ||
	    code < 200 || code > 599)
		return fail("a reply begins with a code from 200 to 599");
	*code_r = (int)code;
	return true;
}

static bool set_reply(struct rule *rule, struct text value)
{
	struct smtp_reply *reply = &rule->reply;

	rule->usual_reply = text_is(value, "ok");
	if (rule->usual_reply)
		return true;
	if (!parse_code(value, &reply->code))
		return false;
	free(rule->words);
	rule->words = text_dup(text_skip(value, value.len > 3 ? 4 : 3));
	reply->text = text_of(rule->words);
	reply->text = text_skip(reply->text, smtp_status_parse(reply->text,
	                                                       &reply->status));
	return true;
}

/* The engine behind must still be told something: what the octets look like,
 * or a refusal for now. */
static bool set_raw(struct rule *rule, struct text value)
{
	free(rule->raw);
	rule->raw = xmemdup0(value.data, value.len);
	rule->raw_len = value.len;
	if (!parse_code(value, &rule->reply.code))
		rule->reply.code = 450;
	return true;
}

static bool set_times(struct rule *rule, struct text value)
{
	return set_number(value, &rule->times);
}

static bool set_after(struct rule *rule, struct text value)
{
	return set_number(value, &rule->after);
}

static bool set_keep(struct rule *rule, struct text value)
{
	rule->keep = text_is(value, "yes");
	return rule->keep || text_is(value, "no") || fail("keep is yes or no");
}

static const struct {
	const char *key;
	bool (*set)(struct rule *rule, struct text value);
} setters[] = {
	{ "stage", set_stage }, { "match", set_match }, { "reply", set_reply },
	{ "raw", set_raw },     { "do", set_do },       { "times", set_times },
	{ "after", set_after }, { "keep", set_keep },
};

static bool set_key(struct rule *rule, struct text key, struct text value)
{
	for (size_t i = 0; i < sizeof(setters) / sizeof(setters[0]); i++)
		if (text_is(key, setters[i].key))
			return setters[i].set(rule, value);
	return fail("there is no key \"%.*s\"", TEXT_ARG(key));
}

/* --- lines and files ---------------------------------------------------- */

static bool read_pair(struct rule *rule, const char **at)
{
	size_t len = strcspn(*at, "= \t\r\n");
	struct text key = text_make(*at, len);
	struct buf value = BUF_INIT(64 * 1024);
	bool ok;

	*at += len;
	if (**at != '=')
		return fail("\"%.*s\" lacks its \"=\"", TEXT_ARG(key));
	++*at;
	ok = read_value(at, &value) && set_key(rule, key, buf_text(&value));
	buf_free(&value);
	return ok;
}

static bool check_rule(const struct rule *rule)
{
	if (rule->stage == STAGES)
		return fail("a line needs a stage");
	if (rule->deed == DEED_DROP_STARTTLS && rule->stage != STAGE_EHLO)
		return fail("drop-starttls belongs to the stage ehlo");
	if (rule->deed == DEED_INJECT && rule->stage != STAGE_STARTTLS)
		return fail("inject-after-starttls belongs to the stage "
		            "starttls");
	return true;
}

static void rule_free(struct rule *rule)
{
	free(rule->match);
	free(rule->words);
	free(rule->raw);
}

/* A '#' where a key could begin is a comment to the end of the line. */
static const char *skip_blanks(const char *at)
{
	at += strspn(at, " \t\r\n");
	return *at == '#' ? at + strlen(at) : at;
}

static bool read_line(struct script *script, const char *at)
{
	struct rule rule = { .stage = STAGES };
	bool ok = true;

	at = skip_blanks(at);
	if (*at == '\0')
		return true; /* nothing, or nothing but a comment */
	for (; ok && *at; at = skip_blanks(at))
		ok = read_pair(&rule, &at);
	if (!ok || !check_rule(&rule)) {
		rule_free(&rule);
		return false;
	}
	script->rules = xrealloc(script->rules,
	                         (script->count + 1) * sizeof(rule));
	script->rules[script->count++] = rule;
	return true;
}

struct script *script_load(const char *path, const char **error_r)
{
	struct script *script = xcalloc(1, sizeof(*script));
	FILE *file = fopen(path, "re");
	char *line = NULL, detail[sizeof(error_text)];
	size_t size = 0, number = 0;
	bool ok = file != NULL;

	*error_r = error_text;
	if (!file)
		fail("%s: %s", path, strerror(errno));
	while (ok && getline(&line, &size, file) >= 0) {
		number++;
		ok = read_line(script, line);
		if (ok)
			continue;
		memcpy(detail, error_text, sizeof(detail));
		fail("%s:%zu: %.200s", path, number, detail);
	}
	free(line);
	if (file)
		fclose(file);
	if (!ok)
		script_free(&script);
	return script;
}

void script_free(struct script **script)
{
	if (!*script)
		return;
	for (size_t i = 0; i < (*script)->count; i++)
		rule_free(&(*script)->rules[i]);
	free((*script)->rules);
	free(*script);
	*script = NULL;
}

/* --- matching ----------------------------------------------------------- */

static bool is_due(struct rule *rule, uint64_t progress)
{
	if (rule->stage == STAGE_BODY || rule->stage == STAGE_IDLE)
		return progress >= rule->after;
	return rule->passed++ >= rule->after;
}

static bool is_meant(const struct rule *rule, struct text subjects)
{
	struct text subject;

	if (!rule->match)
		return true;
	if (subjects.len == 0)
		return text_glob(text_of(rule->match), subjects);
	while (text_token(&subjects, '\n', &subject))
		if (text_glob(text_of(rule->match), subject))
			return true;
	return false;
}

const struct rule *script_match(struct script *script, enum stage stage,
                                struct text subject, uint64_t progress)
{
	for (size_t i = 0; script && i < script->count; i++) {
		struct rule *rule = &script->rules[i];

		if (rule->stage != stage ||
		    (rule->times && rule->used >= rule->times) ||
		    !is_meant(rule, subject) || !is_due(rule, progress))
			continue;
		rule->used++;
		return rule;
	}
	return NULL;
}

bool rule_answers(const struct rule *rule)
{
	if (!rule || rule->reply.code || rule->usual_reply)
		return true;
	return rule->deed != DEED_CLOSE && rule->deed != DEED_RESET &&
	       rule->deed != DEED_HANG && rule->deed != DEED_GARBAGE;
}

/* --- help --------------------------------------------------------------- */

void script_print_help(void)
{
	puts("\nA script has one rule a line, the first that matches wins:\n"
	     "  stage=STAGE [match=GLOB] [reply=\"CODE [STATUS] TEXT\"] "
	     "[do=DEED[:N]]\n"
	     "              [raw=\"OCTETS\"] [keep=yes] [after=N] [times=N]\n"
	     "\nStages, what match= is compared with, what after= counts:");
#define X(name, word, subject, counted) \
	printf("  %-10s %-26s %s\n", word, subject, counted);
	STAGE_MAP(X)
#undef X
	puts("\nDeeds; those that end the talk answer first only if reply= is "
	     "given\n(reply=ok: the usual reply):");
#define X(name, word, number, meaning) printf("  %-22s %s\n", word, meaning);
	DEED_MAP(X)
#undef X
	puts("\nIn quotes \\n \\r \\t \\\" \\\\ and \\xHH may be used; \\n "
	     "inside reply= begins a line\nof the same reply.  keep=yes at "
	     "data-end: the message is taken though the reply\nnever comes.  "
	     "SIGHUP rereads the script.");
}
