#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "relay/net/address.h"

static struct address parsed(const char *text)
{
	struct address address;

	if (!address_parse(text_of(text), &address))
		fail_msg("%s does not parse", text);
	return address;
}

static struct network network_of(const char *text)
{
	struct network network;
	const char *error = NULL;

	if (!network_parse(text_of(text), &network, &error))
		fail_msg("%s: %s", text, error);
	return network;
}

static void test_prints_what_it_parses(void **state)
{
	static const char *const texts[] = {
		"192.0.2.1", "0.0.0.0", "255.255.255.255", "::", "::1",
		"2001:db8::1", "fe80::1", "fe80::1%lo",
	};
	char out[ADDRESS_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address address = parsed(texts[i]);

		assert_string_equal(address_print(&address, out), texts[i]);
	}
}

static void test_prints_ports(void **state)
{
	char out[ADDRESS_TEXT_MAX];
	struct address v4 = parsed("192.0.2.1"), v6 = parsed("2001:db8::1");

	(void)state;
	v4.port = 25;
	v6.port = 65535;
	assert_string_equal(address_print_port(&v4, out), "192.0.2.1:25");
	assert_string_equal(address_print_port(&v6, out),
	                    "[2001:db8::1]:65535");
}

static void test_refuses_what_is_no_address(void **state)
{
	static const char *const texts[] = {
		"", "localhost", "192.0.2", "192.0.2.256", "192.0.2.1 ",
		"192.0.2.1:25", "[::1]", "1::2::3", "fe80::1%nosuchlink",
		"00000000000000000000000000000000000000000000000000000000000"
		"00000000000000000000000000000000::1",
	};
	struct address address;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_false(address_parse(text_of(texts[i]), &address));
	assert_false(address_parse(text_make("::1\0x", 5), &address));
}

static void test_mapped_is_ipv4(void **state)
{
	struct sockaddr_in6 mapped = { .sin6_family = AF_INET6,
	                               .sin6_port = htons(2525) };
	struct address address, plain = parsed("192.0.2.7");
	char out[ADDRESS_TEXT_MAX];

	(void)state;
	inet_pton(AF_INET6, "::ffff:192.0.2.7", &mapped.sin6_addr);
	address_from_sockaddr((struct sockaddr *)&mapped, &address);
	assert_false(address.is_v6);
	assert_string_equal(address_print_port(&address, out),
	                    "192.0.2.7:2525");
	assert_true(address_same_host(&address, &plain));
	address = parsed("::ffff:192.0.2.7");
	assert_true(address_same_host(&address, &plain));
}

static void test_sockaddr_round_trip(void **state)
{
	static const char *const texts[] = { "192.0.2.1", "fe80::5%lo", "::" };
	struct sockaddr_storage storage;
	struct address back;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address address = parsed(texts[i]);
		socklen_t len;

		address.port = (uint16_t)(1000 + i);
		len = address_to_sockaddr(&address, &storage);
		assert_int_equal(len, address.is_v6
		                 ? sizeof(struct sockaddr_in6)
		                 : sizeof(struct sockaddr_in));
		address_from_sockaddr((struct sockaddr *)&storage, &back);
		assert_true(address_same_host(&address, &back));
		assert_int_equal(back.port, 1000 + i);
	}
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		bool loopback, private;
	} rows[] = {
		{ "127.0.0.1", true, true },
		{ "127.255.255.254", true, true },
		{ "128.0.0.1", false, false },
		{ "::1", true, true },
		{ "::2", false, false },
		{ "::ffff:127.0.0.1", true, true },
		{ "::ffff:8.8.8.8", false, false },
		{ "9.255.255.255", false, false },
		{ "10.0.0.0", false, true },
		{ "10.255.255.255", false, true },
		{ "11.0.0.0", false, false },
		{ "172.15.255.255", false, false },
		{ "172.16.0.0", false, true },
		{ "172.31.255.255", false, true },
		{ "172.32.0.0", false, false },
		{ "192.167.255.255", false, false },
		{ "192.168.0.0", false, true },
		{ "192.169.0.0", false, false },
		{ "169.254.3.4", false, true },
		{ "100.64.0.1", false, false },
		{ "0.0.0.0", false, false },
		{ "fbff::1", false, false },
		{ "fc00::1", false, true },
		{ "fdff::1", false, true },
		{ "fe00::1", false, false },
		{ "fe80::1", false, true },
		{ "febf::1", false, true },
		{ "fec0::1", false, false },
		{ "2001:db8::1", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct address address = parsed(rows[i].text);

		if (address_is_loopback(&address) != rows[i].loopback ||
		    address_is_private(&address) != rows[i].private)
			fail_msg("%s is of the wrong kind", rows[i].text);
	}
}

static void test_networks_contain(void **state)
{
	static const struct {
		const char *network, *inside, *outside;
	} rows[] = {
		{ "192.168.0.0/16", "192.168.255.255", "192.169.0.0" },
		{ "10.1.2.3", "10.1.2.3", "10.1.2.4" },
		{ "10.1.2.3/32", "10.1.2.3", "10.1.2.2" },
		{ "0.0.0.0/0", "8.8.8.8", "2001:db8::1" },
		{ "::/0", "2001:db8::1", "8.8.8.8" },
		{ "10.0.0.128/25", "10.0.0.129", "10.0.0.127" },
		{ "172.16.0.0/12", "172.31.0.1", "172.32.0.1" },
		{ "fd00::/8", "fdab::1", "fc00::1" },
		{ "2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::1" },
		{ "::ffff:192.168.0.0/112", "192.168.3.4", "192.169.0.1" },
		{ "::ffff:192.168.0.1", "192.168.0.1", "192.168.0.2" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct network network = network_of(rows[i].network);
		struct address inside = parsed(rows[i].inside);
		struct address outside = parsed(rows[i].outside);

		if (!network_contains(&network, &inside))
			fail_msg("%s lacks %s", rows[i].network,
			         rows[i].inside);
		if (network_contains(&network, &outside))
			fail_msg("%s holds %s", rows[i].network,
			         rows[i].outside);
	}
}

static void test_networks_refused_with_a_reason(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{ "", "neither an IP address nor a network" },
		{ "/8", "neither an IP address nor a network" },
		{ "office", "neither an IP address nor a network" },
		{ "10.0.0.0/", "0 to 32" },
		{ "10.0.0.0/33", "0 to 32" },
		{ "10.0.0.0/-1", "0 to 32" },
		{ "10.0.0.0/8/8", "0 to 32" },
		{ "10.0.0.0/255.0.0.0", "0 to 32" },
		{ "fd00::/129", "0 to 128" },
		{ "10.0.0.1/8", "would be 10.0.0.0/8" },
		{ "192.168.1.7/24", "would be 192.168.1.0/24" },
		{ "fd00::1/8", "would be fd00::/8" },
	};
	struct network network;
	const char *error;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		error = "";
		if (network_parse(text_of(rows[i].text), &network, &error))
			fail_msg("%s was accepted", rows[i].text);
		if (!strstr(error, rows[i].words))
			fail_msg("%s: %s", rows[i].text, error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_prints_what_it_parses),
		cmocka_unit_test(test_prints_ports),
		cmocka_unit_test(test_refuses_what_is_no_address),
		cmocka_unit_test(test_mapped_is_ipv4),
		cmocka_unit_test(test_sockaddr_round_trip),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_networks_contain),
		cmocka_unit_test(test_networks_refused_with_a_reason),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
