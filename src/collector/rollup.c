/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rollup.c - reports to numbers.  What a batch adds is gathered, sorted and merged once a destination: a read
 * and a write for each.
 */
#include "rollup.h"

#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "rtt.h"

#define SAMPLES 4096
#define MINUTE_US 60000000LL

const char rollup_schema[] =
	/* span: 60 or 3600 seconds; at: its start, seconds; sensor: of the table sensor, 0 is none that we know
	 * of.  hist: rtt_pack(). */
	"CREATE TABLE rollup ("
	"  span INTEGER, at INTEGER, dst_ip TEXT, dst_port INTEGER, proto INTEGER, sensor INTEGER,"
	"  conns INTEGER NOT NULL, failed INTEGER NOT NULL, syn_retrans INTEGER NOT NULL,"
	"  rtt_min INTEGER, rtt_max INTEGER, last_us INTEGER NOT NULL, hist BLOB,"
	"  PRIMARY KEY (span, at, dst_ip, dst_port, proto, sensor)) WITHOUT ROWID;"
	"CREATE TABLE minute ("
	"  at INTEGER PRIMARY KEY, established INTEGER NOT NULL, answered INTEGER NOT NULL,"
	"  refused INTEGER NOT NULL, timeout INTEGER NOT NULL, other INTEGER NOT NULL,"
	"  attempts INTEGER NOT NULL, rtt_min INTEGER, rtt_max INTEGER, hist BLOB);";

static const char *const sql[ROLLUP_STMTS] = {
	[ROLLUP_GET] = "SELECT conns, failed, syn_retrans, rtt_min, rtt_max, last_us, hist FROM rollup "
		       "WHERE span = ?1 AND at = ?2 AND dst_ip = ?3 AND dst_port = ?4 AND proto = ?5 "
		       "AND sensor = ?6",
	[ROLLUP_PUT] = "INSERT OR REPLACE INTO rollup VALUES "
		       "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
	[ROLLUP_MINUTE_GET] = "SELECT established, answered, refused, timeout, other, attempts, rtt_min, "
			      "rtt_max, hist FROM minute WHERE at = ?1",
	[ROLLUP_MINUTE_PUT] = "INSERT OR REPLACE INTO minute VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[ROLLUP_OLDEST] = "SELECT min(at) FROM rollup WHERE span = ?1",
	[ROLLUP_TRIM] = "DELETE FROM rollup WHERE span = ?1 AND at = ?2",
	[ROLLUP_MINUTE_TRIM] = "DELETE FROM minute WHERE at < ?1",
};

/* What one report adds. */
struct rollup_sample {
	int64_t minute; /* seconds */
	int64_t at_us;
	int64_t rtt_us; /* -1: unknown */
	int64_t weight; /* attempts: how many */
	int64_t syn_retrans;
	int64_t sensor;
	uint16_t dst_port;
	uint8_t proto;
	uint8_t state;  /* REPORT_STATES: an attempt */
	char dst_ip[ADDR_TEXT];
};

struct group {
	int64_t conns, failed, syn_retrans, last_us;
	int64_t states[REPORT_STATES + 1]; /* the last: attempts */
	struct rtt rtt;
};

int
rollup_open(struct rollup *u, sqlite3 *db)
{
	int r = SQLITE_OK;

	*u = (struct rollup){ .db = db, .sample = malloc(SAMPLES * sizeof *u->sample) };
	if (!u->sample)
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
	*u = (struct rollup){ .db = NULL };
}

/* One step of a statement that gives no row; resets it. */
static int
step(struct rollup *u, enum rollup_stmt i)
{
	int r = sqlite3_step(u->stmt[i]);

	sqlite3_reset(u->stmt[i]);
	return r == SQLITE_DONE || r == SQLITE_ROW ? SQLITE_OK : r;
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
by_minute(const void *x, const void *y)
{
	const struct rollup_sample *a = x, *b = y;

	return a->minute < b->minute ? -1 : a->minute > b->minute;
}

static void
group_add(struct group *g, const struct rollup_sample *a)
{
	g->states[a->state] += a->weight;
	if (a->state == REPORT_STATES)
		return;
	g->conns += a->weight;
	g->failed += a->state >= REPORT_REFUSED ? a->weight : 0;
	g->syn_retrans += a->syn_retrans * a->weight;
	if (a->at_us > g->last_us)
		g->last_us = a->at_us;
	if (a->rtt_us >= 0)
		rtt_add(&g->rtt, (uint64_t)a->rtt_us, (uint64_t)a->weight);
}

static int
put_rollup(struct rollup *u, int64_t span, const struct rollup_sample *a, const struct group *added)
{
	sqlite3_stmt *get = u->stmt[ROLLUP_GET], *set = u->stmt[ROLLUP_PUT];
	uint8_t packed[RTT_PACKED];
	struct group g = *added;
	int r;

	for (int i = 0; i < 2; i++) {
		sqlite3_stmt *stmt = i ? set : get;

		sqlite3_bind_int64(stmt, 1, span);
		sqlite3_bind_int64(stmt, 2, a->minute - a->minute % span);
		column_bind_text(stmt, 3, a->dst_ip);
		sqlite3_bind_int(stmt, 4, a->dst_port);
		sqlite3_bind_int(stmt, 5, a->proto);
		sqlite3_bind_int64(stmt, 6, a->sensor);
	}
	r = sqlite3_step(get);
	if (r == SQLITE_ROW) {
		g.conns += sqlite3_column_int64(get, 0);
		g.failed += sqlite3_column_int64(get, 1);
		g.syn_retrans += sqlite3_column_int64(get, 2);
		if (sqlite3_column_int64(get, 5) > g.last_us)
			g.last_us = sqlite3_column_int64(get, 5);
		column_add_rtt(&g.rtt, get, 3, 6);
	}
	sqlite3_reset(get);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return r;
	sqlite3_bind_int64(set, 7, g.conns);
	sqlite3_bind_int64(set, 8, g.failed);
	sqlite3_bind_int64(set, 9, g.syn_retrans);
	column_bind_rtt(set, 10, 13, &g.rtt, packed);
	sqlite3_bind_int64(set, 12, g.last_us);
	return step(u, ROLLUP_PUT);
}

static int
put_minute(struct rollup *u, int64_t minute, const struct group *added)
{
	sqlite3_stmt *get = u->stmt[ROLLUP_MINUTE_GET], *set = u->stmt[ROLLUP_MINUTE_PUT];
	uint8_t packed[RTT_PACKED];
	struct rtt rtt = added->rtt;
	/* established, answered, refused, timeout, other, attempts */
	int64_t n[6] = { 0 };
	int r;

	for (int i = 0; i <= REPORT_STATES; i++)
		n[i < 4 ? i : i < REPORT_STATES ? 4 : 5] += added->states[i];
	sqlite3_bind_int64(get, 1, minute);
	r = sqlite3_step(get);
	if (r == SQLITE_ROW) {
		for (int i = 0; i < 6; i++)
			n[i] += sqlite3_column_int64(get, i);
		column_add_rtt(&rtt, get, 6, 8);
	}
	sqlite3_reset(get);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return r;
	sqlite3_bind_int64(set, 1, minute);
	for (int i = 0; i < 6; i++)
		sqlite3_bind_int64(set, i + 2, n[i]);
	column_bind_rtt(set, 8, 10, &rtt, packed);
	return step(u, ROLLUP_MINUTE_PUT);
}

static int
same_destination(const struct rollup_sample *a, const struct rollup_sample *b)
{
	return a->dst_port == b->dst_port && a->proto == b->proto && a->sensor == b->sensor &&
	       !strcmp(a->dst_ip, b->dst_ip);
}

int
rollup_flush(struct rollup *u)
{
	const struct rollup_sample *a = u->sample;
	size_t n = u->n;
	int r = 0;

	u->n = 0;
	if (!n)
		return 0;
	qsort(u->sample, n, sizeof *u->sample, by_destination);
	for (int span = 60; span <= 3600 && !r; span *= 60) {
		for (size_t i = 0; i < n && !r;) {
			struct group g = { 0 };
			size_t k = i;

			for (; k < n && same_destination(&a[i], &a[k]) &&
			       a[i].minute / span == a[k].minute / span; k++)
				group_add(&g, &a[k]);
			if (g.conns)
				r = put_rollup(u, span, &a[i], &g);
			i = k;
		}
	}
	qsort(u->sample, n, sizeof *u->sample, by_minute);
	for (size_t i = 0; i < n && !r;) {
		struct group g = { 0 };
		size_t k = i;

		for (; k < n && a[i].minute == a[k].minute; k++)
			group_add(&g, &a[k]);
		r = put_minute(u, a[i].minute, &g);
		i = k;
	}
	return r;
}

int
rollup_add(struct rollup *u, const struct report *r, int64_t sensor, int64_t at_us, int64_t weight)
{
	struct rollup_sample *a;

	if (u->n == SAMPLES) {
		int e = rollup_flush(u);

		if (e)
			return e;
	}
	a = &u->sample[u->n++];
	*a = (struct rollup_sample){
		.minute = at_us / MINUTE_US * 60,
		.at_us = at_us,
		.rtt_us = r->rtt_us,
		.weight = weight,
		.sensor = sensor,
		.syn_retrans = r->syn_retrans > 0 ? r->syn_retrans : 0,
		.state = REPORT_STATES,
	};
	if (r->type == REPORT_CONN) {
		a->state = (uint8_t)r->state;
		a->dst_port = (uint16_t)r->dst_port;
		a->proto = (uint8_t)r->proto;
		memcpy(a->dst_ip, r->dst_ip, sizeof a->dst_ip);
	}
	return 0;
}

void
rollup_forget(struct rollup *u)
{
	u->n = 0;
}

int
rollup_trim(struct rollup *u, int span, int64_t before_s, int *more)
{
	sqlite3_stmt *oldest = u->stmt[ROLLUP_OLDEST];
	int64_t at = INT64_MAX;
	int r;

	sqlite3_bind_int64(oldest, 1, span);
	r = sqlite3_step(oldest);
	if (r == SQLITE_ROW && sqlite3_column_type(oldest, 0) != SQLITE_NULL)
		at = sqlite3_column_int64(oldest, 0);
	sqlite3_reset(oldest);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return r;
	if (at >= before_s)
		return SQLITE_OK;
	sqlite3_bind_int64(u->stmt[ROLLUP_TRIM], 1, span);
	sqlite3_bind_int64(u->stmt[ROLLUP_TRIM], 2, at);
	*more = 1;
	return step(u, ROLLUP_TRIM);
}

int
rollup_trim_totals(struct rollup *u, int64_t before_s)
{
	sqlite3_bind_int64(u->stmt[ROLLUP_MINUTE_TRIM], 1, before_s);
	return step(u, ROLLUP_MINUTE_TRIM);
}
