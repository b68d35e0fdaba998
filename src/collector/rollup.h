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
	ROLLUP_ANY = ROLLUP_FOLD + ROLLUP_TABLES, ROLLUP_FOLDED, ROLLUP_FOLDED_PUT,
	ROLLUP_OLDEST,
	ROLLUP_TRIM = ROLLUP_OLDEST + ROLLUP_TABLES,
	ROLLUP_COUNT = ROLLUP_TRIM + ROLLUP_TABLES,          /* of all tables but the last */
	ROLLUP_REST = ROLLUP_COUNT + ROLLUP_TOTALS,
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
};

/* Rows of an hour and of a day that are kept once it is over: the busiest; the others become one a sensor,
 * whose address is "", or port -1. */
#define ROLLUP_HOUR_ROWS 3000
#define ROLLUP_DAY_ROWS 500

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

/* Folds the minutes before `minute` (seconds) into their hours and days; flush does it too, when a later one
 * begins.  0 or an SQLite code. */
int rollup_fold(struct rollup *, int64_t minute);
/* Hours and days hold what is before this (seconds), minutes alone what is not. */
int64_t rollup_folded(struct rollup *);

/* Removes some of the oldest minutes (span 60), hours (3600) or days (86400) of a table that began before `before_s`;
 * *more: there were some.  0 or an SQLite code. */
int rollup_trim(struct rollup *, enum rollup_table, int span, int64_t before_s, int *more);
/* Keeps the busiest rows of the next hour or day that is over; *more: there was one.  0 or an SQLite code. */
int rollup_cut(struct rollup *, int span, int *more);

#endif
