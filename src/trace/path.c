/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * path.c - collects hops, compares paths.
 */
#include "path.h"

#include <string.h>

#define FNV_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

void
path_begin(struct trace_path *p, const struct prober_request *q)
{
	*p = (struct trace_path){ .result = { .ipv = q->ipv, .method = q->method, .flow = q->flow, .dport = q->dport } };
	memcpy(p->result.dst, q->dst, 16);
}

void
path_hop(struct trace_path *p, const struct prober_hop *h)
{
	struct prober_result *r = &p->result;

	if (p->ended)
		return;
	while (r->n_hops < h->ttl) {
		r->hop[r->n_hops] = (struct prober_hop){ .ttl = (uint8_t)(r->n_hops + 1) };
		r->n_hops++;
	}
	r->hop[h->ttl - 1] = *h;
	if (h->flags & PROBER_HOP_DST)
		r->reached = 1;
}

void
path_result(struct trace_path *p, const struct prober_result *r)
{
	p->result = *r;
	p->ended = 1;
}

unsigned
path_settled(const struct trace_path *p, unsigned probes)
{
	const struct prober_result *r = &p->result;
	unsigned n = 0;

	if (p->ended)
		return r->n_hops;
	while (n < r->n_hops && (r->hop[n].n_rtt >= probes || r->hop[n].flags & PROBER_HOP_CACHED))
		n++;
	return n;
}

static uint64_t
fnv(uint64_t h, const uint8_t *bytes, size_t n)
{
	while (n--)
		h = (h ^ *bytes++) * FNV_PRIME;
	return h;
}

uint64_t
path_hash(const struct prober_result *r)
{
	uint64_t h = FNV_BASIS;
	int any = 0;

	for (unsigned i = 0; i < r->n_hops; i++) {
		if (!(r->hop[i].flags & PROBER_HOP_ANSWERED))
			continue;
		h = fnv(fnv(h, &r->hop[i].ttl, 1), r->hop[i].addr, r->ipv == 4 ? 4 : 16);
		any = 1;
	}
	return any ? h : 0;
}

static int
contradict(const struct prober_result *a, const struct prober_result *b)
{
	for (unsigned i = 0; i < a->n_hops && i < b->n_hops; i++) {
		if (a->hop[i].flags & b->hop[i].flags & PROBER_HOP_ANSWERED && memcmp(a->hop[i].addr, b->hop[i].addr, 16))
			return 1;
	}
	if (a->reached && b->reached)
		return a->n_hops != b->n_hops;
	/* One came there; the other found somebody further away. */
	return a->reached ? b->n_hops > a->n_hops : b->reached && a->n_hops > b->n_hops;
}

unsigned
path_group(uint8_t *group, const struct trace_path *paths, unsigned n)
{
	unsigned groups = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned g = 0;

		group[i] = TRACE_PATH_NONE;
		if (!paths[i].result.n_hops)
			continue;
		/* The first group that none of whose flows it contradicts. */
		for (; g < groups; g++) {
			int fits = 1;

			for (unsigned k = 0; k < i && fits; k++)
				fits = group[k] != g || !contradict(&paths[i].result, &paths[k].result);
			if (fits)
				break;
		}
		group[i] = (uint8_t)g;
		groups += g == groups;
	}
	return groups;
}
