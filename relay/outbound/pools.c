#include "relay/outbound/pools.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/outbound/sender.h"
#include "relay/policy/router.h"
#include "relay/queue/queue.h"
#include "relay/report/log.h"

enum { TOLD_MAX = 32 }; /* accounts that are gone, in the log */

struct pool_list {
	struct pool **pools;
	size_t n;
};

struct pools {
	struct services *services;
	struct pool_list in_force, retired;
	struct pool_list next; /* staged: one for each account, in order */
	char *told[TOLD_MAX];
	size_t n_told;
};

/* ---- lists ---- */

static void list_add(struct pool_list *list, struct pool *pool)
{
	list->pools = xrealloc(list->pools,
	                       (list->n + 1) * sizeof *list->pools);
	list->pools[list->n++] = pool;
}

static struct pool *list_find(const struct pool_list *list,
                              const char *account)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (strcmp(pool_account(list->pools[i]), account) == 0)
			return list->pools[i];
	}
	return NULL;
}

static void list_clear(struct pool_list *list)
{
	free(list->pools);
	*list = (struct pool_list){ NULL, 0 };
}

static void list_free(struct pool_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++)
		pool_free(&list->pools[i]);
	list_clear(list);
}

/* ---- another configuration ---- */

static bool stage_one(struct pools *pools, struct config *config,
                      const char *account, const char **error_r)
{
	struct pool *pool = list_find(&pools->in_force, account);

	if (pool == NULL)
		pool = pool_new(pools->services, config, account, error_r);
	else if (!pool_stage(pool, config, error_r))
		pool = NULL;
	if (pool != NULL)
		list_add(&pools->next, pool);
	return pool != NULL;
}

static void unstage(struct pools *pools)
{
	size_t i;

	for (i = 0; i < pools->next.n; i++) {
		struct pool *pool = pools->next.pools[i];

		if (list_find(&pools->in_force, pool_account(pool)) == pool)
			pool_unstage(pool);
		else
			pool_free(&pool);
	}
	list_clear(&pools->next);
}

bool pools_stage(struct pools *pools, struct config *config,
                 const char **error_r)
{
	size_t i;

	for (i = 0; i < config->n_accounts; i++) {
		if (!stage_one(pools, config, config->accounts[i].name,
		               error_r)) {
			unstage(pools);
			return false;
		}
	}
	return true;
}

static void forget_told(struct pools *pools)
{
	while (pools->n_told > 0)
		free(pools->told[--pools->n_told]);
}

void pools_commit(struct pools *pools)
{
	struct pool_list old = pools->in_force;
	size_t i;

	pools->in_force = pools->next;
	pools->next = (struct pool_list){ NULL, 0 };
	forget_told(pools);
	for (i = 0; i < old.n; i++) {
		struct pool *pool = old.pools[i];

		if (list_find(&pools->in_force, pool_account(pool)) == pool) {
			pool_commit(pool);
		} else {
			list_add(&pools->retired, pool);
			pool_retire(pool);
		}
	}
	list_clear(&old);
	queue_divert(pools->services->queue);
	pools_kick_all(pools);
	pools_sweep(pools);
}

void pools_sweep(struct pools *pools)
{
	struct pool_list all = pools->retired;
	size_t i;

	pools->retired = (struct pool_list){ NULL, 0 };
	for (i = 0; i < all.n; i++) {
		if (pool_is_done(all.pools[i]))
			pool_free(&all.pools[i]);
		else
			list_add(&pools->retired, all.pools[i]);
	}
	list_clear(&all);
}

/* ---- which sends ---- */

/* Was it, or is the log full of such news? */
static bool told(struct pools *pools, const char *account)
{
	size_t i;

	for (i = 0; i < pools->n_told; i++) {
		if (strcmp(pools->told[i], account) == 0)
			return true;
	}
	if (pools->n_told == TOLD_MAX)
		return true;
	pools->told[pools->n_told++] = xstrdup(account);
	return false;
}

static void tell_gone(struct pools *pools, const struct envelope *envelope,
                      const char *instead)
{
	char id[MESSAGE_ID_TEXT];

	if (envelope->account == NULL || told(pools, envelope->account))
		return;
	log_event(LOG_WARN, EVENT_WARNING,
	          F_STR("id", message_id_print(envelope->id, id)),
	          F_STR("rule", envelope->rule),
	          F_STR("account", envelope->account),
	          F_STR("instead", instead),
	          F_STR("text", "this account is gone from the configuration; "
	                        "mail that waits for it goes by its rule's "
	                        "account, or by the first"));
}

static const struct account_config *own_account(struct pools *pools,
                                                const struct envelope *envelope)
{
	const struct config *config = pools->services->config;
	const struct account_config *account =
		envelope->account ? config_account(config, envelope->account)
	                          : NULL;

	if (account != NULL)
		return account;
	account = rule_account(config, envelope->rule
	                                       ? config_rule(config,
	                                                     envelope->rule)
	                                       : NULL);
	tell_gone(pools, envelope, account->name);
	return account;
}

static bool works(const struct pools *pools,
                  const struct account_config *account)
{
	const struct pool *pool = list_find(&pools->in_force, account->name);

	return pool != NULL && !pool_is_out(pool);
}

/* One that would refuse the sender is no help: its own may send it later. */
static bool may_send(const struct pools *pools,
                     const struct account_config *account,
                     const struct envelope *envelope)
{
	struct send_as sender;
	bool may;

	sender_decide(pools->services->config, pools->services->refused,
	              account, envelope, &sender);
	may = sender.verdict == SEND_AS_OK;
	send_as_free(&sender);
	return may;
}

/* Along the chain, no further than there are accounts. */
static const struct account_config *
find_failover(const struct pools *pools, const struct account_config *own,
              const struct envelope *envelope)
{
	const struct config *config = pools->services->config;
	const struct account_config *account = own;
	size_t i;

	for (i = 0; i < config->n_accounts; i++) {
		if (account->failover == NULL)
			return NULL;
		account = config_account(config, account->failover);
		if (account == NULL || account == own)
			return NULL;
		if (works(pools, account) &&
		    may_send(pools, account, envelope))
			return account;
	}
	return NULL;
}

const char *pools_route(struct pools *pools, const struct envelope *envelope)
{
	const struct account_config *own = own_account(pools, envelope), *other;

	if (own->failover == NULL || works(pools, own))
		return own->name;
	other = find_failover(pools, own, envelope);
	if (other == NULL)
		return own->name;
	pool_tell_failover(list_find(&pools->in_force, own->name),
	                   other->name);
	return other->name;
}

static const struct account_config *
working_failover(const struct pools *pools, const struct account_config *own)
{
	const struct config *config = pools->services->config;
	const struct account_config *account = own;
	size_t i;

	for (i = 0; i < config->n_accounts && account != NULL; i++) {
		if (works(pools, account))
			return account;
		account = account->failover != NULL
		                  ? config_account(config, account->failover)
		                  : NULL;
	}
	return NULL;
}

const char *pools_carrier(const struct pools *pools, const char *account)
{
	const struct config *config = pools->services->config;
	const struct account_config *own =
		account != NULL ? config_account(config, account) : NULL;
	const struct account_config *found = working_failover(pools, own);
	size_t i;

	for (i = 0; i < config->n_accounts && found == NULL; i++) {
		if (works(pools, &config->accounts[i]))
			found = &config->accounts[i];
	}
	return found != NULL ? found->name : NULL;
}

/* ---- all of them ---- */

void pools_kick(struct pools *pools, const char *account)
{
	struct pool *pool = list_find(&pools->in_force, account);

	if (pool != NULL)
		pool_kick(pool);
}

void pools_kick_all(struct pools *pools)
{
	size_t i;

	for (i = 0; i < pools->in_force.n; i++)
		pool_kick(pools->in_force.pools[i]);
}

void pools_drain(struct pools *pools, void (*on_idle)(void *ctx), void *ctx)
{
	size_t i;

	for (i = 0; i < pools->in_force.n; i++)
		pool_drain(pools->in_force.pools[i], on_idle, ctx);
	for (i = 0; i < pools->retired.n; i++)
		pool_drain(pools->retired.pools[i], on_idle, ctx);
}

static bool is_busy(const struct pool_list *list)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (pool_is_busy(list->pools[i]))
			return true;
	}
	return false;
}

bool pools_are_busy(const struct pools *pools)
{
	return is_busy(&pools->in_force) || is_busy(&pools->retired);
}

/* ---- by a person ---- */

size_t pools_count(const struct pools *pools)
{
	return pools->in_force.n;
}

void pools_status(struct pools *pools, size_t index,
                  struct account_status *status_r)
{
	pool_status(pools->in_force.pools[index], status_r);
}

bool pools_pause(struct pools *pools, const char *account)
{
	struct pool *pool = list_find(&pools->in_force, account);

	if (pool != NULL)
		pool_pause(pool);
	return pool != NULL;
}

bool pools_resume(struct pools *pools, const char *account)
{
	struct pool *pool = list_find(&pools->in_force, account);

	if (pool != NULL)
		pool_resume(pool);
	return pool != NULL;
}

/* ---- the store ---- */

void pools_save_again(struct pools *pools)
{
	size_t i;

	for (i = 0; i < pools->in_force.n; i++)
		pool_save_again(pools->in_force.pools[i]);
}

static void restore_one(struct pools *pools, struct account_record *record)
{
	struct pool *pool = list_find(&pools->in_force, record->account);
	struct account_record nothing = { .account = record->account };

	if (pool != NULL)
		pool_restore(pool, record);
	else
		store_save_account(pools->services->store, &nothing);
	account_record_clear(record);
}

static void restore(struct pools *pools)
{
	size_t i, n;
	struct account_record *records =
		store_take_accounts(pools->services->store, &n);

	for (i = 0; i < n; i++)
		restore_one(pools, &records[i]);
	free(records);
}

/* ---- life ---- */

struct pools *pools_new(struct services *services, const char **error_r)
{
	struct pools *pools = xcalloc(1, sizeof *pools);

	pools->services = services;
	if (!pools_stage(pools, services->config, error_r)) {
		free(pools);
		return NULL;
	}
	pools->in_force = pools->next;
	pools->next = (struct pool_list){ NULL, 0 };
	restore(pools);
	return pools;
}

void pools_free(struct pools **pools_p)
{
	struct pools *pools = *pools_p;

	if (pools == NULL)
		return;
	list_free(&pools->in_force);
	list_free(&pools->retired);
	forget_told(pools);
	free(pools);
	*pools_p = NULL;
}
