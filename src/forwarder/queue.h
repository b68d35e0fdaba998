/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * queue.h - sealed batches that wait, in memory, bounded in bytes, and behind it in a spool directory
 * if there is one (lib/spool.h).  Whoever comes before (batch) only puts; whoever comes after
 * (deliver) holds one batch at a time and says what became of it.  Neither knows where it lives.
 *
 *   the directory is in memory   each batch is written at once: a kill loses nothing that was sealed.
 *                                While it is full they wait in memory alone, for room there
 *   it is on a disk              what has no room in memory, and at the end what is left
 *   there is none                what has no room makes room
 *
 * Live batches are sent in their order.  Those that waited while the collector was away (backlog) come
 * after them, newest first.
 *
 * When both are full the oldest `conn` reports make room, then whatever is oldest.  Each is counted; in the
 * spool a gap record stays for it until the collector was told.
 */
#ifndef QUEUE_H
#define QUEUE_H

#include "batch.h"
#include "lib/spool.h"
#include "tally.h"

#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue_settings {
	size_t bytes;                     /* of batches in memory, as batch_size() says */
	const char *boot;                 /* lent; of the batches that are put */
	struct worker_forward_page *page; /* lent; counts what finds its end here */
	struct spool *spool;              /* lent; NULL: none */
	int tmpfs;                        /* the spool is in memory */
};

struct queue_counts {
	uint64_t records; /* waiting, in memory and in the spool; the one being sent among them */
	uint64_t batches; /* in memory */
	uint64_t bytes;   /* of these, as batch_size() says */
};

/* Reads the spool through and starts the page.  NULL: out of memory. */
struct queue *queue_new(const struct queue_settings *);
void queue_free(struct queue *);

/* Takes the batch over.  What has to make room is counted in the page; a batch that would not even
 * fit alone is dropped itself. */
void queue_put(struct queue *, struct batch *);

/* The next one to be sent, lent; NULL: there is none, or only backlog, and that is not wanted now.  It is
 * kept, whatever comes in, until it is released or settled. */
const struct batch *queue_hold(struct queue *, int backlog);

/* The one that is held; NULL: none. */
const struct batch *queue_held(const struct queue *);
void queue_release(struct queue *);

/* The held batch has found its end; what it was, is added to the page. */
void queue_settle(struct queue *, const struct tally_change *);

/* Replaces the held batch by its halves, of which none is held.  It has two lines or more.  0 or
 * -ENOMEM. */
int queue_halve(struct queue *);

/* The held batch was refused once more; returns how often. */
uint32_t queue_refused(struct queue *);

/* Whether the collector is away: then all that waits and comes is backlog. */
void queue_away(struct queue *, int away);

/* The collector knows how many were dropped. */
void queue_told(struct queue *);

/* At the end: into the spool, if there is one, with what is only in memory, as far as it has room; the rest is
 * dropped.  Nothing is held then. */
void queue_save(struct queue *);

const struct queue_counts *queue_counts(const struct queue *);

#endif
