/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unzstd.h - a zstd body, unpacked into memory within bounds.  A build without libzstd has none: nobody is
 * offered it then.
 */
#ifndef UNZSTD_H
#define UNZSTD_H

#include <stddef.h>

/* More packed than gzip can: reports alone reach 40; a bomb 30,000. */
#define UNZSTD_RATIO_MAX 64

/* RFC 9659: no more than 8 MiB are needed to decode what HTTP carries. */
#define UNZSTD_WINDOW_LOG_MAX 23

/* *out is to be freed.  0; -EFBIG: more than `max` bytes or than UNZSTD_RATIO_MAX times the input (small ones:
 * 64 KiB are always allowed), or a larger window; -EBADMSG: no whole zstd frame, or bytes behind it;
 * -ENOMEM. */
int unzstd(const char *in, size_t n, size_t max, char **out, size_t *out_n);

#endif
