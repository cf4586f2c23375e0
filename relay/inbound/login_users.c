#include "relay/inbound/login_users.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/smtp_syntax.h"
#include "proto/xalloc.h"
#include "relay/net/loop.h"

struct login {
	char *user, *hash;
};

struct login_users {
	struct login *logins;    /* sorted by user */
	size_t n, room;
	uint32_t seed;           /* which hash an unknown user is given */
	char decoy[LOGIN_HASH_TEXT]; /* where there is none */
};

/* Where the user stands, or would. */
static size_t place_of(const struct login_users *users, const char *user,
                       bool *found_r)
{
	size_t low = 0, high = users->n;

	*found_r = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(users->logins[middle].user, user);

		if (order == 0) {
			*found_r = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* ---- reading ---- */

const char *login_user_fault(struct text user)
{
	if (user.len == 0)
		return "the user's name is missing";
	if (user.len > LOGIN_USER_MAX)
		return "the user's name is longer than 255 octets";
	if (smtp_has_control(user) || memchr(user.data, ':', user.len) != NULL)
		return "the user's name holds a colon or control characters";
	if (user.data[0] == '#' || text_trim(user).len != user.len)
		return "the user's name begins with # or has spaces around it";
	return NULL;
}

static void insert(struct login_users *users, size_t place,
                   struct login login)
{
	if (users->n == users->room) {
		users->room = users->room * 2 + 8;
		users->logins = xrealloc(users->logins,
		                         users->room * sizeof *users->logins);
	}
	memmove(users->logins + place + 1, users->logins + place,
	        (users->n - place) * sizeof *users->logins);
	users->logins[place] = login;
	users->n++;
}

static const char *add(struct login_users *users, struct text name,
                       const char *hash)
{
	const char *fault = login_user_fault(name);
	char *user;
	size_t place;
	bool found;

	if (fault == NULL)
		fault = login_hash_fault(hash);
	if (fault != NULL)
		return fault;
	user = text_dup(name);
	place = place_of(users, user, &found);
	if (!found)
		insert(users, place, (struct login){ user, xstrdup(hash) });
	else
		free(user);
	return found ? "this user stands further up already; that line counts"
	             : NULL;
}

static struct text without_line_end(struct text line)
{
	while (line.len > 0 && strchr("\r \t", line.data[line.len - 1]))
		line.len--;
	return line;
}

/* user ":" hash */
static const char *read_line(struct login_users *users, struct text line)
{
	struct text hash = line, user;
	const char *fault;
	char *copy;

	if (memchr(line.data, ':', line.len) == NULL)
		return "no colon; a line is user:hash, as `lanpost password "
		       "USER` prints it";
	if (memchr(line.data, '\0', line.len) != NULL)
		return "a NUL character; is this the right file?";
	if (users->n >= LOGIN_USERS_MAX)
		return "more than 10000 users; this one cannot log in";
	text_token(&hash, ':', &user);
	copy = text_dup(hash);
	fault = add(users, user, copy);
	free(copy);
	return fault;
}

struct login_users *login_users_parse(struct text contents,
                                      login_complaint complain, void *ctx)
{
	struct login_users *users = xcalloc(1, sizeof *users);
	struct text line;
	unsigned number = 0;

	users->seed = random_u32();
	login_hash_decoy(users->decoy);
	while (text_token(&contents, '\n', &line)) {
		const char *fault = NULL;

		number++;
		line = without_line_end(line);
		if (line.len > 0 && line.data[0] != '#')
			fault = read_line(users, line);
		if (fault != NULL)
			complain(ctx, number, fault);
	}
	return users;
}

void login_users_free(struct login_users **users_p)
{
	struct login_users *users = *users_p;
	size_t i;

	if (users == NULL)
		return;
	for (i = 0; i < users->n; i++) {
		free(users->logins[i].user);
		free(users->logins[i].hash);
	}
	free(users->logins);
	free(users);
	*users_p = NULL;
}

size_t login_users_count(const struct login_users *users)
{
	return users->n;
}

/* ---- comparing ---- */

/* A user who is not there always meets the same hash of another, so that an
 * answer comes neither sooner nor later than to one who is. */
static const char *decoy_for(const struct login_users *users, const char *user)
{
	uint32_t mix = users->seed;

	if (users->n == 0)
		return users->decoy;
	for (; *user != '\0'; user++) /* FNV-1a */
		mix = (mix ^ (unsigned char)*user) * 16777619u;
	return users->logins[mix % users->n].hash;
}

bool login_users_match(const struct login_users *users, const char *user,
                       const char *password)
{
	bool found;
	size_t place = place_of(users, user, &found);
	const char *hash = found ? users->logins[place].hash
	                         : decoy_for(users, user);
	bool matches = login_hash_matches(hash, password);

	return matches && found;
}
