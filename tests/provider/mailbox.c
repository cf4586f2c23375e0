#include "tests/provider/mailbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

enum { HEADER_MAX = 1024 * 1024, LINE_MAX_OCTETS = 64 * 1024 };

/* --- opening ------------------------------------------------------------ */

static bool complain(const char *what)
{
	fprintf(stderr, "practice-provider: %s: %s\n", what, strerror(errno));
	return false;
}

static bool make_dir(const char *dir, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return mkdir(path, 0755) == 0 || errno == EEXIST || complain(path);
}

/* Messages of an earlier run keep their numbers. */
static uint64_t last_number(const char *dir)
{
	char path[PATH_MAX];
	struct dirent *entry;
	uint64_t last = 0;
	DIR *new;

	snprintf(path, sizeof(path), "%s/new", dir);
	new = opendir(path);
	while (new && (entry = readdir(new))) {
		uint64_t number = strtoull(entry->d_name, NULL, 10);

		if (number > last)
			last = number;
	}
	if (new)
		closedir(new);
	return last;
}

bool mailbox_open(struct mailbox *mailbox, const struct options *options)
{
	*mailbox = (struct mailbox){ .journal = -1 };
	if (options->journal) {
		mailbox->journal = open(options->journal, O_WRONLY | O_CREAT |
		                        O_APPEND | O_CLOEXEC, 0644);
		if (mailbox->journal < 0)
			return complain(options->journal);
	}
	if (options->discard)
		return true;
	mailbox->dir = options->dir;
	if (!make_dir(options->dir, "tmp") || !make_dir(options->dir, "new"))
		return false;
	mailbox->last = last_number(options->dir);
	return true;
}

void mailbox_close(struct mailbox *mailbox)
{
	if (mailbox->journal >= 0)
		close(mailbox->journal);
	mailbox->journal = -1;
}

/* --- as a message arrives ----------------------------------------------- */

static void path_of(const struct incoming *incoming, const char *folder,
                    const char *suffix, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%s/%06llu.%s", incoming->mailbox->dir,
	         folder, (unsigned long long)incoming->number, suffix);
}

void incoming_begin(struct incoming *incoming, struct mailbox *mailbox)
{
	char path[PATH_MAX];

	incoming_drop(incoming);
	incoming->mailbox = mailbox;
	incoming->open = true;
	incoming->message_id[0] = incoming->token[0] = '\0';
	incoming->reading_header = mailbox->journal >= 0;
	if (incoming->reading_header)
		rfc5322_init(&incoming->header, HEADER_MAX);
	if (!mailbox->dir)
		return;
	incoming->number = ++mailbox->last;
	path_of(incoming, "tmp", "eml", path);
	incoming->file = fopen(path, "we");
	if (!incoming->file)
		complain(path);
}

static void note_field(struct incoming *incoming,
                       const struct rfc5322_field *field)
{
	struct buf value = BUF_INIT(sizeof(incoming->token) - 1);
	char *out = NULL;

	if (rfc5322_field_is(field, "Message-ID"))
		out = incoming->message_id;
	else if (rfc5322_field_is(field, "X-Token"))
		out = incoming->token;
	if (!out)
		return;
	rfc5322_unfold(&value, field->value);
	snprintf(out, sizeof(incoming->token), "%.*s",
	         TEXT_ARG(buf_text(&value)));
	buf_free(&value);
}

static void read_header(struct incoming *incoming, struct text chunk)
{
	struct rfc5322_field field;
	struct text body;

	rfc5322_push(&incoming->header, chunk);
	for (;;) {
		switch (rfc5322_next(&incoming->header, &field, &body)) {
		case RFC5322_FIELD:
			note_field(incoming, &field);
			break;
		case RFC5322_NONE:
			return;
		case RFC5322_END:
		case RFC5322_BODY:
		case RFC5322_TOO_BIG:
			rfc5322_free(&incoming->header);
			incoming->reading_header = false;
			return;
		}
	}
}

void incoming_write(struct incoming *incoming, struct text chunk)
{
	if (incoming->reading_header)
		read_header(incoming, chunk);
	if (incoming->file)
		fwrite(chunk.data, 1, chunk.len, incoming->file);
}

static void end_header(struct incoming *incoming)
{
	struct rfc5322_field field;
	struct text body;

	if (!incoming->reading_header)
		return;
	rfc5322_finish(&incoming->header);
	while (rfc5322_next(&incoming->header, &field, &body) == RFC5322_FIELD)
		note_field(incoming, &field);
	rfc5322_free(&incoming->header);
	incoming->reading_header = false;
}

void incoming_drop(struct incoming *incoming)
{
	char path[PATH_MAX];

	if (!incoming->open)
		return;
	incoming->open = false;
	end_header(incoming);
	if (!incoming->file)
		return;
	fclose(incoming->file);
	incoming->file = NULL;
	path_of(incoming, "tmp", "eml", path);
	unlink(path);
}

/* --- taking it ---------------------------------------------------------- */

/* Strangers' octets need not be UTF-8, JSON must be. */
static json_t *string_of(struct text text)
{
	json_t *json = json_stringn(text.len ? text.data : "", text.len);
	char *ascii;

	if (json)
		return json;
	ascii = text_dup(text);
	for (size_t i = 0; i < text.len; i++)
		if (ascii[i] <= 0)
			ascii[i] = '?';
	json = json_stringn(ascii, text.len);
	free(ascii);
	return json;
}

static json_t *string_or_null(const char *string)
{
	return string ? string_of(text_of(string)) : json_null();
}

static json_t *lines(const struct buf *buf)
{
	struct text rest = buf_text(buf), line;
	json_t *array = json_array();

	while (text_token(&rest, '\n', &line))
		if (line.len > 0)
			json_array_append_new(array, string_of(line));
	return array;
}

static bool write_sidecar(const struct incoming *incoming,
                          const struct envelope *envelope)
{
	json_t *json = json_object();
	char path[PATH_MAX];
	bool ok;

	json_object_set_new(json, "from",
	                    string_of(buf_text(&envelope->sender)));
	json_object_set_new(json, "recipients", lines(&envelope->recipients));
	json_object_set_new(json, "auth_user", string_or_null(envelope->user));
	json_object_set_new(json, "tls_version",
	                    string_or_null(envelope->tls_version));
	json_object_set_new(json, "tls_cipher",
	                    string_or_null(envelope->tls_cipher));
	json_object_set_new(json, "helo", string_or_null(envelope->helo));
	json_object_set_new(json, "client", string_or_null(envelope->client));
	json_object_set_new(json, "octets",
	                    json_integer((json_int_t)envelope->octets));
	path_of(incoming, "new", "json", path);
	ok = json_dump_file(json, path, JSON_INDENT(2)) == 0;
	json_decref(json);
	return ok || complain(path);
}

static bool move_message(struct incoming *incoming)
{
	char from[PATH_MAX], to[PATH_MAX];
	bool ok = ferror(incoming->file) == 0;

	ok = fclose(incoming->file) == 0 && ok;
	incoming->file = NULL;
	path_of(incoming, "tmp", "eml", from);
	path_of(incoming, "new", "eml", to);
	if (ok && rename(from, to) == 0)
		return true;
	complain(to);
	unlink(from);
	return false;
}

static void append_recipients(struct buf *out, const struct buf *recipients)
{
	struct text rest = buf_text(recipients), line;
	bool first = true;

	while (text_token(&rest, '\n', &line)) {
		if (line.len == 0)
			continue;
		if (!first)
			buf_putc(out, ',');
		buf_text_append(out, line);
		first = false;
	}
}

static bool write_journal(const struct incoming *incoming,
                          const struct envelope *envelope)
{
	struct buf line = BUF_INIT(LINE_MAX_OCTETS);
	struct text text;
	bool ok;

	buf_printf(&line, "%s\t%s\t<%.*s>\t",
	           incoming->message_id[0] ? incoming->message_id : "-",
	           incoming->token[0] ? incoming->token : "-",
	           TEXT_ARG(buf_text(&envelope->sender)));
	append_recipients(&line, &envelope->recipients);
	buf_printf(&line, "\t%llu\n", (unsigned long long)envelope->octets);
	text = buf_text(&line);
	ok = write(incoming->mailbox->journal, text.data, text.len) ==
	     (ssize_t)text.len;
	buf_free(&line);
	return ok || complain("the journal");
}

bool incoming_take(struct incoming *incoming, const struct envelope *envelope)
{
	bool ok = true;

	end_header(incoming);
	if (incoming->mailbox->dir)
		ok = incoming->file && write_sidecar(incoming, envelope) &&
		     move_message(incoming);
	if (ok && incoming->mailbox->journal >= 0)
		ok = write_journal(incoming, envelope);
	incoming_drop(incoming);
	return ok;
}
