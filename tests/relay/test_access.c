#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <netinet/in.h>
#include <string.h>
#include <arpa/inet.h>
#include <cmocka.h>

#include "relay/config/value.h"
#include "relay/inbound/access.h"
#include "tests/support/bytes.h"

/* Lists as they stand in a file; NULL: empty. */
static const struct {
	const char *allow, *deny, *client;
	enum access_verdict verdict;
} cases[] = {
	/* private: loopback, RFC 1918, RFC 4193, link-local */
	{ "private", NULL, "127.0.0.1", ACCESS_ALLOWED },
	{ "private", NULL, "127.255.255.254", ACCESS_ALLOWED },
	{ "private", NULL, "10.0.0.0", ACCESS_ALLOWED },
	{ "private", NULL, "10.255.255.255", ACCESS_ALLOWED },
	{ "private", NULL, "172.16.0.1", ACCESS_ALLOWED },
	{ "private", NULL, "172.31.255.255", ACCESS_ALLOWED },
	{ "private", NULL, "192.168.1.5", ACCESS_ALLOWED },
	{ "private", NULL, "169.254.7.7", ACCESS_ALLOWED },
	{ "private", NULL, "::1", ACCESS_ALLOWED },
	{ "private", NULL, "fd00:1::2", ACCESS_ALLOWED },
	{ "private", NULL, "fc00::1", ACCESS_ALLOWED },
	{ "private", NULL, "fe80::1", ACCESS_ALLOWED },
	{ "private", NULL, "9.255.255.255", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "11.0.0.0", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "172.15.255.255", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "172.32.0.0", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "192.167.255.255", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "192.169.0.0", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "8.8.8.8", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "0.0.0.0", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "100.64.0.1", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "2001:db8::1", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "fb00::1", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "fe00::1", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "::", ACCESS_NOT_ALLOWED },
	{ "private", NULL, "::2", ACCESS_NOT_ALLOWED },
	/* networks, and one address */
	{ "192.0.2.0/25", NULL, "192.0.2.127", ACCESS_ALLOWED },
	{ "192.0.2.0/25", NULL, "192.0.2.128", ACCESS_NOT_ALLOWED },
	{ "192.0.2.7", NULL, "192.0.2.7", ACCESS_ALLOWED },
	{ "192.0.2.7", NULL, "192.0.2.6", ACCESS_NOT_ALLOWED },
	{ "192.0.2.7", NULL, "127.0.0.1", ACCESS_NOT_ALLOWED },
	{ "2001:db8:1::/48", NULL, "2001:db8:1:ffff::1", ACCESS_ALLOWED },
	{ "2001:db8:1::/48", NULL, "2001:db8:2::1", ACCESS_NOT_ALLOWED },
	{ "private, 192.0.2.0/24", NULL, "192.0.2.1", ACCESS_ALLOWED },
	{ "private, 192.0.2.0/24", NULL, "10.1.1.1", ACCESS_ALLOWED },
	{ "192.0.2.0/24, private", NULL, "fe80::9", ACCESS_ALLOWED },
	{ "0.0.0.0/0", NULL, "203.0.113.1", ACCESS_ALLOWED },
	{ "::/0", NULL, "2001:db8::1", ACCESS_ALLOWED },
	/* one family is not the other */
	{ "0.0.0.0/0", NULL, "2001:db8::1", ACCESS_NOT_ALLOWED },
	{ "::/0", NULL, "192.0.2.1", ACCESS_NOT_ALLOWED },
	{ "::ffff:192.0.2.0/120", NULL, "192.0.2.1", ACCESS_ALLOWED },
	{ "::ffff:192.0.2.0/120", NULL, "192.0.3.1", ACCESS_NOT_ALLOWED },
	{ "10.0.0.0/8", NULL, "a00::1", ACCESS_NOT_ALLOWED },
	/* deny wins */
	{ "private", "10.9.0.0/16", "10.9.1.1", ACCESS_DENIED },
	{ "private", "10.9.0.0/16", "10.8.1.1", ACCESS_ALLOWED },
	{ "10.9.1.1", "10.0.0.0/8", "10.9.1.1", ACCESS_DENIED },
	{ "private", "0.0.0.0/0", "192.168.1.1", ACCESS_DENIED },
	{ "private", "0.0.0.0/0", "fd00::1", ACCESS_ALLOWED },
	{ "private", "192.0.2.1", "192.0.2.1", ACCESS_DENIED },
	{ "0.0.0.0/0", "private", "10.1.1.1", ACCESS_DENIED },
	{ "0.0.0.0/0", "private", "203.0.113.1", ACCESS_ALLOWED },
	{ "0.0.0.0/0", "private", "127.0.0.1", ACCESS_DENIED },
	/* nothing allows nothing */
	{ NULL, NULL, "127.0.0.1", ACCESS_NOT_ALLOWED },
	{ NULL, NULL, "10.0.0.1", ACCESS_NOT_ALLOWED },
	{ NULL, "10.0.0.0/8", "10.0.0.1", ACCESS_DENIED },
};

static void read_list(const char *text, struct network_list *list)
{
	struct buf why = BUF_INIT(1000);

	if (text == NULL)
		return;
	if (!value_parse(VALUE_NETWORKS, text_of(text), NULL, list, &why))
		fail_msg("%s: %s", text, buf_string(&why));
	buf_free(&why);
}

static void listener_free(struct listener_config *listener)
{
	value_free(VALUE_NETWORKS, &listener->allow);
	value_free(VALUE_NETWORKS, &listener->deny);
}

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct listener_config listener = { 0 };
		struct address client;

		read_list(cases[i].allow, &listener.allow);
		read_list(cases[i].deny, &listener.deny);
		assert_true(address_parse(text_of(cases[i].client), &client));
		if (access_check(&listener, &client) != cases[i].verdict)
			fail_msg("allow %s deny %s: %s is %d, not %d",
			         cases[i].allow, cases[i].deny,
			         cases[i].client,
			         access_check(&listener, &client),
			         cases[i].verdict);
		listener_free(&listener);
	}
}

/* As an IPv6 socket tells of an IPv4 client. */
static struct address mapped(const char *ipv4)
{
	struct sockaddr_in6 from = { .sin6_family = AF_INET6,
		                     .sin6_port = htons(4321) };
	struct address client;
	char text[64] = "::ffff:";

	strcat(text, ipv4);
	assert_int_equal(inet_pton(AF_INET6, text, &from.sin6_addr), 1);
	address_from_sockaddr((struct sockaddr *)&from, &client);
	return client;
}

static const struct {
	const char *allow, *deny, *client;
	enum access_verdict verdict;
} mapped_cases[] = {
	{ "private", NULL, "192.168.1.5", ACCESS_ALLOWED },
	{ "private", NULL, "203.0.113.9", ACCESS_NOT_ALLOWED },
	{ "203.0.113.0/24", NULL, "203.0.113.9", ACCESS_ALLOWED },
	{ "::/0", NULL, "203.0.113.9", ACCESS_NOT_ALLOWED },
	{ "::/0", NULL, "127.0.0.1", ACCESS_NOT_ALLOWED },
	{ "private", "192.168.0.0/16", "192.168.1.5", ACCESS_DENIED },
};

static void test_a_mapped_address_is_the_ipv4_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(mapped_cases); i++) {
		struct listener_config listener = { 0 };
		struct address client = mapped(mapped_cases[i].client);

		read_list(mapped_cases[i].allow, &listener.allow);
		read_list(mapped_cases[i].deny, &listener.deny);
		assert_int_equal(access_check(&listener, &client),
		                 mapped_cases[i].verdict);
		listener_free(&listener);
	}
}

/* The port and the interface of a link-local address are no matter. */
static void test_scope_and_port_do_not_matter(void **state)
{
	struct listener_config listener = { 0 };
	struct address client;

	(void)state;
	read_list("fe80::/10", &listener.allow);
	assert_true(address_parse(TEXT("fe80::1"), &client));
	client.scope = 7;
	client.port = 50000;
	assert_int_equal(access_check(&listener, &client), ACCESS_ALLOWED);
	listener_free(&listener);
	read_list("private", &listener.allow);
	read_list("fe80::1", &listener.deny);
	assert_int_equal(access_check(&listener, &client), ACCESS_DENIED);
	listener_free(&listener);
}

static const struct {
	const char *allow, *deny, *client;
	enum access_verdict verdict;
} gateway_cases[] = {
	/* The word `private` alone does not let the gateway in ... */
	{ "private", NULL, "172.17.0.1", ACCESS_GATEWAY },
	{ "private, 10.0.0.0/8", NULL, "172.17.0.1", ACCESS_GATEWAY },
	{ "private", NULL, "fd00:17::1", ACCESS_GATEWAY },
	/* ... a network that holds it does ... */
	{ "172.17.0.1", NULL, "172.17.0.1", ACCESS_ALLOWED },
	{ "private, 172.17.0.0/16", NULL, "172.17.0.1", ACCESS_ALLOWED },
	{ "fd00:17::/64", NULL, "fd00:17::1", ACCESS_ALLOWED },
	{ "private, 172.17.0.0/16", NULL, "fd00:17::1", ACCESS_GATEWAY },
	/* ... unless it is denied. */
	{ "172.17.0.1", "172.16.0.0/12", "172.17.0.1", ACCESS_DENIED },
	{ "private", "172.17.0.1", "172.17.0.1", ACCESS_DENIED },
	/* The neighbours are clients like others. */
	{ "private", NULL, "172.17.0.2", ACCESS_ALLOWED },
	{ "private", NULL, "127.0.0.1", ACCESS_ALLOWED },
	{ "private", NULL, "8.8.8.8", ACCESS_NOT_ALLOWED },
	{ "10.0.0.0/8", NULL, "172.17.0.1", ACCESS_NOT_ALLOWED },
	{ NULL, NULL, "172.17.0.1", ACCESS_NOT_ALLOWED },
};

static void test_a_gateway_is_admitted_by_name_only(void **state)
{
	struct gateways gateways = { .n = 2 };

	(void)state;
	assert_true(address_parse(TEXT("172.17.0.1"), &gateways.addresses[0]));
	assert_true(address_parse(TEXT("fd00:17::1"), &gateways.addresses[1]));
	for (size_t i = 0; i < COUNT(gateway_cases); i++) {
		struct listener_config listener = { 0 };
		struct address client;

		read_list(gateway_cases[i].allow, &listener.allow);
		read_list(gateway_cases[i].deny, &listener.deny);
		assert_true(address_parse(text_of(gateway_cases[i].client),
		                          &client));
		client.port = (uint16_t)(40000 + i);
		if (access_check_behind(&listener, &client, &gateways) !=
		    gateway_cases[i].verdict)
			fail_msg("allow %s deny %s: %s",
			         gateway_cases[i].allow, gateway_cases[i].deny,
			         gateway_cases[i].client);
		listener_free(&listener);
	}
}

static void test_without_gateways_nothing_is_different(void **state)
{
	struct gateways none = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct listener_config listener = { 0 };
		struct address client;

		read_list(cases[i].allow, &listener.allow);
		read_list(cases[i].deny, &listener.deny);
		assert_true(address_parse(text_of(cases[i].client), &client));
		assert_int_equal(access_check_behind(&listener, &client, &none),
		                 cases[i].verdict);
		listener_free(&listener);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_a_mapped_address_is_the_ipv4_address),
		cmocka_unit_test(test_scope_and_port_do_not_matter),
		cmocka_unit_test(test_a_gateway_is_admitted_by_name_only),
		cmocka_unit_test(test_without_gateways_nothing_is_different),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
