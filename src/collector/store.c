/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * store.c - opening, a batch's transaction over the files, retention, and what to do when a file is damaged.
 *
 * A report gets the next number of one sequence for all types; pages and event stream go by it.  Whether it
 * was stored before is asked of seqs.c, not of the rows, so that a resend that arrives after its rows were
 * removed still counts nothing twice.  The main file's last number says how far it went: reports with a
 * higher one are those it lacks.
 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "column.h"
#include "dbfile.h"
#include "lib/log.h"
#include "minmax.h"
#include "rollup.h"
#include "runs.h"
#include "upgrade.h"
#include "validate.h"

/* 1: without paths.c; 2: reports in the main file; 3: no days, no halves of round trips; 4: not all outcomes by destination */
#define FORMAT 5
#define CHECK_BYTES (64 << 20) /* about half a second */
#define CACHE_KIB 8192
#define TRIM_ROWS 500
#define TRIM_REFUSED 100 /* steps at once when there was no room */
#define TRIM_STEP 10 /* minutes, hours or days that go at once for their age */
#define CATCH_UP_ROWS 10000 /* in one transaction */
/* Of max_bytes: where rollups and paths give way, and where they meet a wall.  Behind that of a batch there is a
 * reserve in which retention works; a batch leaves as much again for what is no rollup. */
#define MAIN_SHARE 5
#define MAIN_WALL 4
#define MAIN_RESERVE 64
/* What is freed beyond the limit when a batch found no place. */
#define BATCH_SHARE 4
/* Rows of a minute that stay its own when there is no room: one for so many bytes of max_bytes. */
#define SQUEEZE_BYTES 65536
#define SQUEEZE_ROOM 16 /* and at least one for so many rows that there is room for */
#define MINUTES_SHOWN_S 7260 /* window.c asks minutes alone for up to two hours */

static const char schema_meta[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES ('last_id', 0);";

struct store {
	sqlite3 *db;
	sqlite3_stmt *set_last_id;
	struct runs runs;
	struct rollup rollup;
	struct paths paths;
	struct addrinfo_table addrs;
	struct days *days;
	sqlite3 *damaged;     /* store_blame() */
	char *path;
	int lock_fd;
	struct store_limits limits;
	int64_t last_id;      /* numbers given out, those of this batch too */
	int64_t committed_id;
	int behind;           /* the main file lacks reports that the days have */
	int64_t gaps;         /* of a run that are remembered */
	int refused;          /* the last batch found no room */
	int64_t removed;      /* reports */
	int64_t rollups_removed, said_rollups;
	int64_t short_first_us, short_last_us, short_n; /* of store_sizes, and the sum of what grew */
	int64_t lost_s[2];    /* totals of minutes, and of hours, were removed up to here */
	unsigned aside;       /* main files that were moved aside */
	struct log_limit said;
	int64_t now_us;       /* as last told */
};

/* `db` is a file of a day, or the main one. */
static int
failed(struct store *s, sqlite3 *db, int code)
{
	int r = dbfile_error(db, code);

	s->refused |= r == -ENOSPC;
	if (r)
		log_debug("database: %s (%d)", db ? sqlite3_errmsg(db) : sqlite3_errstr(code), code);
	if (r == -EUCLEAN)
		store_blame(s, db);
	return r;
}

static int
failed_main(struct store *s, int code)
{
	return failed(s, s->db, code);
}

void
store_blame(struct store *s, sqlite3 *db)
{
	s->damaged = db;
}

/* ---- opening ---- */

/* The main file may grow so far, and rollups into what is left of that. */
static void
limit_main(struct store *s, int64_t bytes)
{
	dbfile_set_max(s->db, bytes);
	rollup_room(&s->rollup, bytes - s->limits.max_bytes / MAIN_RESERVE - dbfile_bytes(s->db));
}

static int64_t
batch_wall(const struct store *s)
{
	return s->limits.max_bytes / MAIN_WALL - s->limits.max_bytes / MAIN_RESERVE;
}

static void
apply_limits(struct store *s)
{
	paths_limit(&s->paths, s->limits.max_bytes);
	addrinfo_limit(&s->addrs, s->limits.max_bytes);
	/* Behind retention, which goes in steps, walls: together a quarter above the limit. */
	if (s->db)
		limit_main(s, batch_wall(s));
	if (s->days)
		days_limit(s->days, s->limits.max_bytes);
}

static int
make_main(sqlite3 *db)
{
	char *more = sqlite3_mprintf("%s%s%s", runs_schema, rollup_schema, paths_schema);
	int r = more ? dbfile_make(db, STORE_APPLICATION, FORMAT, schema_meta, more) : SQLITE_NOMEM;

	sqlite3_free(more);
	return r;
}

static int
open_main(struct store *s)
{
	int64_t format;
	int r = dbfile_open(&s->db, s->path, STORE_APPLICATION, FORMAT, &format);

	if (!r)
		r = format ? dbfile_check(s->db, CHECK_BYTES) : make_main(s->db);
	if (!r)
		r = column_functions(s->db);
	if (!r && format && format < FORMAT)
		r = upgrade(s->db, s->path, format);
	if (!r)
		r = dbfile_tune(s->db, CACHE_KIB, 0, s->limits.max_bytes);
	if (!r)
		r = sqlite3_prepare_v3(s->db, "UPDATE meta SET value = ?1 WHERE key = 'last_id'", -1,
				       SQLITE_PREPARE_PERSISTENT, &s->set_last_id, NULL);
	if (!r)
		r = runs_open(&s->runs, s->db);
	s->runs.seqs.max = s->gaps;
	if (!r)
		r = rollup_open(&s->rollup, s->db);
	if (!r)
		r = paths_open(&s->paths, s->db);
	if (!r)
		r = addrinfo_open(&s->addrs, s->db);
	if (!r)
		r = dbfile_int(s->db, "SELECT value FROM meta WHERE key = 'last_id'", &s->last_id);
	if (!r)
		r = dbfile_int(s->db, "SELECT value FROM meta WHERE key = 'lost_60'", &s->lost_s[0]);
	if (!r)
		r = dbfile_int(s->db, "SELECT value FROM meta WHERE key = 'lost_3600'", &s->lost_s[1]);
	s->committed_id = s->last_id;
	return r;
}

static void
close_main(struct store *s)
{
	runs_close(&s->runs);
	rollup_close(&s->rollup);
	paths_close(&s->paths);
	addrinfo_close(&s->addrs);
	sqlite3_finalize(s->set_last_id);
	s->set_last_id = NULL;
	if (s->db && sqlite3_close(s->db))
		log_error("database: not closed: %s", sqlite3_errmsg(s->db));
	s->db = NULL;
}

/* So that two collectors never write one file.  flock() and SQLite's own locks do not meet. */
static int
lock_file(struct store *s)
{
	if (!strcmp(s->path, ":memory:"))
		return 0;
	s->lock_fd = open(s->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (s->lock_fd < 0)
		return -errno;
	return flock(s->lock_fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}

static void
unlock_file(struct store *s)
{
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	s->lock_fd = -1;
}

static int
renew_main(struct store *s)
{
	int r;

	close_main(s);
	unlock_file(s); /* closing it drops SQLite's locks as well: not before close_main() */
	r = strcmp(s->path, ":memory:") ? dbfile_aside(s->path, s->now_us) : 0;
	if (!r)
		r = lock_file(s);
	if (r)
		log_error("database %s: damaged, and %s", s->path, strerror(-r));
	else
		s->aside++;
	return r;
}

static int
open_or_renew_main(struct store *s)
{
	int r = open_main(s), e;

	if (dbfile_error(s->db, r) == -EUCLEAN) {
		e = renew_main(s);
		if (e)
			return e;
		r = open_main(s);
	}
	if (r == SQLITE_AUTH)
		log_error("database %s is none of net-gazer-collector, or of another version: name "
			  "another file with `database`", s->path);
	else if (r)
		log_error("database %s: %s", s->path, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(r));
	return dbfile_error(s->db, r);
}

/* An empty file beside days: it has lost what it had. */
static int
lost_main(const char *path)
{
	struct stat st;

	return !stat(path, &st) && !st.st_size && days_any(path);
}

static int catch_up(struct store *);

int
store_open(struct store **out, const char *path, const struct store_limits *limits, int64_t now_us)
{
	struct store *s = calloc(1, sizeof *s);
	int r = -ENOMEM, lost;

	*out = NULL;
	if (!s)
		return r;
	s->lock_fd = -1;
	s->limits = *limits;
	s->now_us = now_us;
	s->gaps = SEQS_INTERVALS_MAX;
	s->path = strdup(path);
	if (!s->path)
		goto out;
	lost = lost_main(path);
	r = lock_file(s);
	if (r == -EWOULDBLOCK)
		log_error("database %s is in use by another net-gazer-collector", path);
	else if (r)
		log_error("database %s: %s", path, strerror(-r));
	s->aside = dbfile_count_aside(path);
	if (!r && lost)
		r = renew_main(s);
	if (!r)
		r = open_or_renew_main(s);
	if (!r)
		r = days_open(&s->days, path, now_us);
	if (!r) {
		apply_limits(s);
		s->behind = days_last_id(s->days) > s->committed_id;
		r = catch_up(s);
	}
out:
	if (r) {
		store_close(s);
		return r;
	}
	*out = s;
	return 0;
}

void
store_close(struct store *s)
{
	if (!s)
		return;
	days_close(s->days);
	if (s->db)
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	close_main(s);
	unlock_file(s);
	free(s->path);
	free(s);
}

int
store_recover(struct store *s, int64_t now_us)
{
	sqlite3 *damaged = s->damaged;
	int r;

	s->damaged = NULL;
	s->now_us = now_us;
	store_rollback(s);
	if (days_has(s->days, damaged)) {
		r = days_aside(s->days, damaged, now_us);
		if (r)
			log_error("database %s: a file of a day is damaged, and %s", s->path, strerror(-r));
		return r;
	}
	r = renew_main(s);
	if (!r)
		r = open_or_renew_main(s);
	if (r)
		return r;
	apply_limits(s);
	s->behind = 1;
	return catch_up(s);
}

void
store_set_limits(struct store *s, const struct store_limits *limits)
{
	s->limits = *limits;
	apply_limits(s);
}

/* Of max_bytes: one gap for so many. */
#define GAP_BYTES 512

static void
remember_gaps(struct store *s)
{
	s->runs.seqs.max = s->limits.max_bytes / GAP_BYTES;
}

void
store_import(struct store *s)
{
	remember_gaps(s);
	s->gaps = s->runs.seqs.max;
}

struct store_limits
store_limits(const struct store *s)
{
	return s->limits;
}

sqlite3 *
store_db(struct store *s)
{
	return s->db;
}

struct days *
store_days(struct store *s)
{
	return s->days;
}

const struct paths_counts *
store_paths(struct store *s)
{
	return &s->paths.committed;
}

struct addrinfo_table *
store_addrs(struct store *s)
{
	return &s->addrs;
}

int64_t
store_folded(struct store *s)
{
	return rollup_folded(&s->rollup);
}

int64_t
store_lost(const struct store *s, int span)
{
	return s->lost_s[span == 3600];
}

int64_t
store_stored(struct store *s, int64_t run, int64_t first)
{
	return seqs_stored(&s->runs.seqs, run, first);
}

/* ---- a batch ---- */

static int64_t
at_of(const struct report *rep, int64_t rx_us)
{
	return days_at_us(rep->type == REPORT_ATTEMPT ? rep->last_ts_us : rep->ts_us, rx_us);
}

static int64_t
weight_of(const struct report *rep)
{
	if (rep->type == REPORT_ATTEMPT) /* 2^32 of them in a report is more than any line carries in a minute */
		return rep->count > UINT32_MAX ? UINT32_MAX : rep->count;
	if (rep->sample_n < 1)
		return 1;
	return rep->sample_n > STORE_WEIGHT_MAX ? STORE_WEIGHT_MAX : rep->sample_n;
}

/* What the main file keeps of a report that is new to it.  1: it was new; 0: it was there; or an error. */
static int
take(struct store *s, const struct report *rep, int64_t rx_us)
{
	int64_t at_us = at_of(rep, rx_us);
	int r = runs_take(&s->runs, rep, rx_us);

	if (r <= 0)
		return r ? failed_main(s, -r) : 0;
	r = runs_count(&s->runs, rep);
	if (!r && (rep->type == REPORT_CONN || rep->type == REPORT_ATTEMPT))
		r = rollup_add(&s->rollup, rep, s->runs.sensor_id, at_us, weight_of(rep));
	if (!r && rep->type == REPORT_TRACE)
		r = paths_add(&s->paths, rep, at_us);
	return r ? failed_main(s, r) : 1;
}

/* Ends the main file's transaction, if it can. */
static int
commit_main(struct store *s)
{
	int r = runs_flush(&s->runs);

	if (!r)
		r = rollup_flush(&s->rollup);
	if (!r)
		r = paths_flush(&s->paths);
	if (!r) {
		sqlite3_bind_int64(s->set_last_id, 1, s->last_id);
		r = sqlite3_step(s->set_last_id);
		sqlite3_reset(s->set_last_id);
		r = r == SQLITE_DONE ? SQLITE_OK : r;
	}
	return r;
}

static void
forget_batch(struct store *s)
{
	runs_forget(&s->runs);
	rollup_forget(&s->rollup);
}

static int
begin_main(struct store *s)
{
	limit_main(s, batch_wall(s));
	return dbfile_exec(s->db, "BEGIN IMMEDIATE");
}

int
store_begin(struct store *s)
{
	int r = catch_up(s);

	if (r)
		return r;
	for (int i = 0; s->refused && i < TRIM_REFUSED && store_trim(s, s->now_us) > 0; i++)
		;
	forget_batch(s);
	return failed_main(s, begin_main(s));
}

int
store_add(struct store *s, const struct report *rep, int64_t rx_us, int64_t *id)
{
	sqlite3 *db = NULL;
	int r = take(s, rep, rx_us);

	if (r <= 0)
		return r;
	*id = ++s->last_id;
	r = days_add(s->days, rep, *id, at_of(rep, rx_us), rx_us, weight_of(rep), &db);
	return r ? failed(s, db, r) : 1;
}

int
store_rewound(const struct store *s, const struct report *rep)
{
	return rep->ts_us > s->runs.newest_us;
}

int
store_commit(struct store *s)
{
	sqlite3 *db = NULL;
	int r = failed_main(s, commit_main(s));

	if (!r) {
		/* If only some days take it, or the main file does not, these reports are here all the same,
		 * and this is what finds them. */
		s->behind = 1;
		r = days_commit(s->days, &db);
		r = failed(s, db, r);
		if (days_last_id(s->days) <= s->committed_id)
			s->behind = 0;
		else
			s->committed_id = days_last_id(s->days);
	}
	if (!r)
		r = failed_main(s, dbfile_exec(s->db, "COMMIT"));
	if (r) {
		store_rollback(s);
		return r;
	}
	s->behind = s->refused = 0;
	s->committed_id = s->last_id;
	paths_committed(&s->paths);
	return 0;
}

void
store_rollback(struct store *s)
{
	if (s->db && !sqlite3_get_autocommit(s->db)) /* some errors have rolled back already */
		dbfile_exec(s->db, "ROLLBACK");
	days_rollback(s->days);
	forget_batch(s);
	paths_rolled_back(&s->paths);
	s->last_id = s->committed_id;
}

/* ---- room in the main file ---- */

static int
main_over(struct store *s)
{
	return dbfile_bytes(s->db) > s->limits.max_bytes / MAIN_SHARE;
}

/* The oldest of one span, of destinations, sources and ports. */
static int
trim_span(struct store *s, int span, int64_t before_s, int *more)
{
	int r = SQLITE_OK;

	for (int i = 0; i < ROLLUP_TOTALS && !r; i++)
		r = rollup_trim(&s->rollup, (enum rollup_table)i, span, 1, before_s, more, &s->rollups_removed);
	return r;
}

/* What is too old, in all tables. */
static int
trim_old(struct store *s, int span, int64_t before_s, int *more)
{
	int64_t of_age = 0;
	int r = SQLITE_OK;

	for (int i = 0; i < ROLLUP_TABLES && !r; i++)
		r = rollup_trim(&s->rollup, (enum rollup_table)i, span, TRIM_STEP, before_s, more, &of_age);
	return r;
}

/* The oldest totals of one span, which windows then have in the next longer one. */
static int
trim_totals(struct store *s, int span, int64_t before_s, int *more)
{
	int64_t at_s;
	char text[100];
	int r = rollup_oldest(&s->rollup, span, &at_s);

	if (r || at_s >= before_s)
		return r;
	r = rollup_trim(&s->rollup, ROLLUP_TOTALS, span, 1, before_s, more, &s->rollups_removed);
	if (r || span == 86400)
		return r;
	s->lost_s[span == 3600] = at_s + span;
	snprintf(text, sizeof text, "INSERT OR REPLACE INTO meta VALUES ('lost_%d', %lld)", span, (long long)at_s + span);
	return dbfile_exec(s->db, text);
}

/* The busiest of minutes, hours and days that are not cut yet stay, the others count with the rest; in minutes that
 * are of no window alone, all do. */
static int
squeeze(struct store *s, int64_t now_s, int *more)
{
	int64_t shown_s = least(now_s - MINUTES_SHOWN_S, rollup_folded(&s->rollup));
	int64_t keep = greatest(s->limits.max_bytes / SQUEEZE_BYTES, s->rollup.room / SQUEEZE_ROOM), hours_s, days_s;
	int r = rollup_squeeze(&s->rollup, 60, 0, shown_s, 0, more);

	if (!r && !*more)
		r = rollup_squeeze(&s->rollup, 60, shown_s, INT64_MAX, keep, more);
	if (!r)
		r = rollup_uncut(&s->rollup, 3600, &hours_s);
	if (!r && !*more)
		r = rollup_squeeze(&s->rollup, 3600, hours_s, INT64_MAX, least(keep, ROLLUP_HOUR_ROWS), more);
	if (!r)
		r = rollup_uncut(&s->rollup, 86400, &days_s);
	if (!r && !*more)
		r = rollup_squeeze(&s->rollup, 86400, days_s, INT64_MAX, least(keep, ROLLUP_DAY_ROWS), more);
	return r;
}

/* When that is not enough: from what is missed least to the totals, which are the last to go. */
static int
thin(struct store *s, int64_t now_s, int *more)
{
	int64_t folded_s = rollup_folded(&s->rollup), shown_s = least(now_s - MINUTES_SHOWN_S, folded_s);
	int64_t hour_s = least(now_s, folded_s) / 3600 * 3600, day_s = least(now_s, folded_s) / 86400 * 86400;
	int r = trim_span(s, 60, shown_s, more);

	if (!r && !*more)
		r = rollup_squeeze(&s->rollup, 60, 0, folded_s, 0, more);
	if (!r && !*more)
		r = trim_span(s, 3600, hour_s, more);
	if (!r && !*more)
		r = trim_span(s, 86400, day_s, more);
	if (!r && !*more)
		r = paths_trim(&s->paths, more);
	for (int span = 60; span <= 86400 && !r && !*more; span = span == 60 ? 3600 : span * 24)
		r = rollup_squeeze(&s->rollup, span, 0, INT64_MAX, 0, more);
	if (!r && !*more)
		r = trim_span(s, 60, folded_s, more);
	if (!r && !*more)
		r = trim_totals(s, 60, folded_s, more);
	if (!r && !*more)
		r = trim_totals(s, 3600, day_s, more);
	if (!r && !*more)
		r = trim_totals(s, 86400, day_s, more);
	return r;
}

/* Rollups: the minutes that are over, what is too old, what is too much of an hour or a day. */
static int
trim_rollups(struct store *s, int64_t now_s, int *more)
{
	int64_t folded_s = rollup_folded(&s->rollup);
	int r = rollup_fold(&s->rollup, now_s / 60 * 60);

	*more |= s->rollup.held && rollup_folded(&s->rollup) > folded_s;
	if (!r)
		r = trim_old(s, 60, least(now_s - STORE_MINUTES_KEPT_S, rollup_folded(&s->rollup)), more);
	if (!r)
		r = trim_old(s, 3600, now_s - s->limits.days * 86400, more);
	if (!r)
		r = trim_old(s, 86400, now_s - STORE_DAYS_KEPT_S, more);
	if (!r)
		r = rollup_cut(&s->rollup, 3600, more);
	return r ? r : rollup_cut(&s->rollup, 86400, more);
}

/* A step.  1: there is more to do; 0: all limits hold; or an error. */
static int
trim_main(struct store *s, int64_t now_s, int over)
{
	int more = 0, r;

	rollup_forget(&s->rollup);
	limit_main(s, s->limits.max_bytes / MAIN_WALL);
	r = dbfile_exec(s->db, "BEGIN IMMEDIATE");
	if (!r && over)
		r = squeeze(s, now_s, &more);
	if (!r && !more)
		r = trim_rollups(s, now_s, &more);
	if (!r && !more && !over && s->rollup.held)
		r = squeeze(s, now_s, &more);
	if (!r && !more && (over || s->rollup.held))
		r = thin(s, now_s, &more);
	if (!r)
		r = paths_flush(&s->paths);
	if (!r)
		r = dbfile_exec(s->db, "COMMIT");
	if (r) {
		store_rollback(s);
		return failed_main(s, r);
	}
	paths_committed(&s->paths);
	return more;
}

/* ---- what the main file lacks ---- */

struct lack {
	struct validate *validate;
	struct report report;
	int64_t after;   /* number of the last report that the main file has */
	int64_t n, in_batch;
};

static int
end_batch(struct store *s, struct lack *l, int begin)
{
	int r = commit_main(s);

	if (!r)
		r = dbfile_exec(s->db, "COMMIT");
	if (r)
		return failed_main(s, r);
	paths_committed(&s->paths);
	forget_batch(s);
	l->in_batch = 0;
	if (!begin)
		return 0;
	do
		r = main_over(s) ? trim_main(s, s->now_us / 1000000, 1) : 0;
	while (r > 0);
	return r ? r : failed_main(s, begin_main(s));
}

/* In the order in which they came: a type alone is full of gaps.  What was imported may have come by type. */
static const char lacking[] =
	"SELECT id, rx_us, json FROM conn WHERE id > ?1 UNION ALL SELECT id, rx_us, json FROM attempt WHERE id > ?1 "
	"UNION ALL SELECT id, rx_us, json FROM stat WHERE id > ?1 "
	"UNION ALL SELECT id, rx_us, json FROM other WHERE id > ?1 ORDER BY id";

static int
catch_up_day(struct store *s, struct lack *l, size_t i)
{
	sqlite3_stmt *stmt = NULL;
	sqlite3 *db;
	int r, e = 0;

	db = days_db(s->days, i, &r);
	if (!r)
		r = sqlite3_prepare_v2(db, lacking, -1, &stmt, NULL);
	if (!r) {
		sqlite3_bind_int64(stmt, 1, l->after);
		r = sqlite3_step(stmt);
	}
	while (r == SQLITE_ROW) {
		const char *json = (const char *)sqlite3_column_text(stmt, 2);

		if (json && !validate_line(l->validate, json, (size_t)sqlite3_column_bytes(stmt, 2), &l->report))
			e = take(s, &l->report, sqlite3_column_int64(stmt, 1));
		l->n++;
		if (e >= 0)
			e = ++l->in_batch >= CATCH_UP_ROWS ? end_batch(s, l, 1) : 0;
		if (e < 0)
			break;
		r = sqlite3_step(stmt);
	}
	sqlite3_finalize(stmt);
	return e < 0 ? e : failed(s, db, r);
}

/* Reports of the days that the main file has not seen, as after a crash between the two commits, or all of
 * them when it is new.  seqs.c knows those that it has seen, so it may begin again at any time. */
static int
catch_up(struct store *s)
{
	struct lack l;
	int r;

	if (!s->behind)
		return 0;
	l = (struct lack){ .validate = validate_new() };
	if (!l.validate)
		return -ENOMEM;
	remember_gaps(s);
	s->last_id = 0;
	r = failed_main(s, dbfile_int(s->db, "SELECT value FROM meta WHERE key = 'last_id'", &l.after));
	s->last_id = l.after;
	if (!r)
		r = failed_main(s, begin_main(s));
	for (size_t i = 0; i < days_n(s->days) && !r; i++) {
		if (days_at(s->days, i)->last_id <= l.after)
			continue;
		r = catch_up_day(s, &l, i);
		if (r == -EUCLEAN && days_has(s->days, s->damaged)) {
			r = days_aside(s->days, s->damaged, s->now_us);
			s->damaged = NULL;
			i--;
		}
	}
	if (!r) {
		if (days_last_id(s->days) > s->last_id)
			s->last_id = days_last_id(s->days);
		r = end_batch(s, &l, 0);
	}
	validate_free(l.validate);
	s->runs.seqs.max = s->gaps;
	if (r) {
		store_rollback(s);
		return r;
	}
	log_info("database %s: %lld reports of the days were taken into it", s->path, (long long)l.n);
	s->committed_id = s->last_id;
	s->behind = 0;
	return 0;
}

/* ---- retention ---- */

/* The oldest day is over the limit of days. */
static int
aged(const struct store *s, int64_t now_us)
{
	return days_n(s->days) && days_at(s->days, 0)->day <= now_us / DAYS_US - s->limits.days;
}

/* A step of making room among the reports.  1: something went; 0: nothing can; or an error. */
static int
trim_reports(struct store *s, int full, int64_t over, int64_t now_us)
{
	int64_t removed = 0;
	sqlite3 *db = NULL;
	int r = 0;

	if (full || aged(s, now_us))
		r = days_drop_oldest(s->days);
	if (r)
		return r;
	if (full || over > 0)
		r = days_trim(s->days, !full && over < TRIM_ROWS ? over : TRIM_ROWS, &removed, &db);
	return r ? failed(s, db, r) : removed > 0;
}

/* What went before its time: when, and at times a word in the log. */
static void
say_removed(struct store *s, int64_t now_us)
{
	struct store_sizes sizes = store_sizes(s);
	int64_t n = sizes.removed + sizes.rollups_removed + sizes.rollups_merged;
	unsigned left_out;

	if (n != s->short_n) {
		s->short_n = n;
		s->short_last_us = now_us;
		s->short_first_us = s->short_first_us ? s->short_first_us : now_us;
	}
	if (sizes.rollups_removed + sizes.rollups_merged == s->said_rollups ||
	    !log_allowed(&s->said, now_us, 3600000000, &left_out))
		return;
	s->said_rollups = sizes.rollups_removed + sizes.rollups_merged;
	log_warn("max-bytes is too small for so many destinations, sources and ports: %lld of their rows now count with the rest "
		 "of their minute, hour or day, %lld are removed", (long long)sizes.rollups_merged,
		 (long long)sizes.rollups_removed);
}

int
store_trim(struct store *s, int64_t now_us)
{
	struct store_sizes sizes = store_sizes(s);
	int64_t most = s->limits.max_bytes - (s->refused ? s->limits.max_bytes / BATCH_SHARE : 0);
	int full = sizes.bytes > most, due = aged(s, now_us), removed, more;

	s->now_us = now_us;
	days_rest(s->days);
	removed = trim_reports(s, full, sizes.rows - s->limits.max_rows, now_us);
	s->removed += due ? 0 : sizes.rows - days_rows(s->days);
	if (removed < 0)
		return removed;
	more = trim_main(s, now_us / 1000000, main_over(s) || (full && !removed));
	if (more < 0)
		return more;
	say_removed(s, now_us);
	return removed > 0 || more;
}

struct store_sizes
store_sizes(struct store *s)
{
	int64_t in_main = dbfile_bytes(s->db);

	return (struct store_sizes){ .rows = days_rows(s->days), .bytes = in_main + days_bytes(s->days),
				     .main_bytes = in_main, .last_id = s->committed_id,
				     .removed = s->removed, .rollups_removed = s->rollups_removed,
				     .rollups_merged = s->rollup.merged, .short_first_us = s->short_first_us,
				     .short_last_us = s->short_last_us, .damaged = s->aside + days_damaged(s->days) };
}

int64_t
store_last_id(const struct store *s)
{
	return s->committed_id;
}
