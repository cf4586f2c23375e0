/*
 * mime_tree -- a message as a mail reader sees it: its parts, decoded.  Not a
 * stream, and nothing of proto's walker or coders, so that it can judge them.
 */
#ifndef TESTS_SUPPORT_MIME_TREE_H
#define TESTS_SUPPORT_MIME_TREE_H

#include "proto/buf.h"

/* Append "[content]" for a part, "{content}" with every octet as it stands for
 * one that may not be touched, "(parts)" and "<message>" for a container. */
void mime_tree_print(struct buf *out, struct text message);

#endif
