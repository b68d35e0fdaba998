/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unzstd.c - bounded: the window by libzstd, the output as in gunzip.c.
 */
#include "unzstd.h"

#ifdef WITH_ZSTD

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

static int
error_of(size_t r)
{
	switch (ZSTD_getErrorCode(r)) {
	case ZSTD_error_memory_allocation:
		return -ENOMEM;
	case ZSTD_error_frameParameter_windowTooLarge:
		return -EFBIG;
	default:
		return -EBADMSG;
	}
}

int
unzstd(const char *in, size_t n, size_t max, char **out, size_t *out_n)
{
	static const char magic[] = { '\x28', '\xb5', '\x2f', '\xfd' };
	ZSTD_inBuffer from = { in, n, 0 };
	ZSTD_outBuffer to = { NULL, 0, 0 };
	size_t limit = n * UNZSTD_RATIO_MAX, size = n * 6 + 1024, left;
	ZSTD_DCtx *d = ZSTD_createDCtx();
	char *buf = NULL, *bigger;
	int r = -ENOMEM;

	*out = NULL;
	if (n < sizeof magic || memcmp(in, magic, sizeof magic)) {
		/* Among others the formats of libzstd's first years, whose windows nobody limits. */
		r = -EBADMSG;
		goto out;
	}
	if (limit < 65536)
		limit = 65536;
	if (limit > max)
		limit = max;
	if (!d || ZSTD_isError(ZSTD_DCtx_setParameter(d, ZSTD_d_windowLogMax, UNZSTD_WINDOW_LOG_MAX)))
		goto out;
	do {
		/* One byte more than allowed: to tell full from too much. */
		if (size > limit + 1)
			size = limit + 1;
		bigger = realloc(buf, size);
		r = -ENOMEM;
		if (!bigger)
			goto out;
		to.dst = buf = bigger;
		to.size = size;
		left = ZSTD_decompressStream(d, &to, &from);
		size *= 2;
		r = -EFBIG;
		if (to.pos > limit)
			goto out;
		r = ZSTD_isError(left) ? error_of(left) : 0;
	} while (!r && left && (from.pos < from.size || to.pos == to.size));
	if (!r && (left || from.pos < from.size))
		r = -EBADMSG;
out:
	ZSTD_freeDCtx(d);
	if (r) {
		free(buf);
		return r;
	}
	*out = buf;
	*out_n = to.pos;
	return 0;
}

#else

typedef int unzstd_none; /* a file must not be empty */

#endif
