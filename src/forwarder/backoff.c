/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * backoff.c - a pure function; deliver asks it.
 */
#include "backoff.h"

int64_t
backoff_us(unsigned tries, uint64_t random)
{
	uint64_t bound = BACKOFF_FIRST_US;

	while (tries > 1 && bound < BACKOFF_MAX_US) {
		bound *= 2;
		tries--;
	}
	if (bound > BACKOFF_MAX_US)
		bound = BACKOFF_MAX_US;
	return (int64_t)(BACKOFF_MIN_US + random % (bound - BACKOFF_MIN_US + 1));
}
