/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queue.h - sealed batches that wait, oldest first, in memory, bounded in bytes.
 *
 * THE SEAM.  A later issue puts the crash-safe spool exactly here: segments on tmpfs or disk behind
 * these same functions.  Whoever comes before (batch) only puts; whoever comes after (deliver) only
 * looks at the head and says what became of it.  Neither knows where a batch lives.  What memory
 * cannot promise: batches that were not acknowledged are lost with the process.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "batch.h"

#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue_counts {
	uint64_t records; /* waiting, the one being sent among them */
	uint64_t batches;
	uint64_t bytes;   /* as batch_size() says */
	uint64_t dropped; /* records that made room for newer ones, since the start */
	uint64_t dropped_batches;
};

/* NULL: out of memory. */
struct queue *queue_new(size_t limit_bytes);
void queue_free(struct queue *);

/* Takes the batch over.  Drops the oldest ones, and counts them, until it fits; a batch that would
 * not even fit alone is dropped itself. */
void queue_put(struct queue *, struct batch *);

/* The oldest, lent; NULL when there is none. */
const struct batch *queue_head(const struct queue *);

/* While it is being sent the head is kept whatever comes in. */
void queue_pin(struct queue *);
void queue_unpin(struct queue *);

/* The head has found its end: acknowledged, or given up by the caller, who counts it. */
void queue_forget(struct queue *);

/* Replaces the head by its halves.  It has two lines or more and is not pinned.  0 or -ENOMEM. */
int queue_halve(struct queue *);

/* The head was refused once more; returns how often. */
uint32_t queue_refused(struct queue *);

const struct queue_counts *queue_counts(const struct queue *);

#endif
