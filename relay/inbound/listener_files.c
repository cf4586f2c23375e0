#include "relay/inbound/listener_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/xalloc.h"
#include "relay/report/log.h"

enum { EXPIRY_WARNING_S = 30 * 24 * 3600 };

/* ---- loading ---- */

static bool fail(const struct listener_config *listener, const char *key,
                 const char *why, const char **error_r)
{
	static _Thread_local char sentence[900];

	snprintf(sentence, sizeof sentence, "listener %s: %s: %s",
	         listener->name, key, why);
	*error_r = sentence;
	return false;
}

static bool load_context(struct listener_files *files, const char *key_file,
                         const struct relay_config *relay,
                         const struct listener_config *listener,
                         const char **error_r)
{
	struct tls_server_settings settings = {
		.cert_file = files->cert_file,
		.key_file = key_file,
		.min_version = listener->tls_min,
	};

	files->tls = tls_context_server(&settings, error_r);
	if (files->tls == NULL ||
	    !tls_certificate_read(files->cert_file, relay->hostname,
	                          &files->certificate, error_r))
		return fail(listener, files->self_made ? "tls" : "tls_cert",
		            *error_r, error_r);
	return true;
}

static bool load_self_made(struct listener_files *files,
                           const struct relay_config *relay,
                           const struct listener_config *listener,
                           const char **error_r)
{
	char *key = xasprintf("%s/tls-key.pem", relay->spool);
	struct tls_self_made settings = { .key_file = key,
		.hostname = relay->hostname };
	bool loaded;

	files->self_made = true;
	settings.cert_file = files->cert_file =
		xasprintf("%s/tls-cert.pem", relay->spool);
	loaded = tls_certificate_make(&settings, &files->just_made, error_r) ||
	         fail(listener, "tls", *error_r, error_r);
	loaded = loaded &&
	         load_context(files, key, relay, listener, error_r);
	free(key);
	return loaded;
}

static bool load_tls(struct listener_files *files,
                     const struct relay_config *relay,
                     const struct listener_config *listener,
                     const char **error_r)
{
	if (listener->tls == LISTENER_TLS_OFF)
		return true;
	if (listener->tls_cert == NULL)
		return load_self_made(files, relay, listener, error_r);
	files->cert_file = xstrdup(listener->tls_cert);
	return load_context(files,
	                    listener->tls_key != NULL ? listener->tls_key
	                                              : listener->tls_cert,
	                    relay, listener, error_r);
}

static bool load_logins(struct listener_files *files, struct loop *loop,
                        const struct listener_config *listener,
                        const char **error_r)
{
	if (listener->auth.kind != LOGIN_FILE)
		return true;
	files->logins = login_file_open(loop, listener->auth.file, error_r);
	return files->logins != NULL ||
	       fail(listener, "auth", *error_r, error_r);
}

struct listener_files *
listener_files_load(struct loop *loop, const struct relay_config *relay,
                    const struct listener_config *listener,
                    const char **error_r)
{
	struct listener_files *files = xcalloc(1, sizeof *files);

	files->refs = 1;
	if (!load_tls(files, relay, listener, error_r) ||
	    !load_logins(files, loop, listener, error_r))
		listener_files_unref(&files);
	return files;
}

struct listener_files *listener_files_ref(struct listener_files *files)
{
	files->refs++;
	return files;
}

void listener_files_unref(struct listener_files **files_p)
{
	struct listener_files *files = *files_p;

	*files_p = NULL;
	if (files == NULL || --files->refs > 0)
		return;
	tls_context_unref(&files->tls);
	login_file_unref(&files->logins);
	free(files->cert_file);
	free(files);
}

bool listener_files_check(const struct config *config, const char **error_r)
{
	bool good = true;
	size_t i;

	for (i = 0; i < config->n_listeners && good; i++) {
		const struct listener_config *listener = &config->listeners[i];
		struct listener_files *files = xcalloc(1, sizeof *files);

		files->refs = 1;
		good = (listener->tls_cert == NULL ||
		        load_tls(files, &config->relay, listener, error_r)) &&
		       load_logins(files, NULL, listener, error_r);
		listener_files_unref(&files);
	}
	return good;
}

/* ---- the log ---- */

static void log_certificate(const struct listener_files *files,
                            const struct listener_config *listener)
{
	time_t until = (time_t)files->certificate.not_after;
	char date[16];
	struct tm tm;

	gmtime_r(&until, &tm);
	strftime(date, sizeof date, "%Y-%m-%d", &tm);
	log_event(LOG_INFO, EVENT_CERTIFICATE,
	          F_STR("listener", listener->name),
	          F_STR("file", files->cert_file),
	          F_STR("origin", files->just_made   ? "made now"
	                          : files->self_made ? "self-made"
	                                             : NULL),
	          F_STR("fingerprint", files->certificate.fingerprint),
	          F_STR("until", date),
	          F_STR("tls_min", listener->tls_min == 0x0301   ? "1.0"
	                           : listener->tls_min == 0x0302 ? "1.1"
	                                                         : NULL));
}

static void warn(const struct listener_config *listener, const char *text,
                 const char *fix)
{
	log_event(LOG_WARN, EVENT_WARNING, F_STR("listener", listener->name),
	          F_STR("text", text), F_STR("fix", fix));
}

static void warn_about_certificate(const struct listener_files *files,
                                   const struct listener_config *listener)
{
	int64_t left = files->certificate.not_after - (int64_t)time(NULL);
	const char *fix = files->self_made
		? "remove tls-cert.pem from the spool folder and restart: a "
		  "new one is made, with the same key"
		: "renew it, then reload";

	if (left < 0)
		warn(listener, "the certificate has expired; devices that "
		     "check it cannot send", fix);
	else if (left < EXPIRY_WARNING_S)
		warn(listener, "the certificate expires within a month", fix);
	if (files->self_made && !files->certificate.names_host)
		warn(listener, "the self-made certificate does not name this "
		     "host; devices that check it cannot send", fix);
}

void listener_files_log(const struct listener_files *files,
                        const struct listener_files *before,
                        const struct listener_config *listener)
{
	if (files->tls == NULL)
		return;
	if (before != NULL && before->tls != NULL &&
	    strcmp(before->certificate.fingerprint,
	           files->certificate.fingerprint) == 0)
		return;
	log_certificate(files, listener);
	warn_about_certificate(files, listener);
}
