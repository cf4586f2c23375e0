/*
 * store_notice -- what the store knows for notices: who has still to hear of
 * which failures, and what has been sent lately; and the telling, in one
 * transaction with the notice itself, so that a crash neither loses nor doubles
 * one.
 *
 *     news -> (case) -> tell
 *     news -> digest -> tell
 *
 * A message is due (NOTICE_DUE) until the newest failure among its recipients
 * has been told of; told_ms is how far that is.  However many are due, what is
 * loaded is bounded.
 */
#ifndef RELAY_QUEUE_STORE_NOTICE_H
#define RELAY_QUEUE_STORE_NOTICE_H

#include "relay/queue/store.h"

/* A message that is due, and its last attempt. */
struct notice_case {
	struct envelope *envelope;
	int64_t told_ms;       /* recipients that failed later are untold */
	int64_t attempt_ms;    /* 0: none was made */
	char *account, *host;  /* that it was made by and with, or NULL */
	char *reason;          /* of its failure, or NULL */
};
void notice_case_clear(struct notice_case *one);
bool notice_case_is_untold(const struct notice_case *one,
                           const struct recipient *recipient);
/* When the newest of them failed; 0: there is none. */
int64_t notice_case_untold_ms(const struct notice_case *one);

enum { NOTICES_COUNTED_MAX = 64 }; /* further ones make no difference */

struct notice_news {
	size_t n_due;          /* messages */
	int64_t due_since_ms;  /* when the first of them finished; 0: none has */
	size_t n_made;         /* notices of the time asked about, no digests */
	int64_t first_made_ms; /* of these; 0: none */
	int64_t digest_ms;     /* of the last digest in that time; 0: none */
	bool has_next;
	struct notice_case next; /* the one that has been due for longest */
};
/* news, but for next, is valid during the call; next belongs to the callee.
 * made_since_ms: an hour ago; what was made two hours later than that was made
 * by a clock that was ahead, and is left out. */
typedef void (*store_news_cb)(void *ctx, const struct notice_news *news,
                              const char *error);
void store_notice_news(struct store *store, int64_t made_since_ms,
                       store_news_cb done, void *ctx);

/* All that is due and finished until then. */
struct notice_digest {
	int64_t until_ms;
	char *sender;          /* of this sender only; NULL: of all */
	size_t n;              /* messages */
	struct notice_reason {
		char *reason;  /* NULL: none is known */
		size_t n;
	} *reasons;            /* the most frequent first */
	size_t n_reasons;
	struct notice_case *cases; /* the oldest */
	size_t n_cases;
};
enum { DIGEST_REASONS_MAX = 20 };
/* digest is valid during the call. */
typedef void (*store_digest_cb)(void *ctx, const struct notice_digest *digest,
                                const char *error);
void store_notice_digest(struct store *store, int64_t until_ms,
                         const char *sender, size_t n_cases,
                         store_digest_cb done, void *ctx);

/* What a notice tells of: a message, or n messages that are due and finished
 * until then (of this sender). */
struct notice_told {
	message_id id;         /* 0: those of a digest */
	int64_t until_ms;
	const char *sender;
	size_t n;              /* 0 without an id: nothing that is stored */
};
/* The notice is accepted as by store_accept() and told is done, both or
 * neither; done comes with an error, too, when what is due has changed
 * meanwhile. */
void store_notice(struct store *store, struct envelope *const *notice,
                  const struct body *body, const struct notice_told *told,
                  store_done_cb done, void *ctx);
/* There is nobody to be told. */
void store_notice_skip(struct store *store, const struct notice_told *told,
                       store_done_cb done, void *ctx);

#endif
