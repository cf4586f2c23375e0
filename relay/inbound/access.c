#include "relay/inbound/access.h"

static bool contains(const struct network_list *list,
                     const struct address *client)
{
	size_t i;

	if (list->private && address_is_private(client))
		return true;
	for (i = 0; i < list->n; i++) {
		if (network_contains(&list->networks[i], client))
			return true;
	}
	return false;
}

enum access_verdict access_check(const struct listener_config *listener,
                                 const struct address *client)
{
	if (contains(&listener->deny, client))
		return ACCESS_DENIED;
	return contains(&listener->allow, client) ? ACCESS_ALLOWED
	                                          : ACCESS_NOT_ALLOWED;
}
