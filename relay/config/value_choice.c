#include "relay/config/value_kind.h"

#include <stdlib.h>
#include <string.h>
#include "proto/xalloc.h"
#include "relay/config/config.h"
#include "relay/config/nearest.h"

bool value_parse_bool(const struct value_kind *kind, struct text text,
		      void *field, struct buf *why)
{
	bool *out = field;

	(void)kind;
	if (!text_is(text, "yes") && !text_is(text, "no"))
		return value_refuse(why, text, "is neither yes nor no");
	*out = text_is(text, "yes");
	return true;
}

static void list_choices(const struct value_choice *choice, struct buf *out)
{
	const struct value_choice *first = choice;

	for (; choice->name; choice++) {
		if (choice != first)
			buf_puts(out, choice[1].name ? ", " : " or ");
		buf_puts(out, choice->name);
	}
}

bool value_parse_choice(const struct value_kind *kind, struct text text,
			void *field, struct buf *why)
{
	const struct value_choice *choice;
	struct nearest nearest;
	int *out = field;

	nearest_begin(&nearest, text);
	for (choice = kind->choices; choice->name; choice++) {
		if (text_is(text, choice->name)) {
			*out = choice->value;
			return true;
		}
		nearest_try(&nearest, choice->name);
	}
	buf_printf(why, "\"%.*s\" is not one of ", TEXT_ARG(text));
	list_choices(kind->choices, why);
	if (nearest.best)
		buf_printf(why, "; did you mean \"%s\"?", nearest.best);
	return false;
}

bool value_parse_tls_version(const struct value_kind *kind, struct text text,
			     void *field, struct buf *why)
{
	if (text_is(text, "1.0") || text_is(text, "1.1"))
		return value_refuse(why, text,
				    "is too old to protect a password; "
				    "write 1.2 or 1.3");
	return value_parse_choice(kind, text, field, why);
}

bool value_parse_auth(const struct value_kind *kind, struct text text,
		      void *field, struct buf *why)
{
	if (text_is(text, "xoauth2") || text_is(text, "oauthbearer"))
		return value_refuse(why, text,
				    "is not yet supported; today auth is "
				    "auto, plain, login or none");
	return value_parse_choice(kind, text, field, why);
}

/* Words that mean something elsewhere, and would be odd names of files. */
static const char *const no_files[] = { "off",   "any",      "on",   "yes",
					"no",    "none",     "all",  "true",
					"false", "required", "file", "plain",
					"login", "auto" };

bool value_login_is_file(struct text text)
{
	for (size_t i = 0; i < sizeof(no_files) / sizeof(no_files[0]); i++) {
		if (text_is(text, no_files[i]))
			return false;
	}
	return true;
}

VALUE_PARSER(login)
{
	struct login_value login = { LOGIN_OFF, NULL };

	if (text_is(text, "any"))
		login.kind = LOGIN_ANY;
	else if (value_login_is_file(text))
		login.kind = LOGIN_FILE;
	else if (!text_is(text, "off"))
		return value_refuse(why, text,
				    "is not one of off, any (whatever a "
				    "device gives is right) or a file of "
				    "user:hash lines, such as "
				    "/etc/lanpost/users");
	if (login.kind == LOGIN_FILE &&
	    !value_parse_text(kind, text, &login.file, why))
		return false;
	value_free_login(field);
	memcpy(field, &login, sizeof(login));
	return true;
}

VALUE_PRINTER(login)
{
	const struct login_value *login = field;

	(void)kind;
	if (login->kind == LOGIN_FILE)
		buf_puts(out, login->file);
	else
		buf_puts(out, login->kind == LOGIN_ANY ? "any" : "off");
}

void value_free_login(void *field)
{
	struct login_value *login = field;

	free(login->file);
	*login = (struct login_value){ 0 };
}

VALUE_PARSER(device_auth)
{
	bool *any = field;

	(void)kind;
	if (!text_is(text, "any"))
		return value_refuse(why, text,
				    "is not \"any\" (whatever the device "
				    "gives is right); leave the line out to "
				    "have it as the listener says");
	*any = true;
	return true;
}

VALUE_PRINTER(device_auth)
{
	const bool *any = field;

	(void)kind;
	buf_puts(out, *any ? "any" : "");
}

void value_print_bool(const struct value_kind *kind, const void *field,
		      struct buf *out)
{
	const bool *yes = field;

	(void)kind;
	buf_puts(out, *yes ? "yes" : "no");
}

void value_print_choice(const struct value_kind *kind, const void *field,
			struct buf *out)
{
	const struct value_choice *choice = kind->choices;
	const int *value = field;

	while (choice->name && choice->value != *value)
		choice++;
	buf_puts(out, choice->name ? choice->name : "");
}
