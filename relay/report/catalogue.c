#include "relay/report/catalogue_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/xalloc.h"
#include "relay/config/provider.h"

extern const char conf_catalogue_ini[];

/* What is built in lives as long as the process; the rest is owned. */
struct catalogue {
	struct catalogue_list all, owned;
	unsigned refs;
};

/* ---- names ---- */

static const char *const disposition_names[] = {
#define X(name, text) text,
	CATALOGUE_DISPOSITION_MAP(X)
#undef X
};

static const char *const stage_names[] = {
#define X(name, text) text,
	CATALOGUE_STAGE_MAP(X)
#undef X
};

const char *catalogue_disposition_name(enum catalogue_disposition disposition)
{
	return disposition_names[disposition];
}

enum catalogue_stage catalogue_stage_find(struct text name)
{
	size_t i;

	for (i = 0; i < sizeof stage_names / sizeof *stage_names; i++) {
		if (text_is(name, stage_names[i]))
			return (enum catalogue_stage)i;
	}
	return CATALOGUE_STAGE_ANY;
}

enum catalogue_stage catalogue_stage_of(enum smtp_stage stage)
{
	static const enum catalogue_stage stages[] = {
		[SMTP_STAGE_GREETING] = CATALOGUE_STAGE_GREETING,
		[SMTP_STAGE_EHLO] = CATALOGUE_STAGE_EHLO,
		[SMTP_STAGE_STARTTLS] = CATALOGUE_STAGE_STARTTLS,
		[SMTP_STAGE_TLS] = CATALOGUE_STAGE_TLS,
		[SMTP_STAGE_AUTH] = CATALOGUE_STAGE_AUTH,
		[SMTP_STAGE_READY] = CATALOGUE_STAGE_MAIL,
		[SMTP_STAGE_MAIL] = CATALOGUE_STAGE_MAIL,
		[SMTP_STAGE_RCPT] = CATALOGUE_STAGE_RCPT,
		[SMTP_STAGE_DATA] = CATALOGUE_STAGE_DATA,
		[SMTP_STAGE_BODY] = CATALOGUE_STAGE_DATA,
		[SMTP_STAGE_DATA_END] = CATALOGUE_STAGE_DATA_END,
		[SMTP_STAGE_QUIT] = CATALOGUE_STAGE_ANY,
	};

	return stages[stage];
}

/* ---- loading ---- */

/* The file is compiled in and tested: what is wrong with it is our fault. */
static const struct catalogue_list *built_in(void)
{
	static struct catalogue_list list;
	char *error = NULL;

	if (list.n > 0)
		return &list;
	if (!catalogue_read(text_of(conf_catalogue_ini), "catalogue.ini",
	                    providers_builtin(), &list, &error)) {
		fprintf(stderr, "lanpost: the built-in catalogue is broken: "
		                "%s\n", error);
		abort();
	}
	return &list;
}

static void take_place(struct catalogue_list *all, struct catalogue_item *item)
{
	size_t i;

	for (i = 0; i < all->n; i++) {
		if (strcmp(all->items[i]->entry.id, item->entry.id) == 0) {
			all->items[i] = item;
			return;
		}
	}
	catalogue_list_add(all, item);
}

struct catalogue *catalogue_load(const char *folder,
                                 const struct providers *providers,
                                 char **error_r)
{
	struct catalogue *catalogue = xcalloc(1, sizeof *catalogue);
	const struct catalogue_list *base = built_in();
	size_t i;

	catalogue->refs = 1;
	if (folder != NULL &&
	    !catalogue_read_folder(folder, providers ? providers
	                                             : providers_builtin(),
	                           &catalogue->owned, error_r)) {
		catalogue_unref(&catalogue);
		return NULL;
	}
	for (i = 0; i < base->n; i++)
		catalogue_list_add(&catalogue->all, base->items[i]);
	for (i = 0; i < catalogue->owned.n; i++) {
		catalogue->owned.items[i]->own = true;
		take_place(&catalogue->all, catalogue->owned.items[i]);
	}
	return catalogue;
}

struct catalogue *catalogue_ref(struct catalogue *catalogue)
{
	catalogue->refs++;
	return catalogue;
}

void catalogue_unref(struct catalogue **catalogue)
{
	if (*catalogue != NULL && --(*catalogue)->refs == 0) {
		catalogue_list_free(&(*catalogue)->owned);
		free((*catalogue)->all.items);
		free(*catalogue);
	}
	*catalogue = NULL;
}

/* ---- entries ---- */

const struct catalogue_list *catalogue_items(const struct catalogue *catalogue)
{
	return &catalogue->all;
}

size_t catalogue_count_own(const struct catalogue *catalogue)
{
	size_t i, n = 0;

	for (i = 0; i < catalogue->all.n; i++)
		n += catalogue->all.items[i]->own;
	return n;
}

const struct catalogue_entry *catalogue_by_id(const struct catalogue *catalogue,
                                              const char *id)
{
	const struct catalogue_item *item =
		id == NULL ? NULL : catalogue_list_find(&catalogue->all, id);

	return item == NULL ? NULL : &item->entry;
}

const struct catalogue_entry *catalogue_at(const struct catalogue *catalogue,
                                           size_t index)
{
	return index < catalogue->all.n ? &catalogue->all.items[index]->entry
	                                : NULL;
}

/* ---- the fix ---- */

/* Puts the name in place of the word that fix begins with; how long the word
 * was, 0: it is another, or the name is not known. */
static size_t put_name(struct buf *out, const char *fix, const char *word,
                       const char *name)
{
	size_t len = strlen(word);

	if (name == NULL || strncmp(fix, word, len) != 0)
		return 0;
	buf_puts(out, name);
	return len;
}

void catalogue_fill_fix(struct buf *out, const char *fix, const char *account,
                        const char *address)
{
	size_t len;

	while (*fix != '\0') {
		len = put_name(out, fix, "ACCOUNT", account);
		if (len == 0)
			len = put_name(out, fix, "ADDRESS", address);
		if (len == 0)
			buf_putc(out, *fix);
		fix += len > 0 ? len : 1;
	}
}

void catalogue_print_fix(struct buf *out, const struct catalogue_entry *entry,
                         const char *account, const char *address)
{
	catalogue_fill_fix(out, entry->fix, account, address);
}
