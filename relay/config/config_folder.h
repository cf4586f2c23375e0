/*
 * config_folder -- a folder of *.ini files beside the configuration file, in
 * which a user adds to what is compiled in: catalogue.d, providers.d.
 *
 * Files are read in the order of their names, by octets, so that it is the same
 * in every locale; hidden ones are passed over, a missing folder is an empty
 * one.
 */
#ifndef RELAY_CONFIG_CONFIG_FOLDER_H
#define RELAY_CONFIG_CONFIG_FOLDER_H

#include <stdbool.h>
#include "proto/text.h"

/* That name beside that file; NULL: beside the usual one.  The caller frees
 * it. */
char *config_folder_beside(const char *config_path, const char *name);
bool config_folder_is_empty(const char *folder);
/* Gives each file to take, which reads it or says why not.  False with a
 * sentence that names the file, which the caller frees. */
bool config_folder_read(const char *folder,
                        bool (*take)(void *ctx, struct text bytes,
                                     const char *path, char **error_r),
                        void *ctx, char **error_r);

#endif
