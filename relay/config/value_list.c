#include "relay/config/value_kind.h"

#include <stdlib.h>
#include <string.h>
#include "proto/smtp_path.h"
#include "proto/xalloc.h"
#include "relay/config/config.h"

enum { LIST_MAX = 10000 };

bool value_next_part(struct text *rest, struct text *part_r)
{
	while (rest->len > 0) {
		size_t n = 0;

		while (n < rest->len && !strchr(",\n", rest->data[n]))
			n++;
		*part_r = text_trim(text_make(rest->data, n));
		*rest = text_skip(*rest, n + 1);
		if (part_r->len > 0)
			return true;
	}
	return false;
}

void *value_grown(void *items, size_t n, size_t size)
{
	/* Doubled at each power of two. */
	if (n > 0 && (n & (n - 1)) != 0)
		return items;
	return xrealloc(items, (n > 0 ? 2 * n : 1) * size);
}

bool value_has_room(size_t n, struct buf *why)
{
	if (n < LIST_MAX)
		return true;
	buf_printf(why, "the list has more than %d parts", LIST_MAX);
	return false;
}

bool value_not_empty(size_t n, struct buf *why)
{
	if (n > 0)
		return true;
	buf_puts(why, "the list is empty; leave the line out for the default");
	return false;
}

VALUE_PARSER(durations)
{
	struct duration_list list = { 0 };
	struct text part;

	(void)kind;
	while (value_next_part(&text, &part)) {
		list.ms = value_grown(list.ms, list.n, sizeof(*list.ms));
		if (!value_has_room(list.n, why) ||
		    !value_duration(part, 1000, &list.ms[list.n], why))
			goto refused;
		list.n++;
	}
	if (!value_not_empty(list.n, why))
		goto refused;
	value_free_durations(field);
	memcpy(field, &list, sizeof(list));
	return true;
refused:
	free(list.ms);
	return false;
}

VALUE_PRINTER(durations)
{
	const struct duration_list *list = field;

	(void)kind;
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			buf_puts(out, ", ");
		value_put_duration(list->ms[i], out);
	}
}

void value_free_durations(void *field)
{
	struct duration_list *list = field;

	free(list->ms);
	*list = (struct duration_list){ 0 };
}

void value_add_word(struct word_list *list, struct text word)
{
	list->words = value_grown(list->words, list->n, sizeof(*list->words));
	list->words[list->n++] = text_dup(word);
}

/* An address, or one with '*' somewhere in it and a domain. */
static bool parse_sender(struct text part, struct buf *why)
{
	char *filled = text_dup(part), *star;
	struct smtp_path path;
	bool good;

	while ((star = strchr(filled, '*')))
		*star = 'x';
	good = smtp_address_parse(text_of(filled), &path);
	free(filled);
	if (good)
		return true;
	return value_refuse(why, part,
			    "is neither an address nor a pattern; "
			    "write it like scanner@example.com or "
			    "*@example.com");
}

bool value_parse_words(struct text text, void *field, value_word_check check,
		       struct buf *why)
{
	struct word_list list = { 0 };
	struct text part;

	while (value_next_part(&text, &part)) {
		if (!value_has_room(list.n, why) || !check(part, why))
			goto refused;
		value_add_word(&list, part);
	}
	if (!value_not_empty(list.n, why))
		goto refused;
	value_free_senders(field);
	memcpy(field, &list, sizeof(list));
	return true;
refused:
	value_free_senders(&list);
	return false;
}

VALUE_PARSER(senders)
{
	(void)kind;
	return value_parse_words(text, field, parse_sender, why);
}

VALUE_PRINTER(senders)
{
	const struct word_list *list = field;

	(void)kind;
	for (size_t i = 0; i < list->n; i++)
		buf_printf(out, i > 0 ? ", %s" : "%s", list->words[i]);
}

void value_free_senders(void *field)
{
	struct word_list *list = field;

	for (size_t i = 0; i < list->n; i++)
		free(list->words[i]);
	free(list->words);
	*list = (struct word_list){ 0 };
}

bool value_parse_network(struct text part, struct network *network,
			 struct buf *why)
{
	const char *error;

	if (text_is(part, "any") || text_is(part, "all") || text_is(part, "*"))
		return value_refuse(why, part,
				    "is not a network; the whole "
				    "Internet is 0.0.0.0/0, ::/0");
	if (network_parse(part, network, &error))
		return true;
	buf_printf(why, "\"%.*s\" is not a network: %s", TEXT_ARG(part), error);
	return false;
}

VALUE_PARSER(networks)
{
	struct network_list list = { 0 };
	struct text part;

	(void)kind;
	while (value_next_part(&text, &part)) {
		if (text_is(part, "private")) {
			list.private = true;
			continue;
		}
		list.networks = value_grown(list.networks, list.n,
					    sizeof(*list.networks));
		if (!value_has_room(list.n, why) ||
		    !value_parse_network(part, &list.networks[list.n], why))
			goto refused;
		list.n++;
	}
	if (!list.private && !value_not_empty(list.n, why))
		goto refused;
	value_free_networks(field);
	memcpy(field, &list, sizeof(list));
	return true;
refused:
	free(list.networks);
	return false;
}

void value_print_network(const struct network *network, struct buf *out)
{
	char host[ADDRESS_TEXT_MAX];
	unsigned bits = network->base.is_v6 ? 128 : 32;

	buf_puts(out, address_print(&network->base, host));
	if (network->prefix < bits)
		buf_printf(out, "/%u", network->prefix);
}

VALUE_PRINTER(networks)
{
	const struct network_list *list = field;

	(void)kind;
	if (list->private)
		buf_puts(out, list->n > 0 ? "private, " : "private");
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			buf_puts(out, ", ");
		value_print_network(&list->networks[i], out);
	}
}

void value_free_networks(void *field)
{
	struct network_list *list = field;

	free(list->networks);
	*list = (struct network_list){ 0 };
}

/* host ":" port, where an IPv6 host stands in brackets */
static bool split_address(struct text part, struct text *host_r,
			  struct text *port_r)
{
	size_t at = part.len;

	while (at > 0 && part.data[at - 1] != ':')
		at--;
	if (at < 2)
		return false;
	*host_r = text_make(part.data, at - 1);
	*port_r = text_skip(part, at);
	if (host_r->data[0] == '[') {
		if (host_r->len < 3 || host_r->data[host_r->len - 1] != ']')
			return false;
		*host_r = text_make(host_r->data + 1, host_r->len - 2);
		return memchr(host_r->data, ':', host_r->len) != NULL;
	}
	return !memchr(host_r->data, ':', host_r->len);
}

static void add_address(struct address_list *list, const char *host,
			uint16_t port)
{
	list->addresses =
		value_grown(list->addresses, list->n, sizeof(*list->addresses));
	if (!address_parse(text_of(host), &list->addresses[list->n]))
		return;
	list->addresses[list->n++].port = port;
}

static bool parse_listen(struct text part, struct address_list *list,
			 struct buf *why)
{
	struct address address;
	struct text host, port;
	char *literal;
	uint64_t number;

	if (!split_address(part, &host, &port))
		return value_refuse(why, part,
				    "is not an address with a port; "
				    "write it like *:25, 192.0.2.1:25 or "
				    "[2001:db8::1]:25");
	if (!text_to_u64(port, &number) || number < 1 || number > 65535)
		return value_refuse(why, part,
				    "has no port from 1 to 65535; "
				    "write it like *:25");
	if (text_is(host, "*") || text_is(host, "localhost")) {
		bool any = text_is(host, "*");

		add_address(list, any ? "::" : "::1", (uint16_t)number);
		add_address(list, any ? "0.0.0.0" : "127.0.0.1",
			    (uint16_t)number);
		return true;
	}
	if (!address_parse(host, &address))
		return value_refuse(why, part,
				    "names a host; a listener takes "
				    "an IP address of this machine, or *");
	literal = text_dup(host);
	add_address(list, literal, (uint16_t)number);
	free(literal);
	return true;
}

VALUE_PARSER(addresses)
{
	struct address_list list = { 0 };
	struct text part;

	(void)kind;
	while (value_next_part(&text, &part)) {
		if (!value_has_room(list.n, why) ||
		    !parse_listen(part, &list, why))
			goto refused;
	}
	if (!value_not_empty(list.n, why))
		goto refused;
	value_free_addresses(field);
	memcpy(field, &list, sizeof(list));
	return true;
refused:
	free(list.addresses);
	return false;
}

static bool is_wildcard(const struct address *address)
{
	static const uint8_t zero[16];

	return memcmp(address->bytes, zero, sizeof(zero)) == 0;
}

/* [::] and 0.0.0.0 at one port were written as '*'. */
static bool is_star(const struct address_list *list, size_t i)
{
	const struct address *v6 = &list->addresses[i];

	return i + 1 < list->n && v6->is_v6 && !v6[1].is_v6 &&
	       is_wildcard(v6) && is_wildcard(v6 + 1) && v6->port == v6[1].port;
}

VALUE_PRINTER(addresses)
{
	const struct address_list *list = field;
	char text[ADDRESS_TEXT_MAX];

	(void)kind;
	for (size_t i = 0; i < list->n; i++) {
		if (i > 0)
			buf_puts(out, ", ");
		if (is_star(list, i))
			buf_printf(out, "*:%u", list->addresses[i++].port);
		else
			buf_puts(out,
				 address_print_port(&list->addresses[i], text));
	}
}

void value_free_addresses(void *field)
{
	struct address_list *list = field;

	free(list->addresses);
	*list = (struct address_list){ 0 };
}
