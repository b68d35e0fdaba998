/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * map.c - the rollups' rows added up by country and by place.  What is known of an address is looked up once for
 * each, not for each row.
 *
 * Where a sensor stands nobody tells us; but who knocks from outside does so at its public address, and where
 * that is, the files say.
 */
#include "map.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrinfo.h"
#include "lib/hash.h"
#include "place.h"
#include "rtt.h"
#include "set.h"
#include "window.h"

#define COUNTRIES_MAX 700 /* two letters: 676 */
#define SENSORS_MAX 256
#define HOME_ROWS 2000    /* attempts looked at for where the sensors are */
#define SPOTS_MAX 20000

/* Where there may be several hosts.  All bytes are compared. */
struct spot {
	int32_t lat, lon; /* millionths of a degree */
	int16_t country;  /* -1: unknown */
	char cc[4];
	char city[ADDRINFO_CITY_LEN + 1];
};

struct sums {
	int64_t conns; /* first: place_rank() of its kind */
	int64_t failed, attempts, hosts_n;
	struct rtt rtt;
};

struct host {
	int16_t country; /* -1: unknown */
	int32_t spot;    /* -1 */
};

struct arc {
	int64_t sensor;
	int64_t spot;
};

struct sensor {
	int64_t id;
	char name[65];
	int placed;
	double lat, lon;
};

struct map {
	struct store *store;
	uint8_t secret[16];
	struct set places, spots, arcs;
	struct host *host;
	size_t host_size;
	char cc[COUNTRIES_MAX][3];
	struct sums *country; /* COUNTRIES_MAX and, the last, those that are unknown */
	int countries;
	struct sums *spot;
	size_t spot_size;
	int64_t *arc_conns;
	size_t arc_size;
	struct sensor sensor[SENSORS_MAX];
	int sensors;
	int partial;
};

/* ---- adding up ---- */

static int
country_of(struct map *m, const char *cc)
{
	for (int i = 0; i < m->countries; i++) {
		if (!strcmp(m->cc[i], cc))
			return i;
	}
	if (m->countries == COUNTRIES_MAX - 1)
		return -1;
	memcpy(m->cc[m->countries], cc, 3);
	return m->countries++;
}

static int32_t
micro(double degrees)
{
	return (int32_t)(degrees * 1e6 + (degrees < 0 ? -0.5 : 0.5));
}

/* Of a new host: what is known of it. */
static int
look_up(struct map *m, const char *ip, struct host *h)
{
	struct addrinfo_facts f;
	struct spot s;
	int64_t at;

	*h = (struct host){ .country = -1, .spot = -1 };
	if (!addrinfo_find(store_addrs(m->store), ip, &f))
		return 0;
	if (f.cc[0])
		h->country = (int16_t)country_of(m, f.cc);
	if (!f.placed)
		return 0;
	memset(&s, 0, sizeof s);
	s.lat = micro(f.lat);
	s.lon = micro(f.lon);
	s.country = h->country;
	memcpy(s.cc, f.cc, sizeof f.cc);
	memcpy(s.city, f.city, strlen(f.city));
	at = set_find(&m->spots, m->secret, &s);
	if (at < 0 && m->spots.n == SPOTS_MAX) {
		m->partial = 1;
		return 0;
	}
	if (at < 0)
		at = set_put(&m->spots, m->secret, &s);
	if (at < 0)
		return -ENOMEM;
	m->spot = place_values(m->spot, &m->spot_size, &m->spots, sizeof *m->spot);
	if (!m->spot)
		return -ENOMEM;
	h->spot = (int32_t)at;
	return 0;
}

/* The host of column 0; NULL: none (*r 0), or out of memory. */
static const struct host *
host_of(struct map *m, sqlite3_stmt *stmt, int *r)
{
	struct place p;
	size_t n = m->places.n;
	int64_t at;

	if (!place_get(&p, stmt, 0, 1) || !p.ip[0])
		return NULL;
	at = set_put(&m->places, m->secret, &p);
	if (at >= 0)
		m->host = place_values(m->host, &m->host_size, &m->places, sizeof *m->host);
	if (at < 0 || !m->host) {
		*r = -ENOMEM;
		return NULL;
	}
	if (m->places.n > n) {
		*r = look_up(m, p.ip, &m->host[at]);
		if (*r)
			return NULL;
		m->country[m->host[at].country < 0 ? COUNTRIES_MAX : m->host[at].country].hosts_n++;
		if (m->host[at].spot >= 0)
			m->spot[m->host[at].spot].hosts_n++;
	}
	return &m->host[at];
}

/* Columns: address, conns, failed, sensor, rtt_min, rtt_max, hist. */
static void
add(struct sums *s, sqlite3_stmt *stmt)
{
	uint64_t before = s->rtt.n, min_us, max_us;

	s->conns += sqlite3_column_int64(stmt, 1);
	s->failed += sqlite3_column_int64(stmt, 2);
	rtt_unpack(&s->rtt, sqlite3_column_blob(stmt, 6), (size_t)sqlite3_column_bytes(stmt, 6));
	if (s->rtt.n == before)
		return;
	min_us = (uint64_t)sqlite3_column_int64(stmt, 4);
	max_us = (uint64_t)sqlite3_column_int64(stmt, 5);
	if (!before || min_us < s->rtt.min_us)
		s->rtt.min_us = min_us;
	if (max_us > s->rtt.max_us)
		s->rtt.max_us = max_us;
}

/* All hosts of a place are of one country, or of none that is known. */
static void
add_up(struct map *m)
{
	for (size_t i = 0; i < m->spots.n; i++) {
		const struct spot *s = (const struct spot *)(m->spots.items + i * m->spots.width);
		struct sums *c = &m->country[s->country < 0 ? COUNTRIES_MAX : s->country];

		c->conns += m->spot[i].conns;
		c->failed += m->spot[i].failed;
		rtt_merge(&c->rtt, &m->spot[i].rtt);
	}
}

static int
add_arc(struct map *m, int64_t sensor, int64_t spot, int64_t conns)
{
	struct arc a = { sensor, spot };
	int64_t at = set_put(&m->arcs, m->secret, &a);

	if (at >= 0)
		m->arc_conns = place_values(m->arc_conns, &m->arc_size, &m->arcs, sizeof *m->arc_conns);
	if (at < 0 || !m->arc_conns)
		return -ENOMEM;
	m->arc_conns[at] += conns;
	return 0;
}

static int
add_connections(struct map *m, const struct window *w, int64_t sensor)
{
	struct question q;
	int r = 0, e;

	question_open(&q, m->store, WINDOW("dst_ip, conns, failed, sensor, rtt_min, rtt_max, hist", "rollup",
					   QUESTION_SENSOR));
	window_bind(q.stmt, w);
	sqlite3_bind_int64(q.stmt, 11, sensor);
	while (!r && question_next(&q)) {
		const struct host *h = host_of(m, q.stmt, &r);
		int country = h && h->country >= 0 ? h->country : COUNTRIES_MAX;

		if (r)
			break;
		add(h && h->spot >= 0 ? &m->spot[h->spot] : &m->country[country], q.stmt);
		if (!h || h->spot < 0)
			continue;
		r = add_arc(m, sqlite3_column_int64(q.stmt, 3), h->spot, sqlite3_column_int64(q.stmt, 1));
	}
	e = question_close(&q);
	return r ? r : e;
}

static int
add_attempts(struct map *m, const struct window *w, int64_t sensor)
{
	struct question q;
	int r = 0, e;

	question_open(&q, m->store, WINDOW("src_ip, accepted + dropped + rejected + unknown", "knock", QUESTION_SENSOR));
	window_bind(q.stmt, w);
	sqlite3_bind_int64(q.stmt, 11, sensor);
	while (!r && question_next(&q)) {
		const struct host *h = host_of(m, q.stmt, &r);

		m->country[h && h->country >= 0 ? h->country : COUNTRIES_MAX].attempts += sqlite3_column_int64(q.stmt, 1);
	}
	e = question_close(&q);
	return r ? r : e;
}

/* ---- where the sensors are ---- */

static int
find_sensors(struct map *m)
{
	struct question q;

	question_open(&q, m->store, "SELECT id, name FROM sensor ORDER BY id LIMIT 256");
	while (m->sensors < SENSORS_MAX && question_next(&q)) {
		const char *name = (const char *)sqlite3_column_text(q.stmt, 1);
		struct sensor *s = &m->sensor[m->sensors++];

		s->id = sqlite3_column_int64(q.stmt, 0);
		snprintf(s->name, sizeof s->name, "%s", name ? name : "");
	}
	return question_close(&q);
}

/* Columns: sensor, dst_ip. */
static void
place_sensor(struct map *m, sqlite3_stmt *stmt)
{
	const char *name = (const char *)sqlite3_column_text(stmt, 0);
	const char *ip = (const char *)sqlite3_column_text(stmt, 1);
	struct addrinfo_facts f;

	for (int i = 0; name && ip && i < m->sensors; i++) {
		struct sensor *s = &m->sensor[i];

		if (s->placed || strcmp(s->name, name))
			continue;
		if (addrinfo_find(store_addrs(m->store), ip, &f) && f.placed) {
			s->placed = 1;
			s->lat = f.lat;
			s->lon = f.lon;
		}
		return;
	}
}

/* The last two days with attempts say it. */
static int
find_homes(struct map *m)
{
	size_t n = days_n(store_days(m->store));
	struct question q;
	int r = 0;

	for (size_t i = n; i-- > 0 && i + 2 >= n && !r;) {
		question_open_day(&q, m->store, i, "SELECT sensor, dst_ip FROM attempt ORDER BY id DESC LIMIT ?1");
		sqlite3_bind_int64(q.stmt, 1, HOME_ROWS);
		while (question_next(&q))
			place_sensor(m, q.stmt);
		r = question_close(&q);
	}
	return r;
}

/* ---- the answer ---- */

static void
put_degrees(struct json *j, double lat, double lon)
{
	char text[32];

	json_raw(j, "lat", text, (size_t)snprintf(text, sizeof text, "%.4f", lat));
	json_raw(j, "lon", text, (size_t)snprintf(text, sizeof text, "%.4f", lon));
}

static void
put_sums(struct json *j, const struct sums *s, int attempts)
{
	json_int(j, "conns", s->conns);
	json_int(j, "failed", s->failed);
	if (attempts)
		json_int(j, "attempts", s->attempts);
	json_int(j, "hosts_n", s->hosts_n);
	if (s->rtt.n)
		json_int(j, "rtt_p50_us", rtt_percentile(&s->rtt, 50));
}

static void
put_countries(const struct map *m, struct json *j)
{
	json_list(j, "countries");
	for (int i = 0; i < m->countries; i++) {
		json_map(j, NULL);
		json_raw_str(j, "cc", m->cc[i], strlen(m->cc[i]));
		put_sums(j, &m->country[i], 1);
		json_close(j);
	}
	json_close(j);
	json_map(j, "unknown");
	put_sums(j, &m->country[COUNTRIES_MAX], 1);
	json_close(j);
}

struct rank {
	int64_t conns;
	int32_t at;
};

static int
most_first(const void *x, const void *y)
{
	const struct rank *a = x, *b = y;

	return a->conns != b->conns ? (a->conns < b->conns ? 1 : -1) : a->at < b->at ? -1 : a->at > b->at;
}

static void
put_spot(const struct map *m, struct json *j, int32_t at)
{
	const struct spot *s = (const struct spot *)(m->spots.items + (size_t)at * m->spots.width);

	json_map(j, NULL);
	put_degrees(j, s->lat / 1e6, s->lon / 1e6);
	addrinfo_text(j, "city", s->city);
	addrinfo_text(j, "cc", s->cc);
	put_sums(j, &m->spot[at], 0);
	json_close(j);
}

static void
put_arc(const struct map *m, struct json *j, size_t at, const int32_t *listed)
{
	const struct arc *a = (const struct arc *)(m->arcs.items + at * m->arcs.width);

	for (int i = 0; i < m->sensors; i++) {
		const struct sensor *s = &m->sensor[i];

		if (s->id != a->sensor || !s->placed || listed[a->spot] < 0)
			continue;
		json_map(j, NULL);
		json_raw_str(j, "sensor", s->name, strlen(s->name));
		json_map(j, "from");
		put_degrees(j, s->lat, s->lon);
		json_close(j);
		json_int(j, "to", listed[a->spot]);
		json_int(j, "conns", m->arc_conns[at]);
		json_close(j);
	}
}

static int
put_places(struct map *m, struct json *j)
{
	struct rank *rank = calloc(m->spots.n + 1, sizeof *rank);
	int32_t *listed = malloc((m->spots.n + 1) * sizeof *listed), n = 0;

	if (!rank || !listed) {
		free(rank);
		free(listed);
		return -ENOMEM;
	}
	for (size_t i = 0; i < m->spots.n; i++) {
		rank[i] = (struct rank){ m->spot[i].conns, (int32_t)i };
		listed[i] = -1;
	}
	qsort(rank, m->spots.n, sizeof *rank, most_first);
	json_list(j, "places");
	for (size_t i = 0; i < m->spots.n && rank[i].conns; i++) {
		if (n == MAP_PLACES_MAX || !question_room(j)) {
			m->partial = 1;
			break;
		}
		listed[rank[i].at] = n++;
		put_spot(m, j, rank[i].at);
	}
	json_close(j);
	json_list(j, "arcs");
	for (size_t i = 0; i < m->arcs.n && question_room(j); i++)
		put_arc(m, j, i, listed);
	json_close(j);
	free(rank);
	free(listed);
	return 0;
}

/* Of the one sensor that is asked for, or that there is. */
static void
put_home(const struct map *m, struct json *j, int64_t sensor)
{
	const struct sensor *home = NULL;

	for (int i = 0; i < m->sensors; i++) {
		if (m->sensor[i].placed && (sensor < 0 || m->sensor[i].id == sensor) && !home)
			home = &m->sensor[i];
	}
	if (!home)
		return;
	json_map(j, "home");
	put_degrees(j, home->lat, home->lon);
	json_close(j);
}

int
map_write(struct store *s, struct json *j, const struct ask *ask)
{
	struct map *m = calloc(1, sizeof *m);
	struct window w = window_of(s, ask->window_s, ask->until_us, 0);
	int64_t sensor = question_sensor(s, ask->sensor);
	int r = -ENOMEM;

	if (!m)
		return r;
	m->store = s;
	m->places.width = sizeof(struct place);
	m->spots.width = sizeof(struct spot);
	m->arcs.width = sizeof(struct arc);
	m->country = calloc(COUNTRIES_MAX + 1, sizeof *m->country);
	hash_random(m->secret, sizeof m->secret);
	if (m->country)
		r = find_sensors(m);
	if (!r)
		r = add_connections(m, &w, sensor);
	if (!r)
		r = add_attempts(m, &w, sensor);
	if (!r)
		r = find_homes(m);
	if (!r) {
		add_up(m);
		window_put(j, &w);
		put_home(m, j, sensor);
		put_countries(m, j);
		r = put_places(m, j);
	}
	if (!r && m->partial)
		json_bool(j, "partial", 1);
	set_free(&m->places);
	set_free(&m->spots);
	set_free(&m->arcs);
	free(m->host);
	free(m->country);
	free(m->spot);
	free(m->arc_conns);
	free(m);
	return r;
}
