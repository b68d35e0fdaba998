/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/unzstd.c: what was packed comes back; bombs, torn and foreign frames do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/unzstd.c"

#ifdef WITH_ZSTD

static size_t
pack(const char *in, size_t n, char *out, size_t size, int level)
{
	size_t packed = ZSTD_compress(out, size, in, n, level);

	assert_false(ZSTD_isError(packed));
	return packed;
}

/* As a sender does that does not know how much is to come: the frame does not tell its size. */
static size_t
pack_stream(const char *in, size_t n, char *out, size_t size, int window_log)
{
	ZSTD_CCtx *c = ZSTD_createCCtx();
	ZSTD_outBuffer to = { out, size, 0 };
	ZSTD_inBuffer from = { in, n, 0 };

	assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, window_log)));
	assert_false(ZSTD_isError(ZSTD_compressStream2(c, &to, &from, ZSTD_e_continue)));
	assert_int_equal(ZSTD_compressStream2(c, &to, &from, ZSTD_e_end), 0);
	ZSTD_freeCCtx(c);
	return to.pos;
}

static size_t
pack_usual(const char *in, size_t n, char *out, size_t size)
{
	return pack(in, n, out, size, 3);
}

#define UNPACK unzstd
#include "unpack_tests.h"

/* The window is what a decoder must have in memory before the first byte comes out. */
static void
test_window(void **state)
{
	size_t n, out_n = 0;
	char *out;

	(void)state;
	fill();
	for (int log = 10; log <= UNZSTD_WINDOW_LOG_MAX; log++) {
		n = pack_stream(plain, 100000, packed, sizeof packed, log);
		assert_int_equal(unzstd(packed, n, 4 << 20, &out, &out_n), 0);
		assert_int_equal(out_n, 100000);
		assert_memory_equal(out, plain, out_n);
		free(out);
		assert_int_equal(unzstd(packed, n, 99999, &out, &out_n), -EFBIG);
	}
	n = pack_stream(plain, 100000, packed, sizeof packed, UNZSTD_WINDOW_LOG_MAX + 1);
	assert_int_equal(unzstd(packed, n, 4 << 20, &out, &out_n), -EFBIG);
	/* The most that a header can say, in front of nothing. */
	assert_int_equal(unzstd("\x28\xb5\x2f\xfd\x00\xff\x01\0\0\0", 9, 4 << 20, &out, &out_n), -EFBIG);
}

static void
test_bad_streams(void **state)
{
	size_t n = check_torn(), out_n = 0;
	char *out;

	(void)state;
	packed[n / 2] ^= 0x55;
	if (!unzstd(packed, n, 1 << 20, &out, &out_n)) /* no checksum is needed, and the lines are JSON */
		free(out);
	n = pack(plain, 3000, packed, sizeof packed, 3);
	n += pack(plain, 3000, packed + n, sizeof packed - n, 3); /* two of them */
	assert_int_equal(unzstd(packed, n, 1 << 20, &out, &out_n), -EBADMSG);
	n = pack(plain, 3000, packed, sizeof packed, 3);
	memmove(packed + 12, packed, n);
	memcpy(packed, "\x50\x2a\x4d\x18\x04\0\0\0skip", 12); /* a skippable frame in front */
	assert_int_equal(unzstd(packed, n + 12, 1 << 20, &out, &out_n), -EBADMSG);
	for (int magic = 0x21; magic < 0x28; magic++) { /* libzstd 0.1 to 0.7 */
		memcpy(packed, "\x28\xb5\x2f\xfd", 4);
		packed[0] = (char)magic;
		assert_int_equal(unzstd(packed, 200, 1 << 20, &out, &out_n), -EBADMSG);
	}
	check_junk("\x28\xb5\x2f\xfd", 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_bad_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int
main(void)
{
	puts("built without zstd: nothing to test");
	return 0;
}

#endif
