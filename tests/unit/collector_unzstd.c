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

#include <string.h>

#include "../../src/collector/unzstd.c"
#include "guard.h"

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

static char plain[8 << 20], packed[8 << 20];

/* Packs to about five eighths: five random bits a byte. */
static void
fill(void)
{
	for (size_t i = 0; i < sizeof plain; i++)
		plain[i] = (char)(rand() & 31);
}

static void
test_round_trip(void **state)
{
	static const size_t sizes[] = { 0, 1, 100, 5000, 65535, 65536, 65537, 1 << 20, 3 << 20 };

	(void)state;
	fill();
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t n = pack(plain, sizes[i], packed, sizeof packed, 3), out_n = 0;
		char *out;

		assert_int_equal(unzstd(packed, n, 4 << 20, &out, &out_n), 0);
		assert_int_equal(out_n, sizes[i]);
		assert_memory_equal(out, plain, out_n);
		free(out);
	}
}

static void
test_bounds(void **state)
{
	size_t n, out_n = 0;
	char *out;

	(void)state;
	memset(plain, 'a', sizeof plain);
	/* By its own ratio: 100 kB of one letter are about 130 bytes. */
	n = pack(plain, 100000, packed, sizeof packed, 3);
	assert_true(n < 1000);
	assert_int_equal(unzstd(packed, n, 4 << 20, &out, &out_n), -EFBIG);
	assert_null(out);
	/* Small ones may be as dense as they like. */
	n = pack(plain, 65536, packed, sizeof packed, 3);
	assert_int_equal(unzstd(packed, n, 4 << 20, &out, &out_n), 0);
	assert_int_equal(out_n, 65536);
	free(out);
	n = pack(plain, 65537, packed, sizeof packed, 3);
	assert_int_equal(unzstd(packed, n, 4 << 20, &out, &out_n), -EFBIG);
	/* By size: exactly the limit, and a byte more. */
	fill();
	n = pack(plain, 200000, packed, sizeof packed, 3);
	assert_int_equal(unzstd(packed, n, 200000, &out, &out_n), 0);
	free(out);
	assert_int_equal(unzstd(packed, n, 199999, &out, &out_n), -EFBIG);
}

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
	size_t n, out_n = 0;
	char *out;

	(void)state;
	n = pack(plain, 3000, packed, sizeof packed, 3);
	for (size_t cut = 0; cut < n; cut++) {
		const char *p = (const char *)guard_copy(packed, cut);

		assert_int_equal(unzstd(p, cut, 1 << 20, &out, &out_n), -EBADMSG);
	}
	packed[n] = 0;
	assert_int_equal(unzstd(packed, n + 1, 1 << 20, &out, &out_n), -EBADMSG); /* something behind it */
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
	assert_int_equal(unzstd("{\"v\":1}\n", 8, 1 << 20, &out, &out_n), -EBADMSG);
	for (int turn = 0; turn < 20000; turn++) {
		char junk[64];

		for (size_t i = 0; i < sizeof junk; i++)
			junk[i] = (char)rand();
		memcpy(junk, "\x28\xb5\x2f\xfd", 4);
		if (!unzstd(junk, sizeof junk, 1 << 20, &out, &out_n))
			free(out);
	}
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
