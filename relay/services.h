/*
 * services -- what the parts of a running relay share, by pointer.
 *
 * Made and owned by relay.c, which fills it before any part starts and closes
 * the parts in reverse order.  config is the configuration in force: whoever
 * works for longer than one call holds a reference of its own.
 */
#ifndef RELAY_SERVICES_H
#define RELAY_SERVICES_H

struct loop;
struct config;
struct spool;
struct store;
struct queue;
struct refused;
struct notices;
struct alerts;
struct verdicts;
struct repeats;

struct services {
	struct loop *loop;
	struct config *config;
	struct spool *spool;
	struct store *store;
	struct queue *queue;
	struct refused *refused;
	struct notices *notices;
	struct alerts *alerts;
	struct verdicts *verdicts;
	struct repeats *repeats;
};

#endif
