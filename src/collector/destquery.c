/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * destquery.c - whom, how often, how fast.  First one look at all rows of the window, for the order; then the
 * numbers and histograms of those that are shown: row by row when they are few, by another look when many.
 */
#include "destquery.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "few.h"
#include "lib/hash.h"
#include "place.h"
#include "rtt.h"
#include "set.h"
#include "window.h"

/* Finding a row costs as much as looking at so many. */
#define SEEK_ROWS 6

struct destination {
	const struct place *place;
	int64_t conns, failed, syn_retrans, last_us;
	int64_t before; /* connections in the window before */
	struct few sensors;
	struct rtt wan, lan;
};

struct list {
	struct store *store;
	const struct ask *ask;
	enum destquery_by by;
	int parts; /* of a place */
	int64_t sensor;
	uint8_t secret[16];
	struct set places;
	int64_t *n;           /* connections of each */
	int64_t rows;         /* looked at */
	int64_t rest;         /* connections that no place is known of */
	int32_t *shown;       /* of each place: which row of the answer, -1 */
	struct destination *row;
	size_t n_rows;
};

/* How many connections each place had. */
static int
count(struct list *l, const struct window *w)
{
	struct question q;
	size_t size = 0;
	int r = 0, e;

	question_open(&q, l->store, WINDOW("dst_ip, dst_port, proto, conns", "rollup", QUESTION_SENSOR));
	window_bind(q.stmt, w);
	sqlite3_bind_int64(q.stmt, 11, l->sensor);
	while (!r && question_next(&q)) {
		struct place p;
		int64_t at;

		l->rows++;
		if (!place_get(&p, q.stmt, 0, l->parts))
			continue;
		if (!p.ip[0]) {
			l->rest += sqlite3_column_int64(q.stmt, 3);
			continue;
		}
		at = set_put(&l->places, l->secret, &p);
		l->n = at < 0 ? l->n : place_values(l->n, &size, &l->places, sizeof *l->n);
		if (at < 0 || !l->n)
			r = -ENOMEM;
		else
			l->n[at] += sqlite3_column_int64(q.stmt, 3);
	}
	e = question_close(&q);
	return r ? r : e;
}

static int
choose(struct list *l)
{
	struct place_ranked *order = place_rank(&l->places, l->n, 1);

	l->n_rows = l->places.n < (size_t)l->ask->limit ? l->places.n : (size_t)l->ask->limit;
	l->shown = malloc((l->places.n + 1) * sizeof *l->shown);
	l->row = calloc(l->n_rows + 1, sizeof *l->row);
	if (!order || !l->shown || !l->row) {
		free(order);
		return -ENOMEM;
	}
	memset(l->shown, -1, (l->places.n + 1) * sizeof *l->shown);
	for (size_t i = 0; i < l->n_rows; i++) {
		l->row[i].place = order[i].place;
		l->shown[order[i].at] = (int32_t)i;
	}
	free(order);
	return 0;
}

#define NUMBERS "conns, failed, syn_retrans, last_us, sensor, rtt_min, rtt_max, hist, src_min, src_max, src_hist"

/* Columns from i on: NUMBERS. */
static void
add(struct destination *d, sqlite3_stmt *stmt, int i, int before)
{
	int64_t sensor = sqlite3_column_int64(stmt, i + 4);

	if (before) {
		d->before += sqlite3_column_int64(stmt, i);
		return;
	}
	d->conns += sqlite3_column_int64(stmt, i);
	d->failed += sqlite3_column_int64(stmt, i + 1);
	d->syn_retrans += sqlite3_column_int64(stmt, i + 2);
	if (sqlite3_column_int64(stmt, i + 3) > d->last_us)
		d->last_us = sqlite3_column_int64(stmt, i + 3);
	if (sensor)
		few_add(&d->sensors, (uint32_t)sensor);
	column_add_rtt(&d->wan, stmt, i + 5, i + 7);
	column_add_rtt(&d->lan, stmt, i + 8, i + 10);
}

/* Each row's minutes, hours and days, one by one. */
static int
seek(struct list *l, const struct window *w, int before)
{
	static const char of_host[] = "SELECT " NUMBERS " FROM rollup WHERE span = ?1 AND at = ?2 AND dst_ip = ?3 "
				      "AND (?4 < 0 OR sensor = ?4)";
	static const char of_port[] = "SELECT " NUMBERS " FROM rollup WHERE span = ?1 AND at = ?2 AND dst_ip = ?3 "
				      "AND dst_port = ?5 AND proto = ?6 AND (?4 < 0 OR sensor = ?4)";
	struct question q;

	question_open(&q, l->store, l->by == DESTQUERY_HOST ? of_host : of_port);
	for (size_t i = 0; i < l->n_rows; i++) {
		for (int k = 0; k < WINDOW_STRETCHES; k++) {
			for (int64_t at = w->part[k].from_s; at < w->part[k].until_s; at += w->part[k].span) {
				question_again(&q);
				sqlite3_bind_int64(q.stmt, 1, w->part[k].span);
				sqlite3_bind_int64(q.stmt, 2, at);
				column_bind_text(q.stmt, 3, l->row[i].place->ip);
				sqlite3_bind_int64(q.stmt, 4, l->sensor);
				sqlite3_bind_int(q.stmt, 5, l->row[i].place->port);
				sqlite3_bind_int(q.stmt, 6, l->row[i].place->what);
				while (question_next(&q))
					add(&l->row[i], q.stmt, 0, before);
			}
		}
	}
	return question_close(&q);
}

/* All rows of the window, for those that are shown. */
static int
look(struct list *l, const struct window *w, int before)
{
	struct question q;

	question_open(&q, l->store, WINDOW("dst_ip, dst_port, proto, " NUMBERS, "rollup", QUESTION_SENSOR));
	window_bind(q.stmt, w);
	sqlite3_bind_int64(q.stmt, 11, l->sensor);
	while (question_next(&q)) {
		struct place p;
		int64_t at;

		if (!place_get(&p, q.stmt, 0, l->parts))
			continue;
		at = set_find(&l->places, l->secret, &p);
		if (at >= 0 && l->shown[at] >= 0)
			add(&l->row[l->shown[at]], q.stmt, 3, before);
	}
	return question_close(&q);
}

static int
gather(struct list *l, const struct window *w, int before)
{
	int64_t seeks = (int64_t)l->n_rows * window_rows(w);

	return seeks * SEEK_ROWS < l->rows ? seek(l, w, before) : look(l, w, before);
}

static void
put_rtt(struct json *j, const char *const names[4], const struct rtt *r)
{
	if (!r->n)
		return;
	json_int(j, names[0], rtt_percentile(r, 50));
	json_int(j, names[1], rtt_percentile(r, 95));
	json_uint(j, names[2], r->min_us);
	json_uint(j, names[3], r->max_us);
}

static void
put_row(struct json *j, const struct list *l, const struct destination *d, int trend)
{
	static const char *const wan[] = { "rtt_p50_us", "rtt_p95_us", "rtt_min_us", "rtt_max_us" };
	static const char *const lan[] = { "src_rtt_p50_us", "src_rtt_p95_us", "src_rtt_min_us", "src_rtt_max_us" };

	json_map(j, NULL);
	json_str(j, "dst_ip", d->place->ip, strlen(d->place->ip));
	if (l->by == DESTQUERY_PORT) {
		json_int(j, "dst_port", d->place->port);
		question_word(j, "proto", REPORT_WORDS_PROTO, d->place->what);
	}
	json_int(j, "conns", d->conns);
	json_int(j, "failed", d->failed);
	json_int(j, "syn_retrans", d->syn_retrans);
	put_rtt(j, wan, &d->wan);
	put_rtt(j, lan, &d->lan);
	json_uint(j, "sensors_n", d->sensors.n);
	if (trend)
		json_int(j, "trend", d->before);
	json_time(j, "last_ts", d->last_us);
	addrinfo_add(store_addrs(l->store), j, "dst", d->place->ip);
	json_close(j);
}

int
destquery_list(struct store *s, struct json *j, const struct ask *ask, enum destquery_by by)
{
	struct window w = window_of(s, ask->window_s, ask->until_us, 0), before = window_before(s, &w);
	struct list l = { .store = s, .ask = ask, .by = by, .parts = by == DESTQUERY_HOST ? 1 : 3,
			  .sensor = question_sensor(s, ask->sensor), .places = { .width = sizeof(struct place) } };
	int trend = 0, r;

	hash_random(l.secret, sizeof l.secret);
	r = count(&l, &w);
	if (!r)
		r = choose(&l);
	if (!r)
		r = gather(&l, &w, 0);
	if (!r)
		r = window_known(s, &before, &trend);
	if (!r && trend)
		r = gather(&l, &before, 1);
	json_map(j, NULL);
	window_put(j, &w);
	json_list(j, "destinations");
	for (size_t i = 0; !r && i < l.n_rows && question_room(j); i++)
		put_row(j, &l, &l.row[i], trend);
	json_close(j);
	if (l.rest)
		json_int(j, "rest_conns", l.rest);
	json_close(j);
	set_free(&l.places);
	free(l.n);
	free(l.shown);
	free(l.row);
	return r;
}
