/*
 * practice-provider -- an SMTP provider to practise with: takes mail, or
 * refuses it in the words of the real ones.  README.md in this folder.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "tests/provider/session.h"
#include "tests/support/certs.h"

enum { TEN_YEARS_S = 10 * 365 * 86400 };

static void __attribute__((noreturn)) die(const char *what, const char *why)
{
	fprintf(stderr, "practice-provider: %s: %s\n", what, why);
	exit(EX_UNAVAILABLE);
}

/* --- certificates ------------------------------------------------------- */

static char *in_dir(const struct options *options, const char *name)
{
	return xasprintf("%s/%s", options->dir, name);
}

/* Made once: whoever trusts the ca.pem of a run trusts the next one too. */
static void make_certificates(struct provider *provider)
{
	struct options *options = &provider->options;
	char *ca_file = in_dir(options, "ca.pem");
	struct cert_settings settings = { .common_name = "Practice CA",
	                                  .is_ca = true, .from_s = -86400,
	                                  .until_s = TEN_YEARS_S };
	struct cert *ca, *cert;

	options->cert = provider->own_cert = in_dir(options, "cert.pem");
	options->key = provider->own_key = in_dir(options, "key.pem");
	if (access(ca_file, R_OK) != 0 || access(options->cert, R_OK) != 0 ||
	    access(options->key, R_OK) != 0) {
		ca = cert_new(&settings);
		settings.common_name = "localhost";
		settings.names = "DNS:localhost,IP:127.0.0.1,IP:::1";
		settings.is_ca = false;
		settings.issuer = ca;
		cert = cert_new(&settings);
		cert_write(ca, ca_file);
		cert_write(cert, options->cert);
		cert_write_key(cert, options->key);
		cert_free(&ca);
		cert_free(&cert);
	}
	free(ca_file);
}

static void need_dir(struct options *options)
{
	static char made[] = "/tmp/practice-provider-XXXXXX";

	if (!options->dir)
		options->dir = mkdtemp(made);
	if (!options->dir ||
	    (mkdir(options->dir, 0755) != 0 && errno != EEXIST))
		die(options->dir ? options->dir : made, strerror(errno));
}

static void load_tls(struct provider *provider)
{
	struct options *options = &provider->options;
	const char *error = NULL;

	if (options->tls == TLS_MODE_NONE)
		return;
	if (!options->cert)
		make_certificates(provider);
	provider->tls = tls_context_server(&(struct tls_server_settings){
		.cert_file = options->cert, .key_file = options->key,
	}, &error);
	if (!provider->tls)
		die("TLS", error);
}

/* --- the script --------------------------------------------------------- */

static void reread_script(void *ctx, int signum)
{
	struct provider *provider = ctx;
	const char *error = NULL;
	struct script *script;

	(void)signum;
	if (!provider->options.script)
		return;
	script = script_load(provider->options.script, &error);
	if (!script) {
		fprintf(stderr, "practice-provider: %s; the old script stays\n",
		        error);
		return;
	}
	/* Sessions hold rules for the length of a delay at most. */
	if (provider->script) {
		struct script **slot = &provider->retired[
			provider->retired_count++ %
			(sizeof(provider->retired) / sizeof(script))];

		script_free(slot);
		*slot = provider->script;
	}
	provider->script = script;
}

static void load_script(struct provider *provider)
{
	const char *error = NULL;

	if (!provider->options.script)
		return;
	provider->script = script_load(provider->options.script, &error);
	if (provider->script)
		return;
	fprintf(stderr, "practice-provider: %s\n", error);
	exit(EX_CONFIG);
}

/* --- telling ------------------------------------------------------------ */

static void print_counts(void *ctx, int signum)
{
	const struct provider *provider = ctx;

	(void)signum;
	printf("connections=%llu logins=%llu transactions=%llu messages=%llu "
	       "octets=%llu refused=%llu\n",
	       (unsigned long long)provider->counts.connections,
	       (unsigned long long)provider->counts.logins,
	       (unsigned long long)provider->counts.transactions,
	       (unsigned long long)provider->counts.messages,
	       (unsigned long long)provider->counts.octets,
	       (unsigned long long)provider->options.limits.refused);
	fflush(stdout);
}

static void print_where(const struct provider *provider,
                        const struct address *address)
{
	static const char *const modes[] = { "STARTTLS", "implicit TLS",
	                                     "no TLS" };
	const struct options *options = &provider->options;
	char where[ADDRESS_TEXT_MAX];

	if (options->quiet)
		return;
	printf("practice-provider: listening on %s, %s",
	       address_print_port(address, where), modes[options->tls]);
	if (options->tls != TLS_MODE_NONE && options->dir)
		printf(", CA in %s/ca.pem", options->dir);
	if (options->discard)
		puts(", keeping no messages");
	else
		printf(", messages go to %s/new\n", options->dir);
	fflush(stdout);
}

/* Whoever waits for the file finds it whole. */
static void write_port(const char *path, unsigned port)
{
	char *temporary = xasprintf("%s.tmp", path);
	FILE *file = fopen(temporary, "we");

	if (!file || fprintf(file, "%u\n", port) < 0 || fclose(file) != 0 ||
	    rename(temporary, path) != 0)
		die(path, strerror(errno));
	free(temporary);
}

/* --- serving ------------------------------------------------------------ */

static void on_connection(void *ctx, struct stream *stream)
{
	session_start(ctx, stream);
}

static struct stream_listener *start_listening(struct provider *provider)
{
	const struct options *options = &provider->options;
	struct stream_listener *listener;
	struct address address;
	const char *error = NULL;

	if (!address_parse(text_of(options->listen), &address))
		die(options->listen, "this is not an address");
	address.port = options->port;
	listener = stream_listen(provider->loop, &address, false,
	                         on_connection, provider, &error);
	if (!listener)
		die(options->listen, error);
	stream_listener_address(listener, &address);
	print_where(provider, &address);
	if (options->port_file)
		write_port(options->port_file, address.port);
	return listener;
}

static void stop(void *ctx, int signum)
{
	struct provider *provider = ctx;

	(void)signum;
	loop_stop(provider->loop);
}

static void serve(struct provider *provider)
{
	static const struct {
		int signum;
		void (*act)(void *ctx, int signum);
	} signals[] = {
		{ SIGHUP, reread_script }, { SIGUSR1, print_counts },
		{ SIGTERM, stop }, { SIGINT, stop },
	};
	struct signal_watch *watches[4];
	struct stream_listener *listener;

	for (int i = 0; i < 4; i++)
		watches[i] = signal_watch_new(provider->loop,
			signals[i].signum, signals[i].act, provider);
	listener = start_listening(provider);
	loop_run(provider->loop);
	stream_listener_close(&listener);
	session_end_all(provider);
	for (int i = 0; i < 4; i++)
		signal_watch_free(&watches[i]);
}

int main(int argc, char **argv)
{
	struct provider provider = { 0 };
	struct options *options = &provider.options;

	options_parse(options, argc, argv);
	if (!options->discard || (options->tls != TLS_MODE_NONE &&
	                          !options->cert))
		need_dir(options);
	load_script(&provider);
	load_tls(&provider);
	if (!mailbox_open(&provider.mailbox, options))
		exit(EX_CANTCREAT);
	provider.loop = loop_new();
	serve(&provider);
	print_counts(&provider, 0);
	mailbox_close(&provider.mailbox);
	tls_context_unref(&provider.tls);
	script_free(&provider.script);
	limits_free(&options->limits);
	for (size_t i = 0; i < sizeof(provider.retired) /
	                       sizeof(provider.retired[0]); i++)
		script_free(&provider.retired[i]);
	loop_free(&provider.loop);
	free(provider.own_cert);
	free(provider.own_key);
	return 0;
}
