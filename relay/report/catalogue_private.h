/*
 * catalogue_private -- an entry with what it is found by; inside catalogue*.c.
 */
#ifndef RELAY_REPORT_CATALOGUE_PRIVATE_H
#define RELAY_REPORT_CATALOGUE_PRIVATE_H

#include "relay/report/catalogue.h"

struct providers;

struct catalogue_status_range {
	struct smtp_status first, last;
};

struct catalogue_item {
	struct catalogue_entry entry;   /* what others hold; it comes first */
	char **providers;               /* names of presets; none: any */
	size_t n_providers;
	unsigned stages;                /* bits of enum catalogue_stage */
	int *codes;                     /* a class, a code or CATALOGUE_LOCAL */
	size_t n_codes;
	struct catalogue_status_range *statuses;
	size_t n_statuses;
	struct text *patterns;          /* folded; the item owns their bytes */
	size_t n_patterns;
	bool last_resort, own;          /* own: the user's */
	unsigned line;                  /* of its section */
};

/* Entries in the order of their files; the list owns what it was given. */
struct catalogue_list {
	struct catalogue_item **items;
	size_t n;
};

/* Read a file's entries behind those in the list; label names it in messages,
 * providers are the presets there are.  False with "LABEL:LINE: ..." in *error_r, the list is then half filled. */
bool catalogue_read(struct text bytes, const char *label,
                    const struct providers *providers,
                    struct catalogue_list *list, char **error_r);
void catalogue_list_add(struct catalogue_list *list,
                        struct catalogue_item *item);
void catalogue_list_free(struct catalogue_list *list);
void catalogue_item_free(struct catalogue_item *item);
struct catalogue_item *catalogue_list_find(const struct catalogue_list *list,
                                           const char *id);

const struct catalogue_list *catalogue_items(const struct catalogue *catalogue);

/* Words as they are compared: lower case, blanks folded to one, the quotes of
 * word processors made plain; as much as out takes. */
void catalogue_fold(struct text words, struct buf *out);

/* The user's files; labels are their paths.  False with a sentence. */
bool catalogue_read_folder(const char *folder,
                           const struct providers *providers,
                           struct catalogue_list *list, char **error_r);

#endif
