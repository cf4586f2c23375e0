#include "relay/net/http_local.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/net/local_socket.h"

static _Thread_local char error_text[512];

static size_t take(char *data, size_t size, size_t n, void *answer)
{
	return buf_append(answer, data, size * n) ? size * n : 0;
}

static void set_up(CURL *curl, const struct http_local_question *question,
                   const char *socket, const char *url, struct buf *answer)
{
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, question->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
	if (strcmp(question->method, "POST") == 0)
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
}

static enum http_local_result nobody(const char *folder, const char **error_r)
{
	snprintf(error_text, sizeof(error_text),
	         "no lanpost server runs on the spool %.300s", folder);
	*error_r = error_text;
	return HTTP_LOCAL_NOBODY;
}

static bool is_nobody(CURLcode code, long system)
{
	return code == CURLE_COULDNT_CONNECT &&
	       (system == ENOENT || system == ECONNREFUSED || system == ENOTDIR);
}

static enum http_local_result fail(const struct http_local_question *question,
                                   const char *words, long system,
                                   const char **error_r)
{
	bool forbidden = system == EACCES || system == EPERM;

	snprintf(error_text, sizeof(error_text),
	         "the server cannot be asked at %.200s/%s: %s%s",
	         question->folder, question->name,
	         forbidden ? strerror((int)system) : words,
	         forbidden ? "; be root, or the user who owns the spool" : "");
	*error_r = error_text;
	return HTTP_LOCAL_FAILED;
}

static enum http_local_result judge(CURL *curl, CURLcode code,
                                    const struct http_local_question *question,
                                    long *status_r, const char **error_r)
{
	long system = 0;

	curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &system);
	if (is_nobody(code, system))
		return nobody(question->folder, error_r);
	if (code == CURLE_WRITE_ERROR)
		return fail(question, "its answer is too long", 0, error_r);
	if (code != CURLE_OK)
		return fail(question, curl_easy_strerror(code), system,
		            error_r);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status_r);
	return HTTP_LOCAL_ANSWERED;
}

static enum http_local_result ask(const struct http_local_question *question,
                                  const char *socket, struct buf *answer,
                                  long *status_r, const char **error_r)
{
	CURL *curl = curl_easy_init();
	char *url = xasprintf("http://lanpost%s", question->target);
	enum http_local_result result = HTTP_LOCAL_FAILED;

	if (curl != NULL) {
		set_up(curl, question, socket, url, answer);
		result = judge(curl, curl_easy_perform(curl), question,
		               status_r, error_r);
	} else {
		fail(question, "libcurl does not start", 0, error_r);
	}
	curl_easy_cleanup(curl);
	free(url);
	return result;
}

enum http_local_result http_local_ask(const struct http_local_question *question,
                                      struct buf *answer, long *status_r,
                                      const char **error_r)
{
	struct local_path path;
	enum http_local_result result;

	if (!local_path_open(&path, question->folder, question->name))
		return errno == ENOENT ? nobody(question->folder, error_r)
		                       : fail(question, strerror(errno), errno,
		                              error_r);
	result = ask(question, path.text, answer, status_r, error_r);
	local_path_close(&path);
	return result;
}
