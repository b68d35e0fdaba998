/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * destquery.c - whom, how often, how fast.  First one look at all rows of the window, for the order; then the
 * numbers and histograms of those that are shown: row by row when they are few, by another look when many.
 * Autonomous systems and countries are groups of addresses, made in between.
 */
#include "destquery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrinfo.h"
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
	int64_t hosts_n;
	char as_org[ADDRINFO_ORG_LEN + 1];
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
	struct set groups;    /* places whose ip is the number of a system, or a country: "0", "" is unknown */
	int32_t *group;       /* of each place, -1: not asked for; NULL: each is one of its own */
	int32_t *shown;       /* of each place: which row of the answer, -1 */
	struct destination *row;
	size_t n_rows, more;  /* more: rows that are left out */
	int64_t more_conns;   /* and their connections */
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

static const struct place *
place_at(const struct list *l, size_t i)
{
	return (const struct place *)(const void *)(l->places.items + i * l->places.width);
}

/* Is it of the system and the country that were asked for?  Fills the facts. */
static int
wanted(const struct list *l, size_t i, struct addrinfo_facts *facts)
{
	*facts = (struct addrinfo_facts){ .asn = 0 };
	addrinfo_find(store_addrs(l->store), place_at(l, i)->ip, facts);
	return (l->ask->asn < 0 || l->ask->asn == facts->asn) && (!l->ask->cc || !strcmp(l->ask->cc, facts->cc));
}

/* How many places were asked for; the others have less than no connections, and so come last. */
static size_t
keep(struct list *l)
{
	struct addrinfo_facts facts;
	size_t n = 0;
	int is = 0;

	if (l->ask->asn < 0 && !l->ask->cc)
		return l->places.n;
	for (size_t i = 0; i < l->places.n; i++) {
		/* Ports of an address often follow each other. */
		if (!i || strcmp(place_at(l, i)->ip, place_at(l, i - 1)->ip))
			is = wanted(l, i, &facts);
		if (is)
			n++;
		else
			l->n[i] = -1;
	}
	return n;
}

/* What is known of each address, and which belong together. */
static int
group(struct list *l, int64_t **n)
{
	size_t size = 0;

	l->group = malloc((l->places.n + 1) * sizeof *l->group);
	if (!l->group)
		return -ENOMEM;
	for (size_t i = 0; i < l->places.n; i++) {
		struct addrinfo_facts facts;
		struct place key;
		int64_t at;

		l->group[i] = -1;
		if (!wanted(l, i, &facts))
			continue;
		memset(&key, 0, sizeof key);
		if (l->by == DESTQUERY_AS)
			snprintf(key.ip, sizeof key.ip, "%u", facts.asn);
		else
			memcpy(key.ip, facts.cc, sizeof facts.cc);
		at = set_put(&l->groups, l->secret, &key);
		*n = at < 0 ? *n : place_values(*n, &size, &l->groups, sizeof **n);
		if (at < 0 || !*n)
			return -ENOMEM;
		(*n)[at] += l->n[i];
		l->group[i] = (int32_t)at;
	}
	return 0;
}

/* Those of `n_asked` that are shown, most first; and which place is part of which. */
static int
show(struct list *l, const struct set *set, size_t n_asked, const int64_t *n)
{
	struct place_ranked *order = place_rank(set, n, 1);
	int32_t *row = malloc((set->n + 1) * sizeof *row);

	l->n_rows = n_asked < (size_t)l->ask->limit ? n_asked : (size_t)l->ask->limit;
	l->more = n_asked - l->n_rows;
	l->shown = calloc(l->places.n + 1, sizeof *l->shown);
	l->row = calloc(l->n_rows + 1, sizeof *l->row);
	if (!order || !row || !l->shown || !l->row) {
		free(order);
		free(row);
		return -ENOMEM;
	}
	memset(row, -1, (set->n + 1) * sizeof *row);
	for (size_t i = 0; i < l->n_rows; i++) {
		l->row[i].place = order[i].place;
		row[order[i].at] = (int32_t)i;
	}
	for (size_t i = l->n_rows; i < n_asked; i++)
		l->more_conns += order[i].n;
	for (size_t i = 0; i < l->places.n; i++) {
		int32_t at = l->group ? l->group[i] : (int32_t)i;

		l->shown[i] = at < 0 ? -1 : row[at];
		if (l->shown[i] >= 0)
			l->row[l->shown[i]].hosts_n++;
	}
	free(order);
	free(row);
	return 0;
}

static int
choose(struct list *l)
{
	int64_t *n = NULL;
	int r;

	if (l->by == DESTQUERY_PORT || l->by == DESTQUERY_HOST)
		return show(l, &l->places, keep(l), l->n);
	r = group(l, &n);
	if (!r)
		r = show(l, &l->groups, l->groups.n, n);
	free(n);
	return r;
}

/* The name of a system is that of its first address. */
static void
name_systems(struct list *l)
{
	for (size_t i = 0; i < l->places.n; i++) {
		struct addrinfo_facts facts = { .asn = 0 };

		if (l->shown[i] < 0 || l->row[l->shown[i]].as_org[0])
			continue;
		addrinfo_find(store_addrs(l->store), place_at(l, i)->ip, &facts);
		memcpy(l->row[l->shown[i]].as_org, facts.as_org, sizeof facts.as_org);
	}
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

	return !l->group && seeks * SEEK_ROWS < l->rows ? seek(l, w, before) : look(l, w, before);
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
	if (l->by == DESTQUERY_AS) {
		json_int(j, "asn", strtoll(d->place->ip, NULL, 10));
		addrinfo_text(j, "as_org", d->as_org);
	} else if (l->by == DESTQUERY_CC) {
		json_str(j, "cc", d->place->ip, strlen(d->place->ip));
	} else {
		json_str(j, "dst_ip", d->place->ip, strlen(d->place->ip));
		addrinfo_add(store_addrs(l->store), j, "dst", d->place->ip);
	}
	if (l->group)
		json_int(j, "hosts_n", d->hosts_n);
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
	json_close(j);
}

int
destquery_list(struct store *s, struct json *j, const struct ask *ask, enum destquery_by by)
{
	struct window w = window_of(s, ask->window_s, ask->until_us, 0), before = window_before(s, &w);
	struct list l = { .store = s, .ask = ask, .by = by, .parts = by == DESTQUERY_PORT ? 3 : 1,
			  .sensor = question_sensor(s, ask->sensor), .places = { .width = sizeof(struct place) },
			  .groups = { .width = sizeof(struct place) } };
	int trend = 0, r;

	hash_random(l.secret, sizeof l.secret);
	r = count(&l, &w);
	if (!r)
		r = choose(&l);
	if (!r && by == DESTQUERY_AS)
		name_systems(&l);
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
	if (l.more) {
		json_uint(j, "more_n", l.more);
		json_int(j, "more_conns", l.more_conns);
	}
	if (l.rest)
		json_int(j, "rest_conns", l.rest);
	if (trend) {
		json_map(j, "before");
		window_put_ends(j, &before);
		json_close(j);
	}
	json_close(j);
	set_free(&l.places);
	set_free(&l.groups);
	free(l.group);
	free(l.n);
	free(l.shown);
	free(l.row);
	return r;
}
