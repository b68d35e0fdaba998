/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * question.h - one SELECT that may not take long, and its columns as JSON.  What query.c and
 * pathquery.c are written with.
 */
#ifndef QUESTION_H
#define QUESTION_H

#include <sqlite3.h>
#include <stdint.h>

#include "lib/json.h"
#include "store.h"

/* One thread serves all: a question may not hold the reports up longer than this. */
#define QUESTION_US 2000000

/* What is asked of a window.  Sensor NULL or "": of all. */
struct ask {
	int64_t window_s, until_us, limit;
	const char *sensor;
	int64_t port, asn; /* -1: of all */
	const char *cc;    /* NULL: of all */
};

struct question {
	struct store *store;
	sqlite3 *db;
	sqlite3_stmt *stmt; /* bind between open and the first next */
	int64_t until_us;
	int code;           /* of the last step */
};

/* Ends with question_close(), even when it failed.  0 or an SQLite code.  The newest one open has
 * the clock. */
int question_open(struct question *, struct store *, const char *sql);
/* The same of the reports of one day (days.h). */
int question_open_day(struct question *, struct store *, size_t day, const char *sql);
/* 1: there is a row. */
int question_next(struct question *);
/* For the next turn with other values. */
void question_again(struct question *);
/* 0, -EBUSY when it took longer than QUESTION_US, or another error of store.h. */
int question_close(struct question *);

/* The number that rollups have for a sensor: -1 for all of them, INT64_MAX for one that is none.  In SQL:
 * QUESTION_SENSOR, behind a window's ten numbers. */
int64_t question_sensor(struct store *, const char *name);
#define QUESTION_SENSOR "AND (?11 < 0 OR sensor = ?11)"

/* A word of a list of report.h; nothing when i is below 0. */
void question_word(struct json *, const char *name, const char *words, int64_t i);
/* Nothing when v is below 0. */
void question_known(struct json *, const char *name, int64_t v);
/* Text of a column that we checked when it came in: addresses, names of sensors. */
void question_text(struct json *, const char *name, sqlite3_stmt *, int i);
/* A column that is JSON; nothing when it is NULL. */
void question_json(struct json *, const char *name, sqlite3_stmt *, int i);
/* A time in microseconds; nothing when it is NULL. */
void question_time(struct json *, const char *name, sqlite3_stmt *, int i);
/* -1 when it is NULL. */
int64_t question_number(sqlite3_stmt *, int i);

/* Enough room for one more entry of any list? */
int question_room(const struct json *);

#endif
