/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * dbfile.h - one SQLite file: opened so that what is in it is not trusted, looked at for damage, moved
 * aside when it has some.  Of the main file (store.c) and the files of days (days.c).
 */
#ifndef DBFILE_H
#define DBFILE_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#define DBFILE_PAGE_BYTES 4096
#define DBFILE_PATH_MAX 4300

/* 0, or the error of store.h that an SQLite code is. */
int dbfile_error(sqlite3 *, int code);

/* Opens, or makes, a file of ours.  *format: its user_version, 0 when it is new and empty.  An SQLite code;
 * SQLITE_AUTH: it is somebody else's, or of a later format than `newest`.  *db must be closed whatever it
 * gives. */
int dbfile_open(sqlite3 **db, const char *path, int32_t application, int64_t newest, int64_t *format);
/* For reading beside the program that writes it. */
int dbfile_open_read(sqlite3 **db, const char *path, int32_t application);

/* Tables of a new file, in one transaction; WAL from then on.  An SQLite code. */
int dbfile_make(sqlite3 *, int32_t application, int64_t format, const char *schema, const char *more);

/* WAL, which is short when the database may not have many bytes; the cache's size; whether a commit waits for the disk. */
int dbfile_tune(sqlite3 *, int cache_kib, int full_sync, int64_t max_bytes);

/* SQLITE_OK, or SQLITE_CORRUPT when a look at all pages finds damage.  SQLite cannot be stopped in that, so a file
 * of more than `max_bytes` is not looked at: what is wrong with it shows when it is used. */
int dbfile_check(sqlite3 *, int64_t max_bytes);

/* SQLite codes. */
int dbfile_exec(sqlite3 *, const char *sql);
/* The first number that a SELECT gives; 0 when there is none. */
int dbfile_int(sqlite3 *, const char *sql, int64_t *out);

/* Of pages in use, and of all. */
int64_t dbfile_bytes(sqlite3 *);
int64_t dbfile_bytes_all(sqlite3 *);
void dbfile_set_max(sqlite3 *, int64_t bytes);

/* A file, its WAL and its index get one new name, PATH.damaged-TIME, said in the log.  0 or -errno. */
int dbfile_aside(const char *path, int64_t now_us);
/* How many of this path lie there. */
unsigned dbfile_count_aside(const char *path);
/* Removes all three.  0 or -errno. */
int dbfile_remove(const char *path);

#endif
