#include "relay/config/config_ini.h"

#include <ctype.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/utf8.h"
#include "proto/xalloc.h"

struct reader {
	struct text rest; /* what inih has not seen yet */
	const char *label;
	bool (*knows)(struct text word);
	unsigned line;   /* number of the line inih has now */
	struct text raw; /* and its bytes */
	bool indented;   /* as inih sees it */
	bool after_key;  /* an indented line would continue a key */
	const struct config_ini_section *section;
	struct config_ini *ini;
	char *error;
	unsigned error_line;
};

static bool complain(struct reader *reader, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static bool complain(struct reader *reader, const char *format, ...)
{
	char sentence[512];
	va_list args;

	if (reader->error)
		return false;
	va_start(args, format);
	vsnprintf(sentence, sizeof(sentence), format, args);
	va_end(args);
	reader->error =
		xasprintf("%s:%u: %s", reader->label, reader->line, sentence);
	reader->error_line = reader->line;
	return false;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_comment(struct text line)
{
	return line.len > 0 && (line.data[0] == ';' || line.data[0] == '#');
}

static size_t indentation(struct text line)
{
	size_t n = 0;

	while (n < line.len && is_blank(line.data[n]))
		n++;
	return n;
}

static struct text next_line(struct text *rest)
{
	const char *end = memchr(rest->data, '\n', rest->len);
	size_t len = end ? (size_t)(end - rest->data) : rest->len;
	struct text line = text_make(rest->data, len);

	*rest = text_skip(*rest, end ? len + 1 : len);
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	return line;
}

static bool line_is_clean(struct reader *reader, struct text line)
{
	if (line.len > CONFIG_INI_LINE_MAX)
		return complain(reader,
				"this line has %zu bytes, and %d is the "
				"most; a list may go on in the next line, "
				"indented; a long secret belongs into a file",
				line.len, CONFIG_INI_LINE_MAX);
	for (size_t i = 0; i < line.len; i++) {
		unsigned char c = (unsigned char)line.data[i];

		if (c == '\0')
			return complain(reader,
					"this line holds a NUL byte; "
					"save the file as plain UTF-8 text");
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return complain(reader,
					"this line holds the control "
					"character 0x%02x; take it out",
					c);
	}
	return true;
}

/* The word before '=' in an indented line, or behind '[': does the caller know
 * it?  Then the indentation is a matter of taste, not a continuation. */
static bool is_own_line(const struct reader *reader, struct text line)
{
	struct text word = line;
	size_t n = 0;
	bool bracket = line.len > 0 && line.data[0] == '[';

	if (bracket)
		word = text_skip(line, 1);
	while (n < word.len &&
	       (isalnum((unsigned char)word.data[n]) || word.data[n] == '_'))
		n++;
	line = text_trim(text_skip(word, n));
	if (!bracket && (line.len == 0 || line.data[0] != '='))
		return false;
	return n > 0 && reader->knows(text_make(word.data, n));
}

static bool is_name(struct text name)
{
	for (size_t i = 0; i < name.len; i++) {
		unsigned char c = (unsigned char)name.data[i];

		if (!isalnum(c) && !strchr("_-.", c))
			return false;
	}
	return name.len > 0;
}

static void add_section(struct reader *reader, struct text kind,
			struct text name)
{
	struct config_ini *ini = reader->ini;
	struct config_ini_section *section = xcalloc(1, sizeof(*section));

	section->kind = text_dup(kind);
	section->name = name.len > 0 ? text_dup(name) : NULL;
	section->line = reader->line;
	ini->sections = xrealloc(ini->sections, (ini->n_sections + 1) *
							sizeof(*ini->sections));
	ini->sections[ini->n_sections++] = section;
	reader->section = section;
	reader->after_key = false;
}

/* "[" kind [ 1*SP name ] "]" [ comment ] */
static bool read_section(struct reader *reader, struct text line)
{
	const char *end = memchr(line.data, ']', line.len);
	struct text inside, behind, kind;
	size_t n = 0;

	if (!end)
		return complain(reader, "the section has no ']'; write it like "
					"[account] or [listener office]");
	inside = text_trim(
		text_make(line.data + 1, (size_t)(end - line.data) - 1));
	behind = text_trim(text_skip(line, (size_t)(end - line.data) + 1));
	if (behind.len > 0 && !is_comment(behind))
		return complain(reader,
				"something stands behind the ']' of the "
				"section; keys begin in the next line");
	if (inside.len > CONFIG_INI_NAME_MAX)
		return complain(reader,
				"the section's name has %zu bytes, and "
				"%d is the most",
				inside.len, CONFIG_INI_NAME_MAX);
	while (n < inside.len && !is_blank(inside.data[n]))
		n++;
	kind = text_make(inside.data, n);
	inside = text_trim(text_skip(inside, n));
	if (!is_name(kind) || (inside.len > 0 && !is_name(inside)))
		return complain(reader,
				"a section is [kind] or [kind name], of "
				"letters, digits, '-', '_' and '.', such as "
				"[account] or [listener office]");
	add_section(reader, kind, inside);
	return true;
}

static bool key_is_short(struct reader *reader, struct text line)
{
	size_t n = 0;

	while (n < line.len && line.data[n] != '=' && line.data[n] != ':')
		n++;
	if (n == line.len)
		return true;
	n = text_trim(text_make(line.data, n)).len;
	if (n > CONFIG_INI_NAME_MAX)
		return complain(reader,
				"the name of the key has %zu bytes, and "
				"%d is the most",
				n, CONFIG_INI_NAME_MAX);
	if (n == 0)
		return complain(reader, "there is no key before the \"%c\"",
				text_trim(line).data[0]);
	return true;
}

/* What inih gets of a line: sections it need not see but for an empty one,
 * which makes it forget the key a continuation would belong to. */
static bool take_line(struct reader *reader, struct text *line)
{
	size_t indent = indentation(*line);
	struct text flush = text_skip(*line, indent);

	reader->raw = *line;
	reader->indented = indent > 0;
	if (flush.len == 0)
		return true;
	if (indent > 0 && reader->after_key && !is_own_line(reader, flush))
		return true;
	reader->raw = *line = flush;
	reader->indented = false;
	if (flush.data[0] != '[')
		return key_is_short(reader, flush);
	*line = text_of("[]");
	return read_section(reader, flush);
}

static char *give_line(char *out, int size, void *context)
{
	struct reader *reader = context;
	struct text line;
	size_t n;

	if (reader->error || reader->rest.len == 0)
		return NULL;
	reader->line++;
	line = next_line(&reader->rest);
	if (is_comment(text_skip(line, indentation(line))))
		line.len = 0;
	if (!line_is_clean(reader, line) || !take_line(reader, &line))
		return NULL;
	n = line.len < (size_t)size - 2 ? line.len : (size_t)size - 2;
	memcpy(out, line.data, n);
	memcpy(out + n, "\n", 2);
	return out;
}

/* Where " ;" begins a comment, as inih sees it; the length if nowhere. */
static size_t comment_start(struct text value)
{
	for (size_t i = 1; i < value.len; i++) {
		if (value.data[i] == ';' && is_blank(value.data[i - 1]))
			return i - 1;
	}
	return value.len;
}

static void continue_entry(struct reader *reader, const char *value)
{
	struct config_ini *ini = reader->ini;
	struct config_ini_entry *entry = &ini->entries[ini->n_entries - 1];
	struct text more = text_of(value);
	char *joined;

	more = text_trim(text_make(more.data, comment_start(more)));
	joined = xasprintf("%s\n%.*s", entry->value, TEXT_ARG(more));
	xfree_secret(&entry->value);
	entry->value = joined;
	if (entry->continued == 0)
		entry->continued = reader->line;
}

static void add_entry(struct reader *reader, const char *key, const char *value)
{
	struct config_ini *ini = reader->ini;
	struct config_ini_entry *entry;

	ini->entries = xrealloc(ini->entries,
				(ini->n_entries + 1) * sizeof(*ini->entries));
	entry = &ini->entries[ini->n_entries++];
	*entry = (struct config_ini_entry){
		.section = reader->section,
		.key = xstrdup(key),
		.value = xstrdup(value),
		.line = reader->line,
		.cut = comment_start(reader->raw) < reader->raw.len,
	};
	reader->after_key = true;
}

static int take_entry(void *context, const char *section, const char *key,
		      const char *value)
{
	struct reader *reader = context;

	(void)section;
	if (reader->error)
		return 0;
	if (!utf8_is_valid(text_of(key)) || !utf8_is_valid(text_of(value)))
		return complain(reader, "this line is not UTF-8; save the file "
					"as UTF-8 text");
	if (reader->indented && reader->after_key)
		continue_entry(reader, value);
	else
		add_entry(reader, key, value);
	return 1;
}

static bool has_prefix(struct text bytes, const char *prefix)
{
	size_t len = strlen(prefix);

	return bytes.len >= len && memcmp(bytes.data, prefix, len) == 0;
}

/* The text without its byte order mark; an error for UTF-16. */
static bool skip_mark(struct reader *reader)
{
	reader->line = 1;
	if (has_prefix(reader->rest, "\xff\xfe") ||
	    has_prefix(reader->rest, "\xfe\xff"))
		return complain(reader,
				"the file is UTF-16 (\"Unicode\" in some "
				"editors); save it as UTF-8");
	if (has_prefix(reader->rest, "\xef\xbb\xbf"))
		reader->rest = text_skip(reader->rest, 3);
	reader->line = 0;
	return true;
}

struct config_ini *config_ini_read(struct text bytes, const char *label,
				   bool (*knows)(struct text word),
				   char **error_r)
{
	struct reader reader = {
		.rest = bytes,
		.label = label,
		.knows = knows,
		.ini = xcalloc(1, sizeof(struct config_ini)),
	};
	int odd_line = 0;

	if (skip_mark(&reader))
		odd_line = ini_parse_stream(give_line, &reader, take_entry,
					    &reader);
	/* The line inih stumbled over may hold a secret: it is not quoted. */
	if (odd_line > 0 &&
	    (!reader.error || (unsigned)odd_line < reader.error_line)) {
		free(reader.error);
		reader.error = NULL;
		reader.line = (unsigned)odd_line;
		complain(&reader,
			 "this line is neither \"key = value\", nor a "
			 "[section], nor a comment (which begins with # or ;)");
	}
	if (!reader.error)
		return reader.ini;
	config_ini_free(&reader.ini);
	*error_r = reader.error;
	return NULL;
}

void config_ini_free(struct config_ini **ini)
{
	if (!*ini)
		return;
	for (size_t i = 0; i < (*ini)->n_entries; i++) {
		free((*ini)->entries[i].key);
		xfree_secret(&(*ini)->entries[i].value);
	}
	for (size_t i = 0; i < (*ini)->n_sections; i++) {
		free((*ini)->sections[i]->kind);
		free((*ini)->sections[i]->name);
		free((*ini)->sections[i]);
	}
	free((*ini)->entries);
	free((*ini)->sections);
	free(*ini);
	*ini = NULL;
}
