/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * days.c - the files of days: found, made, written, read, removed.
 *
 * A file is opened when it is needed.  Only those of the batch at hand have a transaction, as a rule that of
 * today; days_commit() ends them all.
 */
#include "days.h"

#include <dirent.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blocks.h"
#include "column.h"
#include "dbfile.h"
#include "lib/json.h"
#include "lib/log.h"
#include "text.h"

#define FORMAT 1
#define CHECK_BYTES_NEWEST (64 << 20) /* about half a second */
#define CHECK_BYTES (8 << 20)
#define WRITE_CACHE_KIB 4096
#define READ_CACHE_KIB 2048

#define OWN "id INTEGER PRIMARY KEY, sensor TEXT NOT NULL, seq INTEGER NOT NULL,"
#define TIMES "at_us INTEGER NOT NULL, rx_us INTEGER NOT NULL,"

static const char schema[] =
	"CREATE TABLE meta (key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE TABLE conn (" OWN TIMES " src_ip TEXT NOT NULL, dst_ip TEXT NOT NULL,"
	"  dst_port INTEGER NOT NULL, state INTEGER NOT NULL, weight INTEGER NOT NULL, json TEXT NOT NULL);"
	"CREATE INDEX conn_failed ON conn (at_us, dst_ip, dst_port, state, src_ip, weight)"
	"  WHERE state >= 2;"
	"CREATE TABLE attempt (" OWN TIMES " first_us INTEGER NOT NULL,"
	"  src_ip TEXT NOT NULL, dst_ip TEXT, count INTEGER NOT NULL, verdict INTEGER, kind INTEGER,"
	"  ports BLOB, dst_ports_n INTEGER, dst_ips_n INTEGER, json TEXT NOT NULL);"
	"CREATE INDEX attempt_at ON attempt (at_us);"
	"CREATE TABLE stat (" OWN TIMES " json TEXT NOT NULL);"
	"CREATE TABLE other (" OWN " type TEXT NOT NULL," TIMES " json TEXT NOT NULL);"
	"INSERT INTO meta VALUES ('rows', 0), ('first_us', 0), ('last_us', 0);";

enum stmt {
	S_CONN, S_ATTEMPT, S_STAT, S_OTHER,
	S_META, S_TRIM_CONN, S_TRIM_ATTEMPT, S_TRIM_STAT, S_TRIM_OTHER,
	S_N,
};

static const char *const sql[S_N] = {
	[S_CONN] = "INSERT INTO conn VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
	[S_ATTEMPT] = ("INSERT INTO attempt VALUES "
		      "(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"),
	[S_STAT] = "INSERT INTO stat VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
	[S_OTHER] = "INSERT INTO other VALUES (?1, ?2, ?3, ?7, ?4, ?5, ?6)",
	[S_META] = "INSERT OR REPLACE INTO meta VALUES ('rows', ?1), ('first_us', ?2), ('last_us', ?3)",
	[S_TRIM_CONN] = "DELETE FROM conn WHERE id < ?1",
	[S_TRIM_ATTEMPT] = "DELETE FROM attempt WHERE id < ?1",
	[S_TRIM_STAT] = "DELETE FROM stat WHERE id < ?1",
	[S_TRIM_OTHER] = "DELETE FROM other WHERE id < ?1",
};

#define OVER_TABLES(what, as) \
	"SELECT " what "(v) FROM (SELECT " what "(id) AS v FROM conn UNION ALL SELECT " what "(id) FROM attempt " \
	"UNION ALL SELECT " what "(id) FROM stat UNION ALL SELECT " what "(id) FROM other)" as

struct file {
	struct day is;     /* committed */
	struct day batch;  /* with what the batch at hand adds */
	sqlite3 *db;       /* NULL: closed */
	sqlite3_stmt *stmt[S_N]; /* prepared when it is written first */
	int writing;
	int wrong;         /* what opening it gave: a damaged one stays open */
	struct blocks blocks;
	uint64_t used;     /* when something was asked of it last */
};

struct days {
	char *database;
	int memory;
	struct file *file; /* oldest first */
	size_t n, size;
	int64_t limit;
	uint64_t turn;
	unsigned damaged;
};

/* ---- names ---- */

void
days_name(char out[DAYS_NAME_LEN + 1], int64_t day)
{
	json_date_text(out, day);
	memcpy(out + JSON_DATE_LEN, ".db", 4);
}

int64_t
days_of_name(const char *name)
{
	char date[JSON_DATE_LEN + 1];
	int64_t us;

	if (strlen(name) != DAYS_NAME_LEN || strcmp(name + JSON_DATE_LEN, ".db"))
		return -1;
	memcpy(date, name, JSON_DATE_LEN);
	date[JSON_DATE_LEN] = 0;
	return text_when(date, &us) ? -1 : us / 86400000000;
}

void
days_path(char *out, size_t size, const char *database, int64_t day)
{
	char name[DAYS_NAME_LEN + 1];

	days_name(name, day);
	snprintf(out, size, "%s.d/%s", database, name);
}

static void
file_path(const struct days *d, const struct file *f, char out[DBFILE_PATH_MAX])
{
	if (d->memory)
		snprintf(out, DBFILE_PATH_MAX, ":memory:");
	else
		days_path(out, DBFILE_PATH_MAX, d->database, f->is.day);
}

static int
make_folder(const char *database)
{
	char folder[DBFILE_PATH_MAX];

	snprintf(folder, sizeof folder, "%s.d", database);
	return mkdir(folder, 0700) && errno != EEXIST ? -errno : 0;
}

int64_t
days_at_us(int64_t ts_us, int64_t rx_us)
{
	return ts_us > rx_us || ts_us < rx_us - 7 * DAYS_US ? rx_us : ts_us;
}

/* ---- one file ---- */

static void
file_close(struct file *f)
{
	if (!f->db)
		return;
	for (int i = 0; i < S_N; i++) {
		sqlite3_finalize(f->stmt[i]);
		f->stmt[i] = NULL;
	}
	if (sqlite3_close(f->db))
		log_error("database of a day: not closed: %s", sqlite3_errmsg(f->db));
	f->db = NULL;
	f->writing = 0;
	blocks_free(&f->blocks);
}

/* found: it was there before; one that is empty has lost what it had. */
static int
file_open(const struct days *d, struct file *f, int found)
{
	char path[DBFILE_PATH_MAX];
	int64_t format;
	int r;

	file_path(d, f, path);
	r = dbfile_open(&f->db, path, DAYS_APPLICATION, FORMAT, &format);
	if (!r && !format)
		r = found ? SQLITE_NOTADB : dbfile_make(f->db, DAYS_APPLICATION, FORMAT, schema, NULL);
	return r ? r : dbfile_tune(f->db, READ_CACHE_KIB, 1, d->limit);
}

/* What is in it. */
static int
file_read(struct file *f)
{
	int r = dbfile_int(f->db, OVER_TABLES("min", ""), &f->is.first_id);

	if (!r)
		r = dbfile_int(f->db, OVER_TABLES("max", ""), &f->is.last_id);
	if (!r)
		r = dbfile_int(f->db, "SELECT value FROM meta WHERE key = 'rows'", &f->is.rows);
	if (!r)
		r = dbfile_int(f->db, "SELECT value FROM meta WHERE key = 'first_us'", &f->is.first_us);
	if (!r)
		r = dbfile_int(f->db, "SELECT value FROM meta WHERE key = 'last_us'", &f->is.last_us);
	if (!f->is.first_id)
		f->is.first_id = INT64_MAX;
	f->is.bytes = dbfile_bytes_all(f->db);
	f->batch = f->is;
	return r;
}

static struct file *
insert_file(struct days *d, int64_t day)
{
	size_t at = d->n;

	if (d->n == d->size) {
		size_t size = d->size ? 2 * d->size : 16;
		struct file *more = realloc(d->file, size * sizeof *more);

		if (!more)
			return NULL;
		d->file = more;
		d->size = size;
	}
	while (at && d->file[at - 1].is.day > day)
		at--;
	memmove(&d->file[at + 1], &d->file[at], (d->n - at) * sizeof *d->file);
	d->file[at] = (struct file){ .is = { .day = day, .first_id = INT64_MAX } };
	d->file[at].batch = d->file[at].is;
	d->n++;
	return &d->file[at];
}

static void
forget_file(struct days *d, struct file *f)
{
	file_close(f);
	d->n--;
	memmove(f, f + 1, (size_t)(&d->file[d->n] - f) * sizeof *f);
}

/* ---- all of them ---- */

static int
find_files(struct days *d)
{
	char folder[DBFILE_PATH_MAX];
	struct dirent *e;
	DIR *dir;

	snprintf(folder, sizeof folder, "%s.d", d->database);
	dir = opendir(folder);
	if (!dir)
		return -errno;
	while ((e = readdir(dir))) {
		int64_t day = days_of_name(e->d_name);
		const char *aside = strstr(e->d_name, ".db.damaged-");

		if (aside && strlen(aside) == strlen(".db.damaged-") + 19)
			d->damaged++;
		if (day >= 0 && !insert_file(d, day)) {
			closedir(dir);
			return -ENOMEM;
		}
	}
	closedir(dir);
	return 0;
}

/* Files are looked at one by one; none of them can keep the others from being used. */
static void
look_at_files(struct days *d, int64_t now_us)
{
	for (size_t i = 0; i < d->n;) {
		struct file *f = &d->file[i];
		char path[DBFILE_PATH_MAX];
		int r;

		file_path(d, f, path);
		r = file_open(d, f, 1);
		if (!r)
			r = dbfile_check(f->db, i + 1 == d->n ? CHECK_BYTES_NEWEST : CHECK_BYTES);
		if (!r)
			r = file_read(f);
		if (!r) {
			file_close(f);
			i++;
			continue;
		}
		if (dbfile_error(f->db, r) != -EUCLEAN)
			log_error("database %s: %s; it is left out", path,
				  r == SQLITE_AUTH ? "none of net-gazer-collector, or of another version"
						   : sqlite3_errstr(r));
		file_close(f);
		if (dbfile_error(NULL, r) == -EUCLEAN && !dbfile_aside(path, now_us))
			d->damaged++;
		forget_file(d, f);
	}
}

int
days_any(const char *database)
{
	char folder[DBFILE_PATH_MAX];
	struct dirent *e;
	int found = 0;
	DIR *dir;

	snprintf(folder, sizeof folder, "%s.d", database);
	dir = opendir(folder);
	while (dir && !found && (e = readdir(dir)))
		found = days_of_name(e->d_name) >= 0;
	if (dir)
		closedir(dir);
	return found;
}

int
days_open(struct days **out, const char *database, int64_t now_us)
{
	struct days *d = calloc(1, sizeof *d);
	int r = -ENOMEM;

	*out = NULL;
	if (!d)
		return r;
	d->limit = INT64_MAX;
	d->memory = !strcmp(database, ":memory:");
	d->database = strdup(database);
	if (!d->database)
		goto out;
	r = d->memory ? 0 : make_folder(database);
	if (!r && !d->memory)
		r = find_files(d);
	if (r) {
		log_error("folder %s.d: %s", database, strerror(-r));
		goto out;
	}
	look_at_files(d, now_us);
	*out = d;
	return 0;
out:
	days_close(d);
	return r;
}

void
days_close(struct days *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->n; i++) {
		if (d->file[i].db)
			sqlite3_wal_checkpoint_v2(d->file[i].db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		file_close(&d->file[i]);
	}
	free(d->file);
	free(d->database);
	free(d);
}

size_t
days_n(const struct days *d)
{
	return d->n;
}

const struct day *
days_at(const struct days *d, size_t i)
{
	return &d->file[i].is;
}

size_t
days_from(const struct days *d, int64_t at_us)
{
	size_t i = 0;

	/* No report counts later than it was received. */
	while (i < d->n && (d->file[i].is.day + 1) * DAYS_US <= at_us)
		i++;
	return i;
}

/* Opened when it is needed.  A damaged one stays open, so that days_aside() knows which, and damaged whoever asks. */
static int
file_use(struct days *d, struct file *f)
{
	f->wrong = f->db ? f->wrong : file_open(d, f, f->is.rows > 0);
	f->used = ++d->turn;
	if (f->wrong && dbfile_error(f->db, f->wrong) != -EUCLEAN)
		file_close(f);
	return f->wrong;
}

sqlite3 *
days_db(struct days *d, size_t i, int *code)
{
	*code = file_use(d, &d->file[i]);
	return d->file[i].db;
}

/* ---- writing ---- */

static void
apply_limit(struct days *d, struct file *f)
{
	int64_t others = 0;

	for (size_t i = 0; i < d->n; i++) {
		if (&d->file[i] != f)
			others += d->file[i].is.bytes;
	}
	dbfile_set_max(f->db, d->limit - others);
}

/* Somebody removed the file, or put another in its place: what is written into it would be lost when it is closed. */
static int
is_gone(const struct file *f)
{
	char name[DAYS_NAME_LEN + 1];
	int gone = 0;

	if (f->db)
		sqlite3_file_control(f->db, "main", SQLITE_FCNTL_HAS_MOVED, &gone);
	if (!gone)
		return 0;
	days_name(name, f->is.day);
	log_warn("database of a day, %s, was removed while it was in use: its %lld reports are lost; it begins anew", name,
		 (long long)f->is.rows);
	return 1;
}

static int
begin(struct days *d, int64_t day, struct file **out, sqlite3 **db)
{
	struct file *f = NULL;
	int r;

	for (size_t i = d->n; i-- > 0 && !f && d->file[i].is.day >= day;)
		f = d->file[i].is.day == day ? &d->file[i] : NULL;
	if (f && !f->writing && is_gone(f)) {
		forget_file(d, f);
		f = NULL;
	}
	if (!f)
		f = insert_file(d, day);
	if (!f)
		return SQLITE_NOMEM;
	*out = f;
	*db = f->db;
	if (f->writing)
		return SQLITE_OK;
	r = file_use(d, f);
	*db = f->db;
	if (!r && !f->stmt[0]) {
		r = dbfile_tune(f->db, WRITE_CACHE_KIB, 1, d->limit);
		if (!r) /* of files that were made before there were blocks */
			r = dbfile_exec(f->db, blocks_schema);
		if (!f->is.rows)
			blocks_empty(&f->blocks);
		for (int i = 0; i < S_N && !r; i++)
			r = sqlite3_prepare_v3(f->db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &f->stmt[i], NULL);
	}
	if (!r) {
		apply_limit(d, f);
		r = dbfile_exec(f->db, "BEGIN IMMEDIATE");
	}
	if (!r)
		f->writing = 1;
	return r;
}

/* What all tables begin with: id, sensor, seq, at_us, rx_us. */
static sqlite3_stmt *
bind_own(struct file *f, enum stmt i, const struct report *rep, int64_t id, int64_t at_us, int64_t rx_us)
{
	sqlite3_stmt *stmt = f->stmt[i];

	sqlite3_bind_int64(stmt, 1, id);
	column_bind_text(stmt, 2, rep->sensor);
	sqlite3_bind_int64(stmt, 3, rep->seq);
	sqlite3_bind_int64(stmt, 4, at_us);
	sqlite3_bind_int64(stmt, 5, rx_us);
	return stmt;
}

static void
bind_json(sqlite3_stmt *stmt, int i, const struct report *rep)
{
	sqlite3_bind_text(stmt, i, rep->json, (int)rep->json_len, SQLITE_STATIC);
}

static void
bind_conn(sqlite3_stmt *stmt, const struct report *rep, int64_t weight)
{
	column_bind_text(stmt, 6, rep->src_ip);
	column_bind_text(stmt, 7, rep->dst_ip);
	sqlite3_bind_int64(stmt, 8, rep->dst_port);
	sqlite3_bind_int64(stmt, 9, rep->state);
	sqlite3_bind_int64(stmt, 10, weight);
	bind_json(stmt, 11, rep);
}

static void
bind_attempt(sqlite3_stmt *stmt, const struct report *rep, int64_t at_us, int64_t count)
{
	uint16_t ports[REPORT_PORTS_MAX + 1];
	unsigned n = rep->n_ports;

	for (unsigned i = 0; i < n; i++)
		ports[i] = htole16(rep->ports[i]); /* column_port() */
	if (!n && rep->dst_port >= 0)
		ports[n++] = htole16((uint16_t)rep->dst_port);
	sqlite3_bind_int64(stmt, 6, days_at_us(rep->ts_us, at_us));
	column_bind_text(stmt, 7, rep->src_ip);
	if (rep->dst_ip[0])
		column_bind_text(stmt, 8, rep->dst_ip);
	else
		sqlite3_bind_null(stmt, 8);
	sqlite3_bind_int64(stmt, 9, count);
	column_bind_known(stmt, 10, rep->verdict);
	column_bind_known(stmt, 11, rep->kind);
	sqlite3_bind_blob(stmt, 12, ports, (int)(n * sizeof *ports), SQLITE_TRANSIENT);
	column_bind_known(stmt, 13, rep->dst_ports_n);
	column_bind_known(stmt, 14, rep->dst_ips_n);
	bind_json(stmt, 15, rep);
}

int
days_add(struct days *d, const struct report *rep, int64_t id, int64_t at_us, int64_t rx_us, int64_t weight,
	 sqlite3 **db)
{
	sqlite3_stmt *stmt;
	struct file *f;
	size_t n = 0;
	int r = begin(d, rx_us / DAYS_US, &f, db);

	if (r)
		return r;
	switch (rep->type) {
	case REPORT_CONN:
		stmt = bind_own(f, S_CONN, rep, id, at_us, rx_us);
		bind_conn(stmt, rep, weight);
		break;
	case REPORT_ATTEMPT:
		stmt = bind_own(f, S_ATTEMPT, rep, id, at_us, rx_us);
		bind_attempt(stmt, rep, at_us, weight);
		break;
	case REPORT_STAT:
		stmt = bind_own(f, S_STAT, rep, id, at_us, rx_us);
		bind_json(stmt, 6, rep);
		break;
	default: {
		const char *type = report_word(REPORT_WORDS_TYPE, rep->type, &n);

		stmt = bind_own(f, S_OTHER, rep, id, at_us, rx_us);
		bind_json(stmt, 6, rep);
		sqlite3_bind_text(stmt, 7, type, (int)n, SQLITE_STATIC);
	}
	}
	r = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	if (r != SQLITE_DONE)
		return r;
	r = blocks_add(&f->blocks, f->db, rep, id, at_us);
	if (r)
		return r;
	f->batch.rows++;
	f->batch.last_id = id > f->batch.last_id ? id : f->batch.last_id;
	f->batch.first_id = id < f->batch.first_id ? id : f->batch.first_id;
	if (!f->batch.first_us || rx_us < f->batch.first_us)
		f->batch.first_us = rx_us;
	if (rx_us > f->batch.last_us)
		f->batch.last_us = rx_us;
	return SQLITE_OK;
}

/* Counts of the batch, then its end. */
static int
commit(struct file *f)
{
	sqlite3_stmt *stmt = f->stmt[S_META];
	int r;

	sqlite3_bind_int64(stmt, 1, f->batch.rows);
	sqlite3_bind_int64(stmt, 2, f->batch.first_us);
	sqlite3_bind_int64(stmt, 3, f->batch.last_us);
	r = sqlite3_step(stmt);
	sqlite3_reset(stmt);
	f->batch.bytes = dbfile_bytes_all(f->db);
	if (r == SQLITE_DONE)
		r = dbfile_exec(f->db, "COMMIT");
	if (r)
		return r;
	f->writing = 0;
	f->is = f->batch;
	return SQLITE_OK;
}

int
days_commit(struct days *d, sqlite3 **db)
{
	for (size_t i = 0; i < d->n; i++) {
		int r;

		if (!d->file[i].writing)
			continue;
		*db = d->file[i].db;
		r = commit(&d->file[i]);
		if (r)
			return r;
	}
	return SQLITE_OK;
}

void
days_rollback(struct days *d)
{
	for (size_t i = d->n; i-- > 0;) {
		struct file *f = &d->file[i];
		char path[DBFILE_PATH_MAX];

		if (f->writing && !sqlite3_get_autocommit(f->db)) /* some errors have rolled back already */
			dbfile_exec(f->db, "ROLLBACK");
		blocks_forget(&f->blocks);
		f->writing = 0;
		f->batch = f->is;
		if (f->is.rows || d->memory)
			continue;
		/* It was made for this batch. */
		file_path(d, f, path);
		forget_file(d, f);
		dbfile_remove(path);
	}
}

/* ---- sizes and retention ---- */

void
days_limit(struct days *d, int64_t bytes)
{
	d->limit = bytes;
}

int64_t
days_rows(const struct days *d)
{
	int64_t n = 0;

	for (size_t i = 0; i < d->n; i++)
		n += d->file[i].is.rows;
	return n;
}

int64_t
days_bytes(struct days *d)
{
	int64_t n = 0;

	for (size_t i = 0; i < d->n; i++) {
		struct file *f = &d->file[i];

		n += i + 1 == d->n && f->db ? dbfile_bytes(f->db) : f->is.bytes;
	}
	return n;
}

int64_t
days_last_id(const struct days *d)
{
	int64_t id = 0;

	for (size_t i = 0; i < d->n; i++)
		id = d->file[i].is.last_id > id ? d->file[i].is.last_id : id;
	return id;
}

int
days_drop_oldest(struct days *d)
{
	char path[DBFILE_PATH_MAX];
	int r;

	if (d->n < 2)
		return 0;
	file_path(d, &d->file[0], path);
	file_close(&d->file[0]);
	r = d->memory ? 0 : dbfile_remove(path);
	if (r)
		return r;
	forget_file(d, &d->file[0]);
	return 1;
}

int
days_trim(struct days *d, int64_t n, int64_t *removed, sqlite3 **db)
{
	struct file *f;
	int64_t last;
	int r;

	*removed = 0;
	if (!d->n || !d->file[0].is.rows)
		return days_drop_oldest(d) < 0 ? SQLITE_IOERR : SQLITE_OK;
	last = d->file[0].is.first_id + n;
	r = begin(d, d->file[0].is.day, &f, db);
	for (int i = S_TRIM_CONN; i <= S_TRIM_OTHER && !r; i++) {
		sqlite3_bind_int64(f->stmt[i], 1, last);
		r = sqlite3_step(f->stmt[i]);
		r = r == SQLITE_DONE ? SQLITE_OK : r;
		*removed += r ? 0 : sqlite3_changes64(f->db);
		sqlite3_reset(f->stmt[i]);
	}
	if (!r) {
		f->batch.rows -= *removed;
		r = dbfile_int(f->db, OVER_TABLES("min", ""), &f->batch.first_id);
		if (!f->batch.first_id)
			f->batch.first_id = INT64_MAX;
	}
	if (!r)
		r = commit(f);
	if (r) {
		*removed = 0;
		days_rollback(d);
		return r;
	}
	if (!f->is.rows && days_drop_oldest(d) < 0)
		return SQLITE_IOERR;
	return SQLITE_OK;
}

void
days_rest(struct days *d)
{
	for (;;) {
		struct file *oldest = NULL;
		size_t open = 0;

		for (size_t i = 0; i + 1 < d->n && !d->memory; i++) {
			struct file *f = &d->file[i];

			if (!f->db || f->writing)
				continue;
			open++;
			if (!oldest || f->used < oldest->used)
				oldest = f;
		}
		if (open <= DAYS_IDLE)
			return;
		file_close(oldest);
	}
}

/* ---- damage ---- */

static struct file *
file_of(const struct days *d, const sqlite3 *db)
{
	for (size_t i = 0; i < d->n; i++) {
		if (db && d->file[i].db == db)
			return &d->file[i];
	}
	return NULL;
}

int
days_has(const struct days *d, const sqlite3 *db)
{
	return file_of(d, db) != NULL;
}

int
days_aside(struct days *d, const sqlite3 *db, int64_t now_us)
{
	struct file *f = file_of(d, db);
	char path[DBFILE_PATH_MAX];
	int r;

	if (!f)
		return 0;
	file_path(d, f, path);
	file_close(f);
	r = d->memory ? 0 : dbfile_aside(path, now_us);
	if (r)
		return r;
	d->damaged++;
	forget_file(d, f);
	return 0;
}

unsigned
days_damaged(const struct days *d)
{
	return d->damaged;
}

int
days_make(const char *database, int64_t day)
{
	char path[DBFILE_PATH_MAX];
	sqlite3 *db = NULL;
	int64_t format;
	int r = make_folder(database);

	days_path(path, sizeof path, database, day);
	if (!r)
		r = dbfile_remove(path);
	if (r)
		return SQLITE_CANTOPEN;
	r = dbfile_open(&db, path, DAYS_APPLICATION, FORMAT, &format);
	if (!r)
		r = dbfile_make(db, DAYS_APPLICATION, FORMAT, schema, NULL);
	sqlite3_close(db);
	return r;
}
