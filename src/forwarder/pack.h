/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pack.h - lines made small for the wire and for memory.  The same lines give the same bytes.
 */
#ifndef PACK_H
#define PACK_H

#include <stddef.h>

enum pack_coding {
	PACK_NONE,
	PACK_GZIP,
	PACK_ZSTD, /* where libzstd was there when we were built */
	PACK_CODINGS,
};

/* As Content-Encoding has it. */
const char *pack_name(enum pack_coding);

/* False of zstd in a build without it. */
int pack_can(enum pack_coding);

/* How many bytes of out; 0: no memory, more than `max`, or a coding that we cannot. */
size_t pack(enum pack_coding, const char *in, size_t n, char *out, size_t max);

/* Our own, back to exactly `len` bytes.  0; -ENOMEM; -EBADMSG. */
int pack_undo(enum pack_coding, const char *in, size_t n, char *out, size_t len);

#endif
