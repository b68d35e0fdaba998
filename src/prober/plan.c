/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plan.c - what to probe next.
 *
 * Backward: the TTL of the destination's SYN-ACK says how long the way is, so the first probe goes to the hop
 * before the destination.  What answers there is looked up in the edge cache, and as far as edges are
 * sure the path is known without a probe; where one is not, the hop before it is probed.  The TTL
 * above is probed to see the destination itself: the way back may be shorter or longer than the
 * way there, and only an error from the TTL before it and an answer at its own prove where it is.
 *
 * Everything follows from what was answered so far: plan_next() walks from the far end towards us
 * each time something changed, and what it finds missing is sent.  So there are no states to get
 * out of step, and an edge that became sure in the meantime (by other traces) saves the probe.
 *
 *       1    2    3    4    5    6    7    8=length
 *   us ─○────○────○────○────●────●────●────● dst       ● probed, ○ from the cache
 *                 ◀──────── walk ─────top  end
 *
 * A guess (an edge that is not sure yet) is probed, and, in the same round, what lies below it if the
 * guess is right.  Where nothing is known a window below the last known hop is probed, which grows.
 */
#include "prober/plan.h"

#include <string.h>

#define LATE_US 5000000    /* of waiting for one hop's turn: look for hops below it */
#define SHARE_US 50000     /* until another trace's probe may have told us */
#define GAP_LIMIT 3
#define AHEAD_UNKNOWN 4
#define AHEAD_FIRST 6      /* from TTL 1 on */
#define RETRY_KNOWN 1      /* more probes to a hop that was seen to answer before */

struct plan {
	struct trace *t;
	const struct trace_pool *pool;
	struct cache *cache;
	int64_t now_us;
	int64_t due_us;
	int open; /* something is still to be found out */
};

static void
wait_until(struct plan *p, int64_t us)
{
	p->open = 1;
	if (us < p->due_us)
		p->due_us = us;
}

static void
ask_for(struct plan *p, unsigned ttl)
{
	p->open = 1;
	p->t->want |= trace_bit(ttl);
}

/* A hop without an answer: sends the next probe when it is time.  `edge`: its pred is expected to answer;
 * NULL: no idea who. */
static enum trace_state
visit(struct plan *p, unsigned ttl, const struct cache_edge *edge, int tries)
{
	struct trace_hop *h = trace_find(p->t, p->pool, ttl);
	int64_t until_us = INT64_MAX;
	enum trace_state s;

	if (h)
		h->tries = (uint8_t)tries;
	s = trace_state(p->t, h, p->now_us, &until_us);
	if (s == TRACE_WAITING || s == TRACE_OVERDUE)
		wait_until(p, until_us);
	/* Of silence that belongs to another branch, the router is not to blame. */
	if (h && edge && !edge->mixed && s >= TRACE_OVERDUE && s <= TRACE_SILENT && h->losses < h->attempts) {
		cache_lost(p->cache, &edge->pred, 0, p->now_us);
		h->losses = h->attempts;
	}
	if (s != TRACE_UNSENT && s != TRACE_RETRY)
		return s;
	if (!(p->t->granted & trace_bit(ttl))) {
		int64_t when_us = edge ? cache_pace(p->cache, &edge->pred, p->now_us) : 0;

		if (when_us) {
			/* Second probes go first, they tell loss from silence; then edges that are almost sure,
			 * which frees most of those who wait. */
			wait_until(p, when_us + (s == TRACE_RETRY ? 0 : 1000 * (1 + edge->missing)));
			return s;
		}
		p->t->granted |= trace_bit(ttl);
	}
	ask_for(p, ttl);
	return s;
}

/* Upwards: where does the way end? */
static void
plan_up(struct plan *p)
{
	const struct trace *t = p->t;
	unsigned ttl = t->top + 1U > t->start ? t->top + 1U : t->start, last = t->max_ttl;
	int in_band = t->method == PROBER_TCP_ACK, ahead, silent = 0, late = 0;

	if (t->end)
		return;
	if (!t->length)
		ahead = t->start == 1 ? AHEAD_FIRST : AHEAD_UNKNOWN;
	else
		ahead = t->top < t->length ? 1 : t->top - t->length + 2;
	if (ahead > AHEAD_FIRST)
		ahead = AHEAD_FIRST;
	if (!t->length)
		last = ttl - 1 + (unsigned)ahead;
	/* In band, the far end is not to be bothered more than the estimate may be wrong. */
	if (in_band && t->length)
		last = t->length > t->top ? t->length : t->top + 1U;
	for (; ttl <= last && ttl <= t->max_ttl && ahead; ttl++) {
		switch (visit(p, ttl, NULL, in_band && ttl >= t->length ? 1 : t->tries)) {
		case TRACE_SILENT:
			if (++silent >= GAP_LIMIT && ttl > t->length)
				return;
			break;
		case TRACE_OVERDUE:
		case TRACE_RETRY:
			if (++late >= GAP_LIMIT)
				return;
			break;
		default:
			ahead--;
		}
	}
}

/* One in 64 of the edges that are sure is probed all the same. */
static int
is_sampled(const struct trace *t, unsigned ttl)
{
	uint64_t x;

	memcpy(&x, t->secret, sizeof x);
	x = (x + ttl) * 0x9e3779b97f4a7c15ULL; /* 2^64 / golden ratio */
	return (x ^ x >> 29) * 0xbf58476d1ce4e5b9ULL >> 58 == 0;
}

static int
is_trusted(const struct trace *t, const struct cache_edge *e, unsigned ttl)
{
	return e->trust == CACHE_SURE && !(t->verify & trace_bit(ttl)) && !is_sampled(t, ttl);
}

/* May the edge stand for probes?  Not when an answer to this very trace says otherwise. */
static int
is_usable(const struct trace *t, const struct trace_pool *pool, const struct cache_edge *e, unsigned ttl)
{
	unsigned a = trace_below(t, pool, ttl);

	if (!is_trusted(t, e, ttl) || a > e->pred.ttl)
		return 0;
	return !a || a < e->pred.ttl || !memcmp(trace_get(t, pool, a)->addr, e->pred.addr, 16);
}

/* No probe of this trace is on its way any more for the edge of this hop. */
static void
discharge(struct trace *t, struct cache *c, const struct cache_hop *hop)
{
	if (t->charged & trace_bit(hop->ttl))
		cache_probed(c, hop);
	t->charged &= ~trace_bit(hop->ttl);
}

static void
learn(struct plan *p, const struct cache_hop *hop, unsigned below)
{
	struct cache_hop pred = { .ipv = hop->ipv };
	uint64_t flow;

	if (p->t->learned & trace_bit(hop->ttl))
		return;
	p->t->learned |= trace_bit(hop->ttl);
	discharge(p->t, p->cache, hop);
	if (below)
		pred = trace_key(p->t, p->pool, below);
	/* One destination, one port: the same flow, however often it is traced. */
	memcpy(&flow, p->t->dst + (p->t->ipv == 4 ? 0 : 8), sizeof flow);
	flow = (flow ^ p->t->sport) * 0x9e3779b97f4a7c15ULL >> 58;
	cache_learn(p->cache, hop, &pred, flow, p->now_us);
}

struct walk {
	unsigned ttl;
	int has_key;         /* a router answers here: its edge can be looked up */
	int is_real;         /* it was seen by this trace or follows from edges that are sure */
	int is_stuck;        /* a guess above is not confirmed in time: find a hop below to go on from */
	struct cache_hop key;
};

/* Where to start the walk; 0: too early to say. */
static int
walk_begin(const struct plan *p, struct walk *w)
{
	const struct trace *t = p->t;
	const struct trace_hop *first = trace_find(t, p->pool, t->start);
	int64_t until_us;

	*w = (struct walk){ .ttl = t->end };
	if (t->end)
		return 1;
	w->ttl = t->top ? t->top : t->start;
	if (t->top) {
		w->key = trace_key(t, p->pool, t->top);
		w->has_key = w->is_real = 1;
		return 1;
	}
	return trace_is_fresh(t) || trace_state(t, first, p->now_us, &until_us) >= TRACE_OVERDUE;
}

static void
walk_to(struct walk *w, const struct cache_hop *key, int is_real)
{
	w->ttl = key->ttl;
	w->key = *key;
	w->has_key = 1;
	w->is_real = is_real;
	w->is_stuck &= !is_real;
}

/* So many unknown hops are probed at once. */
static unsigned
window(const struct plan *p, const struct walk *w)
{
	const struct trace *t = p->t;
	unsigned routers = 0, ends = 0;

	for (unsigned ttl = 1; ttl <= PROBER_HOPS_MAX; ttl++)
		if (trace_answered(t, p->pool, ttl))
			*(t->end && ttl >= t->end ? &ends : &routers) += 1;
	if (trace_is_fresh(t) || (!w->has_key && routers))
		return PROBER_HOPS_MAX;
	if (!w->has_key)
		return ends ? ends : 1;
	return routers ? 3 * routers : 1;
}

/* The hop did not answer this time.  If it is there, are those between it and `answered` silent ones? */
static int
is_known_silence(const struct plan *p, const struct cache_hop *hop, unsigned answered)
{
	struct cache_edge e = cache_ask(p->cache, hop, p->now_us);

	return answered && e.trust == CACHE_SURE && e.pred.ttl == answered &&
	       !memcmp(e.pred.addr, trace_get(p->t, p->pool, answered)->addr, 16);
}

/* Is it time to look below a guess? */
static int
is_late(const struct plan *p, unsigned ttl)
{
	int64_t until_us;

	return p->now_us - p->t->begin_us > LATE_US ||
	       trace_state(p->t, trace_find(p->t, p->pool, ttl), p->now_us, &until_us) == TRACE_SILENT;
}

/* The far end answered a SYN further up, so it may be at any of these TTLs, and while one SYN is half open
 * there another is not answered: then the lowest has to come first, each time. */
static int
is_before_its_turn(const struct plan *p, unsigned ttl, unsigned answered)
{
	const struct trace_hop *h = trace_find(p->t, p->pool, ttl), *low;
	int64_t until_us;

	if (p->t->method != PROBER_TCP_SYN || !h || !h->attempts)
		return 0;
	while (++answered < ttl) {
		low = trace_find(p->t, p->pool, answered);
		if (low && low->attempts && low->attempts <= h->attempts &&
		    trace_state(p->t, low, p->now_us, &until_us) != TRACE_SILENT)
			return 1;
	}
	return 0;
}

/* A probe is on its way for the edge of this hop, or soon will be. */
static void
charge(struct plan *p, const struct walk *w)
{
	if (!w->is_real || (p->t->charged & trace_bit(w->ttl)))
		return;
	cache_probing(p->cache, &w->key, p->now_us);
	p->t->charged |= trace_bit(w->ttl);
}

/* Probes the hops between w->ttl and `answered`, those that the edge predicts, or a window of them.
 * 1: all of them are silent. */
static int
walk_probe(struct plan *p, const struct walk *w, const struct cache_edge *e, unsigned answered)
{
	struct trace *t = p->t;
	unsigned ahead = window(p, w), ttl = w->ttl - 1;
	int predicted = e->pred.ipv != 0, all_silent = 1;

	for (; ttl > answered; ttl--) {
		int is_pred = predicted && ttl == e->pred.ttl;
		int tries = t->tries;
		enum trace_state s;

		if (!predicted && !ahead)
			return 0;
		/* The far end answered further up: if it is here it would, and would be put too far. */
		if (t->end && !w->has_key && is_before_its_turn(p, ttl, answered)) {
			all_silent = 0;
			continue;
		}
		if ((is_pred && !e->mixed) || (t->end && !w->has_key))
			tries += RETRY_KNOWN;
		else if (predicted && e->trust >= CACHE_STALE)
			tries = 1;
		s = visit(p, ttl, is_pred ? e : NULL, tries);
		if (s == TRACE_WAITING || s == TRACE_OVERDUE || (t->want & trace_bit(ttl)))
			charge(p, w);
		all_silent &= s == TRACE_SILENT;
		if (is_pred && s != TRACE_SILENT)
			return 0;
		if (is_pred && is_known_silence(p, &e->pred, answered))
			return all_silent;
		if (is_pred)
			predicted = 0; /* not this time: look further */
		else if (s < TRACE_OVERDUE)
			ahead -= ahead > 0;
	}
	return all_silent;
}

static int
is_probing(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	const struct trace_hop *h = trace_find(t, pool, ttl);

	return (h && h->attempts) || (t->granted & trace_bit(ttl));
}

/* Downwards, to TTL 1. */
static void
plan_down(struct plan *p)
{
	struct trace *t = p->t;
	struct walk w;

	if (!walk_begin(p, &w))
		return;
	if (t->end && t->guess && t->guess < t->end && t->guess > t->top) {
		enum trace_state at = visit(p, t->guess, NULL, t->tries);
		enum trace_state below = t->guess > 1 ? visit(p, t->guess - 1U, NULL, t->tries) : TRACE_SILENT;

		if (at != TRACE_SILENT || below != TRACE_SILENT)
			return;
	}
	while (w.ttl > 1) {
		unsigned answered = trace_below(t, p->pool, w.ttl);
		struct cache_edge e = { 0 };
		struct cache_hop key;

		if (w.has_key && !trace_is_fresh(t))
			e = cache_ask(p->cache, &w.key, p->now_us);
		if (e.trust == CACHE_STALE)
			t->verify |= trace_bit(w.ttl);
		if (answered < w.ttl - 1 && is_usable(t, p->pool, &e, w.ttl)) {
			discharge(t, p->cache, &w.key);
			if (!e.pred.ttl)
				return;
			if (w.is_stuck && answered != e.pred.ttl &&
			    visit(p, e.pred.ttl, &e, t->tries) != TRACE_SILENT)
				w.is_stuck = 0;
			walk_to(&w, &e.pred, w.is_real || answered == e.pred.ttl);
			continue;
		}
		if (answered < w.ttl - 1 && e.trust == CACHE_ENOUGH && !is_probing(t, p->pool, w.ttl - 1)) {
			wait_until(p, p->now_us + SHARE_US);
		} else if (answered == w.ttl - 1 || walk_probe(p, &w, &e, answered)) {
			if (w.has_key && w.is_real)
				learn(p, &w.key, answered);
			if (!answered)
				return;
			e.pred.ttl = 0;
		}
		/* Some are still on their way; those below can be asked meanwhile. */
		if (answered && answered >= e.pred.ttl) {
			key = trace_key(t, p->pool, answered);
			walk_to(&w, &key, 1);
		} else if (e.pred.ttl) {
			w.is_stuck = is_late(p, e.pred.ttl);
			walk_to(&w, &e.pred, 0);
		} else {
			return;
		}
	}
}

/* More than one RTT is wanted of each hop. */
static void
plan_more(struct plan *p)
{
	const struct trace *t = p->t;
	unsigned last = t->end ? t->end : t->top;

	for (unsigned ttl = 1; ttl <= last; ttl++) {
		const struct trace_hop *h = trace_find(t, p->pool, ttl);
		int64_t over_us;

		if (!h || !(h->flags & PROBER_HOP_ANSWERED) || h->answered >= t->probes)
			continue;
		over_us = t->begin_us + h->last_us + trace_patience(t, 1);
		if (!(h->answers & 1U << (h->attempts - 1)) && p->now_us < over_us)
			wait_until(p, over_us);
		else if (h->attempts < t->probes + t->tries - 1)
			ask_for(p, ttl);
	}
}

static void
discharge_all(struct trace *t, const struct trace_pool *pool, struct cache *c)
{
	for (unsigned ttl = 1; ttl <= PROBER_HOPS_MAX; ttl++) {
		struct cache_hop key;

		if (!(t->charged & trace_bit(ttl)) || !trace_answered(t, pool, ttl))
			continue;
		key = trace_key(t, pool, ttl);
		discharge(t, c, &key);
	}
}

int
plan_next(struct trace *t, const struct trace_pool *pool, struct cache *c, int64_t now_us)
{
	struct plan p = { .t = t, .pool = pool, .cache = c, .now_us = now_us, .due_us = t->deadline_us };

	t->want = 0;
	t->cache_version = cache_version(c);
	if (now_us >= t->deadline_us && t->status == PROBER_DONE)
		t->status = PROBER_DEADLINE;
	if (t->status == PROBER_DONE) {
		plan_up(&p);
		plan_down(&p);
		plan_more(&p);
	}
	t->granted &= t->want;
	t->due_us = p.due_us;
	if (!p.open)
		discharge_all(t, pool, c);
	return !p.open;
}

unsigned
plan_cached(const struct trace *t, const struct trace_pool *pool, struct cache *c, int64_t now_us,
	    struct prober_hop *hops)
{
	unsigned n = 0;

	if (trace_is_fresh(t))
		return 0;
	for (unsigned ttl = (t->end ? t->end : t->top + 1U); (ttl = trace_below(t, pool, ttl));) {
		struct cache_hop key = trace_key(t, pool, ttl);

		while (key.ttl > 1 && !trace_answered(t, pool, key.ttl - 1U)) {
			struct cache_edge e = cache_ask(c, &key, now_us);

			if (!is_usable(t, pool, &e, key.ttl) || !e.pred.ttl || trace_answered(t, pool, e.pred.ttl))
				break;
			memcpy(hops[e.pred.ttl - 1].addr, e.pred.addr, 16);
			hops[e.pred.ttl - 1].flags = PROBER_HOP_ANSWERED | PROBER_HOP_CACHED;
			key = e.pred;
			n++;
		}
	}
	return n;
}
