/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The back-off's bounds, and that it uses all of the room between them.
 */
#include "../../src/forwarder/backoff.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const int64_t bound_us[] = { 1000000, 2000000, 4000000, 8000000, 16000000, 32000000, 64000000, 128000000,
				    256000000, 300000000, 300000000 };

static void
test_bounds(void **state)
{
	(void)state;
	for (unsigned tries = 1; tries <= 11; tries++) {
		int64_t bound = bound_us[tries - 1];

		assert_int_equal(backoff_us(tries, 0), BACKOFF_MIN_US);
		/* The random number that gives the most, and the one after it. */
		assert_int_equal(backoff_us(tries, (uint64_t)(bound - BACKOFF_MIN_US)), bound);
		assert_int_equal(backoff_us(tries, (uint64_t)(bound - BACKOFF_MIN_US) + 1), BACKOFF_MIN_US);
		assert_in_range(backoff_us(tries, UINT64_MAX), BACKOFF_MIN_US, bound);
	}
	assert_int_equal(backoff_us(0, 0), BACKOFF_MIN_US);
	assert_in_range(backoff_us(UINT32_MAX, UINT64_MAX), BACKOFF_MIN_US, BACKOFF_MAX_US);
}

static void
test_full_jitter(void **state)
{
	unsigned tenth[10] = { 0 };
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		int64_t us;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		us = backoff_us(9, random);
		tenth[(us - BACKOFF_MIN_US) * 10 / (256000000 - BACKOFF_MIN_US + 1)]++;
	}
	for (int i = 0; i < 10; i++)
		assert_in_range(tenth[i], 9500, 10500);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_bounds), cmocka_unit_test(test_full_jitter) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
