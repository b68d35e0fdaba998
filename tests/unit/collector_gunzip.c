/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/gunzip.c: what was packed comes back; bombs, torn and foreign streams do not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <string.h>

#include "../../src/collector/gunzip.c"
#include "guard.h"

static size_t
pack(const char *in, size_t n, char *out, size_t size, int bits)
{
	z_stream z = { .next_in = (const Bytef *)in, .avail_in = (uInt)n, .next_out = (Bytef *)out,
		       .avail_out = (uInt)size };

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, bits, 9, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return size - z.avail_out;
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
		size_t n = pack(plain, sizes[i], packed, sizeof packed, 31), out_n = 0;
		char *out;

		assert_int_equal(gunzip(packed, n, 4 << 20, &out, &out_n), 0);
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
	n = pack(plain, 100000, packed, sizeof packed, 31);
	assert_true(n < 1000);
	assert_int_equal(gunzip(packed, n, 4 << 20, &out, &out_n), -EFBIG);
	assert_null(out);
	/* Small ones may be as dense as they like. */
	n = pack(plain, 65536, packed, sizeof packed, 31);
	assert_int_equal(gunzip(packed, n, 4 << 20, &out, &out_n), 0);
	assert_int_equal(out_n, 65536);
	free(out);
	n = pack(plain, 65537, packed, sizeof packed, 31);
	assert_int_equal(gunzip(packed, n, 4 << 20, &out, &out_n), -EFBIG);
	/* By size: exactly the limit, and a byte more. */
	fill();
	n = pack(plain, 200000, packed, sizeof packed, 31);
	assert_int_equal(gunzip(packed, n, 200000, &out, &out_n), 0);
	free(out);
	assert_int_equal(gunzip(packed, n, 199999, &out, &out_n), -EFBIG);
}

static void
test_bad_streams(void **state)
{
	size_t n, out_n = 0;
	char *out;

	(void)state;
	n = pack(plain, 3000, packed, sizeof packed, 31);
	for (size_t cut = 0; cut < n; cut++) {
		const char *p = (const char *)guard_copy(packed, cut);

		assert_int_equal(gunzip(p, cut, 1 << 20, &out, &out_n), -EBADMSG);
	}
	packed[n] = 0;
	assert_int_equal(gunzip(packed, n + 1, 1 << 20, &out, &out_n), -EBADMSG); /* something behind it */
	packed[n / 2] ^= 0x55;
	assert_true(gunzip(packed, n, 1 << 20, &out, &out_n) < 0);
	n = pack(plain, 3000, packed, sizeof packed, 15); /* zlib, not gzip */
	assert_int_equal(gunzip(packed, n, 1 << 20, &out, &out_n), -EBADMSG);
	assert_int_equal(gunzip("{\"v\":1}\n", 8, 1 << 20, &out, &out_n), -EBADMSG);
	for (int turn = 0; turn < 20000; turn++) {
		char junk[64];

		for (size_t i = 0; i < sizeof junk; i++)
			junk[i] = (char)rand();
		memcpy(junk, "\x1f\x8b\x08", 3);
		junk[3] = 0;
		if (!gunzip(junk, sizeof junk, 1 << 20, &out, &out_n))
			free(out);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_bad_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
