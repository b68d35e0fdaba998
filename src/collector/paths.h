/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * paths.h - what the traces say, as tables: hops and the links between them with their round trip
 * times, targets (the destinations traced), the paths to each, and the changes between paths.  store.c
 * hands over each trace report once, inside its batch's transaction; pathquery.c reads.
 *
 * Each table has a cap; beyond it the row that was used longest ago goes, and is counted.
 */
#ifndef PATHS_H
#define PATHS_H

#include <sqlite3.h>
#include <stdint.h>

#include "report.h"

enum paths_table { PATHS_HOP, PATHS_LINK, PATHS_TARGET, PATHS_PATH, PATHS_CHANGE, PATHS_TABLES };

#define PATHS_HOPS_MAX 20000
#define PATHS_LINKS_MAX 40000
#define PATHS_TARGETS_MAX 10000
#define PATHS_PATHS_MAX 20000
#define PATHS_CHANGES_MAX 20000
/* A database of fewer bytes than this has caps that are as much lower. */
#define PATHS_FULL_BYTES (256 << 20)

struct paths_counts {
	int64_t rows[PATHS_TABLES];
	int64_t evicted[PATHS_TABLES]; /* since the database was made */
};

enum paths_stmt {
	PATHS_HOP_GET, PATHS_HOP_PUT, PATHS_LINK_GET, PATHS_LINK_PUT, PATHS_LINK_REV, PATHS_TARGET_GET, PATHS_TARGET_PUT,
	PATHS_PATH_GET, PATHS_PATH_PUT, PATHS_CHANGE_PUT, PATHS_EVICTED_PUT, PATHS_GONE_TRIM,
	PATHS_EVICT, /* and one for each table */
	PATHS_STMTS = PATHS_EVICT + PATHS_TABLES,
};

struct paths {
	sqlite3 *db;
	sqlite3_stmt *stmt[PATHS_STMTS];
	int64_t max[PATHS_TABLES];
	int64_t rev; /* of the link that changed last: table link_rev */
	struct paths_counts now, committed;
};

/* SQL that makes the tables. */
extern const char paths_schema[];

/* The tables must exist.  0 or an SQLite code; paths_close() takes one that failed. */
int paths_open(struct paths *, sqlite3 *);
void paths_close(struct paths *);

/* max_bytes of the whole database. */
void paths_limit(struct paths *, int64_t max_bytes);

/* A trace report, which counts at at_us.  0 or an SQLite code. */
int paths_add(struct paths *, const struct report *, int64_t at_us);

/* Before COMMIT: writes what was evicted.  0 or an SQLite code. */
int paths_flush(struct paths *);
void paths_committed(struct paths *);
void paths_rolled_back(struct paths *);

/* The database is full: removes a sixteenth of each table.  0 or an SQLite code. */
int paths_trim(struct paths *, int *removed);

#endif
