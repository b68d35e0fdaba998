/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * window.h - which rows of the rollups (rollup.h) make a window of time.  Minutes are kept for a day and a bit,
 * hours as long as reports, days for a year; hours and days hold what is older than the running minute
 * (rollup.c folds each minute into them once it is over).  So a window is at most two stretches of minutes,
 * two of hours and one of days, which together count everything once:
 *
 *	question_open(&q, s, WINDOW("dst_ip, conns", "rollup", ""));
 *	window_bind(q.stmt, &w);        (?1 to ?10; `more` may use ?11 and up: "AND sensor = ?11")
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <sqlite3.h>
#include <stdint.h>

#include "lib/json.h"
#include "store.h"

struct question;

/* Of one answer's series. */
#define WINDOW_POINTS_MAX 60
/* What the API takes: a year. */
#define WINDOW_MIN_S 60
#define WINDOW_MAX_S 31622400

#define WINDOW_STRETCHES 5

struct window {
	int64_t window_s;         /* as asked */
	int64_t from_s, until_s;  /* what it really is: whole minutes, or hours, or days */
	int64_t width_s, points;  /* of a series: point i begins at from_s + i * width_s */
	struct { int64_t span, from_s, until_s; } part[WINDOW_STRETCHES];
};

/* Whole minutes, so many seconds, up to until_us; the minute that it is within, or that is running, counts. */
void window_minutes(int64_t window_s, int64_t until_us, int64_t *from_s, int64_t *until_s);
/* These minutes, or the hours or days that they are in where minutes are no longer kept: the window that ends where
 * this one begins shares nothing with it.  `exact`: its parts are no longer than a point of its series; else no
 * longer than makes it quick. */
struct window window_of(struct store *, int64_t window_s, int64_t until_us, int exact);
/* The one before it: as long, or longer where it begins within an hour or a day. */
struct window window_before(struct store *, const struct window *);

#define WINDOW_PART(columns, table, span, from, until, more) \
	"SELECT " columns " FROM " table " WHERE span = " span " AND at >= " from " AND at < " until " " more
/* A SELECT over all parts of a table that begins with span and at. */
#define WINDOW(columns, table, more) \
	WINDOW_PART(columns, table, "60", "?1", "?2", more) " UNION ALL " \
	WINDOW_PART(columns, table, "3600", "?3", "?4", more) " UNION ALL " \
	WINDOW_PART(columns, table, "86400", "?5", "?6", more) " UNION ALL " \
	WINDOW_PART(columns, table, "3600", "?7", "?8", more) " UNION ALL " \
	WINDOW_PART(columns, table, "60", "?9", "?10", more)
/* *known: reports of its time, or earlier, were counted.  0 or an error of store.h. */
int window_known(struct store *, const struct window *, int *known);
/* How many minutes, hours and days it is. */
int64_t window_rows(const struct window *);
/* Begins an answer: window_s, from_ts, until_ts. */
void window_put(struct json *, const struct window *);
void window_put_ends(struct json *, const struct window *); /* without window_s */
void window_bind(sqlite3_stmt *, const struct window *);

/* What is known of the blocks of a day's file (blocks.h), to be closed; and whether one of them may hold reports of the
 * window with this term. */
void window_blocks(struct question *blocks, struct store *, size_t day);
int window_may_hold(const struct window *, struct question *blocks, int64_t block, uint32_t term);

#endif
