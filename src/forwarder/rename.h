/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rename.h - reports under another sensor's name: when a second machine uses ours (a clone).  Pure.
 */
#ifndef RENAME_H
#define RENAME_H

#include <stddef.h>
#include <stdint.h>

#define RENAME_SUFFIX 5 /* "-7f3a" */

/* NAME-7f3a into out, of size + 1 bytes, the name cut short where both are too long for it. */
void rename_name(char *out, size_t size, const char *name, uint16_t number);

/* Lines with the envelope's "sensor" changed from one name to the other; to be freed.  The same lines give
 * the same bytes.  NULL: out of memory. */
char *rename_lines(const char *lines, size_t len, const char *from, const char *to, size_t *out_len);

#endif
