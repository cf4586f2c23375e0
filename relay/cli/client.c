#include "relay/cli/client.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/xalloc.h"
#include "relay/admin/api.h"
#include "relay/admin/control.h"
#include "relay/cli/terminal.h"
#include "relay/net/http_local.h"

enum {
	ANSWER_MAX = 128 * 1024 * 1024,
	TARGET_MAX = 30 * 1024,
	PATIENCE_MS = 60 * 1000
};

struct client {
	const char *command;
	struct config *config;
	json_t *arguments;         /* of the next question */
	json_t *answer;            /* of the last one */
	bool has_server, quiet;
};

struct client *client_open(struct cli *cli, const char *command)
{
	struct config *config = cli_load_config(cli, true);
	struct client *client;

	if (config == NULL)
		return NULL;
	client = xcalloc(1, sizeof *client);
	client->command = command;
	client->config = config;
	client->arguments = json_object();
	return client;
}

void client_close(struct client **client_p)
{
	struct client *client = *client_p;

	if (client == NULL)
		return;
	*client_p = NULL;
	config_unref(&client->config);
	json_decref(client->arguments);
	json_decref(client->answer);
	free(client);
}

void client_argument(struct client *client, const char *name,
                     const char *value)
{
	if (value != NULL)
		json_object_set_new(client->arguments, name,
		                    json_string(value));
}

bool client_has_server(const struct client *client)
{
	return client->has_server;
}

void client_be_quiet(struct client *client)
{
	client->quiet = true;
}

/* ---- complaints ---- */

static int complain(const struct client *client, int code, const char *error,
                    const char *fix)
{
	if (client->quiet)
		return code;
	fprintf(stderr, "lanpost %s: ", client->command);
	terminal_print(stderr, error);
	if (fix != NULL) {
		fputs("; ", stderr);
		terminal_print(stderr, fix);
	}
	fputc('\n', stderr);
	return code;
}

static const char *member(json_t *answer, const char *key)
{
	return json_string_value(json_object_get(answer, key));
}

/* An answer with a status of HTTP as an exit code. */
static int judge(const struct client *client, long status)
{
	const char *error = member(client->answer, "error");

	if (status >= 200 && status < 300)
		return EX_OK;
	return complain(client,
	                status == ANSWER_WRONG ? EX_USAGE : EX_UNAVAILABLE,
	                error ? error : "the server gave no reason",
	                member(client->answer, "fix"));
}

/* ---- asking the server ---- */

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

static void add_escaped(struct buf *to, const char *text)
{
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (is_plain(c))
			buf_putc(to, *text);
		else
			buf_printf(to, "%%%02X", c);
	}
}

static void add_path(struct buf *to, const char *path, const char *subject)
{
	size_t before = strcspn(path, "*");

	buf_append(to, path, before);
	if (subject != NULL && path[before] == '*') {
		add_escaped(to, subject);
		buf_puts(to, path + before + 1);
	}
}

static void add_arguments(struct buf *to, json_t *arguments)
{
	const char *name;
	json_t *value;
	char separator = '?';

	json_object_foreach(arguments, name, value) {
		buf_printf(to, "%c%s=", separator, name);
		add_escaped(to, json_string_value(value));
		separator = '&';
	}
}

static void take_answer(struct client *client, struct buf *text)
{
	json_decref(client->answer);
	client->answer = json_loadb(buf_text(text).data, buf_len(text),
	                            JSON_DECODE_ANY, NULL);
}

static enum http_local_result ask(struct client *client, const char *method,
                                  const char *path, const char *subject,
                                  long *status_r, const char **error_r)
{
	struct buf target = BUF_INIT(TARGET_MAX);
	struct buf text = BUF_INIT(ANSWER_MAX);
	struct http_local_question question = {
		client->config->relay.spool, CONTROL_SOCKET, method, NULL,
		PATIENCE_MS
	};
	enum http_local_result result;

	add_path(&target, path, subject);
	add_arguments(&target, client->arguments);
	question.target = buf_string(&target);
	result = http_local_ask(&question, &text, status_r, error_r);
	client->has_server = result == HTTP_LOCAL_ANSWERED;
	if (client->has_server)
		take_answer(client, &text);
	buf_free(&text);
	buf_free(&target);
	return result;
}

/* ---- asking the database ---- */

static int ask_database(struct client *client, const char *path,
                        const char *subject)
{
	struct buf whole = BUF_INIT(TARGET_MAX);
	struct request request = {
		.method = xstrdup("GET"),
		.arguments = json_incref(client->arguments),
		.config = client->config,
		.spool = client->config->relay.spool
	};
	size_t before = strcspn(path, "*");
	int code;

	buf_append(&whole, path, before);
	buf_puts(&whole, subject ? subject : "");
	buf_puts(&whole, path[before] ? path + before + 1 : "");
	request.path = buf_steal(&whole);
	api_without_server(&request);
	json_decref(client->answer);
	client->answer = json_incref(request.answer);
	code = judge(client, request.status);
	request_clear(&request);
	return code;
}

/* ---- questions ---- */

int client_get(struct client *client, const char *path, const char *subject,
               json_t **answer_r)
{
	const char *error = NULL;
	long status = 0;
	int code;

	switch (ask(client, "GET", path, subject, &status, &error)) {
	case HTTP_LOCAL_ANSWERED:
		code = judge(client, status);
		break;
	case HTTP_LOCAL_NOBODY:
		code = ask_database(client, path, subject);
		break;
	case HTTP_LOCAL_FAILED:
	default:
		code = complain(client, EX_UNAVAILABLE, error, NULL);
		break;
	}
	json_object_clear(client->arguments);
	*answer_r = client->answer;
	return code;
}

int client_post(struct client *client, const char *path, const char *subject,
                json_t **answer_r)
{
	const char *error = NULL;
	long status = 0;
	int code;

	switch (ask(client, "POST", path, subject, &status, &error)) {
	case HTTP_LOCAL_ANSWERED:
		code = judge(client, status);
		break;
	case HTTP_LOCAL_NOBODY:
		code = complain(client, EX_UNAVAILABLE, error,
		                "this needs one: lanpost serve");
		break;
	case HTTP_LOCAL_FAILED:
	default:
		code = complain(client, EX_UNAVAILABLE, error, NULL);
		break;
	}
	*answer_r = client->answer;
	return code;
}
