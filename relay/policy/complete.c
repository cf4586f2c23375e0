#include "relay/policy/complete.h"

#include "proto/smtp_path.h"
#include "proto/xalloc.h"

bool address_lacks_domain(struct text address)
{
	struct smtp_path path;
	const char *error;
	struct text rest;

	return smtp_path_parse(address, &path, &rest, &error) &&
	       path.repairs == SMTP_PATH_REPAIR(BRACKETS) && rest.len == 0 &&
	       smtp_path_domain(&path).len == 0;
}

char *address_complete(struct text address, struct text domain)
{
	if (domain.len == 0 || !address_lacks_domain(address))
		return NULL;
	return xasprintf("%.*s@%.*s", TEXT_ARG(address), TEXT_ARG(domain));
}
