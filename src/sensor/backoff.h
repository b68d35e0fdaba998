/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * backoff.h - how long to wait before a child is started again, and when a plugin has crashed too
 * often.  No clock of its own.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

#include <stdint.h>

#define BACKOFF_FIRST_US 100000
#define BACKOFF_MAX_US 30000000
#define BACKOFF_HEALTHY_US 60000000

struct backoff {
	int64_t delay_us; /* the last one; 0: none yet */
};

/* The child lived `lived_us`; how long to wait: 100 ms, doubled each time up to 30 s, and 100 ms
 * again after a life of 60 s. */
int64_t backoff_next(struct backoff *, int64_t lived_us);

#define BACKOFF_CRASHES 5
#define BACKOFF_WINDOW_US 60000000

/* The last crashes of one plugin. */
struct backoff_crashes {
	int64_t at_us[BACKOFF_CRASHES];
	unsigned n;
};

/* Notes one; true when it is the fifth within 60 s. */
int backoff_crash(struct backoff_crashes *, int64_t now_us);

#endif
