/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * result.h - the result of a trace that is over.
 */
#ifndef RESULT_H
#define RESULT_H

#include "prober/trace.h"

/* Tells the cache the length of the path, too.  The number of hops that came from the cache. */
unsigned result_make(struct prober_result *, const struct trace *, const struct trace_pool *, struct cache *,
		     int64_t now_us);

#endif
