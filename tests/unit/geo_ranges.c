/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * geo/ranges.c: random files against a naive search, in memory that ends at an unreadable page; headers that lie.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/geo/ranges.c"
#include "guard.h"

#define RANGES 60
#define SYSTEMS 5

static const char text[] = "\0one\0two\0three";
static const uint8_t names[SYSTEMS] = { 1, 5, 9, 0, 1 };

struct file {
	uint8_t bytes[RANGES_HEADER + RANGES * (RANGES_V4 + RANGES_V6) + SYSTEMS * RANGES_AS + sizeof text];
	size_t n;
};

static void
put(struct file *f, uint32_t v)
{
	for (int i = 3; i >= 0; i--)
		f->bytes[f->n++] = (uint8_t)(v >> (8 * i));
}

/* Addresses of one byte that counts: 16 bytes have it in the eighth. */
static void
put_range(struct file *f, size_t half, uint8_t first, uint8_t last, uint32_t as)
{
	size_t at = half == 4 ? 1 : 7;

	memset(f->bytes + f->n, 0, 2 * half);
	f->bytes[f->n + at] = first;
	f->bytes[f->n + half + at] = last;
	memset(f->bytes + f->n + half + at + 1, 255, half - at - 1);
	f->n += 2 * half;
	put(f, as);
}

static void
make(struct file *f, const int of[256], uint32_t n_v4, uint32_t n_v6)
{
	memset(f, 0, sizeof *f);
	memcpy(f->bytes, RANGES_MAGIC, 8);
	f->n = 8;
	put(f, n_v4);
	put(f, n_v6);
	put(f, SYSTEMS);
	put(f, sizeof text);
	put(f, 0);
	put(f, 1700000000);
	put(f, 5);
	f->n = RANGES_HEADER;
	for (size_t half = 4; half <= 16; half += 12) {
		for (int i = 0, k; i < 256; i = k) {
			for (k = i + 1; k < 256 && of[k] == of[i]; k++)
				;
			if (of[i] >= 0)
				put_range(f, half, (uint8_t)i, (uint8_t)(k - 1), (uint32_t)of[i]);
		}
	}
	for (uint32_t i = 0; i < SYSTEMS; i++) {
		put(f, 1000 + i);
		put(f, names[i]);
	}
	memcpy(f->bytes + f->n, text, sizeof text);
	f->n += sizeof text;
}

/* Which system each of 256 has; *n: ranges. */
static void
draw(int of[256], uint32_t *n)
{
	*n = 0;
	for (int i = 0; i < 256;) {
		int len = 1 + rand() % 12, as = rand() % 3 && *n < RANGES ? rand() % SYSTEMS : -1;

		if (i && as >= 0 && as == of[i - 1])
			as = -1; /* two beside each other would be one */
		*n += as >= 0;
		while (len-- && i < 256)
			of[i++] = as;
	}
}

static void
test_random_files(void **state)
{
	unsigned seed = (unsigned)time(NULL);
	static struct file f;

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 2000; round++) {
		struct ranges r;
		uint32_t n;
		int of[256];

		draw(of, &n);
		make(&f, of, n, n);
		assert_null(ranges_open(&r, guard_copy(f.bytes, f.n), f.n));
		assert_int_equal(r.built_s, 1700000000);
		assert_string_equal(r.attribution, "two");
		for (int i = 0; i < 256; i++) {
			uint8_t v4[16] = { 0, (uint8_t)i, (uint8_t)rand() }, v6[16] = { [7] = (uint8_t)i, [15] = (uint8_t)rand() };
			uint32_t want = of[i] < 0 ? 0 : 1000 + (uint32_t)of[i];
			const char *name = NULL;

			assert_int_equal(ranges_find(&r, 4, v4, &name), want);
			if (want)
				assert_string_equal(name, text + names[of[i]]);
			assert_int_equal(ranges_find(&r, 6, v6, &name), want);
		}
	}
}

/* Any four bytes of header and ranges replaced: refused, or searched within. */
static void
test_lies(void **state)
{
	static const uint32_t lies[] = { 0, 1, 2, 0x7fffffff, 0x80000000, 0xffffffff, 0x15555556 };
	static struct file f, bad;
	uint8_t addr[16] = { 0 };
	const char *name;
	struct ranges r;
	int of[256];
	uint32_t n;

	(void)state;
	srand(1);
	draw(of, &n);
	make(&f, of, n, n);
	for (size_t at = 0; at + 4 <= f.n; at += 4) {
		for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
			bad = f;
			bad.n = at;
			put(&bad, lies[i]);
			bad.n = f.n;
			if (ranges_open(&r, guard_copy(bad.bytes, bad.n), bad.n))
				continue;
			for (int k = 0; k < 256; k++) {
				addr[1] = addr[7] = (uint8_t)k;
				(void)ranges_find(&r, 4, addr, &name);
				if (ranges_find(&r, 6, addr, &name))
					assert_in_range(name - r.text, 0, r.text_n - 1);
			}
		}
	}
	for (size_t cut = 0; cut < f.n; cut++)
		assert_non_null(ranges_open(&r, guard_copy(f.bytes, cut), cut));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random_files), cmocka_unit_test(test_lies) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
