/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * upgrade.c - formats 1 (without paths.c) and 2 (reports in the main file) to 3 (days.c, rollups by sensor), that
 * to 5 (rollups of days, of attempts, and of both halves of round trips), and 4 (without the outcomes unreachable, aborted
 * and orphan of a destination) too.
 *
 * The main file says format 2 until all days are written; a file of a day that is there by then is of an
 * upgrade that was broken off, and made again.
 */
#include "upgrade.h"

#include <stdio.h>
#include <unistd.h>

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

/* As format 3 had them. */
static const char rollup_schema_3[] =
	"CREATE TABLE rollup ("
	"  span INTEGER, at INTEGER, dst_ip TEXT, dst_port INTEGER, proto INTEGER, sensor INTEGER,"
	"  conns INTEGER NOT NULL, failed INTEGER NOT NULL, syn_retrans INTEGER NOT NULL,"
	"  rtt_min INTEGER, rtt_max INTEGER, last_us INTEGER NOT NULL, hist BLOB,"
	"  PRIMARY KEY (span, at, dst_ip, dst_port, proto, sensor)) WITHOUT ROWID;"
	"CREATE TABLE minute ("
	"  at INTEGER PRIMARY KEY, established INTEGER NOT NULL, answered INTEGER NOT NULL,"
	"  refused INTEGER NOT NULL, timeout INTEGER NOT NULL, other INTEGER NOT NULL,"
	"  attempts INTEGER NOT NULL, rtt_min INTEGER, rtt_max INTEGER, hist BLOB);";

static const char finish_3[] =
	"DROP TABLE conn; DROP TABLE attempt; DROP TABLE stat; DROP TABLE other;"
	"INSERT OR IGNORE INTO sensor (name) SELECT DISTINCT sensor FROM run;"
	/* Whose these were is not known. */
	"INSERT INTO rollup SELECT span, at, dst_ip, dst_port, proto, 0, conns, failed, syn_retrans, rtt_min,"
	"  rtt_max, last_us, hist FROM rollup_2;"
	"INSERT INTO minute SELECT * FROM minute_2;"
	"DROP TABLE rollup_2; DROP TABLE minute_2;"
	"PRAGMA user_version = 3; COMMIT";

#define MINUTES_TO(span) \
	"INSERT INTO total SELECT " span ", at / " span " * " span ", 0, sum(established), sum(answered), sum(refused), sum(timeout)," \
	"  sum(other), 0, 0, 0, sum(attempts), min(rtt_min), max(rtt_max), rtt_sum(hist), NULL, NULL, NULL FROM minute_3" \
	"  GROUP BY at / " span ";"
/* Hours had the running minute in them: all that is there is folded. */
static const char finish_5[] =
	/* How they failed is not known of them: more failed than the outcomes add up to. */
	"INSERT INTO rollup SELECT *, NULL, NULL, NULL, 0, 0, 0, 0, 0, 0 FROM rollup_3;"
	"INSERT INTO rollup SELECT 86400, at / 86400 * 86400, dst_ip, dst_port, proto, sensor, sum(conns), sum(failed),"
	"  sum(syn_retrans), min(rtt_min), max(rtt_max), max(last_us), rtt_sum(hist), NULL, NULL, NULL, 0, 0, 0, 0, 0, 0 FROM rollup_3"
	"  WHERE span = 3600 GROUP BY at / 86400, dst_ip, dst_port, proto, sensor;"
	MINUTES_TO("60") MINUTES_TO("3600") MINUTES_TO("86400")
	"UPDATE meta SET value = coalesce((SELECT max(at) + 60 FROM minute_3), 0) WHERE key = 'folded';"
	"INSERT INTO knock SELECT * FROM knock_3; INSERT INTO door SELECT * FROM door_3;"
	"DROP TABLE rollup_3; DROP TABLE minute_3; DROP TABLE knock_3; DROP TABLE door_3;"
	"PRAGMA user_version = 5; COMMIT";

/* Nothing is written but the schema.  Of the rows that are there, failures that are neither refused nor timeout stay
 * without an outcome. */
static const char from_4[] =
	"BEGIN IMMEDIATE;"
	"ALTER TABLE rollup ADD COLUMN unreachable INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE rollup ADD COLUMN aborted INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE rollup ADD COLUMN orphan INTEGER NOT NULL DEFAULT 0;"
	"PRAGMA user_version = 5; COMMIT";

#define KNOCKS(span) \
	"INSERT OR IGNORE INTO main.sensor (name) SELECT DISTINCT sensor FROM from_day.attempt;" \
	"INSERT INTO main.knock SELECT " span ", at_us / 1000000 / " span " * " span ", src_ip, s.id," \
	"  sum(count * (verdict IS 0)), sum(count * (verdict IS 1)), sum(count * (verdict IS 2))," \
	"  sum(count * (verdict IS NULL OR verdict > 2)), max(kind), min(first_us), max(at_us), few_sum(few_ports(ports))," \
	"  max(coalesce(dst_ports_n, 0)), few_sum(few_of(dst_ip)), max(coalesce(dst_ips_n, 0))" \
	"  FROM from_day.attempt a JOIN main.sensor s ON s.name = a.sensor GROUP BY at_us / 1000000 / " span ", src_ip, s.id" \
	"  ON CONFLICT (span, at, src_ip, sensor) DO UPDATE SET accepted = accepted + excluded.accepted," \
	"  dropped = dropped + excluded.dropped, rejected = rejected + excluded.rejected, unknown = unknown + excluded.unknown," \
	"  last_us = max(last_us, excluded.last_us), ports = few_plus(ports, excluded.ports), ips = few_plus(ips, excluded.ips);"
#define DOORS(span) \
	"INSERT INTO main.door SELECT " span ", at_us / 1000000 / " span " * " span ", p.value, s.id, sum(n * (verdict IS 0))," \
	"  sum(n * (verdict IS 1)), sum(n * (verdict IS 2)), sum(n * (verdict IS NULL OR verdict > 2)) FROM" \
	"  (SELECT at_us, sensor, verdict, count / max(1, length(ports) / 2) AS n, coalesce(json -> '$.dst_ports'," \
	"    json_array(json -> '$.dst_port')) AS list FROM from_day.attempt) a" \
	"  JOIN main.sensor s ON s.name = a.sensor, json_each(list) p WHERE p.value IS NOT NULL" \
	"  GROUP BY at_us / 1000000 / " span ", p.value, s.id ON CONFLICT (span, at, port, sensor) DO UPDATE SET" \
	"  accepted = accepted + excluded.accepted, dropped = dropped + excluded.dropped," \
	"  rejected = rejected + excluded.rejected, unknown = unknown + excluded.unknown;"
static const char knocks[] = KNOCKS("60") KNOCKS("3600") KNOCKS("86400") DOORS("60") DOORS("3600") DOORS("86400");

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

static int
from_1_or_2(sqlite3 *db, const char *database, int64_t format)
{
	int r = SQLITE_OK;

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
		r = dbfile_exec(db, rollup_schema_3);
	if (!r)
		r = dbfile_exec(db, runs_schema_sensor);
	if (!r)
		r = dbfile_exec(db, finish_3);
	/* Once, and never again: what is left is small, and the file gives back what the reports took. */
	return r ? r : dbfile_exec(db, "VACUUM");
}

/* Attempts of a day, by source; a day that cannot be read has none. */
static int
count_knocks(sqlite3 *db, const char *database, int64_t day)
{
	char path[DBFILE_PATH_MAX], *sql;
	int r, e;

	days_path(path, sizeof path, database, day);
	if (access(path, R_OK))
		return SQLITE_OK;
	sql = sqlite3_mprintf("ATTACH %Q AS from_day", path);
	r = sql ? dbfile_exec(db, sql) : SQLITE_NOMEM;
	sqlite3_free(sql);
	if (!r)
		r = dbfile_exec(db, "BEGIN IMMEDIATE");
	if (!r)
		r = dbfile_exec(db, knocks);
	if (!r)
		r = dbfile_exec(db, "COMMIT");
	if (r)
		log_warn("database %s: attempts are not counted again: %s", path, sqlite3_errmsg(db));
	if (!sqlite3_get_autocommit(db))
		dbfile_exec(db, "ROLLBACK");
	e = dbfile_exec(db, "DETACH from_day");
	return e;
}

static int
from_3(sqlite3 *db, const char *database)
{
	int64_t from = 0, until = 0;
	int r;

	r = dbfile_int(db, "SELECT coalesce(min(at), 0) FROM minute", &from);
	if (!r)
		r = dbfile_int(db, "SELECT coalesce(max(at), -1) FROM minute", &until);
	if (!r)
		r = dbfile_exec(db, "DROP TABLE IF EXISTS knock; DROP TABLE IF EXISTS door"); /* of an upgrade that was broken off */
	if (!r)
		r = dbfile_exec(db, rollup_schema_knock);
	/* By day of receipt, which is that of the report or one of the next. */
	for (int64_t day = from / 86400; day <= until / 86400 + 7 && !r; day++)
		r = count_knocks(db, database, day);
	if (!r)
		r = dbfile_exec(db, "BEGIN IMMEDIATE; ALTER TABLE rollup RENAME TO rollup_3;"
				    "ALTER TABLE minute RENAME TO minute_3; ALTER TABLE knock RENAME TO knock_3;"
				    "ALTER TABLE door RENAME TO door_3");
	if (!r)
		r = dbfile_exec(db, rollup_schema);
	return r ? r : dbfile_exec(db, finish_5);
}

int
upgrade(sqlite3 *db, const char *database, int64_t format)
{
	int r = SQLITE_OK;

	log_info("database %s is of format %lld: it becomes one of format 5, with its reports in %s.d, a file a day", database,
		 (long long)format, database);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 1);
	if (format < 3)
		r = from_1_or_2(db, database, format);
	if (!r)
		r = format < 4 ? from_3(db, database) : dbfile_exec(db, from_4);
	if (!r)
		log_info("database %s: done", database);
	sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
	return r;
}
