#include "relay/outbound/refused.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/config/provider.h"
#include "relay/net/loop.h"
#include "relay/policy/send_as.h"
#include "relay/queue/store.h"
#include "relay/report/log.h"

enum { BUCKETS = 256, FINGERPRINT_TEXT = 17 };

struct pair {
	struct refused *refused;
	struct refused_sender known; /* the sender in lower case */
	bool unsaved;                /* the disk refused it */
	struct pair *same_bucket;
	TAILQ_ENTRY(pair) link;
};

TAILQ_HEAD(pair_list, pair);

struct refused {
	struct services *services;
	struct pair *buckets[BUCKETS];
	struct pair_list by_age;     /* the oldest first */
	size_t n;
};

/* ---- hashes ---- */

/* FNV-1a, 64 bits. */
#define HASH_START UINT64_C(14695981039346656037)

static uint64_t hash_octet(uint64_t hash, unsigned char octet)
{
	return (hash ^ octet) * UINT64_C(1099511628211);
}

/* The NUL too, so that what follows is told apart. */
static uint64_t hash_text(uint64_t hash, const char *text)
{
	const char *at = text != NULL ? text : "";

	do {
		hash = hash_octet(hash, (unsigned char)*at);
	} while (*at++ != '\0');
	return hash;
}

/* What decides as whom the provider lets an account send, and as whom it asks
 * to; no secret. */
static void print_fingerprint(const struct account_config *account,
                              char out[FINGERPRINT_TEXT])
{
	uint64_t hash = hash_text(HASH_START, account->host);
	char numbers[64];
	size_t i;

	snprintf(numbers, sizeof numbers, "%u %d", (unsigned)account->port,
	         (int)account->sender_policy);
	hash = hash_text(hash, numbers);
	hash = hash_text(hash, account->provider ? account->provider->name
	                                         : NULL);
	hash = hash_text(hash, account->username);
	for (i = 0; i < account->senders.n; i++)
		hash = hash_text(hash, account->senders.words[i]);
	snprintf(out, FINGERPRINT_TEXT, "%016" PRIx64, hash);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static size_t bucket_of(const char *account, const char *sender)
{
	uint64_t hash = hash_text(HASH_START, account);

	for (; *sender != '\0'; sender++)
		hash = hash_octet(hash, (unsigned char)lower(*sender));
	return hash % BUCKETS;
}

/* ---- the pairs ---- */

static struct pair *find(const struct refused *refused, const char *account,
                         const char *sender)
{
	struct pair *pair = refused->buckets[bucket_of(account, sender)];

	while (pair != NULL && (strcmp(pair->known.account, account) != 0 ||
	                        !text_is(text_of(pair->known.sender), sender)))
		pair = pair->same_bucket;
	return pair;
}

static void forget(struct pair *pair)
{
	struct refused *refused = pair->refused;
	struct pair **at = &refused->buckets[bucket_of(pair->known.account,
	                                               pair->known.sender)];

	while (*at != pair)
		at = &(*at)->same_bucket;
	*at = pair->same_bucket;
	TAILQ_REMOVE(&refused->by_age, pair, link);
	refused->n--;
	refused_sender_clear(&pair->known);
	free(pair);
}

/* Takes the strings. */
static struct pair *add(struct refused *refused, struct refused_sender *known)
{
	struct pair *pair = xcalloc(1, sizeof *pair);
	struct pair **bucket =
		&refused->buckets[bucket_of(known->account, known->sender)];

	if (refused->n >= STORE_REFUSED_MAX)
		forget(TAILQ_FIRST(&refused->by_age));
	pair->refused = refused;
	pair->known = *known;
	pair->same_bucket = *bucket;
	*bucket = pair;
	TAILQ_INSERT_TAIL(&refused->by_age, pair, link);
	refused->n++;
	return pair;
}

/* ---- the disk ---- */

/* Nothing of the pair is carried through the store: it may be gone by then. */
static void on_saved(void *ctx, const char *error, bool full)
{
	struct refused *refused = ctx;
	struct pair *pair;

	if (error == NULL)
		return;
	TAILQ_FOREACH(pair, &refused->by_age, link)
		pair->unsaved = true;
}

static void save(struct pair *pair)
{
	pair->unsaved = false;
	store_refuse(pair->refused->services->store, &pair->known, on_saved,
	             pair->refused);
}

void refused_save_again(struct refused *refused)
{
	struct pair *pair;

	TAILQ_FOREACH(pair, &refused->by_age, link) {
		if (pair->unsaved)
			save(pair);
	}
}

/* ---- what is asked ---- */

static bool is_up_to_date(const struct refused *refused,
                          const struct refused_sender *known)
{
	const struct account_config *account =
		config_account(refused->services->config, known->account);
	char now[FINGERPRINT_TEXT];

	if (account == NULL)
		return false;
	print_fingerprint(account, now);
	return strcmp(now, known->fingerprint) == 0;
}

static void forget_for_good(struct pair *pair)
{
	store_forget(pair->refused->services->store, pair->known.account,
	             pair->known.sender);
	forget(pair);
}

void refused_review(struct refused *refused)
{
	struct pair *pair = TAILQ_FIRST(&refused->by_age), *next;

	for (; pair != NULL; pair = next) {
		next = TAILQ_NEXT(pair, link);
		if (!is_up_to_date(refused, &pair->known))
			forget_for_good(pair);
	}
}

void refused_forget_account(struct refused *refused, const char *account)
{
	struct pair *pair = TAILQ_FIRST(&refused->by_age), *next;

	for (; pair != NULL; pair = next) {
		next = TAILQ_NEXT(pair, link);
		if (strcmp(pair->known.account, account) == 0)
			forget_for_good(pair);
	}
}

bool refused_knows(const struct refused *refused,
                   const struct account_config *account, const char *sender)
{
	return refused->n > 0 && sender != NULL &&
	       find(refused, account->name, sender) != NULL;
}

static bool is_of_microsoft(const struct account_config *account,
                            const char *reply)
{
	struct text words = text_of(reply);

	return (account->provider != NULL &&
	        text_is(text_of(account->provider->name), "office365")) ||
	       text_find_nocase(words, text_of("SendAsDenied")) >= 0 ||
	       text_find_nocase(words, text_of("5.7.60 ")) >= 0;
}

/* As PowerShell takes it for a word and nothing else: a device has thought of
 * it, and an administrator will paste it. */
static char *shell_word(const char *address)
{
	struct buf word = BUF_INIT(2 * strlen(address) + 2);

	if (*address != '-' &&
	    strspn(address, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.@_+-"
	                    "abcdefghijklmnopqrstuvwxyz") == strlen(address))
		return xstrdup(address);
	buf_putc(&word, '\'');
	for (; *address != '\0'; address++)
		buf_puts(&word, *address == '\'' ? "''"
		                                 : (char[]){ *address, '\0' });
	buf_putc(&word, '\'');
	return buf_steal(&word);
}

static void say(const struct account_config *account, const char *sender,
                const char *reply)
{
	const char *identity = account_identity(account);
	char *fix, *word = shell_word(sender);

	if (is_of_microsoft(account, reply))
		fix = xasprintf("grant Send As in Exchange Online PowerShell "
		                "(Add-RecipientPermission %s -AccessRights "
		                "SendAs -Trustee %s), wait until it holds, "
		                "then change `senders` of the account and "
		                "reload lanpost", word, identity);
	else
		fix = xstrdup("allow this sender for the account at the "
		              "provider (Send As, a verified address or "
		              "domain), then change `senders` of the account "
		              "and reload lanpost");
	log_event(LOG_WARN, EVENT_WARNING, F_STR("account", account->name),
	          F_STR("from", sender), F_STR("sent_as", identity),
	          F_STR("reply", reply), F_STR("reason", "sender-refused"),
	          F_STR("text", "the provider refuses this sender, so its mail "
	                        "goes out as the account itself from now on"),
	          F_STR("fix", fix));
	free(word);
	free(fix);
}

void refused_learn(struct refused *refused,
                   const struct account_config *account, const char *sender,
                   const char *reply)
{
	struct refused_sender known = { .since_ms = wall_now_ms() };
	char fingerprint[FINGERPRINT_TEXT], *c;

	if (find(refused, account->name, sender) != NULL)
		return;
	print_fingerprint(account, fingerprint);
	known.account = xstrdup(account->name);
	known.sender = xstrdup(sender);
	known.fingerprint = xstrdup(fingerprint);
	known.reply = xstrdup(reply);
	for (c = known.sender; *c != '\0'; c++)
		*c = lower(*c);
	if (!is_up_to_date(refused, &known)) {
		refused_sender_clear(&known);
		return;
	}
	save(add(refused, &known));
	say(account, sender, reply);
}

/* ---- life ---- */

struct refused *refused_new(struct services *services)
{
	struct refused *refused = xcalloc(1, sizeof *refused);
	struct refused_sender *known;
	size_t n;

	refused->services = services;
	TAILQ_INIT(&refused->by_age);
	known = store_take_refused(services->store, &n);
	while (n-- > 0)
		add(refused, &known[n]);
	free(known);
	refused_review(refused);
	return refused;
}

void refused_free(struct refused **refused)
{
	if (*refused == NULL)
		return;
	while (!TAILQ_EMPTY(&(*refused)->by_age))
		forget(TAILQ_FIRST(&(*refused)->by_age));
	free(*refused);
	*refused = NULL;
}
