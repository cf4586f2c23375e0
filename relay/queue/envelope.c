#include "relay/queue/envelope.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include "proto/buf.h"
#include "proto/xalloc.h"

/* --- names -------------------------------------------------------------- */

const char *recipient_state_name(enum recipient_state state)
{
	static const char *const names[] = {
#define X(name, text) [RECIPIENT_##name] = text,
		RECIPIENT_STATE_MAP(X)
#undef X
	};
	return names[state];
}

const char *message_state_name(enum message_state state)
{
	static const char *const names[] = {
#define X(name, text) [MESSAGE_##name] = text,
		MESSAGE_STATE_MAP(X)
#undef X
	};
	return names[state];
}

/* --- message ids -------------------------------------------------------- */

/*
 * 0 | 43 bits of milliseconds | 20 bits of chance
 *
 * The top bit stays clear, so that an id is a positive INTEGER of SQLite and
 * sorts alike in both.  Printed in Crockford's base32, whose letters ascend.
 */
enum { ID_CHANCE_BITS = 20, ID_DIGIT_BITS = 5 };

static const char id_digits[] = "0123456789abcdefghjkmnpqrstvwxyz";

static _Atomic message_id id_newest;

message_id message_id_new(int64_t now_ms, uint32_t random)
{
	message_id time = (message_id)(now_ms > 0 ? now_ms : 0);
	message_id mask = (UINT64_C(1) << ID_CHANCE_BITS) - 1;
	message_id wish =
		(time << ID_CHANCE_BITS | (random & mask)) & INT64_MAX;
	message_id newest = atomic_load(&id_newest);
	message_id id;

	do {
		id = wish > newest ? wish : newest + 1;
	} while (!atomic_compare_exchange_weak(&id_newest, &newest, id));
	return id;
}

void message_id_seen(message_id id)
{
	message_id newest = atomic_load(&id_newest);

	while (id > newest)
		if (atomic_compare_exchange_weak(&id_newest, &newest, id))
			return;
}

int64_t message_id_time_ms(message_id id)
{
	return (int64_t)(id >> ID_CHANCE_BITS);
}

message_id message_id_oldest_of(int64_t ms)
{
	return ms > 0 ? ((message_id)ms << ID_CHANCE_BITS) & INT64_MAX : 0;
}

const char *message_id_print(message_id id, char out[MESSAGE_ID_TEXT])
{
	for (int i = MESSAGE_ID_TEXT - 2; i >= 0; i--) {
		out[i] = id_digits[id & 0x1f];
		id >>= ID_DIGIT_BITS;
	}
	out[MESSAGE_ID_TEXT - 1] = '\0';
	return out;
}

/* As people type what they read: O for 0, I and L for 1, any case. */
static int id_digit(char c)
{
	const char *found;

	if (c >= 'A' && c <= 'Z')
		c = (char)(c | 0x20);
	if (c == 'o')
		c = '0';
	if (c == 'i' || c == 'l')
		c = '1';
	found = c != '\0' ? strchr(id_digits, c) : NULL;
	return found ? (int)(found - id_digits) : -1;
}

bool message_id_parse(struct text text, message_id *id_r)
{
	message_id id = 0;

	if (text.len != MESSAGE_ID_TEXT - 1)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		int digit = id_digit(text.data[i]);

		if (digit < 0 || (i == 0 && digit > 7))
			return false;
		id = id << ID_DIGIT_BITS | (message_id)digit;
	}
	*id_r = id;
	return id != 0;
}

/* --- the envelope ------------------------------------------------------- */

struct envelope *envelope_new(void)
{
	return xcalloc(1, sizeof(struct envelope));
}

void envelope_drop_recipients(struct envelope *envelope)
{
	for (size_t i = 0; i < envelope->n_recipients; i++) {
		free(envelope->recipients[i].address);
		free(envelope->recipients[i].reply);
		free(envelope->recipients[i].reason);
	}
	free(envelope->recipients);
	envelope->recipients = NULL;
	envelope->n_recipients = 0;
}

void envelope_free(struct envelope **envelope_ptr)
{
	struct envelope *envelope = *envelope_ptr;

	if (!envelope)
		return;
	*envelope_ptr = NULL;
	envelope_drop_recipients(envelope);
	free(envelope->client);
	free(envelope->device);
	free(envelope->listener);
	free(envelope->helo);
	free(envelope->reverse_path);
	free(envelope->header_from);
	free(envelope->subject);
	free(envelope->header_id);
	free(envelope->account);
	free(envelope->rule);
	free(envelope->content);
	free(envelope->reason);
	free(envelope);
}

struct envelope *envelope_sibling(const struct envelope *envelope,
				  uint32_t random)
{
	struct envelope *sibling = envelope_new();

	*sibling = *envelope;
	sibling->id = message_id_new(envelope->received_ms, random);
	sibling->client = xstrdup(envelope->client);
	sibling->device = xstrdup(envelope->device);
	sibling->listener = xstrdup(envelope->listener);
	sibling->helo = xstrdup(envelope->helo);
	sibling->reverse_path = xstrdup(envelope->reverse_path);
	sibling->header_from = xstrdup(envelope->header_from);
	sibling->subject = xstrdup(envelope->subject);
	sibling->header_id = xstrdup(envelope->header_id);
	sibling->content = xstrdup(envelope->content);
	sibling->account = sibling->rule = sibling->reason = NULL;
	sibling->recipients = NULL;
	sibling->n_recipients = 0;
	return sibling;
}

static bool is_power_of_two(size_t n)
{
	return (n & (n - 1)) == 0;
}

struct recipient *envelope_add_recipient(struct envelope *envelope,
					 struct text address)
{
	size_t n = envelope->n_recipients;
	struct recipient *recipient;

	/* Room for the next power of two, found from the count alone. */
	if (is_power_of_two(n))
		envelope->recipients =
			xrealloc(envelope->recipients,
				 (n ? 2 * n : 1) * sizeof(*recipient));
	recipient = &envelope->recipients[envelope->n_recipients++];
	recipient->address = text_dup(address);
	recipient->state = RECIPIENT_QUEUED;
	recipient->reply = recipient->reason = NULL;
	recipient->finished_ms = 0;
	recipient->tried = 0;
	return recipient;
}

enum recipient_turn envelope_turn(const struct envelope *envelope,
				  size_t recipient)
{
	const struct recipient *one = &envelope->recipients[recipient];

	if (one->state != RECIPIENT_QUEUED)
		return TURN_NONE;
	if (one->reply == NULL)
		return TURN_FIRST;
	return one->tried <= envelope->attempts ? TURN_AGAIN : TURN_OVER;
}

size_t envelope_count(const struct envelope *envelope,
		      enum recipient_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < envelope->n_recipients; i++)
		count += envelope->recipients[i].state == state;
	return count;
}

static bool list_address(struct buf *list, const char *address, size_t max)
{
	size_t comma = buf_len(list) > 0;

	if (buf_len(list) + comma + strlen(address) > max)
		return false;
	if (comma)
		buf_putc(list, ',');
	return buf_puts(list, address);
}

char *envelope_recipient_list(const struct envelope *envelope,
			      enum recipient_state state, size_t max)
{
	struct buf list = BUF_INIT(max + 32);
	size_t left = envelope_count(envelope, state);

	for (size_t i = 0; i < envelope->n_recipients; i++) {
		const struct recipient *to = &envelope->recipients[i];

		if (to->state != state)
			continue;
		if (!list_address(&list, to->address, max))
			break;
		left--;
	}
	if (left > 0 && buf_len(&list) > 0)
		buf_printf(&list, " and %zu more", left);
	else if (left > 0)
		buf_printf(&list, "%zu recipients", left);
	return buf_steal(&list);
}
