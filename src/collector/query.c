/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * query.c - the API's questions in SQL.  Numbers over a window come from rollups; only the lists of
 * failures and attempts look at reports, at a bounded number of them, in the files of the window's days.
 * What several files or many rows hold is added up here, by hash: SQL would sort all of it.
 */
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "days.h"
#include "lib/hash.h"
#include "question.h"
#include "rtt.h"
#include "set.h"

/* The start of a window of whole minutes that ends with the one that is running. */
static int64_t
window_start_s(int64_t window_s, int64_t now_us)
{
	return (now_us / 60000000 - (window_s + 59) / 60 + 1) * 60;
}

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

/* ---- destinations ---- */

struct place {
	char ip[ADDR_TEXT];
	uint16_t port;
	uint8_t what;     /* proto, or state */
};

/* A place out of columns i to i + 2.  0: its address is none. */
static int
get_place(struct place *p, sqlite3_stmt *stmt, int i)
{
	const char *ip = (const char *)sqlite3_column_text(stmt, i);
	size_t n = (size_t)sqlite3_column_bytes(stmt, i);

	if (!ip || n >= sizeof p->ip)
		return 0;
	memset(p, 0, sizeof *p);
	memcpy(p->ip, ip, n);
	p->port = (uint16_t)sqlite3_column_int(stmt, i + 1);
	p->what = (uint8_t)sqlite3_column_int(stmt, i + 2);
	return 1;
}

struct ranked {
	const struct place *place;
	int64_t n;
	size_t at;        /* in the set */
};

/* Most first. */
static int
by_rank(const void *x, const void *y)
{
	const struct ranked *a = x, *b = y;
	int r;

	if (a->n != b->n)
		return a->n < b->n ? 1 : -1;
	r = strcmp(a->place->ip, b->place->ip);
	if (r)
		return r;
	return a->place->port != b->place->port ? a->place->port - b->place->port : a->place->what - b->place->what;
}

/* A list of the set's places and their numbers, most first; NULL: out of memory. */
static struct ranked *
rank(const struct set *places, const int64_t *n, size_t stride)
{
	struct ranked *list = calloc(places->n + 1, sizeof *list);

	if (!list)
		return NULL;
	for (size_t i = 0; n && i < places->n; i++)
		list[i] = (struct ranked){ (const struct place *)(const void *)(places->items + i * places->width),
					   n[i * stride], i };
	qsort(list, places->n, sizeof *list, by_rank);
	return list;
}

/* Room for as many values as the set has keys. */
static void *
grow_values(void *values, size_t *size, const struct set *set, size_t width)
{
	char *more;

	if (set->n <= *size)
		return values;
	more = realloc(values, set->size * width);
	if (!more) {
		free(values);
		return NULL;
	}
	memset(more + *size * width, 0, (set->size - *size) * width);
	*size = set->size;
	return more;
}

/* The minutes and hours of a window: whole hours when it is long, and minutes up to the first of them. */
struct span {
	int64_t from, hours, until;
};

static struct span
span_of(int64_t window_s, int64_t now_us)
{
	struct span w = { .from = window_start_s(window_s, now_us), .hours = INT64_MAX, .until = now_us / 1000000 };

	if (window_s > 7200)
		w.hours = (w.from + 3599) / 3600 * 3600;
	return w;
}

/* How many connections each destination had.  The set's keys, and a number for each. */
static int
count_places(struct store *s, const struct span *w, struct set *places, int64_t **n)
{
	uint8_t secret[16];
	struct question q;
	size_t size = 0;
	int r = 0, e;

	hash_random(secret, sizeof secret);
	question_open(&q, s, "SELECT dst_ip, dst_port, proto, conns FROM rollup WHERE span = 60 AND at >= ?1 AND at < ?2 "
			     "UNION ALL SELECT dst_ip, dst_port, proto, conns FROM rollup WHERE span = 3600 AND at >= ?2");
	sqlite3_bind_int64(q.stmt, 1, w->from);
	sqlite3_bind_int64(q.stmt, 2, w->hours);
	while (!r && question_next(&q)) {
		struct place p;
		int64_t at;

		if (!get_place(&p, q.stmt, 0))
			continue;
		at = set_put(places, secret, &p);
		*n = at < 0 ? *n : grow_values(*n, &size, places, sizeof **n);
		if (at < 0 || !*n)
			r = -ENOMEM;
		else
			(*n)[at] += sqlite3_column_int64(q.stmt, 3);
	}
	e = question_close(&q);
	return r ? r : e;
}

struct destination {
	int64_t conns, failed, syn_retrans, last_us;
	struct rtt rtt;
};

/* Of one minute or hour. */
static void
add_buckets(struct question *q, struct destination *d, const struct place *p, int64_t span, int64_t at)
{
	question_again(q);
	sqlite3_bind_int64(q->stmt, 1, span);
	sqlite3_bind_int64(q->stmt, 2, at);
	column_bind_text(q->stmt, 3, p->ip);
	sqlite3_bind_int(q->stmt, 4, p->port);
	sqlite3_bind_int(q->stmt, 5, p->what);
	while (question_next(q)) {
		d->conns += sqlite3_column_int64(q->stmt, 0);
		d->failed += sqlite3_column_int64(q->stmt, 1);
		d->syn_retrans += sqlite3_column_int64(q->stmt, 2);
		if (sqlite3_column_int64(q->stmt, 5) > d->last_us)
			d->last_us = sqlite3_column_int64(q->stmt, 5);
		column_add_rtt(&d->rtt, q->stmt, 3, 6);
	}
}

static void
put_destination(struct json *j, const struct place *p, const struct destination *d)
{
	json_map(j, NULL);
	json_str(j, "dst_ip", p->ip, strlen(p->ip));
	json_int(j, "dst_port", p->port);
	question_word(j, "proto", REPORT_WORDS_PROTO, p->what);
	json_int(j, "conns", d->conns);
	json_int(j, "failed", d->failed);
	json_int(j, "syn_retrans", d->syn_retrans);
	if (d->rtt.n) {
		json_int(j, "rtt_p50_us", rtt_percentile(&d->rtt, 50));
		json_int(j, "rtt_p95_us", rtt_percentile(&d->rtt, 95));
		json_uint(j, "rtt_min_us", d->rtt.min_us);
		json_uint(j, "rtt_max_us", d->rtt.max_us);
	}
	json_time(j, "last_ts", d->last_us);
	json_close(j);
}

int
query_destinations(struct store *s, struct json *j, int64_t window_s, int64_t limit, int64_t now_us)
{
	struct span w = span_of(window_s, now_us);
	struct set places = { .width = sizeof(struct place) };
	struct ranked *list = NULL;
	int64_t *n = NULL;
	struct question q;
	int r = count_places(s, &w, &places, &n), e;

	if (!r)
		list = rank(&places, n, 1);
	if (!r && !list)
		r = -ENOMEM;
	json_map(j, NULL);
	json_int(j, "window_s", window_s);
	json_list(j, "destinations");
	question_open(&q, s, "SELECT conns, failed, syn_retrans, rtt_min, rtt_max, last_us, hist FROM rollup "
			     "WHERE span = ?1 AND at = ?2 AND dst_ip = ?3 AND dst_port = ?4 AND proto = ?5");
	/* Histograms only of those that are shown. */
	for (size_t i = 0; !r && i < places.n && i < (size_t)limit && question_room(j); i++) {
		struct destination d = { 0 };

		for (int64_t at = w.from; at < w.hours && at <= w.until; at += 60)
			add_buckets(&q, &d, list[i].place, 60, at);
		for (int64_t at = w.hours; at <= w.until; at += 3600)
			add_buckets(&q, &d, list[i].place, 3600, at);
		put_destination(j, list[i].place, &d);
	}
	json_close(j);
	json_close(j);
	e = question_close(&q);
	set_free(&places);
	free(list);
	free(n);
	return r ? r : e;
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

	if (!get_place(&p, stmt, 0) || !src)
		return 0;
	at = set_put(&f->places, f->secret, &p);
	if (at >= 0)
		f->of = grow_values(f->of, &f->size, &f->places, sizeof *f->of);
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
find_failures(struct store *s, struct failures *f, int64_t from_us, int *partial)
{
	size_t first = days_from(store_days(s), from_us);
	int64_t rows = 0;
	int r = 0, e;

	for (size_t i = days_n(store_days(s)); i-- > first && !r && !*partial;) {
		struct question q;

		question_open_day(&q, s, i, "SELECT dst_ip, dst_port, state, src_ip, weight, at_us FROM conn "
					    "WHERE state >= 2 AND at_us >= ?1 ORDER BY at_us DESC LIMIT ?2");
		sqlite3_bind_int64(q.stmt, 1, from_us);
		sqlite3_bind_int64(q.stmt, 2, QUERY_ROWS_MAX - rows + 1);
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
query_failures(struct store *s, struct json *j, int64_t window_s, int64_t limit, int64_t now_us)
{
	struct failures f = { .places = { .width = sizeof(struct place) },
			      .sources = { .width = sizeof(struct source_of) } };
	struct ranked *list = NULL;
	int partial = 0, r;

	hash_random(f.secret, sizeof f.secret);
	r = find_failures(s, &f, window_start_s(window_s, now_us) * 1000000, &partial);
	if (!r)
		list = rank(&f.places, f.of ? &f.of[0].count : NULL, sizeof *f.of / sizeof(int64_t));
	if (!r && !list)
		r = -ENOMEM;
	json_map(j, NULL);
	json_int(j, "window_s", window_s);
	json_list(j, "failures");
	for (size_t i = 0; list && i < f.places.n && i < (size_t)limit && question_room(j); i++) {
		const struct failure *one = &f.of[list[i].at];

		json_map(j, NULL);
		json_str(j, "dst_ip", list[i].place->ip, strlen(list[i].place->ip));
		json_int(j, "dst_port", list[i].place->port);
		question_word(j, "state", REPORT_WORDS_STATE, list[i].place->what);
		json_int(j, "count", one->count);
		json_int(j, "src_n", one->src_n);
		json_time(j, "last_ts", one->last_us);
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

/* ---- attempts: one entry a source ---- */

struct source {
	char ip[ADDR_TEXT];
	int64_t count;
	int64_t verdicts[4];
	int64_t kind;
	int64_t first_us, last_us;
	int64_t ports_n, ips_n;
	uint16_t ports[REPORT_PORTS_MAX];
	unsigned n_ports;
};

static int
by_count(const void *x, const void *y)
{
	const struct source *a = x, *b = y;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->ip, b->ip);
}

/* The set of ports of one source, and what it came to. */
struct ports {
	uint64_t bits[65536 / 64];
	int64_t n;
};

static void
ports_add(struct ports *p, const uint8_t *list, int bytes)
{
	for (; bytes >= 2; bytes -= 2, list += 2) {
		uint16_t port;

		memcpy(&port, list, 2);
		if (!(p->bits[port / 64] >> port % 64 & 1))
			p->n++;
		p->bits[port / 64] |= 1ULL << port % 64;
	}
}

static void
source_end(struct source *a, struct ports *p)
{
	if (p->n > a->ports_n)
		a->ports_n = p->n;
	for (unsigned i = 0; i < 65536 && a->n_ports < REPORT_PORTS_MAX; i++) {
		if (p->bits[i / 64] >> i % 64 & 1)
			a->ports[a->n_ports++] = (uint16_t)i;
	}
	memset(p, 0, sizeof *p);
}

static int64_t
greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void
source_add(struct source *a, struct ports *p, sqlite3_stmt *stmt)
{
	int64_t n = sqlite3_column_int64(stmt, 2);
	int64_t verdict = sqlite3_column_type(stmt, 3) == SQLITE_NULL ? 3 : sqlite3_column_int64(stmt, 3);

	a->count += n;
	a->verdicts[verdict & 3] += n;
	if (sqlite3_column_type(stmt, 4) != SQLITE_NULL)
		a->kind = greater(a->kind, sqlite3_column_int64(stmt, 4));
	ports_add(p, sqlite3_column_blob(stmt, 5), sqlite3_column_bytes(stmt, 5));
	a->ports_n = greater(a->ports_n, sqlite3_column_int64(stmt, 6));
	a->ips_n = greater(a->ips_n, sqlite3_column_int64(stmt, 7));
	if (sqlite3_column_int64(stmt, 8) < a->first_us)
		a->first_us = sqlite3_column_int64(stmt, 8);
	a->last_us = greater(a->last_us, sqlite3_column_int64(stmt, 9));
}

static void
put_source(struct json *j, const struct source *a)
{
	json_map(j, NULL);
	json_str(j, "src_ip", a->ip, strlen(a->ip));
	json_int(j, "count", a->count);
	json_list(j, "dst_ports");
	for (unsigned i = 0; i < a->n_ports; i++)
		json_int(j, NULL, a->ports[i]);
	json_close(j);
	json_int(j, "dst_ports_n", a->ports_n);
	json_int(j, "dst_ips_n", a->ips_n);
	json_map(j, "verdicts");
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "accepted", "dropped", "rejected", "unknown" };

		if (a->verdicts[i])
			json_int(j, names[i], a->verdicts[i]);
	}
	json_close(j);
	question_word(j, "kind", REPORT_WORDS_KIND, a->kind);
	json_time(j, "first_ts", a->first_us);
	json_time(j, "last_ts", a->last_us);
	json_close(j);
}

/* Adds up what the merged rows of all days tell of each source. */
struct tally {
	struct source *list, *now;
	size_t n, size;
	struct ports *ports;
	char last_dst[ADDR_TEXT];
	int64_t dsts;      /* of `now` */
};

static int
tally_add(struct tally *t, sqlite3_stmt *stmt)
{
	const char *src = (const char *)sqlite3_column_text(stmt, 0);
	const char *dst = (const char *)sqlite3_column_text(stmt, 1);

	if (!src)
		return 0;
	if (!t->now || strcmp(t->now->ip, src)) {
		if (t->now)
			source_end(t->now, t->ports);
		if (t->n == t->size) {
			size_t size = t->size ? 2 * t->size : 256;
			struct source *more = realloc(t->list, size * sizeof *more);

			if (!more)
				return -ENOMEM;
			t->list = more;
			t->size = size;
		}
		t->now = &t->list[t->n++];
		*t->now = (struct source){ .kind = -1, .first_us = INT64_MAX };
		strncpy(t->now->ip, src, sizeof t->now->ip - 1);
		t->last_dst[0] = 0;
		t->dsts = 0;
	}
	if (dst && strcmp(dst, t->last_dst)) {
		strncpy(t->last_dst, dst, sizeof t->last_dst - 1);
		t->now->ips_n = greater(t->now->ips_n, ++t->dsts);
	}
	source_add(t->now, t->ports, stmt);
	return 0;
}

static int
text_order(sqlite3_stmt *a, sqlite3_stmt *b, int i)
{
	const char *x = (const char *)sqlite3_column_text(a, i), *y = (const char *)sqlite3_column_text(b, i);

	return strcmp(x ? x : "", y ? y : "");
}

/* The day whose row comes first by source and destination; m->n: none is left. */
static size_t
first_source(const struct merge *m)
{
	size_t at = m->n;

	for (size_t i = 0; i < m->n; i++) {
		int order = 0;

		if (m->has[i] <= 0)
			continue;
		if (at < m->n) {
			order = text_order(m->q[i].stmt, m->q[at].stmt, 0);
			order = order ? order : text_order(m->q[i].stmt, m->q[at].stmt, 1);
		}
		if (at == m->n || order < 0)
			at = i;
	}
	return at;
}

/* How many rows a day has to offer. */
static int
count_attempts(struct store *s, size_t day, int64_t from_us, int64_t limit, int64_t *n)
{
	struct question q;

	question_open_day(&q, s, day, "SELECT count(*) FROM (SELECT 1 FROM attempt WHERE at_us >= ?1 LIMIT ?2)");
	sqlite3_bind_int64(q.stmt, 1, from_us);
	sqlite3_bind_int64(q.stmt, 2, limit);
	*n = question_next(&q) ? sqlite3_column_int64(q.stmt, 0) : 0;
	return question_close(&q);
}

/* *partial: there are more than QUERY_ROWS_MAX; those of the newest days are looked at. */
static int
find_attempts(struct store *s, struct tally *t, int64_t from_us, int *partial)
{
	size_t first = days_from(store_days(s), from_us), days = days_n(store_days(s)) - first, i;
	int64_t left = QUERY_ROWS_MAX;
	struct merge m;
	int r = merge_new(&m, days), e;

	for (i = days; i-- > 0 && !r;) {
		int64_t n;

		r = count_attempts(s, first + i, from_us, left + 1, &n);
		if (r)
			break;
		*partial |= n > left;
		question_open_day(&m.q[i], s, first + i,
			"SELECT src_ip, dst_ip, count, verdict, kind, ports, dst_ports_n, dst_ips_n, first_us, "
			"at_us FROM (SELECT * FROM attempt WHERE at_us >= ?1 ORDER BY at_us DESC LIMIT ?2) "
			"ORDER BY 1, 2");
		sqlite3_bind_int64(m.q[i].stmt, 1, from_us);
		sqlite3_bind_int64(m.q[i].stmt, 2, left);
		merge_next(&m, i);
		left -= n > left ? left : n;
	}
	while (!r && (i = first_source(&m)) < m.n) {
		r = tally_add(t, m.q[i].stmt);
		merge_next(&m, i);
	}
	if (!r && t->now)
		source_end(t->now, t->ports);
	e = merge_close(&m);
	return r ? r : e;
}

int
query_attempts(struct store *s, struct json *j, int64_t window_s, int64_t limit, int64_t now_us)
{
	struct tally t = { .ports = calloc(1, sizeof *t.ports) };
	int partial = 0, r = -ENOMEM;

	if (t.ports)
		r = find_attempts(s, &t, window_start_s(window_s, now_us) * 1000000, &partial);
	if (!r) {
		if (t.n)
			qsort(t.list, t.n, sizeof *t.list, by_count);
		json_map(j, NULL);
		json_int(j, "window_s", window_s);
		json_list(j, "attempts");
		for (size_t i = 0; i < t.n && i < (size_t)limit && question_room(j); i++)
			put_source(j, &t.list[i]);
		json_close(j);
		if (partial)
			json_bool(j, "partial", 1);
		json_close(j);
	}
	free(t.list);
	free(t.ports);
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
	json_map(j, NULL);
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
			stored = greater(stored - sqlite3_column_int64(q.stmt, 8), 0);
		question_known(j, "stored", stored);
		if (known && stored >= 0)
			json_int(j, "missing", greater(seq_max - seq_first + 1 - stored, 0));
		json_map(j, "types");
		for (int i = 0; i < REPORT_TYPES; i++) {
			if (sqlite3_column_int64(q.stmt, 11 + i))
				json_int(j, types[i], sqlite3_column_int64(q.stmt, 11 + i));
		}
		json_close(j);
		if (stat) {
			json_raw(j, "stat", stat, (size_t)sqlite3_column_bytes(q.stmt, 9));
			json_int(j, "stat_age_s",
				 greater(now_us - sqlite3_column_int64(q.stmt, 10), 0) / 1000000);
		}
		json_close(j);
	}
	json_close(j);
	json_close(j);
	return question_close(&q);
}

/* ---- summary ---- */

struct point {
	int64_t conns, failed;
	struct rtt rtt;
};

int
query_summary(struct store *s, struct json *j, int64_t window_s, int64_t now_us)
{
	int64_t from = window_start_s(window_s, now_us), now_s = now_us / 1000000;
	int64_t width = ((window_s + 59) / 60 + QUERY_SERIES_MAX - 1) / QUERY_SERIES_MAX * 60;
	/* established, answered, refused, timeout, other, attempts */
	int64_t n[6] = { 0 }, points = (now_s - from) / width + 1;
	struct point *series = calloc((size_t)points + 1, sizeof *series), *all;
	struct question q;
	int r;

	if (!series)
		return -ENOMEM;
	all = &series[points];
	question_open(&q, s, "SELECT at, established, answered, refused, timeout, other, attempts, rtt_min, "
			  "rtt_max, hist FROM minute WHERE at >= ?1 ORDER BY at");
	sqlite3_bind_int64(q.stmt, 1, from);
	while (question_next(&q)) {
		int64_t i = (sqlite3_column_int64(q.stmt, 0) - from) / width, count[6];
		struct rtt rtt = { 0 };

		if (i >= points)
			break; /* the clock went back */
		for (int k = 0; k < 6; k++) {
			count[k] = sqlite3_column_int64(q.stmt, k + 1);
			n[k] += count[k];
		}
		series[i].conns += count[0] + count[1] + count[2] + count[3] + count[4];
		series[i].failed += count[2] + count[3] + count[4];
		rtt_unpack(&rtt, sqlite3_column_blob(q.stmt, 9), (size_t)sqlite3_column_bytes(q.stmt, 9));
		rtt.min_us = (uint64_t)sqlite3_column_int64(q.stmt, 7);
		rtt.max_us = (uint64_t)sqlite3_column_int64(q.stmt, 8);
		rtt_merge(&series[i].rtt, &rtt);
		rtt_merge(&all->rtt, &rtt);
	}
	r = question_close(&q);
	json_map(j, NULL);
	json_int(j, "window_s", window_s);
	json_int(j, "conns", n[0] + n[1] + n[2] + n[3] + n[4]);
	json_int(j, "established", n[0]);
	json_int(j, "answered", n[1]);
	json_int(j, "refused", n[2]);
	json_int(j, "timeout", n[3]);
	json_int(j, "other", n[4]);
	json_int(j, "attempts", n[5]);
	question_known(j, "rtt_p50_us", rtt_percentile(&all->rtt, 50));
	question_known(j, "rtt_p95_us", rtt_percentile(&all->rtt, 95));
	json_list(j, "series");
	for (int64_t i = 0; i < points; i++) {
		json_map(j, NULL);
		json_time(j, "t", (from + i * width) * 1000000);
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
		end = greater(end, day->last_us);
		rows += day->rows;
		bytes += day->bytes;
	}
	if (!rows || end - begin < 3600000000LL)
		return -1;
	span = (double)(end - begin) / (double)DAYS_US;
	fit = (double)greater(limits->max_bytes - sizes->main_bytes, 0) * span / (double)bytes;
	by_rows = (double)limits->max_rows * span / (double)rows;
	fit = by_rows < fit ? by_rows : fit;
	return fit < (double)limits->days ? fit : (double)limits->days;
}

int
query_storage(struct store *s, struct json *j)
{
	struct store_sizes sizes = store_sizes(s);
	struct store_limits limits = store_limits(s);
	const struct days *d = store_days(s);
	double fit = days_that_fit(s, &sizes, &limits);

	json_map(j, NULL);
	json_int(j, "rows", sizes.rows);
	json_int(j, "max_rows", limits.max_rows);
	json_int(j, "bytes", sizes.bytes);
	json_int(j, "max_bytes", limits.max_bytes);
	json_int(j, "rollup_bytes", sizes.main_bytes);
	json_int(j, "days_max", limits.days);
	question_known(j, "days_fit", fit < 0 ? -1 : (int64_t)fit);
	json_int(j, "damaged", sizes.damaged);
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
	json_close(j);
	return 0;
}
