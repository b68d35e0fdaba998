/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * backoff.c and ledger.c: numbers over time, the time set by the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/sensor/backoff.c"
#include "../../src/sensor/ledger.c"

static void
test_doubles(void **state)
{
	static const int64_t want[] = { 100, 200, 400, 800, 1600, 3200, 6400, 12800, 25600, 30000, 30000 };
	struct backoff b = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++)
		assert_int_equal(backoff_next(&b, 59999999), want[i] * 1000);
	assert_int_equal(backoff_next(&b, 60000000), 100000);
	assert_int_equal(backoff_next(&b, 0), 200000);
}

static void
test_crashes(void **state)
{
	struct backoff_crashes c = { 0 };

	(void)state;
	/* Four at once, and a fifth a minute and a microsecond later: the first no longer counts. */
	for (int i = 0; i < 4; i++)
		assert_false(backoff_crash(&c, 1000));
	assert_false(backoff_crash(&c, 60001001));
	/* One each 15 s: the fifth is 60 s behind the first. */
	c = (struct backoff_crashes){ 0 };
	for (int i = 0; i < 4; i++)
		assert_false(backoff_crash(&c, i * 15000000LL));
	assert_true(backoff_crash(&c, 60000000));
	/* One each 16 s: never. */
	c = (struct backoff_crashes){ 0 };
	for (int i = 0; i < 1000; i++)
		assert_false(backoff_crash(&c, i * 16000000LL));
	/* But with one more between two of them. */
	assert_true(backoff_crash(&c, 999 * 16000000LL + 1));
}

static struct observe_counters
counters(uint64_t table, uint64_t seen, uint64_t logged)
{
	return (struct observe_counters){ .have = 1, .table = table, .seen = { seen }, .logged = { logged } };
}

static void
add(struct ledger *l, uint64_t table, uint64_t seen, uint64_t logged)
{
	struct observe_counters now = counters(table, seen, logged);

	ledger_add(l, &now);
}

static void
test_ledger(void **state)
{
	struct observe_counters before = counters(7, 1000, 900);
	struct ledger l;

	(void)state;
	ledger_begin(&l, &before);
	assert_int_equal(l.total.seen[0], 0);
	add(&l, 7, 1000, 900);
	assert_int_equal(l.total.seen[0], 0);
	add(&l, 7, 1010, 905);
	assert_int_equal(l.total.seen[0], 10);
	assert_int_equal(l.total.logged[0], 5);
	/* Reset: smaller than before, in either number. */
	add(&l, 7, 3, 2);
	assert_int_equal(l.total.seen[0], 13);
	assert_int_equal(l.total.logged[0], 7);
	/* Loaded again: as large as before by chance. */
	add(&l, 8, 3, 2);
	assert_int_equal(l.total.seen[0], 16);
	assert_int_equal(l.total.logged[0], 9);
	/* A row that is not there changes nothing. */
	l.last.have = 0;
	before = (struct observe_counters){ .table = 8 };
	ledger_add(&l, &before);
	assert_int_equal(l.total.seen[0], 16);
	assert_int_equal(l.total.have, 1);
	add(&l, 8, UINT64_MAX, UINT64_MAX);
	assert_int_equal(l.total.seen[0], 16 + (UINT64_MAX - 3));
}

static void
test_own_table(void **state)
{
	struct observe_counters none = { 0 };
	struct ledger l;

	(void)state;
	ledger_begin(&l, &none);
	add(&l, 4, 5, 5);
	assert_int_equal(l.total.seen[0], 5);
	add(&l, 4, 6, 6);
	assert_int_equal(l.total.logged[0], 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_doubles), cmocka_unit_test(test_crashes), cmocka_unit_test(test_ledger),
		cmocka_unit_test(test_own_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
