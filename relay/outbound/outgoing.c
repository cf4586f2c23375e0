#include "relay/outbound/outgoing.h"

/* Four times a body that is kept in memory, and all that headers of parts may
 * become. */
enum { MENDED_MAX = 16 * 1024 * 1024 };

void outgoing_plan(struct outgoing *outgoing, const struct envelope *envelope,
		   struct text header, struct smtp_transaction *transaction)
{
	const char *plan = envelope->content;

	if (plan != NULL && mime_header_is_signed(header))
		plan = NULL;
	outgoing->plan = plan;
	transaction->has_8bit =
		envelope->has_8bit && mime_plan_keeps_8bit(plan);
	transaction->can_7bit = mime_plan_can_7bit(plan);
	transaction->size = header.len + envelope->size - envelope->header_size;
	transaction->size_is_least = mime_plan_applies(plan, false);
}

void outgoing_begin(struct outgoing *outgoing,
		    const struct smtp_transaction *transaction, bool takes_8bit)
{
	bool to_7bit = transaction->has_8bit && !takes_8bit;

	buf_init(&outgoing->mended, MENDED_MAX);
	if (mime_plan_applies(outgoing->plan, to_7bit))
		outgoing->convert = mime_convert_new(outgoing->plan, to_7bit);
}

static bool finish(struct outgoing *outgoing, bool last)
{
	return !last ||
	       mime_convert_finish(outgoing->convert, &outgoing->mended);
}

bool outgoing_header(struct outgoing *outgoing, struct text *header, bool last)
{
	bool is_done;

	if (outgoing->convert == NULL)
		return true;
	is_done = mime_convert_header(outgoing->convert, *header,
				      &outgoing->mended) &&
		  finish(outgoing, last);
	*header = buf_text(&outgoing->mended);
	return is_done;
}

bool outgoing_body(struct outgoing *outgoing, struct text *piece, bool last)
{
	bool is_done;

	if (outgoing->convert == NULL)
		return true;
	buf_clear(&outgoing->mended);
	is_done = mime_convert_body(outgoing->convert, *piece,
				    &outgoing->mended) &&
		  finish(outgoing, last);
	*piece = buf_text(&outgoing->mended);
	return is_done;
}

void outgoing_free(struct outgoing *outgoing)
{
	mime_convert_free(&outgoing->convert);
	buf_free(&outgoing->mended);
}
