/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * store.h - what the collector keeps.  The main SQLite file has what pages are answered from: the ledger of
 * each run (runs.h), rollups (rollup.h), and what traces add up to (paths.h).  The reports themselves are in
 * a file for each day (days.h).  One thread.  intake.c writes, query.c reads.
 *
 * A batch is committed to the files of days first, which waits for the disk; then to the main file, which
 * does not: if it falls behind, through a crash or a file that had to be made anew, it takes what it lacks
 * from the reports.  Everything in it is made from reports and can be made again.
 *
 * Results: 0 or more, or -ENOSPC (disk or max-bytes full), -EBUSY (held by another program),
 * -EUCLEAN (a file is damaged: store_recover()), -EIO for the rest.
 */
#ifndef STORE_H
#define STORE_H

#include <sqlite3.h>
#include <stdint.h>

#include "addrinfo.h"
#include "days.h"
#include "paths.h"
#include "report.h"

#define STORE_APPLICATION 0x6e67617a /* "ngaz": the main file's application_id */

struct store;

struct store_limits {
	int64_t max_rows;  /* of reports, all types together */
	int64_t max_bytes; /* of pages in use */
	int64_t days;      /* UTC days that reports are kept, the running one included */
};

struct store_sizes {
	int64_t rows;
	int64_t bytes;      /* in use */
	int64_t main_bytes; /* of these, in the main file */
	int64_t last_id;    /* of the newest report */
	int64_t removed;    /* reports, for want of room and before their days were over, since it was opened */
	int64_t rollups_removed; /* rows, for the same, since then */
	int64_t rollups_merged;  /* rows that count with the rest, for the same */
	int64_t short_first_us, short_last_us; /* when one of these grew; 0: none did */
	unsigned damaged;   /* files that were moved aside and still lie there */
};

/* How long rollups are kept: minutes, and days.  Hours stay as long as reports. */
#define STORE_MINUTES_KEPT_S (26 * 3600)
#define STORE_DAYS_KEPT_S (366 * 86400)
/* Weights (sample_n) above this are taken as this: sums stay far from 2^63. */
#define STORE_WEIGHT_MAX 65536

/* Opens, or makes, the database; a damaged file of it is moved to PATH.damaged-TIME, with a warning, and the
 * rest goes on.  ":memory:" works too.  *out is owned by the caller. */
int store_open(struct store **out, const char *path, const struct store_limits *, int64_t now_us);
/* Writes the WALs into the files.  NULL is fine. */
void store_close(struct store *);
void store_set_limits(struct store *, const struct store_limits *);
struct store_limits store_limits(const struct store *);

/* After -EUCLEAN: moves the file that it was found in aside.  0 or an error as above. */
int store_recover(struct store *, int64_t now_us);
/* That file, for store_recover(): one of a day, or else the main file. */
void store_blame(struct store *, sqlite3 *);

/* Reports come one type after another, so that each leaves gaps that a later one fills: they are remembered, as far as
 * max_bytes goes. */
void store_import(struct store *);

/* One transaction for each batch. */
int store_begin(struct store *);
/* Stores a report once.  1: stored, *id is its number; 0: it was there already. */
int store_add(struct store *, const struct report *, int64_t rx_us, int64_t *id);
/* Of the report that was there already: it is newer than all that is stored of its run, so it is not the
 * one that has its number. */
int store_rewound(const struct store *, const struct report *);
/* It is on the disk when this gives 0; after any error nothing of the batch is, or, when the main file alone
 * failed, the next batch finds it there. */
int store_commit(struct store *);
void store_rollback(struct store *);

/* Removes a day, or a few hundred of the oldest rows, if a limit is passed, or a minute of old rollups.  After a batch
 * that found no room it makes some.
 * 1: there is more to remove; 0: all limits hold. */
int store_trim(struct store *, int64_t now_us);

struct store_sizes store_sizes(struct store *);
/* Of the newest report: the part of it that costs nothing. */
int64_t store_last_id(const struct store *);

/* For query.c and its like.  Folded: see rollup.h.  Lost: totals of minutes (span 60) or hours (3600) were removed up
 * to here (seconds), for want of room. */
int64_t store_folded(struct store *);
int64_t store_lost(const struct store *, int span);
sqlite3 *store_db(struct store *);
struct days *store_days(struct store *);
const struct paths_counts *store_paths(struct store *);
struct addrinfo_table *store_addrs(struct store *);
int64_t store_stored(struct store *, int64_t run, int64_t first);

#endif
