/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * live.h - the event stream: a ring of the last events that all streams read, each at its own
 * place.  A slow browser falls behind in the ring, and is told what it missed; it holds nobody.
 * intake.c puts in, http.c takes out.
 */
#ifndef LIVE_H
#define LIVE_H

#include <stddef.h>
#include <stdint.h>

#include "report.h"

#define LIVE_REACH 500    /* events kept: for streams that are behind, and for Last-Event-ID */
#define LIVE_PER_S 50     /* conn events a second; others have the same budget once more */
#define LIVE_STREAMS 128

struct live;

/* A reader's place. */
struct live_place {
	uint64_t next;   /* event number in the ring */
	uint64_t told;   /* reports that the events before it stand for */
	uint64_t missed; /* to be told first */
};

/* last_id: of the newest report that is stored. */
struct live *live_new(int64_t last_id);
void live_free(struct live *);

/* A report of the batch that is being stored: it waits for live_commit().  Over the budget it is
 * counted only. */
void live_offer(struct live *, const struct report *, int64_t id, int64_t rx_us, int64_t now_us);
/* The batch is stored: its events go out.  1: there is something new. */
int live_commit(struct live *, int64_t now_us);
void live_discard(struct live *);

/* Once a second: tells how many were skipped, if any.  1: there is something new. */
int live_tick(struct live *, int64_t now_us);

/* Behind the last event; or, with the id of the last one that the browser has (>= 0), behind that,
 * as far as the ring goes back: how many reports lie between is told as skipped. */
void live_start(const struct live *, struct live_place *, int64_t after_id);

/* The next events as text/event-stream, as many as fit; 0: none.  `size` must be LIVE_EVENT_MAX or
 * more.  What the ring no longer has becomes an event "skipped". */
#define LIVE_EVENT_MAX (REPORT_LINE_MAX + 256)
size_t live_read(struct live *, struct live_place *, char *buf, size_t size);
int live_waiting(const struct live *, const struct live_place *);

#endif
