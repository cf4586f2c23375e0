#include "relay/policy/reserve.h"

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

static size_t hundredth(unsigned limit)
{
	return (limit + 99u) / 100u;
}

/* 0: there is no limit to messages. */
static size_t usual_messages(const struct budget_limits *limits)
{
	if (limits->messages_per_day > 0)
		return hundredth(limits->messages_per_day);
	return limits->messages_per_minute;
}

/* Where only one of the two is limited it bounds the other: each message has a
 * recipient. */
struct lease lease_for(struct budget *budget, size_t recipients,
		       uint64_t now_ms)
{
	const struct budget_limits *limits = budget_limits(budget);
	struct lease lease = { .until_ms = now_ms + LEASE_MS };

	lease.messages = smaller(usual_messages(limits),
				 budget_messages_left(budget, now_ms));
	lease.recipients = smaller(hundredth(limits->recipients_per_day),
				   budget_recipients_left(budget, now_ms));
	lease.recipients = larger(lease.recipients, recipients);
	if (usual_messages(limits) == 0)
		lease.messages = lease.recipients;
	lease.messages = larger(lease.messages, 1);
	if (limits->recipients_per_day == 0)
		lease.recipients = larger(lease.messages, recipients);
	return lease;
}

bool lease_covers(const struct lease *lease, const struct budget *budget,
		  size_t recipients, uint64_t now_ms)
{
	return now_ms < lease->until_ms &&
	       lease->taken_messages < lease->messages &&
	       (budget_limits(budget)->recipients_per_day == 0 ||
		lease->taken_recipients + recipients <= lease->recipients);
}

bool lease_is_over(const struct lease *lease, uint64_t now_ms)
{
	return lease->under_way == 0 &&
	       (now_ms >= lease->until_ms ||
		lease->taken_messages >= lease->messages);
}

void lease_take(struct lease *lease, size_t recipients)
{
	lease->taken_messages++;
	lease->taken_recipients += recipients;
	lease->under_way++;
}

void lease_spend(struct lease *lease, uint64_t now_ms)
{
	lease->under_way--;
	lease->spent_at = now_ms;
}

void lease_give_back(struct lease *lease, size_t recipients)
{
	lease->taken_messages--;
	lease->taken_recipients -= recipients;
	lease->under_way--;
}
