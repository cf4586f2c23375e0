/*
 * listener_files -- what a listener reads from files: its certificate and key,
 * and who may log in.
 *
 * Loaded as a whole or not at all, at start and at each reload, as the user
 * that lanpost stays; sessions hold a reference to what they began with.
 * Without tls_cert a certificate of our own making lies in the spool folder
 * (tls-cert.pem, tls-key.pem), one for all listeners.
 */
#ifndef RELAY_INBOUND_LISTENER_FILES_H
#define RELAY_INBOUND_LISTENER_FILES_H

#include "relay/config/config.h"
#include "relay/inbound/login_file.h"
#include "relay/net/tls_certificate.h"
#include "relay/net/tls_context.h"

struct listener_files {
	unsigned refs;
	struct tls_context *tls;       /* NULL: tls = off */
	struct login_file *logins;     /* NULL: auth is no file */
	char *cert_file;
	bool self_made, just_made;
	struct tls_certificate_facts certificate; /* where tls is not off */
};

/* NULL with a sentence in *error_r (thread-local): listener, key, file, why. */
struct listener_files *
listener_files_load(struct loop *loop, const struct relay_config *relay,
                    const struct listener_config *listener,
                    const char **error_r);
struct listener_files *listener_files_ref(struct listener_files *files);
void listener_files_unref(struct listener_files **files);

/* Would they load?  For `check`: nothing is made, and what is not given is not
 * looked for. */
bool listener_files_check(const struct config *config, const char **error_r);

/* What the administrator should know of them; before: those in force until
 * now, or NULL, so that a reload says only what is new. */
void listener_files_log(const struct listener_files *files,
                        const struct listener_files *before,
                        const struct listener_config *listener);

#endif
