/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * runs.h - the ledger: one row for each run (a boot of a sensor), with what was stored of it, and which
 * sequence numbers those were (seqs.h).  store.c asks it whether a report is new.
 */
#ifndef RUNS_H
#define RUNS_H

#include <sqlite3.h>
#include <stdint.h>

#include "report.h"
#include "seqs.h"

#define RUNS_MAX 4096

enum runs_stmt {
	RUNS_FIND, RUNS_NEW, RUNS_SENSOR_NEW, RUNS_UPDATE, RUNS_STAT, RUNS_OLDEST, RUNS_SENSOR_DROP, RUNS_DROP,
	RUNS_SEQS_DROP,
	RUNS_STMTS,
};

struct runs {
	sqlite3 *db;
	sqlite3_stmt *stmt[RUNS_STMTS];
	struct seqs seqs;
	/* The run at work in this batch. */
	int64_t id;        /* 0: none */
	int64_t sensor_id; /* of the table sensor */
	int64_t seq_first, stat_seq;
	int64_t seq_max, last_ts_us, rx_us;
	int64_t newest_us; /* of all its reports, those of this batch among them */
	int64_t types[REPORT_TYPES];
	char sensor[65], boot[9];
};

/* SQL that makes the tables; that of sensors alone, for upgrade.c. */
extern const char runs_schema[];
extern const char runs_schema_sensor[];

/* The tables must exist.  0 or an SQLite code; runs_close() takes one that failed. */
int runs_open(struct runs *, sqlite3 *);
void runs_close(struct runs *);

/* 1: a new report, its run is the one at work; 0: it was stored before; else -(SQLite code). */
int runs_take(struct runs *, const struct report *, int64_t rx_us);
/* Counts the report that was taken last.  0 or an SQLite code. */
int runs_count(struct runs *, const struct report *);
/* Before COMMIT.  0 or an SQLite code. */
int runs_flush(struct runs *);
/* After ROLLBACK, and before a batch. */
void runs_forget(struct runs *);

#endif
