/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * upgrade.c - formats 1 (without paths.c) and 2 (reports in the main file) to 3 (days.c, rollups by sensor).
 *
 * The main file says format 2 until all days are written; a file of a day that is there by then is of an
 * upgrade that was broken off, and made again.
 */
#include "upgrade.h"

#include <stdio.h>

#include "days.h"
#include "dbfile.h"
#include "lib/log.h"
#include "paths.h"
#include "rollup.h"
#include "runs.h"

static const char copy[] =
	"BEGIN IMMEDIATE;"
	"CREATE TEMP TABLE span AS SELECT value AS a, value + 86400000000 AS b FROM temp.day;"
	"INSERT INTO into_day.conn SELECT c.id, sensor, seq, at_us, rx_us, src_ip, dst_ip, dst_port, state, weight,"
	"  json FROM main.conn c JOIN main.run r ON r.id = c.run, span WHERE rx_us >= a AND rx_us < b;"
	"INSERT INTO into_day.attempt SELECT c.id, sensor, seq, at_us, rx_us, first_us, src_ip, dst_ip, count, verdict,"
	"  kind, ports, dst_ports_n, dst_ips_n, json FROM main.attempt c JOIN main.run r ON r.id = c.run, span"
	"  WHERE rx_us >= a AND rx_us < b;"
	"INSERT INTO into_day.stat SELECT c.id, sensor, seq, at_us, rx_us, json FROM main.stat c"
	"  JOIN main.run r ON r.id = c.run, span WHERE rx_us >= a AND rx_us < b;"
	"INSERT INTO into_day.other SELECT c.id, sensor, seq, type, at_us, rx_us, json FROM main.other c"
	"  JOIN main.run r ON r.id = c.run, span WHERE rx_us >= a AND rx_us < b;"
	"DROP TABLE span;"
	"INSERT OR REPLACE INTO into_day.meta SELECT 'rows', count(*) FROM (SELECT id FROM into_day.conn UNION ALL"
	"  SELECT id FROM into_day.attempt UNION ALL SELECT id FROM into_day.stat UNION ALL"
	"  SELECT id FROM into_day.other);"
	"INSERT OR REPLACE INTO into_day.meta SELECT 'first_us', coalesce(min(rx_us), 0) FROM"
	"  (SELECT rx_us FROM into_day.conn UNION ALL SELECT rx_us FROM into_day.attempt UNION ALL"
	"  SELECT rx_us FROM into_day.stat UNION ALL SELECT rx_us FROM into_day.other);"
	"INSERT OR REPLACE INTO into_day.meta SELECT 'last_us', coalesce(max(rx_us), 0) FROM"
	"  (SELECT rx_us FROM into_day.conn UNION ALL SELECT rx_us FROM into_day.attempt UNION ALL"
	"  SELECT rx_us FROM into_day.stat UNION ALL SELECT rx_us FROM into_day.other);"
	"COMMIT;";

static const char finish[] =
	"DROP TABLE conn; DROP TABLE attempt; DROP TABLE stat; DROP TABLE other;"
	"INSERT OR IGNORE INTO sensor (name) SELECT DISTINCT sensor FROM run;"
	/* Whose these were is not known. */
	"INSERT INTO rollup SELECT span, at, dst_ip, dst_port, proto, 0, conns, failed, syn_retrans, rtt_min,"
	"  rtt_max, last_us, hist FROM rollup_2;"
	"INSERT INTO minute SELECT * FROM minute_2;"
	"DROP TABLE rollup_2; DROP TABLE minute_2;"
	"PRAGMA user_version = 3; COMMIT";

static int
copy_day(sqlite3 *db, const char *database, int64_t day)
{
	char path[DBFILE_PATH_MAX], *sql;
	int r = days_make(database, day), e;

	if (r)
		return r;
	days_path(path, sizeof path, database, day);
	sql = sqlite3_mprintf("ATTACH %Q AS into_day; DELETE FROM temp.day; INSERT INTO temp.day VALUES (%lld)", path,
			      (long long)(day * DAYS_US));
	r = sql ? dbfile_exec(db, sql) : SQLITE_NOMEM;
	sqlite3_free(sql);
	if (!r)
		r = dbfile_exec(db, copy);
	if (r && !sqlite3_get_autocommit(db))
		dbfile_exec(db, "ROLLBACK");
	e = dbfile_exec(db, "DETACH into_day");
	return r ? r : e;
}

/* The days that there are reports of. */
static int
copy_days(sqlite3 *db, const char *database)
{
	sqlite3_stmt *stmt = NULL;
	int r, n = 0;

	r = dbfile_exec(db, "CREATE TEMP TABLE day (value INTEGER); CREATE TEMP TABLE todo AS "
			    "SELECT rx_us / 86400000000 AS day FROM conn UNION SELECT rx_us / 86400000000 FROM attempt "
			    "UNION SELECT rx_us / 86400000000 FROM stat UNION SELECT rx_us / 86400000000 FROM other");
	while (!r) {
		int64_t day = -1;

		r = sqlite3_prepare_v2(db, "SELECT day FROM temp.todo ORDER BY day LIMIT 1 OFFSET ?1", -1, &stmt, NULL);
		if (r)
			break;
		sqlite3_bind_int(stmt, 1, n++);
		r = sqlite3_step(stmt);
		if (r == SQLITE_ROW)
			day = sqlite3_column_int64(stmt, 0);
		sqlite3_finalize(stmt);
		if (r != SQLITE_ROW)
			return r == SQLITE_DONE ? SQLITE_OK : r;
		r = copy_day(db, database, day);
	}
	return r;
}

int
upgrade(sqlite3 *db, const char *database, int64_t format)
{
	int r = SQLITE_OK;

	log_info("database %s is of format %lld: its reports move into %s.d, a file a day", database, (long long)format,
		 database);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 1);
	if (format == 1) {
		r = dbfile_exec(db, "BEGIN IMMEDIATE");
		if (!r)
			r = dbfile_exec(db, paths_schema);
		if (!r)
			r = dbfile_exec(db, "PRAGMA user_version = 2; COMMIT");
	}
	if (!r)
		r = copy_days(db, database);
	if (!r)
		r = dbfile_exec(db, "BEGIN IMMEDIATE; ALTER TABLE rollup RENAME TO rollup_2;"
				    "ALTER TABLE minute RENAME TO minute_2");
	if (!r)
		r = dbfile_exec(db, rollup_schema);
	if (!r)
		r = dbfile_exec(db, runs_schema_sensor);
	if (!r)
		r = dbfile_exec(db, finish);
	/* Once, and never again: what is left is small, and the file gives back what the reports took. */
	if (!r)
		r = dbfile_exec(db, "VACUUM");
	if (!r)
		log_info("database %s: done", database);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	return r;
}
