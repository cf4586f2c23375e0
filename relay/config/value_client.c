#include "relay/config/value_kind.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "relay/config/config_ini.h"

/* As config_ini takes the names of sections. */
static bool is_name(struct text text)
{
	if (text.len == 0 || text.len > CONFIG_INI_NAME_MAX)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.data[i];

		if (!isalnum(c) && c != '_' && c != '-' && c != '.')
			return false;
	}
	return true;
}

static bool check_name(struct text text, struct buf *why)
{
	return is_name(text) ||
	       value_refuse(why, text,
			    "is not the name of a section, which has letters, "
			    "digits, '-', '_' and '.'");
}

VALUE_PARSER(name)
{
	(void)kind;
	if (!check_name(text, why))
		return false;
	value_replace_text(field, text);
	return true;
}

VALUE_PARSER(names)
{
	(void)kind;
	return value_parse_words(text, field, check_name, why);
}

static bool refuse_private(struct text part, struct buf *why)
{
	return value_refuse(why, part,
			    "is every private network; give the device's own "
			    "address, such as 192.168.1.20");
}

VALUE_PARSER(cidrs)
{
	struct network_list list = { 0 };

	if (!value_parse_networks(kind, text, &list, why))
		return false;
	if (list.private) {
		value_free_networks(&list);
		return refuse_private(text_of("private"), why);
	}
	value_free_networks(field);
	memcpy(field, &list, sizeof(list));
	return true;
}

/* Meant as an address or a network, right or wrong. */
static bool looks_like_network(struct text part)
{
	struct address address;
	size_t n = 0;

	if (address_parse(part, &address) || memchr(part.data, '/', part.len) ||
	    memchr(part.data, ':', part.len))
		return true;
	while (n < part.len && strchr("0123456789.-", part.data[n]))
		n++;
	return n == part.len;
}

static bool add_client(struct client_list *list, struct text part,
		       struct buf *why)
{
	struct network_list *networks = &list->networks;

	if (text_is(part, "any") || text_is(part, "all") || text_is(part, "*"))
		return value_refuse(why, part,
				    "is no network and no device; leave the "
				    "line out, and any client matches");
	if (!value_has_room(networks->n + list->devices.n, why))
		return false;
	if (text_is(part, "private")) {
		networks->private = true;
		return true;
	}
	if (looks_like_network(part)) {
		networks->networks =
			value_grown(networks->networks, networks->n,
				    sizeof(*networks->networks));
		return value_parse_network(
			       part, &networks->networks[networks->n], why) &&
		       ++networks->n;
	}
	if (!is_name(part))
		return value_refuse(why, part,
				    "is neither a network nor the name of a "
				    "device; write it like 192.168.1.0/24 or "
				    "scanner-2");
	value_add_word(&list->devices, part);
	return true;
}

VALUE_PARSER(clients)
{
	struct client_list list = { 0 };
	struct text part;

	(void)kind;
	while (value_next_part(&text, &part)) {
		if (!add_client(&list, part, why))
			goto refused;
	}
	if (!list.networks.private &&
	    !value_not_empty(list.networks.n + list.devices.n, why))
		goto refused;
	value_free_clients(field);
	memcpy(field, &list, sizeof(list));
	return true;
refused:
	value_free_clients(&list);
	return false;
}

VALUE_PRINTER(clients)
{
	const struct client_list *list = field;

	value_print_networks(kind, &list->networks, out);
	if (list->devices.n > 0 &&
	    (list->networks.n > 0 || list->networks.private))
		buf_puts(out, ", ");
	value_print_senders(kind, &list->devices, out);
}

void value_free_clients(void *field)
{
	struct client_list *list = field;

	value_free_networks(&list->networks);
	value_free_senders(&list->devices);
}
