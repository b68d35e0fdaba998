/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * knockquery.c - attempts, from the rollups by source, by port, and in total; the sources of one port from reports.
 */
#include "knockquery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrinfo.h"
#include "blocks.h"
#include "column.h"
#include "days.h"
#include "few.h"
#include "lib/hash.h"
#include "lib/loop.h"
#include "minmax.h"
#include "place.h"
#include "query.h"
#include "set.h"
#include "window.h"

#define VERDICTS "accepted, dropped, rejected, unknown"
#define VERDICTS_N 4
#define KINDS_N 4

/* For a look at reports. */
#define LOOK_US 40000

static const char *const verdict_names[VERDICTS_N] = { "accepted", "dropped", "rejected", "unknown" };

static void
add_verdicts(int64_t sum[VERDICTS_N], sqlite3_stmt *stmt, int i)
{
	for (int v = 0; v < VERDICTS_N; v++)
		sum[v] += sqlite3_column_int64(stmt, i + v);
}

static int64_t
sum_of(const int64_t n[VERDICTS_N])
{
	return n[0] + n[1] + n[2] + n[3];
}

/* Those that there are. */
static void
put_verdicts(struct json *j, const int64_t n[VERDICTS_N])
{
	json_map(j, "verdicts");
	for (int v = 0; v < VERDICTS_N; v++) {
		if (n[v])
			json_int(j, verdict_names[v], n[v]);
	}
	json_close(j);
}

static int
open_window(struct question *q, struct store *s, const struct ask *ask, const struct window *w, const char *sql)
{
	int64_t sensor = question_sensor(s, ask->sensor);

	question_open(q, s, sql);
	window_bind(q->stmt, w);
	sqlite3_bind_int64(q->stmt, 11, sensor);
	return q->code;
}

/* ---- sources ---- */

struct source {
	int64_t count; /* first: place_rank() */
	int64_t verdicts[VERDICTS_N];
	int64_t kind, first_us, last_us, ports_n, ips_n;
	struct few ports, ips;
};

struct sources {
	struct set places;
	struct source *of;
	size_t size;
	int64_t rest;
	int partial;
};

/* The one at that address; NULL: out of memory. */
static struct source *
source_of(struct sources *l, const uint8_t secret[16], const struct place *p)
{
	int64_t at = set_put(&l->places, secret, p);
	struct source *a;

	l->of = at < 0 ? l->of : place_values(l->of, &l->size, &l->places, sizeof *l->of);
	if (at < 0 || !l->of)
		return NULL;
	a = &l->of[at];
	if (!a->last_us) {
		a->kind = -1;
		a->first_us = INT64_MAX;
	}
	return a;
}

static void
add_source(struct source *a, sqlite3_stmt *stmt)
{
	add_verdicts(a->verdicts, stmt, 1);
	a->count = sum_of(a->verdicts);
	if (sqlite3_column_type(stmt, 5) != SQLITE_NULL)
		a->kind = greatest(a->kind, sqlite3_column_int64(stmt, 5));
	if (sqlite3_column_int64(stmt, 6) < a->first_us)
		a->first_us = sqlite3_column_int64(stmt, 6);
	a->last_us = greatest(a->last_us, sqlite3_column_int64(stmt, 7));
	few_unpack(&a->ports, sqlite3_column_blob(stmt, 8), (size_t)sqlite3_column_bytes(stmt, 8));
	few_unpack(&a->ips, sqlite3_column_blob(stmt, 10), (size_t)sqlite3_column_bytes(stmt, 10));
	a->ports_n = greatest(greatest(a->ports_n, sqlite3_column_int64(stmt, 9)), a->ports.n);
	a->ips_n = greatest(greatest(a->ips_n, sqlite3_column_int64(stmt, 11)), a->ips.n);
}

static int
find_sources(struct store *s, struct sources *l, const struct ask *ask, const struct window *w)
{
	uint8_t secret[16];
	struct question q;
	int64_t rows = 0;
	int r = 0, e;

	hash_random(secret, sizeof secret);
	open_window(&q, s, ask, w, WINDOW("src_ip, " VERDICTS ", kind, first_us, last_us, ports, ports_n, ips, ips_n",
					   "knock", QUESTION_SENSOR));
	while (!r && !l->partial && question_next(&q)) {
		int64_t rest[VERDICTS_N] = { 0 };
		struct source *a;
		struct place p;

		l->partial = ++rows == QUERY_ROWS_MAX;
		if (!place_get(&p, q.stmt, 0, 1))
			continue;
		if (!p.ip[0]) {
			add_verdicts(rest, q.stmt, 1);
			l->rest += sum_of(rest);
			continue;
		}
		a = source_of(l, secret, &p);
		if (a)
			add_source(a, q.stmt);
		else
			r = -ENOMEM;
	}
	e = question_close(&q);
	return r ? r : e;
}

/* ---- sources of one port, from reports: rollups do not tell them apart ---- */

/* Column 6 are the ports that a report names, among which its SYNs are shared evenly (as in rollup.c).  -1: not
 * this one. */
static int64_t
share(sqlite3_stmt *stmt, int64_t count, int64_t port)
{
	const uint8_t *ports = sqlite3_column_blob(stmt, 6);
	unsigned n = (unsigned)sqlite3_column_bytes(stmt, 6) / 2;
	int64_t sum = -1;

	for (unsigned i = 0; i < n; i++) {
		if (column_port(ports, i) == port)
			sum = greatest(sum, 0) + count / n + (i < count % n);
	}
	return sum;
}

/* Columns: src_ip, count, verdict, kind, first_us, at_us, ports, dst_ports_n, dst_ip, dst_ips_n. */
static void
add_report(struct source *a, sqlite3_stmt *stmt, int64_t count)
{
	const uint8_t *ports = sqlite3_column_blob(stmt, 6);
	unsigned n = (unsigned)sqlite3_column_bytes(stmt, 6) / 2;
	const char *ip = (const char *)sqlite3_column_text(stmt, 8);
	int64_t verdict = question_number(stmt, 2);

	a->count += count;
	a->verdicts[verdict < 0 || verdict >= VERDICTS_N ? VERDICTS_N - 1 : verdict] += count;
	a->kind = greatest(a->kind, question_number(stmt, 3));
	if (sqlite3_column_int64(stmt, 4) < a->first_us)
		a->first_us = sqlite3_column_int64(stmt, 4);
	a->last_us = greatest(a->last_us, sqlite3_column_int64(stmt, 5));
	for (unsigned i = 0; i < n; i++)
		few_add(&a->ports, column_port(ports, i));
	if (ip)
		few_add(&a->ips, few_hash(ip));
	a->ports_n = greatest(greatest(a->ports_n, question_number(stmt, 7)), a->ports.n);
	a->ips_n = greatest(greatest(a->ips_n, question_number(stmt, 9)), a->ips.n);
}

struct look {
	struct sources *l;
	const struct ask *ask;
	const struct window *w;
	uint8_t secret[16];
	int64_t end_us;
};

static int
look_at_block(struct look *k, struct question *q, int64_t block)
{
	question_again(q);
	sqlite3_bind_int64(q->stmt, 1, block * BLOCKS_IDS);
	sqlite3_bind_int64(q->stmt, 2, (block + 1) * BLOCKS_IDS);
	while (question_next(q)) {
		int64_t count = share(q->stmt, sqlite3_column_int64(q->stmt, 1), k->ask->port);
		struct source *a;
		struct place p;

		if (count < 0 || !place_get(&p, q->stmt, 0, 1))
			continue;
		a = source_of(k->l, k->secret, &p);
		if (!a)
			return -ENOMEM;
		add_report(a, q->stmt, count);
	}
	return 0;
}

static int
look_at_day(struct look *k, struct store *s, size_t day)
{
	const struct day *is = days_at(store_days(s), day);
	const uint32_t term = blocks_term_port((uint16_t)k->ask->port);
	struct question blocks, q;
	int r = 0, e;

	window_blocks(&blocks, s, day);
	/* In the order of the file: + keeps it from the index by time, which leads all over it. */
	question_open_day(&q, s, day, "SELECT src_ip, count, verdict, kind, first_us, at_us, ports, dst_ports_n, dst_ip, dst_ips_n "
				      "FROM attempt WHERE id >= ?1 AND id < ?2 AND +at_us >= ?3 AND +at_us < ?4 "
				      "AND (?5 IS NULL OR sensor = ?5)");
	sqlite3_bind_int64(q.stmt, 3, k->w->from_s * 1000000);
	sqlite3_bind_int64(q.stmt, 4, k->w->until_s * 1000000);
	if (k->ask->sensor && *k->ask->sensor)
		column_bind_text(q.stmt, 5, k->ask->sensor);
	for (int64_t block = is->last_id / BLOCKS_IDS; block >= is->first_id / BLOCKS_IDS && !r; block--) {
		if (clock_mono_us() > k->end_us) {
			k->l->partial = 1;
			break;
		}
		if (window_may_hold(k->w, &blocks, block, term))
			r = look_at_block(k, &q, block);
	}
	e = question_close(&q);
	r = r ? r : e;
	e = question_close(&blocks);
	return r ? r : e;
}

/* The newest first, until time is up. */
static int
find_at_port(struct store *s, struct sources *l, const struct ask *ask, const struct window *w)
{
	struct look k = { .l = l, .ask = ask, .w = w, .end_us = clock_mono_us() + LOOK_US };
	size_t first = days_from(store_days(s), w->from_s * 1000000);
	int r = 0;

	hash_random(k.secret, sizeof k.secret);
	for (size_t i = days_n(store_days(s)); i-- > first && !r && !l->partial;) {
		r = look_at_day(&k, s, i);
		if (!r)
			days_rest(store_days(s)); /* a year of files is not open at once */
	}
	return r;
}

/* All SYNs at a port, as /api/inbound has them. */
static int
count_port(struct store *s, const struct ask *ask, const struct window *w, int64_t *count)
{
	int64_t n[VERDICTS_N] = { 0 };
	struct question q;

	open_window(&q, s, ask, w, WINDOW(VERDICTS, "door", QUESTION_SENSOR " AND port = ?12"));
	sqlite3_bind_int64(q.stmt, 12, ask->port);
	while (question_next(&q))
		add_verdicts(n, q.stmt, 0);
	*count = sum_of(n);
	return question_close(&q);
}

static void
put_source(struct json *j, struct store *s, const char *ip, const struct source *a)
{
	json_map(j, NULL);
	json_str(j, "src_ip", ip, strlen(ip));
	json_int(j, "count", a->count);
	json_list(j, "dst_ports");
	for (unsigned i = 0; i < a->ports.n; i++)
		json_int(j, NULL, a->ports.v[i]);
	json_close(j);
	json_int(j, "dst_ports_n", a->ports_n);
	json_int(j, "dst_ips_n", a->ips_n);
	put_verdicts(j, a->verdicts);
	question_word(j, "kind", REPORT_WORDS_KIND, a->kind);
	json_time(j, "first_ts", a->first_us);
	json_time(j, "last_ts", a->last_us);
	addrinfo_add(store_addrs(s), j, "src", ip);
	json_close(j);
}

int
knockquery_sources(struct store *s, struct json *j, const struct ask *ask)
{
	struct sources l = { .places = { .width = sizeof(struct place) } };
	struct window w = window_of(s, ask->window_s, ask->until_us, 0);
	struct place_ranked *order = NULL;
	int64_t told = 0, at_port = 0;
	int r = ask->port < 0 ? find_sources(s, &l, ask, &w) : find_at_port(s, &l, ask, &w);

	if (!r && ask->port >= 0)
		r = count_port(s, ask, &w, &at_port);
	for (size_t i = 0; i < l.places.n && l.of; i++)
		told += l.of[i].count;
	if (!r) {
		order = place_rank(&l.places, l.of ? &l.of[0].count : NULL, sizeof *l.of / sizeof(int64_t));
		r = order ? 0 : -ENOMEM;
	}
	json_map(j, NULL);
	window_put(j, &w);
	json_list(j, "attempts");
	for (size_t i = 0; order && l.of && i < l.places.n && i < (size_t)ask->limit && question_room(j); i++)
		put_source(j, s, order[i].place->ip, &l.of[order[i].at]);
	json_close(j);
	json_uint(j, "sources_n", l.places.n);
	if (ask->port >= 0) {
		json_int(j, "told_count", told);
		json_int(j, "port_count", at_port);
	}
	if (l.rest)
		json_int(j, "rest_count", l.rest);
	if (l.partial)
		json_bool(j, "partial", 1);
	json_close(j);
	set_free(&l.places);
	free(l.of);
	free(order);
	return r;
}

/* ---- ports ---- */

struct port {
	int64_t verdicts[VERDICTS_N];
	int64_t src_n;
	int port;
};

static int
by_count(const void *x, const void *y)
{
	const struct port *a = x, *b = y;
	int64_t m = sum_of(a->verdicts), n = sum_of(b->verdicts);

	return m != n ? (m < n ? 1 : -1) : a->port - b->port;
}

static int
count_ports(struct store *s, struct port *ports, const struct ask *ask, const struct window *w, int64_t *rest)
{
	struct question q;

	open_window(&q, s, ask, w, WINDOW("port, " VERDICTS, "door", QUESTION_SENSOR));
	while (question_next(&q)) {
		int64_t port = sqlite3_column_int64(q.stmt, 0), n[VERDICTS_N] = { 0 };

		if (port < 0) {
			add_verdicts(n, q.stmt, 1);
			*rest += sum_of(n);
		} else {
			add_verdicts(ports[port & 0xffff].verdicts, q.stmt, 1);
		}
	}
	return question_close(&q);
}

static void
put_ports(struct json *j, struct port *ports, int64_t *rest)
{
	for (int i = 0; i < 65536; i++)
		ports[i].port = i;
	qsort(ports, 65536, sizeof *ports, by_count);
	json_list(j, "ports");
	for (int i = 0; i < KNOCKQUERY_PORTS && sum_of(ports[i].verdicts); i++) {
		json_map(j, NULL);
		json_int(j, "port", ports[i].port);
		json_int(j, "count", sum_of(ports[i].verdicts));
		json_int(j, "src_n", greatest(ports[i].src_n, 1)); /* of a scan of many ports, not all are remembered */
		put_verdicts(j, ports[i].verdicts);
		json_close(j);
	}
	json_close(j);
	for (int i = KNOCKQUERY_PORTS; i < 65536; i++)
		*rest += sum_of(ports[i].verdicts);
}

/* ---- where from ---- */

/* A country, or a system: the place's ip is "DE", or "3320". */
struct origin {
	int64_t count, src_n;
	char as_org[ADDRINFO_ORG_LEN + 4]; /* a multiple of 8 in all: place_rank() */
};
_Static_assert(sizeof(struct origin) % 8 == 0, "place_rank() goes by whole numbers");

struct origins {
	struct set places;
	struct origin *of;
	size_t size;
};

static int
add_origin(struct origins *o, const uint8_t secret[16], const char *key, const char *as_org, int64_t count)
{
	struct place p;
	int64_t at;

	memset(&p, 0, sizeof p);
	memcpy(p.ip, key, strnlen(key, sizeof p.ip - 1));
	at = set_put(&o->places, secret, &p);
	o->of = at < 0 ? o->of : place_values(o->of, &o->size, &o->places, sizeof *o->of);
	if (at < 0 || !o->of)
		return -ENOMEM;
	o->of[at].count += count;
	o->of[at].src_n++;
	if (!o->of[at].as_org[0])
		memcpy(o->of[at].as_org, as_org, strlen(as_org) + 1);
	return 0;
}

static int
put_origins(struct json *j, const char *name, const struct origins *o, int systems)
{
	struct place_ranked *order = NULL;

	if (o->of)
		order = place_rank(&o->places, &o->of[0].count, sizeof *o->of / sizeof(int64_t));
	if (o->of && !order)
		return -ENOMEM;
	json_list(j, name);
	for (size_t i = 0; i < o->places.n && i < KNOCKQUERY_ORIGINS; i++) {
		const struct origin *a = &o->of[order[i].at];

		json_map(j, NULL);
		if (systems) {
			json_int(j, "asn", strtoll(order[i].place->ip, NULL, 10));
			addrinfo_text(j, "as_org", a->as_org);
		} else {
			json_str(j, "cc", order[i].place->ip, strlen(order[i].place->ip));
		}
		json_int(j, "count", a->count);
		json_int(j, "src_n", a->src_n);
		json_close(j);
	}
	json_close(j);
	free(order);
	return 0;
}

/* Countries and systems as far as they are known. */
static int
count_origins(struct store *s, const struct sources *l, struct origins *ccs, struct origins *asns)
{
	uint8_t secret[16];
	int r = 0;

	hash_random(secret, sizeof secret);
	for (size_t i = 0; i < l->places.n && !r; i++) {
		const struct place *p = (const struct place *)(const void *)(l->places.items + i * l->places.width);
		struct addrinfo_facts facts = { .asn = 0 };
		char asn[12];

		if (addrinfo_find(store_addrs(s), p->ip, &facts) != 1)
			continue;
		snprintf(asn, sizeof asn, "%u", facts.asn);
		if (facts.cc[0])
			r = add_origin(ccs, secret, facts.cc, "", l->of[i].count);
		if (facts.asn && !r)
			r = add_origin(asns, secret, asn, facts.as_org, l->of[i].count);
	}
	return r;
}

/* ---- inbound ---- */

/* How many sources, by the worst that was reported of each. */
static void
put_kinds(struct json *j, const struct sources *l)
{
	int64_t n[KINDS_N] = { 0 };

	for (size_t i = 0; i < l->places.n; i++) {
		if (l->of[i].kind >= 0 && l->of[i].kind < KINDS_N)
			n[l->of[i].kind]++;
	}
	json_uint(j, "sources_n", l->places.n);
	json_map(j, "kinds");
	for (int k = 0; k < KINDS_N; k++) {
		size_t len = 0;
		const char *word = report_word(REPORT_WORDS_KIND, k, &len);
		char name[32];

		if (!word || !n[k] || len >= sizeof name)
			continue;
		memcpy(name, word, len);
		name[len] = 0;
		json_int(j, name, n[k]);
	}
	json_close(j);
}

/* Ports, countries and systems. */
static int
put_sources(struct json *j, struct store *s, const struct ask *ask, const struct window *w)
{
	struct sources l = { .places = { .width = sizeof(struct place) } };
	struct origins ccs = { .places = { .width = sizeof(struct place) } };
	struct origins asns = { .places = { .width = sizeof(struct place) } };
	struct port *ports = calloc(65536, sizeof *ports);
	int64_t rest = 0;
	int r = -ENOMEM;

	if (ports)
		r = count_ports(s, ports, ask, w, &rest);
	if (!r)
		r = find_sources(s, &l, ask, w);
	for (size_t i = 0; !r && i < l.places.n; i++) {
		for (unsigned k = 0; k < l.of[i].ports.n; k++)
			ports[l.of[i].ports.v[k] & 0xffff].src_n++;
	}
	if (!r)
		r = count_origins(s, &l, &ccs, &asns);
	if (!r) {
		put_ports(j, ports, &rest);
		put_kinds(j, &l);
		r = put_origins(j, "ccs", &ccs, 0);
	}
	if (!r)
		r = put_origins(j, "asns", &asns, 1);
	if (rest)
		json_int(j, "rest_count", rest);
	if (l.partial)
		json_bool(j, "partial", 1);
	set_free(&l.places);
	set_free(&ccs.places);
	set_free(&asns.places);
	free(l.of);
	free(ccs.of);
	free(asns.of);
	free(ports);
	return r;
}

static int
put_series(struct json *j, struct store *s, const struct ask *ask, const struct window *w)
{
	int64_t (*points)[VERDICTS_N] = calloc((size_t)w->points + 1, sizeof *points);
	struct question q;
	int r;

	if (!points)
		return -ENOMEM;
	open_window(&q, s, ask, w, WINDOW("at, " VERDICTS, "total", QUESTION_SENSOR));
	while (question_next(&q)) {
		int64_t i = (sqlite3_column_int64(q.stmt, 0) - w->from_s) / w->width_s;

		if (i >= 0 && i < w->points)
			add_verdicts(points[i], q.stmt, 1);
	}
	r = question_close(&q);
	json_list(j, "series");
	for (int64_t i = 0; i < w->points; i++) {
		json_map(j, NULL);
		json_time(j, "t", (w->from_s + i * w->width_s) * 1000000);
		for (int v = 0; v < VERDICTS_N; v++)
			json_int(j, verdict_names[v], points[i][v]);
		json_close(j);
	}
	json_close(j);
	free(points);
	return r;
}

int
knockquery_inbound(struct store *s, struct json *j, const struct ask *ask)
{
	struct window w = window_of(s, ask->window_s, ask->until_us, 1);
	int r;

	json_map(j, NULL);
	window_put(j, &w);
	r = put_series(j, s, ask, &w);
	if (!r)
		r = put_sources(j, s, ask, &w);
	json_close(j);
	return r;
}
