/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pack.h - lines made small for the wire and for memory: gzip.  The same lines give the same bytes.
 */
#ifndef PACK_H
#define PACK_H

#include <stddef.h>

/* How many bytes of out; 0: no memory, or more than `max`. */
size_t pack_gzip(const char *in, size_t n, char *out, size_t max);

/* Our own, back to exactly `len` bytes.  0; -ENOMEM; -EBADMSG. */
int pack_undo(const char *in, size_t n, char *out, size_t len);

#endif
