/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plan.h - which TTLs of a trace are to be probed next, from what it knows and what the cache knows.
 */
#ifndef PLAN_H
#define PLAN_H

#include "prober/trace.h"

/* Sets want and due_us.  1: the trace is over; its status says how. */
int plan_next(struct trace *, const struct trace_pool *, struct cache *, int64_t now_us);

/* Fills in the hops that were not probed, where sure edges tell them (hops[0]: TTL 1); their number. */
unsigned plan_cached(const struct trace *, const struct trace_pool *, struct cache *, int64_t now_us,
		     struct prober_hop *hops);

#endif
