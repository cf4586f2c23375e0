#include "relay/report/catalogue_private.h"

#include <stdlib.h>
#include <string.h>

#include "relay/config/config_folder.h"

struct reading {
	const struct providers *providers;
	struct catalogue_list *list;
};

/* An entry of an earlier file gives way. */
static void take_all(struct catalogue_list *list, struct catalogue_list *file)
{
	size_t i, k;

	for (i = 0; i < file->n; i++) {
		for (k = 0; k < list->n; k++) {
			if (strcmp(list->items[k]->entry.id,
			           file->items[i]->entry.id) == 0)
				break;
		}
		if (k == list->n) {
			catalogue_list_add(list, file->items[i]);
			continue;
		}
		catalogue_item_free(list->items[k]);
		list->items[k] = file->items[i];
	}
	free(file->items);
	*file = (struct catalogue_list){ NULL, 0 };
}

static bool take_file(void *ctx, struct text bytes, const char *path,
                      char **error_r)
{
	struct reading *reading = ctx;
	struct catalogue_list file = { NULL, 0 };
	bool good = catalogue_read(bytes, path, reading->providers, &file,
	                           error_r);

	if (good)
		take_all(reading->list, &file);
	catalogue_list_free(&file);
	return good;
}

bool catalogue_read_folder(const char *folder,
                           const struct providers *providers,
                           struct catalogue_list *list, char **error_r)
{
	struct reading reading = { providers, list };

	return config_folder_read(folder, take_file, &reading, error_r);
}
