#include "relay/inbound/listener.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/xalloc.h"
#include "relay/inbound/access.h"
#include "relay/inbound/limits.h"
#include "relay/inbound/listener_files.h"
#include "relay/inbound/session.h"
#include "relay/net/stream.h"
#include "relay/report/log.h"

/* A client with sessions open, and how many. */
struct client {
	struct address address;
	size_t sessions;
	LIST_ENTRY(client) link;
};

struct held {
	struct listener *listener;
	struct session *session;
	LIST_ENTRY(held) link;
};

struct listener {
	struct services *services;
	char *name;
	struct stream_listener **sockets;
	size_t n_sockets;
	LIST_HEAD(, client) clients;
	LIST_HEAD(, held) sessions;
	size_t n_sessions;
	struct gateways gateways;
	struct limits *limits;
	struct listener_files *files, *next_files; /* in force; loaded */
	bool draining;
	void (*on_empty)(void *ctx);
	void *ctx;
};

static size_t all_sessions, global_cap = SIZE_MAX;

void listener_set_global_cap(size_t cap)
{
	global_cap = cap;
}

size_t listener_sessions(const struct listener *listener)
{
	return listener->n_sessions;
}

static const struct listener_config *find_config(const char *name,
                                                 const struct config *config)
{
	size_t i;

	for (i = 0; i < config->n_listeners; i++) {
		if (strcmp(config->listeners[i].name, name) == 0)
			return &config->listeners[i];
	}
	return NULL;
}

/* One whose section went at a reload has that of the first, and takes nobody
 * in; see is_gone(). */
static const struct listener_config *config_in(const struct listener *listener,
                                               const struct config *config)
{
	const struct listener_config *found =
		find_config(listener->name, config);

	return found != NULL ? found : &config->listeners[0];
}

static const struct listener_config *config_of(const struct listener *listener)
{
	return config_in(listener, listener->services->config);
}

/* ---- clients ---- */

static struct client *find_client(struct listener *listener,
                                  const struct address *address)
{
	struct client *client;

	LIST_FOREACH(client, &listener->clients, link) {
		if (address_same_host(&client->address, address))
			return client;
	}
	return NULL;
}

static void count_client(struct listener *listener,
                         const struct address *address)
{
	struct client *client = find_client(listener, address);

	if (client == NULL) {
		client = xcalloc(1, sizeof *client);
		client->address = *address;
		LIST_INSERT_HEAD(&listener->clients, client, link);
	}
	client->sessions++;
}

static void uncount_client(struct listener *listener,
                           const struct address *address)
{
	struct client *client = find_client(listener, address);

	if (client == NULL || --client->sessions > 0)
		return;
	LIST_REMOVE(client, link);
	free(client);
}

/* ---- sessions ---- */

static void on_session_end(void *ctx, struct session *session)
{
	struct held *held = ctx;
	struct listener *listener = held->listener;

	LIST_REMOVE(held, link);
	free(held);
	uncount_client(listener, session_client(session));
	all_sessions--;
	if (--listener->n_sessions == 0 && listener->draining &&
	    listener->on_empty != NULL)
		listener->on_empty(listener->ctx);
}

static void start_session(struct listener *listener, struct stream **stream,
                          const char *refusal)
{
	struct held *held = xcalloc(1, sizeof *held);
	struct session_settings settings = {
		.services = listener->services,
		.listener = listener->name,
		.files = listener->files,
		.limits = listener->limits,
		.refusal = refusal,
		.on_end = on_session_end,
		.ctx = held,
	};

	held->listener = listener;
	count_client(listener, stream_peer(*stream));
	LIST_INSERT_HEAD(&listener->sessions, held, link);
	listener->n_sessions++;
	all_sessions++;
	held->session = session_new(&settings, stream);
}

/* ---- the door ---- */

static const char *device_name(const struct listener *listener,
                               const struct address *client)
{
	const struct device_config *device =
		config_device(listener->services->config, client);

	return device == NULL ? NULL : device->name;
}

static void log_refused(struct listener *listener,
                        const struct address *client, const char *reply,
                        const char *reason, const char *fix)
{
	char text[ADDRESS_TEXT_MAX];

	log_event(LOG_WARN, EVENT_REFUSED,
	          F_STR("client", address_print(client, text)),
	          F_STR("device", device_name(listener, client)),
	          F_STR("listener", listener->name), F_STR("reply", reply),
	          F_STR("reason", reason), F_STR("fix", fix));
}

/* One line, and the line is cut.  Where TLS comes first it could not
 * be read, and a handshake is more than there is room for. */
static void hang_up(struct listener *listener, struct stream **stream,
                    const char *line)
{
	char words[300];
	int len = snprintf(words, sizeof words, "%s\r\n", line);

	if (config_of(listener)->tls != LISTENER_TLS_IMPLICIT)
		stream_write(*stream, words, (size_t)len);
	stream_close(stream);
}

static void turn_away(struct listener *listener, struct stream **stream,
                      enum limit limit, const char *line)
{
	const struct address *client = stream_peer(*stream);

	if (limits_is_news(listener->limits, client, limit))
		log_refused(listener, client, line, limit_reason(limit),
		            limit_fix(limit));
	hang_up(listener, stream, line);
}

/* Its rules went with its section; nobody comes in by those of another. */
static bool is_gone(struct listener *listener, struct stream **stream)
{
	static const char gone[] =
		"421 4.3.2 Mail is no longer taken on this port";

	if (find_config(listener->name, listener->services->config) != NULL)
		return false;
	log_refused(listener, stream_peer(*stream), gone, "listener-removed",
	            "restart lanpost, which closes the port, or put the "
	            "[listener] back");
	hang_up(listener, stream, gone);
	return true;
}

/* How many, and who, so that it can be read off a packet capture. */
static void turn_away_client(struct listener *listener, struct stream **stream,
                             unsigned most)
{
	char line[280], address[ADDRESS_TEXT_MAX];

	snprintf(line, sizeof line,
	         "421 4.7.0 %u connection%s from %s %s open "
	         "(max_connections_per_client), try again in a minute",
	         most, most == 1 ? "" : "s",
	         address_print(stream_peer(*stream), address),
	         most == 1 ? "is" : "are");
	turn_away(listener, stream, LIMIT_CLIENT_CONNECTIONS, line);
}

static bool is_too_many(struct listener *listener, struct stream **stream)
{
	const struct listener_config *config = config_of(listener);
	struct client *client = find_client(listener, stream_peer(*stream));

	if (listener->n_sessions >= config->max_connections ||
	    all_sessions >= global_cap) {
		turn_away(listener, stream, LIMIT_CONNECTIONS,
		          "421 4.3.2 Too many connections, "
		          "try again in a minute");
		return true;
	}
	if (client != NULL &&
	    client->sessions >= config->max_connections_per_client) {
		turn_away_client(listener, stream,
		                 config->max_connections_per_client);
		return true;
	}
	return false;
}

/* What the administrator can do about it. */
static const char *write_fix(const struct listener *listener,
                             enum access_verdict verdict, const char *client,
                             char fix[500])
{
	switch (verdict) {
	case ACCESS_ALLOWED:
		return NULL;
	case ACCESS_NOT_ALLOWED:
		snprintf(fix, 500, "to admit it, set in [listener %s]: allow = "
		         "private, %s", listener->name, client);
		return "not-allowed";
	case ACCESS_DENIED:
		snprintf(fix, 500, "%s stands in deny of [listener %s]", client,
		         listener->name);
		return "denied";
	case ACCESS_GATEWAY:
		snprintf(fix, 500, "all who come through the container's "
		         "published port look like its gateway %s, so this may "
		         "be anybody: use network_mode host, or, if only your "
		         "LAN reaches the port, set in [listener %s]: allow = "
		         "private, %s", client, listener->name, client);
		return "container-gateway";
	}
	return NULL;
}

/* Outside the lists: a 554 greeting, then QUIT is all there is. */
static void refuse_client(struct listener *listener, struct stream **stream,
                          enum access_verdict verdict)
{
	char text[ADDRESS_TEXT_MAX], refusal[200], reply[220], fix[500];
	const char *reason;

	address_print(stream_peer(*stream), text);
	snprintf(refusal, sizeof refusal,
	         "%s may not send mail here (lanpost, listener %s)", text,
	         listener->name);
	snprintf(reply, sizeof reply, "554 %s", refusal);
	reason = write_fix(listener, verdict, text, fix);
	log_refused(listener, stream_peer(*stream), reply, reason, fix);
	start_session(listener, stream, refusal);
}

static void on_connection(void *ctx, struct stream *stream)
{
	struct listener *listener = ctx;
	char text[ADDRESS_TEXT_MAX];
	enum access_verdict verdict;

	if (listener->draining) {
		stream_close(&stream);
		return;
	}
	if (is_gone(listener, &stream) || is_too_many(listener, &stream))
		return;
	verdict = access_check_behind(config_of(listener), stream_peer(stream),
	                              &listener->gateways);
	if (verdict != ACCESS_ALLOWED) {
		refuse_client(listener, &stream, verdict);
		return;
	}
	log_event(LOG_DEBUG, EVENT_CONNECTED,
	          F_STR("client", address_print(stream_peer(stream), text)),
	          F_STR("device", device_name(listener, stream_peer(stream))),
	          F_STR("listener", listener->name));
	start_session(listener, &stream, NULL);
}

/* ---- files ---- */

bool listener_load_files(struct listener *listener, const struct config *config,
                         const char **error_r)
{
	listener_files_unref(&listener->next_files);
	listener->next_files = listener_files_load(
		listener->services->loop, &config->relay,
		config_in(listener, config), error_r);
	return listener->next_files != NULL;
}

void listener_take_files(struct listener *listener)
{
	listener_files_log(listener->next_files, listener->files,
	                   config_of(listener));
	listener_files_unref(&listener->files);
	listener->files = listener->next_files;
	listener->next_files = NULL;
}

/* ---- life ---- */

static const char *bind_error(const struct address *address, const char *why)
{
	static _Thread_local char sentence[400];
	char text[ADDRESS_TEXT_MAX];

	snprintf(sentence, sizeof sentence,
	         "cannot listen on %s: %s; is another mail server running "
	         "there, or does the port need root or CAP_NET_BIND_SERVICE?",
	         address_print_port(address, text), why);
	return sentence;
}

static bool has_v4_wildcard(const struct listener_config *config, uint16_t port)
{
	static const uint8_t zero[16];
	size_t i;

	for (i = 0; i < config->address.n; i++) {
		const struct address *address = &config->address.addresses[i];

		if (!address->is_v6 && address->port == port &&
		    memcmp(address->bytes, zero, 4) == 0)
			return true;
	}
	return false;
}

static bool open_socket(struct listener *listener,
                        const struct listener_config *config,
                        const struct address *address, const char **error_r)
{
	struct stream_listener *socket = stream_listen(
		listener->services->loop, address,
		has_v4_wildcard(config, address->port), on_connection, listener,
		error_r);
	char text[ADDRESS_TEXT_MAX];
	struct address bound;

	if (socket == NULL) {
		*error_r = bind_error(address, *error_r);
		return false;
	}
	listener->sockets[listener->n_sockets++] = socket;
	stream_listener_address(socket, &bound);
	log_event(LOG_INFO, EVENT_LISTENING, F_STR("listener", listener->name),
	          F_STR("address", address_print_port(&bound, text)));
	return true;
}

/* A wildcard stands for both families; a host without IPv6 has one. */
static bool may_be_missing(const struct listener_config *config,
                           const struct address *address)
{
	static const uint8_t zero[16];

	return address->is_v6 && memcmp(address->bytes, zero, 16) == 0 &&
	       has_v4_wildcard(config, address->port);
}

struct listener *listener_open(struct services *services,
                               const struct listener_config *config,
                               const char **error_r)
{
	struct listener *listener = xcalloc(1, sizeof *listener);
	size_t i;

	listener->services = services;
	listener->name = xstrdup(config->name);
	listener->sockets = xcalloc(config->address.n + 1,
	                            sizeof *listener->sockets);
	listener->limits = limits_new(services, listener->name);
	gateways_find(&listener->gateways);
	for (i = 0; i < config->address.n; i++) {
		const struct address *address = &config->address.addresses[i];

		if (!open_socket(listener, config, address, error_r) &&
		    !may_be_missing(config, address)) {
			listener_free(&listener);
			return NULL;
		}
	}
	return listener;
}

static void close_sockets(struct listener *listener)
{
	while (listener->n_sockets > 0)
		stream_listener_close(&listener->sockets[--listener->n_sockets]);
}

void listener_drain(struct listener *listener, bool now)
{
	struct held *held, *next;

	listener->draining = true;
	close_sockets(listener);
	for (held = LIST_FIRST(&listener->sessions); held != NULL;
	     held = next) {
		next = LIST_NEXT(held, link);
		session_drain(held->session, now);
	}
}

void listener_on_empty(struct listener *listener, void (*on_empty)(void *ctx),
                       void *ctx)
{
	listener->on_empty = on_empty;
	listener->ctx = ctx;
}

void listener_free(struct listener **listener)
{
	if (*listener == NULL)
		return;
	close_sockets(*listener);
	(*listener)->on_empty = NULL;
	while (!LIST_EMPTY(&(*listener)->sessions))
		session_abort(LIST_FIRST(&(*listener)->sessions)->session);
	listener_files_unref(&(*listener)->files);
	listener_files_unref(&(*listener)->next_files);
	limits_free(&(*listener)->limits);
	free((*listener)->sockets);
	free((*listener)->name);
	free(*listener);
	*listener = NULL;
}
