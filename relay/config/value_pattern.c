#include "relay/config/value_kind.h"

#include <stdlib.h>
#include <string.h>
#include "proto/smtp_path.h"
#include "proto/smtp_syntax.h"
#include "proto/utf8.h"

enum { PATTERN_MAX = SMTP_LOCAL_MAX + 1 + SMTP_DOMAIN_MAX };

static bool has_one_of(struct text text, const char *bytes)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] != '\0' && strchr(bytes, text.data[i]))
			return true;
	}
	return false;
}

/* A whole address, or what is left of one with '*' in it; a name without a
 * domain is what some devices send. */
static bool check_pattern(struct text part, struct buf *why)
{
	if (text_is(part, "<>"))
		return true;
	if (part.len > PATTERN_MAX) {
		buf_printf(why, "a pattern has %zu bytes, and %d is the most",
			   part.len, PATTERN_MAX);
		return false;
	}
	if (part.data[0] == '@')
		return value_refuse(why, part,
				    "would match no address; for a whole "
				    "domain write *@example.com");
	if (has_one_of(part, "<> \t") || smtp_has_control(part) ||
	    !utf8_is_valid(part))
		return value_refuse(why, part,
				    "is not a pattern; write it like "
				    "scanner@example.com, *@example.com or, "
				    "for the null sender, <>");
	return true;
}

VALUE_PARSER(patterns)
{
	(void)kind;
	return value_parse_words(text, field, check_pattern, why);
}

/* pattern "->" address */
static bool split_mapping(struct text part, struct text *pattern_r,
			  struct text *address_r)
{
	ptrdiff_t arrow = text_find_nocase(part, text_of("->"));

	if (arrow < 0)
		return false;
	*pattern_r = text_trim(text_make(part.data, (size_t)arrow));
	*address_r = text_trim(text_skip(part, (size_t)arrow + 2));
	return pattern_r->len > 0 && address_r->len > 0;
}

static bool add_mapping(struct recipient_map *map, struct text part,
			struct buf *why)
{
	struct text pattern, address;

	if (!split_mapping(part, &pattern, &address) || text_is(pattern, "<>"))
		return value_refuse(why, part,
				    "is not pattern -> address; write it like "
				    "old@example.com -> new@example.com");
	if (!check_pattern(pattern, why))
		return false;
	if (!value_is_recipient(address))
		return value_refuse(why, address,
				    "is not an address with a full domain; "
				    "behind \"->\" stands one such as "
				    "office@example.com");
	map->mappings =
		value_grown(map->mappings, map->n, sizeof(*map->mappings));
	map->mappings[map->n].pattern = text_dup(pattern);
	map->mappings[map->n++].address = text_dup(address);
	return true;
}

VALUE_PARSER(recipient_map)
{
	struct recipient_map map = { 0 };
	struct text part;

	(void)kind;
	while (value_next_part(&text, &part)) {
		if (!value_has_room(map.n, why) ||
		    !add_mapping(&map, part, why))
			goto refused;
	}
	if (!value_not_empty(map.n, why))
		goto refused;
	value_free_recipient_map(field);
	memcpy(field, &map, sizeof(map));
	return true;
refused:
	value_free_recipient_map(&map);
	return false;
}

VALUE_PRINTER(recipient_map)
{
	const struct recipient_map *map = field;

	(void)kind;
	for (size_t i = 0; i < map->n; i++)
		buf_printf(out, "%s%s -> %s", i > 0 ? ", " : "",
			   map->mappings[i].pattern, map->mappings[i].address);
}

void value_free_recipient_map(void *field)
{
	struct recipient_map *map = field;

	for (size_t i = 0; i < map->n; i++) {
		free(map->mappings[i].pattern);
		free(map->mappings[i].address);
	}
	free(map->mappings);
	*map = (struct recipient_map){ 0 };
}
