/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cache.c - the edge cache: sets of four entries, one cache line each, the one used longest ago goes.
 *
 * Why so many flows must agree: of a load balancer with two equal branches, n flows take the same one
 * by chance in 2^(1-n) of cases, and whoever believes the edge then glues two branches together.  For
 * n = 12 that is one in 2048, and sure edges are still probed now and then (plan.c).
 *
 * A silent hop is learned like one that answers.  Silence where somebody answered before is no
 * contradiction, it may be a lost packet or a rate limit; but the edge must then earn its trust anew, from
 * twice as many flows, so that a balancer with one silent branch is not taken for a plain link.  Silence
 * takes seconds to be noticed and an answer does not: no edge becomes sure while a probe is on its way.
 */
#include "prober/cache.h"

#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define WAYS 4
#define FLOWS_NEEDED 12
#define FLOWS_NEEDED_MAX 48 /* of 64 bits that stand for flows */
#define STALE_S 240
#define EXPIRE_S 600
#define DIFFERED_S 3600     /* so long an edge that differed is remembered as such */
#define PENDING_S 5         /* probes that are still not answered then are forgotten */

/* Pace, in ms between two probes.  Linux sends one error a second to each address, six in a burst
 * (net.ipv4.icmp_ratelimit); others 10 to 100 a second; most routers as many as we will ever ask for. */
#define PACE_START_MS 20
#define PACE_MIN_MS 4
#define PACE_LOST_MS 150    /* at least this after a loss */
#define PACE_MAX_MS 1000
#define PACE_BURST 4
/* One packet in a hundred gets lost anywhere; a router's limit shows in one of five, of the last few. */
#define MISSES_MIN 3
#define MISSES_SHARE 5
#define PACE_MEMORY 64

#define LENGTHS 1024

struct entry {
	struct cache_hop hop; /* key; ttl 0: free */
	uint8_t gap;
	uint8_t bits;         /* BIT_* */
	uint8_t pred[16];
	uint8_t need;         /* flows */
	uint8_t pending;      /* probes on their way */
	uint8_t pending_s;    /* when the last of them left; wraps */
	uint8_t agreed_s;     /* when enough flows had agreed; wraps */
	uint64_t flows;       /* that agreed, a bit each */
	uint32_t pace_at_ms;  /* when all of the burst is there again; wraps */
	uint16_t pace_ms;
	uint16_t lost_ms;     /* the last loss that counted; wraps */
	uint32_t seen_s;      /* last seen on the wire */
	uint16_t used_s;      /* wraps */
	uint8_t hits;         /* of the last probes to it, see below */
	uint8_t misses;
};

#define BIT_PRED 1     /* pred, gap are set */
#define BIT_DIFFERED 2
#define BIT_LOST 4     /* a loss at lost_ms */
#define BIT_SURE 8
#define BIT_AGREED 64  /* enough flows; sure when the probes that are on their way have told */
#define BIT_MIXED 16   /* silence as well as answers */
#define BIT_PROVEN 32  /* it answered the second probe after the first was lost */

_Static_assert(sizeof(struct entry) == 64, "a cache line; 4096 of them are 256 KiB");

struct length {
	uint32_t tag;   /* of the prefix; 0: free */
	int8_t offset;  /* length - estimate */
	uint8_t length; /* 0: free */
	uint8_t has_offset;
	uint8_t pad;
};

struct cache {
	uint8_t key[16];
	uint32_t sets; /* a power of two */
	uint32_t version;
	struct cache_stats stats;
	struct length lengths[LENGTHS];
	struct entry entries[];
};

struct cache *
cache_new(const uint8_t key[16], uint32_t edges)
{
	struct cache *c;
	uint32_t sets = 64 / WAYS;

	while (sets * WAYS < edges)
		sets *= 2;
	c = calloc(1, sizeof *c + (size_t)sets * WAYS * sizeof(struct entry));
	if (!c)
		return NULL;
	memcpy(c->key, key, sizeof c->key);
	c->sets = sets;
	return c;
}

void
cache_free(struct cache *c)
{
	free(c);
}

static uint32_t
seconds(int64_t now_us)
{
	return (uint32_t)(now_us / 1000000);
}

static uint32_t
milliseconds(int64_t now_us)
{
	return (uint32_t)(now_us / 1000);
}

static struct entry *
set_of(const struct cache *c, const struct cache_hop *hop)
{
	uint64_t h = hash_sip(c->key, hop, sizeof *hop);

	return (struct entry *)&c->entries[(h & (c->sets - 1)) * WAYS];
}

static struct entry *
find(const struct cache *c, const struct cache_hop *hop)
{
	struct entry *e = set_of(c, hop);

	for (int i = 0; i < WAYS; i++)
		if (!memcmp(&e[i].hop, hop, sizeof *hop))
			return &e[i];
	return NULL;
}

/* The hop's entry, a new one if there is none. */
static struct entry *
get(struct cache *c, const struct cache_hop *hop, int64_t now_us)
{
	struct entry *e = find(c, hop), *set;
	uint16_t now_s = (uint16_t)seconds(now_us);

	if (e)
		return e;
	e = set = set_of(c, hop);
	for (int i = 0; i < WAYS; i++) {
		if (!set[i].hop.ttl) {
			e = &set[i];
			break;
		}
		if ((uint16_t)(now_s - set[i].used_s) > (uint16_t)(now_s - e->used_s))
			e = &set[i];
	}
	if (e->hop.ttl)
		c->stats.evicted++;
	else
		c->stats.used++;
	memset(e, 0, sizeof *e);
	e->hop = *hop;
	e->need = FLOWS_NEEDED;
	e->pace_ms = PACE_START_MS;
	e->pace_at_ms = milliseconds(now_us);
	e->used_s = now_s;
	e->seen_s = seconds(now_us);
	return e;
}

/* What was not seen for a while has to be learned again. */
static void
expire(struct entry *e, uint32_t now_s)
{
	if (now_s - e->seen_s <= (e->bits & BIT_DIFFERED ? DIFFERED_S : EXPIRE_S))
		return;
	e->bits &= (uint8_t)~(BIT_PRED | BIT_DIFFERED | BIT_MIXED | BIT_SURE | BIT_AGREED);
	e->flows = 0;
	e->need = FLOWS_NEEDED;
}

static unsigned
pending(const struct entry *e, uint32_t now_s)
{
	return (uint8_t)(now_s - e->pending_s) > PENDING_S ? 0 : e->pending;
}

static unsigned
agreed(const struct entry *e)
{
	return (unsigned)__builtin_popcountll(e->flows);
}

static void
doubt(struct entry *e)
{
	e->bits &= (uint8_t)~(BIT_SURE | BIT_AGREED);
	e->flows = 0;
}

/* Some flows got an answer and some did not. */
static void
mix(struct entry *e)
{
	doubt(e);
	e->bits |= BIT_MIXED;
	e->need = e->need * 2 > FLOWS_NEEDED_MAX ? FLOWS_NEEDED_MAX : (uint8_t)(e->need * 2);
}

/* Flows that take a silent branch were blamed on the router of the other one. */
static void
acquit(struct cache *c, const struct entry *e)
{
	struct cache_hop pred = { .ttl = (uint8_t)(e->hop.ttl - 1 - e->gap), .ipv = e->hop.ipv };
	struct entry *p;

	memcpy(pred.addr, e->pred, 16);
	p = find(c, &pred);
	if (!p || (p->bits & BIT_PROVEN))
		return;
	p->bits &= (uint8_t)~BIT_LOST;
	p->misses = 0;
	if (p->pace_ms > PACE_START_MS)
		p->pace_ms = PACE_START_MS;
}

static void
settle(struct cache *c, struct entry *e, uint32_t now_s)
{
	if ((e->bits & (BIT_SURE | BIT_DIFFERED)) || agreed(e) < e->need)
		return;
	if (!(e->bits & BIT_AGREED))
		e->agreed_s = (uint8_t)now_s;
	e->bits |= BIT_AGREED;
	if (pending(e, now_s) && (uint8_t)(now_s - e->agreed_s) <= PENDING_S)
		return;
	e->bits |= BIT_SURE;
	c->version++;
}

struct cache_edge
cache_ask(struct cache *c, const struct cache_hop *hop, int64_t now_us)
{
	struct cache_edge edge = { 0 };
	struct entry *e = find(c, hop);
	uint32_t now_s = seconds(now_us);

	if (!e)
		return edge;
	e->used_s = (uint16_t)now_s;
	expire(e, now_s);
	settle(c, e, now_s);
	if (e->bits & BIT_SURE)
		edge.trust = now_s - e->seen_s > STALE_S && !pending(e, now_s) ? CACHE_STALE : CACHE_SURE;
	else if (!(e->bits & BIT_DIFFERED) && agreed(e) + pending(e, now_s) >= e->need)
		edge.trust = CACHE_ENOUGH;
	else if (e->bits & BIT_PRED)
		edge.trust = CACHE_GUESS;
	edge.branches = !!(e->bits & BIT_DIFFERED);
	edge.mixed = !!(e->bits & BIT_MIXED);
	if (!edge.branches && agreed(e) < e->need)
		edge.missing = (uint8_t)(e->need - agreed(e));
	if (!(e->bits & BIT_PRED))
		return edge;
	edge.gap = e->gap;
	edge.pred.ttl = (uint8_t)(hop->ttl - 1 - e->gap);
	edge.pred.ipv = hop->ipv;
	memcpy(edge.pred.addr, e->pred, 16);
	return edge;
}

void
cache_learn(struct cache *c, const struct cache_hop *hop, const struct cache_hop *pred, uint64_t flow,
	    int64_t now_us)
{
	struct entry *e = get(c, hop, now_us);
	uint8_t gap = (uint8_t)(hop->ttl - 1 - pred->ttl);
	uint64_t bit = 1ULL << (flow & 63);
	uint32_t now_s = seconds(now_us);

	e->used_s = (uint16_t)now_s;
	expire(e, now_s);
	if ((e->bits & BIT_PRED) && gap == e->gap && !memcmp(pred->addr, e->pred, 16)) {
		e->flows |= bit;
	} else if ((e->bits & BIT_PRED) && gap > e->gap) {
		mix(e); /* silent this time */
		acquit(c, e);
		return;
	} else {
		if ((e->bits & BIT_PRED) && gap < e->gap) {
			mix(e);
		} else if (e->bits & BIT_PRED) {
			doubt(e);
			e->bits |= BIT_DIFFERED;
			c->stats.differed++;
		}
		e->bits |= BIT_PRED;
		e->gap = gap;
		memcpy(e->pred, pred->addr, 16);
		e->flows = bit;
	}
	/* A balancer is not forgotten while it is in use; but a path that changed once, an hour ago, is no
	 * balancer: from its difference on, time runs. */
	if (!(e->bits & BIT_DIFFERED) || e->flows == bit)
		e->seen_s = now_s;
	settle(c, e, now_s);
}

void
cache_probing(struct cache *c, const struct cache_hop *hop, int64_t now_us)
{
	struct entry *e = get(c, hop, now_us);
	uint32_t now_s = seconds(now_us);

	e->pending = (uint8_t)pending(e, now_s);
	if (e->pending < UINT8_MAX)
		e->pending++;
	e->pending_s = (uint8_t)now_s;
}

void
cache_probed(struct cache *c, const struct cache_hop *hop)
{
	struct entry *e = find(c, hop);

	if (e && e->pending)
		e->pending--;
}

/* The virtual schedule of RFC 2697's kind: pace_at moves on by one interval a probe and may be a
 * burst ahead of now. */
int64_t
cache_pace(struct cache *c, const struct cache_hop *hop, int64_t now_us)
{
	struct entry *e = find(c, hop);
	uint32_t now_ms = milliseconds(now_us);
	int32_t ahead;

	if (!e)
		return 0;
	ahead = (int32_t)(e->pace_at_ms - now_ms);
	if (ahead < 0 || ahead > PACE_BURST * PACE_MAX_MS)
		ahead = 0;
	if (ahead > (PACE_BURST - 1) * e->pace_ms)
		return now_us + (ahead - (PACE_BURST - 1) * e->pace_ms) * 1000LL;
	e->pace_at_ms = now_ms + (uint32_t)ahead + e->pace_ms;
	return 0;
}

static void
remember(struct entry *e, uint8_t *what)
{
	(*what)++;
	if (e->hits + e->misses > PACE_MEMORY) {
		e->hits /= 2;
		e->misses /= 2;
	}
}

void
cache_answered(struct cache *c, const struct cache_hop *hop, int64_t now_us)
{
	struct entry *e = get(c, hop, now_us);
	int step = e->bits & BIT_LOST ? 32 : 8;

	e->used_s = (uint16_t)seconds(now_us);
	remember(e, &e->hits);
	e->pace_ms = (uint16_t)(e->pace_ms - (e->pace_ms + step - 1) / step);
	if (e->pace_ms < PACE_MIN_MS)
		e->pace_ms = PACE_MIN_MS;
}

/* Losses of one second count once: they were sent before anything could be learned from the first. */
void
cache_lost(struct cache *c, const struct cache_hop *hop, int is_proven, int64_t now_us)
{
	struct entry *e = get(c, hop, now_us);
	uint16_t now_ms = (uint16_t)milliseconds(now_us);

	remember(e, &e->misses);
	if (is_proven)
		e->bits |= BIT_PROVEN;
	if (e->misses < MISSES_MIN || e->misses * MISSES_SHARE < e->hits + e->misses ||
	    ((e->bits & BIT_LOST) && (uint16_t)(now_ms - e->lost_ms) < 1000))
		return;
	e->bits |= BIT_LOST;
	e->lost_ms = now_ms;
	if (e->bits & BIT_PROVEN)
		e->pace_ms = (uint16_t)(e->pace_ms * 3 / 2);
	if (e->pace_ms < PACE_LOST_MS)
		e->pace_ms = PACE_LOST_MS;
	if (e->pace_ms > PACE_MAX_MS)
		e->pace_ms = PACE_MAX_MS;
}

uint32_t
cache_version(const struct cache *c)
{
	return c->version;
}

static struct length *
length_of(const struct cache *c, uint8_t ipv, const uint8_t dst[16], uint32_t *tag)
{
	uint8_t prefix[9] = { ipv };
	uint64_t h;

	memcpy(prefix + 1, dst, ipv == 4 ? 3 : 8);
	h = hash_sip(c->key, prefix, sizeof prefix);
	*tag = (uint32_t)(h >> 32);
	return (struct length *)&c->lengths[h % LENGTHS];
}

uint8_t
cache_length(const struct cache *c, uint8_t ipv, const uint8_t dst[16], uint8_t estimate)
{
	uint32_t tag;
	const struct length *l = length_of(c, ipv, dst, &tag);
	int n;

	if (!l->length || l->tag != tag)
		return estimate;
	if (!estimate)
		return l->length;
	n = estimate + (l->has_offset ? l->offset : 0);
	return n < 1 || n > 64 ? estimate : (uint8_t)n;
}

void
cache_length_learn(struct cache *c, uint8_t ipv, const uint8_t dst[16], uint8_t estimate, uint8_t length)
{
	uint32_t tag;
	struct length *l = length_of(c, ipv, dst, &tag);

	if (l->tag != tag)
		memset(l, 0, sizeof *l);
	l->tag = tag;
	l->length = length;
	if (estimate) {
		l->has_offset = 1;
		l->offset = (int8_t)(length - estimate);
	}
}

struct cache_stats
cache_stats(const struct cache *c)
{
	return c->stats;
}
