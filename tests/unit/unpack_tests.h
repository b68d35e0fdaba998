/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * unpack_tests.h - what both ways of packing are to keep, for collector_gunzip.c and collector_unzstd.c.  Who includes
 * it has UNPACK, the function under test, and pack_usual().
 */
#ifndef UNPACK_TESTS_H
#define UNPACK_TESTS_H

#include <stdlib.h>
#include <string.h>

#include "guard.h"

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
		size_t n = pack_usual(plain, sizes[i], packed, sizeof packed), out_n = 0;
		char *out;

		assert_int_equal(UNPACK(packed, n, 4 << 20, &out, &out_n), 0);
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
	n = pack_usual(plain, 100000, packed, sizeof packed);
	assert_true(n < 1000);
	assert_int_equal(UNPACK(packed, n, 4 << 20, &out, &out_n), -EFBIG);
	assert_null(out);
	/* Small ones may be as dense as they like. */
	n = pack_usual(plain, 65536, packed, sizeof packed);
	assert_int_equal(UNPACK(packed, n, 4 << 20, &out, &out_n), 0);
	assert_int_equal(out_n, 65536);
	free(out);
	n = pack_usual(plain, 65537, packed, sizeof packed);
	assert_int_equal(UNPACK(packed, n, 4 << 20, &out, &out_n), -EFBIG);
	/* By size: exactly the limit, and a byte more. */
	fill();
	n = pack_usual(plain, 200000, packed, sizeof packed);
	assert_int_equal(UNPACK(packed, n, 200000, &out, &out_n), 0);
	free(out);
	assert_int_equal(UNPACK(packed, n, 199999, &out, &out_n), -EFBIG);
}

/* Torn anywhere, or with something behind it; `packed` has the whole and that byte at the end. */
static size_t
check_torn(void)
{
	size_t n = pack_usual(plain, 3000, packed, sizeof packed), out_n = 0;
	char *out;

	for (size_t cut = 0; cut < n; cut++) {
		const char *p = (const char *)guard_copy(packed, cut);

		assert_int_equal(UNPACK(p, cut, 1 << 20, &out, &out_n), -EBADMSG);
	}
	packed[n] = 0;
	assert_int_equal(UNPACK(packed, n + 1, 1 << 20, &out, &out_n), -EBADMSG);
	assert_int_equal(UNPACK("{\"v\":1}\n", 8, 1 << 20, &out, &out_n), -EBADMSG);
	return n;
}

/* Anything behind the bytes that begin a stream. */
static void
check_junk(const char *magic, size_t n)
{
	size_t out_n = 0;
	char *out;

	for (int turn = 0; turn < 20000; turn++) {
		char junk[64];

		for (size_t i = 0; i < sizeof junk; i++)
			junk[i] = (char)rand();
		memcpy(junk, magic, n);
		if (!UNPACK(junk, sizeof junk, 1 << 20, &out, &out_n))
			free(out);
	}
}

#endif
