/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * days.h - the reports themselves, as they came: one SQLite file for each UTC day of receipt, in the folder
 * DATABASE.d.  A day is forgotten by removing its file.  store.c writes, query.c reads.
 *
 * A report is on the disk when its day's file is: what the main file has beyond that (numbers, rollups,
 * paths) is made from it, and can be made again.
 */
#ifndef DAYS_H
#define DAYS_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

#define DAYS_US (86400 * 1000000LL)
#define DAYS_APPLICATION 0x6e676179 /* "ngay" */
/* "2026-11-21.db" */
#define DAYS_NAME_LEN 13

struct days;

/* What is known of a day without opening its file. */
struct day {
	int64_t day;       /* since 1970 */
	int64_t first_id;  /* of its reports; INT64_MAX when it has none */
	int64_t last_id;   /* 0 */
	int64_t rows;
	int64_t first_us, last_us; /* when the first and the last were received */
	int64_t bytes;     /* of the file */
};

/* The time that a report counts at: its own, unless the sensor's clock is plainly wrong (ahead of
 * ours, or more than 7 days behind), then that of its receipt. */
int64_t days_at_us(int64_t ts_us, int64_t rx_us);

/* Makes the folder and looks at each file; one that is damaged is moved aside.  ":memory:" has no files.  0 or
 * an error of store.h, said in the log. */
int days_open(struct days **, const char *database, int64_t now_us);
void days_close(struct days *);
/* Whether there is a file of a day. */
int days_any(const char *database);

/* Oldest first. */
size_t days_n(const struct days *);
const struct day *days_at(const struct days *, size_t i);
/* The first that can hold reports which count at at_us or later; days_n() when none can. */
size_t days_from(const struct days *, int64_t at_us);

/* Its file, opened if need be; NULL: *code says why.  Stays open until days_rest(). */
sqlite3 *days_db(struct days *, size_t i, int *code);

/* A report into the day of rx_us; begins that file's transaction if need be.  0 or an SQLite code;
 * *db: whose, for dbfile_error(). */
int days_add(struct days *, const struct report *, int64_t id, int64_t at_us, int64_t rx_us, int64_t weight,
	     sqlite3 **db);
int days_commit(struct days *, sqlite3 **db);
void days_rollback(struct days *);

/* Files may be `bytes` long together; what goes beyond is refused with SQLITE_FULL. */
void days_limit(struct days *, int64_t bytes);
int64_t days_rows(const struct days *);
/* Bytes of pages in use in the files that are written, of all pages in the others. */
int64_t days_bytes(struct days *);
/* The last number given to a report that is there. */
int64_t days_last_id(const struct days *);

/* Removes the oldest day's file, unless it is the newest too.  1: done; 0: it is the only one; -errno. */
int days_drop_oldest(struct days *);
/* Removes the n oldest reports, a day's file with its last one.  0 or an SQLite code; *removed: how many. */
int days_trim(struct days *, int64_t n, int64_t *removed, sqlite3 **db);
/* Files that stay open without being written. */
#define DAYS_IDLE 3
/* Closes the others, those first that were asked for longest ago. */
void days_rest(struct days *);

/* Whether this is one of our files. */
int days_has(const struct days *, const sqlite3 *);
/* Moves that file aside. */
int days_aside(struct days *, const sqlite3 *, int64_t now_us);
/* Files that lie in the folder, moved aside at one time or another. */
unsigned days_damaged(const struct days *);

/* For upgrade.c: an empty file for a day, in place of what there may be.  An SQLite code. */
int days_make(const char *database, int64_t day);
/* For export.c and upgrade.c. */
void days_path(char *out, size_t size, const char *database, int64_t day);
/* "2026-11-21.db" to a day, or -1. */
int64_t days_of_name(const char *name);
void days_name(char out[DAYS_NAME_LEN + 1], int64_t day);

#endif
