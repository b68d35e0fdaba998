/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * backoff.c - see backoff.h.
 */
#include "backoff.h"

int64_t
backoff_next(struct backoff *b, int64_t lived_us)
{
	if (!b->delay_us || lived_us >= BACKOFF_HEALTHY_US)
		b->delay_us = BACKOFF_FIRST_US;
	else if (b->delay_us < BACKOFF_MAX_US / 2)
		b->delay_us *= 2;
	else
		b->delay_us = BACKOFF_MAX_US;
	return b->delay_us;
}

int
backoff_crash(struct backoff_crashes *c, int64_t now_us)
{
	int64_t *oldest = &c->at_us[c->n % BACKOFF_CRASHES];

	*oldest = now_us;
	c->n++;
	/* The slot that the next one will take holds the fourth before this one. */
	return c->n >= BACKOFF_CRASHES &&
	       now_us - c->at_us[c->n % BACKOFF_CRASHES] <= BACKOFF_WINDOW_US;
}
