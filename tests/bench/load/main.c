#include "tests/bench/load/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/text.h"
#include "proto/xalloc.h"

void fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("bench-load: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\n", stderr);
	va_end(args);
	exit(EX_UNAVAILABLE);
}

/* ---- the command line ---- */

static const char help[] =
	"bench-load [options] IPV4-ADDRESS PORT: sends mail to a relay\n\n"
	"  --messages N         how many [100]\n"
	"  --lanes N            devices at a time [1]\n"
	"  --octets N           of each message's body [4096]\n"
	"  --per-connection N   messages, then the device comes anew [0: all]\n"
	"  --alone              the next message when the one before has "
	"arrived\n"
	"  --pipelining         MAIL, RCPT and DATA in one write\n"
	"  --from, --to ADDRESS\n"
	"  --journal FILE       of the practice provider: wait until all have\n"
	"                       arrived\n"
	"  --timeout N          seconds for all of it [300]\n\n"
	"Prints JSON: how long acceptance and arrival of all took, and of each.";

static uint64_t number(const char *name, const char *value, uint64_t max)
{
	uint64_t result;

	if (text_to_u64(text_of(value), &result) && result <= max)
		return result;
	fprintf(stderr, "bench-load: --%s: \"%s\" is not a number up to %llu\n",
	        name, value, (unsigned long long)max);
	exit(EX_USAGE);
}

static void set(struct options *to, char option, const char *name)
{
	switch (option) {
	case 'm': to->messages = number(name, optarg, 10000000); break;
	case 'l': to->lanes = number(name, optarg, 10000); break;
	case 'o': to->octets = number(name, optarg, 1u << 30); break;
	case 'c': to->per_connection = number(name, optarg, 10000000); break;
	case 'a': to->alone = true; break;
	case 'p': to->pipelining = true; break;
	case 'f': to->from = optarg; break;
	case 't': to->to = optarg; break;
	case 'j': to->journal = optarg; break;
	case 's': to->timeout_s = (unsigned)number(name, optarg, 86400); break;
	case 'h': puts(help); exit(0);
	default: exit(EX_USAGE);
	}
}

static const struct option long_options[] = {
	{ "messages", required_argument, NULL, 'm' },
	{ "lanes", required_argument, NULL, 'l' },
	{ "octets", required_argument, NULL, 'o' },
	{ "per-connection", required_argument, NULL, 'c' },
	{ "alone", no_argument, NULL, 'a' },
	{ "pipelining", no_argument, NULL, 'p' },
	{ "from", required_argument, NULL, 'f' },
	{ "to", required_argument, NULL, 't' },
	{ "journal", required_argument, NULL, 'j' },
	{ "timeout", required_argument, NULL, 's' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

/* Nothing here is to reach a machine that did not ask for it. */
static void set_relay(struct options *options, char **argv)
{
	struct sockaddr_in *relay = &options->relay;

	relay->sin_family = AF_INET;
	relay->sin_port = htons((uint16_t)number("port", argv[1], 65535));
	if (inet_pton(AF_INET, argv[0], &relay->sin_addr) == 1 &&
	    ntohl(relay->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET)
		return;
	fprintf(stderr, "bench-load: %s is not a loopback address\n", argv[0]);
	exit(EX_USAGE);
}

void options_parse(struct options *options_r, int argc, char **argv)
{
	int option, index = 0;

	*options_r = (struct options){ .from = "scanner@device.lan",
		.to = "boss@example.test", .messages = 100, .lanes = 1,
		.octets = 4096, .timeout_s = 300 };
	while ((option = getopt_long(argc, argv, "", long_options, &index)) !=
	       -1)
		set(options_r, (char)option, long_options[index].name);
	if (argc - optind != 2) {
		fprintf(stderr, "bench-load: an address and a port are needed; "
		                "--help tells more\n");
		exit(EX_USAGE);
	}
	if (options_r->alone && !options_r->journal) {
		fprintf(stderr, "bench-load: --alone needs a --journal\n");
		exit(EX_USAGE);
	}
	set_relay(options_r, argv + optind);
}

/* ---- a run ---- */

bool run_may_begin(const struct run *run)
{
	return run->begun < run->options.messages &&
	       (!run->options.alone || run->begun == run->arrived);
}

static bool is_complete(const struct run *run)
{
	return run->accepted == run->options.messages &&
	       (!run->journal || run->arrived == run->options.messages);
}

static int ms_left(const struct run *run)
{
	uint64_t passed = (now_ns() - run->start) / 1000000;
	uint64_t all = (uint64_t)run->options.timeout_s * 1000;

	return passed < all ? (int)(all - passed) : 0;
}

static void serve(struct run *run)
{
	struct epoll_event events[64];
	int n, left;

	while (!is_complete(run) && (left = ms_left(run)) > 0) {
		n = epoll_wait(run->epoll, events, 64, left);
		if (n < 0 && errno != EINTR)
			fail("epoll_wait: %s", strerror(errno));
		for (int i = 0; i < n; i++) {
			if (events[i].data.u64 == (uint64_t)JOURNAL_READY)
				journal_ready(run);
			else
				lane_ready(run, (size_t)events[i].data.u64,
				           events[i].events);
		}
		if (run->options.alone)
			lanes_wake(run);
	}
}

int main(int argc, char **argv)
{
	struct run run = { 0 };

	options_parse(&run.options, argc, argv);
	run.epoll = epoll_create1(EPOLL_CLOEXEC);
	run.times = xcalloc(run.options.messages + 1, sizeof(*run.times));
	if (run.options.journal)
		journal_open(&run);
	run.start = now_ns();
	lanes_open(&run);
	serve(&run);
	run_report(&run);
	if (!is_complete(&run))
		fprintf(stderr, "bench-load: after %u s %zu of %zu messages "
		        "were accepted and %zu had arrived\n",
		        run.options.timeout_s, run.accepted,
		        run.options.messages, run.arrived);
	lanes_free(&run);
	journal_close(&run);
	free(run.times);
	close(run.epoll);
	return is_complete(&run) ? 0 : EX_TEMPFAIL;
}
