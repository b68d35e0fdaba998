/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/answers.c: given again for a second, to the same question about the same reports, and never else.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "../../src/collector/answers.c"

static struct answers answers;

static void
test_again(void **state)
{
	size_t n = 0;

	(void)state;
	assert_null(answers_find(&answers, "a", 1, 0, &n));
	answers_put(&answers, "a", 1, 0, "first", 5);
	assert_memory_equal(answers_find(&answers, "a", 1, ANSWERS_US, &n), "first", 5);
	assert_int_equal(n, 5);
	assert_null(answers_find(&answers, "a", 1, ANSWERS_US + 1, &n));
	assert_null(answers_find(&answers, "a", 2, 0, &n));
	assert_null(answers_find(&answers, "a?b", 1, 0, &n));
	/* In place of the old one, not beside it. */
	answers_put(&answers, "a", 2, 5, "second", 6);
	assert_null(answers_find(&answers, "a", 1, 5, &n));
	assert_memory_equal(answers_find(&answers, "a", 2, 5, &n), "second", 6);
	answers_clear(&answers);
	assert_null(answers_find(&answers, "a", 2, 5, &n));
}

static void
test_bounded(void **state)
{
	static char big[ANSWERS_BYTES_MAX + 1], key[ANSWERS_KEY_MAX + 1];
	char text[20];
	size_t n = 0;

	(void)state;
	answers_put(&answers, "big", 1, 0, big, sizeof big);
	assert_null(answers_find(&answers, "big", 1, 0, &n));
	answers_put(&answers, "big", 1, 0, big, sizeof big - 1);
	assert_non_null(answers_find(&answers, "big", 1, 0, &n));
	memset(key, 'k', sizeof key - 1);
	answers_put(&answers, key, 1, 0, "x", 1);
	assert_null(answers_find(&answers, key, 1, 0, &n));
	/* The oldest makes room. */
	for (int i = 0; i < ANSWERS_MAX; i++) {
		snprintf(text, sizeof text, "%d", i);
		answers_put(&answers, text, 1, 1 + i, text, 1);
	}
	assert_null(answers_find(&answers, "big", 1, 0, &n));
	assert_non_null(answers_find(&answers, "0", 1, 1, &n));
	answers_put(&answers, "one more", 1, 100, "x", 1);
	assert_null(answers_find(&answers, "0", 1, 1, &n));
	assert_non_null(answers_find(&answers, "1", 1, 1, &n));
	answers_clear(&answers);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_again), cmocka_unit_test(test_bounded) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
