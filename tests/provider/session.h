/*
 * session -- one connection to the practice provider.
 *
 * The engine of proto/smtp_server.h speaks the protocol.  At each stage the
 * script is asked first; what the engine could not do, octets that are no
 * reply, is written beside it, while the engine is told a reply of the same
 * kind and its words are thrown away, so that it stays in step.
 */
#ifndef TESTS_PROVIDER_SESSION_H
#define TESTS_PROVIDER_SESSION_H

#include "tests/provider/provider.h"

void session_start(struct provider *provider, struct stream *stream);
void session_end_all(struct provider *provider);

#endif
