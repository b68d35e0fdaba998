/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pack.c - zlib, set up for each batch: one comes a second, and 256 KiB need not stay for it.
 */
#include "pack.h"

#include <errno.h>

#define ZLIB_CONST
#include <zlib.h>

#define PACK_LEVEL 6
#define PACK_WINDOW (15 + 16) /* 32 KiB, a gzip header; it holds no time and no name */

size_t
pack_gzip(const char *in, size_t n, char *out, size_t max)
{
	z_stream z = { .next_in = (const Bytef *)in, .avail_in = (uInt)n, .next_out = (Bytef *)out, .avail_out = (uInt)max };
	int r;

	if (deflateInit2(&z, PACK_LEVEL, Z_DEFLATED, PACK_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	r = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return r == Z_STREAM_END ? max - z.avail_out : 0;
}

int
pack_undo(const char *in, size_t n, char *out, size_t len)
{
	z_stream z = { .next_in = (const Bytef *)in, .avail_in = (uInt)n, .next_out = (Bytef *)out, .avail_out = (uInt)len };
	int r;

	if (inflateInit2(&z, PACK_WINDOW) != Z_OK)
		return -ENOMEM;
	r = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return r == Z_STREAM_END && !z.avail_out && !z.avail_in ? 0 : r == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}
