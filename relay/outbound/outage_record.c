#include "relay/outbound/outage.h"

#include "relay/net/loop.h"
#include "relay/outbound/fingerprint.h"

/* A clock that jumps must not keep an account out for longer than this. */
#define WAIT_MAX_MS (48 * INT64_C(3600) * 1000)

/* A provider that could not be reached is tried at once; if it follows a
 * refused login, the row of that stays. */
static bool is_kept(enum breaker_trouble kind)
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

	if (!outage_lasts(outage) || !is_kept(outage->breaker.trouble))
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

	if (left > WAIT_MAX_MS)
		return WAIT_MAX_MS;
	return left > 0 ? (uint64_t)left : 0;
}

/* The store keeps the reason; the words belong to it. */
bool outage_record_read(const struct account_record *record,
                        struct trouble *trouble)
{
	*trouble = (struct trouble){
		.kind = (enum breaker_trouble)record->state,
		.reason = record->reason,
		.reply = record->reply,
		.explanation = "The account could not work when lanpost was "
		               "stopped, for this reason.",
		.fix = "Mend it; then run \"lanpost account resume ACCOUNT\".",
	};
	return is_kept(trouble->kind);
}
