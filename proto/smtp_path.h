/*
 * smtp_path -- the reverse-path of MAIL and the forward-path of RCPT.
 *
 * Parsing is kind where no second reading of the bytes can arise: a space
 * after the colon, missing angle brackets, spaces inside them, a source route
 * (dropped, RFC 5321 appendix C), a dot behind the domain, one address among
 * other words (a phrase, brackets in brackets, comments, quotes).  What was
 * forgiven is reported in repairs, so that the log can say it once a message.
 * A quoted local part stays one unit; '%' and '!' mean nothing.
 *
 *     RFC 5321 4.1.2:  Path = "<" [ A-d-l ":" ] Mailbox ">"
 */
#ifndef PROTO_SMTP_PATH_H
#define PROTO_SMTP_PATH_H

#include "proto/text.h"

#define SMTP_PATH_REPAIR_MAP(X)                                   \
	X(SPACE, "space around the address")                      \
	X(BRACKETS, "address without angle brackets")             \
	X(ROUTE, "source route dropped")                          \
	X(DOT, "dot after the domain dropped")                    \
	X(WORDS, "address taken out of other words")              \
	X(LOCAL_DOT, "dot out of place before the @ sign")

enum smtp_path_repair {
#define X(name, text) SMTP_PATH_REPAIR_BIT_##name,
	SMTP_PATH_REPAIR_MAP(X)
#undef X
	SMTP_PATH_REPAIRS
};
#define SMTP_PATH_REPAIR(name) (1u << SMTP_PATH_REPAIR_BIT_##name)
const char *smtp_path_repair_text(enum smtp_path_repair repair);

/* Limits of RFC 5321 4.5.3.1. */
enum { SMTP_LOCAL_MAX = 64, SMTP_DOMAIN_MAX = 255, SMTP_PATH_MAX = 256 };

/* The address as written inside the brackets; empty: the null path "<>".
 * Without a domain ("postmaster", "root") at equals address.len. */
struct smtp_path {
	struct text address;
	size_t at;        /* where '@' stands */
	unsigned repairs; /* SMTP_PATH_REPAIR() bits */
};

/* Read a path from what follows "FROM:" or "TO:".  rest_r is what follows it:
 * the ESMTP parameters.  Views point into arg.  Returns false with a sentence
 * in *error_r when it is not a path.
 *
 * LOCAL_DOT ("scan.@b", "a..b@c") is told and not mended: devices have such a
 * sender, which can be replaced; mail to such a recipient would come back. */
bool smtp_path_parse(struct text arg, struct smtp_path *path_r,
                     struct text *rest_r, const char **error_r);

/* Several recipients in one RCPT, as some programs send them: separated by
 * ',' or ';' outside of quoted strings and comments, each in its own brackets,
 * all in one pair, or in none.  Empty ones are passed over. */
struct smtp_path_list {
	struct text rest; /* not taken yet */
	bool bracketed;   /* all in one pair */
};

/* For an arg that smtp_path_parse() does not take whole.  False: no list. */
bool smtp_path_list_parse(struct text arg, struct smtp_path_list *list_r,
                          struct text *rest_r);
/* Take the next one.  False at the end, *error_r NULL, or at a broken one. */
bool smtp_path_list_next(struct smtp_path_list *list, struct smtp_path *path_r,
                         const char **error_r);

/* As smtp_path_parse(), for a bare address from configuration or a header: no brackets,
 * nothing forgiven, a domain required. */
bool smtp_address_parse(struct text address, struct smtp_path *path_r);

struct text smtp_path_local(const struct smtp_path *path);
struct text smtp_path_domain(const struct smtp_path *path); /* may be empty */
bool smtp_path_is_null(const struct smtp_path *path);
bool smtp_path_is_postmaster(const struct smtp_path *path); /* no domain */
/* Local parts to the letter, domains ignoring case. */
bool smtp_path_equal(const struct smtp_path *a, const struct smtp_path *b);

#endif
