/*
 * provider -- what all sessions of the practice provider share.
 */
#ifndef TESTS_PROVIDER_PROVIDER_H
#define TESTS_PROVIDER_PROVIDER_H

#include "relay/net/stream.h"
#include "tests/provider/mailbox.h"
#include "tests/provider/options.h"
#include "tests/provider/script.h"

#define PROVIDER_HOSTNAME "practice.example"

struct session;

struct provider {
	struct options options;
	struct loop *loop;
	struct tls_context *tls;       /* NULL: --tls none */
	char *own_cert, *own_key;      /* paths of those it made, or NULL */
	struct script *script;         /* NULL: behave */
	struct script *retired[16];    /* sessions may still point into them */
	unsigned retired_count;
	struct mailbox mailbox;
	struct session *sessions;
	struct {
		uint64_t connections, logins, transactions, messages, octets;
	} counts;
};

#endif
