/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * intake.h - a body of NDJSON: each line checked, the good ones stored once in one transaction,
 * and the answer.  http.c brings the body, validate.c and store.c do the work, live.c gets told.
 */
#ifndef INTAKE_H
#define INTAKE_H

#include <stddef.h>
#include <stdint.h>

#include "report.h"

struct intake;
struct store;
struct live;

#define INTAKE_REJECTS_LISTED 100
/* The answer always fits. */
#define INTAKE_ANSWER_MAX (INTAKE_REJECTS_LISTED * 1600 + 200)

/* Who sends a body. */
struct intake_from {
	const char *sensor; /* whose reports alone are taken, under its name or NAME-xxxx (409, below); "": any */
	int (*is_enrolled)(void *arg, const char *name); /* NAME-xxxx as a sensor of its own; NULL: none is */
	void *arg;
	int keyed;          /* he promises that a number never comes with another report */
};

struct intake_counts {
	uint64_t accepted, duplicate, rejected;
	uint64_t not_stored; /* batches that the store failed to take */
	int64_t failing_us;  /* since when each was among these, by the wall clock; 0: the last one was stored */
};

/* All are lent.  NULL: out of memory. */
struct intake *intake_new(struct store *, struct live *);
void intake_free(struct intake *);
/* Also hands each new report to fn, before it is committed; NULL: no more. */
void intake_listen(struct intake *, void (*fn)(void *arg, const struct report *), void *arg);

/* Returns 0 with the answer's JSON (INTAKE_ANSWER_MAX bytes), *answer_n its length; or an error of
 * store.h: then nothing was stored.  *news: the event stream has something new.
 *
 * -EEXIST when a keyed one comes with another report after all: a second machine has the first one's name and boot (a clone, a snapshot that was put back).  Nothing was
 * stored, the answer says which. */
int intake_body(struct intake *, const char *body, size_t n, const struct intake_from *from, int64_t rx_us, int64_t now_us,
		char *answer, size_t *answer_n, int *news);

/* Since the start. */
struct intake_counts intake_counts(const struct intake *);

/* "SENSOR/BOOT/FIRST-LAST": whether it has that form. */
int intake_key_ok(const char *key);

#endif
