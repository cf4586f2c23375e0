#include "relay/net/url.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"

/* A C string to be freed; "" where there is no such part. */
static char *part(CURLU *url, CURLUPart what)
{
	char *found = NULL, *copy;

	if (curl_url_get(url, what, &found, 0) != CURLUE_OK)
		return xstrdup("");
	copy = xstrdup(found);
	curl_free(found);
	return copy;
}

static char *bare_host(char *host)
{
	size_t len = strlen(host);
	char *bare;

	if (host[0] != '[' || host[len - 1] != ']')
		return host;
	bare = xmemdup0(host + 1, len - 2);
	free(host);
	return bare;
}

static char *origin_of(const char *scheme, const char *host, const char *port)
{
	return xasprintf("%s://%s%s%s", scheme, host, *port ? ":" : "", port);
}

static void take_apart(CURLU *parser, const char *scheme, struct url *url_r)
{
	char *host = part(parser, CURLUPART_HOST);
	char *port = part(parser, CURLUPART_PORT);
	char *path = part(parser, CURLUPART_PATH);
	char *query = part(parser, CURLUPART_QUERY);
	char *user = part(parser, CURLUPART_USER);

	url_r->https = strcmp(scheme, "https") == 0;
	url_r->origin = origin_of(scheme, host, port);
	url_r->host = bare_host(host);
	url_r->is_whole = !*query && !*user && (!*path || !strcmp(path, "/"));
	free(port);
	free(path);
	free(query);
	free(user);
}

bool url_parse(const char *text, struct url *url_r)
{
	CURLU *parser = curl_url();
	char *scheme = NULL;
	bool good;

	good = parser && curl_url_set(parser, CURLUPART_URL, text, 0) ==
				 CURLUE_OK;
	if (good) {
		scheme = part(parser, CURLUPART_SCHEME);
		good = !strcmp(scheme, "https") || !strcmp(scheme, "http");
	}
	if (good)
		take_apart(parser, scheme, url_r);
	free(scheme);
	curl_url_cleanup(parser);
	return good;
}

void url_clear(struct url *url)
{
	free(url->host);
	free(url->origin);
	*url = (struct url){ 0 };
}
