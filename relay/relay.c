#include "relay/relay.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "relay/admin/control.h"
#include "relay/admin/desk.h"
#include "relay/health_facts.h"
#include "relay/inbound/listener.h"
#include "relay/net/loop.h"
#include "relay/notices/notices.h"
#include "relay/outbound/allowance.h"
#include "relay/outbound/pools.h"
#include "relay/outbound/refused.h"
#include "relay/outbound/settlement.h"
#include "relay/policy/check_rules.h"
#include "relay/process.h"
#include "relay/queue/queue.h"
#include "relay/queue/repeats.h"
#include "relay/queue/verdict.h"
#include "relay/report/alerts.h"
#include "relay/report/log.h"
#include "relay/services.h"

enum {
	HOUSEKEEPING_MS = 10 * 1000,
	PURGE_EVERY_MS = 3600 * 1000,
	PURGE_AFTER_JUMP_MS = 24 * 3600 * 1000,
	RESERVED_DESCRIPTORS = 100, /* for spool, providers, and the rest */
	LAST_GRACE_MS = 5 * 1000    /* after shutdown_grace, for the disk */
};

struct relay {
	const struct relay_settings *settings;
	struct services services;
	struct listener **listeners;
	size_t n_listeners;
	struct pools *pools;
	struct desk *desk;
	struct control *control; /* NULL: it could not be opened */
	struct signal_watch *signals[3];
	struct timer *housekeeping, *grace;
	struct turn_end *turn_end;
	uint64_t next_purge;
	bool draining, grace_over;
	bool disk_low, broken;  /* the log has been told */
	struct health_watch watch;
	int exit_code;
};

/* ---- what wakes up ---- */

static const char *route(void *ctx, const struct envelope *envelope)
{
	struct relay *relay = ctx;

	return pools_route(relay->pools, envelope);
}

static void on_queue_ready(void *ctx, const char *account)
{
	struct relay *relay = ctx;

	pools_kick(relay->pools, account);
}

static void on_notice_due(void *ctx)
{
	struct relay *relay = ctx;

	notices_kick(relay->services.notices);
}

static const char *carrier(void *ctx, const char *account)
{
	struct relay *relay = ctx;

	return pools_carrier(relay->pools, account);
}

static void log_broken(struct relay *relay, const char *error)
{
	log_event(LOG_ERROR, EVENT_DISK_LOW,
	          F_STR("spool", relay->services.config->relay.spool),
	          F_STR("error", error),
	          F_STR("explanation", "The spool cannot be written: no mail is "
	                               "taken and none is sent."),
	          F_STR("fix", "free space on the disk, or mend it; lanpost "
	                       "goes on by itself"));
}

/* Each probe that fails is told here; the log hears of the first. */
static void on_store_health(void *ctx, const char *error)
{
	struct relay *relay = ctx;
	bool was_broken = relay->broken;

	relay->broken = error != NULL;
	if (relay->broken && !was_broken)
		log_broken(relay, error);
	if (relay->broken)
		return;
	log_event(LOG_INFO, EVENT_DISK_LOW,
	          F_STR("spool", relay->services.config->relay.spool),
	          F_STR("explanation", "The spool can be written again."));
	refused_save_again(relay->services.refused);
	queue_save_again(relay->services.queue);
	pools_save_again(relay->pools);
	pools_kick_all(relay->pools);
}

static void on_turn_end(void *ctx)
{
	log_flush();
}

/* ---- housekeeping ---- */

static void look_at_disk(struct relay *relay)
{
	enum spool_room room = spool_room(relay->services.spool, 0,
	                                  loop_now_ms(relay->services.loop));
	bool low = room != SPOOL_ROOM;

	if (low && !relay->disk_low)
		log_event(LOG_ERROR, EVENT_DISK_LOW,
		          F_STR("spool", relay->services.config->relay.spool),
		          F_INT("used", spool_used(relay->services.spool)),
		          F_STR("reason", room == SPOOL_FULL
		                                  ? "max_spool_size"
		                                  : "min_free_disk"),
		          F_STR("explanation",
		                "Devices are told 452 until there is room."),
		          F_STR("fix", "free space on the disk, or raise "
		                       "max_spool_size"));
	relay->disk_low = low;
}

static void raise_alarms(struct relay *relay)
{
	const char *why = NULL;

	if (relay->broken)
		why = "The spool cannot be written: no mail is taken and none "
		      "is sent.";
	else if (relay->disk_low)
		why = "There is no room for new mail: devices are told to come "
		      "back later.";
	health_watch(&relay->watch, &relay->services, why,
	             why ? "Free space on the disk, or mend it; lanpost goes on "
	                   "by itself."
	                 : NULL);
}

static void expire(struct relay *relay)
{
	struct message *message;

	while ((message = queue_take_expired(relay->services.queue,
	                                     steady_now_ms())) != NULL)
		settlement_expire(&relay->services, relay->services.config,
		                  message);
}

static void purge(struct relay *relay)
{
	const struct relay_config *config = &relay->services.config->relay;
	uint64_t now = loop_now_ms(relay->services.loop);

	if (now < relay->next_purge)
		return;
	relay->next_purge = now + PURGE_EVERY_MS;
	store_purge(relay->services.store, wall_now_ms() - config->history_ms,
	            wall_now_ms() - config->keep_failed_ms);
}

/* The history is not purged by a clock that may be wrong. */
static void look_at_clock(struct relay *relay)
{
	int64_t jump = steady_jump_ms();

	if (jump == 0)
		return;
	log_event(LOG_WARN, EVENT_WARNING, F_INT("jump_ms", jump),
	          F_STR("text", "the clock has jumped, or the machine has "
	                        "slept; what waits is as old as before: retries "
	                        "and expiry have moved by as much, and the "
	                        "history is not purged for a day"));
	queue_rebase(relay->services.queue, jump);
	relay->next_purge =
		loop_now_ms(relay->services.loop) + PURGE_AFTER_JUMP_MS;
}

static void on_housekeeping(void *ctx)
{
	struct relay *relay = ctx;

	look_at_clock(relay);
	look_at_disk(relay);
	raise_alarms(relay);
	expire(relay);
	purge(relay);
	pools_sweep(relay->pools);
	timer_start(relay->housekeeping, HOUSEKEEPING_MS);
}

/* ---- reloading ---- */

static void log_warnings(const struct config_warnings *warnings)
{
	size_t i;

	for (i = 0; warnings != NULL && i < warnings->n; i++)
		log_event(LOG_WARN, EVENT_WARNING,
		          F_STR("text", warnings->messages[i]));
}

static void log_config_error(const char *error)
{
	log_event(LOG_ERROR, EVENT_CONFIG_ERROR, F_STR("error", error),
	          F_STR("explanation",
	                "The configuration in force stays in force."),
	          F_STR("fix", "correct the file, then reload again"));
}

static void apply_log(const struct config *config)
{
	log_setup(STDERR_FILENO, config->relay.log_format,
	          config->relay.log_level);
}

/* Certificates and logins of the listeners, as config names them. */
static bool load_files(struct relay *relay, const struct config *config,
                       const char **error_r)
{
	size_t i;

	for (i = 0; i < relay->n_listeners; i++) {
		if (!listener_load_files(relay->listeners[i], config, error_r))
			return false;
	}
	return true;
}

static void take_files(struct relay *relay)
{
	size_t i;

	for (i = 0; i < relay->n_listeners; i++)
		listener_take_files(relay->listeners[i]);
}

/* All pools and listeners take the new configuration, or none does. */
static bool apply(struct relay *relay, struct config *config)
{
	struct config *old = relay->services.config;
	const char *error = NULL;

	if (!load_files(relay, config, &error) ||
	    !pools_stage(relay->pools, config, &error)) {
		log_config_error(error);
		return false;
	}
	relay->services.config = config;
	refused_review(relay->services.refused);
	allowances_review(relay->services.allowances);
	pools_commit(relay->pools);
	take_files(relay);
	spool_set_limits(relay->services.spool, config->relay.max_spool_size,
	                 config->relay.min_free_disk);
	apply_log(config);
	config_unref(&old);
	notices_kick(relay->services.notices);
	return true;
}

static void log_reloaded(const struct config *old, const struct config *now)
{
	const char *key = config_needs_restart(old, now);

	log_event(LOG_INFO, EVENT_RELOADED, F_STR("config", now->path));
	if (key != NULL)
		log_event(LOG_WARN, EVENT_WARNING, F_STR("key", key),
		          F_STR("text", "this has changed, and takes effect "
		                        "only at the next start"));
}

static void reload(struct relay *relay)
{
	struct config *old = config_ref(relay->services.config);
	struct config_warnings warnings = { NULL, 0 };
	struct config_error error = { NULL };
	struct config *config;

	process_notify("RELOADING=1");
	config = config_load(relay->settings->config_path,
	                     relay->settings->environment, &warnings, &error);
	if (config == NULL) {
		log_config_error(error.message);
	} else if (apply(relay, config)) {
		log_reloaded(old, config);
		check_rules(config, &warnings);
		log_warnings(&warnings);
	} else {
		config_unref(&config);
	}
	config_unref(&old);
	config_error_free(&error);
	config_warnings_free(&warnings);
	process_notify("READY=1");
}

/* ---- stopping ---- */

static size_t open_sessions(const struct relay *relay)
{
	size_t i, n = 0;

	for (i = 0; i < relay->n_listeners; i++)
		n += listener_sessions(relay->listeners[i]);
	return n;
}

static void stop_if_done(struct relay *relay);

static void on_part_idle(void *ctx)
{
	stop_if_done(ctx);
}

static void drain_listeners(struct relay *relay, bool now)
{
	size_t i;

	for (i = 0; i < relay->n_listeners; i++)
		listener_drain(relay->listeners[i], now);
}

/* What devices finish now is still taken; what is on its way to the provider
 * is waited for. */
static void stop_if_done(struct relay *relay)
{
	if (relay->draining && open_sessions(relay) == 0 &&
	    (relay->grace_over || !pools_are_busy(relay->pools)))
		loop_stop(relay->services.loop);
}

static void on_grace_end(void *ctx)
{
	struct relay *relay = ctx;

	if (relay->grace_over) {
		loop_stop(relay->services.loop);
		return;
	}
	relay->grace_over = true;
	drain_listeners(relay, true);
	timer_start(relay->grace, LAST_GRACE_MS);
	stop_if_done(relay);
}

static void drain(struct relay *relay, int signum)
{
	size_t i;

	if (relay->draining) { /* asked twice: at once, and still in order */
		relay->grace_over = true;
		on_grace_end(relay);
		return;
	}
	relay->draining = true;
	process_notify("STOPPING=1");
	log_event(LOG_INFO, EVENT_STOPPING,
	          F_STR("signal", signum == SIGTERM ? "TERM" : "INT"),
	          F_INT("sessions", open_sessions(relay)),
	          F_INT("queued", queue_total(relay->services.queue)));
	timer_start(relay->grace,
	            (uint64_t)relay->services.config->relay.shutdown_grace_ms);
	for (i = 0; i < relay->n_listeners; i++)
		listener_on_empty(relay->listeners[i], on_part_idle, relay);
	pools_drain(relay->pools, on_part_idle, relay);
	drain_listeners(relay, false);
	stop_if_done(relay);
}

/* What is stopping begins nothing anew: pools that a reload makes would send.
 */
static void on_signal(void *ctx, int signum)
{
	struct relay *relay = ctx;

	if (signum != SIGHUP)
		drain(relay, signum);
	else if (!relay->draining)
		reload(relay);
}

/* ---- starting ---- */

static int fail(int exit_code, const char *error)
{
	log_event(LOG_ERROR, EVENT_CONFIG_ERROR, F_STR("error", error));
	return exit_code;
}

static int open_listeners(struct relay *relay)
{
	const struct config *config = relay->services.config;
	const char *error = NULL;
	size_t i;

	relay->listeners =
		xcalloc(config->n_listeners + 1, sizeof *relay->listeners);
	for (i = 0; i < config->n_listeners; i++) {
		struct listener *listener = listener_open(
			&relay->services, &config->listeners[i], &error);

		if (listener == NULL)
			return fail(EX_UNAVAILABLE, error);
		relay->listeners[relay->n_listeners++] = listener;
	}
	return EX_OK;
}

static int become_user(const struct relay_config *config)
{
	const char *error = NULL;

	if (config->user != NULL &&
	    !process_become(config->user, config->spool, &error))
		return fail(EX_NOPERM, error);
	if (process_is_root())
		log_event(LOG_WARN, EVENT_WARNING,
		          F_STR("text", "lanpost runs as root; set `user` in "
		                        "[relay] so that it does not after "
		                        "binding its ports"));
	return EX_OK;
}

static void log_recovery(const struct store_recovery *recovery)
{
	if (recovery->queued + recovery->orphans_removed +
	    recovery->lost_bodies == 0)
		return;
	log_event(recovery->lost_bodies > 0 ? LOG_ERROR : LOG_INFO,
	          EVENT_RECOVERED, F_INT("queued", recovery->queued),
	          F_INT("octets", recovery->octets),
	          F_INT("unfinished_removed", recovery->orphans_removed),
	          F_INT("lost", recovery->lost_bodies));
}

static void log_ages(const struct store_recovery *recovery)
{
	if (recovery->rebased_ms != 0)
		log_event(LOG_WARN, EVENT_WARNING,
		          F_INT("jump_ms", recovery->rebased_ms),
		          F_STR("text", "the clock has been set back since the "
		                        "last message came; retries and expiry "
		                        "of what waits have moved by as much"));
	if (recovery->reprieved > 0)
		log_event(LOG_WARN, EVENT_WARNING,
		          F_INT("messages", recovery->reprieved),
		          F_STR("text", "these reached `expire` while lanpost "
		                        "was not running; they are tried for "
		                        "four hours more"));
}

static int open_spool(struct relay *relay)
{
	const struct relay_config *config = &relay->services.config->relay;
	static const struct queue_callbacks callbacks = { route,
		on_queue_ready, on_notice_due };
	struct spool_settings settings = { config->spool,
		config->max_spool_size, config->min_free_disk };
	struct notices_means means = { wall_now_ms, carrier, relay };
	struct store_recovery recovery;
	const char *error = NULL;

	switch (spool_open(&relay->services.spool, &settings, &error)) {
	case SPOOL_OPEN:
		break;
	case SPOOL_LOCKED:
		return fail(EX_TEMPFAIL, error);
	case SPOOL_BROKEN:
		return fail(EX_CONFIG, error);
	}
	relay->services.store =
		store_open(relay->services.spool, relay->services.loop,
	                   on_store_health, relay, &recovery, &error);
	if (relay->services.store == NULL)
		return fail(EX_CONFIG, error);
	log_recovery(&recovery);
	log_ages(&recovery);
	if (spool_doubtful_filesystem(relay->services.spool) != NULL)
		log_event(LOG_WARN, EVENT_WARNING,
		          F_STR("text", "the spool's file system may not keep "
		                        "mail through a power cut or restart"),
		          F_STR("filesystem", spool_doubtful_filesystem(
						      relay->services.spool)));
	relay->services.alerts = alerts_new(&relay->services);
	relay->services.refused = refused_new(&relay->services);
	relay->services.allowances = allowances_new(&relay->services);
	relay->services.verdicts = verdicts_new(relay->services.loop);
	relay->services.repeats = repeats_new();
	relay->services.queue = queue_new(&relay->services, &callbacks, relay);
	relay->services.notices = notices_new(&relay->services, &means);
	return EX_OK;
}

/* As who we stay, so that a reload can read them again. */
static int open_files(struct relay *relay)
{
	const char *error = NULL;

	if (!load_files(relay, relay->services.config, &error))
		return fail(EX_CONFIG, error);
	take_files(relay);
	return EX_OK;
}

static int open_pools(struct relay *relay)
{
	const char *error = NULL;

	relay->pools = pools_new(&relay->services, &error);
	return relay->pools != NULL ? EX_OK : fail(EX_CONFIG, error);
}

static size_t count_listeners(void *ctx)
{
	const struct relay *relay = ctx;

	return relay->n_listeners;
}

/* Mail goes its way without it. */
static void open_control(struct relay *relay)
{
	struct desk_settings desk = { &relay->services, relay->pools,
		count_listeners, relay };
	struct control_settings settings = { .loop = relay->services.loop,
		.spool = spool_folder(relay->services.spool) };
	const char *error = NULL;

	settings.desk = relay->desk = desk_new(&desk);
	relay->control = control_open(&settings, &error);
	if (relay->control == NULL)
		log_event(LOG_WARN, EVENT_WARNING,
		          F_STR("text", "commands cannot ask this server: "
		                        "they see its database only"),
		          F_STR("error", error));
}

static void watch(struct relay *relay)
{
	static const int signums[] = { SIGHUP, SIGTERM, SIGINT };
	struct loop *loop = relay->services.loop;
	size_t i;

	for (i = 0; i < 3; i++)
		relay->signals[i] =
			signal_watch_new(loop, signums[i], on_signal, relay);
	relay->housekeeping = timer_new(loop, on_housekeeping, relay);
	relay->grace = timer_new(loop, on_grace_end, relay);
	relay->turn_end = turn_end_new(loop, on_turn_end, relay);
}

/* Ports are bound while we may be root; the spool is opened as who we stay. */
static int start(struct relay *relay)
{
	size_t descriptors = process_raise_descriptors();
	int code;

	process_harden();
	listener_set_global_cap(descriptors > 2 * RESERVED_DESCRIPTORS
	                                ? descriptors - RESERVED_DESCRIPTORS
	                                : descriptors / 2);
	watch(relay);
	if ((code = open_listeners(relay)) != EX_OK ||
	    (code = become_user(&relay->services.config->relay)) != EX_OK ||
	    (code = open_spool(relay)) != EX_OK ||
	    (code = open_files(relay)) != EX_OK ||
	    (code = open_pools(relay)) != EX_OK)
		return code;
	open_control(relay);
	queue_start(relay->services.queue);
	notices_kick(relay->services.notices);
	pools_kick_all(relay->pools);
	on_housekeeping(relay);
	return EX_OK;
}

/* ---- the end ---- */

static void take_down(struct relay *relay)
{
	size_t i;

	control_close(&relay->control);
	desk_free(&relay->desk);
	if (relay->services.allowances != NULL)
		allowances_stop(relay->services.allowances);
	store_close(&relay->services.store);
	notices_free(&relay->services.notices);
	pools_free(&relay->pools);
	allowances_free(&relay->services.allowances);
	queue_free(&relay->services.queue);
	refused_free(&relay->services.refused);
	alerts_free(&relay->services.alerts);
	spool_close(&relay->services.spool);
	for (i = 0; i < relay->n_listeners; i++)
		listener_free(&relay->listeners[i]);
	verdicts_free(&relay->services.verdicts);
	repeats_free(&relay->services.repeats);
	for (i = 0; i < 3; i++)
		signal_watch_free(&relay->signals[i]);
	timer_free(&relay->housekeeping);
	timer_free(&relay->grace);
	turn_end_free(&relay->turn_end);
	loop_free(&relay->services.loop);
	config_unref(&relay->services.config);
	free(relay->listeners);
}

int relay_run(const struct relay_settings *settings)
{
	struct relay relay = { .settings = settings };
	int code;

	relay.services.loop = loop_new();
	relay.services.config = config_ref(settings->config);
	apply_log(settings->config);
	log_event(LOG_INFO, EVENT_STARTED, F_STR("version", LANPOST_VERSION),
	          F_STR("config", settings->config->path),
	          F_STR("spool", settings->config->relay.spool),
	          F_INT("pid", getpid()));
	log_warnings(settings->warnings);
	code = start(&relay);
	log_flush();
	if (code == EX_OK) {
		process_notify("READY=1");
		loop_run(relay.services.loop);
	}
	take_down(&relay);
	log_event(code == EX_OK ? LOG_INFO : LOG_ERROR, EVENT_STOPPED,
	          F_INT("exit", code));
	log_flush();
	return code;
}
