#include "relay/inbound/session_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "relay/queue/envelope.h"
#include "relay/report/log.h"

enum { USER_LOGGED_MAX = 100, REPLY_MAX = 2048 };

static const char *device_name(const struct session *session)
{
	return session->device == NULL ? NULL : session->device->name;
}

static const struct envelope *envelope_of(const struct session *session)
{
	return session->transaction == NULL
	               ? NULL : transaction_envelope(session->transaction);
}

/* What is said besides, of one kind of rejection. */
struct remark {
	int64_t octets;        /* of unfinished data; -1: not said */
	const char *tail, *reason, *fix;
	struct text user;      /* data NULL: not said */
	struct text address;   /* of the MAIL or RCPT that is refused, or NULL */
};

/* Whom a rejection is about: of the open transaction, or of the one whose data
 * is refused at its end. */
struct parties {
	const char *id; /* NULL: no transaction */
	char *from, *to; /* owned */
};

/* The provider's verdict is about a message that the queue has had. */
static const char *id_of_queued(const struct session *session,
                                char text[static MESSAGE_ID_TEXT])
{
	message_id id = session->transaction == NULL
	                        ? 0 : transaction_queued_id(session->transaction);

	return id == 0 ? NULL : message_id_print(id, text);
}

static void find_parties(const struct session *session,
                         const struct remark *remark, bool is_data,
                         char id[static MESSAGE_ID_TEXT],
                         struct parties *parties_r)
{
	const struct envelope *envelope = envelope_of(session);

	if (envelope == NULL && is_data)
		envelope = session->refused;
	*parties_r = (struct parties){ 0 };
	if (envelope == NULL && is_data)
		parties_r->id = id_of_queued(session, id);
	if (envelope == NULL) {
		if (remark->address.data != NULL)
			parties_r->from = text_dup(remark->address);
		return;
	}
	parties_r->id = message_id_print(envelope->id, id);
	parties_r->from = text_dup(text_of(envelope->reverse_path));
	if (remark->address.data != NULL)
		parties_r->to = text_dup(remark->address);
	else if (envelope->n_recipients > 0)
		parties_r->to = envelope_recipient_list(envelope,
		                                        RECIPIENT_QUEUED, 500);
}

static void log_rejected(struct session *session, const char *command,
                         const struct smtp_reply *reply,
                         const struct remark *remark)
{
	struct buf line = BUF_INIT(REPLY_MAX);
	struct log_field octets = F_INT("octets", remark->octets);
	char id[MESSAGE_ID_TEXT];
	struct parties parties;

	if (remark->octets < 0)
		octets = F_STR("octets", NULL);
	smtp_reply_line(&line, reply);
	find_parties(session, remark, strcmp(command, "DATA") == 0, id,
	             &parties);
	log_event(LOG_WARN, EVENT_REJECTED, F_STR("id", parties.id),
	          F_STR("client", session->client_text),
	          F_STR("device", device_name(session)),
	          F_STR("listener", session->listener->name),
	          F_STR("from", parties.from), F_STR("to", parties.to),
	          F_STR("command", command), F_TEXT("user", remark->user),
	          F_TEXT("reply", buf_text(&line)), octets,
	          F_STR("tail", remark->tail), F_STR("reason", remark->reason),
	          F_STR("fix", remark->fix));
	buf_free(&line);
	free(parties.to);
	free(parties.from);
}

void session_log_rejected(struct session *session, const char *command,
                          const struct smtp_reply *reply)
{
	log_rejected(session, command, reply,
	             &(struct remark){ .octets = -1 });
}

void session_log_rejected_address(struct session *session, const char *command,
                                  struct text address,
                                  const struct smtp_reply *reply)
{
	log_rejected(session, command, reply,
	             &(struct remark){ .octets = -1, .address = address });
}

void session_log_limited(struct session *session, struct text address,
                         const struct smtp_reply *reply)
{
	enum limit limit = LIMIT_CLIENT_MESSAGES;

	if (limits_is_news(session->settings.limits, &session->client, limit))
		log_rejected(session, "MAIL", reply,
		             &(struct remark){ .octets = -1,
		                     .address = address,
		                     .reason = limit_reason(limit),
		                     .fix = limit_fix(limit) });
}

/* ---- refusals that have a cure ---- */

static const char *cure_for(const struct session *session, const char *command,
                            const struct smtp_reply *reply)
{
	if (session->login_kind == LOGIN_OFF && reply->code == 503 &&
	    strncasecmp(command, "AUTH", 4) == 0)
		return "switch the login off in the device; or, if it insists, "
		       "set auth = any in a [device] section for it";
	if (smtp_status_is(&reply->status, "5.4.6"))
		return "look for a forwarding or rule at the provider, or an "
		       "account's host, that leads back to this listener";
	if (reply->code != 530 && reply->code != 538)
		return NULL;
	if (session->listener->tls == LISTENER_TLS_REQUIRED &&
	    !stream_is_secure(session->stream))
		return "switch the device to STARTTLS; or set tls = starttls "
		       "on this listener, which leaves it the choice";
	if (session->login_kind == LOGIN_FILE &&
	    !session_offers_login(session, stream_is_secure(session->stream)))
		return "switch the device to STARTTLS, and give it a user name "
		       "and password of the file in auth of this listener";
	if (session->login_kind == LOGIN_FILE)
		return "give the device a user name and password of the file "
		       "in auth of this listener";
	return NULL;
}

void session_log_refused(struct session *session,
                         const struct smtp_server_event *event)
{
	char *command = text_dup(event->refused.command);
	const struct smtp_reply *reply = &event->refused.reply;

	log_rejected(session, command, reply,
	             &(struct remark){
		             .octets = -1,
		             .fix = cure_for(session, command, reply) });
	free(command);
}

void session_log_failed_login(struct session *session, struct text user,
                              const struct smtp_reply *reply)
{
	static const char wrong_login[] =
		"correct user name and password in the device; or write a "
		"line of \"lanpost password USER\" to the file in auth of "
		"this listener and reload lanpost";

	if (user.len > USER_LOGGED_MAX)
		user.len = USER_LOGGED_MAX;
	log_rejected(session, "AUTH", reply,
	             &(struct remark){ .octets = -1, .user = user,
		             .fix = reply->code == 535 ? wrong_login : NULL });
}

/* ---- data without an end ---- */

void session_note_tail(struct session *session, const void *data, size_t len)
{
	const uint8_t *octets = data;
	size_t keep = len < SESSION_TAIL ? SESSION_TAIL - len : 0;

	if (keep > session->n_tail)
		keep = session->n_tail;
	if (len > SESSION_TAIL) {
		octets += len - SESSION_TAIL;
		len = SESSION_TAIL;
	}
	memmove(session->tail, session->tail + session->n_tail - keep, keep);
	memcpy(session->tail + keep, octets, len);
	session->n_tail = (unsigned)(keep + len);
}

void session_log_unfinished(struct session *session,
                            const struct smtp_reply *reply)
{
	const struct smtp_data_stats *stats =
		smtp_server_data_stats(session->smtp);
	char tail[2 * SESSION_TAIL + 1] = "";
	struct remark remark = { .octets = (int64_t)stats->octets,
		.tail = tail };
	unsigned i;

	for (i = 0; i < session->n_tail; i++)
		snprintf(tail + 2 * i, 3, "%02x", session->tail[i]);
	if (stats->lf_dot)
		remark.fix = "set lf_end_of_data = yes in a [device] section "
		             "for this client";
	log_rejected(session, "DATA", reply, &remark);
}

/* ---- the dialogue ---- */

void session_log_trace(void *ctx, enum smtp_side said_by, struct text line)
{
	struct session *session = ctx;

	log_event(LOG_DEBUG, EVENT_DIALOGUE,
	          F_STR("client", session->client_text),
	          F_STR("side",
	                said_by == SMTP_SIDE_CLIENT ? "device" : "lanpost"),
	          F_TEXT("line", line));
}
