#include "relay/config/value_kind.h"

#include <string.h>
#include "proto/xalloc.h"
#include "relay/net/url.h"

/* Where it goes is known for an address alone; a name is looked at when it is
 * used (net/webhook.h). */
static bool is_public(const char *host)
{
	struct address address;

	return address_parse(text_of(host), &address) &&
	       !address_is_private(&address);
}

/* It may hold a secret: it is not quoted. */
static bool check(const char *text, struct buf *why)
{
	struct url url;
	bool good = url_parse(text, &url);

	if (!good) {
		buf_puts(why, "the value is no URL; write it like "
			      "https://hooks.example.com/services/...");
		return false;
	}
	if (!url.https && is_public(url.host)) {
		buf_printf(why,
			   "%s has a public address, and http:// would send "
			   "alerts in the clear; write https://",
			   url.origin);
		good = false;
	}
	url_clear(&url);
	return good;
}

bool value_parse_url(const struct value_kind *kind, struct text text,
		     void *field, struct buf *why)
{
	char *string = text_dup(text);
	bool good = memchr(text.data, '\0', text.len) == NULL &&
		    check(string, why) &&
		    value_parse_text(kind, text, field, why);

	xfree_secret(&string);
	return good;
}

void value_print_url(const struct value_kind *kind, const void *field,
		     struct buf *out)
{
	const char *text = *(char *const *)field;
	struct url url;

	(void)kind;
	if (!text || !url_parse(text, &url))
		return;
	buf_puts(out, url.origin);
	if (!url.is_whole)
		buf_puts(out, "/********");
	url_clear(&url);
}
