/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/rtt.c: percentiles against the exact ones of the same samples, merging, packing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/rtt.c"

static int64_t seed;

static void
test_buckets(void **state)
{
	(void)state;
	/* The schema's examples: 18 ms to 22.6 ms, 91 ms. */
	assert_int_equal(rtt_bucket(18000), 56);
	assert_int_equal(rtt_bucket(91000), 65);
	assert_int_equal(rtt_bucket(0), 0);
	assert_int_equal(rtt_bucket(1), 0);
	assert_int_equal(rtt_bucket(UINT64_MAX), RTT_BUCKETS - 1);
	assert_int_equal(rtt_bucket(UINT32_MAX), 127);
	for (uint64_t us = 1; us < 1ULL << 33; us += 1 + us / 1000) {
		unsigned b = rtt_bucket(us);

		assert_true(b >= rtt_bucket(us - 1));
		assert_true(rtt_bucket_us(b) <= us && us < rtt_bucket_us(b + 1));
		if (us >= 4)
			assert_true(rtt_bucket_us(b + 1) * 4 <= rtt_bucket_us(b) * 5);
	}
	for (unsigned b = 0; b < RTT_BUCKETS; b++)
		assert_true(rtt_bucket_us(b) <= rtt_bucket_us(b + 1));
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t
sample(int shape)
{
	switch (shape) {
	case 0:
		return (uint64_t)rand() % 1000000;
	case 1:
		return 20000 + (uint64_t)rand() % 3000;
	case 2:
		return 1ULL << rand() % 32;
	case 3:
		return rand() % 10 ? 12345 : (uint64_t)rand() % 4000000;
	default:
		return (uint64_t)rand() % 8;
	}
}

static void
test_percentiles(void **state)
{
	static const unsigned percents[] = { 1, 5, 25, 50, 75, 90, 95, 99, 100 };

	(void)state;
	for (int turn = 0; turn < 2000; turn++) {
		size_t n = 1 + (size_t)rand() % 500;
		uint64_t *all = calloc(n, sizeof *all);
		struct rtt a = { 0 }, b = { 0 }, back = { 0 };
		uint8_t packed[RTT_PACKED];

		for (size_t i = 0; i < n; i++) {
			all[i] = sample(turn % 5);
			rtt_add(i % 2 ? &a : &b, all[i], 1);
		}
		rtt_merge(&a, &b);
		qsort(all, n, sizeof *all, compare);
		assert_int_equal(a.n, n);
		assert_int_equal(a.min_us, all[0]);
		assert_int_equal(a.max_us, all[n - 1]);
		for (size_t i = 0; i < sizeof percents / sizeof *percents; i++) {
			uint64_t exact = all[(n * percents[i] + 99) / 100 - 1];
			int64_t got = rtt_percentile(&a, percents[i]);

			assert_int_equal(rtt_bucket((uint64_t)got), rtt_bucket(exact));
			assert_true(got >= (int64_t)all[0] && got <= (int64_t)all[n - 1]);
		}
		rtt_unpack(&back, packed, rtt_pack(&a, packed));
		assert_memory_equal(back.bucket, a.bucket, sizeof a.bucket);
		assert_int_equal(back.n, a.n);
		free(all);
	}
}

static void
test_weights_and_limits(void **state)
{
	struct rtt a = { 0 }, empty = { 0 }, back = { 0 };
	uint8_t packed[RTT_PACKED], junk[] = { 200, 1, 0, 0, 0, 3, 2, 0, 0, 0, 9 };

	(void)state;
	assert_int_equal(rtt_percentile(&empty, 50), -1);
	rtt_add(&a, 10, 0);
	assert_int_equal(a.n, 0);
	rtt_add(&a, 1000, 99);
	rtt_add(&a, 50000, 1);
	assert_int_equal(rtt_bucket((uint64_t)rtt_percentile(&a, 99)), rtt_bucket(1000));
	assert_int_equal(rtt_percentile(&a, 100), 50000);
	rtt_merge(&a, &empty);
	assert_int_equal(a.n, 100);
	rtt_add(&a, 7, 1ULL << 40); /* kept as 2^32 - 1 */
	rtt_unpack(&back, packed, rtt_pack(&a, packed));
	assert_int_equal(back.bucket[rtt_bucket(7)], UINT32_MAX);
	/* Not ours: an unknown bucket, and half an entry. */
	back = empty;
	rtt_unpack(&back, junk, sizeof junk);
	assert_int_equal(back.n, 2);
	assert_int_equal(back.bucket[3], 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),
		cmocka_unit_test(test_percentiles),
		cmocka_unit_test(test_weights_and_limits),
	};

	seed = getenv("NG_SEED") ? atoll(getenv("NG_SEED")) : time(NULL);
	printf("NG_SEED=%lld\n", (long long)seed);
	srand((unsigned)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
