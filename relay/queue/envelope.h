/*
 * envelope -- a message without its body: who sends what to whom, what was
 * learnt of it at acceptance, and what became of each recipient.
 *
 * One is made by the session at MAIL, filled until the end of data, committed
 * by the store, and owned by the queue from then on.  Times are wall clock,
 * milliseconds since 1970.  Strings belong to the envelope; none holds a
 * control character.
 */
#ifndef RELAY_QUEUE_ENVELOPE_H
#define RELAY_QUEUE_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "proto/text.h"

#define RECIPIENT_STATE_MAP(X)                                  \
	X(QUEUED,    "queued")    /* to be tried, or again */   \
	X(DELIVERED, "delivered") /* the provider said 250 */   \
	X(FAILED,    "failed")    /* refused for good, or expired */

enum recipient_state {
#define X(name, text) RECIPIENT_##name,
	RECIPIENT_STATE_MAP(X)
#undef X
};
const char *recipient_state_name(enum recipient_state state);

struct recipient {
	char *address;
	enum recipient_state state;
	char *reply;      /* the provider's last words, or ours; NULL: none */
	char *reason;     /* what they mean, a catalogue id, or NULL */
	int64_t finished_ms; /* 0 while queued */
	unsigned tried;   /* in which attempt last; 0: not since the start */
};

#define MESSAGE_STATE_MAP(X)                                             \
	X(QUEUED,    "queued")    /* at least one recipient is queued */ \
	X(DELIVERED, "delivered") /* every recipient is */               \
	X(FAILED,    "failed")    /* finished, at least one failed */    \
	X(HELD,      "held")      /* by the operator */                  \
	X(DELETED,   "deleted")   /* likewise */                         \
	X(REFUSED,   "refused")   /* the device was told so in time, by
	                             verdict_wait: it has the message */

enum message_state {
#define X(name, text) MESSAGE_##name,
	MESSAGE_STATE_MAP(X)
#undef X
};
const char *message_state_name(enum message_state state);

/* The notice about a message that failed (RFC 3464). */
enum notice_state {
	NOTICE_NONE,      /* nobody has to hear of it */
	NOTICE_DUE,       /* to be written; survives a crash */
	NOTICE_MADE,      /* written, or counted in a digest */
};

/* Milliseconds and chance in 64 bits: ids sort by age and are never reused,
 * not even after the clock went back. */
typedef uint64_t message_id;
enum { MESSAGE_ID_TEXT = 14 }; /* 13 characters of base32 and NUL */

message_id message_id_new(int64_t now_ms, uint32_t random);
/* An id that exists already: later ones will be above it.  The store says so
 * of its newest when it opens. */
void message_id_seen(message_id id);
int64_t message_id_time_ms(message_id id);
/* No id that is made then or later is smaller. */
message_id message_id_oldest_of(int64_t ms);
const char *message_id_print(message_id id, char out[MESSAGE_ID_TEXT]);
/* In any case; O counts as 0, I and L as 1. */
bool message_id_parse(struct text text, message_id *id_r);

struct envelope {
	message_id id;
	enum message_state state;
	char *client;        /* address of the device */
	char *device;        /* its name in the configuration, or NULL */
	char *listener;      /* its section's name */
	char *helo;
	char *reverse_path;  /* as given; "" for the null path */
	char *header_from;   /* address in From, or NULL */
	char *subject;       /* unfolded, at most 200 octets, or NULL */
	char *header_id;     /* Message-ID, the device's or ours */
	char *account;       /* that is to send it */
	char *rule;          /* that chose it, or NULL: none matched */
	char *content;       /* what the body needs before it may go out, a
	                        mime_plan as text (proto/mime_plan.h), or NULL:
	                        nothing */
	int64_t received_ms, expires_ms;
	int64_t next_attempt_ms; /* not before; 0: now */
	int64_t finished_ms;     /* 0 while queued */
	unsigned attempts;
	char *reason;        /* of the last failure, a catalogue id, or NULL */
	uint64_t size;       /* octets of the stored message */
	uint32_t header_size; /* of its header section, the empty line too */
	uint32_t checksum;   /* CRC-32 of the stored message */
	bool has_8bit;       /* the body as stored; the header never is */
	bool body_in_file;   /* else in the database */
	bool is_notice;      /* one of ours: there is no notice about it */
	bool is_digest;      /* a notice that tells of many */
	enum notice_state notice;
	struct recipient *recipients;
	size_t n_recipients;
};

struct envelope *envelope_new(void);
void envelope_free(struct envelope **envelope);
/* Another message with the same facts and body: its own id (chance: random),
 * no account, rule or recipient yet. */
struct envelope *envelope_sibling(const struct envelope *envelope,
                                  uint32_t random);
/* The new recipient, QUEUED. */
struct recipient *envelope_add_recipient(struct envelope *envelope,
                                         struct text address);
void envelope_drop_recipients(struct envelope *envelope);
size_t envelope_count(const struct envelope *envelope,
                      enum recipient_state state);
/* An attempt at a message to many may go in parts: whose turn it is in that
 * which is next or under way. */
enum recipient_turn {
	TURN_FIRST,  /* who has never been tried */
	TURN_AGAIN,  /* who has not been tried in this attempt */
	TURN_OVER,   /* who has been */
	TURN_NONE    /* who is not queued */
};
enum recipient_turn envelope_turn(const struct envelope *envelope,
                                  size_t recipient);
/* "a@x,b@y" of those in this state, at most max octets and then "and 7 more". */
char *envelope_recipient_list(const struct envelope *envelope,
                              enum recipient_state state, size_t max);

#endif
