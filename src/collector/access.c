/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * access.c - the file of sensors, codes and users.
 */
#include "access.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "dbfile.h"
#include "lib/log.h"

#define APPLICATION 0x6e676163 /* "ngac" */
#define FORMAT 1
#define HASH_BYTES 32
#define BY_MAX 80

static const char schema[] =
	"CREATE TABLE sensor(name TEXT PRIMARY KEY, hash BLOB NOT NULL, by TEXT NOT NULL, enrolled_us INTEGER NOT NULL,"
	" revoked_us INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX sensor_hash ON sensor(hash);"
	"CREATE TABLE code(sensor TEXT PRIMARY KEY, hash BLOB NOT NULL, by TEXT NOT NULL, expires_us INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;"
	"CREATE UNIQUE INDEX code_hash ON code(hash);"
	"CREATE TABLE user(name TEXT PRIMARY KEY, hash TEXT NOT NULL, changed_us INTEGER NOT NULL)"
	" STRICT, WITHOUT ROWID;";

/* The file may be older than this. */
static const char schema_sent[] =
	"CREATE TABLE IF NOT EXISTS sent(sensor TEXT PRIMARY KEY, last_us INTEGER NOT NULL, reports INTEGER NOT NULL,"
	" bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/* What is asked with each request is prepared once. */
enum { SQL_TOKEN, SQL_USER, SQL_HAS_SENSORS, SQL_HAS_USERS, SQL_STATE, SQL_SENT, SQL_N };
static const char *const sqls[SQL_N] = {
	"SELECT name, revoked_us FROM sensor WHERE hash = ?1",
	"SELECT hash, changed_us FROM user WHERE name = ?1",
	"SELECT 1 FROM sensor LIMIT 1",
	"SELECT 1 FROM user LIMIT 1",
	"SELECT revoked_us FROM sensor WHERE name = ?1",
	"REPLACE INTO sent VALUES(?1, ?2, ?3, ?4)",
};

struct access {
	sqlite3 *db;
	sqlite3_stmt *stmt[SQL_N];
};

void
access_random(char *out, size_t n)
{
	static const char letters[32] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char bytes[64];

	for (size_t i = 0; i < n; i++) {
		if (i % sizeof bytes == 0 && getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
			fatal("no random numbers: %s", strerror(errno));
		out[i] = letters[bytes[i % sizeof bytes] & 31];
	}
	out[n] = 0;
	explicit_bzero(bytes, sizeof bytes);
}

static int
digest(const char *text, unsigned char out[HASH_BYTES])
{
	return gnutls_hash_fast(GNUTLS_DIG_SHA256, text, strlen(text), out) ? -EIO : 0;
}

int
access_open(struct access **out, const char *database, char *err, size_t size)
{
	struct access *a = calloc(1, sizeof *a);
	char path[DBFILE_PATH_MAX];
	int64_t format = 0;
	int r;

	*out = NULL;
	if (!a) {
		snprintf(err, size, "out of memory");
		return -ENOMEM;
	}
	snprintf(path, sizeof path, "%s.access", database);
	r = dbfile_open(&a->db, path, APPLICATION, FORMAT, &format);
	if (!r && !format)
		r = dbfile_make(a->db, APPLICATION, FORMAT, schema, NULL);
	if (!r)
		r = dbfile_tune(a->db, 256, 1, 0);
	if (!r)
		r = dbfile_check(a->db, 64 << 20);
	if (!r)
		r = dbfile_exec(a->db, schema_sent);
	for (int i = 0; !r && i < SQL_N; i++)
		r = sqlite3_prepare_v3(a->db, sqls[i], -1, SQLITE_PREPARE_PERSISTENT, &a->stmt[i], NULL);
	if (!r) {
		*out = a;
		return 0;
	}
	snprintf(err, size, "database %s: %s; it holds sensors' tokens and users: put back a copy of it, or move it away and "
			    "enrol again", path, r == SQLITE_AUTH ? "not a file of this program, or of a later version"
								  : sqlite3_errmsg(a->db));
	r = dbfile_error(a->db, r);
	access_close(a);
	return r ? r : -EIO;
}

int
access_made(const char *database)
{
	char path[DBFILE_PATH_MAX];

	snprintf(path, sizeof path, "%s.access", database);
	return !access(path, F_OK);
}

void
access_close(struct access *a)
{
	if (!a)
		return;
	for (int i = 0; i < SQL_N; i++)
		sqlite3_finalize(a->stmt[i]);
	sqlite3_close(a->db);
	free(a);
}

/* ---- one statement ---- */

static sqlite3_stmt *
prepare(struct access *a, const char *sql)
{
	sqlite3_stmt *s = NULL;

	sqlite3_prepare_v2(a->db, sql, -1, &s, NULL);
	return s;
}

static void
bind_text(sqlite3_stmt *s, int i, const char *text)
{
	sqlite3_bind_text(s, i, text, -1, SQLITE_TRANSIENT);
}

/* Runs it to its end and drops it: rows that it changed, or -errno. */
static int
run(struct access *a, sqlite3_stmt *s)
{
	int r = s ? sqlite3_step(s) : SQLITE_ERROR;
	int error = dbfile_error(a->db, s ? r : sqlite3_errcode(a->db));

	sqlite3_finalize(s);
	return error ? error : sqlite3_changes(a->db);
}

static int
begin(struct access *a)
{
	return dbfile_error(a->db, dbfile_exec(a->db, "BEGIN IMMEDIATE"));
}

/* Commits when r is 0 or more, else nothing was; gives r, or why it could not. */
static int
end(struct access *a, int r)
{
	int e = r < 0 ? 0 : dbfile_error(a->db, dbfile_exec(a->db, "COMMIT"));

	if (r < 0 || e)
		dbfile_exec(a->db, "ROLLBACK");
	return e ? e : r;
}

/* -ENOSPC when the table has as many rows as it may. */
static int
room(struct access *a, const char *count, int64_t most)
{
	int64_t n = 0;
	int r = dbfile_error(a->db, dbfile_int(a->db, count, &n));

	if (r)
		return r;
	return n < most ? 0 : -ENOSPC;
}

/* Into a row: whose, the hash of what only they have, who gave it, a time.  As run(). */
static int
put_secret(struct access *a, const char *sql, const char *sensor, const unsigned char hash[HASH_BYTES], const char *by,
	   int64_t us)
{
	sqlite3_stmt *s = prepare(a, sql);

	bind_text(s, 1, sensor);
	sqlite3_bind_blob(s, 2, hash, HASH_BYTES, SQLITE_TRANSIENT);
	bind_text(s, 3, by);
	sqlite3_bind_int64(s, 4, us);
	return run(a, s);
}

/* ---- sensors ---- */

int
access_code_new(struct access *a, const char *sensor, const char *by, int64_t now_us, int64_t expires_us,
		char code[ACCESS_CODE_LEN + 1])
{
	unsigned char hash[HASH_BYTES];
	sqlite3_stmt *s;
	int r;

	access_random(code, ACCESS_CODE_LEN);
	r = digest(code, hash);
	if (!r)
		r = begin(a);
	if (r)
		return r;
	s = prepare(a, "DELETE FROM code WHERE expires_us <= ?1 OR sensor = ?2");
	sqlite3_bind_int64(s, 1, now_us);
	bind_text(s, 2, sensor);
	r = run(a, s);
	if (r >= 0)
		r = room(a, "SELECT count(*) FROM code", ACCESS_CODES_MAX);
	if (r >= 0)
		r = put_secret(a, "INSERT INTO code VALUES(?1, ?2, ?3, ?4)", sensor, hash, by, expires_us);
	r = end(a, r);
	return r < 0 ? r : 0;
}

static int
take_code(struct access *a, const unsigned char hash[HASH_BYTES], int64_t now_us, char sensor[ACCESS_NAME_MAX + 1],
	  char by[BY_MAX])
{
	sqlite3_stmt *s = prepare(a, "DELETE FROM code WHERE hash = ?1 RETURNING sensor, by, expires_us");
	int r = -ENOENT, e;

	sqlite3_bind_blob(s, 1, hash, HASH_BYTES, SQLITE_TRANSIENT);
	e = s ? sqlite3_step(s) : SQLITE_ERROR;
	if (e == SQLITE_ROW) {
		snprintf(sensor, ACCESS_NAME_MAX + 1, "%s", (const char *)sqlite3_column_text(s, 0));
		snprintf(by, BY_MAX, "%s", (const char *)sqlite3_column_text(s, 1));
		if (sqlite3_column_int64(s, 2) > now_us)
			r = 0;
		e = sqlite3_step(s);
	}
	if (e != SQLITE_DONE)
		r = dbfile_error(a->db, e);
	sqlite3_finalize(s);
	return r;
}

int
access_enrol(struct access *a, const char *code, int64_t now_us, char sensor[ACCESS_NAME_MAX + 1],
	     char token[ACCESS_TOKEN_LEN + 1])
{
	unsigned char hash[HASH_BYTES], token_hash[HASH_BYTES];
	char by[BY_MAX];
	int r;

	access_random(token, ACCESS_TOKEN_LEN);
	r = digest(code, hash);
	if (!r)
		r = digest(token, token_hash);
	if (!r)
		r = begin(a);
	if (r)
		return r;
	r = take_code(a, hash, now_us, sensor, by);
	if (!r)
		r = room(a, "SELECT count(*) FROM sensor", ACCESS_SENSORS_MAX);
	if (!r)
		r = put_secret(a, "REPLACE INTO sensor VALUES(?1, ?2, ?3, ?4, 0)", sensor, token_hash, by, now_us);
	r = end(a, r);
	return r < 0 ? r : 0;
}

int
access_token(struct access *a, const char *token, char sensor[ACCESS_NAME_MAX + 1])
{
	sqlite3_stmt *s = a->stmt[SQL_TOKEN];
	unsigned char hash[HASH_BYTES];
	int r = -ENOENT, e;

	if (digest(token, hash))
		return -EIO;
	/* An index of hashes is searched: what its time tells is of no use without a pre-image. */
	sqlite3_bind_blob(s, 1, hash, sizeof hash, SQLITE_TRANSIENT);
	e = sqlite3_step(s);
	if (e == SQLITE_ROW) {
		snprintf(sensor, ACCESS_NAME_MAX + 1, "%s", (const char *)sqlite3_column_text(s, 0));
		r = sqlite3_column_int64(s, 1) ? -EACCES : 0;
	} else if (e != SQLITE_DONE) {
		r = dbfile_error(a->db, e);
	}
	sqlite3_reset(s);
	return r;
}

int
access_sensor_state(struct access *a, const char *sensor)
{
	sqlite3_stmt *s = a->stmt[SQL_STATE];
	int r = 0, e;

	bind_text(s, 1, sensor);
	e = sqlite3_step(s);
	if (e == SQLITE_ROW)
		r = sqlite3_column_int64(s, 0) ? -EACCES : 1;
	else if (e != SQLITE_DONE)
		r = dbfile_error(a->db, e);
	sqlite3_reset(s);
	return r;
}

int
access_revoke(struct access *a, const char *sensor, int64_t now_us, int certificates)
{
	int r = begin(a), changed = 0;
	unsigned char hash[HASH_BYTES];
	sqlite3_stmt *s;

	if (r)
		return r;
	s = prepare(a, "DELETE FROM code WHERE sensor = ?1");
	bind_text(s, 1, sensor);
	r = run(a, s);
	if (r >= 0) {
		changed = r;
		s = prepare(a, "UPDATE sensor SET revoked_us = ?2 WHERE name = ?1 AND revoked_us = 0");
		bind_text(s, 1, sensor);
		sqlite3_bind_int64(s, 2, now_us);
		r = run(a, s);
		changed += r > 0;
	}
	if (r >= 0 && certificates) {
		/* A hash that no token has. */
		if (getrandom(hash, sizeof hash, 0) != (ssize_t)sizeof hash)
			r = -EIO;
		else
			r = put_secret(a, "INSERT OR IGNORE INTO sensor VALUES(?1, ?2, ?3, ?4, ?4)", sensor, hash, "certificate", now_us);
		changed += r > 0;
	}
	r = end(a, r);
	return r < 0 ? r : changed > 0;
}

static int
has(struct access *a, int sql)
{
	int r = sqlite3_step(a->stmt[sql]);

	sqlite3_reset(a->stmt[sql]);
	/* A file that cannot be read is taken for one that has something: nobody gets in for that. */
	return r != SQLITE_DONE;
}

int
access_has_sensors(struct access *a)
{
	return has(a, SQL_HAS_SENSORS);
}

int
access_sensors(struct access *a, void (*fn)(void *, const struct access_sensor *), void *arg)
{
	sqlite3_stmt *s = prepare(a, "SELECT name, by, enrolled_us, revoked_us FROM sensor ORDER BY name");
	int r = SQLITE_ERROR;

	while (s && (r = sqlite3_step(s)) == SQLITE_ROW) {
		struct access_sensor one = { (const char *)sqlite3_column_text(s, 0),
					     (const char *)sqlite3_column_text(s, 1), sqlite3_column_int64(s, 2),
					     sqlite3_column_int64(s, 3) };

		fn(arg, &one);
	}
	sqlite3_finalize(s);
	return dbfile_error(a->db, r);
}

/* ---- what they sent ---- */

int
access_sent_put(struct access *a, const struct access_sent *sent)
{
	sqlite3_stmt *s = a->stmt[SQL_SENT];
	int r = dbfile_exec(a->db, "PRAGMA synchronous = NORMAL"), e;

	if (!r) {
		bind_text(s, 1, sent->sensor);
		sqlite3_bind_int64(s, 2, sent->last_us);
		sqlite3_bind_int64(s, 3, sent->reports);
		sqlite3_bind_int64(s, 4, sent->bytes);
		sqlite3_step(s);
		r = sqlite3_reset(s);
	}
	r = dbfile_error(a->db, r);
	e = dbfile_error(a->db, dbfile_exec(a->db, "PRAGMA synchronous = FULL"));
	return r ? r : e;
}

int
access_sent(struct access *a, int most, void (*fn)(void *, const struct access_sent *), void *arg)
{
	sqlite3_stmt *s = prepare(a, "DELETE FROM sent WHERE sensor NOT IN (SELECT sensor FROM sent ORDER BY last_us DESC LIMIT ?1)");
	int r;

	sqlite3_bind_int(s, 1, most);
	r = run(a, s);
	if (r < 0)
		return r;
	s = prepare(a, "SELECT sensor, last_us, reports, bytes FROM sent");
	r = SQLITE_ERROR;
	while (s && (r = sqlite3_step(s)) == SQLITE_ROW) {
		struct access_sent one = { (const char *)sqlite3_column_text(s, 0), sqlite3_column_int64(s, 1),
					   sqlite3_column_int64(s, 2), sqlite3_column_int64(s, 3) };

		fn(arg, &one);
	}
	sqlite3_finalize(s);
	return dbfile_error(a->db, r);
}

/* ---- users ---- */

int
access_user_name_ok(const char *name)
{
	static const char more[] = "._-@0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
	size_t n = strlen(name);

	return n && n <= ACCESS_NAME_MAX && strspn(name, more) == n && !strchr("._-@", name[0]);
}

int
access_user_set(struct access *a, const char *name, const char *hash, int64_t now_us)
{
	sqlite3_stmt *s;
	int r = begin(a);

	if (r)
		return r;
	r = room(a, "SELECT count(*) FROM user", ACCESS_USERS_MAX);
	if (!r) {
		s = prepare(a, "REPLACE INTO user VALUES(?1, ?2, ?3)");
		bind_text(s, 1, name);
		bind_text(s, 2, hash);
		sqlite3_bind_int64(s, 3, now_us);
		r = run(a, s);
	}
	r = end(a, r);
	return r < 0 ? r : 0;
}

int
access_user_remove(struct access *a, const char *name)
{
	sqlite3_stmt *s = prepare(a, "DELETE FROM user WHERE name = ?1");

	bind_text(s, 1, name);
	return run(a, s);
}

int
access_user(struct access *a, const char *name, char hash[ACCESS_PASSWORD_MAX], int64_t *changed_us)
{
	sqlite3_stmt *s = a->stmt[SQL_USER];
	int r = -ENOENT, e;

	bind_text(s, 1, name);
	e = sqlite3_step(s);
	if (e == SQLITE_ROW) {
		if (hash)
			snprintf(hash, ACCESS_PASSWORD_MAX, "%s", (const char *)sqlite3_column_text(s, 0));
		*changed_us = sqlite3_column_int64(s, 1);
		r = 0;
	} else if (e != SQLITE_DONE) {
		r = dbfile_error(a->db, e);
	}
	sqlite3_reset(s);
	return r;
}

int
access_has_users(struct access *a)
{
	return has(a, SQL_HAS_USERS);
}

int
access_users(struct access *a, void (*fn)(void *, const char *, int64_t), void *arg)
{
	sqlite3_stmt *s = prepare(a, "SELECT name, changed_us FROM user ORDER BY name");
	int r = SQLITE_ERROR;

	while (s && (r = sqlite3_step(s)) == SQLITE_ROW)
		fn(arg, (const char *)sqlite3_column_text(s, 0), sqlite3_column_int64(s, 1));
	sqlite3_finalize(s);
	return dbfile_error(a->db, r);
}
