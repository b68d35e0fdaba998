/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * query.c - the API's questions in SQL.  Numbers over a window come from rollups; only the list of failures
 * looks at reports, at a bounded number of them, in the files of the window's days.  What several files or
 * many rows hold is added up here, by hash: SQL would sort all of it.
 */
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "days.h"
#include "lib/hash.h"
#include "lib/loop.h"
#include "minmax.h"
#include "place.h"
#include "rtt.h"
#include "set.h"
#include "window.h"

/* ---- several days as one list ---- */

/* One question to several days, its rows in one order. */
struct merge {
	struct question *q; /* of each day */
	int *has;           /* -1: not begun; 0: at its end; 1: it is at a row */
	size_t n;
};

static int
merge_new(struct merge *m, size_t n)
{
	*m = (struct merge){ .n = n, .q = calloc(n + 1, sizeof *m->q), .has = malloc((n + 1) * sizeof *m->has) };
	for (size_t i = 0; i < n && m->has; i++)
		m->has[i] = -1;
	return m->q && m->has ? 0 : -ENOMEM;
}

/* 0 or the first error. */
static int
merge_close(struct merge *m)
{
	int r = 0;

	for (size_t i = 0; m->q && m->has && i < m->n; i++) {
		int e = m->has[i] >= 0 ? question_close(&m->q[i]) : 0;

		r = r ? r : e;
	}
	free(m->q);
	free(m->has);
	return r;
}

static void
merge_next(struct merge *m, size_t i)
{
	m->has[i] = question_next(&m->q[i]);
}

/* ---- the latest ---- */

/* A report with its number and its time of receipt; columns: id, rx_us, json. */
static void
put_conn(struct json *j, sqlite3_stmt *stmt)
{
	char text[REPORT_LINE_MAX + 100];
	const char *json = (const char *)sqlite3_column_text(stmt, 2);
	size_t n = (size_t)sqlite3_column_bytes(stmt, 2);
	struct json tail;

	if (!json || n < 3 || n >= REPORT_LINE_MAX)
		return;
	/* The report's own brace is opened again for what we add. */
	memcpy(text, json, n - 1);
	json_begin(&tail, text + n - 1, sizeof text - n);
	json_map(&tail, NULL);
	json_int(&tail, "id", sqlite3_column_int64(stmt, 0));
	json_time(&tail, "rx_ts", sqlite3_column_int64(stmt, 1));
	json_close(&tail);
	text[n - 1] = ',';
	json_raw(j, NULL, text, n - 1 + tail.len);
}

/* The day that has the next report: the highest number.  A day is opened when the others are at lower
 * numbers than its last.  m->n: none is left. */
static size_t
latest(struct merge *m, struct store *s, int64_t before, int64_t limit)
{
	for (;;) {
		int64_t best = 0;
		size_t at = m->n;

		for (size_t i = 0; i < m->n; i++) {
			const struct day *day = days_at(store_days(s), i);
			int64_t id = 0;

			if (m->has[i] > 0)
				id = sqlite3_column_int64(m->q[i].stmt, 0);
			else if (m->has[i] < 0 && day->first_id < before)
				id = day->last_id < before ? day->last_id : before - 1;
			/* Of two that may have it, the one that is read already. */
			if (id > best) {
				best = id;
				at = i;
			}
		}
		if (at == m->n || m->has[at] > 0)
			return at;
		question_open_day(&m->q[at], s, at,
				  "SELECT id, rx_us, json FROM conn WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
		sqlite3_bind_int64(m->q[at].stmt, 1, before);
		sqlite3_bind_int64(m->q[at].stmt, 2, limit);
		merge_next(m, at);
	}
}

int
query_conns(struct store *s, struct json *j, int64_t limit, int64_t before)
{
	struct merge m;
	int r = merge_new(&m, days_n(store_days(s)));

	json_map(j, NULL);
	json_list(j, "conns");
	for (int64_t n = 0; !r && n < limit && question_room(j); n++) {
		size_t i = latest(&m, s, before, limit);

		if (i == m.n)
			break;
		put_conn(j, m.q[i].stmt);
		merge_next(&m, i);
	}
	json_close(j);
	json_close(j);
	return r ? (merge_close(&m), r) : merge_close(&m);
}

/* ---- failures ---- */

struct failure {
	int64_t count;
	int64_t src_n, last_us;
};

struct failures {
	struct set places; /* struct place, with the state */
	struct failure *of;
	size_t size;
	struct set sources; /* of each place: struct source_of */
	uint8_t secret[16];
};

struct source_of {
	char ip[ADDR_TEXT];
	uint32_t place;
};

/* Columns: dst_ip, dst_port, state, src_ip, weight, at_us. */
static int
add_failure(struct failures *f, sqlite3_stmt *stmt)
{
	const char *src = (const char *)sqlite3_column_text(stmt, 3);
	struct source_of source;
	struct failure *one;
	size_t n = f->sources.n;
	struct place p;
	int64_t at;

	if (!place_get(&p, stmt, 0, 3) || !src)
		return 0;
	at = set_put(&f->places, f->secret, &p);
	if (at >= 0)
		f->of = place_values(f->of, &f->size, &f->places, sizeof *f->of);
	if (at < 0 || !f->of)
		return -ENOMEM;
	one = &f->of[at];
	memset(&source, 0, sizeof source);
	memcpy(source.ip, src, strnlen(src, sizeof source.ip - 1));
	source.place = (uint32_t)at;
	if (set_put(&f->sources, f->secret, &source) < 0)
		return -ENOMEM;
	one->src_n += f->sources.n > n;
	one->count += sqlite3_column_int64(stmt, 4);
	if (sqlite3_column_int64(stmt, 5) > one->last_us)
		one->last_us = sqlite3_column_int64(stmt, 5);
	return 0;
}

/* Of all days that may have some, newest first.  *partial: there are more than QUERY_ROWS_MAX. */
static int
find_failures(struct store *s, struct failures *f, const struct window *w, const char *sensor, int *partial)
{
	const int64_t until_us = clock_mono_us() + QUESTION_US;
	size_t first = days_from(store_days(s), w->from_s * 1000000);
	int all = !sensor || !*sensor;
	int64_t rows = 0;
	int r = 0, e;

	for (size_t i = days_n(store_days(s)); i-- > first && !r && !*partial;) {
		struct question q;

		question_open_day(&q, s, i, "SELECT dst_ip, dst_port, state, src_ip, weight, at_us FROM conn "
					    "WHERE state >= 2 AND at_us >= ?1 AND at_us < ?2 AND (?3 IS NULL OR sensor = ?3) "
					    "ORDER BY at_us DESC LIMIT ?4");
		q.until_us = until_us; /* for all days */
		sqlite3_bind_int64(q.stmt, 1, w->from_s * 1000000);
		sqlite3_bind_int64(q.stmt, 2, w->until_s * 1000000);
		if (!all)
			column_bind_text(q.stmt, 3, sensor);
		sqlite3_bind_int64(q.stmt, 4, QUERY_ROWS_MAX - rows + 1);
		while (!r && question_next(&q)) {
			if (++rows > QUERY_ROWS_MAX)
				*partial = 1;
			else
				r = add_failure(f, q.stmt);
		}
		e = question_close(&q);
		r = r ? r : e;
	}
	return r;
}

int
query_failures(struct store *s, struct json *j, const struct ask *ask)
{
	struct failures f = { .places = { .width = sizeof(struct place) },
			      .sources = { .width = sizeof(struct source_of) } };
	struct place_ranked *list = NULL;
	struct window w = window_of(s, ask->window_s, ask->until_us, 0);
	int partial = 0, r;

	hash_random(f.secret, sizeof f.secret);
	r = find_failures(s, &f, &w, ask->sensor, &partial);
	if (!r)
		list = place_rank(&f.places, f.of ? &f.of[0].count : NULL, sizeof *f.of / sizeof(int64_t));
	if (!r && !list)
		r = -ENOMEM;
	json_map(j, NULL);
	window_put(j, &w);
	json_list(j, "failures");
	for (size_t i = 0; list && f.of && i < f.places.n && i < (size_t)ask->limit && question_room(j); i++) {
		const struct failure *one = &f.of[list[i].at];

		json_map(j, NULL);
		json_str(j, "dst_ip", list[i].place->ip, strlen(list[i].place->ip));
		json_int(j, "dst_port", list[i].place->port);
		question_word(j, "state", REPORT_WORDS_STATE, list[i].place->what);
		json_int(j, "count", one->count);
		json_int(j, "src_n", one->src_n);
		json_time(j, "last_ts", one->last_us);
		addrinfo_add(store_addrs(s), j, "dst", list[i].place->ip);
		json_close(j);
	}
	json_close(j);
	if (partial)
		json_bool(j, "partial", 1);
	json_close(j);
	set_free(&f.places);
	set_free(&f.sources);
	free(f.of);
	free(list);
	return r;
}

/* ---- sensors ---- */

int
query_sensors(struct store *s, struct json *j, int64_t now_us)
{
	static const char *const types[REPORT_TYPES] = { "conn", "quality", "attempt", "trace",
							 "rollup", "stat", "plugin" };
	struct question q;

	question_open(&q, s,
		   "SELECT id, sensor, boot, first_rx_us, last_rx_us, last_ts_us, seq_first, seq_max, "
		   "forgotten, stat_json, stat_rx_us, conn, quality, attempt, trace, rollup, stat, plugin "
		   "FROM run ORDER BY last_rx_us DESC, id DESC LIMIT 1000");
	json_list(j, "sensors");
	while (question_room(j) && question_next(&q)) {
		int64_t seq_max = sqlite3_column_int64(q.stmt, 7), stored = 0, seq_first = 0;
		const char *stat = (const char *)sqlite3_column_text(q.stmt, 9);
		int known = sqlite3_column_type(q.stmt, 6) != SQLITE_NULL;

		json_map(j, NULL);
		question_text(j, "sensor", q.stmt, 1);
		question_text(j, "boot", q.stmt, 2);
		json_time(j, "first_rx", sqlite3_column_int64(q.stmt, 3));
		json_time(j, "last_rx", sqlite3_column_int64(q.stmt, 4));
		json_time(j, "last_ts", sqlite3_column_int64(q.stmt, 5));
		if (known) {
			seq_first = sqlite3_column_int64(q.stmt, 6);
			json_int(j, "seq_first", seq_first);
		}
		json_int(j, "seq_max", seq_max);
		stored = store_stored(s, sqlite3_column_int64(q.stmt, 0), seq_first);
		if (stored >= 0)
			stored = greatest(stored - sqlite3_column_int64(q.stmt, 8), 0);
		question_known(j, "stored", stored);
		if (known && stored >= 0)
			json_int(j, "missing", greatest(seq_max - seq_first + 1 - stored, 0));
		json_map(j, "types");
		for (int i = 0; i < REPORT_TYPES; i++) {
			if (sqlite3_column_int64(q.stmt, 11 + i))
				json_int(j, types[i], sqlite3_column_int64(q.stmt, 11 + i));
		}
		json_close(j);
		if (stat) {
			json_raw(j, "stat", stat, (size_t)sqlite3_column_bytes(q.stmt, 9));
			json_int(j, "stat_age_s",
				 greatest(now_us - sqlite3_column_int64(q.stmt, 10), 0) / 1000000);
		}
		json_close(j);
	}
	json_close(j);
	return question_close(&q);
}

/* ---- summary ---- */

struct point {
	int64_t conns, failed;
	struct rtt rtt;
};

struct sums {
	/* established, answered, refused, timeout, other, attempts */
	int64_t n[6];
	struct rtt wan, lan;
};

/* `series` has a place for each point of the window, or is NULL. */
static int
sum_totals(struct store *s, const struct window *w, int64_t sensor, struct sums *sums, struct point *series)
{
	struct question q;

	question_open(&q, s, WINDOW("at, established, answered, refused, timeout, other, "
				    "accepted + dropped + rejected + unknown, rtt_min, rtt_max, hist, src_min, src_max, src_hist",
				    "total", QUESTION_SENSOR));
	window_bind(q.stmt, w);
	sqlite3_bind_int64(q.stmt, 11, sensor);
	while (question_next(&q)) {
		int64_t i = (sqlite3_column_int64(q.stmt, 0) - w->from_s) / w->width_s, count[6];
		struct rtt rtt = { 0 };

		for (int k = 0; k < 6; k++) {
			count[k] = sqlite3_column_int64(q.stmt, k + 1);
			sums->n[k] += count[k];
		}
		column_add_rtt(&rtt, q.stmt, 7, 9);
		rtt_merge(&sums->wan, &rtt);
		column_add_rtt(&sums->lan, q.stmt, 10, 12);
		if (!series || i < 0 || i >= w->points)
			continue;
		series[i].conns += count[0] + count[1] + count[2] + count[3] + count[4];
		series[i].failed += count[2] + count[3] + count[4];
		rtt_merge(&series[i].rtt, &rtt);
	}
	return question_close(&q);
}

static void
put_sums(struct json *j, const struct sums *a)
{
	static const char *const names[] = { "established", "answered", "refused", "timeout", "other", "attempts" };

	json_int(j, "conns", a->n[0] + a->n[1] + a->n[2] + a->n[3] + a->n[4]);
	for (int i = 0; i < 6; i++)
		json_int(j, names[i], a->n[i]);
	question_known(j, "rtt_p50_us", rtt_percentile(&a->wan, 50));
	question_known(j, "rtt_p95_us", rtt_percentile(&a->wan, 95));
	question_known(j, "src_rtt_p50_us", rtt_percentile(&a->lan, 50));
	question_known(j, "src_rtt_p95_us", rtt_percentile(&a->lan, 95));
}

int
query_summary(struct store *s, struct json *j, const struct ask *ask)
{
	struct window w = window_of(s, ask->window_s, ask->until_us, 1), before = window_before(s, &w);
	struct point *series = calloc((size_t)w.points + 1, sizeof *series);
	int64_t sensor = question_sensor(s, ask->sensor);
	struct sums now = { 0 }, then = { 0 };
	int known = 0, r;

	if (!series)
		return -ENOMEM;
	r = sum_totals(s, &w, sensor, &now, series);
	if (!r)
		r = window_known(s, &before, &known);
	if (!r && known)
		r = sum_totals(s, &before, sensor, &then, NULL);
	json_map(j, NULL);
	window_put(j, &w);
	put_sums(j, &now);
	if (known) {
		json_map(j, "before");
		window_put_ends(j, &before);
		put_sums(j, &then);
		json_close(j);
	}
	json_list(j, "series");
	for (int64_t i = 0; i < w.points; i++) {
		json_map(j, NULL);
		json_time(j, "t", (w.from_s + i * w.width_s) * 1000000);
		json_int(j, "conns", series[i].conns);
		json_int(j, "failed", series[i].failed);
		question_known(j, "rtt_p50_us", rtt_percentile(&series[i].rtt, 50));
		question_known(j, "rtt_p95_us", rtt_percentile(&series[i].rtt, 95));
		json_close(j);
	}
	json_close(j);
	json_close(j);
	free(series);
	return r;
}

/* ---- what is kept ---- */

/* Days that fit at the rate of the last 7, or -1: less than an hour is no rate. */
static double
days_that_fit(struct store *s, const struct store_sizes *sizes, const struct store_limits *limits)
{
	const struct days *d = store_days(s);
	size_t n = days_n(d), first = n > 7 ? n - 7 : 0;
	int64_t begin = INT64_MAX, end = 0, rows = 0, bytes = 0;
	double span, fit, by_rows;

	for (size_t i = first; i < n; i++) {
		const struct day *day = days_at(d, i);

		if (!day->rows)
			continue;
		begin = day->first_us < begin ? day->first_us : begin;
		end = greatest(end, day->last_us);
		rows += day->rows;
		bytes += day->bytes;
	}
	if (!rows || end - begin < 3600000000LL)
		return -1;
	span = (double)(end - begin) / (double)DAYS_US;
	fit = (double)greatest(limits->max_bytes - sizes->main_bytes, 0) * span / (double)bytes;
	by_rows = (double)limits->max_rows * span / (double)rows;
	fit = by_rows < fit ? by_rows : fit;
	return fit < (double)limits->days ? fit : (double)limits->days;
}

void
query_removed(const struct store_sizes *sizes, struct json *j)
{
	json_int(j, "damaged", sizes->damaged);
	json_map(j, "removed");
	json_int(j, "reports", sizes->removed);
	json_int(j, "rollups", sizes->rollups_removed);
	json_int(j, "merged", sizes->rollups_merged);
	if (sizes->short_first_us) {
		json_time(j, "first_ts", sizes->short_first_us);
		json_time(j, "last_ts", sizes->short_last_us);
	}
	json_close(j);
}

int
query_storage(struct store *s, struct json *j)
{
	struct store_sizes sizes = store_sizes(s);
	struct store_limits limits = store_limits(s);
	const struct days *d = store_days(s);
	double fit = days_that_fit(s, &sizes, &limits);

	json_int(j, "rows", sizes.rows);
	json_int(j, "max_rows", limits.max_rows);
	json_int(j, "bytes", sizes.bytes);
	json_int(j, "max_bytes", limits.max_bytes);
	json_int(j, "rollup_bytes", sizes.main_bytes);
	json_int(j, "days_max", limits.days);
	question_known(j, "days_fit", fit < 0 ? -1 : (int64_t)fit);
	query_removed(&sizes, j);
	json_list(j, "days");
	for (size_t i = days_n(d); i-- > 0;) {
		char name[DAYS_NAME_LEN + 1];

		days_name(name, days_at(d, i)->day);
		json_map(j, NULL);
		json_raw_str(j, "day", name, 10);
		json_int(j, "rows", days_at(d, i)->rows);
		json_int(j, "bytes", days_at(d, i)->bytes);
		json_close(j);
	}
	json_close(j);
	return 0;
}
