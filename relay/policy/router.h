/*
 * router -- which rule is for a message, and so which account sends it.
 *
 * The rules are read in file order; the first that matches in all it names
 * (client, listener, from, header_from, to) decides.  Without one the first
 * account sends, under its sender_policy.  The decision is made for each
 * recipient on its own: recipients with different rules become messages of
 * their own, each with its account (inbound/transaction.c).
 *
 * It can be asked early.  At MAIL no recipient is known, and until the header
 * has been read no From: a rule that hangs on what is not known yet leaves the
 * decision OPEN, unless an earlier one has decided already.
 *
 * Pure: configuration and facts in, a decision with its reason out.
 */
#ifndef RELAY_POLICY_ROUTER_H
#define RELAY_POLICY_ROUTER_H

#include "proto/buf.h"
#include "relay/config/config.h"

struct route_query {
	const struct address *client;
	const struct device_config *device; /* NULL: it has no name */
	const char *listener;     /* name */
	const char *from;         /* reverse-path, "" for the null path; NULL:
	                             not known yet */
	const char *to;           /* recipient as given; NULL: not known yet */
	bool header_known;
	const char *header_from;  /* address; NULL: none could be read */
};

struct route {
	bool open;                /* the rest of what is asked is needed */
	const struct rule_config *rule;       /* NULL: no rule matched */
	const struct account_config *account; /* NULL while open */
};

/* What one rule says by itself. */
enum rule_match { RULE_FAILS, RULE_OPEN, RULE_MATCHES };
enum rule_match rule_match(const struct rule_config *rule,
                           const struct route_query *query);

struct route router_choose(const struct config *config,
                           const struct route_query *query);

/* Why, in a line: "rule scanners, line 12: client 10.0.0.9 is in 10.0.0.0/24,
 * from a@b matches *@b"; "no rule matches: the first account". */
void route_explain(struct buf *out, const struct route *route,
                   const struct route_query *query);

/* The account a rule names, else the first. */
const struct account_config *rule_account(const struct config *config,
                                          const struct rule_config *rule);

/* What becomes of a recipient by the rule (NULL: none): to_rewrite, else
 * add_domain where it has no domain (for the bare name postmaster the domain
 * of the account's identity serves too), and to_rewrite of what that gives.  A
 * new string, or NULL when the address stays. */
char *rule_recipient(const struct rule_config *rule,
                     const struct account_config *account,
                     struct text address);

/* The earlier rule because of which this one can never match; NULL: none is
 * known.  For `check`. */
const struct rule_config *rule_shadow(const struct config *config,
                                      const struct rule_config *rule);

#endif
