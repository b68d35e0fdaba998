/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tally.c - counters in shared memory.  Receives from main, queue and deliver.  A kill leaves the
 * stores that were made, in the order in which they stand here (__atomic_signal_fence).
 */
#include "tally.h"

static void
add(struct worker_forward_counts *c, const struct tally_change *x)
{
	c->acknowledged += x->acknowledged;
	c->rejected += x->rejected;
	c->quarantined += x->quarantined;
	c->dropped += x->dropped;
	c->spooled += (uint64_t)x->spooled;
}

uint64_t
tally_waiting(const struct worker_forward_counts *c)
{
	uint64_t in = c->received + c->recovered;
	uint64_t out = c->acknowledged + c->rejected + c->quarantined + c->dropped;

	return in > out ? in - out : 0;
}

void
tally_prepare(struct worker_forward_page *page, const struct tally_change *x)
{
	page->next = page->now;
	add(&page->next, x);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	page->prepared = 1;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void
tally_abandon(struct worker_forward_page *page)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	page->prepared = 0;
	page->waiting = tally_waiting(&page->now);
}

void
tally_commit(struct worker_forward_page *page)
{
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	page->now = page->next;
	tally_abandon(page);
}

void
tally_add(struct worker_forward_page *page, const struct tally_change *x)
{
	add(&page->now, x);
	page->waiting = tally_waiting(&page->now);
}

uint64_t
tally_start(struct worker_forward_page *page, uint64_t spooled, uint64_t gaps)
{
	struct worker_forward_counts *c = &page->now;
	uint64_t lost = 0, waiting;

	if (!page->starts++) {
		c->recovered = spooled + gaps;
		c->dropped = gaps;
	} else {
		/* Either the step was not done, and `now` holds, or it was. */
		if (page->prepared && page->next.spooled == spooled)
			*c = page->next;
		waiting = tally_waiting(c);
		if (waiting > spooled)
			c->dropped += lost = waiting - spooled;
		else
			c->recovered += spooled - waiting;
	}
	c->spooled = spooled;
	tally_abandon(page);
	return lost;
}
