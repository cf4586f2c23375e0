#include "proto/smtp_server_private.h"

#include <stdio.h>

enum { OVERSIZE_MAX = 64 * 1024 * 1024 }; /* in vain, behind a 552 to come */

const struct smtp_data_stats *smtp_server_data_stats(
	const struct smtp_server *server)
{
	return &server->data.stats;
}

void smtp_server_refuse_data(struct smtp_server *server, int code,
			     const char *status, const char *text)
{
	if (server->state != SMTP_SERVER_DATA || server->discarding)
		return;
	snprintf(server->refusal_text, sizeof server->refusal_text, "%s", text);
	server->refusal = smtp_reply_make(code, status, server->refusal_text);
	server->discarding = true;
	if (server->transaction)
		server->owes_reset = true;
	server->transaction = false;
}

static void check_data(struct smtp_server *server)
{
	const struct smtp_data_stats *stats = &server->data.stats;
	uint64_t max = server->settings.max_message_size;
	char text[160];

	if (server->discarding)
		return;
	if (max > 0 && stats->octets > max) {
		snprintf(text, sizeof text,
			 "The message is larger than the %llu octets allowed "
			 "here",
			 (unsigned long long)max);
		smtp_server_refuse_data(server, 552, "5.3.4", text);
	} else if (stats->nul > 0) {
		smtp_server_refuse_data(server, 554, "5.6.0",
					"The message holds NUL characters");
	}
}

static enum smtp_server_event_type end_data(struct smtp_server *server,
					    struct smtp_server_event *event)
{
	server->wary = true;
	if (server->data.stats.lf_ended)
		server->quirks |= SMTP_QUIRK(LF_END);
	if (server->discarding) {
		struct smtp_reply refusal = server->refusal;

		server_end_transaction(server, false);
		server_refuse(server, text_of("DATA"), &refusal);
		if (server->data.stats.lf_ended)
			server_close(server);
		return SMTP_SERVER_EV_NONE;
	}
	event->data_end = &server->data.stats;
	return server_ask(server, ASK_DATA_END, SMTP_SERVER_EV_DATA_END);
}

enum smtp_server_event_type server_next_data(struct smtp_server *server,
					     struct smtp_server_event *event)
{
	uint64_t max = server->settings.max_message_size;
	struct text input, piece;
	int result;

	for (;;) {
		input = server_unread(server);
		if (input.len == 0)
			return SMTP_SERVER_EV_NONE;
		piece = input;
		result = smtp_data_read(&server->data, &input, &event->chunk);
		server_consume(server, piece.len - input.len);
		if (result < 0)
			return end_data(server, event);
		check_data(server);
		if (max > 0 &&
		    server->data.stats.octets > 2 * max + OVERSIZE_MAX) {
			/* It was told by SIZE and goes on all the same. */
			smtp_server_goodbye(server, 552, "5.3.4",
					    "The message is far too large, "
					    "closing the connection");
			return SMTP_SERVER_EV_NONE;
		}
		if (server->owes_reset || result == 0)
			return SMTP_SERVER_EV_NONE;
		if (!server->discarding)
			return SMTP_SERVER_EV_DATA_CHUNK;
	}
}
