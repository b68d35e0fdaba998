/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gunzip.h - a gzip body, unpacked into memory within bounds.
 */
#ifndef GUNZIP_H
#define GUNZIP_H

#include <stddef.h>

/* Reports packed alone reach 6 to 30; a bomb 1,000. */
#define GUNZIP_RATIO_MAX 64

/* *out is to be freed.  0; -EFBIG: more than `max` bytes or than GUNZIP_RATIO_MAX times the input
 * (small ones: 64 KiB are always allowed); -EBADMSG: no whole gzip stream, or bytes behind it;
 * -ENOMEM. */
int gunzip(const char *in, size_t n, size_t max, char **out, size_t *out_n);

#endif
