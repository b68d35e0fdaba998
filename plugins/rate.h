/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rate.h - a token bucket for first-party plugins: so many reports a second, one second's worth in a
 * burst.
 */
#ifndef RATE_H
#define RATE_H

#include <stdint.h>

struct rate {
	int64_t per_s;
	int64_t tokens;  /* of a millionth of a report */
	int64_t last_us; /* 0: none yet */
};

static inline void
rate_start(struct rate *r, int64_t per_s)
{
	*r = (struct rate){ per_s, per_s * 1000000, 0 };
}

/* 1: one more may go. */
static inline int
rate_take(struct rate *r, int64_t now_us)
{
	int64_t full = r->per_s * 1000000;

	if (r->last_us && now_us > r->last_us)
		r->tokens += now_us - r->last_us > 1000000 ? full : (now_us - r->last_us) * r->per_s;
	if (now_us > r->last_us) /* a replay's time may go back */
		r->last_us = now_us;
	if (r->tokens > full)
		r->tokens = full;
	if (r->tokens < 1000000)
		return 0;
	r->tokens -= 1000000;
	return 1;
}

#endif
