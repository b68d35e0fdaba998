/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * path.h - one path as the traceroute plugin remembers it, and when two paths are the same.
 *
 * Routers that kept silent say nothing: a path is compared with another where both have an address.
 */
#ifndef PATH_H
#define PATH_H

#include <stdint.h>
#include <string.h>

#include "plugin.h"

#define PATH_TTLS 32 /* further hops count in the hash and the length only */

struct path {
	uint32_t hop[PATH_TTLS]; /* of ttl 1, 2, ...: 32 bits of its address's hash; 0: silent */
	uint8_t len;             /* ttl of the destination; 0: not reached */
	uint8_t pad[3];
};

#define FNV_BASIS 0xcbf29ce484222325ULL
#define FNV_PRIME 0x100000001b3ULL

static inline uint64_t
path_fnv(uint64_t h, const uint8_t *bytes, size_t n)
{
	while (n--)
		h = (h ^ *bytes++) * FNV_PRIME;
	return h;
}

/* path_hash of a report: FNV-1a, 64 bits, over each hop that has an address, in the order of ttl: one
 * byte ttl, then the 4 or 16 bytes of the address.  0: no hop has one.  Others compute it too
 * (net-gazer.conf(5)): never change it. */
static inline uint64_t
path_hash(const struct ng_trace *tr)
{
	uint64_t h = FNV_BASIS;
	int any = 0;

	for (unsigned i = 0; i < tr->n_hops; i++) {
		const struct ng_trace_hop *hop = &tr->hops[i];

		if (!(hop->flags & NG_HOP_ANSWERED))
			continue;
		h = path_fnv(path_fnv(h, &hop->ttl, 1), hop->addr, tr->ipv == 4 ? 4 : 16);
		any = 1;
	}
	return any ? h : 0;
}

static inline void
path_of(struct path *p, const struct ng_trace *tr)
{
	memset(p, 0, sizeof *p);
	for (unsigned i = 0; i < tr->n_hops; i++) {
		const struct ng_trace_hop *hop = &tr->hops[i];

		if (hop->flags & NG_HOP_DST && tr->reached)
			p->len = hop->ttl;
		if (hop->flags & NG_HOP_ANSWERED && hop->ttl && hop->ttl <= PATH_TTLS) {
			uint32_t h = (uint32_t)path_fnv(FNV_BASIS, hop->addr, 16);

			p->hop[hop->ttl - 1] = h ? h : 1;
		}
	}
}

/* Another router at some ttl, or another length. */
static inline int
path_differs(const struct path *a, const struct path *b)
{
	for (int i = 0; i < PATH_TTLS; i++) {
		if (a->hop[i] && b->hop[i] && a->hop[i] != b->hop[i])
			return 1;
	}
	return a->len && b->len && a->len != b->len;
}

/* Do b and c differ from a in one and the same thing? */
static inline int
path_both_differ(const struct path *a, const struct path *b, const struct path *c)
{
	for (int i = 0; i < PATH_TTLS; i++) {
		if (a->hop[i] && b->hop[i] && b->hop[i] == c->hop[i] && a->hop[i] != b->hop[i])
			return 1;
	}
	return a->len && b->len && b->len == c->len && a->len != b->len;
}

/* What was silent before and is known now. */
static inline void
path_learn(struct path *p, const struct path *now)
{
	for (int i = 0; i < PATH_TTLS; i++) {
		if (!p->hop[i])
			p->hop[i] = now->hop[i];
	}
	if (!p->len)
		p->len = now->len;
}

#endif
