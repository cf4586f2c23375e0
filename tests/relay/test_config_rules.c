/* [device], [rule], several accounts, and the listener's tls and auth. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "relay/config/config.h"
#include "relay/config/config_keys.h"
#include "relay/config/config_print.h"
#include "tests/support/tempdir.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define ENV(...)     ((char *const *)(const char *const[]){ __VA_ARGS__, NULL })
#define ACCOUNT      "[account]\nhost = h.example\nsenders = a@b.example\n"

static struct config *load(const char *text, char *const *environment,
			   struct config_warnings *warnings_r,
			   struct config_error *error_r)
{
	tempdir_write("a.conf", text);
	assert_int_equal(chmod("a.conf", 0600), 0);
	return config_load("a.conf", environment, warnings_r, error_r);
}

static struct config *load_good(const char *text)
{
	struct config_error error;
	struct config *config = load(text, ENV("A=b"), NULL, &error);

	if (!config)
		fail_msg("%s", error.message);
	return config;
}

static const char every_key[] = ACCOUNT
	"failover = Backup\n"
	"[account backup]\nhost = i.example\nsenders = c@d.example\n"
	"[listener lan]\naddress = *:25\ntls = starttls\ntls_min = 1.0\n"
	"auth = any\nstrict = yes\n"
	"[listener wan]\naddress = *:465\ntls = implicit\ntls_cert = cert.pem\n"
	"tls_key = key.pem\ntls_min = 1.3\nauth = users\n"
	"[device Copier]\naddress = 192.168.1.20, fd00::/64\nauth = any\n"
	"single_line_ehlo = yes\nlf_end_of_data = yes\ncharset = shift_jis\n"
	"[rule one]\nclient = copier, 10.0.0.0/8, private,\n  192.168.7.9\n"
	"listener = LAN, wan\nfrom = *@old.example, <>, root\n"
	"header_from = scan*@*\nto = boss@b.example\naccount = BACKUP\n"
	"send_as = \"Scanner, \\\"2nd\\\" floor\" <scan@d.example>\n"
	"reply_to = office@d.example\nbcc = archive@d.example\n"
	"to_rewrite = old@b.example -> new@b.example,\n"
	"  *@lists.example->lists@b.example\n"
	"add_domain = b.example\n"
	"[rule two]\nclient = 192.168.0.0/16\non_behalf = yes\n"
	"reply_to = none\n"
	"[rule three]\nto = *@evil.example\nreject = Not from here, 100 % "
	"sure\n"
	"[rule four]\nfrom = *\nsend_as = a@b.example\n";

static void make_files(void)
{
	tempdir_write("cert.pem", "");
	tempdir_write("key.pem", "");
	tempdir_write("users", "");
	tempdir_write("open.txt", "");
	mkdir("folder", 0700);
	assert_int_equal(chmod("open.txt", 0644), 0);
	assert_int_equal(chmod("key.pem", 0600), 0);
	assert_int_equal(chmod("users", 0600), 0);
}

static void test_listeners_and_devices_are_read(void **state)
{
	struct config *config;
	const struct listener_config *lan, *wan;
	const struct device_config *copier;

	(void)state;
	make_files();
	config = load_good(every_key);
	lan = &config->listeners[0];
	wan = &config->listeners[1];
	copier = &config->devices[0];
	assert_int_equal(lan->tls, LISTENER_TLS_STARTTLS);
	assert_int_equal(lan->tls_min, 0x0301);
	assert_int_equal(lan->auth.kind, LOGIN_ANY);
	assert_true(lan->strict);
	assert_null(lan->tls_cert);
	assert_int_equal(wan->tls, LISTENER_TLS_IMPLICIT);
	assert_int_equal(wan->tls_min, 0x0304);
	assert_int_equal(wan->auth.kind, LOGIN_FILE);
	assert_string_equal(wan->auth.file, "users");
	assert_string_equal(wan->tls_cert, "cert.pem");
	assert_string_equal(wan->tls_key, "key.pem");
	assert_false(wan->strict);
	assert_int_equal(config->n_devices, 1);
	assert_string_equal(copier->name, "Copier");
	assert_int_equal(copier->address.n, 2);
	assert_true(copier->auth_any);
	assert_true(copier->single_line_ehlo);
	assert_true(copier->lf_end_of_data);
	assert_string_equal(copier->charset, "shift_jis");
	assert_string_equal(config->accounts[0].failover, "backup");
	assert_null(config->accounts[1].failover);
	config_unref(&config);
}

static void test_rules_are_read(void **state)
{
	struct config *config;
	const struct rule_config *rule;

	(void)state;
	make_files();
	config = load_good(every_key);
	rule = config_rule(config, "ONE");
	assert_ptr_equal(rule, &config->rules[0]);
	assert_int_equal(rule->client.networks.n, 2);
	assert_true(rule->client.networks.private);
	assert_int_equal(rule->client.devices.n, 1);
	assert_string_equal(rule->client.devices.words[0], "Copier");
	assert_int_equal(rule->listener.n, 2);
	assert_string_equal(rule->listener.words[0], "lan");
	assert_int_equal(rule->from.n, 3);
	assert_string_equal(rule->from.words[1], "<>");
	assert_string_equal(rule->header_from.words[0], "scan*@*");
	assert_string_equal(rule->to.words[0], "boss@b.example");
	assert_string_equal(rule->account, "backup");
	assert_string_equal(rule->send_as.name, "Scanner, \"2nd\" floor");
	assert_string_equal(rule->send_as.address, "scan@d.example");
	assert_int_equal(rule->reply_to.kind, REPLY_TO_ADDRESS);
	assert_string_equal(rule->reply_to.address, "office@d.example");
	assert_string_equal(rule->bcc, "archive@d.example");
	assert_int_equal(rule->to_rewrite.n, 2);
	assert_string_equal(rule->to_rewrite.mappings[1].pattern,
			    "*@lists.example");
	assert_string_equal(rule->to_rewrite.mappings[1].address,
			    "lists@b.example");
	assert_string_equal(rule->add_domain, "b.example");
	assert_int_equal(config->n_rules, 4);
	rule = &config->rules[1];
	assert_true(rule->on_behalf);
	assert_int_equal(rule->reply_to.kind, REPLY_TO_NONE);
	assert_null(rule->send_as.address);
	assert_null(rule->account);
	assert_int_equal(rule->from.n, 0);
	rule = &config->rules[2];
	assert_string_equal(rule->reject, "Not from here, 100 % sure");
	assert_int_equal(rule->reply_to.kind, REPLY_TO_ORIGINAL);
	assert_null(config->rules[3].send_as.name);
	assert_null(config_rule(config, "five"));
	config_unref(&config);
}

/* The first account is the unnamed one, wherever its variables stand. */
static void test_the_environment_orders_accounts(void **state)
{
	static const char *const names[] = { "default", "a", "b" };
	struct config_error error;
	struct config *config =
		config_load(NULL,
			    ENV("LANPOST_ACCOUNT_B__HOST=b.example",
				"LANPOST_ACCOUNT_B__SENDERS=x@b.example",
				"LANPOST_ACCOUNT_A__HOST=a.example",
				"LANPOST_ACCOUNT_A__SENDERS=x@a.example",
				"LANPOST_ACCOUNT_HOST=h.example",
				"LANPOST_ACCOUNT_SENDERS=x@h.example"),
			    NULL, &error);

	(void)state;
	if (!config)
		fail_msg("%s", error.message);
	assert_int_equal(config->n_accounts, COUNT(names));
	for (size_t i = 0; i < COUNT(names); i++)
		assert_string_equal(config->accounts[i].name, names[i]);
	assert_string_equal(config->accounts[0].host, "h.example");
	config_unref(&config);
}

static const struct {
	const char *client, *device; /* NULL: none */
} clients[] = {
	{ "192.168.1.20", "one" },   { "192.168.1.21", "floor" },
	{ "192.168.2.1", "site" },   { "10.0.0.1", NULL },
	{ "192.168.1.30", "first" }, { "fd00::1", "six" },
	{ "fd00:1::1", NULL },
};

static void test_the_most_specific_device_wins(void **state)
{
	struct config *config =
		load_good(ACCOUNT "[device site]\naddress = 192.168.0.0/16\n"
				  "[device floor]\naddress = 10.9.0.0/16, "
				  "192.168.1.0/24\n"
				  "[device one]\naddress = 192.168.1.20\n"
				  "[device first]\naddress = 192.168.1.30\n"
				  "[device second]\naddress = 192.168.1.30\n"
				  "[device six]\naddress = fd00::/64\n");

	(void)state;
	for (size_t i = 0; i < COUNT(clients); i++) {
		const struct device_config *device;
		struct address address;

		assert_true(
			address_parse(text_of(clients[i].client), &address));
		device = config_device(config, &address);
		if (!clients[i].device)
			assert_null(device);
		else
			assert_string_equal(device->name, clients[i].device);
	}
	config_unref(&config);
}

/* Variables come in no order; what they make stands behind the file's. */
static void test_the_environment_makes_rules(void **state)
{
	const struct config_origin *origin;
	struct config_error error;
	struct config *config =
		load(ACCOUNT "[rule zz-top]\nfrom = x@b.example\nreject = no\n",
		     ENV("LANPOST_RULE_B__TO=*@b.example",
			 "LANPOST_RULE_ZZ_TOP__REJECT=never",
			 "LANPOST_RULE_A__SEND_AS=\"A, B\" <a@b.example>",
			 "LANPOST_RULE_A__CLIENT=copier",
			 "LANPOST_RULE_B__SEND_AS=a@b.example",
			 "LANPOST_RULE_ADD_DOMAIN=b.example",
			 "LANPOST_DEVICE_COPIER__ADDRESS=10.1.1.1",
			 "LANPOST_ACCOUNT_SPARE__HOST=s.example",
			 "LANPOST_ACCOUNT_SPARE__SENDERS=s@b.example",
			 "LANPOST_ACCOUNT_FAILOVER=spare"),
		     NULL, &error);

	(void)state;
	if (!config)
		fail_msg("%s", error.message);
	assert_int_equal(config->n_rules, 4);
	assert_string_equal(config->rules[0].name, "zz-top");
	assert_string_equal(config->rules[0].reject, "never");
	assert_string_equal(config->rules[1].name, "default");
	assert_string_equal(config->rules[1].add_domain, "b.example");
	assert_string_equal(config->rules[2].name, "a");
	assert_string_equal(config->rules[2].send_as.name, "A, B");
	assert_string_equal(config->rules[2].client.devices.words[0], "copier");
	assert_string_equal(config->rules[3].name, "b");
	assert_string_equal(config->accounts[0].failover, "spare");
	assert_string_equal(config->accounts[1].name, "spare");
	origin = config_origin(config->rules[2].origins, "send_as",
			       CONFIG_SECTION_RULE);
	assert_int_equal(origin->type, CONFIG_ORIGIN_ENVIRONMENT);
	assert_string_equal(origin->variable, "LANPOST_RULE_A__SEND_AS");
	config_unref(&config);
}

#define DEVICE_NAME                                                            \
	"a.conf:4: a device needs a name, and one that is neither a network "  \
	"nor a word such as any or private; write it like [device scanner-2]"
#define SENDER(value)                                                          \
	"a.conf:5: send_as: \"" value                                          \
	"\" is not a sender; write it like scanner@example.com or \"Scanner, " \
	"2nd floor\" <scanner@example.com>"

static const struct {
	const char *text, *error; /* behind ACCOUNT, which has 3 lines */
} bad[] = {
	{ "[device]\naddress = 10.0.0.1\n",
	  "a.conf:4: a device needs a name, and one that is neither a network "
	  "nor a word such as any or private; write it like [device "
	  "scanner-2]" },
	{ "failover = bakup\n[account backup]\nhost = h\nsenders = x@b.c\n",
	  "a.conf:4: failover: there is no [account bakup]; did you mean "
	  "\"backup\"?" },
	{ "failover = default\n",
	  "a.conf:4: failover: default is this account itself; name another "
	  "one, or leave the line out" },
	{ "[device copier]\naddress = 10.0.0.1\n[rule x]\nclient = copyer\n",
	  "a.conf:7: client: there is no [device copyer]; did you mean "
	  "\"copier\"?" },
	{ "[rule x]\nclient = zebra\n",
	  "a.conf:5: client: there is no [device zebra]; add that section, or "
	  "name one that is there" },
	{ "[rule x]\nlistener = lan\n",
	  "a.conf:5: listener: there is no [listener lan]; add that section, "
	  "or name one that is there" },
	{ "[rule x]\naccount = defualt\n",
	  "a.conf:5: account: there is no [account defualt]; did you mean "
	  "\"default\"?" },
	/* values */
	{ "[device 10.0.0.1]\n", DEVICE_NAME },
	{ "[device private]\n", DEVICE_NAME },
	{ "[device any]\n", DEVICE_NAME },
	{ "[device 10-20]\n", DEVICE_NAME },
	{ "[device d]\naddress = private\n",
	  "a.conf:5: address: \"private\" is every private network; give the "
	  "device's own address, such as 192.168.1.20" },
	{ "[device d]\naddress = copier.lan\n",
	  "a.conf:5: address: \"copier.lan\" is not a network: it is neither "
	  "an IP address nor a network such as 192.168.0.0/16" },
	{ "[device d]\naddress = 10.0.0.1\nauth = off\n",
	  "a.conf:6: auth: \"off\" is not \"any\" (whatever the device gives "
	  "is right); leave the line out to have it as the listener says" },
	{ "[device d]\ncharset = windows-1250x\n",
	  "a.conf:5: charset: \"windows-1250x\" is not a charset of mail that "
	  "this system knows; write it like windows-1252, iso-8859-2 or "
	  "shift_jis (\"iconv -l\" lists them)" },
	{ "[device d]\ncharset = utf-16\n",
	  "a.conf:5: charset: \"utf-16\" is not a charset of mail that this "
	  "system knows; write it like windows-1252, iso-8859-2 or shift_jis "
	  "(\"iconv -l\" lists them)" },
	{ "[device d]\ncharset = ascii//TRANSLIT\n",
	  "a.conf:5: charset: \"ascii//TRANSLIT\" is not a charset of mail "
	  "that this system knows; write it like windows-1252, iso-8859-2 or "
	  "shift_jis (\"iconv -l\" lists them)" },
	{ "[rule x]\nclient = any\n",
	  "a.conf:5: client: \"any\" is no network and no device; leave the "
	  "line out, and any client matches" },
	{ "[rule x]\nclient = 10.0.0.256\n",
	  "a.conf:5: client: \"10.0.0.256\" is not a network: it is neither an "
	  "IP address nor a network such as 192.168.0.0/16" },
	{ "[rule x]\nclient = 10.0.0.1-10.0.0.9\n",
	  "a.conf:5: client: \"10.0.0.1-10.0.0.9\" is not a network: it is "
	  "neither an IP address nor a network such as 192.168.0.0/16" },
	{ "[rule x]\nclient = the scanner\n",
	  "a.conf:5: client: \"the scanner\" is neither a network nor the name "
	  "of a device; write it like 192.168.1.0/24 or scanner-2" },
	{ "[rule x]\nfrom = @b.example\n",
	  "a.conf:5: from: \"@b.example\" would match no address; for a whole "
	  "domain write *@example.com" },
	{ "[rule x]\nfrom = <a@b.example>\n",
	  "a.conf:5: from: \"<a@b.example>\" is not a pattern; write it like "
	  "scanner@example.com, *@example.com or, for the null sender, <>" },
	{ "[rule x]\nto = <>\nreject = x\n",
	  "a.conf:5: to: <> is the null envelope sender, which stands in from "
	  "only" },
	{ "[rule x]\nheader_from = a@b.example, <>\nreject = x\n",
	  "a.conf:5: header_from: <> is the null envelope sender, which stands "
	  "in from only" },
	{ "[rule x]\naccount = a b\n",
	  "a.conf:5: account: \"a b\" is not the name of a section, which has "
	  "letters, digits, '-', '_' and '.'" },
	{ "[rule x]\nsend_as = Scanner\n", SENDER("Scanner") },
	{ "[rule x]\nsend_as = \"Scanner\n", SENDER("\"Scanner") },
	{ "[rule x]\nsend_as = \"Scan\"ner\" <a@b.example>\n",
	  SENDER("\"Scan\"ner\" <a@b.example>") },
	{ "[rule x]\nsend_as = \"Scanner\\\" <a@b.example>\n",
	  SENDER("\"Scanner\\\" <a@b.example>") },
	{ "[rule x]\nsend_as = \"\" <a@b.example>\n",
	  SENDER("\"\" <a@b.example>") },
	{ "[rule x]\nsend_as = A, B <a@b.example>\n",
	  SENDER("A, B <a@b.example>") },
	{ "[rule x]\nsend_as = a@b.example, c@d.example\n",
	  SENDER("a@b.example, c@d.example") },
	{ "[rule x]\nsend_as = \"A\" <b.example>\n",
	  SENDER("\"A\" <b.example>") },
	{ "[rule x]\nreply_to = orignal\n",
	  "a.conf:5: reply_to: \"orignal\" is not one of original, none or an "
	  "address such as office@example.com" },
	{ "[rule x]\nbcc = archive\n",
	  "a.conf:5: bcc: \"archive\" is not an address with a full domain; "
	  "write it like archive@example.com" },
	{ "[rule x]\nbcc = archive@lan\n",
	  "a.conf:5: bcc: \"archive@lan\" is not an address with a full "
	  "domain; write it like archive@example.com" },
	{ "[rule x]\nto_rewrite = a@b.example\n",
	  "a.conf:5: to_rewrite: \"a@b.example\" is not pattern -> address; "
	  "write it like old@example.com -> new@example.com" },
	{ "[rule x]\nto_rewrite = <> -> a@b.example\n",
	  "a.conf:5: to_rewrite: \"<> -> a@b.example\" is not pattern -> "
	  "address; write it like old@example.com -> new@example.com" },
	{ "[rule x]\nto_rewrite = *@b.example -> *@c.example x\n",
	  "a.conf:5: to_rewrite: \"*@c.example x\" is not an address with a "
	  "full domain; behind \"->\" stands one such as office@example.com" },
	{ "[rule x]\nto_rewrite = *@lan -> office@lan\n",
	  "a.conf:5: to_rewrite: \"office@lan\" is not an address with a full "
	  "domain; behind \"->\" stands one such as office@example.com" },
	{ "[rule x]\nadd_domain = @b.example\n",
	  "a.conf:5: add_domain: \"@b.example\" is not a full domain; write it "
	  "like example.com" },
	{ "[rule x]\nadd_domain = lan\n",
	  "a.conf:5: add_domain: \"lan\" is not a full domain; write it like "
	  "example.com" },
	{ "[rule x]\nreject = Zugriff verweigert f\xc3\xbcr Sie\n",
	  "a.conf:5: reject: the text goes into an SMTP reply: one line of "
	  "ASCII, at most 400 characters" },
	{ "[rule x]\nreject = No\n  way\n",
	  "a.conf:6: this line is indented and so continues \"reject\", which "
	  "holds one value; a line of its own begins without spaces" },
	/* taken together */
	{ "[device copier]\nauth = any\n",
	  "a.conf:4: device copier has no address; add address = "
	  "ITS-IP-ADDRESS" },
	{ "[rule x]\n",
	  "a.conf:4: rule x says neither what must match nor what to do; add, "
	  "for example, client = DEVICE and send_as = ADDRESS" },
	{ "[rule x]\nreply_to = original\n[rule y]\non_behalf = yes\n"
	  "from = *\nsend_as = a@b.example\n",
	  "a.conf:4: rule x says neither what must match nor what to do; add, "
	  "for example, client = DEVICE and send_as = ADDRESS" },
	{ "[rule y]\non_behalf = yes\nfrom = *\nsend_as = a@b.example\n",
	  "a.conf:5: on_behalf keeps From and send_as changes it; keep one of "
	  "them" },
	{ "[account x]\nhost = h\nsender_policy = pass\n"
	  "[rule y]\non_behalf = yes\naccount = x\n",
	  "a.conf:8: on_behalf: account x has no address that could be the "
	  "Sender; add senders = ADDRESS to [account x]" },
	{ "[rule x]\nto = a@b.c\n[rule x]\n",
	  "a.conf:6: [rule x] stands here a second time; the first is in line "
	  "4" },
	/* listeners */
	{ "[listener]\ntls = on\n",
	  "a.conf:5: tls: \"on\" is not one of off, starttls, required or "
	  "implicit" },
	{ "[listener]\ntls_min = 1.4\n",
	  "a.conf:5: tls_min: \"1.4\" is not one of 1.0, 1.1, 1.2 or 1.3; did "
	  "you mean \"1.0\"?" },
	{ "[listener]\nauth = on\n",
	  "a.conf:5: auth: \"on\" is not one of off, any (whatever a device "
	  "gives is right) or a file of user:hash lines, such as "
	  "/etc/lanpost/users" },
	{ "[listener]\nauth = none.txt\n",
	  "a.conf:5: auth: none.txt cannot be read: No such file or "
	  "directory" },
	{ "[listener]\ntls = starttls\ntls_cert = cert.pem\n",
	  "a.conf:6: tls_cert is given without tls_key; give both, or neither "
	  "for a certificate that lanpost makes itself" },
	{ "[listener]\ntls = starttls\ntls_key = key.pem\n",
	  "a.conf:6: tls_key is given without tls_cert; give both, or neither "
	  "for a certificate that lanpost makes itself" },
	{ "[listener]\ntls_cert = no.pem\ntls_key = key.pem\n",
	  "a.conf:5: tls_cert: no.pem cannot be read: No such file or "
	  "directory" },
	{ "[listener]\ntls_cert = cert.pem\ntls_key = open.txt\n",
	  "a.conf:6: tls_key: open.txt is open to others (mode 644); run "
	  "\"chmod o= open.txt\"" },
	{ "[listener]\ntls_cert = folder\ntls_key = key.pem\n",
	  "a.conf:5: tls_cert: folder is not a plain file" },
	{ "[listener]\nauth = any\nallow = 203.0.113.0/24\n",
	  "a.conf:6: allow: 203.0.113.0/24 is a public network: all its 256 "
	  "addresses could send mail in your name (with auth = any every "
	  "password is right); allow less, let the devices log in (auth = "
	  "FILE), or write allow_public = yes if you mean it" },
};

static void test_bad_sections_get_a_sentence(void **state)
{
	(void)state;
	make_files();
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct config_error error;
		struct config *config;
		char text[1000];

		snprintf(text, sizeof(text), "%s%s", ACCOUNT, bad[i].text);
		config = load(text, ENV("A=b"), NULL, &error);
		if (config)
			fail_msg("read without an error: %s", bad[i].text);
		assert_string_equal(error.message, bad[i].error);
		config_error_free(&error);
	}
}

/* A variable may hold what no line of a file can. */
static void test_bad_variables_get_a_sentence(void **state)
{
	static const char *const variables[] = {
		"LANPOST_RULE_X__REJECT=one\ntwo",
		"LANPOST_RULE_X__REJECT=bell\a",
		"LANPOST_RULE_X__SEND_AS=\"A\rBcc: x\" <a@b.example>",
		"LANPOST_RULE_X__SEND_AS=\"A\xff\" <a@b.example>",
		"LANPOST_RULE_X__FROM=a\x01@b.example",
		"LANPOST_RULE_X__FROM=a\xff@b.example",
		"LANPOST_RULE_X__CLIENT=a\tb",
		"LANPOST_RULE_X__ACCOUNT=default\n",
		"LANPOST_RULE_X__TO_REWRITE=a@b.example->c@d.example\r",
		"LANPOST_RULE_X__BCC=a@b.example\n",
		"LANPOST_RULE_X__ADD_DOMAIN=b.example\n",
		"LANPOST_DEVICE_D__CHARSET=utf-8\n",
		"LANPOST_LISTENER_AUTH=/etc/users\n",
		"LANPOST_DEVICE_10__ADDRESS=10.0.0.1",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(variables); i++) {
		struct config_error error;
		struct config *config =
			load(ACCOUNT, ENV(variables[i]), NULL, &error);

		if (config)
			fail_msg("read without an error: %s", variables[i]);
		assert_ptr_equal(strstr(error.message, "LANPOST_"),
				 error.message);
		assert_null(strpbrk(error.message, "\n\r\a\001"));
		config_error_free(&error);
	}
}

/* "550 5.7.1 " TEXT CRLF is at most 512 octets, RFC 5321 4.5.3.1.5. */
static void test_the_text_of_reject_fits_a_reply(void **state)
{
	char variable[600] = "LANPOST_RULE_X__REJECT=";
	size_t len = strlen(variable);
	struct config_error error;
	struct config *config;

	(void)state;
	memset(variable + len, 'x', 400);
	config = load(ACCOUNT, ENV(variable), NULL, &error);
	assert_non_null(config);
	assert_in_range(strlen(config->rules[0].reject), 400, 512 - 12);
	config_unref(&config);
	memset(variable + len, 'x', 401);
	assert_null(load(ACCOUNT, ENV(variable), NULL, &error));
	assert_non_null(strstr(error.message, "at most 400 characters"));
	config_error_free(&error);
}

static void test_unset_is_told_in_words(void **state)
{
	struct config *config = load_good(
		ACCOUNT "[device d]\naddress = 10.0.0.1\n"
			"[rule r]\nclient = d\nsend_as = a@b.example\n");
	json_t *json = config_to_json(config), *rule, *device;
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	config_print(out, config);
	fclose(out);
	assert_non_null(strstr(text, "\n[device d]\naddress = 10.0.0.1"));
	assert_non_null(strstr(text, "auth = (the listener's)\n"));
	assert_non_null(strstr(text, "\n[rule r]\nclient = d     "));
	assert_non_null(strstr(text, "; line 7\nlistener = (any)\n"));
	assert_non_null(strstr(text, "account = (the first)\n"));
	assert_non_null(strstr(text, "tls_cert = (self-made)\n"));
	assert_non_null(strstr(text, "failover = (none)\n"));
	device = json_array_get(json_object_get(json, "devices"), 0);
	rule = json_array_get(json_object_get(json, "rules"), 0);
	assert_string_equal(json_string_value(json_object_get(device, "name")),
			    "d");
	assert_true(json_is_null(json_object_get(device, "auth")));
	assert_true(json_is_false(json_object_get(device, "lf_end_of_data")));
	assert_int_equal(json_array_size(json_object_get(device, "address")),
			 1);
	assert_string_equal(json_string_value(json_array_get(
				    json_object_get(rule, "client"), 0)),
			    "d");
	assert_int_equal(json_array_size(json_object_get(rule, "from")), 0);
	assert_true(json_is_null(json_object_get(rule, "bcc")));
	json_decref(json);
	free(text);
	config_unref(&config);
}

static void test_print_can_be_read_again(void **state)
{
	struct config *config, *second;
	char *text = NULL, *again = NULL;
	size_t len;
	FILE *out;

	(void)state;
	make_files();
	config = load_good(every_key);
	out = open_memstream(&text, &len);
	for (size_t i = 0; i < config_n_keys; i++) {
		const struct config_key *key = &config_keys[i];
		struct buf value = BUF_INIT(4096);

		if (key->section != CONFIG_SECTION_RULE)
			continue;
		value_print(key->type, (char *)&config->rules[0] + key->offset,
			    &value);
		if (buf_len(&value) > 0)
			fprintf(out, "%s = %s\n", key->name,
				buf_string(&value));
		buf_free(&value);
	}
	fclose(out);
	again = malloc(strlen(every_key) + strlen(text) + 100);
	sprintf(again, "%.*s[rule one]\n%s",
		(int)(strstr(every_key, "[rule one]") - every_key), every_key,
		text);
	second = load_good(again);
	config_unref(&config);
	assert_string_equal(second->rules[0].send_as.name,
			    "Scanner, \"2nd\" floor");
	assert_int_equal(second->rules[0].to_rewrite.n, 2);
	assert_int_equal(second->rules[0].client.networks.n, 2);
	assert_true(second->rules[0].client.networks.private);
	assert_int_equal(second->rules[0].client.devices.n, 1);
	config_unref(&second);
	free(text);
	free(again);
}

static int enter_tempdir(void **state)
{
	(void)state;
	tempdir_make();
	return chdir(tempdir_path("."));
}

static int leave_tempdir(void **state)
{
	(void)state;
	tempdir_remove();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listeners_and_devices_are_read),
		cmocka_unit_test(test_rules_are_read),
		cmocka_unit_test(test_the_most_specific_device_wins),
		cmocka_unit_test(test_the_environment_makes_rules),
		cmocka_unit_test(test_the_environment_orders_accounts),
		cmocka_unit_test(test_bad_sections_get_a_sentence),
		cmocka_unit_test(test_bad_variables_get_a_sentence),
		cmocka_unit_test(test_the_text_of_reject_fits_a_reply),
		cmocka_unit_test(test_unset_is_told_in_words),
		cmocka_unit_test(test_print_can_be_read_again),
	};

	return cmocka_run_group_tests(tests, enter_tempdir, leave_tempdir);
}
