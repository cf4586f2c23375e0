#include "relay/config/config_build.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "relay/config/secret.h"
#include "relay/config/value_kind.h"

/* As copiers have it before they show an error. */
enum { PATIENCE_MS = 20 * 1000 };

/* Both ends private means all of it is: a network that is larger than the
 * private range it begins in ends outside. */
bool config_network_is_private(const struct network *network)
{
	struct address last = network->base;
	unsigned bits = last.is_v6 ? 128 : 32;

	for (unsigned bit = network->prefix; bit < bits; bit++)
		last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return address_is_private(&network->base) && address_is_private(&last);
}

static void describe_exposure(const struct network *network, struct buf *out)
{
	unsigned bits = (network->base.is_v6 ? 128 : 32) - network->prefix;

	if (network->prefix == 0)
		buf_puts(out, "everybody on the Internet");
	else if (bits == 0)
		buf_puts(out, "that address");
	else if (bits < 33)
		buf_printf(out, "all its %" PRIu64 " addresses",
			   (uint64_t)1 << bits);
	else
		buf_puts(out, "all its addresses");
}

/* Who is admitted without a login, and how to shut the door. */
static bool refuse_public(struct config_build *build,
			  const struct listener_config *listener,
			  const char *network, const char *who)
{
	return config_fail_listener(
		build, listener, "allow",
		"allow: %s is a public network: %s could send mail in your "
		"name%s; allow less, let the devices log in (auth = FILE), or "
		"write allow_public = yes if you mean it",
		network, who,
		listener->auth.kind == LOGIN_ANY
			? " (with auth = any every password is right)"
			: "");
}

static bool check_network(struct config_build *build,
			  const struct listener_config *listener,
			  const struct network *network)
{
	struct buf text = BUF_INIT(256), who = BUF_INIT(256);

	if (config_network_is_private(network) ||
	    listener->auth.kind == LOGIN_FILE)
		return true;
	value_print_network(network, &text);
	describe_exposure(network, &who);
	if (listener->allow_public)
		config_warn(build,
			    "listener %s: %s is a public network: %s may "
			    "send mail through this relay without a login",
			    listener->name, buf_string(&text),
			    buf_string(&who));
	else
		refuse_public(build, listener, buf_string(&text),
			      buf_string(&who));
	buf_free(&text);
	buf_free(&who);
	return listener->allow_public;
}

static bool is_wildcard(const struct address *address)
{
	static const uint8_t zero[16];

	return memcmp(address->bytes, zero, sizeof(zero)) == 0;
}

static bool collide(const struct address *a, const struct address *b)
{
	return a->port == b->port && a->is_v6 == b->is_v6 &&
	       (address_same_host(a, b) || is_wildcard(a) || is_wildcard(b));
}

static bool check_collision(struct config_build *build,
			    const struct listener_config *listener,
			    size_t index, const struct listener_config *other,
			    size_t n)
{
	const struct address *address = &listener->address.addresses[index];
	char text[ADDRESS_TEXT_MAX], taken[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < n; i++) {
		const struct address *its = &other->address.addresses[i];

		if (collide(address, its))
			return config_fail_listener(
				build, listener, "address",
				"address: %s is "
				"taken by %s of [listener %s]; give one of "
				"them "
				"another port",
				address_print_port(address, text),
				address_print_port(its, taken), other->name);
	}
	return true;
}

/* A file that is named must be there, and be nobody else's if it is secret. */
static bool check_file(struct config_build *build,
		       const struct listener_config *listener, const char *key,
		       const char *path, bool secret)
{
	const char *credentials =
		config_getenv(build->environment, "CREDENTIALS_DIRECTORY");
	struct stat status;

	if (!path)
		return true;
	if (stat(path, &status) < 0 || access(path, R_OK) < 0)
		return config_fail_listener(build, listener, key,
					    "%s: %s cannot be read: %s", key,
					    path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return config_fail_listener(build, listener, key,
					    "%s: %s is not a plain file", key,
					    path);
	if (!secret || !(status.st_mode & 006) ||
	    secret_is_mounted(path, credentials))
		return true;
	return config_fail_listener(build, listener, key,
				    "%s: %s is open to others (mode %03o); "
				    "run \"chmod o= %s\"",
				    key, path, (unsigned)status.st_mode & 0777,
				    path);
}

static bool check_pair(struct config_build *build,
		       const struct listener_config *listener)
{
	if (!listener->tls_cert == !listener->tls_key)
		return true;
	return config_fail_listener(
		build, listener, listener->tls_cert ? "tls_cert" : "tls_key",
		"%s is given without %s; give both, or neither for a "
		"certificate that lanpost makes itself",
		listener->tls_cert ? "tls_cert" : "tls_key",
		listener->tls_cert ? "tls_key" : "tls_cert");
}

static void warn_login(struct config_build *build,
		       const struct listener_config *listener)
{
	if (listener->auth.kind == LOGIN_FILE &&
	    listener->tls == LISTENER_TLS_OFF)
		config_warn(build,
			    "listener %s: auth = FILE with tls = off lets the "
			    "devices' passwords travel in the clear; write "
			    "tls = starttls, which asks for them behind "
			    "STARTTLS only",
			    listener->name);
}

static void warn_tls(struct config_build *build,
		     const struct listener_config *listener)
{
	bool off = listener->tls == LISTENER_TLS_OFF;

	if (off && listener->tls_cert)
		config_warn(build,
			    "listener %s: tls is off, so tls_cert and tls_key "
			    "are not used; write tls = starttls",
			    listener->name);
	if (!off && listener->tls_min < 0x0303)
		config_warn(build,
			    "listener %s: tls_min = %s admits TLS that can be "
			    "broken; keep it to old devices, on a listener of "
			    "their own",
			    listener->name,
			    listener->tls_min == 0x0301 ? "1.0" : "1.1");
}

static void warn_verdict(struct config_build *build,
			 const struct listener_config *listener)
{
	if (listener->verdict_wait_ms > PATIENCE_MS)
		config_warn(build,
			    "listener %s: verdict_wait of more than 20s; many "
			    "devices give up after 20 to 30 seconds, and send "
			    "the message again",
			    listener->name);
}

static bool check_files(struct config_build *build,
			const struct listener_config *listener)
{
	return check_pair(build, listener) &&
	       check_file(build, listener, "tls_cert", listener->tls_cert,
			  false) &&
	       check_file(build, listener, "tls_key", listener->tls_key,
			  true) &&
	       check_file(build, listener, "auth", listener->auth.file, false);
}

static bool check_listener(struct config_build *build, size_t index)
{
	const struct listener_config *listeners = build->config->listeners;
	const struct listener_config *listener = &listeners[index];

	for (size_t i = 0; i < listener->allow.n; i++) {
		if (!check_network(build, listener,
				   &listener->allow.networks[i]))
			return false;
	}
	for (size_t i = 0; i < listener->address.n; i++) {
		for (size_t other = 0; other <= index; other++) {
			size_t n =
				other < index ? listeners[other].address.n : i;

			if (!check_collision(build, listener, i,
					     &listeners[other], n))
				return false;
		}
	}
	if (!check_files(build, listener))
		return false;
	warn_login(build, listener);
	warn_tls(build, listener);
	warn_verdict(build, listener);
	return true;
}

bool config_verify_listeners(struct config_build *build)
{
	for (size_t i = 0; i < build->config->n_listeners; i++) {
		if (!check_listener(build, i))
			return false;
	}
	return true;
}
