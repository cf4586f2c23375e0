#include "relay/config/config_build.h"

#include <ctype.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/smtp_path.h"
#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/config/provider.h"

enum {
	CONNECTIONS = 2,
	CONNECTIONS_MOST = 10, /* unless the configuration says more */
	MESSAGES_PER_CONNECTION = 50,
};

static struct config_origin *origin_of(struct account_config *account,
				       const char *key)
{
	return &account->origins[config_key_find(CONFIG_SECTION_ACCOUNT,
						 text_of(key)) -
				 config_keys];
}

/* Not set by the administrator; then its origin becomes this. */
static bool is_open(struct account_config *account, const char *key, int origin)
{
	struct config_origin *its = origin_of(account, key);

	if (its->type == CONFIG_ORIGIN_FILE ||
	    its->type == CONFIG_ORIGIN_ENVIRONMENT)
		return false;
	*its = (struct config_origin){ .type = origin };
	return true;
}

static bool is_set(struct account_config *account, const char *key)
{
	int type = origin_of(account, key)->type;

	return type == CONFIG_ORIGIN_FILE || type == CONFIG_ORIGIN_ENVIRONMENT;
}

static const struct {
	uint16_t port;
	enum smtp_tls_policy tls;
} usual_tls[] = {
	{ 465, SMTP_TLS_IMPLICIT },
	{ 2465, SMTP_TLS_IMPLICIT },
	{ 8465, SMTP_TLS_IMPLICIT },
	{ 443, SMTP_TLS_IMPLICIT },
};

static enum smtp_tls_policy tls_of_port(uint16_t port)
{
	for (size_t i = 0; i < sizeof(usual_tls) / sizeof(usual_tls[0]); i++) {
		if (usual_tls[i].port == port)
			return usual_tls[i].tls;
	}
	return SMTP_TLS_STARTTLS;
}

static uint16_t port_of_tls(enum smtp_tls_policy tls)
{
	if (tls == SMTP_TLS_IMPLICIT)
		return 465;
	return tls == SMTP_TLS_STARTTLS ? 587 : 25;
}

/* Of port and tls each follows from the other, if only one is given. */
static void fill_port_and_tls(struct account_config *account)
{
	const struct provider *preset = account->provider;
	bool has_port = is_set(account, "port");
	bool has_tls = is_set(account, "tls");

	if (!has_port && !has_tls && preset) {
		account->port = (uint16_t)preset->port;
		account->tls = preset->tls;
		is_open(account, "port", CONFIG_ORIGIN_PRESET);
		is_open(account, "tls", CONFIG_ORIGIN_PRESET);
		return;
	}
	if (is_open(account, "tls",
		    has_port ? CONFIG_ORIGIN_DERIVED : CONFIG_ORIGIN_DEFAULT))
		account->tls = has_port ? tls_of_port(account->port)
					: SMTP_TLS_STARTTLS;
	if (!has_port && preset && account->tls == preset->tls) {
		account->port = (uint16_t)preset->port;
		is_open(account, "port", CONFIG_ORIGIN_PRESET);
	} else if (is_open(account, "port", CONFIG_ORIGIN_DERIVED)) {
		account->port = port_of_tls(account->tls);
	}
}

static unsigned smaller(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* What is not certain holds up no mail, and refuses none. */
static void fill_limit(struct account_config *account, const char *key,
		       unsigned limit, unsigned *field)
{
	if (limit > 0 && provider_is_certain(account->provider, key) &&
	    is_open(account, key, CONFIG_ORIGIN_PRESET))
		*field = limit;
}

static void fill_budgets(struct account_config *account)
{
	const struct provider *preset = account->provider;

	fill_limit(account, "messages_per_minute", preset->messages_per_minute,
		   &account->messages_per_minute);
	fill_limit(account, "messages_per_day", preset->messages_per_day,
		   &account->messages_per_day);
	fill_limit(account, "recipients_per_day", preset->recipients_per_day,
		   &account->recipients_per_day);
	fill_limit(account, "recipients_per_message",
		   preset->recipients_per_message,
		   &account->recipients_per_message);
}

/* More than usual only where that is certain. */
static unsigned connections_of(const struct provider *preset)
{
	return smaller(preset->connections,
		       provider_is_certain(preset, "connections")
			       ? CONNECTIONS_MOST
			       : CONNECTIONS);
}

static void fill_limits(struct account_config *account)
{
	const struct provider *preset = account->provider;

	fill_budgets(account);
	if (preset->connections > 0 &&
	    is_open(account, "connections", CONFIG_ORIGIN_PRESET))
		account->connections = connections_of(preset);
	if (preset->messages_per_connection > 0 &&
	    is_open(account, "messages_per_connection", CONFIG_ORIGIN_PRESET))
		account->messages_per_connection =
			preset->messages_per_connection;
	if (preset->max_message_size > 0 &&
	    provider_is_certain(preset, "max_message_size") &&
	    is_open(account, "max_message_size", CONFIG_ORIGIN_PRESET))
		account->max_message_size = preset->max_message_size;
	if (preset->pipelining &&
	    is_open(account, "pipelining", CONFIG_ORIGIN_PRESET))
		account->pipelining = text_is(text_of(preset->pipelining), "no")
					      ? PIPELINING_NO
					      : PIPELINING_YES;
}

static void fill_senders(struct account_config *account)
{
	struct smtp_path path;

	if (account->senders.n > 0 || !account->username ||
	    !smtp_address_parse(text_of(account->username), &path))
		return;
	account->senders.words = xcalloc(1, sizeof(char *));
	account->senders.words[account->senders.n++] =
		xstrdup(account->username);
	is_open(account, "senders", CONFIG_ORIGIN_DERIVED);
}

static void fill_account(struct account_config *account)
{
	if (is_open(account, "connections", CONFIG_ORIGIN_DEFAULT))
		account->connections = CONNECTIONS;
	if (is_open(account, "messages_per_connection", CONFIG_ORIGIN_DEFAULT))
		account->messages_per_connection = MESSAGES_PER_CONNECTION;
	if (is_open(account, "pipelining", CONFIG_ORIGIN_DEFAULT))
		account->pipelining = PIPELINING_YES;
	if (account->provider && is_open(account, "host", CONFIG_ORIGIN_PRESET))
		account->host = xstrdup(account->provider->host);
	if (account->provider)
		fill_limits(account);
	fill_port_and_tls(account);
	fill_senders(account);
}

/* What DNS and /etc/hosts say; a name without a dot if they say nothing. */
static char *look_up_name(void)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME }, *found = NULL;
	char name[256] = "";
	char *full;

	if (gethostname(name, sizeof(name) - 1) < 0 || name[0] == '\0')
		return xstrdup("localhost");
	if (strchr(name, '.') || getaddrinfo(name, NULL, &hints, &found) != 0)
		return xstrdup(name);
	full = xstrdup(found->ai_canonname ? found->ai_canonname : name);
	freeaddrinfo(found);
	return full;
}

/* Once only: a reload shall not wait for DNS. */
const char *config_system_name(void)
{
	static char name[256];
	char *found;

	if (name[0] != '\0')
		return name;
	found = look_up_name();
	for (size_t i = 0; found[i] && i < sizeof(name) - 1; i++) {
		unsigned char c = (unsigned char)found[i];

		name[i] = (char)(isalnum(c) || c == '.' ? c : '-');
	}
	free(found);
	if (!smtp_is_domain(text_of(name)))
		memcpy(name, "localhost", sizeof("localhost"));
	return name;
}

static void fill_relay(struct config_build *build)
{
	struct config_place place = config_place_relay(build);
	const struct config_key *key =
		config_key_find(CONFIG_SECTION_RELAY, text_of("hostname"));

	if (build->config->relay.hostname)
		return;
	build->config->relay.hostname = xstrdup(config_system_name());
	place.origins[key - config_keys].type = CONFIG_ORIGIN_DERIVED;
}

void config_fill(struct config_build *build)
{
	fill_relay(build);
	if (build->config->n_listeners == 0)
		config_place_add(build, CONFIG_SECTION_LISTENER, NULL, 0);
	for (size_t i = 0; i < build->config->n_accounts; i++)
		fill_account(&build->config->accounts[i]);
}
