/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rollup.c - reports to numbers.  What a batch adds is gathered, sorted and merged once a destination and minute.
 *
 * Only minutes are written as reports come.  When a later one begins, what is before is folded into hours and
 * days, once; a report that counts earlier than that goes into all three at once.  So a busy collector writes one
 * row where it would write three.
 *
 * A file that has no room for more rows still takes every report: what has no row of its own counts with the rest.
 */
#include "rollup.h"

#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "days.h"
#include "few.h"
#include "minmax.h"
#include "rtt.h"

#define SAMPLES 4096
#define DOORS 4096
#define MINUTE_US 60000000LL
/* An hour or a day is cut so long after its end: what comes late is there by then. */
#define LATE_S 600

#define RTTS "rtt_min INTEGER, rtt_max INTEGER, hist BLOB, src_min INTEGER, src_max INTEGER, src_hist BLOB,"
#define VERDICTS "accepted INTEGER NOT NULL, dropped INTEGER NOT NULL, rejected INTEGER NOT NULL, unknown INTEGER NOT NULL,"

#define KNOCK_TABLE \
	"CREATE TABLE knock (" \
	"  span INTEGER, at INTEGER, src_ip TEXT, sensor INTEGER, " VERDICTS " kind INTEGER," \
	"  first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, ports BLOB, ports_n INTEGER NOT NULL, ips BLOB," \
	"  ips_n INTEGER NOT NULL, PRIMARY KEY (span, at, src_ip, sensor)) WITHOUT ROWID;"
/* A report's SYNs are shared evenly among the ports that it names. */
#define DOOR_TABLE \
	"CREATE TABLE door (" \
	"  span INTEGER, at INTEGER, port INTEGER, sensor INTEGER, " VERDICTS \
	"  PRIMARY KEY (span, at, port, sensor)) WITHOUT ROWID;"
const char rollup_schema_knock[] = KNOCK_TABLE DOOR_TABLE;

const char rollup_schema[] =
	/* span: 60, 3600 or 86400; at: its start, seconds; sensor: of the table sensor, 0 is none that we know
	 * of.  hist: rtt_pack(); ports, ips: few_pack().  An address of "": what ROLLUP_*_ROWS left no place for. */
	/* What of `failed` is none of refused to orphan was counted by an earlier format. */
	"CREATE TABLE rollup ("
	"  span INTEGER, at INTEGER, dst_ip TEXT, dst_port INTEGER, proto INTEGER, sensor INTEGER,"
	"  conns INTEGER NOT NULL, failed INTEGER NOT NULL, syn_retrans INTEGER NOT NULL,"
	"  rtt_min INTEGER, rtt_max INTEGER, last_us INTEGER NOT NULL, hist BLOB,"
	"  src_min INTEGER, src_max INTEGER, src_hist BLOB,"
	"  answered INTEGER NOT NULL, refused INTEGER NOT NULL, timeout INTEGER NOT NULL,"
	"  unreachable INTEGER NOT NULL DEFAULT 0, aborted INTEGER NOT NULL DEFAULT 0, orphan INTEGER NOT NULL DEFAULT 0,"
	"  PRIMARY KEY (span, at, dst_ip, dst_port, proto, sensor)) WITHOUT ROWID;"
	KNOCK_TABLE
	DOOR_TABLE
	"CREATE TABLE total ("
	"  span INTEGER, at INTEGER, sensor INTEGER, established INTEGER NOT NULL, answered INTEGER NOT NULL,"
	"  refused INTEGER NOT NULL, timeout INTEGER NOT NULL, other INTEGER NOT NULL, " VERDICTS
	"  " RTTS " PRIMARY KEY (span, at, sensor)) WITHOUT ROWID;"
	"INSERT INTO meta VALUES ('folded', 0), ('uncut_3600', 0), ('uncut_86400', 0);";

/* Two rows of one key to one. */
#define ADD(c) #c " = " #c " + excluded." #c ", "
#define LEAST(c) #c " = min(coalesce(" #c ", excluded." #c "), coalesce(excluded." #c ", " #c ")), "
#define MOST(c) #c " = max(coalesce(" #c ", excluded." #c "), coalesce(excluded." #c ", " #c ")), "
#define HISTS "hist = rtt_plus(hist, excluded.hist), src_hist = rtt_plus(src_hist, excluded.src_hist)"
#define ADD_VERDICTS ADD(accepted) ADD(dropped) ADD(rejected) ADD(unknown)

#define MERGE_ROLLUP \
	" ON CONFLICT (span, at, dst_ip, dst_port, proto, sensor) DO UPDATE SET " ADD(conns) ADD(failed) ADD(syn_retrans) \
	ADD(answered) ADD(refused) ADD(timeout) ADD(unreachable) ADD(aborted) ADD(orphan) \
	LEAST(rtt_min) MOST(rtt_max) MOST(last_us) LEAST(src_min) MOST(src_max) HISTS
#define MERGE_KNOCK \
	" ON CONFLICT (span, at, src_ip, sensor) DO UPDATE SET " ADD_VERDICTS MOST(kind) LEAST(first_us) MOST(last_us) \
	MOST(ports_n) MOST(ips_n) "ports = few_plus(ports, excluded.ports), ips = few_plus(ips, excluded.ips)"
#define MERGE_DOOR \
	" ON CONFLICT (span, at, port, sensor) DO UPDATE SET " ADD(accepted) ADD(dropped) ADD(rejected) \
	"unknown = unknown + excluded.unknown"
#define MERGE_TOTAL \
	" ON CONFLICT (span, at, sensor) DO UPDATE SET " ADD(established) ADD(answered) ADD(refused) ADD(timeout) ADD(other) \
	ADD_VERDICTS LEAST(rtt_min) MOST(rtt_max) LEAST(src_min) MOST(src_max) HISTS

/* And many. */
#define SUM_ROLLUP \
	"sum(conns), sum(failed), sum(syn_retrans), min(rtt_min), max(rtt_max), max(last_us), rtt_sum(hist), min(src_min), " \
	"max(src_max), rtt_sum(src_hist), sum(answered), sum(refused), sum(timeout), sum(unreachable), sum(aborted), sum(orphan)"
#define SUM_DOOR "sum(accepted), sum(dropped), sum(rejected), sum(unknown)"
#define SUM_VERDICTS SUM_DOOR ", "
#define SUM_KNOCK \
	SUM_VERDICTS "max(kind), min(first_us), max(last_us), few_sum(ports), max(ports_n), few_sum(ips), max(ips_n)"
#define SUM_TOTAL \
	"sum(established), sum(answered), sum(refused), sum(timeout), sum(other), " SUM_VERDICTS \
	"min(rtt_min), max(rtt_max), rtt_sum(hist), min(src_min), max(src_max), rtt_sum(src_hist)"

#define FOLD(table, key, sums, merge) \
	"INSERT INTO " table " SELECT ?3, at / ?3 * ?3, " key ", " sums " FROM " table \
	" WHERE span = 60 AND at >= ?1 AND at < ?2 GROUP BY at / ?3, " key merge
#define OLDEST(table) "SELECT min(at) FROM " table " WHERE span = ?1"
#define TRIM(table) "DELETE FROM " table " WHERE span = ?1 AND at < ?2"
#define WAITING(table) "(SELECT count(*) FROM " table " WHERE span = 60 AND at >= ?1 AND at < ?2)"
#define LONG(table, some) \
	"SELECT at FROM " table " WHERE span = ?1 AND at >= ?2 AND at < ?4 AND " some \
	" GROUP BY at HAVING count(*) > 2 * ?3 ORDER BY at LIMIT 1"
#define OF_IT " WHERE span = ?1 AND at = ?2 "
/* Neither the busiest nor the rest itself.  IN, which is looked for in an index: of NOT IN SQLite reads the whole list for
 * each row, in case one is NULL. */
#define BEHIND(table, some, key, rank) \
	OF_IT "AND (" key ") IN (SELECT " key " FROM " table OF_IT "AND " some " ORDER BY " rank " DESC LIMIT -1 OFFSET ?3)"
#define DESTINATION "dst_ip, dst_port, proto, sensor"
#define ALL_OF_IT "accepted + dropped + rejected + unknown"
#define BEHIND_ROLLUP BEHIND("rollup", "dst_ip != ''", DESTINATION, "conns")
#define BEHIND_KNOCK BEHIND("knock", "src_ip != ''", "src_ip, sensor", ALL_OF_IT)
#define BEHIND_DOOR BEHIND("door", "port >= 0", "port, sensor", ALL_OF_IT)

static const char *const sql[ROLLUP_STMTS] = {
	[ROLLUP_PUT] = "INSERT INTO rollup VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, "
		       "?17, ?18, ?19, ?20, ?21, ?22)" MERGE_ROLLUP,
	[ROLLUP_KNOCK] = "INSERT INTO knock VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
			 MERGE_KNOCK,
	[ROLLUP_DOOR] = "INSERT INTO door VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" MERGE_DOOR,
	[ROLLUP_TOTAL] = "INSERT INTO total VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, "
			 "?17, ?18)" MERGE_TOTAL,
	[ROLLUP_FOLD + ROLLUP_DESTINATIONS] = FOLD("rollup", DESTINATION, SUM_ROLLUP, MERGE_ROLLUP),
	[ROLLUP_FOLD + ROLLUP_SOURCES] = FOLD("knock", "src_ip, sensor", SUM_KNOCK, MERGE_KNOCK),
	[ROLLUP_FOLD + ROLLUP_PORTS] = FOLD("door", "port, sensor", SUM_DOOR, MERGE_DOOR),
	[ROLLUP_FOLD + ROLLUP_TOTALS] = FOLD("total", "sensor", SUM_TOTAL, MERGE_TOTAL),
	[ROLLUP_WAITING] = "SELECT " WAITING("rollup") " + " WAITING("knock") " + " WAITING("door") " + " WAITING("total"),
	[ROLLUP_NEXT] = "SELECT min(at) FROM total WHERE span = 60 AND at >= ?1 AND at < ?2",
	[ROLLUP_FOLDED] = "SELECT value FROM meta WHERE key = 'folded'",
	[ROLLUP_FOLDED_PUT] = "UPDATE meta SET value = ?1 WHERE key = 'folded'",
	[ROLLUP_OLDEST + ROLLUP_DESTINATIONS] = OLDEST("rollup"),
	[ROLLUP_OLDEST + ROLLUP_SOURCES] = OLDEST("knock"),
	[ROLLUP_OLDEST + ROLLUP_PORTS] = OLDEST("door"),
	[ROLLUP_OLDEST + ROLLUP_TOTALS] = OLDEST("total"),
	[ROLLUP_TRIM + ROLLUP_DESTINATIONS] = TRIM("rollup"),
	[ROLLUP_TRIM + ROLLUP_SOURCES] = TRIM("knock"),
	[ROLLUP_TRIM + ROLLUP_PORTS] = TRIM("door"),
	[ROLLUP_TRIM + ROLLUP_TOTALS] = TRIM("total"),
	[ROLLUP_COUNT + ROLLUP_DESTINATIONS] = "SELECT count(*) FROM rollup" OF_IT,
	[ROLLUP_COUNT + ROLLUP_SOURCES] = "SELECT count(*) FROM knock" OF_IT,
	[ROLLUP_COUNT + ROLLUP_PORTS] = "SELECT count(*) FROM door" OF_IT,
	[ROLLUP_LONG + ROLLUP_DESTINATIONS] = LONG("rollup", "dst_ip != ''"),
	[ROLLUP_LONG + ROLLUP_SOURCES] = LONG("knock", "src_ip != ''"),
	[ROLLUP_LONG + ROLLUP_PORTS] = LONG("door", "port >= 0"),
	[ROLLUP_REST + ROLLUP_DESTINATIONS] = "INSERT INTO rollup SELECT span, at, '', 0, 0, sensor, " SUM_ROLLUP
					      " FROM rollup" BEHIND_ROLLUP " GROUP BY sensor" MERGE_ROLLUP,
	[ROLLUP_REST + ROLLUP_SOURCES] = "INSERT INTO knock SELECT span, at, '', sensor, " SUM_KNOCK " FROM knock"
					 BEHIND_KNOCK " GROUP BY sensor" MERGE_KNOCK,
	[ROLLUP_REST + ROLLUP_PORTS] = "INSERT INTO door SELECT span, at, -1, sensor, " SUM_DOOR " FROM door" BEHIND_DOOR
				       " GROUP BY sensor" MERGE_DOOR,
	[ROLLUP_CUT + ROLLUP_DESTINATIONS] = "DELETE FROM rollup" BEHIND_ROLLUP,
	[ROLLUP_CUT + ROLLUP_SOURCES] = "DELETE FROM knock" BEHIND_KNOCK,
	[ROLLUP_CUT + ROLLUP_PORTS] = "DELETE FROM door" BEHIND_DOOR,
	/* The first hour or day that was not looked at. */
	[ROLLUP_UNCUT] = "SELECT min(at) FROM total WHERE span = ?1 AND "
			 "at >= (SELECT value FROM meta WHERE key = 'uncut_' || ?1)",
	[ROLLUP_UNCUT_PUT] = "UPDATE meta SET value = ?2 WHERE key = 'uncut_' || ?1",
};

#define VERDICTS_N 4

/* What one report adds. */
struct rollup_sample {
	int64_t minute; /* seconds */
	int64_t at_us;
	int64_t rtt_us; /* -1: unknown */
	int64_t src_us;
	int64_t weight; /* attempts: how many */
	int64_t syn_retrans;
	int64_t sensor;
	uint16_t dst_port;
	uint8_t proto;
	uint8_t state;  /* REPORT_STATES and above: an attempt, by verdict */
	char dst_ip[ADDR_TEXT];
};

#define STATES_N (REPORT_STATES + VERDICTS_N)

/* And to a port. */
struct rollup_door {
	int64_t minute, sensor;
	int64_t n[VERDICTS_N];
	uint16_t port;
};

struct group {
	int64_t conns, failed, syn_retrans, last_us;
	int64_t states[STATES_N];
	struct rtt rtt, src;
};

int
rollup_open(struct rollup *u, sqlite3 *db)
{
	int r = SQLITE_OK;

	*u = (struct rollup){ .db = db, .sample = malloc(SAMPLES * sizeof *u->sample),
			      .door = malloc(DOORS * sizeof *u->door), .folded = -1, .room = INT64_MAX };
	if (!u->sample || !u->door)
		return SQLITE_NOMEM;
	for (int i = 0; i < ROLLUP_STMTS && !r; i++)
		r = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &u->stmt[i], NULL);
	return r;
}

void
rollup_close(struct rollup *u)
{
	for (int i = 0; i < ROLLUP_STMTS; i++)
		sqlite3_finalize(u->stmt[i]);
	free(u->sample);
	free(u->door);
	*u = (struct rollup){ .db = NULL };
}

/* One step of a statement that gives no row; resets it. */
static int
step(struct rollup *u, int i)
{
	int r = sqlite3_step(u->stmt[i]);

	sqlite3_reset(u->stmt[i]);
	return r == SQLITE_DONE || r == SQLITE_ROW ? SQLITE_OK : r;
}

/* Binds up to two numbers, runs it.  *out: the first column, NULL counts as `none`. */
static int
number(struct rollup *u, int i, int64_t a, int64_t b, int64_t none, int64_t *out)
{
	sqlite3_stmt *stmt = u->stmt[i];
	int n = sqlite3_bind_parameter_count(stmt), r;

	*out = none;
	if (n > 0)
		sqlite3_bind_int64(stmt, 1, a);
	if (n > 1)
		sqlite3_bind_int64(stmt, 2, b);
	r = sqlite3_step(stmt);
	if (r == SQLITE_ROW && sqlite3_column_type(stmt, 0) != SQLITE_NULL)
		*out = sqlite3_column_int64(stmt, 0);
	sqlite3_reset(stmt);
	return r == SQLITE_DONE || r == SQLITE_ROW ? SQLITE_OK : r;
}

int64_t
rollup_folded(struct rollup *u)
{
	if (u->folded < 0 && number(u, ROLLUP_FOLDED, 0, 0, 0, &u->folded))
		u->folded = -1;
	return u->folded < 0 ? 0 : u->folded;
}

static int
by_destination(const void *x, const void *y)
{
	const struct rollup_sample *a = x, *b = y;
	int r = strcmp(a->dst_ip, b->dst_ip);

	if (r)
		return r;
	if (a->dst_port != b->dst_port)
		return a->dst_port < b->dst_port ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	if (a->sensor != b->sensor)
		return a->sensor < b->sensor ? -1 : 1;
	return a->minute < b->minute ? -1 : a->minute > b->minute;
}

static int
by_sensor(const void *x, const void *y)
{
	const struct rollup_sample *a = x, *b = y;

	if (a->sensor != b->sensor)
		return a->sensor < b->sensor ? -1 : 1;
	return a->minute < b->minute ? -1 : a->minute > b->minute;
}

static int
by_port(const void *x, const void *y)
{
	const struct rollup_door *a = x, *b = y;

	if (a->port != b->port)
		return a->port < b->port ? -1 : 1;
	if (a->sensor != b->sensor)
		return a->sensor < b->sensor ? -1 : 1;
	return a->minute < b->minute ? -1 : a->minute > b->minute;
}

static void
group_add(struct group *g, const struct rollup_sample *a)
{
	g->states[a->state] += a->weight;
	if (a->state >= REPORT_STATES)
		return;
	g->conns += a->weight;
	g->failed += a->state >= REPORT_REFUSED ? a->weight : 0;
	g->syn_retrans += a->syn_retrans * a->weight;
	if (a->at_us > g->last_us)
		g->last_us = a->at_us;
	if (a->rtt_us >= 0)
		rtt_add(&g->rtt, (uint64_t)a->rtt_us, (uint64_t)a->weight);
	if (a->src_us >= 0)
		rtt_add(&g->src, (uint64_t)a->src_us, (uint64_t)a->weight);
}

/* What is bound but for span and time, into the minute; into the hour and the day too when that minute was
 * folded already. */
static int
put_spans(struct rollup *u, int i, int64_t minute)
{
	int r = SQLITE_OK, last = minute < rollup_folded(u) ? 86400 : 60;

	for (int span = 60; span <= last && !r; span = span == 60 ? 3600 : span * 24) {
		sqlite3_bind_int64(u->stmt[i], 1, span);
		sqlite3_bind_int64(u->stmt[i], 2, minute - minute % span);
		r = step(u, i);
	}
	return r;
}

/* Whether there is a place for a row of this minute, which is then taken. */
static int
has_room(struct rollup *u, int64_t minute)
{
	u->room -= minute < rollup_folded(u) ? 3 : 1;
	u->merged += u->room < 0;
	return u->room >= 0;
}

static int
put_rollup(struct rollup *u, const struct rollup_sample *a, const struct group *g)
{
	sqlite3_stmt *stmt = u->stmt[ROLLUP_PUT];
	uint8_t packed[2][RTT_PACKED];
	int own = has_room(u, a->minute);

	column_bind_text(stmt, 3, own ? a->dst_ip : "");
	sqlite3_bind_int(stmt, 4, own ? a->dst_port : 0);
	sqlite3_bind_int(stmt, 5, own ? a->proto : 0);
	sqlite3_bind_int64(stmt, 6, a->sensor);
	sqlite3_bind_int64(stmt, 7, g->conns);
	sqlite3_bind_int64(stmt, 8, g->failed);
	sqlite3_bind_int64(stmt, 9, g->syn_retrans);
	column_bind_rtt(stmt, 10, 13, &g->rtt, packed[0]);
	sqlite3_bind_int64(stmt, 12, g->last_us);
	column_bind_rtt(stmt, 14, 16, &g->src, packed[1]);
	for (int i = REPORT_ANSWERED; i < REPORT_STATES; i++)
		sqlite3_bind_int64(stmt, 17 + i - REPORT_ANSWERED, g->states[i]);
	return put_spans(u, ROLLUP_PUT, a->minute);
}

static int
put_total(struct rollup *u, const struct rollup_sample *a, const struct group *g)
{
	sqlite3_stmt *stmt = u->stmt[ROLLUP_TOTAL];
	uint8_t packed[2][RTT_PACKED];
	/* established, answered, refused, timeout, other */
	int64_t n[5] = { 0 };

	for (int i = 0; i < REPORT_STATES; i++)
		n[i < 4 ? i : 4] += g->states[i];
	sqlite3_bind_int64(stmt, 3, a->sensor);
	for (int i = 0; i < 5; i++)
		sqlite3_bind_int64(stmt, 4 + i, n[i]);
	for (int i = 0; i < VERDICTS_N; i++)
		sqlite3_bind_int64(stmt, 9 + i, g->states[REPORT_STATES + i]);
	column_bind_rtt(stmt, 13, 15, &g->rtt, packed[0]);
	column_bind_rtt(stmt, 16, 18, &g->src, packed[1]);
	return put_spans(u, ROLLUP_TOTAL, a->minute);
}

static int
put_knock(struct rollup *u, const struct report *rep, int64_t sensor, int64_t at_us, int64_t weight, int verdict)
{
	sqlite3_stmt *stmt = u->stmt[ROLLUP_KNOCK];
	struct few ports = { 0 }, ips = { 0 };
	uint8_t packed[2][FEW_PACKED];

	for (unsigned i = 0; i < rep->n_ports; i++)
		few_add(&ports, rep->ports[i]);
	if (!rep->n_ports && rep->dst_port >= 0)
		few_add(&ports, (uint32_t)rep->dst_port);
	if (rep->dst_ip[0])
		few_add(&ips, few_hash(rep->dst_ip));
	column_bind_text(stmt, 3, has_room(u, at_us / MINUTE_US * 60) ? rep->src_ip : "");
	sqlite3_bind_int64(stmt, 4, sensor);
	for (int i = 0; i < VERDICTS_N; i++)
		sqlite3_bind_int64(stmt, 5 + i, i == verdict ? weight : 0);
	column_bind_known(stmt, 9, rep->kind);
	sqlite3_bind_int64(stmt, 10, days_at_us(rep->ts_us, at_us));
	sqlite3_bind_int64(stmt, 11, at_us);
	sqlite3_bind_blob(stmt, 12, packed[0], (int)few_pack(&ports, packed[0]), SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 13, rep->dst_ports_n > 0 ? rep->dst_ports_n : 0);
	sqlite3_bind_blob(stmt, 14, packed[1], (int)few_pack(&ips, packed[1]), SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 15, rep->dst_ips_n > 0 ? rep->dst_ips_n : 0);
	return put_spans(u, ROLLUP_KNOCK, at_us / MINUTE_US * 60);
}

static int
same_destination(const struct rollup_sample *a, const struct rollup_sample *b)
{
	return a->dst_port == b->dst_port && a->proto == b->proto && a->sensor == b->sensor && a->minute == b->minute &&
	       !strcmp(a->dst_ip, b->dst_ip);
}

static int
flush_destinations(struct rollup *u, size_t n)
{
	const struct rollup_sample *a = u->sample;
	int r = SQLITE_OK;

	qsort(u->sample, n, sizeof *u->sample, by_destination);
	for (size_t i = 0, k; i < n && !r; i = k) {
		struct group g = { 0 };

		for (k = i; k < n && same_destination(&a[i], &a[k]); k++)
			group_add(&g, &a[k]);
		if (g.conns)
			r = put_rollup(u, &a[i], &g);
	}
	return r;
}

static int
flush_totals(struct rollup *u, size_t n)
{
	const struct rollup_sample *a = u->sample;
	int r = SQLITE_OK;

	qsort(u->sample, n, sizeof *u->sample, by_sensor);
	for (size_t i = 0, k; i < n && !r; i = k) {
		struct group g = { 0 };

		for (k = i; k < n && a[i].minute == a[k].minute && a[i].sensor == a[k].sensor; k++)
			group_add(&g, &a[k]);
		r = put_total(u, &a[i], &g);
	}
	return r;
}

static int
flush_doors(struct rollup *u)
{
	const struct rollup_door *a = u->door;
	sqlite3_stmt *stmt = u->stmt[ROLLUP_DOOR];
	size_t n = u->n_doors;
	int r = SQLITE_OK;

	u->n_doors = 0;
	if (n)
		qsort(u->door, n, sizeof *u->door, by_port);
	for (size_t i = 0, k; i < n && !r; i = k) {
		int64_t sum[VERDICTS_N] = { 0 };

		for (k = i; k < n && !by_port(&a[i], &a[k]); k++) {
			for (int v = 0; v < VERDICTS_N; v++)
				sum[v] += a[k].n[v];
		}
		sqlite3_bind_int(stmt, 3, has_room(u, a[i].minute) ? a[i].port : -1);
		sqlite3_bind_int64(stmt, 4, a[i].sensor);
		for (int v = 0; v < VERDICTS_N; v++)
			sqlite3_bind_int64(stmt, 5 + v, sum[v]);
		r = put_spans(u, ROLLUP_DOOR, a[i].minute);
	}
	return r;
}

/* The ports that an attempt names. */
static int
add_doors(struct rollup *u, const struct report *rep, int64_t sensor, int64_t at_us, int64_t weight, int verdict)
{
	uint16_t alone = (uint16_t)rep->dst_port;
	const uint16_t *ports = rep->n_ports ? rep->ports : &alone;
	unsigned n = rep->n_ports ? rep->n_ports : rep->dst_port >= 0;
	int r = u->n_doors + n > DOORS ? flush_doors(u) : SQLITE_OK;

	for (unsigned i = 0; i < n; i++) {
		struct rollup_door *a = &u->door[u->n_doors++];

		*a = (struct rollup_door){ .minute = at_us / MINUTE_US * 60, .sensor = sensor, .port = ports[i] };
		a->n[verdict] = weight / n + (i < weight % n);
	}
	return r;
}

int
rollup_flush(struct rollup *u)
{
	int64_t newest = 0;
	size_t n = u->n;
	int r;

	u->n = 0;
	if (!n)
		return SQLITE_OK;
	for (size_t i = 0; i < n; i++)
		newest = u->sample[i].minute > newest ? u->sample[i].minute : newest;
	r = flush_destinations(u, n);
	if (!r)
		r = flush_doors(u);
	if (!r)
		r = flush_totals(u, n);
	return r ? r : rollup_fold(u, newest);
}

int64_t
rollup_retrans(int64_t told)
{
	return told < 0 ? 0 : least(told, ROLLUP_RETRANS_MAX);
}

int
rollup_add(struct rollup *u, const struct report *r, int64_t sensor, int64_t at_us, int64_t weight)
{
	int verdict = r->verdict < 0 || r->verdict >= VERDICTS_N ? VERDICTS_N - 1 : (int)r->verdict;
	struct rollup_sample *a;
	int e = SQLITE_OK;

	if (u->n == SAMPLES)
		e = rollup_flush(u);
	if (e)
		return e;
	a = &u->sample[u->n++];
	*a = (struct rollup_sample){
		.minute = at_us / MINUTE_US * 60,
		.at_us = at_us,
		.rtt_us = r->rtt_us,
		.src_us = r->rtt_src_us,
		.weight = weight,
		.sensor = sensor,
		.syn_retrans = rollup_retrans(r->syn_retrans),
		.state = (uint8_t)(REPORT_STATES + verdict),
	};
	if (r->type != REPORT_CONN) {
		e = put_knock(u, r, sensor, at_us, weight, verdict);
		return e ? e : add_doors(u, r, sensor, at_us, weight, verdict);
	}
	a->state = (uint8_t)r->state;
	a->dst_port = (uint16_t)r->dst_port;
	a->proto = (uint8_t)r->proto;
	memcpy(a->dst_ip, r->dst_ip, sizeof a->dst_ip);
	return SQLITE_OK;
}

void
rollup_forget(struct rollup *u)
{
	u->n = u->n_doors = 0;
	u->folded = -1;
}

void
rollup_room(struct rollup *u, int64_t bytes)
{
	u->room = bytes > 0 ? bytes / ROLLUP_ROW_BYTES : 0;
	u->held = 0;
}

/* *until: up to where minutes fit that begin at `from` and are over at `minute`; `from` when none does, or there is
 * none. */
static int
fits(struct rollup *u, int64_t from, int64_t minute, int64_t *until)
{
	int64_t rows, first;
	int r = number(u, ROLLUP_WAITING, from, minute, 0, &rows);

	*until = rows ? minute : from;
	if (r || 2 * rows <= u->room)
		return r;
	r = number(u, ROLLUP_NEXT, from, minute, minute, &first);
	if (!r)
		r = number(u, ROLLUP_WAITING, from, first + 60, 0, &rows);
	*until = 2 * rows <= u->room ? first + 60 : from;
	u->held = 1;
	return r;
}

int
rollup_fold(struct rollup *u, int64_t minute)
{
	int64_t from = rollup_folded(u), until;
	int r;

	if (minute <= from || u->held)
		return SQLITE_OK;
	r = fits(u, from, minute, &until);
	if (r || until <= from)
		return r;
	for (int span = 3600; span <= 86400 && !r; span *= 24) {
		for (int i = ROLLUP_FOLD; i < ROLLUP_FOLD + ROLLUP_TABLES && !r; i++) {
			sqlite3_bind_int64(u->stmt[i], 1, from);
			sqlite3_bind_int64(u->stmt[i], 2, until);
			sqlite3_bind_int64(u->stmt[i], 3, span);
			r = step(u, i);
			u->room -= r ? 0 : sqlite3_changes(u->db);
		}
	}
	if (!r) {
		sqlite3_bind_int64(u->stmt[ROLLUP_FOLDED_PUT], 1, until);
		r = step(u, ROLLUP_FOLDED_PUT);
	}
	u->folded = r ? -1 : until;
	return r;
}

int
rollup_trim(struct rollup *u, enum rollup_table table, int span, int n, int64_t before_s, int *more, int64_t *gone)
{
	int64_t at;
	int r = number(u, ROLLUP_OLDEST + (int)table, span, 0, INT64_MAX, &at);

	if (r || at >= before_s)
		return r;
	at += (int64_t)n * span;
	sqlite3_bind_int64(u->stmt[ROLLUP_TRIM + table], 1, span);
	sqlite3_bind_int64(u->stmt[ROLLUP_TRIM + table], 2, at < before_s ? at : before_s);
	*more = 1;
	r = step(u, ROLLUP_TRIM + (int)table);
	*gone += r ? 0 : sqlite3_changes(u->db);
	return r;
}

/* All but the busiest of one minute, hour or day to the rest. */
static int
cut(struct rollup *u, int table, int span, int64_t at, int64_t keep)
{
	int r = SQLITE_OK;

	for (int i = ROLLUP_REST; i <= ROLLUP_CUT && !r; i += ROLLUP_CUT - ROLLUP_REST) {
		sqlite3_bind_int64(u->stmt[i + table], 1, span);
		sqlite3_bind_int64(u->stmt[i + table], 2, at);
		sqlite3_bind_int64(u->stmt[i + table], 3, keep);
		r = step(u, i + table);
	}
	return r;
}

int
rollup_squeeze(struct rollup *u, int span, int64_t from_s, int64_t until_s, int64_t keep, int *more)
{
	int64_t at;
	int r = SQLITE_OK;

	for (int table = 0; table < ROLLUP_TOTALS && !r; table++) {
		sqlite3_bind_int64(u->stmt[ROLLUP_LONG + table], 3, keep);
		sqlite3_bind_int64(u->stmt[ROLLUP_LONG + table], 4, until_s);
		r = number(u, ROLLUP_LONG + table, span, from_s, -1, &at);
		if (r || at < 0)
			continue;
		*more = 1;
		r = cut(u, table, span, at, keep);
		u->merged += r ? 0 : sqlite3_changes(u->db);
	}
	return r;
}

int
rollup_oldest(struct rollup *u, int span, int64_t *at_s)
{
	return number(u, ROLLUP_OLDEST + ROLLUP_TOTALS, span, 0, INT64_MAX, at_s);
}

int
rollup_uncut(struct rollup *u, int span, int64_t *at_s)
{
	return number(u, ROLLUP_UNCUT, span, 0, INT64_MAX, at_s);
}

int
rollup_cut(struct rollup *u, int span, int *more)
{
	int64_t at, rows, max = span == 3600 ? ROLLUP_HOUR_ROWS : ROLLUP_DAY_ROWS;
	int r = rollup_uncut(u, span, &at);

	if (r || at > rollup_folded(u) - span - LATE_S)
		return r;
	for (int table = 0; table < ROLLUP_TOTALS && !r; table++) {
		r = number(u, ROLLUP_COUNT + table, span, at, 0, &rows);
		if (!r && rows > max)
			r = cut(u, table, span, at, max);
	}
	*more = 1;
	sqlite3_bind_int64(u->stmt[ROLLUP_UNCUT_PUT], 1, span);
	sqlite3_bind_int64(u->stmt[ROLLUP_UNCUT_PUT], 2, at + span);
	return r ? r : step(u, ROLLUP_UNCUT_PUT);
}
