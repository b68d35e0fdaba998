/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/paths.c: thousands of random traces against a naive copy, links over silent hops, changes,
 * caps, a batch that is rolled back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/paths.c"

#define NOW 1795287845000000 /* 2026-11-21T19:04:05Z */
#define SENSORS 2
#define TTLS 6
#define IPS 4 /* at a ttl; number 0: silent */

static sqlite3 *db;
static struct paths paths;
static struct report_trace trace;
static struct report rep;

static void
exec(const char *text)
{
	char *err = NULL;

	if (sqlite3_exec(db, text, NULL, NULL, &err))
		fail_msg("%s: %s", text, err);
}

static int64_t __attribute__((format(printf, 1, 2)))
number(const char *fmt, ...)
{
	sqlite3_stmt *stmt;
	char text[500];
	int64_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
	n = sqlite3_step(stmt) == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL
		    ? sqlite3_column_int64(stmt, 0) : -1;
	sqlite3_finalize(stmt);
	return n;
}

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	exec("CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID");
	exec(paths_schema);
	assert_int_equal(paths_open(&paths, db), 0);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	paths_close(&paths);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	return 0;
}

static void
begin(const char *sensor, const char *dst, const char *hash)
{
	memset(&trace, 0, sizeof trace);
	rep = (struct report){ .type = REPORT_TRACE, .dst_port = 443, .trace = &trace };
	snprintf(rep.sensor, sizeof rep.sensor, "%s", sensor);
	snprintf(rep.dst_ip, sizeof rep.dst_ip, "%s", dst);
	snprintf(trace.path_hash, sizeof trace.path_hash, "%s", hash);
	trace.trigger = -1;
	trace.reached = 1;
	trace.hops = (struct report_text){ "[]", 2 };
}

/* ip NULL: silent; rtt_us -1: none. */
static struct report_hop *
hop(int64_t ttl, const char *ip, int64_t rtt_us)
{
	struct report_hop *h = &trace.hop[trace.n_hops++];

	h->ttl = ttl;
	h->sent = 1;
	if (ip)
		snprintf(h->ip, sizeof h->ip, "%s", ip);
	if (rtt_us >= 0)
		h->rtt_us[h->n_rtt++] = (uint32_t)rtt_us;
	return h;
}

static void
add(int64_t at_us)
{
	assert_int_equal(paths_add(&paths, &rep, at_us), 0);
}

struct sum {
	int64_t traces, cached, sent, answered, min, max, n, first, last;
};

static void
sum_time(struct sum *s, int64_t at_us)
{
	if (!s->traces++)
		s->first = s->last = at_us;
	s->first = at_us < s->first ? at_us : s->first;
	s->last = at_us > s->last ? at_us : s->last;
}

static void
sum_rtt(struct sum *s, int64_t us)
{
	s->min = !s->n || us < s->min ? us : s->min;
	s->max = !s->n || us > s->max ? us : s->max;
	s->n++;
}

static void
check(const struct sum *s, const char *table, const char *where)
{
	static const char *const columns[] = { "traces", "first_us", "last_us", "rtt_min", "rtt_max" };
	const int64_t want[] = { s->traces, s->first, s->last, s->n ? s->min : -1, s->n ? s->max : -1 };
	sqlite3_stmt *stmt;
	struct rtt rtt = { 0 };
	char text[500];

	if (!s->traces) {
		assert_int_equal(number("SELECT count(*) FROM %s WHERE %s", table, where), 0);
		return;
	}
	for (int i = 0; i < 5; i++)
		assert_int_equal(number("SELECT %s FROM %s WHERE %s", columns[i], table, where), want[i]);
	snprintf(text, sizeof text, "SELECT rtt_min, rtt_max, hist FROM %s WHERE %s", table, where);
	assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	column_add_rtt(&rtt, stmt, 0, 2);
	sqlite3_finalize(stmt);
	assert_int_equal(rtt.n, s->n);
}

static void
test_random(void **state)
{
	static struct sum hops[SENSORS][TTLS + 1][IPS], links[SENSORS][TTLS + 1][IPS][TTLS][IPS];
	unsigned seed = (unsigned)time(NULL);
	int64_t n_hops = 0, n_links = 0;
	char where[200], ip[ADDR_TEXT], a[ADDR_TEXT];

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	memset(hops, 0, sizeof hops);
	memset(links, 0, sizeof links);
	for (int i = 0; i < 3000; i++) {
		int64_t at_us = NOW + rand() % 1000000, before_us = 0;
		int sensor = rand() % SENSORS, ttls = rand() % (TTLS + 1), before = 0, before_ttl = 0;

		begin(sensor ? "s1" : "s0", "192.0.2.1", "");
		for (int ttl = 1; ttl <= ttls; ttl++) {
			int n = rand() % IPS, cached = rand() % 4 == 0;
			int64_t least = -1;
			struct report_hop *h;
			struct sum *s = &hops[sensor][ttl][n];

			snprintf(ip, sizeof ip, "10.0.%d.%d", ttl, n);
			h = hop(ttl, n ? ip : NULL, -1);
			h->cached = n && cached;
			if (!n)
				continue;
			sum_time(s, at_us);
			s->cached += cached;
			for (int k = cached ? 0 : rand() % 4; k > 0; k--) {
				int64_t us = rand() % 50000;

				h->rtt_us[h->n_rtt++] = (uint32_t)us;
				sum_rtt(s, us);
				s->answered++;
				least = least < 0 || us < least ? us : least;
			}
			h->sent = cached ? -1 : 3;
			s->sent += cached ? 0 : 3;
			s = &links[sensor][before_ttl][before][ttl - before_ttl - 1][n];
			sum_time(s, at_us);
			if (least >= 0 && before_us >= 0)
				sum_rtt(s, least > before_us ? least - before_us : 0);
			before = n;
			before_ttl = ttl;
			before_us = least;
		}
		add(at_us);
	}
	for (int sensor = 0; sensor < SENSORS; sensor++) {
		for (int ttl = 0; ttl <= TTLS; ttl++) {
			for (int n = 0; n < IPS; n++) {
				const struct sum *s = &hops[sensor][ttl][n];

				snprintf(where, sizeof where, "sensor = 's%d' AND ttl = %d AND ip = '10.0.%d.%d'",
					 sensor, ttl, ttl, n);
				check(s, "hop", where);
				if (s->traces) {
					n_hops++;
					assert_int_equal(number("SELECT cached FROM hop WHERE %s", where), s->cached);
					assert_int_equal(number("SELECT sent FROM hop WHERE %s", where), s->sent);
					assert_int_equal(number("SELECT answered FROM hop WHERE %s", where),
							 s->answered);
				}
				a[0] = 0;
				if (n)
					snprintf(a, sizeof a, "10.0.%d.%d", ttl, n);
				for (int gap = 0; gap < TTLS; gap++) {
					for (int b = 1; b < IPS; b++) {
						s = &links[sensor][ttl][n][gap][b];
						snprintf(where, sizeof where, "sensor = 's%d' AND ttl = %d AND a = '%s' "
							 "AND gap = %d AND b = '10.0.%d.%d'", sensor, ttl, a, gap,
							 ttl + gap + 1, b);
						check(s, "link", where);
						n_links += s->traces > 0;
					}
				}
			}
		}
	}
	assert_int_equal(number("SELECT count(*) FROM hop"), n_hops);
	assert_int_equal(number("SELECT count(*) FROM link"), n_links);
	assert_int_equal(number("SELECT sum(traces) FROM target"), 3000);
	assert_int_equal(number("SELECT sum(traces) FROM path"), 3000);
	assert_int_equal(paths.now.rows[PATHS_HOP], n_hops);
	assert_int_equal(paths.now.rows[PATHS_LINK], n_links);
}

static void
test_gap(void **state)
{
	(void)state;
	begin("gw", "192.0.2.1", "00000000000000aa");
	hop(1, "10.0.0.1", 300);
	hop(2, NULL, -1);
	hop(3, NULL, -1);
	hop(4, "10.0.0.4", 9000);
	hop(4, "10.0.0.5", 8000); /* a second answer: a hop, no link */
	hop(5, "192.0.2.1", 8500);
	add(NOW);
	assert_int_equal(number("SELECT count(*) FROM hop"), 4);
	assert_int_equal(number("SELECT count(*) FROM link"), 3);
	assert_int_equal(number("SELECT rtt_min FROM link WHERE a = '' AND b = '10.0.0.1' AND gap = 0"), 300);
	assert_int_equal(number("SELECT gap FROM link WHERE a = '10.0.0.1' AND ttl = 1 AND b = '10.0.0.4'"), 2);
	/* The later hop answered faster: nothing is added, and nothing is taken away. */
	assert_int_equal(number("SELECT rtt_min FROM link WHERE a = '10.0.0.4' AND b = '192.0.2.1'"), 0);
	assert_int_equal(number("SELECT hops_n FROM path"), 5);
	assert_int_equal(number("SELECT silent_n FROM path"), 2);
	assert_int_equal(number("SELECT rtt_us FROM path"), 8500);
	/* A trace that found nobody. */
	begin("gw", "192.0.2.2", "");
	trace.reached = 0;
	hop(1, NULL, -1);
	add(NOW);
	assert_int_equal(number("SELECT hops_n + silent_n + reached FROM path WHERE dst_ip = '192.0.2.2'"), 0);
	assert_int_equal(number("SELECT count(*) FROM hop"), 4);
}

static void
test_change(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		begin("gw", "192.0.2.1", i < 3 ? "00000000000000aa" : "00000000000000bb");
		if (i == 3)
			strcpy(trace.prev_path_hash, "00000000000000aa");
		if (i == 4) /* a sensor that says it again: no change */
			strcpy(trace.prev_path_hash, "00000000000000bb");
		if (i == 3)
			trace.dst_name = (struct report_text){ "\"x\"", 3 };
		add(NOW + i);
	}
	assert_int_equal(number("SELECT count(*) FROM change"), 1);
	assert_int_equal(number("SELECT last_us FROM change WHERE old LIKE '%%aa' AND new LIKE '%%bb'"), NOW + 3);
	assert_int_equal(number("SELECT changed_us FROM target"), NOW + 3);
	assert_int_equal(number("SELECT changes FROM target WHERE path_hash LIKE '%%bb' AND dst_name = '\"x\"'"), 1);
	assert_int_equal(number("SELECT count(*) FROM path"), 2);
	assert_int_equal(number("SELECT traces FROM path WHERE path_hash LIKE '%%aa'"), 3);
	/* What comes late is counted, and is not the latest. */
	begin("gw", "192.0.2.1", "00000000000000cc");
	rep.dst_port = 80;
	add(NOW - 1000);
	assert_int_equal(number("SELECT traces FROM target WHERE path_hash LIKE '%%bb' AND dst_port = 443"), 6);
	assert_int_equal(number("SELECT first_us FROM target"), NOW - 1000);
	assert_int_equal(number("SELECT last_us FROM target"), NOW + 4);
	/* Two sensors have nothing to do with each other. */
	begin("other", "192.0.2.1", "00000000000000aa");
	add(NOW);
	assert_int_equal(number("SELECT count(*) FROM target"), 2);
	assert_int_equal(number("SELECT traces FROM path WHERE sensor = 'other'"), 1);
}

/* Without path_hash: the same answers, the same path; a silent hop more or less is another matter of
 * ttls, not of answers. */
static void
test_no_hash(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		begin("gw", "192.0.2.1", "");
		hop(1, "10.0.0.1", 1);
		if (i == 1)
			hop(2, NULL, -1);
		hop(3, i == 2 ? "10.0.0.33" : "10.0.0.3", 1);
		add(NOW + i);
	}
	assert_int_equal(number("SELECT count(*) FROM path"), 2);
	assert_int_equal(number("SELECT max(traces) FROM path"), 2);
	assert_int_equal(number("SELECT count(*) FROM change"), 0);
}

static void
many(int from, int n)
{
	char ip[ADDR_TEXT], hash[17];

	for (int i = from; i < from + n; i++) {
		snprintf(ip, sizeof ip, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		snprintf(hash, sizeof hash, "%016x", i);
		begin("gw", ip, hash);
		strcpy(trace.prev_path_hash, "ffffffffffffffff");
		hop(1, "10.0.0.1", 300);
		hop(2, ip, 300);
		add(NOW + i);
	}
}

static void
test_caps(void **state)
{
	static const char *const names[] = { "hop", "link", "target", "path", "change" };

	(void)state;
	for (int t = 0; t < PATHS_TABLES; t++)
		paths.max[t] = 50 + t;
	many(0, 40);
	assert_int_equal(paths_flush(&paths), 0);
	assert_int_equal(number("SELECT count(*) FROM meta WHERE key LIKE 'evicted%%'"), 0);
	paths_committed(&paths);
	many(40, 160);
	assert_int_equal(paths_flush(&paths), 0);
	for (int t = 0; t < PATHS_TABLES; t++) {
		int64_t made = t == PATHS_HOP || t == PATHS_LINK ? 201 : 200;

		assert_int_equal(number("SELECT count(*) FROM %s", names[t]), 50 + t);
		assert_int_equal(paths.now.rows[t], 50 + t);
		assert_int_equal(paths.now.evicted[t], made - 50 - t);
		assert_int_equal(number("SELECT value FROM meta WHERE key = 'evicted_%s'", names[t]), made - 50 - t);
		/* The newest are there. */
		assert_int_equal(number("SELECT max(last_us) FROM %s", names[t]), NOW + 199);
		assert_in_range(number("SELECT min(last_us) FROM %s", names[t]), NOW + 140, NOW + 199);
	}
	/* What every trace uses stays, though it is the oldest. */
	assert_int_equal(number("SELECT traces FROM hop WHERE ip = '10.0.0.1'"), 200);
	assert_int_equal(number("SELECT traces FROM link WHERE a = ''"), 200);
	/* Opened again, it knows how much there is and how much went. */
	paths_committed(&paths);
	paths_close(&paths);
	assert_int_equal(paths_open(&paths, db), 0);
	for (int t = 0; t < PATHS_TABLES; t++) {
		assert_int_equal(paths.now.rows[t], 50 + t);
		assert_true(paths.now.evicted[t] > 100);
	}
}

static void
test_rolled_back(void **state)
{
	struct paths_counts before;

	(void)state;
	for (int t = 0; t < PATHS_TABLES; t++)
		paths.max[t] = 20;
	many(0, 30);
	assert_int_equal(paths_flush(&paths), 0);
	paths_committed(&paths);
	before = paths.now;
	exec("BEGIN");
	many(30, 30);
	assert_int_equal(paths_flush(&paths), 0);
	assert_memory_not_equal(&before, &paths.now, sizeof before);
	exec("ROLLBACK");
	paths_rolled_back(&paths);
	assert_memory_equal(&before, &paths.now, sizeof before);
	assert_int_equal(number("SELECT max(last_us) FROM hop"), NOW + 29);
	assert_int_equal(number("SELECT value FROM meta WHERE key = 'evicted_path'"), 10);
}

static void
test_trim(void **state)
{
	int removed = 0, turns = 0;

	(void)state;
	many(0, 64);
	assert_int_equal(paths_trim(&paths, &removed), 0);
	assert_int_equal(removed, 1);
	assert_int_equal(number("SELECT count(*) FROM path"), 64 - 5);
	assert_int_equal(number("SELECT min(last_us) FROM path"), NOW + 5);
	for (; removed; turns++) {
		assert_true(turns < 100);
		assert_int_equal(paths_trim(&paths, &removed), 0);
	}
	for (int t = 0; t < PATHS_TABLES; t++)
		assert_int_equal(paths.now.rows[t], 0);
	assert_int_equal(number("SELECT count(*) FROM hop"), 0);
	/* A small database has small tables, never none. */
	paths_limit(&paths, 1 << 20);
	assert_int_equal(paths.max[PATHS_HOP], 1 + PATHS_HOPS_MAX / 256);
	paths_limit(&paths, PATHS_FULL_BYTES);
	assert_int_equal(paths.max[PATHS_HOP], PATHS_HOPS_MAX);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random, setup, teardown),
		cmocka_unit_test_setup_teardown(test_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_change, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_hash, setup, teardown),
		cmocka_unit_test_setup_teardown(test_caps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rolled_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_trim, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
