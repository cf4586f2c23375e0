#include "tests/provider/options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "proto/smtp_caps.h"
#include "tests/provider/script.h"

#define DEFAULT_CAPS "PIPELINING 8BITMIME SIZE ENHANCEDSTATUSCODES"

#define OPTION_MAP(X)                                                        \
	X(LISTEN, "listen", "ADDR", "address to listen on [127.0.0.1]")      \
	X(PORT, "port", "N", "port [the system chooses one]")                \
	X(PORT_FILE, "port-file", "FILE", "write the port there when ready") \
	X(TLS, "tls", "MODE", "starttls, implicit or none [starttls]")       \
	X(CERT, "cert", "FILE", "certificate and chain in PEM")              \
	X(KEY, "key", "FILE", "its key; without both, a CA and a\n"          \
	  "certificate for localhost and 127.0.0.1 are made in\n"            \
	  "the directory of --dir: ca.pem cert.pem key.pem")                 \
	X(AUTH, "auth", "LIST", "mechanisms offered: LOGIN PLAIN XOAUTH2, "  \
	  "or\n\"\" for none [LOGIN PLAIN]")                                 \
	X(USER, "user", "NAME", "demand a login by this name")               \
	X(PASSWORD, "password", "WORD", "and this password or token")        \
	X(DIR, "dir", "DIR", "each message goes to DIR/new/NNN.eml, its\n"   \
	  "envelope to NNN.json [a directory made for it]")                  \
	X(DISCARD, "discard", NULL, "keep no messages")                      \
	X(JOURNAL, "journal", "FILE", "append a line per accepted message "  \
	  "before\nits 250: Message-ID, X-Token, sender, recipients,\n"      \
	  "octets, with tabs between, - for none")                           \
	X(LATENCY, "latency", "MS", "hold the replies to each flight back")  \
	X(CAPS, "caps", "LIST", "EHLO keywords\n[" DEFAULT_CAPS "]")         \
	X(SIZE, "size", "N", "octets a message may have [no limit]")         \
	X(LIMITS, "limits", "LIST", "how fast one may send: minute=30 "      \
	  "day=10000\nconnections=3 recipients=500 [no limit]")              \
	X(SCRIPT, "script", "FILE", "misbehave as it says")                  \
	X(TRACE, "trace", NULL, "print the dialogue to standard error")      \
	X(QUIET, "quiet", NULL, "print only the counts")                     \
	X(HELP, "help", NULL, "this")

enum option_id {
#define X(name, word, argument, help) OPTION_##name,
	OPTION_MAP(X)
#undef X
	OPTIONS
};

static const struct option options[] = {
#define X(name, word, argument, help) \
	[OPTION_##name] = { word, (argument) ? required_argument \
	                                     : no_argument, NULL, OPTION_##name },
	OPTION_MAP(X)
#undef X
	[OPTIONS] = { NULL, 0, NULL, 0 },
};

static const struct {
	const char *word, *argument, *help;
} help_lines[] = {
#define X(name, word, argument, help) { word, argument, help },
	OPTION_MAP(X)
#undef X
};

static void print_help(void)
{
	puts("practice-provider: an SMTP provider to practise with, which "
	     "refuses on demand\n");
	for (unsigned i = 0; i < OPTIONS; i++) {
		const char *argument = help_lines[i].argument;
		struct text rest = text_of(help_lines[i].help), line;
		int used = printf("  --%s %s", help_lines[i].word,
		                  argument ? argument : "");

		while (text_token(&rest, '\n', &line)) {
			printf("%*s%.*s\n", used < 22 ? 22 - used : 1, "",
			       TEXT_ARG(line));
			used = 0;
		}
	}
	puts("\nSIGUSR1, and the end, print the counts; SIGHUP rereads the "
	     "script.");
	script_print_help();
}

static void __attribute__((format(printf, 1, 2), noreturn))
usage(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("practice-provider: ", stderr);
	vfprintf(stderr, format, args);
	fputs("; --help tells more\n", stderr);
	va_end(args);
	exit(EX_USAGE);
}

static uint64_t number(enum option_id option, const char *value, uint64_t max)
{
	uint64_t result;

	if (!text_to_u64(text_of(value), &result) || result > max)
		usage("--%s: \"%s\" is not a number up to %llu",
		      help_lines[option].word, value, (unsigned long long)max);
	return result;
}

static enum tls_mode tls_mode(const char *value)
{
	static const char *const words[] = { "starttls", "implicit", "none" };

	for (unsigned i = 0; i < 3; i++)
		if (strcmp(value, words[i]) == 0)
			return (enum tls_mode)i;
	usage("--tls is starttls, implicit or none");
}

static unsigned cap_bit(struct text word)
{
	static const struct {
		const char *keyword;
		unsigned bit;
	} caps[] = {
#define X(name, keyword) { keyword, SMTP_CAP(name) },
		SMTP_CAP_MAP(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(caps) / sizeof(caps[0]); i++)
		if (text_is(word, caps[i].keyword))
			return caps[i].bit;
	usage("--caps: \"%.*s\" is not known", TEXT_ARG(word));
}

static unsigned caps_of(const char *list)
{
	struct text rest = text_of(list), word;
	unsigned caps = 0;

	while (text_token(&rest, ' ', &word))
		if (word.len > 0)
			caps |= cap_bit(word);
	return caps & ~(SMTP_CAP(STARTTLS) | SMTP_CAP(AUTH));
}

static void set(struct options *to, enum option_id option, const char *value)
{
	switch (option) {
	case OPTION_LISTEN: to->listen = value; break;
	case OPTION_PORT: to->port = (uint16_t)number(option, value, 65535); break;
	case OPTION_PORT_FILE: to->port_file = value; break;
	case OPTION_TLS: to->tls = tls_mode(value); break;
	case OPTION_CERT: to->cert = value; break;
	case OPTION_KEY: to->key = value; break;
	case OPTION_AUTH: to->auth = value; break;
	case OPTION_USER: to->user = value; break;
	case OPTION_PASSWORD: to->password = value; break;
	case OPTION_DIR: to->dir = value; break;
	case OPTION_DISCARD: to->discard = true; break;
	case OPTION_JOURNAL: to->journal = value; break;
	case OPTION_LATENCY:
		to->latency_ms = (unsigned)number(option, value, 600000);
		break;
	case OPTION_CAPS: to->caps = caps_of(value); break;
	case OPTION_SIZE: to->size = number(option, value, UINT64_MAX); break;
	case OPTION_LIMITS:
		if (!limits_parse(&to->limits, text_of(value)))
			usage("--limits: \"%s\" is no list of limits", value);
		break;
	case OPTION_SCRIPT: to->script = value; break;
	case OPTION_TRACE: to->trace = true; break;
	case OPTION_QUIET: to->quiet = true; break;
	case OPTION_HELP:
		print_help();
		exit(0);
	case OPTIONS: break;
	}
}

void options_parse(struct options *options_r, int argc, char **argv)
{
	int option;

	*options_r = (struct options){
		.listen = "127.0.0.1", .auth = "LOGIN PLAIN",
		.caps = caps_of(DEFAULT_CAPS),
	};
	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (option == '?')
			exit(EX_USAGE);
		set(options_r, (enum option_id)option, optarg);
	}
	if (optind < argc)
		usage("\"%s\" is not an option", argv[optind]);
	if (!options_r->cert != !options_r->key)
		usage("--cert and --key come together");
	if (options_r->user && !options_r->password)
		usage("--user needs a --password");
}
