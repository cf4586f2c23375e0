/*
 * mailbox -- addresses inside From, Sender, Reply-To (RFC 5322 3.4).
 *
 *     mailbox = [ phrase ] "<" addr-spec ">"  /  addr-spec
 *
 * Reads the first mailbox of a list, comments and quoted strings understood,
 * in linear time whatever is nested how deep.  Writes one back so that nothing
 * in the name can become another address or another field.
 */
#ifndef PROTO_MAILBOX_H
#define PROTO_MAILBOX_H

#include "proto/buf.h"

struct mailbox {
	struct buf name;    /* display name, unquoted, encoded words as they are;
	                       of "j@x (John)" the comment */
	struct buf address; /* addr-spec without comments or spaces */
	unsigned count;     /* mailboxes in the list; 0: none could be read */
};

void mailbox_init(struct mailbox *mailbox);
void mailbox_free(struct mailbox *mailbox);
/* value: an unfolded or folded field value.  False when no address could be
 * read; the name may still hold what looked like one.  Semicolons separate
 * like commas. */
bool mailbox_parse(struct mailbox *mailbox, struct text value);
/* The next mailbox that can be read of those in *rest, which moves behind it;
 * false at the end. */
bool mailbox_next(struct mailbox *mailbox, struct text *rest);

/* "Name <address>", the name as phrase.h writes it; control characters are
 * left out.  One line, without its end, that fits a header line (RFC 5322
 * 2.1.1): of the name at most 700 octets are written, never a part of a
 * character or an encoded word.  Without a name, the address alone. */
void mailbox_print(struct buf *out, struct text name, struct text address);

#endif
