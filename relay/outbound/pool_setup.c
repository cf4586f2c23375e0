#include "relay/outbound/pool_internal.h"

#include <stdlib.h>

#include "proto/xalloc.h"
#include "relay/net/tls_context.h"

static const char *no_such_account = "the account is gone from the "
				     "configuration";

static bool make_tls(const struct account_config *account,
                     struct tls_context **tls_r, const char **error_r)
{
	struct tls_client_settings settings = {
		.ca_file = account->tls_ca_file,
		.fingerprint = account->tls_fingerprint,
		.min_version = account->tls_min,
	};

	*tls_r = NULL;
	if (account->tls != SMTP_TLS_NONE)
		*tls_r = tls_context_client(&settings, error_r);
	return account->tls == SMTP_TLS_NONE || *tls_r != NULL;
}

struct setup *setup_new(struct config *config, const char *name,
                        const char **error_r)
{
	const struct account_config *account = config_account(config, name);
	struct setup *setup;
	struct tls_context *tls;

	if (account == NULL) {
		*error_r = no_such_account;
		return NULL;
	}
	if (!make_tls(account, &tls, error_r))
		return NULL;
	setup = xcalloc(1, sizeof *setup);
	*setup = (struct setup){ config_ref(config), account, tls, 1 };
	return setup;
}

struct setup *setup_ref(struct setup *setup)
{
	setup->refs++;
	return setup;
}

void setup_unref(struct setup **setup)
{
	if (*setup != NULL && --(*setup)->refs == 0) {
		config_unref(&(*setup)->config);
		tls_context_unref(&(*setup)->tls);
		free(*setup);
	}
	*setup = NULL;
}
