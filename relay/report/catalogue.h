/*
 * catalogue -- what providers' words mean: the known failures as data, from
 * conf/catalogue.ini (compiled in) and from a user's own files.
 *
 * The sentence decides, not only the code: 535 5.7.139 alone has nine
 * meanings.  Among the entries whose words are found in the text, those of the
 * account's provider go before those of others, then the longest words win,
 * then code, enhanced status code and stage; what nobody has seen before gets
 * the sound answer of its class.  The head of conf/catalogue.ini tells the
 * format and the order in full.
 *
 *     catalogue_load -> catalogue_find or catalogue_by_id -> catalogue_unref
 *
 * A catalogue is read-only and shared by reference; entries and their strings
 * live as long as it.  Pure but for reading the user's files.
 */
#ifndef RELAY_REPORT_CATALOGUE_H
#define RELAY_REPORT_CATALOGUE_H

#include <stdbool.h>
#include <stdint.h>
#include "proto/buf.h"
#include "proto/smtp_client.h"
#include "proto/smtp_reply.h"

/* What is done about a failure; the names are those of the file, and of
 * `disposition` in JSON.  outbound/disposition.h turns them into actions. */
#define CATALOGUE_DISPOSITION_MAP(X)                                        \
	X(NONE, "none")                       /* it is no failure */        \
	X(RETRY, "retry-later")               /* this message */            \
	X(THROTTLE, "throttle")               /* the account rests */       \
	X(PAUSE, "pause-account")             /* until it is mended */      \
	X(REJECT, "reject-message")           /* for good */                \
	X(REJECT_RECIPIENT, "reject-recipient")                             \
	X(REWRITE, "rewrite-sender-and-retry") /* as the account itself */  \
	X(CONFIG, "config-error")             /* until settings change */

enum catalogue_disposition {
#define X(name, text) CATALOGUE_##name,
	CATALOGUE_DISPOSITION_MAP(X)
#undef X
};

/* Where it happened; ANY: not known. */
#define CATALOGUE_STAGE_MAP(X)                                              \
	X(ANY, "any") X(CONNECT, "connect") X(GREETING, "greeting")         \
	X(EHLO, "ehlo") X(STARTTLS, "starttls") X(TLS, "tls")               \
	X(AUTH, "auth") X(MAIL, "mail") X(RCPT, "rcpt") X(DATA, "data")     \
	X(DATA_END, "data-end") X(TOKEN, "token") X(GRAPH, "graph")

enum catalogue_stage {
#define X(name, text) CATALOGUE_STAGE_##name,
	CATALOGUE_STAGE_MAP(X)
#undef X
};

struct catalogue;
struct providers;

struct catalogue_entry {
	const char *id;           /* "m365-smtp-auth-disabled-tenant" */
	const char *title;        /* at most 64 octets, without a full stop */
	const char *explanation;
	const char *fix;          /* ACCOUNT, ADDRESS: words to be filled in */
	const char *page;         /* or NULL */
	enum catalogue_disposition disposition;
	int64_t wait_ms;          /* 0: as the disposition has it */
};

enum { CATALOGUE_LOCAL = -1 }; /* a code: no reply, our words or the system's */

struct catalogue_query {
	const char *provider;     /* a preset's name, or NULL */
	enum catalogue_stage stage;
	int code;                 /* of a reply or HTTP; 0: not known, 4 or 5:
	                             only its class is */
	struct smtp_status status;
	struct text text;         /* lines by '\n' or as on the wire */
};

/* folder: of the user's *.ini files, read in the order of their names; NULL or
 * missing: none.  providers: the presets that entries may name; NULL: those
 * that are compiled in.  NULL with "FILE:LINE: what, and what to do" in *error_r,
 * which the caller frees. */
struct catalogue *catalogue_load(const char *folder,
                                 const struct providers *providers,
                                 char **error_r);
struct catalogue *catalogue_ref(struct catalogue *catalogue);
void catalogue_unref(struct catalogue **catalogue);
/* How many entries are the user's. */
size_t catalogue_count_own(const struct catalogue *catalogue);

/* By its words alone; NULL: nobody knows them. */
const struct catalogue_entry *
catalogue_match(const struct catalogue *catalogue,
                const struct catalogue_query *query);
/* By its words, else the answer of its class.  Never NULL: the entry "unknown"
 * at the worst. */
const struct catalogue_entry *
catalogue_find(const struct catalogue *catalogue,
               const struct catalogue_query *query);
/* Does the entry name this very code, not only its class? */
bool catalogue_names_code(const struct catalogue_entry *entry, int code);
/* The preset that alone the entry is about; NULL: it is about several, or
 * about any. */
const char *catalogue_provider(const struct catalogue_entry *entry);
/* The words of pattern i of an entry, folded as they are compared; false behind
 * the last. */
bool catalogue_pattern(const struct catalogue_entry *entry, size_t i,
                       struct text *pattern_r);
/* NULL: no such id. */
const struct catalogue_entry *catalogue_by_id(const struct catalogue *catalogue,
                                              const char *id);
const struct catalogue_entry *catalogue_at(const struct catalogue *catalogue,
                                           size_t index); /* NULL: the end */

/* What somebody pasted, as a query: "535-5.7.139 ...", several lines, a line of
 * the log with reply="...", "HTTP 401 {...}", words alone.  text of the query
 * points into buf.  False: it is empty. */
bool catalogue_query_parse(struct text pasted, struct buf *buf,
                           struct catalogue_query *query_r);

const char *catalogue_disposition_name(enum catalogue_disposition disposition);
enum catalogue_stage catalogue_stage_find(struct text name); /* ANY: no such */
enum catalogue_stage catalogue_stage_of(enum smtp_stage stage);
/* The fix with ACCOUNT and ADDRESS filled in where they are known (not NULL). */
void catalogue_print_fix(struct buf *out, const struct catalogue_entry *entry,
                         const char *account, const char *address);
/* The same for a fix that has left its entry. */
void catalogue_fill_fix(struct buf *out, const char *fix, const char *account,
                        const char *address);

#endif
