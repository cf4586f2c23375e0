/*
 * mailbox -- where accepted messages go: files, a journal, or nowhere.
 *
 * A message is written to DIR/tmp/NNN.eml as it arrives.  Taking it writes
 * DIR/new/NNN.json, moves the message beside it, and appends to the journal,
 * in this order: whoever finds the .eml finds its envelope, and what stands in
 * the journal was taken.
 */
#ifndef TESTS_PROVIDER_MAILBOX_H
#define TESTS_PROVIDER_MAILBOX_H

#include <stdio.h>
#include "proto/rfc5322.h"
#include "tests/provider/options.h"

struct mailbox {
	const char *dir;      /* NULL: keep no messages */
	int journal;          /* -1: none */
	uint64_t last;        /* number given to a message */
};

struct envelope {
	struct buf sender, recipients; /* recipients: one a line */
	const char *user, *helo, *client, *tls_version, *tls_cipher;
	uint64_t octets;
};

struct incoming {
	struct mailbox *mailbox;
	uint64_t number;
	FILE *file;
	bool open, reading_header;
	struct rfc5322 header;
	char message_id[300], token[300];
};

/* False with the reason on standard error. */
bool mailbox_open(struct mailbox *mailbox, const struct options *options);
void mailbox_close(struct mailbox *mailbox);

void incoming_begin(struct incoming *incoming, struct mailbox *mailbox);
void incoming_write(struct incoming *incoming, struct text chunk);
void incoming_drop(struct incoming *incoming);
/* False when it could not be stored. */
bool incoming_take(struct incoming *incoming, const struct envelope *envelope);

#endif
