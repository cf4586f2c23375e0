#include "relay/net/webhook.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "proto/text.h"
#include "proto/xalloc.h"
#include "relay/net/address.h"
#include "relay/net/loop.h"

enum { TIMEOUT_S = 10, ERROR_MAX = CURL_ERROR_SIZE + 80 };

struct post {
	struct webhook *webhook;  /* NULL: it is gone */
	char *url, *json;
	bool in_the_clear, is_public;
	atomic_bool cancelled;
	char error[ERROR_MAX];    /* "": none */
};

struct webhook {
	struct loop *loop;
	void (*on_done)(void *ctx, const char *error);
	void *ctx;
	struct post *post;        /* under way */
};

/* ---- on a thread of the pool ---- */

static size_t on_answer(char *data, size_t size, size_t n, void *ctx)
{
	return size * n; /* nobody reads it */
}

static int on_progress(void *ctx, curl_off_t down_all, curl_off_t down,
		       curl_off_t up_all, curl_off_t up)
{
	struct post *post = ctx;

	return atomic_load(&post->cancelled);
}

/* The last look: at the address itself, and just before it is used. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose,
			       struct curl_sockaddr *to)
{
	struct post *post = ctx;
	struct address address;

	if (to->family != AF_INET && to->family != AF_INET6)
		return CURL_SOCKET_BAD;
	address_from_sockaddr(&to->addr, &address);
	if (post->in_the_clear && !address_is_private(&address)) {
		post->is_public = true;
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static void set_up(CURL *curl, struct post *post, struct curl_slist *fields,
		   char *words)
{
	/* As for mail: the system's store, or the one OpenSSL is told of. */
	const char *trusted = getenv("SSL_CERT_FILE");

	curl_easy_setopt(curl, CURLOPT_URL, post->url);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)TIMEOUT_S);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "lanpost/" LANPOST_VERSION);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->json);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, words);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_answer);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, post);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, on_socket);
	curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, post);
	if (trusted)
		curl_easy_setopt(curl, CURLOPT_CAINFO, trusted);
}

static void judge(CURL *curl, CURLcode code, struct post *post,
		  const char *words)
{
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	if (post->is_public)
		snprintf(post->error, sizeof(post->error),
			 "the host has a public address, and http:// would "
			 "send this in the clear: write https://");
	else if (code != CURLE_OK)
		snprintf(post->error, sizeof(post->error), "%s",
			 *words ? words : curl_easy_strerror(code));
	else if (status < 200 || status > 299)
		snprintf(post->error, sizeof(post->error),
			 "the receiver answered with HTTP status %ld", status);
}

static void work(void *ctx)
{
	struct post *post = ctx;
	CURL *curl = curl_easy_init();
	struct curl_slist *fields = curl_slist_append(
		NULL, "Content-Type: application/json; charset=utf-8");
	char words[CURL_ERROR_SIZE] = "";

	if (!curl || !fields)
		abort(); /* no memory */
	set_up(curl, post, fields, words);
	judge(curl, curl_easy_perform(curl), post, words);
	curl_slist_free_all(fields);
	curl_easy_cleanup(curl);
}

/* ---- on the loop ---- */

static void done(void *ctx)
{
	struct post *post = ctx;
	struct webhook *webhook = post->webhook;

	if (webhook) {
		webhook->post = NULL;
		webhook->on_done(webhook->ctx,
				 *post->error ? post->error : NULL);
	}
	xfree_secret(&post->url);
	free(post->json);
	free(post);
}

struct webhook *webhook_new(struct loop *loop,
			    void (*on_done)(void *ctx, const char *error),
			    void *ctx)
{
	struct webhook *webhook = xcalloc(1, sizeof(*webhook));

	webhook->loop = loop;
	webhook->on_done = on_done;
	webhook->ctx = ctx;
	return webhook;
}

/* Here, since it must not be done by two threads at a time. */
static void load_library(void)
{
	static bool loaded;

	if (!loaded && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		abort();
	loaded = true;
}

void webhook_post(struct webhook *webhook, const char *url, const char *json)
{
	struct post *post = xcalloc(1, sizeof(*post));

	load_library();
	post->webhook = webhook;
	post->url = xstrdup(url);
	post->json = xstrdup(json);
	post->in_the_clear =
		!text_starts(text_of(url), "https:");
	webhook->post = post;
	loop_work(webhook->loop, work, done, post);
}

bool webhook_is_busy(const struct webhook *webhook)
{
	return webhook->post != NULL;
}

void webhook_free(struct webhook **webhook_p)
{
	struct webhook *webhook = *webhook_p;

	if (!webhook)
		return;
	if (webhook->post) {
		webhook->post->webhook = NULL;
		atomic_store(&webhook->post->cancelled, true);
	}
	free(webhook);
	*webhook_p = NULL;
}
