#include "proto/smtp_command.h"

#include <stdio.h>

static const char *const verb_names[] = { [SMTP_VERB_UNKNOWN] = "?",
#define X(name) [SMTP_VERB_##name] = #name,
					  SMTP_VERB_MAP(X)
#undef X
};

enum { VERBS = sizeof(verb_names) / sizeof(verb_names[0]) };

const char *smtp_verb_name(enum smtp_verb verb)
{
	return verb_names[verb];
}

static enum smtp_verb find_verb(struct text word)
{
	for (unsigned verb = SMTP_VERB_UNKNOWN + 1; verb < VERBS; verb++)
		if (text_is(word, verb_names[verb]))
			return (enum smtp_verb)verb;
	return SMTP_VERB_UNKNOWN;
}

static struct text first_word(struct text line)
{
	size_t len = 0;

	while (len < line.len && line.data[len] != ' ' &&
	       line.data[len] != '\t')
		len++;
	return text_make(line.data, len);
}

/* RFC 5321 4.1.1.2:  mail = "MAIL FROM:" Reverse-path ...
 *                    rcpt = "RCPT TO:" Forward-path ... */
static void take_keyword(struct smtp_command *command, const char *keyword)
{
	struct text rest;

	if (!text_starts(command->argument, keyword))
		return;
	rest = text_skip(command->argument, text_of(keyword).len);
	rest = text_trim(rest);
	if (rest.len == 0 || rest.data[0] != ':')
		return;
	command->argument = text_skip(rest, 1);
	command->has_keyword = true;
}

void smtp_command_parse(struct text line, struct smtp_command *command_r)
{
	line = text_trim(line);
	*command_r = (struct smtp_command){ .word = first_word(line) };
	command_r->verb = find_verb(command_r->word);
	command_r->argument = text_trim(text_skip(line, command_r->word.len));
	if (command_r->verb == SMTP_VERB_MAIL)
		take_keyword(command_r, "FROM");
	else if (command_r->verb == SMTP_VERB_RCPT)
		take_keyword(command_r, "TO");
}

/* Only a word that we know to be a mechanism is shown: any other may be a
 * secret in the wrong place. */
static const char *shown_mechanism(struct text argument)
{
	static const char *const names[] = {
		"PLAIN",    "LOGIN",       "XOAUTH2",       "OAUTHBEARER",
		"CRAM-MD5", "DIGEST-MD5",  "NTLM",          "GSSAPI",
		"EXTERNAL", "SCRAM-SHA-1", "SCRAM-SHA-256",
	};
	struct text word = first_word(argument);

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (text_is(word, names[i]))
			return names[i];
	return NULL;
}

void smtp_command_masked(struct text line, char *out, size_t size)
{
	struct smtp_command command;
	const char *mechanism;

	smtp_command_parse(line, &command);
	if (!text_starts(command.word, "AUTH")) {
		snprintf(out, size, "%.*s", TEXT_ARG(line));
		return;
	}
	mechanism = command.verb == SMTP_VERB_AUTH
			    ? shown_mechanism(command.argument)
			    : NULL;
	if (mechanism == NULL)
		snprintf(out, size, "AUTH%s", line.len > 4 ? " ***" : "");
	else if (first_word(command.argument).len == command.argument.len)
		snprintf(out, size, "AUTH %s", mechanism);
	else
		snprintf(out, size, "AUTH %s ***", mechanism);
}
