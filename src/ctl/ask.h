/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ask.h - one question to a running net-gazer at its control socket (src/sensor/control.h), and its answer
 * as a tree.  Numbers and words in it are the daemon's; what is missing reads as 0 or "".
 */
#ifndef ASK_H
#define ASK_H

#include <stddef.h>
#include <stdint.h>
#include <yajl/yajl_tree.h>

#include "sensor/control.h"

#define ASK_DEFAULT "/run/net-gazer" /* runtime-dir */

/* The answer's bytes, NUL-terminated; free().  NULL, *error as -errno and a message that says what to do. */
char *ask_text(const char *where, enum control_word, int *error, char *err, size_t size);

/* The same as a tree; yajl_tree_free(). */
yajl_val ask_tree(const char *where, enum control_word, int *error, char *err, size_t size);

/* Of a map: "ledger.seen". */
yajl_val ask_get(yajl_val, const char *path);
int64_t ask_int(yajl_val, const char *path);
int ask_is(yajl_val, const char *path);
const char *ask_str(yajl_val, const char *path);

/* Of a list. */
size_t ask_n(yajl_val, const char *path);
yajl_val ask_at(yajl_val, const char *path, size_t i);

/* The element of a list whose "name" is that; NULL. */
yajl_val ask_named(yajl_val, const char *path, const char *name);

#endif
