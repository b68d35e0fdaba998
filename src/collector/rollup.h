/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rollup.h - numbers by minute and hour, for each destination, port, protocol and sensor, with a histogram
 * of round trip times; and totals by minute.  All pages are answered from them.  store.c hands over
 * each report once, inside its batch's transaction; query.c reads.
 */
#ifndef ROLLUP_H
#define ROLLUP_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

struct rollup_sample;

enum rollup_stmt {
	ROLLUP_GET, ROLLUP_PUT, ROLLUP_MINUTE_GET, ROLLUP_MINUTE_PUT,
	ROLLUP_OLDEST, ROLLUP_TRIM, ROLLUP_MINUTE_TRIM,
	ROLLUP_STMTS,
};

struct rollup {
	sqlite3 *db;
	sqlite3_stmt *stmt[ROLLUP_STMTS];
	struct rollup_sample *sample; /* of the batch at hand */
	size_t n;
};

/* SQL that makes the tables. */
extern const char rollup_schema[];

/* The tables must exist.  0 or an SQLite code; rollup_close() takes one that failed. */
int rollup_open(struct rollup *, sqlite3 *);
void rollup_close(struct rollup *);

/* A conn or attempt report, which counts at at_us, `weight` times.  0 or an SQLite code. */
int rollup_add(struct rollup *, const struct report *, int64_t sensor, int64_t at_us, int64_t weight);
/* Before COMMIT.  0 or an SQLite code. */
int rollup_flush(struct rollup *);
void rollup_forget(struct rollup *);

/* Removes the oldest minute (span 60) or hour (3600), if it began before `before_s`; *more: it did.  0 or an
 * SQLite code. */
int rollup_trim(struct rollup *, int span, int64_t before_s, int *more);
/* And all totals before. */
int rollup_trim_totals(struct rollup *, int64_t before_s);

#endif
