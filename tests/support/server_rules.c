#include "tests/support/server_rules.h"

#include <string.h>

void server_rules_init(struct server_rules *rules, unsigned max_recipients)
{
	*rules = (struct server_rules){ .max_recipients = max_recipients };
}

bool server_rules_is_question(enum smtp_server_event_type type)
{
	static const bool questions[] = {
		[SMTP_SERVER_EV_CONNECT] = true,
		[SMTP_SERVER_EV_EHLO] = true,
		[SMTP_SERVER_EV_STARTTLS] = true,
		[SMTP_SERVER_EV_AUTH] = true,
		[SMTP_SERVER_EV_AUTH_RESPONSE] = true,
		[SMTP_SERVER_EV_MAIL] = true,
		[SMTP_SERVER_EV_RCPT] = true,
		[SMTP_SERVER_EV_DATA] = true,
		[SMTP_SERVER_EV_DATA_END] = true,
		[SMTP_SERVER_EV_CLOSE] = false,
	};

	return questions[type];
}

/* What must hold when an event comes. */
static const char *check_event(const struct server_rules *rules,
			       enum smtp_server_event_type type)
{
	switch (type) {
	case SMTP_SERVER_EV_CONNECT:
		return rules->connected ? "CONNECT comes once" : NULL;
	case SMTP_SERVER_EV_STARTTLS:
	case SMTP_SERVER_EV_AUTH:
	case SMTP_SERVER_EV_AUTH_RESPONSE:
	case SMTP_SERVER_EV_MAIL:
		return rules->in_transaction ? "not inside a transaction"
					     : NULL;
	case SMTP_SERVER_EV_RCPT:
		return !rules->in_transaction ? "RCPT only after MAIL" : NULL;
	case SMTP_SERVER_EV_DATA:
		return !rules->in_transaction || rules->recipients == 0
			       ? "DATA only after RCPT"
			       : NULL;
	case SMTP_SERVER_EV_DATA_CHUNK:
	case SMTP_SERVER_EV_DATA_END:
		return !rules->in_data ? "mail data only between 354 and end"
				       : NULL;
	case SMTP_SERVER_EV_RESET:
		return !rules->in_transaction
			       ? "RESET only where a transaction is open"
			       : NULL;
	case SMTP_SERVER_EV_CLOSE:
		return rules->in_transaction ? "a transaction ends before CLOSE"
					     : NULL;
	case SMTP_SERVER_EV_EHLO:
	case SMTP_SERVER_EV_REFUSED:
	case SMTP_SERVER_EV_TLS_HELLO:
	case SMTP_SERVER_EV_NONE:
		return NULL;
	}
	return "no such event";
}

static void end_transaction(struct server_rules *rules)
{
	rules->in_transaction = false;
	rules->in_data = false;
	rules->recipients = 0;
}

const char *server_rules_event(struct server_rules *rules,
			       enum smtp_server_event_type type)
{
	const char *broken = check_event(rules, type);

	if (type == SMTP_SERVER_EV_NONE)
		return NULL;
	if (rules->closed)
		return "nothing comes after CLOSE";
	if (rules->open != SMTP_SERVER_EV_NONE)
		return "nothing comes while a question is open";
	if (server_rules_is_question(type))
		rules->open = type;
	if (type == SMTP_SERVER_EV_CONNECT)
		rules->connected = true;
	if (type == SMTP_SERVER_EV_RESET)
		end_transaction(rules);
	if (type == SMTP_SERVER_EV_DATA_END)
		rules->in_data = false;
	rules->closed = type == SMTP_SERVER_EV_CLOSE;
	return broken;
}

static void accepted(struct server_rules *rules,
		     enum smtp_server_event_type question)
{
	if (question == SMTP_SERVER_EV_MAIL)
		rules->in_transaction = true;
	if (question == SMTP_SERVER_EV_RCPT)
		rules->recipients++;
}

const char *server_rules_reply(struct server_rules *rules, int code)
{
	enum smtp_server_event_type question = rules->open;

	rules->open = SMTP_SERVER_EV_NONE;
	if (question == SMTP_SERVER_EV_NONE)
		return "a reply without a question";
	if (question == SMTP_SERVER_EV_CONNECT ||
	    question == SMTP_SERVER_EV_EHLO)
		rules->greetings++;
	if (code / 100 == 2)
		accepted(rules, question);
	if (question == SMTP_SERVER_EV_DATA && code == 354)
		rules->in_data = true;
	if (question == SMTP_SERVER_EV_DATA_END)
		end_transaction(rules);
	return rules->max_recipients > 0 &&
			       rules->recipients > rules->max_recipients
		       ? "no more recipients than max_recipients"
		       : NULL;
}

/* RFC 2034 4: each reply with 2xx, 4xx, 5xx bears a status of its class, the
 * greeting and the answer to EHLO bear none. */
static const char *check_status(struct server_rules *rules, struct text line)
{
	struct text text = text_skip(line, 4);
	struct smtp_status status = { 0 };
	bool has = smtp_status_parse(text, &status) > 0;

	if (line.data[0] == '3')
		return has ? "no status on 3xx" : NULL;
	if (rules->greetings > 0)
		return has && line.data[0] == '2'
			       ? "no status on greeting and EHLO"
			       : NULL;
	if (!has)
		return "a status on 2xx, 4xx and 5xx";
	return (char)('0' + status.class) != line.data[0]
		       ? "the status has the code's class"
		       : NULL;
}

static const char *check_line(struct text line)
{
	if (line.len + 2 > SMTP_REPLY_LINE_MAX)
		return "a reply line holds 512 octets";
	if (line.len < 4 || strchr("2345", line.data[0]) == NULL ||
	    (line.data[3] != ' ' && line.data[3] != '-'))
		return "a reply line has code and separator";
	for (size_t i = 0; i < line.len; i++)
		if (line.data[i] < 32 || line.data[i] > 126)
			return "a reply line is printable ASCII";
	return NULL;
}

/* One reply off the front of *bytes. */
static const char *take_reply(struct server_rules *rules, struct text *bytes)
{
	const char *broken = NULL, *end;
	char separator = '-', code[3] = "";
	struct text line;

	while (broken == NULL && separator == '-') {
		end = bytes->len == 0
			      ? NULL
			      : memmem(bytes->data, bytes->len, "\r\n", 2);
		if (end == NULL)
			return "a reply is written whole";
		line = text_make(bytes->data, (size_t)(end - bytes->data));
		*bytes = text_skip(*bytes, line.len + 2);
		broken = check_line(line);
		if (broken == NULL)
			broken = check_status(rules, line);
		if (broken != NULL)
			return broken;
		if (code[0] != '\0' && memcmp(code, line.data, 3) != 0)
			return "all lines of a reply have one code";
		memcpy(code, line.data, 3);
		separator = line.data[3];
	}
	return broken;
}

const char *server_rules_output(struct server_rules *rules, struct text bytes)
{
	const char *broken = NULL;

	while (broken == NULL && bytes.len > 0) {
		broken = take_reply(rules, &bytes);
		if (rules->greetings > 0)
			rules->greetings--;
	}
	return broken;
}
