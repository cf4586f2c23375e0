#include "proto/smtp_server_private.h"

#include <stdio.h>

enum {
	TRANSACTION_QUIRKS = 0
#define QUIRK_LASTS_SESSION(name)
#define QUIRK_LASTS_TRANSACTION(name) | SMTP_QUIRK(name)
#define X(name, lasts, text)          QUIRK_LASTS_##lasts(name)
	SMTP_QUIRK_MAP(X)
#undef X
};

static void refuse_path(struct smtp_server *server, bool is_mail,
			const char *error)
{
	char text[160];

	snprintf(text, sizeof text, "Bad %s address: %s",
		 is_mail ? "sender" : "recipient", error);
	server_refuse_line(server, 501, is_mail ? "5.1.7" : "5.1.3", text);
}

/* What may not pass although it reads as a path; NULL: it may.  A source
 * route is RFC 5321's own, to be read and dropped. */
static const char *check_path(const struct smtp_server *server, bool is_mail,
			      const struct smtp_path *path)
{
	unsigned mended = path->repairs & ~SMTP_PATH_REPAIR(ROUTE);

	if (!is_mail && smtp_path_is_null(path))
		return "it is empty";
	if (!is_mail && (mended & SMTP_PATH_REPAIR(LOCAL_DOT)) != 0)
		return "a dot is out of place before the @ sign";
	if (server->settings.strict && mended != 0)
		return "it is not written as <name@domain>";
	return NULL;
}

/* Parameters are taken whether they were offered or not; false: refused. */
static bool check_params(struct smtp_server *server, unsigned needs,
			 bool ignored)
{
	bool unoffered = (needs & ~server_offered(server)) != 0;

	if (!unoffered && !ignored)
		return true;
	server->quirks |= SMTP_QUIRK(PARAMETER);
	if (!server->settings.strict)
		return true;
	if (unoffered)
		server_refuse_line(server, 555, "5.5.4",
				   "A parameter behind the address was not "
				   "offered here");
	else
		server_refuse_line(server, 501, "5.5.4",
				   "A parameter behind the address is "
				   "malformed");
	return false;
}

/* ---- MAIL ---- */

static bool read_sender(struct smtp_server *server,
			const struct smtp_command *command,
			struct smtp_path *path_r, struct text *params_r)
{
	const char *error = "the command is MAIL FROM:<address>";

	if (command->has_keyword &&
	    smtp_path_parse(command->argument, path_r, params_r, &error))
		error = check_path(server, true, path_r);
	if (error != NULL)
		refuse_path(server, true, error);
	return error == NULL;
}

static bool read_mail_params(struct smtp_server *server, struct text rest,
			     struct smtp_mail_params *params_r)
{
	struct smtp_reply error;

	if (smtp_mail_params_parse(rest, params_r, &error))
		return check_params(server, params_r->needs, params_r->ignored);
	server_refuse(server, buf_text(&server->line), &error);
	return false;
}

static bool size_fits(struct smtp_server *server,
		      const struct smtp_mail_params *params)
{
	char text[160];
	uint64_t max = server->settings.max_message_size;

	if (max == 0 || !params->has_size || params->size <= max)
		return true;
	snprintf(text, sizeof text,
		 "The message is larger than the %llu octets allowed here",
		 (unsigned long long)max);
	server_refuse_line(server, 552, "5.3.4", text);
	return false;
}

/* RFC 5321 4.1.4 answers MAIL inside a transaction with 503.  One that had
 * each recipient refused can carry no mail any more, so none is lost when a
 * device that forgot RSET begins the next: it is answered as if RSET had come,
 * and the replies leave no doubt whose recipients are whose. */
static bool is_dead(const struct smtp_server *server)
{
	return server->recipients == 0 && server->recipient_refused &&
	       !server->settings.strict;
}

static void mail_inside(struct smtp_server *server)
{
	if (!is_dead(server)) {
		server_refuse_line(server, 503, "5.5.1",
				   "A mail transaction is open already");
		return;
	}
	server_end_transaction(server, true);
	server->run_again = true;
}

enum smtp_server_event_type server_mail(struct smtp_server *server,
					const struct smtp_command *command,
					struct smtp_server_event *event)
{
	struct text rest;

	if (server->transaction) {
		mail_inside(server);
		return SMTP_SERVER_EV_NONE;
	}
	server->quirks &= ~(unsigned)TRANSACTION_QUIRKS;
	if (server->run_again)
		server->quirks |= SMTP_QUIRK(NESTED_MAIL);
	if (!read_sender(server, command, &event->mail.path, &rest) ||
	    !read_mail_params(server, rest, &event->mail.params) ||
	    !size_fits(server, &event->mail.params))
		return SMTP_SERVER_EV_NONE;
	return server_ask(server, ASK_MAIL, SMTP_SERVER_EV_MAIL);
}

/* ---- RCPT ---- */

/* RFC 5321 4.5.3.1.10: 452, and those before are kept. */
static struct smtp_reply too_many(void)
{
	return smtp_reply_make(452, "4.5.3",
			       "Too many recipients for one message");
}

static bool has_all_recipients(const struct smtp_server *server)
{
	return server->settings.max_recipients > 0 &&
	       server->recipients >= server->settings.max_recipients;
}

static const char *count_recipients(const struct smtp_server *server,
				    struct smtp_path_list list, unsigned *n_r)
{
	struct smtp_path path;
	const char *error = NULL;

	for (*n_r = 0; smtp_path_list_next(&list, &path, &error); ++*n_r) {
		error = check_path(server, false, &path);
		if (error != NULL)
			return error;
	}
	return error == NULL && *n_r == 0 ? "it is empty" : error;
}

/* All of them are read before the first is asked about, so that a broken one
 * leaves none of its neighbours behind. */
static const char *read_several(struct smtp_server *server, struct text arg,
				struct text *rest_r, bool *is_list_r)
{
	struct several several = { .worst = { .code = 0 } };
	const char *error;

	*is_list_r = smtp_path_list_parse(arg, &several.list, rest_r);
	if (!*is_list_r)
		return NULL;
	if (server->settings.strict)
		return "one RCPT takes one recipient";
	error = count_recipients(server, several.list, &several.left);
	if (error == NULL)
		server->several = several;
	return error;
}

static bool is_separator(struct text rest)
{
	return rest.len > 0 && (rest.data[0] == ',' || rest.data[0] == ';');
}

static const char *read_recipients(struct smtp_server *server, struct text arg,
				   struct smtp_path *path_r,
				   struct text *rest_r)
{
	const char *error, *list_error;
	bool is_list;

	if (smtp_path_parse(arg, path_r, rest_r, &error) &&
	    !is_separator(*rest_r))
		return check_path(server, false, path_r);
	list_error = read_several(server, arg, rest_r, &is_list);
	return is_list ? list_error : error;
}

static bool read_rcpt_params(struct smtp_server *server, struct text rest,
			     struct smtp_rcpt_params *params_r)
{
	struct smtp_reply error;

	if (smtp_rcpt_params_parse(rest, params_r, &error))
		return check_params(server, params_r->needs, params_r->ignored);
	server_refuse(server, buf_text(&server->line), &error);
	return false;
}

static bool read_rcpt(struct smtp_server *server,
		      const struct smtp_command *command,
		      struct smtp_server_event *event)
{
	const char *error = "the command is RCPT TO:<address>";
	struct text rest;

	if (command->has_keyword)
		error = read_recipients(server, command->argument,
					&event->rcpt.path, &rest);
	if (error != NULL)
		refuse_path(server, false, error);
	return error == NULL &&
	       read_rcpt_params(server, rest, &event->rcpt.params);
}

enum smtp_server_event_type server_next_recipient(
	struct smtp_server *server, struct smtp_server_event *event)
{
	struct several *several = &server->several;
	const char *error;

	smtp_path_list_next(&several->list, &event->rcpt.path, &error);
	event->rcpt.params = several->params;
	return server_ask(server, ASK_RCPT, SMTP_SERVER_EV_RCPT);
}

enum smtp_server_event_type server_rcpt(struct smtp_server *server,
					const struct smtp_command *command,
					struct smtp_server_event *event)
{
	if (!server->transaction) {
		server_refuse_line(server, 503, "5.5.1",
				   "MAIL FROM comes before RCPT TO");
		return SMTP_SERVER_EV_NONE;
	}
	if (has_all_recipients(server)) {
		struct smtp_reply full = too_many();

		server_refuse(server, buf_text(&server->line), &full);
		return SMTP_SERVER_EV_NONE;
	}
	if (!read_rcpt(server, command, event)) {
		server->recipient_refused = true;
		server->several.left = 0;
		return SMTP_SERVER_EV_NONE;
	}
	if (server->several.left == 0)
		return server_ask(server, ASK_RCPT, SMTP_SERVER_EV_RCPT);
	server->quirks |= SMTP_QUIRK(SEVERAL_RCPT);
	server->several.params = event->rcpt.params;
	return server_next_recipient(server, event);
}

static bool keep_worst(struct several *several, const struct smtp_reply *reply)
{
	if (several->worst.code / 100 >= reply->code / 100)
		return false;
	several->worst = *reply;
	snprintf(several->worst_text, sizeof several->worst_text, "%.*s",
		 TEXT_ARG(reply->text));
	several->worst.text = text_of(several->worst_text);
	return true;
}

bool server_merge_answer(struct smtp_server *server, struct smtp_reply *reply)
{
	struct several *several = &server->several;
	struct smtp_reply full = too_many();

	several->left--;
	if (reply->code == 421) { /* said as it is */
		several->left = 0;
		return true;
	}
	keep_worst(several, reply);
	if (several->left > 0 && has_all_recipients(server)) {
		several->full = keep_worst(several, &full);
		several->left = 0;
	}
	*reply = several->worst;
	return several->left == 0;
}

/* ---- DATA ---- */

enum smtp_server_event_type server_data(struct smtp_server *server,
					const struct smtp_command *command,
					struct smtp_server_event *event)
{
	if (!server->transaction)
		server_refuse_line(server, 503, "5.5.1",
				   "MAIL FROM and RCPT TO come before DATA");
	else if (server->recipients == 0)
		server_refuse_line(server, 554, "5.5.1", "No valid recipients");
	else if (command->argument.len > 0)
		server_refuse_line(server, 501, "5.5.4",
				   "DATA takes no argument");
	else
		return server_ask(server, ASK_DATA, SMTP_SERVER_EV_DATA);
	server_close_if_talking(server);
	return SMTP_SERVER_EV_NONE;
}
