/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cache.h - what earlier traces learned: which hop comes before which (an edge), how often a router
 * may be asked, how long the path into a prefix is.  A fixed table; says only what it knows well.
 *
 * An edge leads from a hop, an address at its TTL, to the next hop nearer to us that answers.  `gap`
 * hops between the two stay silent.  The edge is SURE when enough flows went that way and none ever
 * went another; edges into a router behind a load balancer differ sooner or later and never are.
 */
#ifndef CACHE_H
#define CACHE_H

#include <stdint.h>

struct cache;

struct cache_hop {
	uint8_t addr[16];
	uint8_t ttl;
	uint8_t ipv;
};

enum cache_trust {
	CACHE_UNKNOWN, /* never seen, or too long ago */
	CACHE_GUESS,   /* what it was last: probe it */
	CACHE_ENOUGH,  /* the same, and the probes that will make it sure are under way: wait for them */
	CACHE_STALE,   /* sure, but nobody looked for a while */
	CACHE_SURE,
};

struct cache_edge {
	uint8_t trust;         /* enum cache_trust */
	uint8_t gap;
	uint8_t missing;       /* so many more flows must agree */
	uint8_t branches;      /* it differed: a load balancer, or the path changed */
	uint8_t mixed;         /* the hop before was silent at times, and at times was not */
	struct cache_hop pred; /* ipv 0: no idea; ttl 0: nothing answers between us and the hop */
};

struct cache_stats {
	uint64_t evicted;
	uint64_t differed;
	uint32_t used;
};

/* edges: rounded up to a power of two, at least 64.  NULL: out of memory. */
struct cache *cache_new(const uint8_t key[16], uint32_t edges);
void cache_free(struct cache *);

struct cache_edge cache_ask(struct cache *, const struct cache_hop *, int64_t now_us);

/* A trace found `pred` before `hop`, or, pred->ttl 0, nothing that answers.  `flow`: any number that
 * is the same for the same flow: one flow counts once. */
void cache_learn(struct cache *, const struct cache_hop *hop, const struct cache_hop *pred, uint64_t flow,
		 int64_t now_us);

/* A trace begins to probe for the edge of this hop; it knows now what was to be known. */
void cache_probing(struct cache *, const struct cache_hop *, int64_t now_us);
void cache_probed(struct cache *, const struct cache_hop *);

/* Pace of one router: 0 when it may be asked now, which is noted; else the time to ask again. */
int64_t cache_pace(struct cache *, const struct cache_hop *, int64_t now_us);
/* It answered; a probe that it was expected to answer was lost, proven: it answered the next one. */
void cache_answered(struct cache *, const struct cache_hop *, int64_t now_us);
void cache_lost(struct cache *, const struct cache_hop *, int is_proven, int64_t now_us);

/* Changes whenever an edge becomes sure: plans made before may be saved a probe. */
uint32_t cache_version(const struct cache *);

/* Hops to dst: the estimate from a reply's TTL (0: none) put right by what was found before in the
 * same IPv4 /24 or IPv6 /64; 0: no idea. */
uint8_t cache_length(const struct cache *, uint8_t ipv, const uint8_t dst[16], uint8_t estimate);
void cache_length_learn(struct cache *, uint8_t ipv, const uint8_t dst[16], uint8_t estimate, uint8_t length);

struct cache_stats cache_stats(const struct cache *);

#endif
