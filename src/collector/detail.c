/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * detail.c - one destination out of the rollups, whose key begins with time and address: a seek for each minute,
 * hour or day.  Rollups do not say who spoke to it: sources are counted among its newest reports, for as long as
 * that is quick (blocks.h).  Nor do rollups of hours and days keep what few spoke to: when there are more reports than
 * they know of, all numbers are the reports'.
 */
#include "detail.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "addrinfo.h"
#include "blocks.h"
#include "column.h"
#include "days.h"
#include "field.h"
#include "lib/hash.h"
#include "lib/loop.h"
#include "place.h"
#include "question.h"
#include "report.h"
#include "rollup.h"
#include "rtt.h"
#include "set.h"
#include "store.h"
#include "window.h"

#define LOOK_US 40000
#define PORTS_KEPT 512
#define SOURCES_KEPT 65536
#define SHOWN 100
#define SENSORS_KEPT 256

/* What connections came to. */
struct sums {
	int64_t conns, failed, syn_retrans, last_us;
	int64_t state[REPORT_STATES];
	struct rtt wan, lan;
};

struct port {
	uint16_t port;
	uint8_t proto;
	struct sums sums;
};

struct sensor {
	int64_t id;
	struct sums sums;
};

struct source {
	int64_t conns, failed, last_us;
};

struct detail {
	struct store *store;
	const struct params *params;
	struct window w;
	int64_t sensor;        /* question_sensor() */
	struct sums all;
	struct sums *points;
	struct port *ports;
	struct sensor *sensors;
	size_t n_ports, n_sensors;
	/* Of the newest reports. */
	struct set sources;    /* struct place: the address alone */
	struct source *source;
	size_t source_size;
	uint8_t secret[16];
	int64_t looked;        /* connections whose source was counted */
	int partial;           /* of reports, or ports, not all were counted */
};

/* ---- out of the rollups ---- */

#define COLUMNS \
	"dst_port, proto, sensor, conns, failed, syn_retrans, last_us, rtt_min, rtt_max, hist, src_min, src_max, src_hist, " \
	"conns - failed - answered, answered, refused, timeout, unreachable, aborted, orphan"

static void
sums_add(struct sums *s, const struct sums *more)
{
	s->conns += more->conns;
	s->failed += more->failed;
	for (int i = 0; i < REPORT_STATES; i++)
		s->state[i] += more->state[i];
	s->syn_retrans += more->syn_retrans;
	s->last_us = more->last_us > s->last_us ? more->last_us : s->last_us;
	rtt_merge(&s->wan, &more->wan);
	rtt_merge(&s->lan, &more->lan);
}

static void
sums_get(struct sums *s, sqlite3_stmt *stmt)
{
	*s = (struct sums){
		.conns = sqlite3_column_int64(stmt, 3),
		.failed = sqlite3_column_int64(stmt, 4),
		.syn_retrans = sqlite3_column_int64(stmt, 5),
		.last_us = sqlite3_column_int64(stmt, 6),
	};
	column_add_rtt(&s->wan, stmt, 7, 9);
	column_add_rtt(&s->lan, stmt, 10, 12);
	for (int i = 0; i < REPORT_STATES; i++)
		s->state[i] = sqlite3_column_int64(stmt, 13 + i);
}

static void
add_port(struct detail *d, int port, int proto, const struct sums *more)
{
	size_t i = 0;

	while (i < d->n_ports && (d->ports[i].port != port || d->ports[i].proto != proto))
		i++;
	if (i == PORTS_KEPT) {
		d->partial = 1;
		return;
	}
	if (i == d->n_ports)
		d->ports[d->n_ports++] = (struct port){ .port = (uint16_t)port, .proto = (uint8_t)proto };
	sums_add(&d->ports[i].sums, more);
}

static void
add_sensor(struct detail *d, int64_t id, const struct sums *more)
{
	size_t i = 0;

	while (i < d->n_sensors && d->sensors[i].id != id)
		i++;
	if (i == SENSORS_KEPT) {
		d->partial = 1;
		return;
	}
	if (i == d->n_sensors)
		d->sensors[d->n_sensors++].id = id;
	sums_add(&d->sensors[i].sums, more);
}

/* Rows of one minute, hour or day. */
static void
add_rows(struct detail *d, struct question *q, int64_t span, int64_t at_s)
{
	int64_t point = (at_s - d->w.from_s) / d->w.width_s;
	struct sums more;

	question_again(q);
	sqlite3_bind_int64(q->stmt, 1, span);
	sqlite3_bind_int64(q->stmt, 2, at_s);
	while (question_next(q)) {
		sums_get(&more, q->stmt);
		sums_add(&d->all, &more);
		if (point >= 0 && point < d->w.points)
			sums_add(&d->points[point], &more);
		add_port(d, sqlite3_column_int(q->stmt, 0), sqlite3_column_int(q->stmt, 1), &more);
		add_sensor(d, sqlite3_column_int64(q->stmt, 2), &more);
	}
}

static int
add_window(struct detail *d)
{
	const struct params *p = d->params;
	struct question q;

	question_open(&q, d->store, "SELECT " COLUMNS " FROM rollup WHERE span = ?1 AND at = ?2 AND dst_ip = ?3 "
				    "AND (?4 < 0 OR dst_port = ?4) AND (?5 < 0 OR sensor = ?5)");
	column_bind_text(q.stmt, 3, p->dst);
	sqlite3_bind_int64(q.stmt, 4, p->port);
	sqlite3_bind_int64(q.stmt, 5, d->sensor);
	for (int i = 0; i < WINDOW_STRETCHES; i++) {
		for (int64_t at = d->w.part[i].from_s; at < d->w.part[i].until_s; at += d->w.part[i].span)
			add_rows(d, &q, d->w.part[i].span, at);
	}
	return question_close(&q);
}

/* ---- out of the reports ---- */

/* Columns: src_ip, state, weight, at_us, dst_port, sensor, json. */
typedef int row_fn(struct detail *, sqlite3_stmt *);

static int
add_source(struct detail *d, sqlite3_stmt *stmt)
{
	int64_t weight = sqlite3_column_int64(stmt, 2), at;
	struct source *s;
	struct place p;

	if (!place_get(&p, stmt, 0, 1))
		return 0;
	if (d->sources.n == SOURCES_KEPT) {
		d->partial = 1;
		return 0;
	}
	at = set_put(&d->sources, d->secret, &p);
	if (at >= 0)
		d->source = place_values(d->source, &d->source_size, &d->sources, sizeof *d->source);
	if (at < 0 || !d->source)
		return -ENOMEM;
	s = &d->source[at];
	s->conns += weight;
	s->failed += sqlite3_column_int(stmt, 1) >= REPORT_REFUSED ? weight : 0;
	s->last_us = sqlite3_column_int64(stmt, 3) > s->last_us ? sqlite3_column_int64(stmt, 3) : s->last_us;
	d->looked += weight;
	return 0;
}

static int64_t
us_of(const char *json, size_t n, const char *name)
{
	struct field f = field_find(json, n, name);

	return f.kind == FIELD_INT ? field_int(&f) : -1;
}

/* What a rollup would have of it. */
static int
add_report(struct detail *d, sqlite3_stmt *stmt)
{
	int64_t weight = sqlite3_column_int64(stmt, 2), at_us = sqlite3_column_int64(stmt, 3);
	int64_t point = (at_us / 1000000 - d->w.from_s) / d->w.width_s, wan, lan;
	int state = sqlite3_column_int(stmt, 1);
	const char *json = (const char *)sqlite3_column_text(stmt, 6), *sensor = (const char *)sqlite3_column_text(stmt, 5);
	size_t n = (size_t)sqlite3_column_bytes(stmt, 6);
	struct sums more = {
		.conns = weight, .failed = state >= REPORT_REFUSED ? weight : 0, .last_us = at_us,
	};
	struct field proto;

	if (!json || !sensor || state < 0 || state >= REPORT_STATES)
		return 0;
	more.state[state] = weight;
	proto = field_find(json, n, "proto");
	wan = us_of(json, n, "rtt_us");
	lan = us_of(json, n, "rtt_src_us");
	more.syn_retrans = rollup_retrans(us_of(json, n, "syn_retrans")) * weight;
	if (wan >= 0)
		rtt_add(&more.wan, (uint64_t)wan, (uint64_t)weight);
	if (lan >= 0)
		rtt_add(&more.lan, (uint64_t)lan, (uint64_t)weight);
	sums_add(&d->all, &more);
	if (point >= 0 && point < d->w.points)
		sums_add(&d->points[point], &more);
	add_port(d, sqlite3_column_int(stmt, 4), (int)report_word_index(REPORT_WORDS_PROTO, proto.s ? proto.s : "", proto.n), &more);
	add_sensor(d, question_sensor(d->store, sensor), &more);
	return 0;
}

/* From the newest back. */
static int
add_day(struct detail *d, size_t day, int64_t end_us, row_fn *add)
{
	const struct day *is = days_at(store_days(d->store), day);
	const struct params *p = d->params;
	const uint32_t term = blocks_term(BLOCKS_IP, p->dst, strlen(p->dst));
	struct question blocks, q;
	int r = 0, e;

	window_blocks(&blocks, d->store, day);
	question_open_day(&q, d->store, day, "SELECT src_ip, state, weight, at_us, dst_port, sensor, json FROM conn WHERE id >= ?1 AND id < ?2 "
		"AND dst_ip = ?3 AND at_us >= ?4 AND at_us < ?5 AND (?6 < 0 OR dst_port = ?6) AND (?7 IS NULL OR sensor = ?7) "
		"ORDER BY id DESC");
	column_bind_text(q.stmt, 3, p->dst);
	sqlite3_bind_int64(q.stmt, 4, d->w.from_s * 1000000);
	sqlite3_bind_int64(q.stmt, 5, d->w.until_s * 1000000);
	sqlite3_bind_int64(q.stmt, 6, p->port);
	if (p->sensor[0])
		column_bind_text(q.stmt, 7, p->sensor);
	for (int64_t block = is->last_id / BLOCKS_IDS; block >= is->first_id / BLOCKS_IDS && !r && !d->partial; block--) {
		if (clock_mono_us() > end_us) {
			d->partial = 1;
			break;
		}
		if (!window_may_hold(&d->w, &blocks, block, term))
			continue;
		question_again(&q);
		sqlite3_bind_int64(q.stmt, 1, block * BLOCKS_IDS);
		sqlite3_bind_int64(q.stmt, 2, (block + 1) * BLOCKS_IDS);
		while (!r && question_next(&q))
			r = add(d, q.stmt);
	}
	e = question_close(&q);
	r = r ? r : e;
	e = question_close(&blocks);
	return r ? r : e;
}

static int
add_reports(struct detail *d, row_fn *add)
{
	size_t first = days_from(store_days(d->store), d->w.from_s * 1000000);
	int64_t end_us = clock_mono_us() + LOOK_US;
	int r = 0;

	for (size_t i = days_n(store_days(d->store)); i-- > first && !r && !d->partial;) {
		r = add_day(d, i, end_us, add);
		if (!r)
			days_rest(store_days(d->store)); /* a year of files is not open at once */
	}
	return r;
}

static int
add_all(struct detail *d)
{
	int r = add_window(d);

	if (!r)
		r = add_reports(d, add_source);
	if (r || d->partial || d->looked <= d->all.conns)
		return r;
	memset(&d->all, 0, sizeof d->all);
	memset(d->points, 0, (size_t)d->w.points * sizeof *d->points);
	memset(d->ports, 0, PORTS_KEPT * sizeof *d->ports);
	memset(d->sensors, 0, SENSORS_KEPT * sizeof *d->sensors);
	d->n_ports = d->n_sensors = 0;
	return add_reports(d, add_report);
}

/* ---- the answer ---- */

static void
put_counts(struct json *j, const struct sums *s)
{
	json_int(j, "conns", s->conns);
	json_int(j, "failed", s->failed);
}

/* `other` as everywhere; then what of it is told apart. */
static void
put_outcomes(struct json *j, const struct sums *s)
{
	static const char *const names[REPORT_STATES] = { "established", "answered", "refused", "timeout",
							  "unreachable", "aborted", "orphan" };

	for (int i = 0; i < REPORT_STATES; i++) {
		if (i == REPORT_UNREACHABLE)
			json_int(j, "other", s->failed - s->state[REPORT_REFUSED] - s->state[REPORT_TIMEOUT]);
		json_int(j, names[i], s->state[i]);
	}
}

/* median, p95, least and greatest of both halves. */
static void
put_rtts(struct json *j, const struct sums *s)
{
	static const char *const names[2][4] = { { "rtt_p50_us", "rtt_p95_us", "rtt_min_us", "rtt_max_us" },
						 { "src_rtt_p50_us", "src_rtt_p95_us", "src_rtt_min_us", "src_rtt_max_us" } };

	for (int half = 0; half < 2; half++) {
		const struct rtt *rtt = half ? &s->lan : &s->wan;

		if (!rtt->n)
			continue;
		json_int(j, names[half][0], rtt_percentile(rtt, 50));
		json_int(j, names[half][1], rtt_percentile(rtt, 95));
		json_uint(j, names[half][2], rtt->min_us);
		json_uint(j, names[half][3], rtt->max_us);
	}
}

static void
put_totals(struct json *j, const struct sums *s)
{
	json_map(j, "totals");
	put_counts(j, s);
	put_outcomes(j, s);
	json_int(j, "syn_retrans", s->syn_retrans);
	put_rtts(j, s);
	if (s->conns)
		json_time(j, "last_ts", s->last_us);
	json_close(j);
}

/* [[least of the bucket, how many], ...] */
static void
put_hist(struct json *j, const char *name, const struct rtt *rtt)
{
	json_list(j, name);
	for (unsigned i = 0; i < RTT_BUCKETS; i++) {
		if (!rtt->bucket[i])
			continue;
		json_list(j, NULL);
		json_uint(j, NULL, rtt_bucket_us(i));
		json_uint(j, NULL, rtt->bucket[i]);
		json_close(j);
	}
	json_close(j);
}

static void
put_series(struct json *j, const struct detail *d)
{
	json_list(j, "series");
	for (int64_t i = 0; i < d->w.points; i++) {
		const struct sums *s = &d->points[i];

		json_map(j, NULL);
		json_time(j, "t", (d->w.from_s + i * d->w.width_s) * 1000000);
		put_counts(j, s);
		put_outcomes(j, s);
		put_hist(j, "hist", &s->wan);
		put_hist(j, "src_hist", &s->lan);
		json_close(j);
	}
	json_close(j);
}

static int
by_port_conns(const void *x, const void *y)
{
	const struct port *a = x, *b = y;

	if (a->sums.conns != b->sums.conns)
		return a->sums.conns < b->sums.conns ? 1 : -1;
	return a->port != b->port ? a->port - b->port : a->proto - b->proto;
}

static void
put_ports(struct json *j, struct detail *d)
{
	qsort(d->ports, d->n_ports, sizeof *d->ports, by_port_conns);
	json_list(j, "ports");
	for (size_t i = 0; i < d->n_ports && i < SHOWN; i++) {
		json_map(j, NULL);
		json_int(j, "dst_port", d->ports[i].port);
		question_word(j, "proto", REPORT_WORDS_PROTO, d->ports[i].proto);
		put_counts(j, &d->ports[i].sums);
		put_rtts(j, &d->ports[i].sums);
		json_close(j);
	}
	json_close(j);
	json_uint(j, "ports_n", d->n_ports);
}

static int
by_sensor_conns(const void *x, const void *y)
{
	const struct sensor *a = x, *b = y;

	if (a->sums.conns != b->sums.conns)
		return a->sums.conns < b->sums.conns ? 1 : -1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int
put_sensors(struct json *j, struct detail *d)
{
	struct question q;

	qsort(d->sensors, d->n_sensors, sizeof *d->sensors, by_sensor_conns);
	question_open(&q, d->store, "SELECT name FROM sensor WHERE id = ?1");
	json_list(j, "sensors");
	for (size_t i = 0; i < d->n_sensors; i++) {
		json_map(j, NULL);
		question_again(&q);
		sqlite3_bind_int64(q.stmt, 1, d->sensors[i].id);
		if (question_next(&q)) /* 0 is none that we know of */
			question_text(j, "sensor", q.stmt, 0);
		put_counts(j, &d->sensors[i].sums);
		put_rtts(j, &d->sensors[i].sums);
		json_close(j);
	}
	json_close(j);
	return question_close(&q);
}

static int
put_sources(struct json *j, struct detail *d)
{
	struct place_ranked *list = place_rank(&d->sources, d->source ? &d->source->conns : NULL,
					       sizeof *d->source / sizeof(int64_t));

	if (!list)
		return -ENOMEM;
	json_list(j, "sources");
	for (size_t i = 0; d->source && i < d->sources.n && i < SHOWN; i++) {
		const struct source *s = &d->source[list[i].at];
		const char *ip = list[i].place->ip;

		json_map(j, NULL);
		json_str(j, "src_ip", ip, strlen(ip));
		json_int(j, "conns", s->conns);
		json_int(j, "failed", s->failed);
		json_time(j, "last_ts", s->last_us);
		addrinfo_add(store_addrs(d->store), j, "src", ip);
		json_close(j);
	}
	json_close(j);
	json_uint(j, "sources_n", d->sources.n);
	json_int(j, "sources_conns", d->looked);
	free(list);
	return 0;
}

static int
answer(struct detail *d, struct json *j)
{
	const struct params *p = d->params;
	int r;

	json_map(j, NULL);
	window_put(j, &d->w);
	json_str(j, "dst_ip", p->dst, strlen(p->dst));
	if (p->port >= 0)
		json_int(j, "dst_port", p->port);
	addrinfo_add(store_addrs(d->store), j, "dst", p->dst);
	put_totals(j, &d->all);
	put_series(j, d);
	put_ports(j, d);
	r = put_sensors(j, d);
	if (!r)
		r = put_sources(j, d);
	json_bool(j, "partial", d->partial);
	json_close(j);
	return r;
}

int
detail_write(struct store *s, struct json *j, const struct params *params)
{
	struct detail d = { .store = s, .params = params, .sources = { .width = sizeof(struct place) } };
	int r = -ENOMEM;

	hash_random(d.secret, sizeof d.secret);
	d.w = window_of(s, params->window_s, params->until_us, 1);
	d.sensor = question_sensor(s, params->sensor);
	d.points = calloc((size_t)d.w.points + 1, sizeof *d.points);
	d.ports = calloc(PORTS_KEPT, sizeof *d.ports);
	d.sensors = calloc(SENSORS_KEPT, sizeof *d.sensors);
	if (d.points && d.ports && d.sensors)
		r = add_all(&d);
	if (!r)
		r = answer(&d, j);
	set_free(&d.sources);
	free(d.source);
	free(d.points);
	free(d.ports);
	free(d.sensors);
	return r;
}
