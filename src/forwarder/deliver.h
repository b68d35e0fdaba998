/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * deliver.h - empties the queue into the collector, one batch at a time, at least once each.  What
 * waited while the collector was away comes after what is new, 20 batches a second at most.
 *
 *   answer                    what happens
 *   2xx                       the batch is forgotten; records called rejected are counted, logged once
 *   400 415 422               halved; a lone line that was refused 3 times is quarantined (counted)
 *   415 to a packed batch     the same unpacked, and so are all that follow and are packed so
 *   413                       halved, and no such large batch is made again; a lone line: quarantined
 *   409 that names us         another machine has our name and boot: the same reports under another name, and
 *                             so are all of this boot that follow
 *   401 403, other 409        held for 5 minutes, the reason is logged
 *   any with Retry-After      the same bytes after that time, 10 minutes at most
 *   all else, no answer       the same bytes under the same key, backoff.h
 */
#ifndef DELIVER_H
#define DELIVER_H

#include "lib/loop.h"
#include "queue.h"
#include "settings.h"
#include "upload.h"

#include <stdint.h>

struct deliver;

/* Told what the collector wants of the batches that are still to be sealed: how large at most, how packed. */
typedef void deliver_wish_fn(void *arg, uint32_t bytes, enum pack_coding);

/* settings, queue, upload and page (which learns how it goes) are lent.  NULL: out of memory. */
struct deliver *deliver_new(struct loop *, const struct settings *, struct queue *, struct upload *,
			    struct worker_forward_page *, deliver_wish_fn *, void *arg);
void deliver_free(struct deliver *);

/* The queue has got something. */
void deliver_kick(struct deliver *);

/* Calls finished once: when the queue is empty, when what it waits for lies beyond drain_us, or
 * after drain_us. */
void deliver_drain(struct deliver *, int64_t drain_us, void (*finished)(void *arg), void *arg);

#endif
