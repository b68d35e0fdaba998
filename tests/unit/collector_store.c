/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/store.c: once for each (sensor, boot, seq), all or nothing for a batch, retention, a full
 * database, damaged files, a file in use,
 * an earlier format.  Its numbers against a naive copy: tests/collector/.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/store.c"
#include "lib/json.h"

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

/* Nothing of an earlier test is left. */
static void
clean(void)
{
	char text[200];

	snprintf(text, sizeof text, "rm -rf %s/*", folder);
	assert_int_equal(system(text), 0);
}

static struct store *
open_new(int64_t max_rows, int64_t max_bytes)
{
	struct store_limits limits = { max_rows, max_bytes, 366 };
	struct store *s;

	clean();
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	return s;
}

static int
add(struct store *s, int64_t seq, int64_t *id)
{
	struct report r = conn(seq);

	return store_add(s, &r, NOW, id);
}

/* A number out of the main file. */
static int64_t
number(struct store *s, const char *sql)
{
	int64_t n = -1;

	assert_int_equal(dbfile_int(s->db, sql, &n), SQLITE_OK);
	return n;
}

/* A sum over the files of all days. */
static int64_t
of_days(struct store *s, const char *sql)
{
	int64_t sum = 0;

	for (size_t i = 0; i < days_n(s->days); i++) {
		int64_t n = 0;
		int r;
		sqlite3 *db = days_db(s->days, i, &r);

		assert_int_equal(r, SQLITE_OK);
		assert_int_equal(dbfile_int(db, sql, &n), SQLITE_OK);
		sum += n;
	}
	return sum;
}

static int64_t
count(struct store *s, const char *table)
{
	char text[100];

	snprintf(text, sizeof text, "SELECT count(*) FROM %s", table);
	if (!strcmp(table, "conn") || !strcmp(table, "other"))
		return of_days(s, text);
	return number(s, text);
}

static void
test_once(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	int64_t id = 0;

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
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60"), 104);
	assert_int_equal(number(s, "SELECT sum(established + answered + refused) FROM total WHERE span = 60"), 104);
	store_close(s);
}

static void
test_opened_again(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
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
	int64_t id = 0;

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
	assert_int_equal(of_days(s, "SELECT max(seq) FROM conn"), 7769);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60"), 7770);
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

/* Everything that was counted, once: days, and the minutes that are not folded into them. */
static int64_t
counted(struct store *s)
{
	char text[300];

	snprintf(text, sizeof text, "SELECT sum(established + answered + refused + accepted + dropped + rejected + unknown) FROM total "
				    "WHERE span = 86400 OR (span = 60 AND at >= %lld)", (long long)store_folded(s));
	return number(s, text);
}

/* More destinations, sources and ports than there is room for: no batch is refused, and the totals count them all. */
static void
many_destinations(int64_t max_bytes, int steps, int step_s, int batches, int in_batch)
{
	struct store *s = open_new(1000000000, max_bytes);
	int64_t id = 0, sent = 0, seq = 0, now = NOW;
	unsigned random = 7;

	for (int n = 0; n < steps; n++, now += step_s * 1000000LL) {
		for (int batch = 0; batch < batches; batch++) {
			assert_int_equal(store_begin(s), 0);
			for (int i = 0; i < in_batch; i++, seq++) {
				struct report r = conn(seq);

				random = random * 1664525 + 1013904223;
				r.type = i % 4 ? REPORT_CONN : REPORT_ATTEMPT;
				r.ts_us = r.last_ts_us = now - (n % 10 ? 0 : 3600000000 * (i % 3));
				r.count = 3;
				r.verdict = i % 5 - 1;
				r.dst_port = (int64_t)(random >> 16);
				snprintf(i % 4 ? r.dst_ip : r.src_ip, sizeof r.dst_ip, "10.%u.%u.%u", random >> 8 & 255, random >> 16 & 255,
					 random >> 24);
				assert_int_equal(store_add(s, &r, now, &id), 1);
				sent += i % 4 ? 1 : 3;
			}
			assert_int_equal(store_commit(s), 0);
		}
		for (int i = 0; store_trim(s, now) > 0; i++)
			assert_true(i < 1000);
		assert_true(store_sizes(s).main_bytes <= max_bytes / MAIN_WALL);
	}
	assert_int_equal(counted(s), sent);
	assert_true(store_sizes(s).rollups_merged > 0);
	assert_true(number(s, "SELECT min(at) FROM total WHERE span = 60") >= store_lost(s, 60));
	store_close(s);
}

static void
test_many_destinations(void **state)
{
	(void)state;
	many_destinations(1 << 20, 200, 600, 1, 60);
	many_destinations(16 << 20, 4, 60, 12, 500);
}

/* Minutes stay a day and a bit, hours as long as reports, days a year; each counts everything once, whenever it came. */
static void
test_rollups_age(void **state)
{
	struct store_limits week = { 1000000, 1 << 30, 7 };
	struct store *s = open_new(1000000, 1 << 30);
	int64_t id = 0, now = NOW;

	(void)state;
	store_set_limits(s, &week);
	for (int64_t hour = 0; hour < 10 * 24; hour++) {
		struct report r = conn(2 * hour), late = conn(2 * hour + 1);

		now = NOW + hour * 3600000000LL;
		r.ts_us = now;
		late.ts_us = now - 7200000000;
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(store_add(s, &r, now, &id), 1);
		assert_int_equal(store_add(s, &late, now, &id), 1);
		assert_int_equal(store_commit(s), 0);
	}
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60"), 480);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 3600"), 479);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 86400"), 479);
	assert_int_equal(number(s, "SELECT sum(refused) FROM total WHERE span = 3600"),
			 number(s, "SELECT sum(failed) FROM rollup WHERE span = 86400"));
	/* Folded when it is over, though nothing comes any more. */
	for (int i = 0; store_trim(s, now + 60000000) > 0; i++)
		assert_true(i < 1000);
	assert_int_equal(store_folded(s), now / 60000000 * 60 + 60);
	assert_in_range(number(s, "SELECT count(*) FROM rollup WHERE span = 60"), 26, 27);
	assert_in_range(number(s, "SELECT count(*) FROM rollup WHERE span = 3600"), 7 * 24, 7 * 24 + 1);
	assert_in_range(number(s, "SELECT count(*) FROM total WHERE span = 3600"), 7 * 24, 7 * 24 + 1);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 86400"), 480);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 3600 AND at = 1795287600 + 239 * 3600"), 1);
	store_close(s);
}

/* The busiest of an hour stay, the others become one row of their sensor. */
static void
test_rollups_cut(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	int64_t id = 0, seq = 0;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (int to = 0; to < ROLLUP_HOUR_ROWS + 100; to++) {
		for (int n = 0; n < 1 + (to < 10); n++) {
			struct report r = conn(seq++);

			snprintf(r.dst_ip, sizeof r.dst_ip, "10.1.%d.%d", to / 250, to % 250);
			r.rtt_src_us = 500;
			assert_int_equal(store_add(s, &r, NOW, &id), 1);
		}
	}
	assert_int_equal(store_commit(s), 0);
	for (int i = 0; store_trim(s, NOW + 90 * 60000000LL) > 0; i++)
		assert_true(i < 1000);
	assert_int_equal(number(s, "SELECT count(*) FROM rollup WHERE span = 3600"), ROLLUP_HOUR_ROWS + 1);
	assert_int_equal(number(s, "SELECT conns FROM rollup WHERE span = 3600 AND dst_ip = ''"), 100);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 3600"), seq);
	assert_int_equal(number(s, "SELECT count(*) FROM rollup WHERE span = 3600 AND conns = 2"), 10);
	assert_int_equal(number(s, "SELECT max(src_max) FROM rollup WHERE span = 3600 AND dst_ip = ''"), 500);
	/* Not a day that is not over, and nothing twice. */
	assert_int_equal(number(s, "SELECT count(*) FROM rollup WHERE span = 86400"), ROLLUP_HOUR_ROWS + 100);
	assert_int_equal(store_trim(s, NOW + 90 * 60000000LL), 0);
	store_close(s);
}

/* Very many, each with as many SYNs as a report can tell: it costs not much more than taking them did, and the sum is a number. */
static void
test_rollups_cut_many(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	const int n = 40000;
	clock_t began = clock(), taken, cut;
	int64_t id = 0;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (int to = 0; to < n; to++) {
		struct report r = conn(to);

		snprintf(r.dst_ip, sizeof r.dst_ip, "10.%d.%d.%d", to >> 16, to >> 8 & 255, to & 255);
		r.syn_retrans = UINT32_MAX;
		r.sample_n = REPORT_INT_MAX;
		assert_int_equal(store_add(s, &r, NOW, &id), 1);
	}
	assert_int_equal(store_commit(s), 0);
	taken = clock();
	for (int i = 0, more = 1; more; i++) {
		more = store_trim(s, NOW + 90 * 60000000LL);
		assert_in_range(more, 0, 1);
		assert_true(i < 1000);
	}
	cut = clock();
	assert_int_equal(number(s, "SELECT count(*) FROM rollup WHERE span = 3600"), ROLLUP_HOUR_ROWS + 1);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 3600"), (int64_t)n * STORE_WEIGHT_MAX);
	assert_int_equal(number(s, "SELECT syn_retrans / conns FROM rollup WHERE span = 3600 AND dst_ip = ''"), ROLLUP_RETRANS_MAX);
	if (cut - taken > 10 * (taken - began))
		fail_msg("cut in %ld ticks what was taken in %ld", (long)(cut - taken), (long)(taken - began));
	store_close(s);
}

static struct report
attempt(int64_t seq, const char *src, int64_t verdict)
{
	static const char json[] = "{\"dst_ports\":[22,80]}";
	struct report r = conn(seq);

	r.type = REPORT_ATTEMPT;
	r.last_ts_us = NOW;
	r.count = 11;
	r.verdict = verdict;
	r.kind = verdict < 0 ? -1 : 1;
	r.n_ports = 2;
	r.ports[0] = 22;
	r.ports[1] = 80;
	r.dst_ports_n = r.dst_ips_n = -1;
	r.json = json;
	r.json_len = sizeof json - 1;
	snprintf(r.src_ip, sizeof r.src_ip, "%s", src);
	return r;
}

/* By source, by port (shared evenly), in total; the same in hours. */
static void
test_knocks(void **state)
{
	static const char *const spans[] = { "60", "3600", "86400" };
	struct store *s = open_new(1000000, 1 << 30);
	char text[200];
	int64_t id = 0;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (int64_t i = 0; i < 30; i++) {
		struct report r = attempt(i, i % 3 ? "203.0.113.1" : "203.0.113.2", i % 5 - 1);

		assert_int_equal(store_add(s, &r, NOW + i, &id), 1);
	}
	assert_int_equal(store_commit(s), 0);
	/* On every machine. */
	assert_int_equal(of_days(s, "SELECT count(*) FROM attempt WHERE hex(ports) = '16005000'"), 30);
	assert_int_equal(store_trim(s, NOW + 60000000) >= 0, 1);
	for (int i = 0; i < 3; i++) {
		snprintf(text, sizeof text, "SELECT sum(accepted * 1000000 + dropped * 10000 + rejected * 100) FROM knock "
					    "WHERE span = %s", spans[i]);
		assert_int_equal(number(s, text), 66666600);
		snprintf(text, sizeof text, "SELECT sum(unknown) FROM total WHERE span = %s", spans[i]);
		assert_int_equal(number(s, text), 2 * 66);
		snprintf(text, sizeof text, "SELECT sum(dropped * 1000 + unknown) FROM door WHERE port = 22 AND span = %s", spans[i]);
		assert_int_equal(number(s, text), 36 * 1000 + 72);
		snprintf(text, sizeof text, "SELECT sum(dropped * 1000 + unknown) FROM door WHERE port = 80 AND span = %s", spans[i]);
		assert_int_equal(number(s, text), 30 * 1000 + 60);
		snprintf(text, sizeof text, "SELECT count(*) FROM knock WHERE span = %s AND length(ports) = 8", spans[i]);
		assert_int_equal(number(s, text), 2);
	}
	store_close(s);
}

static void
garble(const char *file, int how)
{
	int fd = open(file, O_WRONLY);

	assert_true(fd >= 0);
	if (how == 0)
		assert_int_equal(pwrite(fd, "not SQLite at all", 17, 0), 17);
	for (off_t at = 4096; how == 1 && at < 200000; at += 4096)
		assert_int_equal(pwrite(fd, "garbagegarbage", 14, at), 14);
	if (how == 2)
		assert_int_equal(ftruncate(fd, 8192), 0);
	close(fd);
}

static void
fill(struct store *s, int64_t from, int64_t n, int64_t rx_us)
{
	int64_t id = 0;

	assert_int_equal(store_begin(s), 0);
	for (int64_t i = from; i < from + n; i++) {
		/* The very line, as the validator gives it: what the days hold is read again. */
		char text[600];
		struct report r = conn(i);
		char when[JSON_TIME_LEN + 1];

		r.ts_us = rx_us;
		json_time_text(when, rx_us);
		r.json_len = (size_t)snprintf(text, sizeof text, "{\"v\":1,\"type\":\"conn\",\"ts\":\"%s\",\"sensor\":\"r1\","
			"\"boot\":\"00000001\",\"seq\":%d,\"dir\":\"outbound\",\"src_ip\":\"10.0.0.1\",\"src_port\":1,"
			"\"dst_ip\":\"192.0.2.1\",\"dst_port\":443,\"proto\":\"tcp\",\"state\":\"%s\",\"rtt_us\":%d,"
			"\"syn_retrans\":0}", when, (int)i, (const char *const[]){ "established", "answered", "refused" }[i % 3],
			(int)(1000 + i % 100));
		r.json = text;
		assert_int_equal(store_add(s, &r, rx_us, &id), 1);
	}
	assert_int_equal(store_commit(s), 0);
}

/* A main file is made again from the days, to the same numbers. */
static void
test_main_damaged(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
	static const char sums[] = "SELECT sum(conns * 7 + failed * 5 + syn_retrans + rtt_min + rtt_max) + "
				   "sum(length(hist)) FROM rollup";
	int64_t before, stored;
	struct store *s;
	int64_t id = 0;
	char aside[200];

	(void)state;
	for (int how = 0; how < 3; how++) {
		s = open_new(1000000, 1 << 30);
		fill(s, 0, 2000, NOW);
		fill(s, 3000, 1000, NOW + DAYS_US);
		before = number(s, sums);
		stored = store_stored(s, 1, 0);
		store_close(s);
		garble(path, how);
		assert_int_equal(store_open(&s, path, &limits, NOW + how * 1000000), 0);
		assert_int_equal(store_sizes(s).damaged, 1);
		assert_int_equal(count(s, "conn"), 3000);
		assert_int_equal(number(s, sums), before);
		assert_int_equal(store_stored(s, 1, 0), stored);
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(add(s, 1, &id), 0);
		assert_int_equal(add(s, 2500, &id), 1);
		assert_int_equal(id, 3001);
		assert_int_equal(store_commit(s), 0);
		store_close(s);
		assert_int_equal(store_open(&s, path, &limits, NOW), 0);
		assert_int_equal(store_sizes(s).damaged, 1);
		store_close(s);
		snprintf(aside, sizeof aside, "%s.damaged-2026-11-21T19:04:%02d", path, 5 + how);
		assert_int_equal(unlink(aside), 0);
	}
	/* Found while it runs. */
	s = open_new(1000000, 1 << 30);
	fill(s, 0, 10, NOW);
	assert_int_equal(store_recover(s, NOW), 0);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60"), 10);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 1, &id), 0);
	assert_int_equal(add(s, 11, &id), 1);
	assert_int_equal(id, 11);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
	/* Somebody else's database is left alone. */
	clean();
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "CREATE TABLE mine (a)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	assert_true(store_open(&s, path, &limits, NOW) < 0);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "SELECT a FROM mine", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

/* A day is lost alone: the others stay, the numbers stay. */
static void
test_day_damaged(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
	struct store *s;
	char file[200];

	(void)state;
	for (int how = 0; how < 3; how++) {
		s = open_new(1000000, 1 << 30);
		for (int day = 0; day < 3; day++)
			fill(s, day * 1000, 1000, NOW + day * DAYS_US);
		store_close(s);
		snprintf(file, sizeof file, "%s.d/2026-11-22.db", path);
		garble(file, how);
		assert_int_equal(store_open(&s, path, &limits, NOW), 0);
		assert_int_equal(days_n(s->days), 2);
		assert_int_equal(count(s, "conn"), 2000);
		assert_int_equal(store_sizes(s).damaged, 1);
		assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60"), 3000);
		fill(s, 5000, 10, NOW + DAYS_US);
		assert_int_equal(count(s, "conn"), 2010);
		store_close(s);
	}
	/* Found while it runs, by a question or a batch. */
	s = open_new(1000000, 1 << 30);
	fill(s, 0, 10, NOW);
	fill(s, 10, 10, NOW + DAYS_US);
	int r;
	store_blame(s, days_db(s->days, 0, &r));
	assert_int_equal(store_recover(s, NOW), 0);
	assert_int_equal(count(s, "conn"), 10);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60"), 20);
	store_close(s);
}

/* By hand, while it runs: nobody else stumbles over it, and nothing more is written into what is gone. */
static void
test_day_removed(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
	struct store *s = open_new(1000000, 1 << 30);
	char file[200];
	int r;

	(void)state;
	fill(s, 0, 10, NOW);
	fill(s, 10, 10, NOW + DAYS_US);
	store_close(s);
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	snprintf(file, sizeof file, "%s.d/2026-11-21.db", path);
	assert_int_equal(unlink(file), 0);
	for (int i = 0; i < 2; i++) {
		sqlite3 *db = days_db(s->days, 0, &r);

		assert_int_equal(dbfile_error(db, r), -EUCLEAN);
		assert_true(days_has(s->days, db));
		store_blame(s, db);
	}
	assert_int_equal(store_recover(s, NOW), 0);
	assert_int_equal(count(s, "conn"), 10);
	fill(s, 20, 10, NOW + DAYS_US);
	snprintf(file, sizeof file, "%s.d/2026-11-22.db", path);
	assert_int_equal(unlink(file), 0);
	fill(s, 30, 5, NOW + DAYS_US);
	store_close(s);
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	assert_int_equal(count(s, "conn"), 5);
	store_close(s);
}

/* The main file was not written as far as the days: after a crash it is behind, and says nothing twice. */
static void
test_behind(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
	struct store *s = open_new(1000000, 1 << 30);
	char text[900];
	int64_t id = 0;

	(void)state;
	fill(s, 0, 100, NOW);
	store_close(s);
	snprintf(text, sizeof text, "cp %s %s/old", path, folder);
	assert_int_equal(system(text), 0);
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	fill(s, 100, 50, NOW + DAYS_US);
	fill(s, 150, 50, NOW + DAYS_US);
	store_close(s);
	snprintf(text, sizeof text, "mv %s/old %s", folder, path);
	assert_int_equal(system(text), 0);
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	assert_int_equal(store_sizes(s).last_id, 200);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60"), 200);
	assert_int_equal(number(s, "SELECT seq_max FROM run"), 199);
	assert_int_equal(number(s, "SELECT conn FROM run"), 200);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 199, &id), 0);
	assert_int_equal(add(s, 200, &id), 1);
	assert_int_equal(id, 201);
	assert_int_equal(store_commit(s), 0);
	store_close(s);
}

/* Days beyond the limit, and the oldest first when the bytes do not suffice. */
static void
test_days_dropped(void **state)
{
	struct store_limits few = { 1000000, 1 << 30, 3 }, small = { 1000000, 600 << 10, 366 };
	struct store *s = open_new(1000000, 1 << 30);

	(void)state;
	for (int day = 0; day < 6; day++)
		fill(s, day * 500, 500, NOW + day * DAYS_US);
	assert_int_equal(days_n(s->days), 6);
	for (int i = 0; store_trim(s, NOW + 5 * DAYS_US) > 0; i++)
		assert_true(i < 20);
	assert_int_equal(days_n(s->days), 6);
	store_set_limits(s, &few);
	for (int i = 0; store_trim(s, NOW + 5 * DAYS_US) > 0; i++)
		assert_true(i < 20);
	assert_int_equal(days_n(s->days), 3);
	assert_int_equal(count(s, "conn"), 1500);
	assert_int_equal(store_sizes(s).rows, 1500);
	/* Their time was over: no room was missing. */
	assert_true(!store_sizes(s).removed && !store_sizes(s).short_first_us);
	fill(s, 10000, 1500, NOW + 5 * DAYS_US);
	store_set_limits(s, &small);
	for (int i = 0; store_trim(s, NOW + 5 * DAYS_US) > 0; i++)
		assert_true(i < 500);
	assert_true(store_sizes(s).bytes <= small.max_bytes);
	/* The newest day goes last, and not as a whole. */
	assert_in_range(days_n(s->days), 1, 3);
	assert_int_equal(days_at(s->days, days_n(s->days) - 1)->day, (NOW + 5 * DAYS_US) / DAYS_US);
	assert_in_range(count(s, "conn"), 500, 2000);
	assert_int_equal(store_sizes(s).removed, 3000 - count(s, "conn"));
	assert_int_equal(store_sizes(s).short_first_us, NOW + 5 * DAYS_US);
	/* Two hours later there is no room again: since when stays, the last time does not. */
	for (int n = 20000; store_sizes(s).bytes <= small.max_bytes; n += 100)
		fill(s, n, 100, NOW + 5 * DAYS_US + 7200000000);
	for (int i = 0; store_trim(s, NOW + 5 * DAYS_US + 7200000000) > 0; i++)
		assert_true(i < 500);
	assert_int_equal(store_sizes(s).short_first_us, NOW + 5 * DAYS_US);
	assert_int_equal(store_sizes(s).short_last_us, NOW + 5 * DAYS_US + 7200000000);
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

#define TO_MINUTES \
	"CREATE TABLE minute (at INTEGER PRIMARY KEY, established INTEGER NOT NULL, answered INTEGER NOT NULL," \
	"  refused INTEGER NOT NULL, timeout INTEGER NOT NULL, other INTEGER NOT NULL," \
	"  attempts INTEGER NOT NULL, rtt_min INTEGER, rtt_max INTEGER, hist BLOB);" \
	"INSERT INTO minute SELECT at, sum(established), sum(answered), sum(refused), sum(timeout), sum(other)," \
	"  sum(accepted + dropped + rejected + unknown), min(rtt_min), max(rtt_max), rtt_sum(hist) FROM total" \
	"  WHERE span = 60 GROUP BY at;" \
	"DELETE FROM meta WHERE key != 'last_id';" \
	"DROP TABLE total; DROP TABLE knock; DROP TABLE door;"

/* Format 3: no days, no sources, the running minute in its hour. */
static void
test_upgrade_3(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
	struct store *s = open_new(1000000, 1 << 30);
	struct report r = attempt(1000, "203.0.113.1", 1);
	int64_t id = 0;

	(void)state;
	fill(s, 0, 300, NOW);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_add(s, &r, NOW, &id), 1);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(dbfile_exec(s->db,
		"ALTER TABLE rollup RENAME TO x; CREATE TABLE rollup (span INTEGER, at INTEGER, dst_ip TEXT, dst_port INTEGER,"
		"  proto INTEGER, sensor INTEGER, conns INTEGER NOT NULL, failed INTEGER NOT NULL,"
		"  syn_retrans INTEGER NOT NULL, rtt_min INTEGER, rtt_max INTEGER, last_us INTEGER NOT NULL,"
		"  hist BLOB, PRIMARY KEY (span, at, dst_ip, dst_port, proto, sensor)) WITHOUT ROWID;"
		"INSERT INTO rollup SELECT 60, at, dst_ip, dst_port, proto, sensor, conns, failed, syn_retrans, rtt_min,"
		"  rtt_max, last_us, hist FROM x WHERE span = 60;"
		"INSERT INTO rollup SELECT 3600, at / 3600 * 3600, dst_ip, dst_port, proto, sensor, conns, failed, syn_retrans,"
		"  rtt_min, rtt_max, last_us, hist FROM x WHERE span = 60; DROP TABLE x;" TO_MINUTES
		/* As when an upgrade was broken off. */
		"CREATE TABLE knock (a); PRAGMA user_version = 3"), SQLITE_OK);
	store_close(s);
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(store_open(&s, path, &limits, NOW), 0);
		for (int i = 0; i < 3; i++) {
			static const char *const sql[] = { "SELECT sum(conns) FROM rollup WHERE span = 60",
							   "SELECT sum(conns) FROM rollup WHERE span = 3600",
							   "SELECT sum(conns) FROM rollup WHERE span = 86400" };

			assert_int_equal(number(s, sql[i]), 300);
		}
		assert_int_equal(number(s, "SELECT sum(established + refused + answered) FROM total WHERE span = 86400"), 300);
		assert_int_equal(number(s, "SELECT sum(dropped) FROM knock WHERE span = 3600 AND kind = 1"), 11);
		assert_int_equal(number(s, "SELECT sum(dropped) FROM door WHERE span = 86400"), 10);
		assert_int_equal(store_folded(s), NOW / 60000000 * 60 + 60);
		store_close(s);
	}
	/* The same minute again: it is folded already. */
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	fill(s, 300, 10, NOW);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 3600"), 310);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60"), 310);
	store_close(s);
}

/* Format 4: of what failed, only refused and timeout are told apart by destination.  What is there stays as it was,
 * what comes is told apart, in the rows of that hour too. */
static void
test_upgrade_4(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
	struct store *s = open_new(1000000, 1 << 30);
	struct report r = conn(0);
	int64_t id = 0;

	(void)state;
	for (int64_t i = 0; i < 70; i++) {
		if (i == 35) {
			assert_int_equal(dbfile_exec(s->db,
				"ALTER TABLE rollup DROP COLUMN orphan; ALTER TABLE rollup DROP COLUMN aborted;"
				"ALTER TABLE rollup DROP COLUMN unreachable; PRAGMA user_version = 4"), SQLITE_OK);
			store_close(s);
			assert_int_equal(store_open(&s, path, &limits, NOW), 0);
		}
		r.seq = i;
		r.state = i % REPORT_STATES;
		assert_int_equal(store_begin(s), 0);
		assert_int_equal(store_add(s, &r, NOW, &id), 1);
		assert_int_equal(store_commit(s), 0);
	}
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(number(s, "SELECT count(*) FROM rollup"), 1);
		assert_int_equal(number(s, "SELECT conns * 100 + failed FROM rollup"), 7050);
		assert_int_equal(number(s, "SELECT answered * 10000 + refused * 100 + timeout FROM rollup"), 101010);
		assert_int_equal(number(s, "SELECT unreachable * 10000 + aborted * 100 + orphan FROM rollup"), 50505);
		store_close(s);
		assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	}
	/* Folded, they are the same. */
	r.seq = 70;
	r.ts_us = NOW + 3600000000;
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_add(s, &r, r.ts_us, &id), 1);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(number(s, "SELECT unreachable * 10000 + aborted * 100 + orphan FROM rollup WHERE span = 86400"), 50505);
	store_close(s);
}

/* Format 2, as version 0.1.0 wrote it until then: reports in the main file, rollups without sensor. */
static void
test_upgrade(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
	struct store *s = open_new(1000000, 1 << 30);
	sqlite3 *db = NULL;
	char text[900];
	int64_t id = 0;

	(void)state;
	fill(s, 0, 300, NOW);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add_trace(s, 1000), 1);
	assert_int_equal(store_commit(s), 0);
	/* Back to what it was. */
	assert_int_equal(dbfile_exec(s->db,
		"CREATE TABLE conn (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
		"  at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL, src_ip TEXT NOT NULL,"
		"  dst_ip TEXT NOT NULL, dst_port INTEGER NOT NULL, state INTEGER NOT NULL,"
		"  weight INTEGER NOT NULL, json TEXT NOT NULL);"
		"CREATE TABLE attempt (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
		"  at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL, first_us INTEGER NOT NULL,"
		"  src_ip TEXT NOT NULL, dst_ip TEXT, count INTEGER NOT NULL, verdict INTEGER, kind INTEGER,"
		"  ports BLOB, dst_ports_n INTEGER, dst_ips_n INTEGER, json TEXT NOT NULL);"
		"CREATE TABLE stat (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
		"  at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL, json TEXT NOT NULL);"
		"CREATE TABLE other (id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
		"  type TEXT NOT NULL, at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL, json TEXT NOT NULL);"
		"ALTER TABLE rollup RENAME TO x; CREATE TABLE rollup (span INTEGER, at INTEGER, dst_ip TEXT,"
		"  dst_port INTEGER, proto INTEGER, conns INTEGER NOT NULL, failed INTEGER NOT NULL,"
		"  syn_retrans INTEGER NOT NULL, rtt_min INTEGER, rtt_max INTEGER, last_us INTEGER NOT NULL,"
		"  hist BLOB, PRIMARY KEY (span, at, dst_ip, dst_port, proto)) WITHOUT ROWID;"
		"INSERT INTO rollup SELECT span, at, dst_ip, dst_port, proto, conns, failed, syn_retrans, rtt_min,"
		"  rtt_max, last_us, hist FROM x; DROP TABLE x; DROP TABLE sensor;" TO_MINUTES
		"PRAGMA user_version = 2"), SQLITE_OK);
	store_close(s);
	snprintf(text, sizeof text,
		 "ATTACH '%s.d/2026-11-21.db' AS d;"
		 "INSERT INTO conn SELECT id, 1, seq, at_us, rx_us - (id > 100) * 86400000000, src_ip, dst_ip, dst_port,"
		 " state, weight, json FROM d.conn; INSERT INTO other SELECT id, 1, seq, type, at_us, rx_us, json FROM d.other",
		 path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	snprintf(text, sizeof text, "rm -r %s.d", path);
	assert_int_equal(system(text), 0);
	for (int turn = 0; turn < 2; turn++) {
		assert_int_equal(store_open(&s, path, &limits, NOW), 0);
		assert_int_equal(days_n(s->days), 2);
		assert_int_equal(store_sizes(s).rows, 301);
		assert_int_equal(days_at(s->days, 0)->rows, 200);
		assert_int_equal(count(s, "other"), 1);
		assert_int_equal(store_sizes(s).last_id, 301);
		assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60 AND sensor = 0"), 300);
		assert_int_equal(number(s, "SELECT count(*) FROM sqlite_schema WHERE name IN ('conn', 'rollup_2')"), 0);
		store_close(s);
	}
	assert_int_equal(store_open(&s, path, &limits, NOW), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 5, &id), 0);
	assert_int_equal(add(s, 2000, &id), 1);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(number(s, "SELECT sum(conns) FROM rollup WHERE span = 60 AND sensor > 0"), 1);
	store_close(s);
}

static void
test_at(void **state)
{
	(void)state;
	assert_int_equal(days_at_us(NOW - 5, NOW), NOW - 5);
	assert_int_equal(days_at_us(NOW, NOW), NOW);
	assert_int_equal(days_at_us(NOW + 1, NOW), NOW);
	assert_int_equal(days_at_us(0, NOW), NOW);
	assert_int_equal(days_at_us(NOW - 7 * 86400 * 1000000LL, NOW), NOW - 7 * 86400 * 1000000LL);
	assert_int_equal(days_at_us(NOW - 7 * 86400 * 1000000LL - 1, NOW), NOW);
}

static void
test_runs_bounded(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	int64_t id = 0;

	(void)state;
	assert_int_equal(store_begin(s), 0);
	for (int64_t i = 0; i < RUNS_MAX + 300; i++) {
		struct report r = conn(i);

		snprintf(r.boot, sizeof r.boot, "%08x", (unsigned)i);
		assert_int_equal(store_add(s, &r, NOW + i, &id), 1);
	}
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(count(s, "run"), RUNS_MAX);
	assert_int_equal(count(s, "seqs"), RUNS_MAX);
	/* The oldest went. */
	assert_int_equal(number(s, "SELECT count(*) FROM run WHERE boot < '0000012c'"), 0);
	store_close(s);
}

/* One that makes up boots, or calls itself as a second machine of its name would, forgets its own: what another sensor sent is
 * not stored twice for it. */
static void
test_runs_of_others(void **state)
{
	struct store *s = open_new(1000000, 1 << 30);
	struct report other = conn(7);
	int64_t id = 0;

	(void)state;
	snprintf(other.sensor, sizeof other.sensor, "other");
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_add(s, &other, NOW, &id), 1);
	for (int64_t i = 0; i < RUNS_MAX + 100; i++) {
		struct report r = conn(i);

		if (i % 2)
			snprintf(r.sensor, sizeof r.sensor, "r1-%04x", (unsigned)i);
		snprintf(r.boot, sizeof r.boot, "%08x", (unsigned)i);
		assert_int_equal(store_add(s, &r, NOW + 1 + i, &id), 1);
	}
	assert_int_equal(store_add(s, &other, NOW + 10000, &id), 0);
	assert_int_equal(store_commit(s), 0);
	assert_int_equal(count(s, "run"), RUNS_MAX);
	store_close(s);
}

/* With the report, in its transaction, once. */
static void
test_traces(void **state)
{
	struct store_limits limits = { 1000000, 1 << 30, 366 };
	struct store *s = open_new(1000000, 1 << 30);

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
	assert_int_equal(number(s, "SELECT sum(traces) FROM hop"), 2);
	assert_int_equal(count(s, "other"), 1);
	assert_int_equal(store_paths(s)->rows[PATHS_LINK], 2);
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
	struct store_limits small = { 1000000, 200 << 10, 366 };

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
	clean();
	return rmdir(folder);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),	     cmocka_unit_test(test_opened_again),
		cmocka_unit_test(test_max_rows),     cmocka_unit_test(test_max_bytes),
		cmocka_unit_test(test_many_destinations),
		cmocka_unit_test(test_rollups_age),  cmocka_unit_test(test_main_damaged),
		cmocka_unit_test(test_day_damaged),  cmocka_unit_test(test_day_removed), cmocka_unit_test(test_behind),
		cmocka_unit_test(test_days_dropped), cmocka_unit_test(test_rollups_cut),
		cmocka_unit_test(test_rollups_cut_many),
		cmocka_unit_test(test_knocks),	     cmocka_unit_test(test_upgrade_3),
		cmocka_unit_test(test_upgrade_4), cmocka_unit_test(test_upgrade),
		cmocka_unit_test(test_runs_bounded), cmocka_unit_test(test_runs_of_others), cmocka_unit_test(test_at),
		cmocka_unit_test(test_traces),	     cmocka_unit_test(test_only_paths),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
