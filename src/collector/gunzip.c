/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * gunzip.c - bounded inflate.
 */
#include "gunzip.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

int
gunzip(const char *in, size_t n, size_t max, char **out, size_t *out_n)
{
	z_stream z = { .next_in = (const Bytef *)in, .avail_in = (uInt)n };
	size_t limit = n * GUNZIP_RATIO_MAX, size, len = 0;
	char *buf = NULL, *bigger;
	int r, zr;

	*out = NULL;
	if (limit < 65536)
		limit = 65536;
	if (limit > max)
		limit = max;
	if (n > UINT32_MAX / 2)
		return -EFBIG;
	if (inflateInit2(&z, 15 + 16) != Z_OK) /* 16: a gzip header, nothing else */
		return -ENOMEM;
	size = n * 6 + 1024;
	do {
		/* One byte more than allowed: to tell full from too much. */
		if (size > limit + 1)
			size = limit + 1;
		bigger = realloc(buf, size);
		r = -ENOMEM;
		if (!bigger)
			goto out;
		buf = bigger;
		z.next_out = (Bytef *)buf + len;
		z.avail_out = (uInt)(size - len);
		zr = inflate(&z, Z_NO_FLUSH);
		len = size - z.avail_out;
		size *= 2;
		r = -EFBIG;
		if (len > limit)
			goto out;
	} while (zr == Z_OK && (z.avail_in || !z.avail_out));
	r = zr == Z_STREAM_END && !z.avail_in ? 0 : -EBADMSG;
out:
	inflateEnd(&z);
	if (r) {
		free(buf);
		return r;
	}
	*out = buf;
	*out_n = len;
	return 0;
}
