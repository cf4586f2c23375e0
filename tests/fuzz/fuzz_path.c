/* A command line: whatever is taken as a path or parameter holds nothing that
 * could be a second command, and reads the same when it is written again. */
#include <string.h>

#include "proto/buf.h"
#include "proto/smtp_command.h"
#include "proto/smtp_params.h"
#include "proto/smtp_path.h"
#include "proto/smtp_syntax.h"
#include "tests/fuzz/fuzz.h"

static void check_parts(const struct smtp_path *path)
{
	struct text domain = smtp_path_domain(path);

	must(!smtp_has_control(path->address));
	must(!smtp_has_8bit(path->address));
	must(path->address.len + 2 <= SMTP_PATH_MAX);
	must(smtp_path_local(path).len <= SMTP_LOCAL_MAX);
	must(path->at <= path->address.len);
	must(domain.len == 0 || path->address.data[path->at] == '@');
	must(domain.len == 0 || smtp_is_domain(domain) ||
	     smtp_is_address_literal(domain));
}

/* In brackets it is a path that needs no repair, and the same one. */
static void check_again(const struct smtp_path *path)
{
	struct buf wire = BUF_INIT(1000);
	struct smtp_path again;
	struct text rest;
	const char *error;

	buf_printf(&wire, "<%.*s> X", TEXT_ARG(path->address));
	must(smtp_path_parse(buf_text(&wire), &again, &rest, &error));
	must(again.repairs == (path->repairs & SMTP_PATH_REPAIR(LOCAL_DOT)));
	must(text_is(rest, "X"));
	must(smtp_path_equal(path, &again));
	must(text_equal(path->address, again.address));
	must(smtp_address_parse(path->address, &again) ==
	     (path->at < path->address.len && again.repairs == 0));
	buf_free(&wire);
}

static void check_params(struct text rest)
{
	struct smtp_mail_params mail;
	struct smtp_rcpt_params rcpt;
	struct smtp_reply reply = { 0 };

	if (!smtp_mail_params_parse(rest, &mail, &reply))
		must(reply.code == 501 || reply.code == 555);
	else
		must(!smtp_has_control(rest) ||
		     memchr(rest.data, '\t', rest.len) != NULL);
	reply.code = 0;
	if (!smtp_rcpt_params_parse(rest, &rcpt, &reply))
		must(reply.code == 501 || reply.code == 555);
}

static void check_path(struct text arg)
{
	struct smtp_path path;
	struct text rest;
	const char *error = NULL;

	if (!smtp_path_parse(arg, &path, &rest, &error)) {
		must(error != NULL && error[0] != '\0');
		return;
	}
	must(error == NULL);
	check_parts(&path);
	check_again(&path);
	check_params(rest);
}

static void check_list(struct text arg)
{
	struct smtp_path_list list;
	struct smtp_path path;
	struct text rest;
	const char *error = NULL;
	size_t octets = 0;

	if (!smtp_path_list_parse(arg, &list, &rest))
		return;
	must(list.rest.len + rest.len <= arg.len);
	while (smtp_path_list_next(&list, &path, &error)) {
		must(error == NULL);
		check_parts(&path);
		check_again(&path);
		octets += path.address.len;
	}
	must(octets <= arg.len && (error == NULL || error[0] != '\0'));
	check_params(rest);
}

static void check_xtext(struct text text)
{
	struct buf out = BUF_INIT(1 << 20);

	if (!smtp_xtext_decode(&out, text))
		must(buf_len(&out) == 0);
	else
		must(buf_len(&out) <= text.len);
	buf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text line = text_make((const char *)data, size);
	struct smtp_command command;
	char masked[100];

	smtp_command_parse(line, &command);
	must(command.word.len + command.argument.len <= line.len);
	smtp_command_masked(line, masked, sizeof(masked));
	must(strlen(masked) < sizeof(masked));
	check_path(command.argument);
	check_path(line);
	check_list(command.argument);
	check_list(line);
	check_xtext(line);
	return 0;
}
