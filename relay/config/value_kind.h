/*
 * value_kind -- inside value.c and its siblings: what a type can do.
 *
 * parse: replaces the field, or leaves it and says why not.  print: as in the
 * file.  free: NULL where nothing is owned.
 */
#ifndef RELAY_CONFIG_VALUE_KIND_H
#define RELAY_CONFIG_VALUE_KIND_H

#include "relay/config/config.h"
#include "relay/config/value.h"

struct value_choice {
	const char *name;
	int value;
};

struct value_kind {
	bool (*parse)(const struct value_kind *kind, struct text text,
	              void *field, struct buf *why);
	void (*print)(const struct value_kind *kind, const void *field,
	              struct buf *out);
	void (*free)(void *field);
	const struct value_choice *choices; /* ended by a NULL name */
	uint64_t least;
	bool list;
};

#define VALUE_PARSER(name)                                                 \
	bool value_parse_##name(const struct value_kind *kind,             \
	                        struct text text, void *field,             \
	                        struct buf *why)
#define VALUE_PRINTER(name)                                                \
	void value_print_##name(const struct value_kind *kind,             \
	                        const void *field, struct buf *out)

VALUE_PARSER(text);
VALUE_PARSER(hostname);
VALUE_PARSER(host);
VALUE_PARSER(url);
VALUE_PARSER(user);
VALUE_PARSER(variable);
VALUE_PARSER(fingerprint);
VALUE_PRINTER(text);
VALUE_PRINTER(secret);
VALUE_PRINTER(url);
VALUE_PRINTER(provider);
void value_free_text(void *field);

VALUE_PARSER(duration);
VALUE_PARSER(size);
VALUE_PARSER(count);
VALUE_PARSER(port);
VALUE_PRINTER(duration);
VALUE_PRINTER(size);
VALUE_PRINTER(count);
VALUE_PRINTER(port);
bool value_duration(struct text text, int64_t least_ms, int64_t *ms_r,
                    struct buf *why);
void value_put_duration(int64_t ms, struct buf *out);

VALUE_PARSER(login);
bool value_login_is_file(struct text text);
VALUE_PRINTER(login);
void value_free_login(void *field);
VALUE_PARSER(device_auth);
VALUE_PRINTER(device_auth);

VALUE_PARSER(bool);
VALUE_PARSER(choice);
VALUE_PARSER(tls_version);
VALUE_PARSER(auth);
VALUE_PRINTER(bool);
VALUE_PRINTER(choice);

VALUE_PARSER(durations);
VALUE_PARSER(senders);
VALUE_PARSER(networks);
VALUE_PARSER(addresses);
VALUE_PRINTER(durations);
VALUE_PRINTER(senders);
VALUE_PRINTER(networks);
VALUE_PRINTER(addresses);
void value_free_durations(void *field);
void value_free_senders(void *field);
void value_free_networks(void *field);
void value_free_addresses(void *field);

VALUE_PARSER(charset);
VALUE_PARSER(mailbox);
VALUE_PARSER(domain);
VALUE_PARSER(reply_text);
VALUE_PARSER(sender);
VALUE_PARSER(reply_to);
VALUE_PRINTER(sender);
VALUE_PRINTER(reply_to);
void value_free_sender(void *field);
void value_free_reply_to(void *field);

VALUE_PARSER(name);
VALUE_PARSER(names);
VALUE_PARSER(cidrs);
VALUE_PARSER(clients);
VALUE_PRINTER(clients);
void value_free_clients(void *field);

VALUE_PARSER(patterns);
VALUE_PARSER(recipient_map);
VALUE_PRINTER(recipient_map);
void value_free_recipient_map(void *field);

/* Parts of a list.  The next one that is not empty, up to ',' or the end of
 * the line; room for one more; how many there may be, and must. */
bool value_next_part(struct text *rest, struct text *part_r);
void *value_grown(void *items, size_t n, size_t size);
bool value_has_room(size_t n, struct buf *why);
bool value_not_empty(size_t n, struct buf *why);
void value_add_word(struct word_list *list, struct text word);
/* A list of words, each of which check() lets pass; replaces the field. */
typedef bool (*value_word_check)(struct text word, struct buf *why);
bool value_parse_words(struct text text, void *field, value_word_check check,
		       struct buf *why);
bool value_parse_network(struct text part, struct network *network,
                         struct buf *why);
void value_print_network(const struct network *network, struct buf *out);
void value_replace_text(void *field, struct text text); /* of a char * */

/* "TEXT" and what is allowed; always false. */
bool value_refuse(struct buf *why, struct text text, const char *allowed);
/* An address to deliver to: with a domain that providers take, which has a dot
 * or is an IP address in brackets. */
bool value_is_recipient(struct text address);

#endif
