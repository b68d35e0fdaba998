/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * serve.h - from a request to its result: checked, counted, kept waiting for its turn, given to the
 * engine, and answered.  Each packet of a client gets exactly one result, unless its client leaves.
 */
#ifndef SERVE_H
#define SERVE_H

#include <stddef.h>
#include <stdint.h>

#include "prober.h"

struct budget;
struct engine;
struct settings;

#define SERVE_WAITING_MAX 16 /* of one person; the analyzer's are as many as run at a time */

struct serve_conf {
	const struct settings *settings; /* lent */
	struct engine *engine;           /* lent */
	struct budget *budget;           /* lent */
	/* Asks the parent for a connection; 0 or -errno. */
	int (*lookup)(void *arg, uint32_t id, const struct prober_tuple *);
	void *arg;
};

/* 0 or -ENOMEM. */
int serve_start(const struct serve_conf *, int64_t now_us);
void serve_stop(void);

/* A packet of a client (client.h).  -1: it is no request. */
int serve_packet(unsigned client, const void *bytes, size_t len, int64_t now_us, int64_t wall_us);

/* The client is gone, and so is what it asked for. */
void serve_gone(unsigned client);

/* The parent's answer to a look-up. */
void serve_found(const struct prober_ctl *, int64_t now_us);

/* Begins what may begin now, lets the engine run; when to call again (INT64_MAX: on the next event). */
int64_t serve_run(int64_t now_us, int64_t wall_us);

/* The engine's words. */
void serve_hop(uint32_t client, uint32_t id, const struct prober_hop *);
void serve_done(uint32_t client, const struct prober_result *);

/* Traces that run or wait. */
unsigned serve_busy(void);

/* Totals, index: enum prober_stat. */
void serve_stats(uint64_t stat[16]);

#endif
