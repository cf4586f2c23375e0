#include "relay/notices/notice_pace.h"

size_t notice_pace_left(const struct notice_news *news)
{
	return news->n_made < NOTICES_AN_HOUR ? NOTICES_AN_HOUR - news->n_made
					      : 0;
}

int64_t notice_pace_more_ms(const struct notice_news *news)
{
	return news->n_made > 0 ? news->first_made_ms + NOTICE_HOUR_MS : 0;
}

static struct notice_step rest_until(int64_t until_ms)
{
	return (struct notice_step){ NOTICE_REST, until_ms };
}

static int64_t later_of(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static int64_t sooner_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When what is due may become a digest. */
static int64_t digest_due_ms(const struct notice_news *news,
			     bool for_each_sender)
{
	int64_t gathered_ms = news->due_since_ms + NOTICE_GATHER_MS;

	if (news->due_since_ms == 0)
		return INT64_MAX;
	if (for_each_sender)
		return notice_pace_left(news) > 0
			       ? gathered_ms
			       : later_of(gathered_ms,
					  notice_pace_more_ms(news));
	return news->digest_ms == 0
		       ? gathered_ms
		       : later_of(gathered_ms,
				  news->digest_ms + NOTICE_HOUR_MS);
}

static bool is_gathered(const struct notice_news *news, int64_t now_ms)
{
	return news->due_since_ms != 0 &&
	       news->n_due > notice_pace_left(news) &&
	       now_ms - news->due_since_ms >= NOTICE_GATHER_MS;
}

struct notice_step notice_pace(const struct notice_news *news,
			       bool for_each_sender, int64_t now_ms)
{
	int64_t digest_ms = digest_due_ms(news, for_each_sender);

	if (news->n_due == 0)
		return rest_until(0);
	if (is_gathered(news, now_ms) && digest_ms <= now_ms)
		return (struct notice_step){ NOTICE_DIGEST, 0 };
	if (!is_gathered(news, now_ms) && notice_pace_left(news) > 0)
		return (struct notice_step){ NOTICE_SINGLE, 0 };
	return rest_until(news->n_made > 0
				  ? sooner_of(digest_ms,
					      notice_pace_more_ms(news))
				  : digest_ms);
}
