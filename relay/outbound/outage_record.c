#include "relay/outbound/outage.h"

#include "relay/net/loop.h"
#include "relay/outbound/fingerprint.h"
#include "relay/policy/send_as.h"
#include "relay/report/catalogue.h"

/* A clock that jumps must not keep an account out for longer than this. */
#define WAIT_MAX_MS (48 * INT64_C(3600) * 1000)

bool outage_is_kept(enum breaker_trouble kind)
{
	return kind == BREAKER_LOGIN || kind == BREAKER_REST ||
	       kind == BREAKER_OPERATOR;
}

static int64_t retry_of(const struct outage *outage)
{
	uint64_t wait = outage_wait(outage,
	                            loop_now_ms(outage->services->loop));

	return wait == BREAKER_NEVER ? 0 : wall_now_ms() + (int64_t)wait;
}

void outage_save(const struct outage *outage,
                 const struct account_config *account)
{
	char fingerprint[FINGERPRINT_TEXT];
	struct account_record record = {
		.account = (char *)outage->account,
		.state = outage->breaker.trouble,
		.reason = (char *)outage->trouble.reason,
		.reply = (char *)outage->trouble.reply,
		.fingerprint = fingerprint,
		.failures = outage->breaker.failures,
		.since_ms = outage->since_ms,
		.retry_ms = retry_of(outage),
	};

	if (!outage_lasts(outage) || !outage_is_kept(outage->breaker.trouble))
		return;
	fingerprint_make(account, fingerprint);
	store_save_account(outage->services->store, &record);
}

void outage_forget(const struct outage *outage)
{
	struct account_record nothing = { .account = (char *)outage->account };

	store_save_account(outage->services->store, &nothing);
}

uint64_t outage_record_wait(const struct account_record *record)
{
	int64_t left = record->retry_ms - wall_now_ms();
	int64_t most = record->retry_ms - record->since_ms;

	if (most > WAIT_MAX_MS)
		most = WAIT_MAX_MS;
	if (left > most) /* the clock has gone back */
		left = most;
	return left > 0 ? (uint64_t)left : 0;
}

static const char *no_words = "The account could not work when lanpost was "
			      "stopped.";
static const char *no_fix = "Read the provider's reply; when it is mended, run "
			    "\"lanpost account resume\".";

/* The store keeps the reason; the words are the catalogue's. */
void outage_record_words(const struct account_record *record,
                         const struct config *config,
                         const struct account_config *account,
                         struct disposition *kept)
{
	const struct catalogue_entry *entry =
		record->reason != NULL
			? catalogue_by_id(config->catalogue, record->reason)
			: NULL;
	struct disposition words = { .reason = record->reason,
		.title = entry ? entry->title : NULL,
		.explanation = entry ? entry->explanation : no_words,
		.fix = entry ? entry->fix : no_fix };

	disposition_keep(kept, &words, account->username,
	                 account_identity(account));
}
