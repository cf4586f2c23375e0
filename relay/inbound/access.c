#include "relay/inbound/access.h"

static bool names(const struct network_list *list,
                  const struct address *client)
{
	size_t i;

	for (i = 0; i < list->n; i++) {
		if (network_contains(&list->networks[i], client))
			return true;
	}
	return false;
}

static bool contains(const struct network_list *list,
                     const struct address *client)
{
	return (list->private && address_is_private(client)) ||
	       names(list, client);
}

enum access_verdict access_check(const struct listener_config *listener,
                                 const struct address *client)
{
	if (contains(&listener->deny, client))
		return ACCESS_DENIED;
	return contains(&listener->allow, client) ? ACCESS_ALLOWED
	                                          : ACCESS_NOT_ALLOWED;
}

static bool is_gateway(const struct gateways *gateways,
                       const struct address *client)
{
	size_t i;

	for (i = 0; i < gateways->n; i++) {
		if (address_same_host(&gateways->addresses[i], client))
			return true;
	}
	return false;
}

enum access_verdict access_check_behind(const struct listener_config *listener,
                                        const struct address *client,
                                        const struct gateways *gateways)
{
	enum access_verdict verdict = access_check(listener, client);

	if (verdict == ACCESS_ALLOWED && is_gateway(gateways, client) &&
	    !names(&listener->allow, client))
		return ACCESS_GATEWAY;
	return verdict;
}
