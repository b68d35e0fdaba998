/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * store.h - what the collector keeps, in one SQLite database (WAL, synchronous=FULL): the reports
 * themselves, the ledger of each run of a sensor, rollups that the pages are answered from, and what
 * traces add up to (paths.h).
 * One thread.  intake.c writes, query.c reads.
 *
 * Results: 0 or more, or -ENOSPC (disk or max-bytes full), -EBUSY (held by another program),
 * -EUCLEAN (the file is damaged: store_recover()), -EIO for the rest.
 */
#ifndef STORE_H
#define STORE_H

#include <sqlite3.h>
#include <stdint.h>

#include "paths.h"
#include "report.h"

struct store;

struct store_limits {
	int64_t max_rows;  /* of reports, all types together */
	int64_t max_bytes; /* of pages in use */
};

struct store_sizes {
	int64_t rows;
	int64_t bytes;     /* in use */
	int64_t last_id;   /* of the newest report */
};

/* How long rollups are kept; the API's windows are 1 day at most. */
#define STORE_MINUTES_KEPT_S (26 * 3600)
#define STORE_HOURS_KEPT_S (7 * 86400)
#define STORE_RUNS_MAX 4096
/* Weights (sample_n) above this are taken as this: sums stay far from 2^63. */
#define STORE_WEIGHT_MAX 65536

/* Opens, or makes, the database; a damaged one is moved to PATH.damaged-TIME and a new one begun,
 * with a warning.  ":memory:" works too.  *out is owned by the caller. */
int store_open(struct store **out, const char *path, const struct store_limits *, int64_t now_us);
/* Writes the WAL into the file.  NULL is fine. */
void store_close(struct store *);
void store_set_limits(struct store *, const struct store_limits *);

/* After -EUCLEAN: moves the file aside and begins a new one.  0 or an error as above. */
int store_recover(struct store *, int64_t now_us);

/* One transaction for each batch. */
int store_begin(struct store *);
/* Stores a report once.  1: stored, *id is its number; 0: it was there already. */
int store_add(struct store *, const struct report *, int64_t rx_us, int64_t *id);
/* It is on the disk when this gives 0; after any error nothing of the batch is. */
int store_commit(struct store *);
void store_rollback(struct store *);

/* Removes a few hundred of the oldest rows if a limit is passed, or a minute of old rollups.
 * 1: there is more to remove; 0: all limits hold. */
int store_trim(struct store *, int64_t now_us);

struct store_sizes store_sizes(struct store *);

/* The time that a report counts at: its own, unless the sensor's clock is plainly wrong (ahead of
 * ours, or more than 7 days behind), then that of its receipt. */
int64_t store_at_us(int64_t ts_us, int64_t rx_us);

/* For query.c. */
sqlite3 *store_db(struct store *);
int store_error(sqlite3 *, int code);
const struct paths_counts *store_paths(struct store *);
int64_t store_stored(struct store *, int64_t run, int64_t first);

#endif
