/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * inband.h - the connections that in-band traces ride on: each is looked up by the parent before the
 * first probe and then again and again, and is not used any more when it ended.
 */
#ifndef INBAND_H
#define INBAND_H

#include <stdint.h>

#include "prober.h"

#define INBAND_MAX 64 /* wanted or under way at a time */

#define INBAND_EVERY_US 1000000   /* between two look-ups of one connection */
#define INBAND_TIMEOUT_US 3000000 /* without an answer it counts as ended */

struct inband_calls {
	/* Asks the parent; 0 or -errno. */
	int (*lookup)(void *arg, uint32_t id, const struct prober_tuple *);
	/* It lives: the trace may wait for its turn. */
	void (*lives)(void *arg, unsigned slot);
	/* It has ended, or was never there; the slot is free behind this call.  `began`: inband_began() was called. */
	void (*ended)(void *arg, unsigned slot, const struct prober_request *, int began);
};

void inband_start(const struct inband_calls *, void *arg);

/* A slot for this request, whose look-up is under way: 0 or more; -1: none is free, or nobody to ask. */
int inband_open(const struct prober_request *, int64_t now_us);
void inband_close(unsigned slot);

const struct prober_request *inband_request(unsigned slot);

/* Its probes leave from now on; the connection as its far end sees it. */
const struct prober_tuple *inband_began(unsigned slot);

/* The parent's answer; one that nobody waits for any more is passed over. */
void inband_found(uint32_t id, int lives, const struct prober_tuple *, int64_t now_us);

/* Asks again what is due, ends what has no answer; when to call again (INT64_MAX: never). */
int64_t inband_run(int64_t now_us);

/* Those that are looked up for the first time. */
unsigned inband_asking(void);

#endif
