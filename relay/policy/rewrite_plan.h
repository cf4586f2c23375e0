/*
 * rewrite_plan -- private to rewrite: what stands in a header section, and so
 * what becomes of its fields.
 */
#ifndef RELAY_POLICY_REWRITE_PLAN_H
#define RELAY_POLICY_REWRITE_PLAN_H

#include "proto/mailbox.h"
#include "proto/rfc5322.h"
#include "relay/policy/rewrite.h"

/* Fields that do not simply go on as they are, by what is done with them. */
enum field_kind {
	FIELD_OTHER, FIELD_HIDDEN, FIELD_FROM, FIELD_SENDER, FIELD_REPLY_TO,
	FIELD_RECEIPT, FIELD_SIGNATURE
};

enum field_kind field_kind_of(const struct rfc5322_field *field);
/* A reader of the whole section. */
void section_begin(struct rfc5322 *reader, struct text header);

/* The fields of one kind.  The first that can be read speaks for them. */
struct seen {
	struct mailbox mailbox;
	unsigned fields;
	unsigned place;          /* of the one read among them, from 1 */
};

struct found {
	struct seen from, sender, reply_to;
	struct buf from_value;
};

struct plan {
	const struct rewrite *rewrite;
	struct found found;
	struct text from;        /* what is to be its only address; "": it stays */
	bool writes_from;
	bool moves;              /* From becomes another's: answers and receipts
	                            would go astray */
	bool keeps_sender, keeps_reply_to;
	const char *sender;      /* to be written, or NULL */
	bool writes_reply_to;
	bool keeps_signatures;
};

void plan_make(struct plan *plan, struct text header,
               const struct rewrite *rewrite);
void plan_free(struct plan *plan);

/* Can it be answered from outside?  A bare host, .local or .lan cannot. */
bool address_is_answerable(struct text address);

#endif
