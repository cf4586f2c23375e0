#include "relay/outbound/disposition.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/config/provider.h"
#include "relay/policy/announced.h"
#include "relay/report/catalogue.h"

enum { REST_MS = 5 * 60 * 1000 }; /* where the catalogue says nothing */

/* ---- words ---- */

/* A pause that ends by itself, as that of a day's quota, is a rest. */
static struct disposition from(const struct catalogue_entry *entry,
                               enum disposition_action action)
{
	if (action == DISPOSITION_PAUSE && entry->wait_ms > 0)
		action = DISPOSITION_REST;
	return (struct disposition){
		.action = action,
		.reason = entry->id,
		.title = entry->title,
		.explanation = entry->explanation,
		.fix = entry->fix,
		.wait_ms = action == DISPOSITION_REST && entry->wait_ms == 0
		                   ? REST_MS : entry->wait_ms,
	};
}

/* Where time heals it the provider knows best how much. */
static struct disposition as_announced(struct disposition disposition,
                                       const struct smtp_reply *reply)
{
	int64_t wait = announced_wait(reply->text);

	if (wait > 0 && (disposition.action == DISPOSITION_REST ||
	                 disposition.action == DISPOSITION_RETRY))
		disposition.wait_ms = wait;
	return disposition;
}

static const struct catalogue_entry *entry_of(const struct config *config,
                                              const char *id)
{
	const struct catalogue_entry *entry =
		catalogue_by_id(config->catalogue, id);

	return entry != NULL ? entry
	                     : catalogue_by_id(config->catalogue, "unknown");
}

static struct disposition by_id(const struct config *config, const char *id,
                                enum disposition_action action)
{
	return from(entry_of(config, id), action);
}

/* An account may have been given the provider's host, not its name. */
static const char *provider_of(const struct config *config,
                               const struct account_config *account)
{
	const struct provider *provider = account->provider;

	if (provider == NULL)
		provider = providers_of_host(config->providers, account->host);
	return provider != NULL ? provider->name : NULL;
}

static const struct catalogue_entry *
entry_of_reply(const struct config *config,
               const struct account_config *account, enum smtp_stage stage,
               const struct smtp_reply *reply)
{
	struct catalogue_query query = {
		.provider = provider_of(config, account),
		.stage = catalogue_stage_of(stage),
		.code = reply->code,
		.status = reply->status,
		.text = reply->text,
	};

	return catalogue_find(config->catalogue, &query);
}

/* ---- replies in a transaction ---- */

static enum disposition_action
action_in_transaction(const struct catalogue_entry *entry)
{
	switch (entry->disposition) {
	case CATALOGUE_NONE:
	case CATALOGUE_RETRY:
		break;
	case CATALOGUE_THROTTLE:
		return DISPOSITION_REST;
	case CATALOGUE_PAUSE:
	case CATALOGUE_CONFIG:
		return DISPOSITION_PAUSE;
	case CATALOGUE_REJECT:
	case CATALOGUE_REJECT_RECIPIENT:
		return DISPOSITION_FAIL;
	case CATALOGUE_REWRITE:
		return DISPOSITION_REWRITE;
	}
	return DISPOSITION_RETRY;
}

/* "Not now" is believed, unless it is known that this one means never. */
static bool is_too_hard(enum disposition_action action,
                        const struct catalogue_entry *entry, int code)
{
	return (action == DISPOSITION_FAIL || action == DISPOSITION_REWRITE) &&
	       code / 100 == 4 && !catalogue_names_code(entry, code);
}

static struct disposition of_words(const struct config *config,
                                   const struct account_config *account,
                                   enum smtp_stage stage,
                                   const struct smtp_reply *reply)
{
	const struct catalogue_entry *entry =
		entry_of_reply(config, account, stage, reply);
	enum disposition_action action = action_in_transaction(entry);

	return as_announced(from(entry, is_too_hard(action, entry, reply->code)
	                                        ? DISPOSITION_RETRY : action),
	                    reply);
}

/* What the client found out by itself, without asking the server. */
static const struct {
	enum smtp_problem problem;
	const char *id;
} unsendable[] = {
	{ SMTP_PROBLEM_ADDRESS, "bad-address" },
	{ SMTP_PROBLEM_TOO_BIG, "message-size-preflight" },
	{ SMTP_PROBLEM_NO_8BITMIME, "no-8bitmime" },
};

struct disposition disposition_of_reply(const struct config *config,
                                        const struct account_config *account,
                                        enum smtp_stage stage,
                                        enum smtp_problem problem,
                                        const struct smtp_reply *reply)
{
	size_t i;

	for (i = 0; i < sizeof unsendable / sizeof *unsendable; i++) {
		if (unsendable[i].problem == problem)
			return by_id(config, unsendable[i].id,
			             DISPOSITION_FAIL);
	}
	if (stage >= SMTP_STAGE_MAIL && smtp_reply_positive(reply))
		return (struct disposition){ .action = DISPOSITION_DONE };
	if (reply->code < 400)
		return by_id(config, "protocol-error", DISPOSITION_RETRY);
	return of_words(config, account, stage, reply);
}

struct disposition disposition_of_refusal(const struct config *config,
                                          const struct account_config *account,
                                          enum smtp_stage stage,
                                          const struct smtp_reply *reply,
                                          bool own)
{
	return from(entry_of_reply(config, account, stage, reply),
	            own ? DISPOSITION_PAUSE : DISPOSITION_FAIL);
}

bool disposition_is_of_account(const struct disposition *disposition)
{
	return disposition->action == DISPOSITION_PAUSE ||
	       disposition->action == DISPOSITION_WAIT ||
	       disposition->action == DISPOSITION_REST;
}

/* ---- before the login ---- */

/* at_login: what was said is an answer to the user name and password, or to
 * there being none. */
static enum disposition_action
action_before_login(const struct catalogue_entry *entry, bool at_login, int code)
{
	bool refused = at_login && code / 100 != 4;

	switch (entry->disposition) {
	case CATALOGUE_NONE:
	case CATALOGUE_RETRY:
		break;
	case CATALOGUE_THROTTLE:
		return DISPOSITION_REST;
	case CATALOGUE_PAUSE:
		return DISPOSITION_PAUSE;
	case CATALOGUE_CONFIG:
		return at_login ? DISPOSITION_PAUSE : DISPOSITION_WAIT;
	case CATALOGUE_REJECT:
	case CATALOGUE_REJECT_RECIPIENT:
	case CATALOGUE_REWRITE:
		return refused ? DISPOSITION_PAUSE : DISPOSITION_WAIT;
	}
	return DISPOSITION_WAIT;
}

static struct disposition of_login(const struct config *config,
                                   const struct account_config *account,
                                   const struct upstream_failure *failure)
{
	const struct catalogue_entry *entry = entry_of_reply(
		config, account, failure->stage, &failure->reply);

	if (failure->reply.code < 400)
		return by_id(config, "protocol-error", DISPOSITION_WAIT);
	return as_announced(
		from(entry, action_before_login(
				    entry, failure->stage == SMTP_STAGE_AUTH,
				    failure->reply.code)),
		&failure->reply);
}

/* ---- what fails without a reply ---- */

/* Known by themselves. */
static const struct {
	enum smtp_problem problem;
	const char *id;
	bool at_login;
} problems[] = {
	{ SMTP_PROBLEM_SYNTAX, "bad-reply-syntax", false },
	{ SMTP_PROBLEM_UNEXPECTED, "protocol-error", false },
	{ SMTP_PROBLEM_NO_STARTTLS, "starttls-not-offered", false },
	{ SMTP_PROBLEM_INJECTION, "starttls-injection", false },
	{ SMTP_PROBLEM_NO_AUTH, "auth-not-offered", true },
	{ SMTP_PROBLEM_NO_MECHANISM, "auth-no-common-mechanism", true },
};

/* Where the system's words are not known. */
static const struct {
	enum stream_end end;
	enum catalogue_stage stage;
	const char *id;
} ends[] = {
	{ STREAM_END_DNS, CATALOGUE_STAGE_CONNECT, "dns-failed" },
	{ STREAM_END_CONNECT, CATALOGUE_STAGE_CONNECT, "connection-failed" },
	{ STREAM_END_TLS, CATALOGUE_STAGE_TLS, "tls-failed" },
	{ STREAM_END_EOF, CATALOGUE_STAGE_ANY, "connection-lost" },
	{ STREAM_END_RESET, CATALOGUE_STAGE_ANY, "connection-reset" },
};

/* A port that is silent is blocked, most often. */
static const struct {
	unsigned port;
	const char *id;
} blocked[] = { { 25, "port-25-blocked" }, { 587, "port-587-blocked" } };

static const struct catalogue_entry *
look_at_port(const struct config *config, const struct account_config *account,
             const struct catalogue_entry *entry)
{
	size_t i;

	for (i = 0; i < sizeof blocked / sizeof *blocked; i++) {
		if (account->port == blocked[i].port &&
		    strcmp(entry->id, "connect-timeout") == 0)
			return entry_of(config, blocked[i].id);
	}
	return entry;
}

static const struct catalogue_entry *
entry_of_stream(const struct config *config,
                const struct account_config *account,
                const struct upstream_failure *failure)
{
	struct catalogue_query query = {
		.provider = provider_of(config, account),
		.stage = catalogue_stage_of(failure->stage),
		.code = CATALOGUE_LOCAL,
		.text = text_of(failure->words),
	};
	const struct catalogue_entry *entry;
	const char *id = "unknown";
	size_t i;

	for (i = 0; i < sizeof ends / sizeof *ends; i++) {
		if (ends[i].end != failure->end)
			continue;
		id = ends[i].id;
		if (ends[i].stage != CATALOGUE_STAGE_ANY)
			query.stage = ends[i].stage;
	}
	entry = catalogue_match(config->catalogue, &query);
	return entry == NULL ? entry_of(config, id)
	                     : look_at_port(config, account, entry);
}

static const struct catalogue_entry *
entry_of_timeout(const struct config *config,
                 const struct upstream_failure *failure)
{
	return entry_of(config, failure->stage == SMTP_STAGE_GREETING
	                                ? "banner-timeout" : "reply-timeout");
}

/* Whether the message arrived nobody knows then. */
static bool is_in_doubt(const struct upstream_failure *failure)
{
	return failure->stage == SMTP_STAGE_DATA_END &&
	       (failure->kind == UPSTREAM_TIMEOUT ||
	        failure->end == STREAM_END_EOF ||
	        failure->end == STREAM_END_RESET);
}

static struct disposition of_local(const struct config *config,
                                   const struct upstream_failure *failure,
                                   const struct catalogue_entry *entry,
                                   bool at_login)
{
	if (failure->logged_in)
		return from(entry, DISPOSITION_RETRY);
	return from(entry, action_before_login(entry, at_login, 0));
}

static struct disposition of_problem(const struct config *config,
                                     const struct upstream_failure *failure)
{
	size_t i;

	for (i = 0; i < sizeof problems / sizeof *problems; i++) {
		if (problems[i].problem == failure->problem)
			return of_local(config, failure,
			                entry_of(config, problems[i].id),
			                problems[i].at_login);
	}
	return of_local(config, failure, entry_of(config, "protocol-error"),
	                false);
}

static struct disposition of_dialogue(const struct config *config,
                                      const struct account_config *account,
                                      const struct upstream_failure *failure)
{
	if (failure->problem != SMTP_PROBLEM_REFUSED)
		return of_problem(config, failure);
	if (failure->logged_in)
		return disposition_of_reply(config, account, failure->stage,
		                            failure->problem, &failure->reply);
	return of_login(config, account, failure);
}

struct disposition
disposition_of_failure(const struct config *config,
                       const struct account_config *account,
                       const struct upstream_failure *failure)
{
	if (failure->kind == UPSTREAM_SMTP)
		return of_dialogue(config, account, failure);
	if (is_in_doubt(failure))
		return of_local(config, failure,
		                entry_of(config, "eof-after-data"), false);
	return of_local(config, failure,
	                failure->kind == UPSTREAM_TIMEOUT
	                        ? entry_of_timeout(config, failure)
	                        : entry_of_stream(config, account, failure),
	                false);
}

/* ---- ours ---- */

struct disposition disposition_of_expiry(const struct config *config)
{
	return by_id(config, "expired", DISPOSITION_FAIL);
}

struct disposition disposition_of_damage(const struct config *config)
{
	return by_id(config, "body-damaged", DISPOSITION_FAIL);
}

struct disposition disposition_of_unreadable(const struct config *config)
{
	return by_id(config, "spool-unreadable", DISPOSITION_RETRY);
}

struct disposition disposition_of_sender(const struct config *config)
{
	return by_id(config, "sender-not-allowed", DISPOSITION_FAIL);
}

struct disposition disposition_of_pace(const struct config *config)
{
	return by_id(config, "paced", DISPOSITION_RETRY);
}

/* ---- copies ---- */

void disposition_forget(struct disposition *copy)
{
	free((char *)copy->reason);
	free((char *)copy->title);
	free((char *)copy->explanation);
	free((char *)copy->fix);
	*copy = (struct disposition){ .action = DISPOSITION_DONE };
}

void disposition_keep(struct disposition *copy,
                      const struct disposition *disposition,
                      const char *username, const char *address)
{
	struct disposition kept = *disposition;
	struct buf fix = BUF_INIT(4096);

	if (kept.fix != NULL)
		catalogue_fill_fix(&fix, kept.fix, username, address);
	kept.reason = xstrdup(kept.reason);
	kept.title = xstrdup(kept.title);
	kept.explanation = xstrdup(kept.explanation);
	kept.fix = kept.fix != NULL ? buf_steal(&fix) : NULL;
	disposition_forget(copy);
	*copy = kept;
}
