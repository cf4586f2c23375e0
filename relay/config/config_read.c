#include "relay/config/config_build.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "proto/xalloc.h"
#include "relay/config/config_ini.h"
#include "relay/config/nearest.h"

enum { FILE_MAX = 1024 * 1024, WHERE_MAX = 400 };

static bool fail_open(struct config_build *build, int error)
{
	if (error == ENOENT || error == ENOTDIR)
		return config_fail(build,
				   "%s: there is no such file; give "
				   "another one with -c FILE, or set "
				   "LANPOST_ACCOUNT_* in the environment",
				   build->path);
	if (error == EACCES)
		return config_fail(build,
				   "%s: this user (uid %u) may not read "
				   "the file; run \"chown\" on it, or start "
				   "lanpost as its owner",
				   build->path, (unsigned)geteuid());
	return config_fail(build, "%s: the file cannot be opened: %s",
			   build->path, strerror(error));
}

static bool check_file(struct config_build *build, const struct stat *status)
{
	build->mode = status->st_mode;
	if (S_ISDIR(status->st_mode))
		return config_fail(build,
				   "%s: this is a directory; name the "
				   "file in it, such as %s/lanpost.conf",
				   build->path, build->path);
	if (!S_ISREG(status->st_mode))
		return config_fail(build, "%s: this is not a plain file",
				   build->path);
	if (status->st_size > FILE_MAX)
		return config_fail(build,
				   "%s: the file has more than 1 MiB; is "
				   "it the right one?",
				   build->path);
	return true;
}

static bool read_bytes(struct config_build *build, int fd, struct buf *bytes)
{
	ssize_t n;

	do {
		char *room = buf_room(bytes, 16384);

		if (!room)
			return config_fail(build,
					   "%s: the file has more than "
					   "1 MiB; is it the right one?",
					   build->path);
		n = read(fd, room, 16384);
		if (n > 0)
			buf_added(bytes, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n == 0)
		return true;
	return config_fail(build, "%s: the file cannot be read: %s",
			   build->path, strerror(errno));
}

/* O_NONBLOCK: a FIFO in the file's place does not hold us up. */
static bool read_file(struct config_build *build, struct buf *bytes)
{
	int fd = open(build->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	bool good;

	if (fd < 0)
		return fail_open(build, errno);
	if (fstat(fd, &status) < 0)
		good = fail_open(build, errno);
	else
		good = check_file(build, &status) &&
		       read_bytes(build, fd, bytes);
	close(fd);
	return good;
}

static bool fail_section(struct config_build *build,
			 const struct config_ini_section *section)
{
	struct nearest nearest;

	nearest_begin(&nearest, text_of(section->kind));
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++)
		nearest_try(&nearest,
			    config_section_kind((enum config_section)i));
	if (nearest.best)
		return config_fail(build,
				   "%s:%u: unknown section [%s]; did you "
				   "mean [%s]?",
				   build->path, section->line, section->kind,
				   nearest.best);
	return config_fail(build,
			   "%s:%u: unknown section [%s]; sections are "
			   "[relay], [listener NAME], [account NAME], "
			   "[device NAME] and [rule NAME]",
			   build->path, section->line, section->kind);
}

static unsigned earlier_line(const struct config_ini *ini, size_t index)
{
	const struct config_ini_section *section = ini->sections[index];
	const char *name = section->name ? section->name : "default";

	for (size_t i = 0; i < index; i++) {
		const struct config_ini_section *other = ini->sections[i];
		const char *its = other->name ? other->name : "default";

		if (strcmp(other->kind, section->kind) == 0 &&
		    text_is(text_of(its), name))
			return other->line;
	}
	return 0;
}

static bool begin_section(struct config_build *build,
			  const struct config_ini *ini, size_t index)
{
	const struct config_ini_section *section = ini->sections[index];
	enum config_section kind = config_section_find(text_of(section->kind));
	unsigned earlier = earlier_line(ini, index);

	if (kind == CONFIG_SECTIONS)
		return fail_section(build, section);
	if (kind == CONFIG_SECTION_RELAY && section->name)
		return config_fail(build,
				   "%s:%u: [relay] takes no name; there "
				   "is just one",
				   build->path, section->line);
	if (earlier > 0)
		return config_fail(build,
				   "%s:%u: [%s%s%s] stands here a second "
				   "time; the first is in line %u",
				   build->path, section->line, section->kind,
				   section->name ? " " : "",
				   section->name ? section->name : "", earlier);
	if (kind == CONFIG_SECTION_RELAY)
		return true;
	if (kind == CONFIG_SECTION_DEVICE &&
	    !config_is_device_name(section->name))
		return config_fail(build, "%s:%u: %s", build->path,
				   section->line, config_device_name_advice);
	config_place_add(build, kind, section->name, section->line);
	return true;
}

/* Of a key that holds a space only the first word is shown: the rest may be a
 * secret whose '=' came too late. */
static struct text first_word(const char *key)
{
	return text_make(key, strcspn(key, " \t"));
}

static const char *section_of_key(struct text name)
{
	for (unsigned i = 0; i < CONFIG_SECTIONS; i++) {
		if (config_key_find((enum config_section)i, name))
			return config_section_kind((enum config_section)i);
	}
	return NULL;
}

static bool fail_key(struct config_build *build, const char *where,
		     enum config_section section, const char *key)
{
	struct text word = first_word(key);
	const char *kind = config_section_kind(section);
	const char *other = section_of_key(word);
	struct nearest nearest;

	if (key[word.len] != '\0' && config_key_find(section, word))
		return config_fail(build,
				   "%s: behind \"%.*s\" comes \"=\", then "
				   "the value",
				   where, TEXT_ARG(word));
	if (other)
		return config_fail(build,
				   "%s: unknown key \"%.*s\" in [%s]; it "
				   "belongs to [%s]",
				   where, TEXT_ARG(word), kind, other);
	nearest_begin(&nearest, word);
	for (size_t i = 0; i < config_n_keys; i++) {
		if (config_keys[i].section == section)
			nearest_try(&nearest, config_keys[i].name);
	}
	if (nearest.best)
		return config_fail(build,
				   "%s: unknown key \"%.*s\" in [%s]; did "
				   "you mean \"%s\"?",
				   where, TEXT_ARG(word), kind, nearest.best);
	return config_fail(build,
			   "%s: unknown key \"%.*s\" in [%s]; "
			   "lanpost.conf(5) lists the keys",
			   where, TEXT_ARG(word), kind);
}

static bool fail_before_section(struct config_build *build,
				const struct config_ini_entry *entry)
{
	const char *kind = section_of_key(first_word(entry->key));

	return config_fail(build,
			   "%s:%u: \"%.*s\" stands before any section; "
			   "put a line with [%s] above it",
			   build->path, entry->line,
			   TEXT_ARG(first_word(entry->key)),
			   kind ? kind : "account");
}

/* What the lines say, before what the value says. */
static bool check_lines(struct config_build *build,
			const struct config_ini_entry *entry,
			const struct config_key *key,
			const struct config_origin *origin)
{
	if (origin->type == CONFIG_ORIGIN_FILE)
		return config_fail(
			build,
			"%s:%u: \"%s\" is set a second time; "
			"the first is in line %u%s",
			build->path, entry->line, key->name, origin->line,
			!key->later && value_is_list(key->type)
				? " (a list goes on in indented lines)"
				: "");
	if (entry->continued > 0 && !key->later && !value_is_list(key->type))
		return config_fail(build,
				   "%s:%u: this line is indented and so "
				   "continues \"%s\", which holds one value; a "
				   "line of its own begins without spaces",
				   build->path, entry->continued, key->name);
	if (entry->cut && !key->later && key->type == VALUE_SECRET)
		return config_fail(
			build,
			"%s:%u: %s: the value would be cut at "
			"\" ;\", where a comment begins; put it into "
			"a file and name that with password_file",
			build->path, entry->line, key->name);
	return true;
}

static bool take_entry(struct config_build *build,
		       const struct config_ini_entry *entry)
{
	enum config_section section;
	const struct config_key *key;
	struct config_place place;
	struct config_origin *origin;
	char where[WHERE_MAX];

	if (!entry->section)
		return fail_before_section(build, entry);
	section = config_section_find(text_of(entry->section->kind));
	key = config_key_find(section, text_of(entry->key));
	snprintf(where, sizeof(where), "%s:%u", build->path, entry->line);
	if (!key)
		return fail_key(build, where, section, entry->key);
	place = config_place_find(build->config, section, entry->section->name);
	origin = &place.origins[key - config_keys];
	if (!check_lines(build, entry, key, origin) ||
	    !config_place_set(build, &place, key, text_of(entry->value), where,
			      false))
		return false;
	*origin = (struct config_origin){ .type = CONFIG_ORIGIN_FILE,
					  .line = entry->line };
	return true;
}

static bool take_all(struct config_build *build, const struct config_ini *ini)
{
	for (size_t i = 0; i < ini->n_sections; i++) {
		if (!begin_section(build, ini, i))
			return false;
	}
	for (size_t i = 0; i < ini->n_entries; i++) {
		if (!take_entry(build, &ini->entries[i]))
			return false;
	}
	return true;
}

bool config_read_file(struct config_build *build)
{
	struct buf bytes = BUF_INIT(FILE_MAX + 32768);
	struct config_ini *ini = NULL;
	char *error = NULL;
	bool good = read_file(build, &bytes);

	if (good) {
		ini = config_ini_read(buf_text(&bytes), build->path,
				      config_word_is_known, &error);
		good = ini ? take_all(build, ini)
			   : config_fail(build, "%s", error);
	}
	free(error);
	config_ini_free(&ini);
	buf_wipe(&bytes);
	return good;
}
