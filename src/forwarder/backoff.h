/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * backoff.h - how long to wait before trying again: "full jitter", so that a thousand sensors whose
 * collector comes back do not come back with it in one second.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdint.h>

#define BACKOFF_MIN_US 100000       /* never sooner */
#define BACKOFF_FIRST_US 1000000    /* the bound after one failure, doubled by each further one */
#define BACKOFF_MAX_US 300000000

/* After `tries` failures in a row (1 and up), with 64 random bits: uniform from BACKOFF_MIN_US up
 * to the bound. */
int64_t backoff_us(unsigned tries, uint64_t random);

#endif
