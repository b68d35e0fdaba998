/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Bodies that say they are packed: gzip and zstd.  Whatever they are, not more comes out than may, the same
 * each time, and it is there whole.
 */
#include "../../src/collector/gunzip.c"
#include "../../src/collector/unzstd.c"

#include <string.h>

#define UNPACK_MAX (1 << 18)

typedef int unpack_fn(const char *in, size_t n, size_t max, char **out, size_t *out_n);

static void
check(unpack_fn *unpack, size_t ratio, const char *in, size_t n)
{
	size_t limit = n * ratio < 65536 ? 65536 : n * ratio, out_n = 0, again_n = 0;
	char *out, *again;
	int r = unpack(in, n, UNPACK_MAX, &out, &out_n);

	if (r != unpack(in, n, UNPACK_MAX, &again, &again_n))
		abort();
	if (r) {
		if (out || again || (r != -EFBIG && r != -EBADMSG && r != -ENOMEM))
			abort();
		return;
	}
	if (out_n > limit || out_n > UNPACK_MAX || again_n != out_n || memcmp(out, again, out_n))
		abort();
	free(out);
	free(again);
	/* A byte more behind it, and it is another body than it says. */
	again = malloc(n + 1);
	if (!again)
		abort();
	memcpy(again, in, n);
	again[n] = 'x';
	if (!unpack(again, n + 1, UNPACK_MAX, &out, &out_n))
		abort();
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(gunzip, GUNZIP_RATIO_MAX, (const char *)data, size);
#ifdef WITH_ZSTD
	check(unzstd, UNZSTD_RATIO_MAX, (const char *)data, size);
#endif
	return 0;
}
