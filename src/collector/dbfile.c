/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * dbfile.c - opening, checking and moving SQLite files.
 */
#include "dbfile.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/log.h"

/* Of a file's WAL: how long it stays, and at how many pages it is written into the file. */
#define JOURNAL_SHARE 64
#define JOURNAL_MIN (64 << 10)
#define JOURNAL_MAX (8 << 20)
#define JOURNAL_PAGES 1000

static const char *const ends[] = { "", "-wal", "-shm" };

int
dbfile_error(sqlite3 *db, int code)
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

int
dbfile_exec(sqlite3 *db, const char *sql)
{
	return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int
dbfile_int(sqlite3 *db, const char *sql, int64_t *out)
{
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	*out = 0;
	if (!r) {
		r = sqlite3_step(stmt);
		*out = r == SQLITE_ROW ? sqlite3_column_int64(stmt, 0) : 0;
		if (r == SQLITE_ROW || r == SQLITE_DONE)
			r = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	return r;
}

static int
open_flags(sqlite3 **db, const char *path, int flags)
{
	int r = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX, NULL);

	if (r)
		return r;
	sqlite3_extended_result_codes(*db, 1);
	sqlite3_busy_timeout(*db, 2000); /* a person's sqlite3 beside us */
	sqlite3_db_config(*db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(*db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	sqlite3_limit(*db, SQLITE_LIMIT_ATTACHED, 0);
	return dbfile_exec(*db, "PRAGMA cell_size_check = ON; PRAGMA temp_store = MEMORY");
}

int
dbfile_open(sqlite3 **db, const char *path, int32_t application, int64_t newest, int64_t *format)
{
	int64_t id = 0, tables = 0;
	int r;

	*format = 0;
	r = open_flags(db, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
	if (!r)
		r = dbfile_int(*db, "PRAGMA application_id", &id);
	if (!r)
		r = dbfile_int(*db, "PRAGMA user_version", format);
	if (!r)
		r = dbfile_int(*db, "SELECT count(*) FROM sqlite_schema", &tables);
	if (r)
		return r;
	if (!id && !*format && !tables)
		return SQLITE_OK;
	return id == application && *format >= 1 && *format <= newest ? SQLITE_OK : SQLITE_AUTH;
}

int
dbfile_open_read(sqlite3 **db, const char *path, int32_t application)
{
	int64_t id = 0;
	int r = open_flags(db, path, SQLITE_OPEN_READONLY);

	if (!r)
		r = dbfile_int(*db, "PRAGMA application_id", &id);
	return r || id == application ? r : SQLITE_AUTH;
}

int
dbfile_make(sqlite3 *db, int32_t application, int64_t format, const char *schema, const char *more)
{
	char text[100];
	int r;

	snprintf(text, sizeof text, "PRAGMA application_id = %d; PRAGMA user_version = %lld; COMMIT", application,
		 (long long)format);
	r = dbfile_exec(db, "PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
	if (!r)
		r = dbfile_exec(db, schema);
	if (!r && more)
		r = dbfile_exec(db, more);
	return r ? r : dbfile_exec(db, text);
}

int
dbfile_tune(sqlite3 *db, int cache_kib, int full_sync, int64_t max_bytes)
{
	int64_t journal = max_bytes / JOURNAL_SHARE;
	char text[300];

	journal = journal < JOURNAL_MIN ? JOURNAL_MIN : journal > JOURNAL_MAX ? JOURNAL_MAX : journal;
	snprintf(text, sizeof text, "PRAGMA journal_mode = WAL; PRAGMA synchronous = %s; PRAGMA cache_size = -%d;"
				    "PRAGMA journal_size_limit = %lld; PRAGMA wal_autocheckpoint = %lld",
		 full_sync ? "FULL" : "NORMAL", cache_kib, (long long)journal,
		 (long long)journal / (JOURNAL_MAX / JOURNAL_PAGES));
	return dbfile_exec(db, text);
}

int
dbfile_check(sqlite3 *db, int64_t max_bytes)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	if (dbfile_bytes_all(db) > max_bytes)
		return SQLITE_OK;
	r = sqlite3_prepare_v2(db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
	if (r)
		return r;
	r = sqlite3_step(stmt);
	if (r == SQLITE_ROW) {
		const char *said = (const char *)sqlite3_column_text(stmt, 0);

		r = said && !strcmp(said, "ok") ? SQLITE_OK : SQLITE_CORRUPT;
	}
	sqlite3_finalize(stmt);
	return r;
}

int64_t
dbfile_bytes(sqlite3 *db)
{
	int64_t unused = 0;

	dbfile_int(db, "PRAGMA freelist_count", &unused);
	return dbfile_bytes_all(db) - unused * DBFILE_PAGE_BYTES;
}

int64_t
dbfile_bytes_all(sqlite3 *db)
{
	int64_t pages = 0;

	dbfile_int(db, "PRAGMA page_count", &pages);
	return pages * DBFILE_PAGE_BYTES;
}

void
dbfile_set_max(sqlite3 *db, int64_t bytes)
{
	char text[80];

	snprintf(text, sizeof text, "PRAGMA max_page_count = %lld",
		 (long long)(bytes < DBFILE_PAGE_BYTES ? 1 : bytes / DBFILE_PAGE_BYTES));
	dbfile_exec(db, text);
}

int
dbfile_aside(const char *path, int64_t now_us)
{
	char when[JSON_TIME_LEN + 1], from[DBFILE_PATH_MAX], to[DBFILE_PATH_MAX + 40];

	json_time_text(when, now_us);
	when[19] = 0;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		snprintf(from, sizeof from, "%s%s", path, ends[i]);
		snprintf(to, sizeof to, "%s.damaged-%s%s", path, when, ends[i]);
		if (rename(from, to) && (errno != ENOENT || !i))
			return -errno;
	}
	log_warn("database %s is damaged: moved to %s.damaged-%s; the rest goes on", path, path, when);
	return 0;
}

unsigned
dbfile_count_aside(const char *path)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char folder[DBFILE_PATH_MAX], begins[DBFILE_PATH_MAX];
	struct dirent *e;
	unsigned n = 0;
	DIR *dir;

	snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash - path + 1) : 2, slash ? path : "./");
	snprintf(begins, sizeof begins, "%s.damaged-", name);
	dir = opendir(folder);
	if (!dir)
		return 0;
	while ((e = readdir(dir)))
		/* Behind it the time and no more: not a WAL. */
		n += !strncmp(e->d_name, begins, strlen(begins)) && strlen(e->d_name) == strlen(begins) + 19;
	closedir(dir);
	return n;
}

int
dbfile_remove(const char *path)
{
	char name[DBFILE_PATH_MAX];

	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		snprintf(name, sizeof name, "%s%s", path, ends[i]);
		if (unlink(name) && errno != ENOENT)
			return -errno;
	}
	return 0;
}
