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

#include "../../src/collector/gunzip.c"

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

static size_t
pack_usual(const char *in, size_t n, char *out, size_t size)
{
	return pack(in, n, out, size, 31);
}

#define UNPACK gunzip
#include "unpack_tests.h"

static void
test_bad_streams(void **state)
{
	size_t n = check_torn(), out_n = 0;
	char *out;

	(void)state;
	packed[n / 2] ^= 0x55;
	assert_true(gunzip(packed, n, 1 << 20, &out, &out_n) < 0);
	n = pack(plain, 3000, packed, sizeof packed, 15); /* zlib, not gzip */
	assert_int_equal(gunzip(packed, n, 1 << 20, &out, &out_n), -EBADMSG);
	check_junk("\x1f\x8b\x08\0", 4);
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
