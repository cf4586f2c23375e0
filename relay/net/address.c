#include "relay/net/address.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static const uint8_t mapped_prefix[12] = { [10] = 0xff, [11] = 0xff };

static unsigned address_size(const struct address *address)
{
	return address->is_v6 ? 16 : 4;
}

static bool is_mapped(const struct address *address)
{
	return address->is_v6 &&
	       memcmp(address->bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

static void unmap(struct address *address)
{
	if (!is_mapped(address))
		return;
	memmove(address->bytes, address->bytes + 12, 4);
	memset(address->bytes + 4, 0, 12);
	address->is_v6 = false;
	address->scope = 0;
}

/* "eth0" or "2" */
static bool parse_scope(const char *name, uint32_t *scope_r)
{
	uint64_t index;

	*scope_r = if_nametoindex(name);
	if (*scope_r != 0)
		return true;
	if (!text_to_u64(text_of(name), &index) || index > UINT32_MAX)
		return false;
	*scope_r = (uint32_t)index;
	return true;
}

/* As written: an IPv4 address in IPv6 dress stays IPv6. */
static bool parse_literal(struct text text, struct address *address_r)
{
	char string[ADDRESS_TEXT_MAX], *percent;

	memset(address_r, 0, sizeof(*address_r));
	if (text.len >= sizeof(string) || memchr(text.data, '\0', text.len))
		return false;
	memcpy(string, text.data, text.len);
	string[text.len] = '\0';
	if (inet_pton(AF_INET, string, address_r->bytes) == 1)
		return true;
	percent = strchr(string, '%');
	if (percent) {
		*percent = '\0';
		if (!parse_scope(percent + 1, &address_r->scope))
			return false;
	}
	address_r->is_v6 = true;
	return inet_pton(AF_INET6, string, address_r->bytes) == 1;
}

bool address_parse(struct text text, struct address *address_r)
{
	if (text.len == 0 || !parse_literal(text, address_r))
		return false;
	unmap(address_r);
	return true;
}

void address_from_sockaddr(const struct sockaddr *from,
                           struct address *address_r)
{
	memset(address_r, 0, sizeof(*address_r));
	if (from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)from;

		memcpy(address_r->bytes, &in->sin_addr, 4);
		address_r->port = ntohs(in->sin_port);
	} else if (from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)from;

		address_r->is_v6 = true;
		memcpy(address_r->bytes, &in6->sin6_addr, 16);
		address_r->port = ntohs(in6->sin6_port);
		address_r->scope = in6->sin6_scope_id;
		unmap(address_r);
	}
}

socklen_t address_to_sockaddr(const struct address *address,
                              struct sockaddr_storage *to_r)
{
	struct sockaddr_in *in = (void *)to_r;
	struct sockaddr_in6 *in6 = (void *)to_r;

	memset(to_r, 0, sizeof(*to_r));
	if (!address->is_v6) {
		in->sin_family = AF_INET;
		in->sin_port = htons(address->port);
		memcpy(&in->sin_addr, address->bytes, 4);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(address->port);
	in6->sin6_scope_id = address->scope;
	memcpy(&in6->sin6_addr, address->bytes, 16);
	return sizeof(*in6);
}

const char *address_print(const struct address *address,
                          char out[ADDRESS_TEXT_MAX])
{
	char name[IF_NAMESIZE];
	size_t len;

	if (!inet_ntop(address->is_v6 ? AF_INET6 : AF_INET, address->bytes, out,
	               ADDRESS_TEXT_MAX))
		out[0] = '\0';
	if (!address->is_v6 || address->scope == 0)
		return out;
	len = strlen(out);
	if (if_indextoname(address->scope, name))
		snprintf(out + len, ADDRESS_TEXT_MAX - len, "%%%s", name);
	else
		snprintf(out + len, ADDRESS_TEXT_MAX - len, "%%%u",
		         (unsigned)address->scope);
	return out;
}

const char *address_print_port(const struct address *address,
                               char out[ADDRESS_TEXT_MAX])
{
	char host[ADDRESS_TEXT_MAX];

	address_print(address, host);
	/* 71 octets hold any host; the compiler wants to be shown. */
	snprintf(out, ADDRESS_TEXT_MAX, address->is_v6 ? "[%.71s]:%u" : "%.71s:%u",
	         host, (unsigned)address->port);
	return out;
}

static bool has_prefix(const struct address *address, const uint8_t *prefix,
                       unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	return memcmp(address->bytes, prefix, whole) == 0 &&
	       (rest == 0 ||
	        (address->bytes[whole] & mask) == (prefix[whole] & mask));
}

struct range {
	bool is_v6;
	unsigned prefix;
	uint8_t bytes[16];
};

static const struct range loopback_ranges[] = {
	{ false, 8, { 127 } },
	{ true, 128, { [15] = 1 } },
};

static const struct range private_ranges[] = {
	{ false, 8, { 10 } },           /* RFC 1918 */
	{ false, 12, { 172, 16 } },
	{ false, 16, { 192, 168 } },
	{ false, 16, { 169, 254 } },    /* link-local, RFC 3927 */
	{ true, 7, { 0xfc } },          /* RFC 4193 */
	{ true, 10, { 0xfe, 0x80 } },   /* link-local, RFC 4291 */
};

static bool in_ranges(const struct address *address, const struct range *ranges,
                      size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (ranges[i].is_v6 == address->is_v6 &&
		    has_prefix(address, ranges[i].bytes, ranges[i].prefix))
			return true;
	return false;
}

#define IN_RANGES(address, ranges) \
	in_ranges(address, ranges, sizeof(ranges) / sizeof((ranges)[0]))

bool address_is_loopback(const struct address *address)
{
	return IN_RANGES(address, loopback_ranges);
}

bool address_is_private(const struct address *address)
{
	return address_is_loopback(address) ||
	       IN_RANGES(address, private_ranges);
}

bool address_same_host(const struct address *a, const struct address *b)
{
	return a->is_v6 == b->is_v6 && a->scope == b->scope &&
	       memcmp(a->bytes, b->bytes, address_size(a)) == 0;
}

/* --- networks ----------------------------------------------------------- */

static void clear_host_bits(struct address *address, unsigned prefix)
{
	for (unsigned bit = prefix; bit < address_size(address) * 8; bit++)
		address->bytes[bit / 8] &= (uint8_t)~(0x80 >> bit % 8);
}

static bool parse_prefix(struct text text, const struct address *base,
                         unsigned *prefix_r, const char **error_r)
{
	uint64_t bits;

	if (!text_to_u64(text, &bits) || bits > address_size(base) * 8) {
		*error_r = base->is_v6
			? "the prefix length must be a number from 0 to 128"
			: "the prefix length must be a number from 0 to 32";
		return false;
	}
	*prefix_r = (unsigned)bits;
	return true;
}

static bool check_host_bits(const struct network *network, const char **error_r)
{
	static _Thread_local char error[160];
	struct address base = network->base;
	char host[ADDRESS_TEXT_MAX];

	clear_host_bits(&base, network->prefix);
	if (address_same_host(&base, &network->base))
		return true;
	address_print(&base, host);
	snprintf(error, sizeof(error), "it has bits set behind the prefix; the "
	         "network would be %s/%u", host, network->prefix);
	*error_r = error;
	return false;
}

/* ::ffff:192.168.0.0/112 is 192.168.0.0/16. */
static void network_unmap(struct network *network)
{
	if (!is_mapped(&network->base) || network->prefix < 96)
		return;
	unmap(&network->base);
	network->prefix -= 96;
}

bool network_parse(struct text text, struct network *network_r,
                   const char **error_r)
{
	const char *slash = text.len ? memchr(text.data, '/', text.len) : NULL;
	size_t len = slash ? (size_t)(slash - text.data) : text.len;

	if (len == 0 ||
	    !parse_literal(text_make(text.data, len), &network_r->base)) {
		*error_r = "it is neither an IP address nor a network such as "
		           "192.168.0.0/16";
		return false;
	}
	network_r->prefix = address_size(&network_r->base) * 8;
	if (slash && !parse_prefix(text_skip(text, len + 1), &network_r->base,
	                           &network_r->prefix, error_r))
		return false;
	network_unmap(network_r);
	return check_host_bits(network_r, error_r);
}

bool network_contains(const struct network *network,
                      const struct address *address)
{
	return network->base.is_v6 == address->is_v6 &&
	       (network->base.scope == 0 ||
	        network->base.scope == address->scope) &&
	       has_prefix(address, network->base.bytes, network->prefix);
}
