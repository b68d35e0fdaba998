/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * seqs.h - which sequence numbers of a run (one boot of one sensor) are stored, as a set of
 * intervals in the table `seqs`.  This is what makes a report count once: a sensor that loses
 * nothing has one interval, whatever it sent, and the set outlives the rows themselves.
 */
#ifndef SEQS_H
#define SEQS_H

#include <sqlite3.h>
#include <stdint.h>

/* Gaps of a run that are remembered one by one, unless `max` is set to another number; older ones are closed and only
 * counted. */
#define SEQS_INTERVALS_MAX 1024

struct seqs {
	sqlite3 *db;
	sqlite3_stmt *below, *above, *put, *del, *nth, *del_below, *count, *sum;
	/* The interval at work, ahead of the table when dirty. */
	int64_t run;    /* 0: none */
	int64_t first, last;
	int64_t first_in_table; /* the key it was read under; -1: it is new */
	int64_t next;   /* where the following one starts; INT64_MAX: none */
	int dirty;
	int grown;      /* intervals made since the last fold */
	int64_t max;
};

/* The table must exist.  0 or an SQLite code; seqs_close() takes one that failed. */
int seqs_open(struct seqs *, sqlite3 *);
void seqs_close(struct seqs *);

/* 1: new, and now in the set; 0: it was there; else -(SQLite code). */
int seqs_add(struct seqs *, int64_t run, int64_t seq);

/* Writes the interval at work: before COMMIT and before any other read of the table.  Also folds
 * the oldest intervals of the run into one when there are more than `max`;
 * *forgotten gets how many numbers that closed.  0 or -(SQLite code). */
int seqs_flush(struct seqs *, int64_t *forgotten);

/* After ROLLBACK: what is in hand is not in the table. */
void seqs_forget(struct seqs *);

/* How many numbers from `first` on are in the set, or -(SQLite code). */
int64_t seqs_stored(struct seqs *, int64_t run, int64_t first);

#endif
