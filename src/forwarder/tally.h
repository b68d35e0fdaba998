/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tally.h - what has become of the reports, in the page that outlives us (worker.h).  A count and the
 * spool change together or not at all, wherever the process is killed: the change is prepared, the
 * spool does its one step, the change is committed; the next forwarder sees from the spool whether
 * the step was done.
 */
#ifndef TALLY_H
#define TALLY_H

#include "worker.h"

#include <stdint.h>

struct tally_change {
	int64_t spooled;
	uint64_t acknowledged;
	uint64_t rejected;
	uint64_t quarantined;
	uint64_t dropped;
};

/* The spool holds so many records now, and tells of so many that were dropped from it.  Returns how
 * many the forwarder before us has taken with it: they are dropped from here on. */
uint64_t tally_start(struct worker_forward_page *, uint64_t spooled, uint64_t gaps);

/* In front of the spool's step, and behind it. */
void tally_prepare(struct worker_forward_page *, const struct tally_change *);
void tally_commit(struct worker_forward_page *);
void tally_abandon(struct worker_forward_page *);

/* A change that has nothing to do with the spool. */
void tally_add(struct worker_forward_page *, const struct tally_change *);

/* All that wait: what came and has not found its end. */
uint64_t tally_waiting(const struct worker_forward_counts *);

#endif
