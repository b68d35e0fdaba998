/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * engine.h - the traces that run: which probe goes out when, what an answer means, when a trace is
 * done.  No socket, no clock: time and packets are handed in, probes and results are handed out, so
 * that a test can play the internet.
 *
 * Requests were admitted already (address, budget, rate of traces); the engine paces probes.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdint.h>

#include "prober.h"
#include "prober/wire.h"

struct engine;

struct engine_conf {
	uint32_t traces;        /* at a time */
	uint32_t probe_rate;    /* probes a second */
	uint8_t key[16];        /* random: tokens and ports are drawn with it */
};

struct engine_calls {
	/* Sends one probe: CLOCK_REALTIME in us of its leaving, or -errno. */
	int64_t (*send)(void *arg, const struct wire_probe *);
	/* A hop became known (PROBER_REQ_PROGRESS). */
	void (*hop)(void *arg, uint32_t client, uint32_t id, const struct prober_hop *);
	/* The trace is over; its slot is free again. */
	void (*done)(void *arg, uint32_t client, const struct prober_result *);
};

/* NULL: out of memory. */
struct engine *engine_new(const struct engine_conf *, const struct engine_calls *, void *arg);
void engine_free(struct engine *);

/* Begins a trace.  `src`: the probes' source address; in-band: the WAN side's tuple in *wan, else NULL.
 * 0; -EAGAIN: all slots are in use; -EALREADY: the same target, method and flow is under way. */
int engine_begin(struct engine *, uint32_t client, const struct prober_request *, const uint8_t src[16],
		 const struct prober_tuple *wan, int64_t now_us, int64_t wall_us);

/* The asker is gone: its traces end without a word. */
void engine_forget(struct engine *, uint32_t client);

/* A packet that came in; ts_us: CLOCK_REALTIME of its arrival.  1: matched a probe; 0: foreign. */
int engine_answer(struct engine *, const struct wire_answer *, int64_t ts_us, int64_t now_us);

/* Sends what may be sent now, ends what is over; when to call again (INT64_MAX: on the next event). */
int64_t engine_run(struct engine *, int64_t now_us, int64_t wall_us);

uint32_t engine_live(const struct engine *);

/* Adds its counts to the totals: enum prober_stat. */
void engine_stats(const struct engine *, uint64_t stat[16]);

#endif
