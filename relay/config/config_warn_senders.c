/* What a provider will say to a sender, said before it does. */
#include "relay/config/config_build.h"

#include <string.h>
#include "relay/config/provider.h"

enum { SENTENCE_MAX = 1500 };

static bool checks(const struct provider *provider)
{
	return provider && (provider->checks_envelope || provider->checks_from);
}

/* The user name is the account's own address where it is one. */
static bool covers(const struct account_config *account, const char *address)
{
	if (account->username && text_is(text_of(address), account->username))
		return true;
	for (size_t i = 0; i < account->senders.n; i++) {
		if (text_glob(text_of(account->senders.words[i]),
			      text_of(address)))
			return true;
	}
	return false;
}

/* Every address whatever: as good as no list. */
static bool covers_all(const struct account_config *account)
{
	return covers(account, "x@x.example") && covers(account, "y@y.test");
}

/* The preset's words with the words ADDRESS and ACCOUNT filled in. */
static void put_grant(struct buf *out, const struct account_config *account,
		      const char *address)
{
	const char *words = account->provider->grant;
	const char *user = account->username ? account->username : "ACCOUNT";

	while (*words) {
		size_t len = strcspn(words, " ");
		struct text word = text_make(words, len);

		if (text_equal(word, text_of("ADDRESS")))
			buf_puts(out, address);
		else if (text_equal(word, text_of("ACCOUNT")))
			buf_puts(out, user);
		else
			buf_text_append(out, word);
		if (words[len])
			buf_putc(out, ' ');
		words += len + (words[len] == ' ');
	}
}

static void warn_pass(struct config_build *build,
		      const struct account_config *account)
{
	const struct provider *provider = account->provider;
	bool pass = account->sender_policy == SENDER_PASS;
	const char *setting =
		pass ? "sender_policy = pass lets" : "senders lets";

	if (!pass && !covers_all(account))
		return;
	if (provider->replaces_from)
		config_warn(build,
			    "account %s: %s every sender through, and %s puts "
			    "the account in its place without a word (%s); "
			    "%s, and lanpost does it with the old sender in "
			    "Reply-To",
			    account->name, setting, provider->title,
			    provider->sender_check,
			    pass ? "write sender_policy = rewrite"
				 : "list in senders what is allowed");
	else if (checks(provider))
		config_warn(build,
			    "account %s: %s every sender through, and %s "
			    "refuses others (%s); %s",
			    account->name, setting, provider->title,
			    provider->sender_check,
			    pass ? "write sender_policy = rewrite"
				 : "list in senders what is allowed");
}

/* What is to be done before the account may send as the address. */
static void put_advice(struct buf *out, const struct account_config *account,
		       const char *address)
{
	const struct provider *provider = account->provider;

	if (provider && !provider->grant && checks(provider)) {
		buf_printf(out, "%s lets no account send as another address",
			   provider->title);
		return;
	}
	buf_printf(out, "add it to senders of [account %s]", account->name);
	if (!provider)
		buf_puts(out, " if its server lets it");
	if (provider && provider->grant) {
		buf_puts(out, ", and at the provider ");
		put_grant(out, account, address);
	}
}

/* A rule's sender that the account is not said to be allowed. */
static void warn_send_as(struct config_build *build,
			 const struct account_config *account,
			 const struct rule_config *rule)
{
	const char *address = rule->send_as.address;
	struct buf advice = BUF_INIT(SENTENCE_MAX);

	if (!address || covers(account, address))
		return;
	put_advice(&advice, account, address);
	config_warn(build,
		    "rule %s: account %s is not known to be allowed to send "
		    "as %s; %s",
		    rule->name, account->name, address, buf_string(&advice));
	buf_free(&advice);
}

static void warn_on_behalf(struct config_build *build,
			   const struct account_config *account,
			   const struct rule_config *rule)
{
	const struct provider *provider = account->provider;

	if (!rule->on_behalf || !provider)
		return;
	if (provider->replaces_from)
		config_warn(build,
			    "rule %s: on_behalf keeps From, but %s replaces "
			    "it (%s); write send_as, and the old sender goes "
			    "into Reply-To",
			    rule->name, provider->title,
			    provider->sender_check);
	else if (provider->checks_from)
		config_warn(build,
			    "rule %s: on_behalf keeps From, which %s checks "
			    "(%s); it works only for senders the account has "
			    "been granted there",
			    rule->name, provider->title,
			    provider->sender_check);
}

static const struct account_config *account_of(const struct config *config,
					       const struct rule_config *rule)
{
	return rule->account ? config_account(config, rule->account)
			     : &config->accounts[0];
}

void config_warn_senders(struct config_build *build)
{
	const struct config *config = build->config;

	for (size_t i = 0; i < config->n_accounts; i++) {
		if (config->accounts[i].provider)
			warn_pass(build, &config->accounts[i]);
	}
	for (size_t i = 0; i < config->n_rules; i++) {
		const struct rule_config *rule = &config->rules[i];
		const struct account_config *account = account_of(config, rule);

		if (rule->reject)
			continue;
		warn_send_as(build, account, rule);
		warn_on_behalf(build, account, rule);
	}
}
