#include "relay/notices/notice_alarm.h"

#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"

static struct account_alarm facts_dup(const struct account_alarm *facts)
{
	struct account_alarm copy = *facts;

	copy.account = xstrdup(facts->account);
	copy.reason = xstrdup(facts->reason);
	copy.title = xstrdup(facts->title);
	copy.explanation = xstrdup(facts->explanation);
	copy.fix = xstrdup(facts->fix);
	copy.reply = xstrdup(facts->reply);
	copy.by = xstrdup(facts->by);
	return copy;
}

static void facts_free(struct account_alarm *facts)
{
	free((char *)facts->account);
	free((char *)facts->reason);
	free((char *)facts->title);
	free((char *)facts->explanation);
	free((char *)facts->fix);
	free((char *)facts->reply);
	free((char *)facts->by);
}

void notice_alarm_free(struct notice_alarm **alarm)
{
	if (*alarm == NULL)
		return;
	facts_free(&(*alarm)->facts);
	free(*alarm);
	*alarm = NULL;
}

struct notice_alarm *notice_alarm_take(struct notice_alarm **list)
{
	struct notice_alarm *alarm = *list;

	if (alarm != NULL)
		*list = alarm->next;
	return alarm;
}

/* Where the news of the account is, or would be. */
static struct notice_alarm **find(struct notice_alarm **list,
				  const char *account)
{
	while (*list != NULL && strcmp((*list)->facts.account, account) != 0)
		list = &(*list)->next;
	return list;
}

void notice_alarm_put_back(struct notice_alarm **list,
			   struct notice_alarm **alarm)
{
	if (*alarm == NULL)
		return;
	if (*find(list, (*alarm)->facts.account) == NULL) {
		(*alarm)->next = *list;
		*list = *alarm;
		*alarm = NULL;
	}
	notice_alarm_free(alarm);
}

/* Returns whether what waited was a pause. */
static bool drop(struct notice_alarm **list, const char *account)
{
	struct notice_alarm *alarm = notice_alarm_take(find(list, account));
	bool was_pause;

	was_pause = alarm != NULL && !alarm->is_resumed;
	notice_alarm_free(&alarm);
	return was_pause;
}

void notice_alarm_add(struct notice_alarm **list,
		      const struct account_alarm *facts, bool is_resumed)
{
	bool untold = drop(list, facts->account);
	struct notice_alarm *alarm;

	if (is_resumed && untold)
		return;
	alarm = xcalloc(1, sizeof(*alarm));
	alarm->facts = facts_dup(facts);
	alarm->is_resumed = is_resumed;
	while (*list != NULL)
		list = &(*list)->next;
	*list = alarm;
}
