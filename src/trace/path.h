/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * path.h - what is known of one flow's path, while it grows and at its end; and which flows
 * took the same one.
 */
#ifndef TRACE_PATH_H
#define TRACE_PATH_H

#include <stddef.h>
#include <stdint.h>

#include "prober.h"

struct trace_path {
	int ended;              /* result is the prober's; until then its hops are what came so far */
	struct prober_result result;
};

/* Nothing is known but what was asked for. */
void path_begin(struct trace_path *, const struct prober_request *);

/* A hop came. */
void path_hop(struct trace_path *, const struct prober_hop *);

/* The end came. */
void path_result(struct trace_path *, const struct prober_result *);

/* The hops from ttl 1 on, of n_hops, that nothing will change any more. */
unsigned path_settled(const struct trace_path *, unsigned probes);

/* FNV-1a over ttl and address of each hop that has one: path_hash of a report.  0: no hop has. */
uint64_t path_hash(const struct prober_result *);

/* Numbers the paths that n flows took: group[i] of flow i, from 0 on; returns how many there are.
 * Two flows took the same path when no hop that answered to both contradicts it, nor their lengths.
 * Flows without any hop: TRACE_PATH_NONE. */
#define TRACE_PATH_NONE 255
unsigned path_group(uint8_t *group, const struct trace_path *paths, unsigned n);

#endif
