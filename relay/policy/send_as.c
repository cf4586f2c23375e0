#include "relay/policy/send_as.h"

#include <stdlib.h>
#include <string.h>

#include "proto/smtp_path.h"
#include "proto/xalloc.h"
#include "relay/config/provider.h"
#include "relay/policy/complete.h"

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

/* ---- what is asked ---- */

/* The query with its addresses completed, and what follows from it. */
struct question {
	const struct account_config *account;
	const struct rule_config *rule;
	const char *identity;
	char *path;              /* "" for the null path */
	char *from;              /* NULL: none */
	bool from_completed;     /* it is not what stands in the header */
	bool path_ok, from_ok;   /* may the account send as it? */
};

static char *completed(const char *address, const struct rule_config *rule)
{
	char *whole = NULL;

	if (address != NULL && rule != NULL)
		whole = address_complete(text_of(address),
		                         text_of(rule->add_domain));
	return whole != NULL ? whole : xstrdup(address);
}

static bool takes_null(const struct account_config *account)
{
	return account->provider != NULL &&
	       account->provider->takes_null_sender;
}

static struct question question_of(const struct send_as_query *query)
{
	struct question q = {
		.account = query->account,
		.rule = query->rule,
		.identity = account_identity(query->account),
		.path = completed(query->reverse_path, query->rule),
		.from = completed(query->header_from, query->rule),
	};

	q.from_completed =
		q.from != NULL && strcmp(q.from, query->header_from) != 0;
	q.path_ok = *q.path == '\0' ? takes_null(q.account)
	                            : account_may_send_as(q.account, q.path);
	q.from_ok = account_may_send_as(q.account, q.from);
	return q;
}

/* ---- what is decided ---- */

static void reject(struct send_as *out, const char *reason)
{
	out->verdict = SEND_AS_REJECTED;
	out->reason = reason;
}

static void settle(struct send_as *out, const char *path, const char *from,
                   const char *reason)
{
	out->reverse_path = xstrdup(path);
	out->from = xstrdup(from);
	out->reason = reason;
}

/* From stays, if it is what stands in the header. */
static void keep(const struct question *q, struct send_as *out,
                 const char *path, const char *reason)
{
	settle(out, path, q->from_completed ? q->from : NULL, reason);
}

/* Bounces about bounces go nowhere, where the provider lets them. */
static const char *path_of_identity(const struct question *q)
{
	return *q->path == '\0' && q->path_ok ? "" : q->identity;
}

static void as_identity(const struct question *q, struct send_as *out,
                        const char *reason)
{
	if (q->identity == NULL)
		reject(out, "the account has no address of its own to send "
		            "as: set `senders`");
	else
		settle(out, path_of_identity(q), q->identity, reason);
}

static void by_send_as(const struct question *q, struct send_as *out)
{
	const struct sender_value *sender = &q->rule->send_as;

	settle(out, sender->address, sender->address, "the rule's send_as");
	out->from_name = xstrdup(sender->name);
}

static void on_behalf(const struct question *q, struct send_as *out)
{
	if (q->identity == NULL || q->from == NULL) {
		as_identity(q, out, "there is no From to send on behalf of: "
		                    "the account sends as itself");
		return;
	}
	keep(q, out, path_of_identity(q), "on behalf of From, by the rule");
	out->any_from = true;
	if (!text_is(text_of(q->from), q->identity))
		out->sender = xstrdup(q->identity);
}

/* A From that may stay decides the envelope too, when that may not. */
static void by_rewrite(const struct question *q, struct send_as *out)
{
	if (q->path_ok && q->from_ok)
		keep(q, out, q->path, "the account may send as this sender");
	else if (q->from_ok)
		keep(q, out, q->from, "the envelope sender follows From");
	else if (q->path_ok && q->from == NULL && *q->path != '\0')
		settle(out, q->path, q->path,
		       "From follows the envelope sender");
	else
		as_identity(q, out, "the account may not send as this sender: "
		                    "it sends as itself");
}

/* At MAIL nothing is known of From, and the null path says nothing either. */
static void by_reject(const struct question *q, struct send_as *out)
{
	if (!q->path_ok && *q->path != '\0')
		reject(out, "This account may not send as the envelope sender: "
		            "use one that `senders` of the account covers, or "
		            "add it there (sender_policy = reject)");
	else if (q->from != NULL && !q->from_ok)
		reject(out, "This account may not send as the From address: "
		            "use one that `senders` of the account covers, or "
		            "add it there (sender_policy = reject)");
	else if (q->path_ok || q->from_ok || q->identity != NULL)
		by_rewrite(q, out);
	else
		keep(q, out, q->path, "the null sender");
}

static void by_policy(const struct question *q, struct send_as *out)
{
	switch (q->account->sender_policy) {
	case SENDER_PASS:
		keep(q, out, q->path, "sender_policy = pass");
		out->any_sender = out->any_from = true;
		break;
	case SENDER_REJECT:
		by_reject(q, out);
		break;
	case SENDER_REWRITE:
		by_rewrite(q, out);
		break;
	}
}

/* ---- what the provider will say ---- */

/* What it compares, in its preset's words. */
static const char *check_of(const struct provider *provider)
{
	return provider->sender_check != NULL ? provider->sender_check
	                                      : "it compares the sender";
}

static char *warn_from(const struct provider *provider, const char *from,
                       bool is_on_behalf)
{
	if (provider->replaces_from)
		return xasprintf("%s will silently replace <%s> in From by "
		                 "the account's address; confirm it there as "
		                 "a sender of the account, then add it to "
		                 "`senders`", provider->title, from);
	if (!provider->checks_from)
		return NULL;
	return xasprintf("%s will refuse <%s> in From unless the account has "
	                 "the right to send %s it (%s); grant it there, then "
	                 "add the address to `senders`", provider->title, from,
	                 is_on_behalf ? "on behalf of" : "as",
	                 check_of(provider));
}

static char *warn_path(const struct provider *provider, const char *path)
{
	if (*path == '\0')
		return provider->takes_null_sender
		               ? NULL
		               : xasprintf("%s does not take the null sender; "
		                           "with sender_policy = rewrite the "
		                           "account stands in for it",
		                           provider->title);
	if (!provider->checks_envelope)
		return NULL;
	return xasprintf("%s will refuse the envelope sender <%s> (%s); once "
	                 "the account may use it, add it to `senders`",
	                 provider->title, path, check_of(provider));
}

static char *warning(const struct question *q, const struct send_as *decision)
{
	const struct provider *provider = q->account->provider;
	const char *from = decision->from != NULL ? decision->from : q->from;
	char *words = NULL;

	if (provider == NULL || decision->verdict == SEND_AS_REJECTED)
		return NULL;
	if (from != NULL && !account_may_send_as(q->account, from))
		words = warn_from(provider, from, decision->sender != NULL);
	if (words == NULL &&
	    !account_may_send_as(q->account, decision->reverse_path))
		words = warn_path(provider, decision->reverse_path);
	return words;
}

void send_as_decide(const struct send_as_query *query, struct send_as *out)
{
	struct question q = question_of(query);

	*out = (struct send_as){ .verdict = SEND_AS_OK,
		                 .identity = xstrdup(q.identity) };
	if (q.rule != NULL) {
		out->reply_to.kind = q.rule->reply_to.kind;
		out->reply_to.address = xstrdup(q.rule->reply_to.address);
	}
	if (query->as_itself)
		as_identity(&q, out, "the provider has refused this sender: "
		                     "the account sends as itself");
	else if (q.rule != NULL && q.rule->send_as.address != NULL)
		by_send_as(&q, out);
	else if (q.rule != NULL && q.rule->on_behalf)
		on_behalf(&q, out);
	else
		by_policy(&q, out);
	out->warning = warning(&q, out);
	free(q.path);
	free(q.from);
}

void send_as_free(struct send_as *decision)
{
	free(decision->reverse_path);
	free(decision->from);
	free(decision->from_name);
	free(decision->sender);
	free(decision->identity);
	free(decision->reply_to.address);
	free(decision->warning);
	*decision = (struct send_as){ .verdict = decision->verdict };
}
