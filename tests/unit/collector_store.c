/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/store.c: once for each (sensor, boot, seq), all or nothing for a batch, retention, a full
 * database, a damaged file, a file in use.  Its numbers against a naive copy: tests/collector/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/store.c"

#define NOW 1795287845000000 /* 2026-11-21T19:04:05Z */

static char folder[] = "/tmp/ng-store-XXXXXX";
static char path[100];

static struct report
conn(int64_t seq)
{
	static const char json[] = "{\"v\":1}";
	struct report r = { .type = REPORT_CONN, .seq = seq, .ts_us = NOW, .last_ts_us = -1, .src_port = 1,
			    .dst_port = 443, .state = seq % 3, .rtt_us = 1000 + seq % 100, .syn_retrans = 0,
			    .sample_n = -1, .json = json, .json_len = sizeof json - 1, .sensor = "r1",
			    .boot = "00000001", .src_ip = "10.0.0.1", .dst_ip = "192.0.2.1", .seq_first = -1 };

	return r;
}

static struct store *
open_new(int64_t max_rows, int64_t max_bytes)
{
	struct store_limits limits = { max_rows, max_bytes };
	struct store *s;

	unlink(path);
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	return s;
}

static int
add(struct store *s, int64_t seq, int64_t *id)
{
	struct report r = conn(seq);

	return store_add(s, &r, NOW, id);
}

static int64_t
count(struct store *s, const char *table)
{
	int64_t n = -1;
	char text[100];

	snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
	assert_int_equal(one_int(s, text, &n), SQLITE_OK);
	return n;
}

static void
test_once(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	int64_t id = 0, n = 0;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (int64_t i = 0; i < 100; i++) {
		assert_int_equal(add(s, i, &id), 1);
		assert_int_equal(id, i + 1);
	}
	assert_int_equal(add(s, 50, &id), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(count(s, "conn"), 100);
	/* A batch that is not committed leaves no trace, whatever it was. */
	assert_int_equal(store_begin(s), 0);
	for (int64_t i = 90; i < 120; i++)
		assert_int_equal(add(s, i, &id), i >= 100);
	store_rollback(s);
	assert_int_equal(count(s, "conn"), 100);
	assert_int_equal(store_sizes(s).rows, 100);
	assert_int_equal(store_sizes(s).last_id, 100);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 119, &id), 1);
	assert_int_equal(id, 101);
	assert_int_equal(add(s, 118, &id), 1);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_stored(s, 1, 0), 102);
	/* Another boot is another sequence. */
	assert_int_equal(store_begin(s), 0);
	for (int i = 0; i < 4; i++) {
		struct report r = conn(5);

		r.boot[0] = (char)('1' + i % 2);
		assert_int_equal(store_add(s, &r, NOW, &id), i < 2);
	}
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(count(s, "run"), 3);
	assert_int_equal(one_int(s, "SELECT sum(conns) FROM rollup WHERE span = 60", &n), SQLITE_OK);
	assert_int_equal(n, 104);
	assert_int_equal(one_int(s, "SELECT sum(established + answered + refused) FROM minute", &n), SQLITE_OK);
	assert_int_equal(n, 104);
	store_close(s);
}

static void
test_opened_again(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30 };
	struct store *s = open_new(1000000, 1 << 30), *second;
	int64_t id = 0;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 1, &id), 1);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(store_open(&second, path, &limits, NOW), -EWOULDBLOCK);
	assert_null(second);
	store_close(s);
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	assert_int_equal(store_sizes(s).rows, 1);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 1, &id), 0);
	assert_int_equal(add(s, 2, &id), 1);
	assert_int_equal(id, 2);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
}

static void
test_max_rows(void **state)
{
	struct store *s = open_new(1500, 1 << 30);
	int64_t id = 0, n = 0;

	(void)state;
	for (int64_t batch = 0; batch < 10; batch++) {
		assert_int_equal(store_begin(s), 0);
		for (int64_t i = 0; i < 777; i++)
			assert_int_equal(add(s, batch * 777 + i, &id), 1);
		assert_int_equal(store_commit(s), 0);
		for (int i = 0; store_trim(s, NOW) > 0; i++)
			assert_true(i < 100);
		assert_in_range(count(s, "conn"), batch ? 1400 : 777, 1500);
		assert_int_equal(count(s, "conn"), store_sizes(s).rows);
	}
	/* The newest are there, rollups count all, and nothing old can be stored again. */
	assert_int_equal(one_int(s, "SELECT max(seq) FROM conn", &n), SQLITE_OK);
	assert_int_equal(n, 7769);
	assert_int_equal(one_int(s, "SELECT sum(conns) FROM rollup WHERE span = 3600", &n), SQLITE_OK);
	assert_int_equal(n, 7770);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 0, &id), 0);
	store_rollback(s);
	store_close(s);
}

static void
test_max_bytes(void **state)
{
	static char big[4000];
	struct store *s = open_new(1000000000, 2 << 20);
	int64_t id = 0, seq = 0;
	int full = 0;

	(void)state;
	memset(big, ' ', sizeof big);
	/* With nobody to trim, it fills up to the wall, and says so. */
	while (!full && seq < 100000) {
		int r = 0;

		assert_int_equal(store_begin(s), 0);
		for (int i = 0; i < 50 && r >= 0; i++, seq++) {
			struct report rep = conn(seq);

			rep.json = big;
			rep.json_len = sizeof big;
			snprintf(rep.dst_ip, sizeof rep.dst_ip, "10.%d.%d.%d", (int)seq >> 16, (int)seq >> 8 & 255,
				 (int)seq & 255);
			r = store_add(s, &rep, NOW, &id);
		}
		if (r < 0)
			store_rollback(s);
		else
			r = store_commit(s);
		if (r < 0) {
			assert_int_equal(r, -ENOSPC);
			full = 1;
		}
	}
	assert_true(full);
	assert_true(store_sizes(s).bytes <= (2 << 20) * 5 / 4);
	assert_int_equal(count(s, "conn"), store_sizes(s).rows);
	for (int i = 0; store_trim(s, NOW) > 0; i++)
		assert_true(i < 1000);
	assert_true(store_sizes(s).bytes <= 2 << 20);
	/* And it goes on. */
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, seq + 1000, &id), 1);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
}

static void
test_rollups_age(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	int64_t id = 0, now = NOW;

	(void)state;
	for (int64_t hour = 0; hour < 10 * 24; hour++) {
		struct report r = conn(hour);

		now = NOW + hour * 3600000000LL;
		r.ts_us = now;
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(store_add(s, &r, now, &id), 1);
		assert_int_equal(store_commit(s), 0);
	}
	for (int i = 0; store_trim(s, now) > 0; i++)
		assert_true(i < 1000);
	assert_int_equal(one_int(s, "SELECT count(*) FROM rollup WHERE span = 60", &id), SQLITE_OK);
	assert_in_range(id, 26, 27);
	assert_int_equal(one_int(s, "SELECT count(*) FROM rollup WHERE span = 3600", &id), SQLITE_OK);
	assert_in_range(id, 7 * 24, 7 * 24 + 1);
	assert_in_range(count(s, "minute"), 7 * 24, 7 * 24 + 1);
	store_close(s);
}

static void
test_damaged(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30 };
	struct store *s;
	int64_t id = 0;
	char aside[200];
	int fd;

	(void)state;
	for (int how = 0; how < 3; how++) {
		s = open_new(1000000, 1 << 30);
		assert_int_equal(store_begin(s), 0);
		for (int64_t i = 0; i < 3000; i++)
			assert_int_equal(add(s, i, &id), 1);
		assert_int_equal(store_commit(s), 0);
		store_close(s);
		fd = open(path, O_WRONLY);
		if (how == 0)
			assert_int_equal(pwrite(fd, "not SQLite at all", 17, 0), 17);
		for (off_t at = 5000; how == 1 && at < 200000; at += 4096)
			assert_int_equal(pwrite(fd, "garbagegarbage", 14, at), 14);
		if (how == 2)
			assert_int_equal(ftruncate(fd, 8192), 0);
		close(fd);
		assert_int_equal(store_open(&s, path, &limits, NOW + how * 1000000), 0);
		assert_int_equal(count(s, "conn"), 0);
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(add(s, 1, &id), 1);
		assert_int_equal(store_commit(s), 0);
		store_close(s);
		snprintf(aside, sizeof aside, "%s.damaged-2026-11-21T19:04:%02d", path, 5 + how);
		assert_int_equal(unlink(aside), 0);
	}
	/* Found while it runs. */
	s = open_new(1000000, 1 << 30);
	assert_int_equal(store_recover(s, NOW), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 1, &id), 1);
	assert_int_equal(id, 1);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
	snprintf(aside, sizeof aside, "%s.damaged-2026-11-21T19:04:05", path);
	assert_int_equal(unlink(aside), 0);
	/* Somebody else's database is left alone. */
	unlink(path);
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE mine (a)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_true(store_open(&s, path, &limits, NOW) < 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT a FROM mine", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void
test_at(void **state)
{
	(void)state;
	assert_int_equal(store_at_us(NOW - 5, NOW), NOW - 5);
	assert_int_equal(store_at_us(NOW, NOW), NOW);
	assert_int_equal(store_at_us(NOW + 1, NOW), NOW);
	assert_int_equal(store_at_us(0, NOW), NOW);
	assert_int_equal(store_at_us(NOW - 7 * 86400 * 1000000LL, NOW), NOW - 7 * 86400 * 1000000LL);
	assert_int_equal(store_at_us(NOW - 7 * 86400 * 1000000LL - 1, NOW), NOW);
}

static void
test_runs_bounded(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	int64_t id = 0, n = 0;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (int64_t i = 0; i < STORE_RUNS_MAX + 300; i++) {
		struct report r = conn(i);

		snprintf(r.boot, sizeof r.boot, "%08x", (unsigned)i);
		assert_int_equal(store_add(s, &r, NOW + i, &id), 1);
	}
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(count(s, "run"), STORE_RUNS_MAX);
	assert_int_equal(count(s, "seqs"), STORE_RUNS_MAX);
	/* The oldest went. */
	assert_int_equal(one_int(s, "SELECT count(*) FROM run WHERE boot < '0000012c'", &n), SQLITE_OK);
	assert_int_equal(n, 0);
	store_close(s);
}

static int
add_trace(struct store *s, int64_t seq)
{
	static struct report_trace trace = { .n_hops = 2, .trigger = -1, .reached = 1, .path_hash = "00000000000000aa",
					     .hops = { "[]", 2 },
					     .hop = { { .ttl = 1, .ip = "10.0.0.1", .n_rtt = 1 },
						      { .ttl = 2, .ip = "192.0.2.1" } } };
	struct report r = conn(seq);
	int64_t id = 0;

	r.type = REPORT_TRACE;
	r.trace = &trace;
	return store_add(s, &r, NOW, &id);
}

/* With the report, in its transaction, once. */
static void
test_traces(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30 };
	struct store *s = open_new(1000000, 1 << 30);
	int64_t n = 0;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add_trace(s, 1), 1);
	store_rollback(s);
	assert_int_equal(count(s, "hop") + count(s, "link") + count(s, "target") + count(s, "path"), 0);
	assert_int_equal(store_paths(s)->rows[PATHS_HOP], 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(add_trace(s, 1), !i);
		assert_int_equal(store_commit(s), 0);
	}
	assert_int_equal(one_int(s, "SELECT sum(traces) FROM hop", &n), SQLITE_OK);
	assert_int_equal(n, 2);
	assert_int_equal(count(s, "other"), 1);
	assert_int_equal(store_paths(s)->rows[PATHS_LINK], 2);
	/* A database of before gets the tables, and keeps what it has. */
	assert_int_equal(exec(s, "DROP TABLE hop; DROP TABLE link; DROP TABLE target; DROP TABLE path;"
				 "DROP TABLE change; PRAGMA user_version = 1"), SQLITE_OK);
	store_close(s);
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	assert_int_equal(count(s, "other"), 1);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add_trace(s, 2), 1);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(count(s, "hop"), 2);
	store_close(s);
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	assert_int_equal(count(s, "hop"), 2);
	store_close(s);
}

/* When nothing else is left to remove, the paths go too: a full database never stays full. */
static void
test_only_paths(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	struct store_limits small = { 1000000, 200 << 10 };

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (int i = 0; i < 500; i++) {
		struct report_trace trace = { .n_hops = 1, .hops = { "[]", 2 }, .hop = { { .ttl = 1 } } };
		struct report r = conn(i);
		int64_t id = 0;

		snprintf(r.dst_ip, sizeof r.dst_ip, "10.0.%d.%d", i >> 8, i & 255);
		snprintf(trace.hop[0].ip, sizeof trace.hop[0].ip, "%s", r.dst_ip);
		r.type = REPORT_TRACE;
		r.trace = &trace;
		assert_int_equal(store_add(s, &r, NOW, &id), 1);
	}
	assert_int_equal(store_commit(s), 0);
	store_set_limits(s, &small);
	for (int i = 0; store_trim(s, NOW) > 0; i++)
		assert_true(i < 100);
	assert_true(store_sizes(s).bytes <= small.max_bytes);
	assert_in_range(count(s, "path"), 0, 400);
	assert_int_equal(store_paths(s)->evicted[PATHS_PATH], 500 - count(s, "path"));
	store_close(s);
}

static int
setup(void **state)
{
	(void)state;
	log_set_level(LOG_L_ERROR);
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/x.db", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),	     cmocka_unit_test(test_opened_again),
		cmocka_unit_test(test_max_rows),     cmocka_unit_test(test_max_bytes),
		cmocka_unit_test(test_rollups_age),  cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_runs_bounded), cmocka_unit_test(test_at),
		cmocka_unit_test(test_traces),	     cmocka_unit_test(test_only_paths),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
