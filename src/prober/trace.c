/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace.c - one trace.
 *
 * Backward: the TTL of the destination's SYN-ACK says how long the way is, so the first probe goes to the hop
 * before the destination.  What answers there is looked up in the edge cache, and as far as edges are
 * sure the path is known without a probe; where one is not, the hop before it is probed.  The TTL
 * above is probed to see the destination itself: the way back may be shorter or longer than the
 * way there, and only an error from the TTL before it and an answer at its own prove where it is.
 *
 * Everything follows from what was answered so far: trace_plan() walks from the far end towards us
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
#include "prober/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define DEADLINE_US 10000000
#define LATE_US 5000000    /* of waiting for one hop's turn: look for hops below it */
#define RETRY_US 1000000   /* to a silent hop, or three times the longest RTT */
#define LAST_US 500000     /* the same, for the last probe */
#define OVERDUE_US 150000  /* and twice the RTT: go on with other TTLs meanwhile */
#define BLIND_US 400000    /* the same when no RTT is known yet */
#define SHARE_US 50000     /* until another trace's probe may have told us */

#define GAP_LIMIT 3
#define START_UNKNOWN 6    /* in the middle of most paths */
#define AHEAD_UNKNOWN 4
#define AHEAD_FIRST 6      /* from TTL 1 on */
#define RETRY_KNOWN 1      /* more probes to a hop that was seen to answer before */
#define CLOCK_SLACK_US 10000

_Static_assert(sizeof(struct trace_hop) == 72, "some for each trace, see engine.c");

int
trace_pool_new(struct trace_pool *p, uint32_t n)
{
	p->hops = calloc(n + 1, sizeof *p->hops);
	p->free = calloc(n, sizeof *p->free);
	if (!p->hops || !p->free) {
		trace_pool_free(p);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < n; i++)
		p->free[i] = (uint16_t)(n - i);
	p->n = p->n_free = n;
	return 0;
}

void
trace_pool_free(struct trace_pool *p)
{
	free(p->hops);
	free(p->free);
	p->hops = NULL;
	p->free = NULL;
}

static struct trace_hop *
hop_find(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	return t->hop[ttl - 1] ? &pool->hops[t->hop[ttl - 1]] : NULL;
}

/* Of a TTL that was probed. */
static struct trace_hop *
hop_get(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	return &pool->hops[t->hop[ttl - 1]];
}

static uint64_t
bit(unsigned ttl)
{
	return 1ULL << (ttl - 1);
}

static int
is_fresh(const struct trace *t)
{
	return t->flags & PROBER_REQ_FRESH;
}

/* Hosts start with 64, 128 or 255, some small devices with 32. */
static uint8_t
estimate(uint8_t reply_ttl)
{
	static const uint8_t initial[] = { 32, 64, 128, 255 };

	if (!reply_ttl)
		return 0;
	for (size_t i = 0; i < sizeof initial; i++) {
		int n = initial[i] - reply_ttl + 1;

		if (n >= 1)
			return n <= PROBER_HOPS_MAX ? (uint8_t)n : 0;
	}
	return 0;
}

void
trace_begin(struct trace *t, const struct prober_request *r, const uint8_t src[16], const struct prober_tuple *wan,
	    const struct cache *c, int64_t now_us, int64_t wall_us)
{
	t->begin_us = t->due_us = now_us;
	t->begin_wall_us = wall_us;
	t->deadline_us = now_us + DEADLINE_US + 3LL * r->rtt_us;
	t->id = r->id;
	t->rtt_us = t->rtt_max_us = r->rtt_us;
	t->iss = r->iss;
	t->irs = r->irs;
	t->dport = wan ? wan->dport : r->dport;
	t->flow = r->flow;
	t->ipv = r->ipv;
	t->method = r->method;
	t->trigger = r->trigger;
	t->flags = r->flags;
	t->probes = r->probes ? r->probes : 1;
	t->tries = r->tries ? r->tries : 2;
	memcpy(t->src, wan ? wan->src : src, 16);
	memcpy(t->dst, wan ? wan->dst : r->dst, 16);
	t->estimate = estimate(r->reply_ttl);
	t->length = is_fresh(t) ? t->estimate : cache_length(c, t->ipv, t->dst, t->estimate);
	t->max_ttl = r->max_ttl ? r->max_ttl : PROBER_TTL_DEFAULT;
	if (!r->max_ttl && t->length + GAP_LIMIT > t->max_ttl)
		t->max_ttl = t->length + GAP_LIMIT > PROBER_HOPS_MAX ? PROBER_HOPS_MAX : (uint8_t)(t->length + GAP_LIMIT);
	if (t->length > t->max_ttl)
		t->length = 0;
	if (t->length)
		t->start = t->length > 1 ? t->length - 1 : 1;
	else
		t->start = is_fresh(t) || t->max_ttl < START_UNKNOWN ? 1 : START_UNKNOWN;
}

void
trace_end(struct trace *t, struct trace_pool *pool)
{
	for (unsigned i = 0; i < PROBER_HOPS_MAX; i++)
		if (t->hop[i])
			pool->free[pool->n_free++] = t->hop[i];
}

/* --- what a TTL's probes came to ------------------------------------------------------------------ */

enum state {
	UNSENT,
	WAITING,
	OVERDUE, /* an answer may still come, but go on */
	RETRY,
	SILENT,
	ANSWERED,
};

static int64_t
patience(const struct trace *t, int last)
{
	int64_t us = 3LL * t->rtt_max_us, least = last && t->rtt_max_us ? LAST_US : RETRY_US;

	return us > least ? us : least;
}

static int64_t
overdue(const struct trace *t)
{
	return t->rtt_max_us ? 2LL * t->rtt_max_us + OVERDUE_US : BLIND_US;
}

/* *until: when the state will change by itself. */
static enum state
state_of(const struct trace *t, const struct trace_hop *h, int64_t now_us, int64_t *until_us)
{
	int64_t sent_us, overdue_us, over_us;
	int last;

	if (!h || !h->attempts)
		return UNSENT;
	if (h->flags & PROBER_HOP_ANSWERED)
		return ANSWERED;
	last = h->attempts >= h->tries;
	sent_us = t->begin_us + h->last_us;
	overdue_us = sent_us + overdue(t);
	over_us = sent_us + patience(t, last);
	if (now_us >= over_us)
		return last ? SILENT : RETRY;
	*until_us = now_us < overdue_us && overdue_us < over_us ? overdue_us : over_us;
	return now_us < overdue_us ? WAITING : OVERDUE;
}

/* --- planning ------------------------------------------------------------------------------------- */

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
	p->t->want |= bit(ttl);
}

/* A hop without an answer: sends the next probe when it is time.  `edge`: its pred is expected to answer;
 * NULL: no idea who. */
static enum state
visit(struct plan *p, unsigned ttl, const struct cache_edge *edge, int tries)
{
	struct trace_hop *h = hop_find(p->t, p->pool, ttl);
	int64_t until_us = INT64_MAX;
	enum state s;

	if (h)
		h->tries = (uint8_t)tries;
	s = state_of(p->t, h, p->now_us, &until_us);
	if (s == WAITING || s == OVERDUE)
		wait_until(p, until_us);
	/* Of silence that belongs to another branch, the router is not to blame. */
	if (h && edge && !edge->mixed && s >= OVERDUE && s <= SILENT && h->losses < h->attempts) {
		cache_lost(p->cache, &edge->pred, 0, p->now_us);
		h->losses = h->attempts;
	}
	if (s != UNSENT && s != RETRY)
		return s;
	if (!(p->t->granted & bit(ttl))) {
		int64_t when_us = edge ? cache_pace(p->cache, &edge->pred, p->now_us) : 0;

		if (when_us) {
			/* Second probes go first, they tell loss from silence; then edges that are almost sure,
			 * which frees most of those who wait. */
			wait_until(p, when_us + (s == RETRY ? 0 : 1000 * (1 + edge->missing)));
			return s;
		}
		p->t->granted |= bit(ttl);
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
		case SILENT:
			if (++silent >= GAP_LIMIT && ttl > t->length)
				return;
			break;
		case OVERDUE:
		case RETRY:
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
	return e->trust == CACHE_SURE && !(t->verify & bit(ttl)) && !is_sampled(t, ttl);
}

static struct cache_hop
key_of(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	struct cache_hop k = { .ttl = (uint8_t)ttl, .ipv = t->ipv };

	memcpy(k.addr, hop_get(t, pool, ttl)->addr, 16);
	return k;
}

static int
is_answered(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	const struct trace_hop *h = hop_find(t, pool, ttl);

	return h && (h->flags & PROBER_HOP_ANSWERED);
}

/* The next hop below that answered this trace, 0: none. */
static unsigned
next_answered(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	while (--ttl > 0 && !is_answered(t, pool, ttl))
		continue;
	return ttl;
}

/* May the edge stand for probes?  Not when an answer to this very trace says otherwise. */
static int
is_usable(const struct trace *t, const struct trace_pool *pool, const struct cache_edge *e, unsigned ttl)
{
	unsigned a = next_answered(t, pool, ttl);

	if (!is_trusted(t, e, ttl) || a > e->pred.ttl)
		return 0;
	return !a || a < e->pred.ttl || !memcmp(hop_get(t, pool, a)->addr, e->pred.addr, 16);
}

/* No probe of this trace is on its way any more for the edge of this hop. */
static void
discharge(struct trace *t, struct cache *c, const struct cache_hop *hop)
{
	if (t->charged & bit(hop->ttl))
		cache_probed(c, hop);
	t->charged &= ~bit(hop->ttl);
}

static void
learn(struct plan *p, const struct cache_hop *hop, unsigned below)
{
	struct cache_hop pred = { .ipv = hop->ipv };
	uint64_t flow;

	if (p->t->learned & bit(hop->ttl))
		return;
	p->t->learned |= bit(hop->ttl);
	discharge(p->t, p->cache, hop);
	if (below)
		pred = key_of(p->t, p->pool, below);
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
	int64_t until_us;

	*w = (struct walk){ .ttl = t->end };
	if (t->end)
		return 1;
	w->ttl = t->top ? t->top : t->start;
	if (t->top) {
		w->key = key_of(t, p->pool, t->top);
		w->has_key = w->is_real = 1;
		return 1;
	}
	return is_fresh(t) || state_of(t, hop_find(t, p->pool, t->start), p->now_us, &until_us) >= OVERDUE;
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
		if (is_answered(t, p->pool, ttl))
			*(t->end && ttl >= t->end ? &ends : &routers) += 1;
	if (is_fresh(t) || (!w->has_key && routers))
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
	       !memcmp(e.pred.addr, hop_get(p->t, p->pool, answered)->addr, 16);
}

/* Is it time to look below a guess? */
static int
is_late(const struct plan *p, unsigned ttl)
{
	int64_t until_us;

	return p->now_us - p->t->begin_us > LATE_US ||
	       state_of(p->t, hop_find(p->t, p->pool, ttl), p->now_us, &until_us) == SILENT;
}

/* The far end answered a SYN further up, so it may be at any of these TTLs, and while one SYN is half open
 * there another is not answered: then the lowest has to come first, each time. */
static int
is_before_its_turn(const struct plan *p, unsigned ttl, unsigned answered)
{
	const struct trace_hop *h = hop_find(p->t, p->pool, ttl), *low;
	int64_t until_us;

	if (p->t->method != PROBER_TCP_SYN || !h || !h->attempts)
		return 0;
	while (++answered < ttl) {
		low = hop_find(p->t, p->pool, answered);
		if (low && low->attempts && low->attempts <= h->attempts &&
		    state_of(p->t, low, p->now_us, &until_us) != SILENT)
			return 1;
	}
	return 0;
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
		enum state s;

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
		if ((s == WAITING || s == OVERDUE || (t->want & bit(ttl))) && w->is_real && !(t->charged & bit(w->ttl))) {
			cache_probing(p->cache, &w->key, p->now_us);
			t->charged |= bit(w->ttl);
		}
		all_silent &= s == SILENT;
		if (is_pred && s != SILENT)
			return 0;
		if (is_pred && is_known_silence(p, &e->pred, answered))
			return all_silent;
		if (is_pred)
			predicted = 0; /* not this time: look further */
		else if (s < OVERDUE)
			ahead -= ahead > 0;
	}
	return all_silent;
}

static int
is_probing(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	const struct trace_hop *h = hop_find(t, pool, ttl);

	return (h && h->attempts) || (t->granted & bit(ttl));
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
		enum state at = visit(p, t->guess, NULL, t->tries);
		enum state below = t->guess > 1 ? visit(p, t->guess - 1U, NULL, t->tries) : SILENT;

		if (at != SILENT || below != SILENT)
			return;
	}
	while (w.ttl > 1) {
		unsigned answered = next_answered(t, p->pool, w.ttl);
		struct cache_edge e = { 0 };
		struct cache_hop key;

		if (w.has_key && !is_fresh(t))
			e = cache_ask(p->cache, &w.key, p->now_us);
		if (e.trust == CACHE_STALE)
			t->verify |= bit(w.ttl);
		if (answered < w.ttl - 1 && is_usable(t, p->pool, &e, w.ttl)) {
			discharge(t, p->cache, &w.key);
			if (!e.pred.ttl)
				return;
			if (w.is_stuck && answered != e.pred.ttl && visit(p, e.pred.ttl, &e, t->tries) != SILENT)
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
			key = key_of(t, p->pool, answered);
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
		const struct trace_hop *h = hop_find(t, p->pool, ttl);
		int64_t over_us;

		if (!h || !(h->flags & PROBER_HOP_ANSWERED) || h->answered >= t->probes)
			continue;
		over_us = t->begin_us + h->last_us + patience(t, 1);
		if (!(h->answers & 1U << (h->attempts - 1)) && p->now_us < over_us)
			wait_until(p, over_us);
		else if (h->attempts < t->probes + t->tries - 1)
			ask_for(p, ttl);
	}
}

int
trace_plan(struct trace *t, const struct trace_pool *pool, struct cache *c, int64_t now_us)
{
	struct plan p = { .t = t, .pool = pool, .cache = c, .now_us = now_us, .due_us = t->deadline_us };

	t->want = 0;
	t->cache_version = cache_version(c);
	if (t->status == PROBER_STOPPED)
		return 1;
	if (now_us >= t->deadline_us) {
		t->status = PROBER_DEADLINE;
		return 1;
	}
	plan_up(&p);
	plan_down(&p);
	plan_more(&p);
	t->granted &= t->want;
	t->due_us = p.due_us;
	return !p.open;
}

int64_t
trace_linger(const struct trace *t, const struct trace_pool *pool)
{
	int64_t until_us = 0;

	if (t->method != PROBER_TCP_SYN)
		return 0;
	for (unsigned ttl = t->end ? t->end : t->top + 1U; ttl <= PROBER_HOPS_MAX; ttl++) {
		const struct trace_hop *h = hop_find(t, pool, ttl);

		if (h && h->attempts > h->answered && t->begin_us + h->last_us + overdue(t) > until_us)
			until_us = t->begin_us + h->last_us + overdue(t);
	}
	return until_us;
}

/* --- probes and answers --------------------------------------------------------------------------- */

#define TTL_BITS 6

/* The secret number of a hop of this trace, as many bits as the token has left. */
static uint32_t
cookie(const struct trace *t, uint8_t ttl)
{
	uint64_t h = hash_sip(t->secret, &ttl, sizeof ttl);

	/* The highest bit is set, so no token is 0: a UDP checksum of 0 means there is none. */
	if (t->method == PROBER_UDP || t->method == PROBER_ICMP)
		return (uint32_t)(h & 0x1ff) | 0x200;
	return (uint32_t)(h & 0x1ffffff) | 0x2000000;
}

static uint32_t
token_of(const struct trace *t, uint8_t ttl, uint8_t attempt)
{
	if (t->method == PROBER_TCP_ACK)
		return t->iss - 1 - ((uint32_t)attempt << TTL_BITS) - (ttl - 1U);
	return (cookie(t, ttl) ^ attempt) << TTL_BITS | (ttl - 1U);
}

/* The TTL of a token that this trace sent; 0: none. */
static uint8_t
token_read(const struct trace *t, const struct trace_pool *pool, uint32_t token, uint8_t *attempt)
{
	const struct trace_hop *h;
	uint32_t i;
	uint8_t ttl;

	if (t->method == PROBER_TCP_ACK) {
		uint32_t n = t->iss - 1 - token;

		ttl = (uint8_t)(1 + (n & (PROBER_HOPS_MAX - 1)));
		i = n >> TTL_BITS;
	} else {
		ttl = (uint8_t)(1 + (token & (PROBER_HOPS_MAX - 1)));
		i = token >> TTL_BITS ^ cookie(t, ttl);
	}
	h = hop_find(t, pool, ttl);
	if (!h || i >= h->attempts)
		return 0;
	*attempt = (uint8_t)i;
	return ttl;
}

int
trace_probe(struct trace *t, struct trace_pool *pool, uint8_t ttl, uint32_t keep, struct wire_probe *w)
{
	if (!t->hop[ttl - 1]) {
		uint16_t i;

		if (pool->n_free <= keep)
			return -ENOBUFS;
		i = pool->free[--pool->n_free];
		t->hop[ttl - 1] = i;
		memset(&pool->hops[i], 0, sizeof pool->hops[i]);
		pool->hops[i].tries = t->tries;
	}
	*w = (struct wire_probe){
		.ipv = t->ipv,
		.method = t->method,
		.ttl = ttl,
		.sport = t->sport,
		.dport = t->dport,
		.token = token_of(t, ttl, hop_get(t, pool, ttl)->attempts),
		.ack = t->method == PROBER_TCP_ACK ? t->irs + 1 : 0,
	};
	memcpy(w->src, t->src, 16);
	memcpy(w->dst, t->dst, 16);
	return 0;
}

void
trace_sent(struct trace *t, struct trace_pool *pool, uint8_t ttl, int64_t sent_us, int64_t now_us)
{
	struct trace_hop *h = hop_get(t, pool, ttl);

	h->sent_us[h->attempts % TRACE_SENT_KEPT] = (uint32_t)(sent_us - t->begin_wall_us);
	h->last_us = (uint32_t)(now_us - t->begin_us);
	h->attempts++;
	t->want &= ~bit(ttl);
	t->granted &= ~bit(ttl);
	if (now_us + overdue(t) < t->due_us)
		t->due_us = now_us + overdue(t);
}

static int
is_tcp(uint8_t method)
{
	return method == PROBER_TCP_SYN || method == PROBER_TCP_ACK;
}

/* Addresses of the quoted packet may have been rewritten by a NAT on the way that does not translate
 * its errors back.  A TCP token is a secret of 25 bits and needs no address beside it; of the others the
 * destination, at least, must be ours. */
static int
is_mine(const struct trace *t, const struct wire_answer *a)
{
	int same_dst = !memcmp(a->dst, t->dst, 16) && (a->dport == t->dport || t->method == PROBER_ICMP);

	if (a->ipv != t->ipv || a->sport != t->sport)
		return 0;
	switch (a->kind) {
	case WIRE_TIME_EXCEEDED:
	case WIRE_UNREACHABLE:
		/* Eight quoted bytes of TCP have no flags: SYN and ACK look alike. */
		if (!is_tcp(a->method) || !is_tcp(t->method))
			return a->method == t->method && same_dst;
		return same_dst || t->method == PROBER_TCP_SYN;
	case WIRE_SYN_ACK:
	case WIRE_RST:
		return t->method == PROBER_TCP_SYN && same_dst && !memcmp(a->from, t->dst, 16) &&
		       !memcmp(a->to, t->src, 16);
	case WIRE_ECHO_REPLY:
		return t->method == PROBER_ICMP && !memcmp(a->from, t->dst, 16) && !memcmp(a->to, t->src, 16);
	default:
		return 0; /* pure ACKs belong to the connection, they answer no probe of ours for certain */
	}
}

/* Nobody answers from there. */
static int
is_nowhere(const struct trace *t, const uint8_t *from)
{
	static const uint8_t zero[16];

	if (!memcmp(from, t->src, 16) || !memcmp(from, zero, 16))
		return 1;
	return t->ipv == 4 ? from[0] >= 224 || from[0] == 127 || from[0] == 0 : from[0] == 0xff;
}

uint8_t
trace_match(const struct trace *t, const struct trace_pool *pool, const struct wire_answer *a, uint8_t *attempt)
{
	return is_mine(t, a) && !is_nowhere(t, a->from) ? token_read(t, pool, a->token, attempt) : 0;
}

static void
take_rtt(struct trace *t, struct trace_hop *h, uint8_t attempt, int64_t ts_us, int64_t now_us)
{
	int64_t sent_us, rtt_us;

	if (h->n_rtt == PROBER_RTTS_MAX || attempt + TRACE_SENT_KEPT < h->attempts)
		return;
	sent_us = h->sent_us[attempt % TRACE_SENT_KEPT];
	rtt_us = ts_us - t->begin_wall_us - sent_us;
	/* Two clocks: when the wall clock was set in between, this is no RTT. */
	if (rtt_us < 0 || rtt_us > now_us - t->begin_us - sent_us + CLOCK_SLACK_US)
		return;
	h->rtt_us[h->n_rtt++] = (uint32_t)rtt_us;
	if (rtt_us > t->rtt_max_us)
		t->rtt_max_us = (uint32_t)rtt_us;
}

/* Everything behind the way's end is not part of it. */
static void
take_end(struct trace *t, const struct trace_pool *pool, uint8_t ttl)
{
	if (t->end && t->end <= ttl)
		return;
	t->end = ttl;
	if (t->top >= ttl)
		t->top = (uint8_t)next_answered(t, pool, ttl);
}

int
trace_take(struct trace *t, struct trace_pool *pool, struct cache *c, uint8_t ttl, uint8_t attempt,
	   const struct wire_answer *a, int64_t ts_us, int64_t now_us)
{
	struct trace_hop *h = hop_get(t, pool, ttl);
	struct cache_hop key = { .ttl = ttl, .ipv = t->ipv };
	int is_dst = !memcmp(a->from, t->dst, 16);
	int64_t until_us;
	enum state was = state_of(t, h, now_us, &until_us);

	if (h->answers & 1U << attempt)
		return 0;
	h->answers |= (uint8_t)(1U << attempt);
	h->answered++;
	t->due_us = now_us;
	if (h->flags & PROBER_HOP_ANSWERED) {
		if (!memcmp(h->addr, a->from, 16))
			take_rtt(t, h, attempt, ts_us, now_us);
		return 1;
	}
	take_rtt(t, h, attempt, ts_us, now_us);
	memcpy(h->addr, a->from, 16);
	memcpy(key.addr, a->from, 16);
	h->flags = PROBER_HOP_ANSWERED;
	h->reply_ttl = a->reply_ttl;
	h->n_mpls = a->n_mpls < PROBER_MPLS_MAX ? a->n_mpls : PROBER_MPLS_MAX;
	memcpy(h->mpls, a->mpls, h->n_mpls * sizeof h->mpls[0]);
	if (a->kind == WIRE_TIME_EXCEEDED || a->kind == WIRE_UNREACHABLE || a->kind == WIRE_ECHO_REPLY) {
		h->flags |= PROBER_HOP_ICMP;
		h->icmp_type = a->icmp_type;
		h->icmp_code = a->icmp_code;
	}
	if (memcmp(a->src, t->src, 16) || memcmp(a->dst, t->dst, 16) ||
	    (t->method != PROBER_ICMP && a->dport != t->dport))
		h->flags |= PROBER_HOP_NAT;
	/* Late: what was learned of the edges above took it for silence. */
	if (was == SILENT)
		t->learned &= bit(ttl) | (bit(ttl) - 1);
	if (is_dst || a->kind == WIRE_UNREACHABLE) {
		if (is_dst)
			h->flags |= PROBER_HOP_DST;
		else
			h->unreachable = 1;
		if (is_dst && a->kind == WIRE_UNREACHABLE && a->quoted_ttl > 1 && a->quoted_ttl <= ttl)
			t->guess = (uint8_t)(ttl - a->quoted_ttl + 1);
		take_end(t, pool, ttl);
		return 1;
	}
	cache_answered(c, &key, now_us);
	if (h->attempts > 1)
		cache_lost(c, &key, 1, now_us);
	if (ttl > t->top && (!t->end || ttl < t->end))
		t->top = ttl;
	return 1;
}

/* --- results -------------------------------------------------------------------------------------- */

void
trace_show(const struct trace *t, const struct trace_pool *pool, uint8_t ttl, struct prober_hop *out)
{
	const struct trace_hop *h = hop_find(t, pool, ttl);

	memset(out, 0, sizeof *out);
	out->ttl = ttl;
	if (!h)
		return;
	out->sent = h->attempts;
	if (!(h->flags & PROBER_HOP_ANSWERED))
		return;
	out->flags = h->flags;
	out->icmp_type = h->icmp_type;
	out->icmp_code = h->icmp_code;
	out->n_rtt = h->n_rtt;
	out->reply_ttl = h->reply_ttl;
	out->n_mpls = h->n_mpls;
	memcpy(out->addr, h->addr, 16);
	memcpy(out->rtt_us, h->rtt_us, sizeof out->rtt_us);
	memcpy(out->mpls, h->mpls, sizeof out->mpls);
}

/* The hops that were not probed, where sure edges tell them. */
static unsigned
fill_cached(struct trace *t, const struct trace_pool *pool, struct cache *c, int64_t now_us, struct prober_hop *hops)
{
	unsigned n = 0;

	if (is_fresh(t))
		return 0;
	for (unsigned ttl = (t->end ? t->end : t->top + 1U); (ttl = next_answered(t, pool, ttl));) {
		struct cache_hop key = key_of(t, pool, ttl);

		while (key.ttl > 1 && !is_answered(t, pool, key.ttl - 1U)) {
			struct cache_edge e = cache_ask(c, &key, now_us);

			if (!is_usable(t, pool, &e, key.ttl) || !e.pred.ttl || is_answered(t, pool, e.pred.ttl))
				break;
			memcpy(hops[e.pred.ttl - 1].addr, e.pred.addr, 16);
			hops[e.pred.ttl - 1].flags = PROBER_HOP_ANSWERED | PROBER_HOP_CACHED;
			key = e.pred;
			n++;
		}
	}
	return n;
}

/* In band the far end stays silent: the handshake showed that it is there.  Nothing answers at the TTL
 * behind the last router, which was tried; at the estimate, then, if that is further. */
static uint8_t
in_band_end(const struct trace *t)
{
	if (t->method != PROBER_TCP_ACK || t->end || !t->length || t->status != PROBER_DONE)
		return 0;
	return t->length > t->top ? t->length : (uint8_t)(t->top + 1);
}

unsigned
trace_result(struct trace *t, const struct trace_pool *pool, struct cache *c, int64_t now_us, struct prober_result *r)
{
	uint8_t implied = in_band_end(t);
	unsigned cached;

	memset(r, 0, sizeof *r);
	r->type = PROBER_MSG_RESULT;
	r->id = t->id;
	r->ipv = t->ipv;
	r->method = t->method;
	r->trigger = t->trigger;
	r->status = t->status;
	r->flow = t->flow;
	r->sport = t->sport;
	r->dport = t->dport;
	r->probes = t->probes_sent;
	r->dur_us = (uint32_t)(now_us - t->begin_us);
	r->ts_us = t->begin_wall_us;
	memcpy(r->src, t->src, 16);
	memcpy(r->dst, t->dst, 16);
	for (unsigned ttl = 1; ttl <= PROBER_HOPS_MAX; ttl++)
		if ((t->charged & bit(ttl)) && is_answered(t, pool, ttl)) {
			struct cache_hop key = key_of(t, pool, ttl);

			discharge(t, c, &key);
		}
	r->n_hops = implied ? implied : t->end ? t->end : t->top;
	for (uint8_t ttl = 1; ttl <= r->n_hops; ttl++)
		trace_show(t, pool, ttl, &r->hop[ttl - 1]);
	cached = fill_cached(t, pool, c, now_us, r->hop);
	if (implied) {
		struct prober_hop *h = &r->hop[implied - 1];

		memcpy(h->addr, t->dst, 16);
		h->flags = PROBER_HOP_ANSWERED | PROBER_HOP_DST;
		h->n_rtt = t->rtt_us > 0;
		h->rtt_us[0] = t->rtt_us;
	}
	r->reached = r->n_hops && (r->hop[r->n_hops - 1].flags & PROBER_HOP_DST);
	if (r->reached && !implied)
		cache_length_learn(c, t->ipv, t->dst, t->estimate, t->end);
	return cached;
}
