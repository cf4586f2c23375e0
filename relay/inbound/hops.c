#include "relay/inbound/hops.h"

#include <string.h>

#include "relay/queue/envelope.h"

enum { TRACE_MAX = 2000 }; /* octets of a field that are looked at */

static bool skip_word(struct text *rest, const char *word)
{
	if (!text_starts(*rest, word))
		return false;
	*rest = text_skip(*rest, strlen(word));
	return true;
}

/* " with PROTOCOL id ID" and then what is not of an ID */
static bool ends_as_ours(struct text rest)
{
	struct text protocol;
	message_id id;

	if (!skip_word(&rest, " (lanpost) with ") ||
	    !text_token(&rest, ' ', &protocol) || !skip_word(&rest, "id ") ||
	    rest.len < MESSAGE_ID_TEXT - 1)
		return false;
	rest.len = MESSAGE_ID_TEXT - 1;
	return message_id_parse(rest, &id);
}

static bool is_ours(struct text line, const char *hostname)
{
	ptrdiff_t at;

	while ((at = text_find_nocase(line, text_of(" by "))) >= 0) {
		struct text rest = line = text_skip(line, (size_t)at + 4);

		if (skip_word(&rest, hostname) && ends_as_ours(rest))
			return true;
	}
	return false;
}

void hops_count(struct hops *hops, const struct rfc5322_field *field,
                const char *hostname)
{
	struct buf line = BUF_INIT(TRACE_MAX);

	if (!rfc5322_field_is(field, "Received"))
		return;
	hops->all++;
	if (field->value.len < TRACE_MAX) {
		rfc5322_unfold(&line, field->value);
		hops->ours += is_ours(buf_text(&line), hostname);
	}
	buf_free(&line);
}

const char *hops_error(const struct hops *hops)
{
	if (hops->ours > HOPS_OURS_MAX)
		return "Mail loop: this message has been here twice already. "
		       "The provider, or a forwarding of the recipient, sends "
		       "back to lanpost what lanpost sends; end that";
	if (hops->all > HOPS_MAX)
		return "Mail loop: this message has been through more than "
		       "100 servers. Its Received fields show which ones send "
		       "it to each other; end that";
	return NULL;
}
