#include "relay/policy/send_as.h"

#include <string.h>

#include "proto/smtp_path.h"

static bool is_address(const char *word)
{
	struct smtp_path path;

	return word != NULL && strchr(word, '*') == NULL &&
	       smtp_address_parse(text_of(word), &path);
}

const char *account_identity(const struct account_config *account)
{
	size_t i;

	if (is_address(account->username))
		return account->username;
	for (i = 0; i < account->senders.n; i++) {
		if (is_address(account->senders.words[i]))
			return account->senders.words[i];
	}
	return NULL;
}

bool account_may_send_as(const struct account_config *account,
                         const char *address)
{
	size_t i;

	if (address == NULL || *address == '\0')
		return false;
	if (account->username != NULL &&
	    text_is(text_of(address), account->username))
		return true;
	for (i = 0; i < account->senders.n; i++) {
		if (text_glob(text_of(account->senders.words[i]),
		              text_of(address)))
			return true;
	}
	return false;
}

static struct send_as keep(const char *reverse_path, const char *reason)
{
	return (struct send_as){ SEND_AS_OK, reverse_path, NULL, reason };
}

static struct send_as reject(const char *reason)
{
	return (struct send_as){ SEND_AS_REJECTED, NULL, NULL, reason };
}

/* A From that may stay decides the envelope too, when that may not. */
static struct send_as rewrite(const struct account_config *account,
                              const char *reverse_path,
                              const char *header_from, bool path_ok,
                              bool from_ok)
{
	const char *identity = account_identity(account);

	if (path_ok && from_ok)
		return keep(reverse_path, "the account may send as this sender");
	if (from_ok)
		return keep(header_from, "the envelope sender follows From");
	if (path_ok && header_from == NULL)
		return (struct send_as){ SEND_AS_OK, reverse_path, reverse_path,
			"From follows the envelope sender" };
	if (identity == NULL)
		return reject("the account has no address of its own to send "
		              "as: set `senders`");
	return (struct send_as){ SEND_AS_OK, identity, identity,
		"the account may not send as this sender: it sends as itself" };
}

struct send_as send_as_decide(const struct account_config *account,
                              const char *reverse_path,
                              const char *header_from)
{
	bool path_ok = account_may_send_as(account, reverse_path);
	bool from_ok = account_may_send_as(account, header_from);

	switch (account->sender_policy) {
	case SENDER_PASS:
		return keep(reverse_path, "sender_policy = pass");
	case SENDER_REJECT:
		if (!path_ok && *reverse_path != '\0')
			return reject("this account may not send as the "
			              "envelope sender (sender_policy = reject)");
		if (header_from != NULL && !from_ok)
			return reject("this account may not send as the From "
			              "address (sender_policy = reject)");
		if (*reverse_path == '\0' && from_ok)
			return keep(header_from,
			            "the envelope sender follows From");
		return keep(reverse_path, "the account may send as this sender");
	case SENDER_REWRITE:
		break;
	}
	return rewrite(account, reverse_path, header_from, path_ok, from_ok);
}
