/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * runs.c - the rows of runs.  One run is in hand while its reports follow one another, and written when
 * another comes or the batch ends.
 */
#include "runs.h"

#include <string.h>

#include "column.h"

#define SENSOR "CREATE TABLE sensor (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);"

/* A number is never given to another name: rollups have them for longer than runs are kept. */
const char runs_schema_sensor[] = SENSOR;

const char runs_schema[] = SENSOR
	"CREATE TABLE run ("
	"  id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, boot TEXT NOT NULL,"
	"  first_rx_us INTEGER NOT NULL, last_rx_us INTEGER NOT NULL, last_ts_us INTEGER NOT NULL,"
	"  seq_first INTEGER, seq_max INTEGER NOT NULL DEFAULT -1,"
	"  forgotten INTEGER NOT NULL DEFAULT 0,"
	"  conn INTEGER NOT NULL DEFAULT 0, quality INTEGER NOT NULL DEFAULT 0,"
	"  attempt INTEGER NOT NULL DEFAULT 0, trace INTEGER NOT NULL DEFAULT 0,"
	"  rollup INTEGER NOT NULL DEFAULT 0, stat INTEGER NOT NULL DEFAULT 0,"
	"  plugin INTEGER NOT NULL DEFAULT 0,"
	"  stat_seq INTEGER, stat_rx_us INTEGER, stat_json TEXT,"
	"  UNIQUE (sensor, boot));"
	"CREATE INDEX run_last ON run (last_rx_us);"
	"CREATE TABLE seqs (run INTEGER, first INTEGER, last INTEGER NOT NULL,"
	"  PRIMARY KEY (run, first)) WITHOUT ROWID;";

static const char *const sql[RUNS_STMTS] = {
	[RUNS_FIND] = "SELECT run.id, seq_first, coalesce(stat_seq, -1), sensor.id, last_ts_us FROM run, sensor "
		      "WHERE run.sensor = ?1 AND boot = ?2 AND name = ?1",
	[RUNS_NEW] = "INSERT INTO run (sensor, boot, first_rx_us, last_rx_us, last_ts_us) "
		     "VALUES (?1, ?2, ?3, ?3, 0)",
	[RUNS_SENSOR_NEW] = "INSERT OR IGNORE INTO sensor (name) VALUES (?1)",
	[RUNS_UPDATE] = "UPDATE run SET last_rx_us = max(last_rx_us, ?2), last_ts_us = max(last_ts_us, ?3), "
			"seq_max = max(seq_max, ?4), forgotten = forgotten + ?5, conn = conn + ?6, "
			"quality = quality + ?7, attempt = attempt + ?8, trace = trace + ?9, "
			"rollup = rollup + ?10, stat = stat + ?11, plugin = plugin + ?12 WHERE id = ?1",
	[RUNS_STAT] = "UPDATE run SET stat_seq = ?2, stat_rx_us = ?3, stat_json = ?4, "
		      "forgotten = CASE WHEN ?5 > seq_first THEN 0 ELSE forgotten END, "
		      "seq_first = ?5 WHERE id = ?1",
	/* Of the sensor that came with a new one, and those that may send under its name (intake.c), before all others. */
	[RUNS_OLDEST] = "SELECT id FROM run WHERE (SELECT count(*) FROM run) > ?1 AND id != ?2 ORDER BY "
			"NOT (sensor = ?3 OR sensor GLOB ?3 || '-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]'), last_rx_us LIMIT 1",
	[RUNS_SENSOR_DROP] = "DELETE FROM sensor WHERE name = (SELECT sensor FROM run WHERE id = ?1) AND NOT EXISTS "
			     "(SELECT 1 FROM run WHERE run.sensor = name AND run.id != ?1)",
	[RUNS_DROP] = "DELETE FROM run WHERE id = ?1",
	[RUNS_SEQS_DROP] = "DELETE FROM seqs WHERE run = ?1",
};

int
runs_open(struct runs *u, sqlite3 *db)
{
	int r = SQLITE_OK;

	*u = (struct runs){ .db = db };
	for (int i = 0; i < RUNS_STMTS && !r; i++)
		r = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &u->stmt[i], NULL);
	return r ? r : seqs_open(&u->seqs, db);
}

void
runs_close(struct runs *u)
{
	for (int i = 0; i < RUNS_STMTS; i++)
		sqlite3_finalize(u->stmt[i]);
	seqs_close(&u->seqs);
	*u = (struct runs){ .db = NULL };
}

/* One step of a statement that gives no row; resets it. */
static int
step(struct runs *u, enum runs_stmt i)
{
	int r = sqlite3_step(u->stmt[i]);

	sqlite3_reset(u->stmt[i]);
	return r == SQLITE_DONE || r == SQLITE_ROW ? SQLITE_OK : r;
}

int
runs_flush(struct runs *u)
{
	sqlite3_stmt *stmt = u->stmt[RUNS_UPDATE];
	int64_t forgotten = 0;
	int r;

	if (!u->id)
		return SQLITE_OK;
	r = seqs_flush(&u->seqs, &forgotten);
	if (r < 0)
		return -r;
	sqlite3_bind_int64(stmt, 1, u->id);
	sqlite3_bind_int64(stmt, 2, u->rx_us);
	sqlite3_bind_int64(stmt, 3, u->last_ts_us);
	sqlite3_bind_int64(stmt, 4, u->seq_max);
	sqlite3_bind_int64(stmt, 5, forgotten);
	for (int i = 0; i < REPORT_TYPES; i++)
		sqlite3_bind_int64(stmt, 6 + i, u->types[i]);
	u->id = 0;
	return step(u, RUNS_UPDATE);
}

void
runs_forget(struct runs *u)
{
	u->id = 0;
	seqs_forget(&u->seqs);
}

/* NAME of NAME-xxxx, with four hex digits; others as they are. */
static size_t
name_length(const char *sensor)
{
	size_t n = strlen(sensor);

	return n > 5 && sensor[n - 5] == '-' && strspn(sensor + n - 4, "0123456789abcdef") == 4 ? n - 5 : n;
}

/* Never the one that was made last. */
static int
drop_oldest(struct runs *u, const char *sensor)
{
	sqlite3_stmt *oldest = u->stmt[RUNS_OLDEST];
	int64_t id = 0;
	int r;

	sqlite3_bind_int64(oldest, 1, RUNS_MAX);
	sqlite3_bind_int64(oldest, 2, sqlite3_last_insert_rowid(u->db));
	sqlite3_bind_text(oldest, 3, sensor, (int)name_length(sensor), SQLITE_STATIC);
	r = sqlite3_step(oldest);
	if (r == SQLITE_ROW)
		id = sqlite3_column_int64(oldest, 0);
	sqlite3_reset(oldest);
	if (r != SQLITE_ROW)
		return r == SQLITE_DONE ? SQLITE_OK : r;
	r = SQLITE_OK;
	for (int i = RUNS_SENSOR_DROP; i <= RUNS_SEQS_DROP && !r; i++) {
		sqlite3_bind_int64(u->stmt[i], 1, id);
		r = step(u, (enum runs_stmt)i);
	}
	return r;
}

/* 1: found; 0: there is none; else -(SQLite code). */
static int
find(struct runs *u, const struct report *rep)
{
	sqlite3_stmt *stmt = u->stmt[RUNS_FIND];
	int r;

	column_bind_text(stmt, 1, rep->sensor);
	column_bind_text(stmt, 2, rep->boot);
	r = sqlite3_step(stmt);
	if (r == SQLITE_ROW) {
		u->id = sqlite3_column_int64(stmt, 0);
		u->seq_first = sqlite3_column_type(stmt, 1) == SQLITE_NULL ? -1 : sqlite3_column_int64(stmt, 1);
		u->stat_seq = sqlite3_column_int64(stmt, 2);
		u->sensor_id = sqlite3_column_int64(stmt, 3);
		u->newest_us = sqlite3_column_int64(stmt, 4);
	}
	sqlite3_reset(stmt);
	return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : -r;
}

static int
make(struct runs *u, const struct report *rep, int64_t rx_us)
{
	sqlite3_stmt *new = u->stmt[RUNS_NEW], *sensor = u->stmt[RUNS_SENSOR_NEW];
	int r;

	column_bind_text(sensor, 1, rep->sensor);
	r = step(u, RUNS_SENSOR_NEW);
	column_bind_text(new, 1, rep->sensor);
	column_bind_text(new, 2, rep->boot);
	sqlite3_bind_int64(new, 3, rx_us);
	if (!r)
		r = step(u, RUNS_NEW);
	return r ? r : drop_oldest(u, rep->sensor);
}

/* 0 or an SQLite code. */
static int
use(struct runs *u, const struct report *rep, int64_t rx_us)
{
	int r;

	if (u->id && !strcmp(u->boot, rep->boot) && !strcmp(u->sensor, rep->sensor))
		return SQLITE_OK;
	r = runs_flush(u);
	if (r)
		return r;
	r = find(u, rep);
	if (!r) {
		r = make(u, rep, rx_us);
		if (r)
			return r;
		r = find(u, rep);
	}
	if (r <= 0)
		return r ? -r : SQLITE_CORRUPT;
	memset(u->types, 0, sizeof u->types);
	u->seq_max = -1;
	u->last_ts_us = 0;
	u->rx_us = 0;
	memcpy(u->sensor, rep->sensor, sizeof u->sensor);
	memcpy(u->boot, rep->boot, sizeof u->boot);
	return SQLITE_OK;
}

int
runs_take(struct runs *u, const struct report *rep, int64_t rx_us)
{
	int r = use(u, rep, rx_us);

	if (r)
		return -r;
	if (rx_us > u->rx_us)
		u->rx_us = rx_us;
	return seqs_add(&u->seqs, u->id, rep->seq);
}

/* The newest ledger that the sensor told. */
static int
take_stat(struct runs *u, const struct report *rep)
{
	sqlite3_stmt *stmt = u->stmt[RUNS_STAT];

	if (rep->seq <= u->stat_seq)
		return SQLITE_OK; /* a late one is history only */
	if (rep->seq_first >= 0 && rep->seq_first <= rep->seq)
		u->seq_first = rep->seq_first;
	u->stat_seq = rep->seq;
	sqlite3_bind_int64(stmt, 1, u->id);
	sqlite3_bind_int64(stmt, 2, rep->seq);
	sqlite3_bind_int64(stmt, 3, u->rx_us);
	sqlite3_bind_text(stmt, 4, rep->json, (int)rep->json_len, SQLITE_STATIC);
	column_bind_known(stmt, 5, u->seq_first);
	return step(u, RUNS_STAT);
}

int
runs_count(struct runs *u, const struct report *rep)
{
	u->types[rep->type]++;
	if (rep->seq > u->seq_max)
		u->seq_max = rep->seq;
	if (rep->ts_us > u->last_ts_us)
		u->last_ts_us = rep->ts_us;
	if (rep->ts_us > u->newest_us)
		u->newest_us = rep->ts_us;
	return rep->type == REPORT_STAT ? take_stat(u, rep) : SQLITE_OK;
}
