/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rollup.h - numbers by minute, hour and day, each by sensor: of connections for each destination, port and
 * protocol, with histograms of both halves' round trip times (`rollup`); of attempts for each source
 * (`knock`) and each port (`door`); of all together (`total`).  All pages are answered from them.  store.c hands over each report once, inside its
 * batch's transaction; window.h says which rows make a window.
 */
#ifndef ROLLUP_H
#define ROLLUP_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

struct rollup_sample;
struct rollup_door;

enum rollup_table { ROLLUP_DESTINATIONS, ROLLUP_SOURCES, ROLLUP_PORTS, ROLLUP_TOTALS, ROLLUP_TABLES };

enum rollup_stmt {
	ROLLUP_PUT, ROLLUP_KNOCK, ROLLUP_DOOR, ROLLUP_TOTAL,
	ROLLUP_FOLD,                                         /* and the next: one for each table */
	ROLLUP_WAITING = ROLLUP_FOLD + ROLLUP_TABLES, ROLLUP_NEXT, ROLLUP_FOLDED, ROLLUP_FOLDED_PUT,
	ROLLUP_OLDEST,
	ROLLUP_TRIM = ROLLUP_OLDEST + ROLLUP_TABLES,
	ROLLUP_COUNT = ROLLUP_TRIM + ROLLUP_TABLES,          /* of all tables but the last */
	ROLLUP_LONG = ROLLUP_COUNT + ROLLUP_TOTALS,
	ROLLUP_REST = ROLLUP_LONG + ROLLUP_TOTALS,
	ROLLUP_CUT = ROLLUP_REST + ROLLUP_TOTALS,
	ROLLUP_UNCUT = ROLLUP_CUT + ROLLUP_TOTALS, ROLLUP_UNCUT_PUT,
	ROLLUP_STMTS,
};

struct rollup {
	sqlite3 *db;
	sqlite3_stmt *stmt[ROLLUP_STMTS];
	struct rollup_sample *sample; /* of the batch at hand */
	size_t n;
	struct rollup_door *door;     /* the same of ports knocked at */
	size_t n_doors;
	int64_t folded;               /* seconds; -1: to be asked of the file */
	int64_t room;                 /* rows that there is a place for: rollup_room() */
	int held;                     /* minutes are over and not folded, for want of room */
	int64_t merged;               /* rows that became part of the rest before their time, since it was opened */
};

/* Bytes that a new row may take, of a file with many. */
#define ROLLUP_ROW_BYTES 200

/* Rows of an hour and of a day that are kept once it is over: the busiest; the others become one a sensor,
 * whose address is "", or port -1. */
#define ROLLUP_HOUR_ROWS 3000
#define ROLLUP_DAY_ROWS 500

/* SYNs sent again of one report that count: no stack sends as many, and sums of what a sensor makes up stay numbers. */
#define ROLLUP_RETRANS_MAX 65535
int64_t rollup_retrans(int64_t told);

/* SQL that makes the tables; that of sources alone, for upgrade.c. */
extern const char rollup_schema[];
extern const char rollup_schema_knock[];

/* The tables must exist.  0 or an SQLite code; rollup_close() takes one that failed. */
int rollup_open(struct rollup *, sqlite3 *);
void rollup_close(struct rollup *);

/* A conn or attempt report, which counts at at_us, `weight` times.  0 or an SQLite code. */
int rollup_add(struct rollup *, const struct report *, int64_t sensor, int64_t at_us, int64_t weight);
/* Before COMMIT.  0 or an SQLite code. */
int rollup_flush(struct rollup *);
void rollup_forget(struct rollup *);
/* So many bytes may be written from here on.  What there is no place for counts with the rest, so that sums stay right. */
void rollup_room(struct rollup *, int64_t bytes);

/* Folds the minutes before `minute` (seconds) into their hours and days; flush does it too, when a later one
 * begins; as far as there is room: `held` says that there was none.  0 or an SQLite code. */
int rollup_fold(struct rollup *, int64_t minute);
/* Hours and days hold what is before this (seconds), minutes alone what is not. */
int64_t rollup_folded(struct rollup *);

/* Removes the oldest `n` minutes (span 60), hours (3600) or days (86400) of a table that began before `before_s`;
 * *more: there were some; *gone grows by their rows.  0 or an SQLite code. */
int rollup_trim(struct rollup *, enum rollup_table, int span, int n, int64_t before_s, int *more, int64_t *gone);
/* For want of room: keeps the `keep` busiest rows of the first minute, hour or day from `from_s` on, and before
 * `until_s`, that has more than twice as many; *more: there was one.  0 or an SQLite code. */
int rollup_squeeze(struct rollup *, int span, int64_t from_s, int64_t until_s, int64_t keep, int *more);
/* When the oldest total of a span begins; INT64_MAX: there is none.  0 or an SQLite code. */
int rollup_oldest(struct rollup *, int span, int64_t *at_s);
/* Where the hours or days begin that were not cut.  0 or an SQLite code. */
int rollup_uncut(struct rollup *, int span, int64_t *at_s);
/* Keeps the busiest rows of the next hour or day that is over; *more: there was one.  0 or an SQLite code. */
int rollup_cut(struct rollup *, int span, int *more);

#endif
