/*
 * webhook -- a JSON document, POSTed; by libcurl, on a thread of the pool, so
 * that neither a slow name server nor a slow receiver holds anybody up.
 *
 * The receiver's certificate is verified, redirects are not followed, proxies
 * of the environment are not asked, and ten seconds are enough for the whole.
 * What goes without TLS goes to loopback and private addresses only, whatever
 * the name resolves to.
 *
 *     new -> post -> done... -> post ... -> free
 */
#ifndef RELAY_NET_WEBHOOK_H
#define RELAY_NET_WEBHOOK_H

#include <stdbool.h>

struct loop;
struct webhook;

/* on_done comes on the loop, once a post; error NULL: it was taken (2xx). */
struct webhook *webhook_new(struct loop *loop,
                            void (*on_done)(void *ctx, const char *error),
                            void *ctx);
/* One at a time.  Both strings are copied. */
void webhook_post(struct webhook *webhook, const char *url, const char *json);
bool webhook_is_busy(const struct webhook *webhook);
/* What is under way is broken off. */
void webhook_free(struct webhook **webhook);

#endif
