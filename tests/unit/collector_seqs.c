/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/seqs.c: thousands of random numbers against an array of marks, with flushes and
 * rollbacks in between; the fold of too many gaps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/seqs.c"

#define N 600

static int64_t seed;

static sqlite3 *
new_db(void)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE seqs (run INTEGER, first INTEGER, last INTEGER NOT NULL, "
					  "PRIMARY KEY (run, first)) WITHOUT ROWID", NULL, NULL, NULL), SQLITE_OK);
	return db;
}

static int64_t
one(sqlite3 *db, const char *sql)
{
	sqlite3_stmt *stmt;
	int64_t v;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	v = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return v;
}

/* The table is what the marks say, in as few intervals as there can be. */
static void
check(sqlite3 *db, struct seqs *s, const uint8_t marks[2][N])
{
	int64_t intervals = 0;

	for (int run = 0; run < 2; run++) {
		for (int i = 0; i < N; i++)
			intervals += marks[run][i] && (!i || !marks[run][i - 1]);
		for (int from = 0; from < N; from += 97) {
			int64_t n = 0;

			for (int i = from; i < N; i++)
				n += marks[run][i];
			assert_int_equal(seqs_stored(s, run + 1, from), n);
		}
	}
	assert_int_equal(one(db, "SELECT count(*) FROM seqs"), intervals);
}

static void
test_random(void **state)
{
	(void)state;
	for (int round = 0; round < 40; round++) {
		uint8_t marks[2][N] = { { 0 } }, before[2][N];
		sqlite3 *db = new_db();
		struct seqs s;
		int run = 0, at = 0;
		int64_t forgotten;

		assert_int_equal(seqs_open(&s, db), SQLITE_OK);
		for (int batch = 0; batch < 40; batch++) {
			int n = rand() % 60, keep = rand() % 4 != 0;

			memcpy(before, marks, sizeof marks);
			sqlite3_exec(db, "BEGIN", NULL, NULL, NULL);
			for (int i = 0; i < n; i++) {
				int r;

				if (rand() % 40 == 0) {
					assert_int_equal(seqs_flush(&s, &forgotten), 0);
					run = rand() % 2;
				}
				at = rand() % 3 ? at + 1 : rand() % 3 ? at - rand() % 5 : rand() % N;
				at = at < 0 ? 0 : at >= N ? N - 1 : at;
				r = seqs_add(&s, run + 1, at);
				assert_int_equal(r, !marks[run][at]);
				marks[run][at] = 1;
			}
			if (keep) {
				assert_int_equal(seqs_flush(&s, &forgotten), 0);
				assert_int_equal(forgotten, 0);
				sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
			} else {
				sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
				seqs_forget(&s);
				memcpy(marks, before, sizeof marks);
			}
			check(db, &s, marks);
		}
		seqs_close(&s);
		assert_int_equal(sqlite3_close(db), SQLITE_OK);
	}
}

static void
test_fold(void **state)
{
	const int64_t gaps = SEQS_INTERVALS_MAX + 500;
	sqlite3 *db = new_db();
	int64_t forgotten, big = 9007199254740991;
	struct seqs s;

	(void)state;
	assert_int_equal(seqs_open(&s, db), SQLITE_OK);
	for (int64_t i = 0; i < gaps; i++)
		assert_int_equal(seqs_add(&s, 1, 10 + 3 * i), 1); /* two missing behind each */
	assert_int_equal(seqs_flush(&s, &forgotten), 0);
	assert_int_equal(one(db, "SELECT count(*) FROM seqs"), SEQS_INTERVALS_MAX);
	/* 501 became one: 500 gaps of two are closed. */
	assert_int_equal(forgotten, 1000);
	assert_int_equal(seqs_stored(&s, 1, 0), gaps + 1000);
	assert_int_equal(seqs_add(&s, 1, 11), 0); /* in a closed gap: taken for a duplicate */
	assert_int_equal(seqs_add(&s, 1, 10 + 3 * (gaps - 1) + 1), 1);
	assert_int_equal(seqs_flush(&s, &forgotten), 0);
	assert_int_equal(forgotten, 0);
	assert_int_equal(seqs_add(&s, 1, big), 1);
	assert_int_equal(seqs_add(&s, 1, big - 1), 1);
	assert_int_equal(seqs_add(&s, 1, big), 0);
	assert_int_equal(seqs_flush(&s, &forgotten), 0);
	assert_int_equal(seqs_stored(&s, 1, big - 5), 2);
	seqs_close(&s);
	sqlite3_close(db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random), cmocka_unit_test(test_fold) };

	seed = getenv("NG_SEED") ? atoll(getenv("NG_SEED")) : time(NULL);
	printf("NG_SEED=%lld\n", (long long)seed);
	srand((unsigned)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
