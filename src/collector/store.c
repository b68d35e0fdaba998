/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * store.c - the database: tables, a batch's transaction, rollups, retention.
 *
 * A report gets the next number of one sequence for all types; pages, event stream and retention
 * go by it.  Whether it was stored before is asked of seqs.c, not of the rows, so that a resend
 * that arrives after its rows were trimmed still counts nothing twice.  What a batch adds to the
 * rollups is gathered, sorted and merged once a destination: a read and a write for each.
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
#include "lib/json.h"
#include "lib/log.h"
#include "rtt.h"
#include "seqs.h"

#define APPLICATION_ID 0x6e67617a /* "ngaz" */
#define FORMAT 2 /* 1: without paths.c */
#define PAGE_BYTES 4096
#define TRIM_ROWS 500
#define SAMPLES 4096
#define MINUTE_US 60000000LL

static const char schema[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
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
	"  PRIMARY KEY (run, first)) WITHOUT ROWID;"
	"CREATE TABLE conn ("
	"  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
	"  at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL, src_ip TEXT NOT NULL,"
	"  dst_ip TEXT NOT NULL, dst_port INTEGER NOT NULL, state INTEGER NOT NULL,"
	"  weight INTEGER NOT NULL, json TEXT NOT NULL);"
	"CREATE INDEX conn_failed ON conn (at_us, dst_ip, dst_port, state, src_ip, weight)"
	"  WHERE state >= 2;"
	"CREATE TABLE attempt ("
	"  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
	"  at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL, first_us INTEGER NOT NULL,"
	"  src_ip TEXT NOT NULL, dst_ip TEXT, count INTEGER NOT NULL, verdict INTEGER, kind INTEGER,"
	"  ports BLOB, dst_ports_n INTEGER, dst_ips_n INTEGER, json TEXT NOT NULL);"
	"CREATE INDEX attempt_at ON attempt (at_us);"
	"CREATE TABLE stat ("
	"  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
	"  at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL, json TEXT NOT NULL);"
	"CREATE TABLE other ("
	"  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, seq INTEGER NOT NULL,"
	"  type TEXT NOT NULL, at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL, json TEXT NOT NULL);"
	/* span: 60 or 3600 seconds; at: its start, seconds.  hist: rtt_pack(). */
	"CREATE TABLE rollup ("
	"  span INTEGER, at INTEGER, dst_ip TEXT, dst_port INTEGER, proto INTEGER,"
	"  conns INTEGER NOT NULL, failed INTEGER NOT NULL, syn_retrans INTEGER NOT NULL,"
	"  rtt_min INTEGER, rtt_max INTEGER, last_us INTEGER NOT NULL, hist BLOB,"
	"  PRIMARY KEY (span, at, dst_ip, dst_port, proto)) WITHOUT ROWID;"
	"CREATE TABLE minute ("
	"  at INTEGER PRIMARY KEY, established INTEGER NOT NULL, answered INTEGER NOT NULL,"
	"  refused INTEGER NOT NULL, timeout INTEGER NOT NULL, other INTEGER NOT NULL,"
	"  attempts INTEGER NOT NULL, rtt_min INTEGER, rtt_max INTEGER, hist BLOB);"
	"INSERT INTO meta VALUES ('last_id', 0);";

enum stmt {
	S_BEGIN, S_COMMIT, S_ROLLBACK,
	S_RUN_FIND, S_RUN_NEW, S_RUN_UPDATE, S_RUN_STAT, S_RUN_OLDEST, S_RUN_DROP, S_SEQS_DROP,
	S_CONN, S_ATTEMPT, S_STAT, S_OTHER, S_LAST_ID,
	S_ROLLUP_GET, S_ROLLUP_PUT, S_MINUTE_GET, S_MINUTE_PUT,
	S_OLDEST_ID, S_TRIM_CONN, S_TRIM_ATTEMPT, S_TRIM_STAT, S_TRIM_OTHER,
	S_ROLLUP_OLDEST, S_ROLLUP_TRIM, S_MINUTE_TRIM,
	S_PAGES, S_FREE,
	S_N,
};

static const char *const sql[S_N] = {
	[S_BEGIN] = "BEGIN IMMEDIATE",
	[S_COMMIT] = "COMMIT",
	[S_ROLLBACK] = "ROLLBACK",
	[S_RUN_FIND] = "SELECT id, seq_first, coalesce(stat_seq, -1) FROM run "
		       "WHERE sensor = ?1 AND boot = ?2",
	[S_RUN_NEW] = "INSERT INTO run (sensor, boot, first_rx_us, last_rx_us, last_ts_us) "
		      "VALUES (?1, ?2, ?3, ?3, 0)",
	[S_RUN_UPDATE] = "UPDATE run SET last_rx_us = ?2, last_ts_us = max(last_ts_us, ?3), "
			 "seq_max = max(seq_max, ?4), forgotten = forgotten + ?5, conn = conn + ?6, "
			 "quality = quality + ?7, attempt = attempt + ?8, trace = trace + ?9, "
			 "rollup = rollup + ?10, stat = stat + ?11, plugin = plugin + ?12 WHERE id = ?1",
	[S_RUN_STAT] = "UPDATE run SET stat_seq = ?2, stat_rx_us = ?3, stat_json = ?4, "
		       "forgotten = CASE WHEN ?5 > seq_first THEN 0 ELSE forgotten END, "
		       "seq_first = ?5 WHERE id = ?1",
	[S_RUN_OLDEST] = "SELECT id FROM run WHERE (SELECT count(*) FROM run) > ?1 "
			 "ORDER BY last_rx_us LIMIT 1",
	[S_RUN_DROP] = "DELETE FROM run WHERE id = ?1",
	[S_SEQS_DROP] = "DELETE FROM seqs WHERE run = ?1",
	[S_CONN] = "INSERT INTO conn VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[S_ATTEMPT] = "INSERT INTO attempt VALUES "
		      "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
	[S_STAT] = "INSERT INTO stat VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[S_OTHER] = "INSERT INTO other VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
	[S_LAST_ID] = "UPDATE meta SET value = ?1 WHERE key = 'last_id'",
	[S_ROLLUP_GET] = "SELECT conns, failed, syn_retrans, rtt_min, rtt_max, last_us, hist FROM rollup "
			 "WHERE span = ?1 AND at = ?2 AND dst_ip = ?3 AND dst_port = ?4 AND proto = ?5",
	[S_ROLLUP_PUT] = "INSERT OR REPLACE INTO rollup VALUES "
			 "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
	[S_MINUTE_GET] = "SELECT established, answered, refused, timeout, other, attempts, rtt_min, "
			 "rtt_max, hist FROM minute WHERE at = ?1",
	[S_MINUTE_PUT] = "INSERT OR REPLACE INTO minute VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
	[S_OLDEST_ID] = "SELECT min(id) FROM (SELECT min(id) AS id FROM conn UNION ALL "
			"SELECT min(id) FROM attempt UNION ALL SELECT min(id) FROM stat UNION ALL "
			"SELECT min(id) FROM other)",
	[S_TRIM_CONN] = "DELETE FROM conn WHERE id < ?1",
	[S_TRIM_ATTEMPT] = "DELETE FROM attempt WHERE id < ?1",
	[S_TRIM_STAT] = "DELETE FROM stat WHERE id < ?1",
	[S_TRIM_OTHER] = "DELETE FROM other WHERE id < ?1",
	[S_ROLLUP_OLDEST] = "SELECT min(at) FROM rollup WHERE span = ?1",
	[S_ROLLUP_TRIM] = "DELETE FROM rollup WHERE span = ?1 AND at = ?2",
	[S_MINUTE_TRIM] = "DELETE FROM minute WHERE at < ?1",
	[S_PAGES] = "PRAGMA page_count",
	[S_FREE] = "PRAGMA freelist_count",
};

/* What one report adds to the rollups. */
struct sample {
	int64_t minute; /* seconds */
	int64_t at_us;
	int64_t rtt_us; /* -1: unknown */
	int64_t weight; /* attempts: how many */
	int64_t syn_retrans;
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

struct store {
	sqlite3 *db;
	sqlite3_stmt *stmt[S_N];
	struct seqs seqs;
	struct paths paths;
	char *path;
	int lock_fd;
	struct store_limits limits;
	int64_t last_id;   /* numbers given out, those of this batch too */
	int64_t committed_id;
	int64_t rows, batch_rows;
	/* The run at work in this batch. */
	struct {
		int64_t id;    /* 0: none */
		int64_t seq_first, stat_seq;
		int64_t seq_max, last_ts_us, rx_us;
		int64_t types[REPORT_TYPES];
		char sensor[65], boot[9];
	} run;
	struct sample *samples;
	size_t n_samples;
};

int
store_error(sqlite3 *db, int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
	case SQLITE_INTERRUPT:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_IOERR:
		return db && sqlite3_system_errno(db) == ENOSPC ? -ENOSPC : -EIO;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

static int
failed(struct store *s, int code)
{
	int r = store_error(s->db, code);

	if (r)
		log_debug("database: %s (%d)", sqlite3_errmsg(s->db), sqlite3_extended_errcode(s->db));
	return r;
}

/* One step of a statement that gives no row; resets it. */
static int
step(struct store *s, enum stmt i)
{
	int r = sqlite3_step(s->stmt[i]);

	r = r == SQLITE_DONE || r == SQLITE_ROW ? 0 : failed(s, r);
	sqlite3_reset(s->stmt[i]);
	return r;
}

/* A statement of one number, -1 when it is NULL or there is none. */
static int
number(struct store *s, enum stmt i, int64_t *out)
{
	int r = sqlite3_step(s->stmt[i]);

	*out = r == SQLITE_ROW && sqlite3_column_type(s->stmt[i], 0) != SQLITE_NULL
		       ? sqlite3_column_int64(s->stmt[i], 0) : -1;
	r = r == SQLITE_DONE || r == SQLITE_ROW ? 0 : failed(s, r);
	sqlite3_reset(s->stmt[i]);
	return r;
}

/* ---- opening ---- */

static void
apply_limits(struct store *s)
{
	char text[80];

	paths_limit(&s->paths, s->limits.max_bytes);

	/* Behind retention, which goes in steps, a wall: rollups and indexes count too. */
	snprintf(text, sizeof text, "PRAGMA max_page_count = %lld",
		 (long long)(s->limits.max_bytes / PAGE_BYTES + s->limits.max_bytes / PAGE_BYTES / 4));
	sqlite3_exec(s->db, text, NULL, NULL, NULL);
}

static int
past(void *arg)
{
	return --*(int *)arg < 0;
}

static int
exec(struct store *s, const char *text)
{
	return sqlite3_exec(s->db, text, NULL, NULL, NULL);
}

static int
one_int(struct store *s, const char *text, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(s->db, text, -1, &stmt, NULL);

	if (!r) {
		r = sqlite3_step(stmt);
		*out = r == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
		if (r == SQLITE_ROW || r == SQLITE_DONE)
			r = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return r;
}

/* SQLITE_OK, or SQLITE_CORRUPT when a look at the pages finds damage.  A big file is looked at
 * only as far as a second or so goes. */
static int
quick_check(struct store *s)
{
	sqlite3_stmt *stmt = NULL;
	int turns = 20000, r;

	r = sqlite3_prepare_v2(s->db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
	if (r)
		return r;
	sqlite3_progress_handler(s->db, 1000, past, &turns);
	r = sqlite3_step(stmt);
	if (r == SQLITE_ROW)
		r = !strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") ? SQLITE_OK
									       : SQLITE_CORRUPT;
	else if (r == SQLITE_INTERRUPT)
		r = SQLITE_OK;
	sqlite3_progress_handler(s->db, 0, NULL, NULL);
	sqlite3_finalize(stmt);
	return r;
}

/* SQL: rtt_sum(hist), the histograms of a group added up. */
static void
rtt_sum_step(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct rtt *r = sqlite3_aggregate_context(c, sizeof *r);

	(void)n;
	if (r)
		rtt_unpack(r, sqlite3_value_blob(v[0]), (size_t)sqlite3_value_bytes(v[0]));
}

static void
rtt_sum_final(sqlite3_context *c)
{
	const struct rtt *r = sqlite3_aggregate_context(c, 0);
	uint8_t packed[RTT_PACKED];

	if (r && r->n)
		sqlite3_result_blob(c, packed, (int)rtt_pack(r, packed), SQLITE_TRANSIENT);
}

/* From format 1. */
static int
upgrade(struct store *s)
{
	int r = quick_check(s);

	if (!r)
		r = exec(s, "BEGIN IMMEDIATE");
	if (!r)
		r = exec(s, paths_schema);
	if (!r)
		r = exec(s, "PRAGMA user_version = 2; COMMIT");
	return r;
}

static int
open_db(struct store *s)
{
	int64_t id = 0, format = 0;
	int r;

	r = sqlite3_open_v2(s->path, &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
	if (r)
		return r;
	sqlite3_extended_result_codes(s->db, 1);
	sqlite3_busy_timeout(s->db, 2000); /* a person's sqlite3 beside us */
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	r = one_int(s, "PRAGMA application_id", &id);
	if (!r)
		r = one_int(s, "PRAGMA user_version", &format);
	if (!r && !id && !format) {
		int64_t tables = 0;

		r = one_int(s, "SELECT count(*) FROM sqlite_schema", &tables);
		if (!r && tables)
			return SQLITE_AUTH; /* somebody else's database */
		if (!r)
			r = exec(s, "PRAGMA page_size = 4096");
		if (!r)
			r = exec(s, "PRAGMA journal_mode = WAL");
		if (!r)
			r = exec(s, "BEGIN IMMEDIATE");
		if (!r)
			r = exec(s, schema);
		if (!r)
			r = exec(s, paths_schema);
		if (!r)
			r = exec(s, "PRAGMA application_id = 1852268922; PRAGMA user_version = 2");
		if (!r)
			r = exec(s, "COMMIT");
	} else if (!r && id == APPLICATION_ID && format == 1) {
		r = upgrade(s);
	} else if (!r && (id != APPLICATION_ID || format != FORMAT)) {
		return SQLITE_AUTH;
	} else if (!r) {
		r = quick_check(s);
	}
	if (!r)
		r = sqlite3_create_function(s->db, "rtt_sum", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
					    NULL, rtt_sum_step, rtt_sum_final);
	if (!r)
		r = exec(s, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
			    "PRAGMA temp_store = MEMORY; PRAGMA cache_size = -8192;"
			    "PRAGMA journal_size_limit = 8388608; PRAGMA cell_size_check = ON");
	for (int i = 0; i < S_N && !r; i++)
		r = sqlite3_prepare_v3(s->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &s->stmt[i], NULL);
	if (!r)
		r = seqs_open(&s->seqs, s->db);
	if (!r)
		r = paths_open(&s->paths, s->db);
	if (!r)
		r = one_int(s, "SELECT value FROM meta WHERE key = 'last_id'", &s->last_id);
	if (!r)
		r = one_int(s, "SELECT (SELECT count(*) FROM conn) + (SELECT count(*) FROM attempt) + "
			       "(SELECT count(*) FROM stat) + (SELECT count(*) FROM other)", &s->rows);
	s->committed_id = s->last_id;
	apply_limits(s);
	return r;
}

static void
close_db(struct store *s)
{
	seqs_close(&s->seqs);
	paths_close(&s->paths);
	for (int i = 0; i < S_N; i++) {
		sqlite3_finalize(s->stmt[i]);
		s->stmt[i] = NULL;
	}
	if (s->db && sqlite3_close(s->db))
		log_error("database: not closed: %s", sqlite3_errmsg(s->db));
	s->db = NULL;
}

/* The database, its WAL and its index go aside under one new name. */
static int
move_aside(struct store *s, int64_t now_us)
{
	static const char *const ends[] = { "", "-wal", "-shm" };
	char when[JSON_TIME_LEN + 1], from[4200], to[4300];

	json_time_text(when, now_us);
	when[19] = 0;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		snprintf(from, sizeof from, "%s%s", s->path, ends[i]);
		snprintf(to, sizeof to, "%s.damaged-%s%s", s->path, when, ends[i]);
		if (rename(from, to) && (errno != ENOENT || !i))
			return -errno;
	}
	log_warn("database %s is damaged: moved to %s.damaged-%s, a new one begins", s->path, s->path,
		 when);
	return 0;
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
open_or_renew(struct store *s, int64_t now_us)
{
	int r = lock_file(s);

	if (r) {
		if (r == -EWOULDBLOCK)
			log_error("database %s is in use by another net-gazer-collector", s->path);
		else
			log_error("database %s: %s", s->path, strerror(-r));
		return r;
	}
	r = open_db(s);
	if (store_error(s->db, r) == -EUCLEAN) {
		close_db(s);
		unlock_file(s); /* closing it drops SQLite's locks as well: not before close_db() */
		r = move_aside(s, now_us);
		if (!r)
			r = lock_file(s);
		if (r) {
			log_error("database %s: damaged, and %s", s->path, strerror(-r));
			return r;
		}
		r = open_db(s);
	}
	if (r == SQLITE_AUTH)
		log_error("database %s is none of net-gazer-collector, or of another version: name "
			  "another file with `database`", s->path);
	else if (r)
		log_error("database %s: %s", s->path, s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(r));
	return store_error(s->db, r);
}

int
store_open(struct store **out, const char *path, const struct store_limits *limits, int64_t now_us)
{
	struct store *s = calloc(1, sizeof *s);
	int r = -ENOMEM;

	*out = NULL;
	if (!s)
		return r;
	s->lock_fd = -1;
	s->limits = *limits;
	s->path = strdup(path);
	s->samples = malloc(SAMPLES * sizeof *s->samples);
	if (!s->path || !s->samples)
		goto out;
	r = open_or_renew(s, now_us);
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
	if (s->db)
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
	close_db(s);
	unlock_file(s);
	free(s->samples);
	free(s->path);
	free(s);
}

int
store_recover(struct store *s, int64_t now_us)
{
	int r;

	close_db(s);
	unlock_file(s);
	r = move_aside(s, now_us);
	if (r)
		log_error("database %s: damaged, and %s", s->path, strerror(-r));
	return r ? r : open_or_renew(s, now_us);
}

void
store_set_limits(struct store *s, const struct store_limits *limits)
{
	s->limits = *limits;
	apply_limits(s);
}

sqlite3 *
store_db(struct store *s)
{
	return s->db;
}

const struct paths_counts *
store_paths(struct store *s)
{
	return &s->paths.committed;
}

int64_t
store_stored(struct store *s, int64_t run, int64_t first)
{
	return seqs_stored(&s->seqs, run, first);
}

int64_t
store_at_us(int64_t ts_us, int64_t rx_us)
{
	return ts_us > rx_us || ts_us < rx_us - 7 * 86400 * 1000000LL ? rx_us : ts_us;
}

/* ---- rollups ---- */

static int
by_destination(const void *x, const void *y)
{
	const struct sample *a = x, *b = y;
	int r = strcmp(a->dst_ip, b->dst_ip);

	if (r)
		return r;
	if (a->dst_port != b->dst_port)
		return a->dst_port < b->dst_port ? -1 : 1;
	if (a->proto != b->proto)
		return a->proto < b->proto ? -1 : 1;
	return a->minute < b->minute ? -1 : a->minute > b->minute;
}

static int
by_minute(const void *x, const void *y)
{
	const struct sample *a = x, *b = y;

	return a->minute < b->minute ? -1 : a->minute > b->minute;
}

static void
group_add(struct group *g, const struct sample *a)
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
put_rollup(struct store *s, int64_t span, const struct sample *a, const struct group *added)
{
	sqlite3_stmt *get = s->stmt[S_ROLLUP_GET], *set = s->stmt[S_ROLLUP_PUT];
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
		return failed(s, r);
	sqlite3_bind_int64(set, 6, g.conns);
	sqlite3_bind_int64(set, 7, g.failed);
	sqlite3_bind_int64(set, 8, g.syn_retrans);
	column_bind_rtt(set, 9, 12, &g.rtt, packed);
	sqlite3_bind_int64(set, 11, g.last_us);
	return step(s, S_ROLLUP_PUT);
}

static int
put_minute(struct store *s, int64_t minute, const struct group *added)
{
	sqlite3_stmt *get = s->stmt[S_MINUTE_GET], *set = s->stmt[S_MINUTE_PUT];
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
		return failed(s, r);
	sqlite3_bind_int64(set, 1, minute);
	for (int i = 0; i < 6; i++)
		sqlite3_bind_int64(set, i + 2, n[i]);
	column_bind_rtt(set, 8, 10, &rtt, packed);
	return step(s, S_MINUTE_PUT);
}

static int
same_destination(const struct sample *a, const struct sample *b)
{
	return a->dst_port == b->dst_port && a->proto == b->proto && !strcmp(a->dst_ip, b->dst_ip);
}

static int
flush_samples(struct store *s)
{
	const struct sample *a = s->samples;
	size_t n = s->n_samples;
	int r = 0;

	s->n_samples = 0;
	if (!n)
		return 0;
	qsort(s->samples, n, sizeof *s->samples, by_destination);
	for (int span = 60; span <= 3600 && !r; span *= 60) {
		for (size_t i = 0; i < n && !r;) {
			struct group g = { 0 };
			size_t k = i;

			for (; k < n && same_destination(&a[i], &a[k]) &&
			       a[i].minute / span == a[k].minute / span; k++)
				group_add(&g, &a[k]);
			if (g.conns)
				r = put_rollup(s, span, &a[i], &g);
			i = k;
		}
	}
	qsort(s->samples, n, sizeof *s->samples, by_minute);
	for (size_t i = 0; i < n && !r;) {
		struct group g = { 0 };
		size_t k = i;

		for (; k < n && a[i].minute == a[k].minute; k++)
			group_add(&g, &a[k]);
		r = put_minute(s, a[i].minute, &g);
		i = k;
	}
	return r;
}

static int
sample_add(struct store *s, const struct report *r, int64_t at_us, int64_t weight)
{
	struct sample *a;

	if (s->n_samples == SAMPLES) {
		int e = flush_samples(s);

		if (e)
			return e;
	}
	a = &s->samples[s->n_samples++];
	*a = (struct sample){
		.minute = at_us / MINUTE_US * 60,
		.at_us = at_us,
		.rtt_us = r->rtt_us,
		.weight = weight,
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

/* ---- a batch ---- */

static int
flush_run(struct store *s)
{
	sqlite3_stmt *stmt = s->stmt[S_RUN_UPDATE];
	int64_t forgotten = 0;
	int r;

	if (!s->run.id)
		return 0;
	r = seqs_flush(&s->seqs, &forgotten);
	if (r < 0)
		return failed(s, -r);
	sqlite3_bind_int64(stmt, 1, s->run.id);
	sqlite3_bind_int64(stmt, 2, s->run.rx_us);
	sqlite3_bind_int64(stmt, 3, s->run.last_ts_us);
	sqlite3_bind_int64(stmt, 4, s->run.seq_max);
	sqlite3_bind_int64(stmt, 5, forgotten);
	for (int i = 0; i < REPORT_TYPES; i++)
		sqlite3_bind_int64(stmt, 6 + i, s->run.types[i]);
	s->run.id = 0;
	return step(s, S_RUN_UPDATE);
}

static int
drop_oldest_run(struct store *s)
{
	int64_t id;
	int r;

	sqlite3_bind_int64(s->stmt[S_RUN_OLDEST], 1, STORE_RUNS_MAX);
	r = number(s, S_RUN_OLDEST, &id);
	if (r || id < 0)
		return r;
	sqlite3_bind_int64(s->stmt[S_RUN_DROP], 1, id);
	sqlite3_bind_int64(s->stmt[S_SEQS_DROP], 1, id);
	r = step(s, S_RUN_DROP);
	return r ? r : step(s, S_SEQS_DROP);
}

static int
use_run(struct store *s, const struct report *rep, int64_t rx_us)
{
	sqlite3_stmt *find = s->stmt[S_RUN_FIND], *new = s->stmt[S_RUN_NEW];
	int64_t id = 0, seq_first = -1, stat_seq = -1;
	int r;

	if (s->run.id && !strcmp(s->run.boot, rep->boot) && !strcmp(s->run.sensor, rep->sensor))
		return 0;
	r = flush_run(s);
	if (r)
		return r;
	column_bind_text(find, 1, rep->sensor);
	column_bind_text(find, 2, rep->boot);
	r = sqlite3_step(find);
	if (r == SQLITE_ROW) {
		id = sqlite3_column_int64(find, 0);
		if (sqlite3_column_type(find, 1) != SQLITE_NULL)
			seq_first = sqlite3_column_int64(find, 1);
		stat_seq = sqlite3_column_int64(find, 2);
	}
	sqlite3_reset(find);
	if (r != SQLITE_ROW && r != SQLITE_DONE)
		return failed(s, r);
	if (!id) {
		column_bind_text(new, 1, rep->sensor);
		column_bind_text(new, 2, rep->boot);
		sqlite3_bind_int64(new, 3, rx_us);
		r = step(s, S_RUN_NEW);
		if (r)
			return r;
		id = sqlite3_last_insert_rowid(s->db);
		r = drop_oldest_run(s);
		if (r)
			return r;
	}
	memset(&s->run, 0, sizeof s->run);
	s->run.id = id;
	s->run.seq_first = seq_first;
	s->run.stat_seq = stat_seq;
	s->run.seq_max = -1;
	memcpy(s->run.sensor, rep->sensor, sizeof s->run.sensor);
	memcpy(s->run.boot, rep->boot, sizeof s->run.boot);
	return 0;
}

static int
insert_conn(struct store *s, const struct report *rep, int64_t id, int64_t at_us, int64_t rx_us)
{
	sqlite3_stmt *stmt = s->stmt[S_CONN];
	int64_t weight = rep->sample_n < 1 ? 1 : rep->sample_n;
	int r;

	if (weight > STORE_WEIGHT_MAX)
		weight = STORE_WEIGHT_MAX;
	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, s->run.id);
	sqlite3_bind_int64(stmt, 3, rep->seq);
	sqlite3_bind_int64(stmt, 4, at_us);
	sqlite3_bind_int64(stmt, 5, rx_us);
	column_bind_text(stmt, 6, rep->src_ip);
	column_bind_text(stmt, 7, rep->dst_ip);
	sqlite3_bind_int64(stmt, 8, rep->dst_port);
	sqlite3_bind_int64(stmt, 9, rep->state);
	sqlite3_bind_int64(stmt, 10, weight);
	sqlite3_bind_text(stmt, 11, rep->json, (int)rep->json_len, SQLITE_STATIC);
	r = step(s, S_CONN);
	return r ? r : sample_add(s, rep, at_us, weight);
}

static int
insert_attempt(struct store *s, const struct report *rep, int64_t id, int64_t at_us, int64_t rx_us)
{
	sqlite3_stmt *stmt = s->stmt[S_ATTEMPT];
	uint16_t ports[REPORT_PORTS_MAX + 1];
	unsigned n = rep->n_ports;
	/* 2^32 of them in a report is more than any line carries in a minute. */
	int64_t count = rep->count > UINT32_MAX ? UINT32_MAX : rep->count;
	int r;

	memcpy(ports, rep->ports, n * sizeof *ports);
	if (!n && rep->dst_port >= 0)
		ports[n++] = (uint16_t)rep->dst_port;
	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, s->run.id);
	sqlite3_bind_int64(stmt, 3, rep->seq);
	sqlite3_bind_int64(stmt, 4, at_us);
	sqlite3_bind_int64(stmt, 5, rx_us);
	sqlite3_bind_int64(stmt, 6, store_at_us(rep->ts_us, at_us));
	column_bind_text(stmt, 7, rep->src_ip);
	if (rep->dst_ip[0])
		column_bind_text(stmt, 8, rep->dst_ip);
	else
		sqlite3_bind_null(stmt, 8);
	sqlite3_bind_int64(stmt, 9, count);
	column_bind_known(stmt, 10, rep->verdict);
	column_bind_known(stmt, 11, rep->kind);
	sqlite3_bind_blob(stmt, 12, ports, (int)(n * sizeof *ports), SQLITE_STATIC);
	column_bind_known(stmt, 13, rep->dst_ports_n);
	column_bind_known(stmt, 14, rep->dst_ips_n);
	sqlite3_bind_text(stmt, 15, rep->json, (int)rep->json_len, SQLITE_STATIC);
	r = step(s, S_ATTEMPT);
	return r ? r : sample_add(s, rep, at_us, count);
}

static int
insert_stat(struct store *s, const struct report *rep, int64_t id, int64_t at_us, int64_t rx_us)
{
	sqlite3_stmt *stmt = s->stmt[S_STAT];
	int r;

	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, s->run.id);
	sqlite3_bind_int64(stmt, 3, rep->seq);
	sqlite3_bind_int64(stmt, 4, at_us);
	sqlite3_bind_int64(stmt, 5, rx_us);
	sqlite3_bind_text(stmt, 6, rep->json, (int)rep->json_len, SQLITE_STATIC);
	r = step(s, S_STAT);
	if (r || rep->seq <= s->run.stat_seq)
		return r; /* a late one is history only */
	if (rep->seq_first >= 0 && rep->seq_first <= rep->seq)
		s->run.seq_first = rep->seq_first;
	s->run.stat_seq = rep->seq;
	stmt = s->stmt[S_RUN_STAT];
	sqlite3_bind_int64(stmt, 1, s->run.id);
	sqlite3_bind_int64(stmt, 2, rep->seq);
	sqlite3_bind_int64(stmt, 3, rx_us);
	sqlite3_bind_text(stmt, 4, rep->json, (int)rep->json_len, SQLITE_STATIC);
	column_bind_known(stmt, 5, s->run.seq_first);
	return step(s, S_RUN_STAT);
}

static int
insert_other(struct store *s, const struct report *rep, int64_t id, int64_t at_us, int64_t rx_us)
{
	sqlite3_stmt *stmt = s->stmt[S_OTHER];
	size_t n = 0;
	const char *type = report_word(REPORT_WORDS_TYPE, rep->type, &n);

	sqlite3_bind_int64(stmt, 1, id);
	sqlite3_bind_int64(stmt, 2, s->run.id);
	sqlite3_bind_int64(stmt, 3, rep->seq);
	sqlite3_bind_text(stmt, 4, type, (int)n, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 5, at_us);
	sqlite3_bind_int64(stmt, 6, rx_us);
	sqlite3_bind_text(stmt, 7, rep->json, (int)rep->json_len, SQLITE_STATIC);
	return step(s, S_OTHER);
}

static int
insert_trace(struct store *s, const struct report *rep, int64_t id, int64_t at_us, int64_t rx_us)
{
	int r = insert_other(s, rep, id, at_us, rx_us);

	return r ? r : failed(s, paths_add(&s->paths, rep, at_us));
}

int
store_begin(struct store *s)
{
	s->n_samples = 0;
	s->run.id = 0;
	s->batch_rows = 0;
	seqs_forget(&s->seqs);
	return step(s, S_BEGIN);
}

int
store_add(struct store *s, const struct report *rep, int64_t rx_us, int64_t *id)
{
	int64_t at_us = store_at_us(rep->type == REPORT_ATTEMPT ? rep->last_ts_us : rep->ts_us, rx_us);
	int r = use_run(s, rep, rx_us);

	if (r)
		return r;
	s->run.rx_us = rx_us;
	r = seqs_add(&s->seqs, s->run.id, rep->seq);
	if (r <= 0)
		return r ? failed(s, -r) : 0;
	*id = ++s->last_id;
	switch (rep->type) {
	case REPORT_CONN:
		r = insert_conn(s, rep, *id, at_us, rx_us);
		break;
	case REPORT_ATTEMPT:
		r = insert_attempt(s, rep, *id, at_us, rx_us);
		break;
	case REPORT_STAT:
		r = insert_stat(s, rep, *id, at_us, rx_us);
		break;
	case REPORT_TRACE:
		r = insert_trace(s, rep, *id, at_us, rx_us);
		break;
	default:
		r = insert_other(s, rep, *id, at_us, rx_us);
	}
	if (r)
		return r;
	s->run.types[rep->type]++;
	if (rep->seq > s->run.seq_max)
		s->run.seq_max = rep->seq;
	if (rep->ts_us > s->run.last_ts_us)
		s->run.last_ts_us = rep->ts_us;
	s->batch_rows++;
	return 1;
}

int
store_commit(struct store *s)
{
	int r = flush_run(s);

	if (!r)
		r = flush_samples(s);
	if (!r)
		r = failed(s, paths_flush(&s->paths));
	if (!r && s->last_id != s->committed_id) {
		sqlite3_bind_int64(s->stmt[S_LAST_ID], 1, s->last_id);
		r = step(s, S_LAST_ID);
	}
	if (!r)
		r = step(s, S_COMMIT);
	if (r) {
		store_rollback(s);
		return r;
	}
	paths_committed(&s->paths);
	s->committed_id = s->last_id;
	s->rows += s->batch_rows;
	s->batch_rows = 0;
	return 0;
}

void
store_rollback(struct store *s)
{
	if (!sqlite3_get_autocommit(s->db)) /* some errors have rolled back already */
		step(s, S_ROLLBACK);
	seqs_forget(&s->seqs);
	paths_rolled_back(&s->paths);
	s->last_id = s->committed_id;
	s->n_samples = 0;
	s->run.id = 0;
	s->batch_rows = 0;
}

/* ---- retention ---- */

static int64_t
bytes_used(struct store *s)
{
	int64_t pages = 0, unused = 0;

	if (number(s, S_PAGES, &pages) || number(s, S_FREE, &unused))
		return 0;
	return (pages - unused) * PAGE_BYTES;
}

static int
trim_rows(struct store *s, int64_t n, int64_t *removed)
{
	int64_t oldest;
	int r = number(s, S_OLDEST_ID, &oldest);

	if (r || oldest < 0)
		return r;
	for (int i = S_TRIM_CONN; i <= S_TRIM_OTHER && !r; i++) {
		sqlite3_bind_int64(s->stmt[i], 1, oldest + n);
		r = step(s, (enum stmt)i);
		*removed += r ? 0 : sqlite3_changes64(s->db);
	}
	return r;
}

/* The oldest minute or hour, if it began before `before_s`. */
static int
trim_rollup(struct store *s, int span, int64_t before_s, int *more)
{
	int64_t at;
	int r;

	sqlite3_bind_int64(s->stmt[S_ROLLUP_OLDEST], 1, span);
	r = number(s, S_ROLLUP_OLDEST, &at);
	if (r || at < 0 || at >= before_s)
		return r;
	sqlite3_bind_int64(s->stmt[S_ROLLUP_TRIM], 1, span);
	sqlite3_bind_int64(s->stmt[S_ROLLUP_TRIM], 2, at);
	*more = 1;
	return step(s, S_ROLLUP_TRIM);
}

int
store_trim(struct store *s, int64_t now_us)
{
	int64_t now_s = now_us / 1000000, removed = 0, over = s->rows - s->limits.max_rows;
	int full = bytes_used(s) > s->limits.max_bytes, more = 0, r;

	r = step(s, S_BEGIN);
	if (r)
		return r;
	if (full || over > 0)
		r = trim_rows(s, !full && over < TRIM_ROWS ? over : TRIM_ROWS, &removed);
	if (!r)
		r = trim_rollup(s, 60, now_s - STORE_MINUTES_KEPT_S, &more);
	if (!r)
		r = trim_rollup(s, 3600, now_s - STORE_HOURS_KEPT_S, &more);
	if (!r && full && !removed && !more) {
		/* Rollups alone are over the limit: theirs then, oldest first. */
		r = trim_rollup(s, 60, now_s, &more);
		if (!r && !more)
			r = trim_rollup(s, 3600, now_s, &more);
		if (!r && !more)
			r = failed(s, paths_trim(&s->paths, &more));
	}
	sqlite3_bind_int64(s->stmt[S_MINUTE_TRIM], 1, now_s - STORE_HOURS_KEPT_S);
	if (!r)
		r = step(s, S_MINUTE_TRIM);
	if (!r)
		r = failed(s, paths_flush(&s->paths));
	if (!r)
		r = step(s, S_COMMIT);
	if (r) {
		store_rollback(s);
		return r;
	}
	paths_committed(&s->paths);
	s->rows -= removed;
	return removed > 0 || more;
}

struct store_sizes
store_sizes(struct store *s)
{
	return (struct store_sizes){ .rows = s->rows, .bytes = bytes_used(s),
				     .last_id = s->committed_id };
}
