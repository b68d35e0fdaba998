/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * addrinfo.c - the table `addr`, and its rows as fields of an answer.
 */
#include "addrinfo.h"

#include <stdio.h>
#include <string.h>

#include "column.h"
#include "dbfile.h"
#include "lib/addr.h"
#include "names.h"
#include "text.h"

/* generation: of the databases that were asked, NULL: none was.  name: NULL with a name_until_us in the future says
 * that there is none.  No upgrade makes this table: it is here for a file of any format. */
static const char schema[] =
	"CREATE TABLE IF NOT EXISTS addr ("
	"  ip TEXT PRIMARY KEY, cc TEXT, asn INTEGER, as_org TEXT, city TEXT, lat REAL, lon REAL, name TEXT,"
	"  looked_us INTEGER NOT NULL, generation INTEGER, name_until_us INTEGER) WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS addr_looked ON addr (looked_us)";

static const char *const sql[ADDRINFO_STMTS] = {
	[ADDRINFO_GET] = "SELECT cc, asn, as_org, city, lat, lon, name FROM addr WHERE ip = ?1",
	[ADDRINFO_PUT_GEO] = "INSERT INTO addr (ip, cc, asn, as_org, city, lat, lon, generation, looked_us)"
			     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (ip) DO UPDATE SET"
			     " cc = excluded.cc, asn = excluded.asn, as_org = excluded.as_org, city = excluded.city,"
			     " lat = excluded.lat, lon = excluded.lon, generation = excluded.generation,"
			     " looked_us = excluded.looked_us",
	[ADDRINFO_PUT_NAME] = "INSERT INTO addr (ip, name, name_until_us, looked_us) VALUES (?1, ?2, ?3, ?4)"
			      " ON CONFLICT (ip) DO UPDATE SET name = excluded.name,"
			      " name_until_us = excluded.name_until_us, looked_us = excluded.looked_us",
	[ADDRINFO_STATE] = "SELECT generation, name_until_us FROM addr WHERE ip = ?1",
	[ADDRINFO_EVICT] = "DELETE FROM addr WHERE ip IN (SELECT ip FROM addr ORDER BY looked_us LIMIT ?1)",
};

int
addrinfo_open(struct addrinfo_table *t, sqlite3 *db)
{
	int r;

	t->db = db;
	if (!t->max)
		t->max = ADDRINFO_MAX;
	r = dbfile_exec(db, schema);
	for (int i = 0; i < ADDRINFO_STMTS && !r; i++)
		r = sqlite3_prepare_v3(db, sql[i], -1, SQLITE_PREPARE_PERSISTENT, &t->stmt[i], NULL);
	return r ? r : addrinfo_count(t, &t->rows);
}

int
addrinfo_count(struct addrinfo_table *t, int64_t *n)
{
	return dbfile_int(t->db, "SELECT count(*) FROM addr", n);
}

void
addrinfo_close(struct addrinfo_table *t)
{
	for (int i = 0; i < ADDRINFO_STMTS; i++) {
		sqlite3_finalize(t->stmt[i]);
		t->stmt[i] = NULL;
	}
	t->db = NULL;
}

void
addrinfo_limit(struct addrinfo_table *t, int64_t max_bytes)
{
	t->max = max_bytes >= ADDRINFO_FULL_BYTES ? ADDRINFO_MAX : ADDRINFO_MAX * max_bytes / ADDRINFO_FULL_BYTES;
	if (t->max < 16)
		t->max = 16;
}

/* ---- to answers ---- */

void
addrinfo_text(struct json *j, const char *name, const char *text)
{
	char out[6 * ADDRINFO_NAME_LEN + 3], *p = out;

	if (!text || !*text || strlen(text) > ADDRINFO_NAME_LEN || text_utf8(text, strlen(text)) < 0)
		return;
	*p++ = '"';
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 127) {
			p += snprintf(p, 7, "\\u%04x", (unsigned char)*text);
			continue;
		}
		if (*text == '"' || *text == '\\')
			*p++ = '\\';
		*p++ = *text;
	}
	*p++ = '"';
	json_raw(j, name, out, (size_t)(p - out));
}

static void
copy(char *out, size_t size, sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	snprintf(out, size, "%s", text && strlen(text) < size ? text : "");
}

int
addrinfo_find(struct addrinfo_table *t, const char *ip, struct addrinfo_facts *f)
{
	sqlite3_stmt *stmt = t->stmt[ADDRINFO_GET];
	const char *home;
	uint8_t ipv, addr[16];
	int found = 0;

	*f = (struct addrinfo_facts){ .asn = 0 };
	if (!stmt || !ip)
		return 0;
	column_bind_text(stmt, 1, ip);
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		copy(f->cc, sizeof f->cc, stmt, 0);
		f->asn = (uint32_t)sqlite3_column_int64(stmt, 1);
		copy(f->as_org, sizeof f->as_org, stmt, 2);
		copy(f->city, sizeof f->city, stmt, 3);
		f->placed = sqlite3_column_type(stmt, 4) == SQLITE_FLOAT && sqlite3_column_type(stmt, 5) == SQLITE_FLOAT;
		f->lat = sqlite3_column_double(stmt, 4);
		f->lon = sqlite3_column_double(stmt, 5);
		copy(f->name, sizeof f->name, stmt, 6);
		found = 1;
	}
	sqlite3_reset(stmt);
	if (!f->name[0] && t->names && t->names->n && !addr_parse(&ipv, addr, ip) &&
	    (home = names_find(t->names, ipv, addr))) {
		snprintf(f->name, sizeof f->name, "%s", home);
		found = 1;
	}
	return found;
}

void
addrinfo_put(struct json *j, const char *prefix, const struct addrinfo_facts *f)
{
	char name[40];
	int n = snprintf(name, sizeof name - 8, "%s%s", prefix, *prefix ? "_" : "");
	char *end = name + n;

	if (n < 0 || (size_t)n >= sizeof name - 8)
		return;
	memcpy(end, "name", 5);
	addrinfo_text(j, name, f->name);
	memcpy(end, "cc", 3);
	addrinfo_text(j, name, f->cc);
	memcpy(end, "asn", 4);
	if (f->asn)
		json_uint(j, name, f->asn);
	memcpy(end, "as_org", 7);
	addrinfo_text(j, name, f->as_org);
	memcpy(end, "city", 5);
	addrinfo_text(j, name, f->city);
}

void
addrinfo_add(struct addrinfo_table *t, struct json *j, const char *prefix, const char *ip)
{
	struct addrinfo_facts f;

	if (addrinfo_find(t, ip, &f))
		addrinfo_put(j, prefix, &f);
}

/* ---- from answers ---- */

int
addrinfo_state(struct addrinfo_table *t, const char *ip, int64_t *generation, int64_t *name_until_us)
{
	sqlite3_stmt *stmt = t->stmt[ADDRINFO_STATE];
	int r;

	*generation = *name_until_us = 0;
	column_bind_text(stmt, 1, ip);
	r = sqlite3_step(stmt);
	if (r == SQLITE_ROW) {
		*generation = sqlite3_column_int64(stmt, 0);
		*name_until_us = sqlite3_column_int64(stmt, 1);
		r = SQLITE_DONE;
	}
	sqlite3_reset(stmt);
	return r == SQLITE_DONE ? SQLITE_OK : r;
}

int
addrinfo_begin(struct addrinfo_table *t)
{
	return dbfile_exec(t->db, "BEGIN IMMEDIATE");
}

static void
bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
	if (*text)
		column_bind_text(stmt, i, text);
	else
		sqlite3_bind_null(stmt, i);
}

static int
step(sqlite3_stmt *stmt)
{
	int r = sqlite3_step(stmt);

	sqlite3_reset(stmt);
	return r == SQLITE_DONE ? SQLITE_OK : r;
}

int
addrinfo_take(struct addrinfo_table *t, const char *ip, const struct addrinfo_facts *f, int64_t generation,
	      int64_t now_us)
{
	sqlite3_stmt *stmt = t->stmt[ADDRINFO_PUT_GEO];

	column_bind_text(stmt, 1, ip);
	bind_text(stmt, 2, f->cc);
	sqlite3_bind_null(stmt, 3);
	if (f->asn)
		sqlite3_bind_int64(stmt, 3, f->asn);
	bind_text(stmt, 4, f->as_org);
	bind_text(stmt, 5, f->city);
	sqlite3_bind_null(stmt, 6);
	sqlite3_bind_null(stmt, 7);
	if (f->placed) {
		sqlite3_bind_double(stmt, 6, f->lat);
		sqlite3_bind_double(stmt, 7, f->lon);
	}
	sqlite3_bind_int64(stmt, 8, generation);
	sqlite3_bind_int64(stmt, 9, now_us);
	t->rows++;
	return step(stmt);
}

int
addrinfo_take_name(struct addrinfo_table *t, const char *ip, const char *name, int64_t until_us, int64_t now_us)
{
	sqlite3_stmt *stmt = t->stmt[ADDRINFO_PUT_NAME];

	column_bind_text(stmt, 1, ip);
	bind_text(stmt, 2, name);
	sqlite3_bind_int64(stmt, 3, until_us);
	sqlite3_bind_int64(stmt, 4, now_us);
	t->rows++;
	return step(stmt);
}

/* `rows` counts each that was taken as a new one, and is right again when they are counted. */
static int
make_room(struct addrinfo_table *t)
{
	sqlite3_stmt *stmt = t->stmt[ADDRINFO_EVICT];
	int r = 0;

	if (t->rows > t->max)
		r = addrinfo_count(t, &t->rows);
	if (r || t->rows <= t->max)
		return r;
	sqlite3_bind_int64(stmt, 1, t->rows - t->max + t->max / 16);
	r = step(stmt);
	if (!r) {
		t->evicted += (uint64_t)sqlite3_changes(t->db);
		t->rows -= sqlite3_changes(t->db);
	}
	return r;
}

int
addrinfo_end(struct addrinfo_table *t, int code)
{
	if (!code)
		code = make_room(t);
	if (!code)
		code = dbfile_exec(t->db, "COMMIT");
	if (code && !sqlite3_get_autocommit(t->db))
		dbfile_exec(t->db, "ROLLBACK");
	return code;
}
