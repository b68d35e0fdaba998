/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * throttle.h - how often something may be tried: by an address, and by all together.  A table of fixed size
 * (an IPv6 address is its /64).  Pure.
 */
#ifndef THROTTLE_H
#define THROTTLE_H

#include <stdint.h>

#define THROTTLE_ENTRIES 256

/* May be done `most` times at once, and once more every `every_us`. */
struct throttle_rate {
	int64_t every_us;
	unsigned most;
};

struct throttle {
	struct throttle_rate one, all;
	int64_t all_us; /* the time at which the bucket is full again */
	struct {
		uint8_t key[9]; /* family, address */
		int64_t full_us; /* 0: free */
	} of[THROTTLE_ENTRIES];
};

/* 0: go on, and it is counted; else so many seconds until it may be tried again. */
unsigned throttle_take(struct throttle *, uint8_t ipv, const uint8_t addr[16], int64_t now_us);

#endif
