#include "relay/cli/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/text.h"
#include "relay/inbound/login_hash.h"
#include "relay/inbound/login_users.h"

enum { PASSWORD_MAX = 512 };

/* A line of standard input, without its end; false with the reason. */
static bool read_line(char password[PASSWORD_MAX + 2], const char **error_r)
{
	size_t len;

	*error_r = "no password came from standard input";
	if (fgets(password, PASSWORD_MAX + 2, stdin) == NULL)
		return false;
	len = strlen(password);
	*error_r = "the password is longer than 512 octets, or holds a NUL";
	if (len > 0 && password[len - 1] == '\n')
		password[--len] = '\0';
	else if (!feof(stdin))
		return false;
	if (len > 0 && password[len - 1] == '\r')
		password[--len] = '\0';
	*error_r = "the password is empty";
	return len > 0;
}

/* The same from a terminal, which shows nothing meanwhile. */
static bool ask(const char *prompt, char password[PASSWORD_MAX + 2],
                const char **error_r)
{
	struct termios as_it_was, silent;
	bool changed = tcgetattr(STDIN_FILENO, &as_it_was) == 0, read;

	silent = as_it_was;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	changed = changed &&
	          tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0;
	fputs(prompt, stderr);
	read = read_line(password, error_r);
	if (changed)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_it_was);
	fputc('\n', stderr);
	return read;
}

static bool ask_twice(char password[PASSWORD_MAX + 2], const char **error_r)
{
	char again[PASSWORD_MAX + 2] = "";
	bool same;

	if (!ask("Password: ", password, error_r) ||
	    !ask("The same again: ", again, error_r))
		return false;
	same = strcmp(password, again) == 0;
	explicit_bzero(again, sizeof again);
	*error_r = "the two passwords differ";
	return same;
}

static int print_line(const char *user)
{
	char password[PASSWORD_MAX + 2] = "", hash[LOGIN_HASH_TEXT];
	const char *error;
	bool made;

	if (!(isatty(STDIN_FILENO) ? ask_twice(password, &error)
	                           : read_line(password, &error))) {
		explicit_bzero(password, sizeof password);
		fprintf(stderr, "lanpost password: %s\n", error);
		return EX_DATAERR;
	}
	made = login_hash_make(password, hash);
	explicit_bzero(password, sizeof password);
	if (!made) {
		fprintf(stderr, "lanpost password: no hash could be made: %s\n",
		        strerror(errno));
		return EX_OSERR;
	}
	printf("%s:%s\n", user, hash);
	return fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

int cmd_password(struct cli *cli, int argc, char **argv)
{
	const char *fault;

	(void)cli;
	if (argc == 2 && argv[1][0] == '-')
		return cli_usage("password", "unknown option %s", argv[1]);
	if (argc != 2)
		return cli_usage("password", "one user name is needed");
	fault = login_user_fault(text_of(argv[1]));
	if (fault != NULL)
		return cli_usage("password", "%s", fault);
	return print_line(argv[1]);
}
