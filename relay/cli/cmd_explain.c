#include "relay/cli/cmd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/xalloc.h"
#include "relay/cli/terminal.h"
#include "relay/config/config_print.h"
#include "relay/config/nearest.h"
#include "relay/config/provider.h"
#include "relay/report/catalogue.h"

enum { PASTED_MAX = 256 * 1024, PIECE = 16 * 1024, INDENT = 19 };

struct request {
	bool json;
	struct providers *providers;
	const char *provider;      /* a preset's name; NULL: not known */
	enum catalogue_stage stage;
	struct buf pasted;
	int n_words;
	bool is_dash;              /* the only word, so far, is "-" */
};

/* ---- what is asked ---- */

static int take_provider(struct request *request, const char *name)
{
	const struct provider *provider =
		providers_find(request->providers, name);
	const char *near = providers_nearest(request->providers, name);

	if (provider == NULL && near != NULL)
		return cli_usage("explain", "there is no preset \"%s\"; did you "
		                            "mean \"%s\"?", name, near);
	if (provider == NULL)
		return cli_usage("explain", "there is no preset \"%s\"; lanpost "
		                            "providers lists them", name);
	request->provider = provider->name;
	return EX_OK;
}

static const char *nearest_stage(const char *name)
{
	static const char *const stages[] = {
#define X(name, text) text,
		CATALOGUE_STAGE_MAP(X)
#undef X
	};
	struct nearest nearest;
	size_t i;

	nearest_begin(&nearest, text_of(name));
	for (i = 1; i < sizeof stages / sizeof *stages; i++)
		nearest_try(&nearest, stages[i]);
	return nearest.best;
}

static int take_stage(struct request *request, const char *name)
{
	const char *near = nearest_stage(name);

	request->stage = catalogue_stage_find(text_of(name));
	if (request->stage != CATALOGUE_STAGE_ANY)
		return EX_OK;
	if (near != NULL)
		return cli_usage("explain", "there is no stage \"%s\"; did you "
		                            "mean \"%s\"?", name, near);
	return cli_usage("explain", "there is no stage \"%s\"; stages are "
	                            "connect, greeting, ehlo, starttls, tls, "
	                            "auth, mail, rcpt, data, data-end, token "
	                            "and graph", name);
}

static void take_word(struct request *request, const char *word)
{
	request->is_dash = request->n_words == 0 && strcmp(word, "-") == 0;
	if (request->n_words++ > 0)
		buf_putc(&request->pasted, ' ');
	buf_puts(&request->pasted, word);
}

/* A reply that is not quoted may hold anything, but not our options. */
static int read_arguments(int argc, char **argv, struct request *request)
{
	bool words_only = false;
	int i, code;

	for (i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		code = EX_OK;
		if (words_only || strncmp(argv[i], "--", 2) != 0)
			take_word(request, argv[i]);
		else if (strcmp(argv[i], "--") == 0)
			words_only = true;
		else if (strcmp(argv[i], "--json") == 0)
			request->json = true;
		else if (strcmp(argv[i], "--provider") == 0)
			code = take_provider(request, (i++, value));
		else if (strcmp(argv[i], "--stage") == 0)
			code = take_stage(request, (i++, value));
		else
			code = cli_usage(argv[0], "unknown option %s", argv[i]);
		if (code != EX_OK)
			return code;
	}
	return EX_OK;
}

/* What is beyond the bound says nothing new. */
static void read_input(struct request *request)
{
	char *room;
	ssize_t n;

	buf_clear(&request->pasted);
	while ((room = buf_room(&request->pasted, PIECE)) != NULL) {
		n = read(STDIN_FILENO, room, PIECE);
		if (n == 0 || (n < 0 && errno != EINTR))
			return;
		if (n > 0)
			buf_added(&request->pasted, (size_t)n);
	}
}

static int read_request(int argc, char **argv, struct request *request)
{
	int code = read_arguments(argc, argv, request);

	if (code != EX_OK)
		return code;
	if (request->n_words == 0 && isatty(STDIN_FILENO))
		return cli_usage(argv[0], "it needs the provider's REPLY, in "
		                          "quotes");
	if (request->n_words == 0 || request->is_dash)
		read_input(request);
	return EX_OK;
}

/* ---- the answer ---- */

static const char *const deeds[] = {
	[CATALOGUE_NONE] = "Nothing: it is no failure.",
	[CATALOGUE_RETRY] = "It keeps the message and tries again, by the retry "
			    "schedule, until the message expires.",
	[CATALOGUE_THROTTLE] = "It lets the account rest for a while and then "
			       "goes on by itself. Nothing is lost.",
	[CATALOGUE_PAUSE] = "It pauses the account, so that nothing gets "
			    "locked, and tries it now and then. All mail is "
			    "kept and goes out when it is mended.",
	[CATALOGUE_REJECT] = "It gives the message up and reports it.",
	[CATALOGUE_REJECT_RECIPIENT] = "It gives this recipient up and reports "
				       "it. The others get the message.",
	[CATALOGUE_REWRITE] = "It sends the message once more with the "
			      "account's own address as the sender.",
	[CATALOGUE_CONFIG] = "It keeps all mail and tries the account now and "
			     "then, until a setting is changed.",
};

static void print_answer(const struct catalogue_entry *entry, const char *reply)
{
	if (reply != NULL)
		terminal_paragraph(stdout, INDENT, "reply", reply);
	printf("%s%s\n\n", reply != NULL ? "\n" : "", entry->title);
	terminal_paragraph(stdout, INDENT, "what it means", entry->explanation);
	terminal_paragraph(stdout, INDENT, "what to do", entry->fix);
	terminal_paragraph(stdout, INDENT, "what lanpost does",
	                   deeds[entry->disposition]);
	terminal_paragraph(stdout, INDENT, "page", entry->page);
	terminal_paragraph(stdout, INDENT, "reason", entry->id);
}

/* provider: that was asked about, else the one it can only be. */
static void print_json(const struct catalogue_entry *entry,
                       const char *provider)
{
	json_t *answer = json_object();

	if (provider == NULL)
		provider = catalogue_provider(entry);
	json_object_set_new(answer, "reason", config_json_text(entry->id));
	json_object_set_new(answer, "title", config_json_text(entry->title));
	json_object_set_new(answer, "explanation",
	                    config_json_text(entry->explanation));
	json_object_set_new(answer, "fix", config_json_text(entry->fix));
	json_object_set_new(answer, "disposition",
	                    json_string(catalogue_disposition_name(
				    entry->disposition)));
	json_object_set_new(answer, "page", config_json_text(entry->page));
	json_object_set_new(answer, "provider", config_json_text(provider));
	terminal_json(answer);
	json_decref(answer);
}

static const struct catalogue_entry *
entry_of_id(const struct catalogue *catalogue, struct request *request)
{
	char *id = text_dup(text_trim(buf_text(&request->pasted)));
	const struct catalogue_entry *entry = catalogue_by_id(catalogue, id);

	free(id);
	return entry;
}

/* Line ends, of whatever system, are blanks where the reply is shown. */
static void join_lines(struct buf *pasted)
{
	char *text = buf_len(pasted) > 0 ? (char *)buf_string(pasted) : NULL;
	size_t i;

	for (i = 0; text != NULL && i < buf_len(pasted); i++) {
		if (text[i] == '\r' || text[i] == '\n')
			text[i] = ' ';
	}
}

static int answer(const struct catalogue *catalogue, struct request *request)
{
	const struct catalogue_entry *entry = entry_of_id(catalogue, request);
	bool is_id = entry != NULL;
	struct buf words = BUF_INIT(PASTED_MAX);
	struct catalogue_query query;

	if (!catalogue_query_parse(buf_text(&request->pasted), &words, &query)) {
		fputs("lanpost explain: there is nothing to explain; give it "
		      "the provider's reply, such as \"535 5.7.3 "
		      "Authentication unsuccessful\"\n", stderr);
		buf_free(&words);
		return EX_DATAERR;
	}
	query.provider = request->provider;
	if (request->stage != CATALOGUE_STAGE_ANY)
		query.stage = request->stage;
	if (!is_id)
		entry = catalogue_find(catalogue, &query);
	join_lines(&request->pasted);
	if (request->json)
		print_json(entry, request->provider);
	else
		print_answer(entry, is_id ? NULL
		                          : buf_string(&request->pasted));
	buf_free(&words);
	return EX_OK;
}

/* ---- what there is to know ---- */

/* Ours is always there; the user's only for those who may read it. */
static char *readable(char *folder)
{
	if (access(folder, R_OK | X_OK) < 0 && errno == EACCES) {
		fprintf(stderr, "lanpost explain: %s may not be read by this "
		                "user; what stands there is left out\n", folder);
		free(folder);
		return NULL;
	}
	return folder;
}

static void complain(char *error)
{
	fprintf(stderr, "lanpost: %s\n", error);
	free(error);
}

static struct providers *load_providers(struct cli *cli)
{
	char *folder = readable(providers_folder(cli->config_path)), *error;
	struct providers *providers = providers_load(folder, &error);

	if (providers == NULL)
		complain(error);
	free(folder);
	return providers;
}

static struct catalogue *load_catalogue(struct cli *cli,
                                        const struct providers *providers)
{
	char *folder = readable(config_catalogue_folder(cli->config_path));
	char *error = NULL;
	struct catalogue *catalogue =
		catalogue_load(folder, providers, &error);

	if (catalogue == NULL)
		complain(error);
	free(folder);
	return catalogue;
}

static int explain(struct cli *cli, struct request *request)
{
	struct catalogue *catalogue = load_catalogue(cli, request->providers);
	int code = EX_CONFIG;

	if (catalogue != NULL)
		code = answer(catalogue, request);
	catalogue_unref(&catalogue);
	return code;
}

int cmd_explain(struct cli *cli, int argc, char **argv)
{
	struct request request = { .pasted = BUF_INIT(PASTED_MAX) };
	int code;

	request.providers = load_providers(cli);
	if (request.providers == NULL)
		return EX_CONFIG;
	code = read_request(argc, argv, &request);
	if (code == EX_OK)
		code = explain(cli, &request);
	providers_free(&request.providers);
	buf_free(&request.pasted);
	return code;
}
