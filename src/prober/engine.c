/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * engine.c - all traces: a heap says which of them to plan again (plan.c) and when, those that want to
 * send are drawn at random, one probe at a time, as the rate allows.
 *
 * The order of sending is random over traces and TTLs, so that a router, which limits its errors, is not
 * asked by a row of traces at once (Beverly: Yarrp, IMC 2016).  A trace that another's answers have made
 * wiser since it was planned is planned anew before it sends.
 *
 * What the rate allows is spread: probes that leave in one burst, and their answers, wait for each other in
 * queues on the way, and the RTTs show it (by 1 ms on the internet of tests/internet).  Time that was lost
 * is made up for at twice the rate.
 */
#include "prober/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"
#include "prober/cache.h"
#include "prober/plan.h"
#include "prober/result.h"
#include "prober/trace.h"

#define EDGES 4096
#define PORTS (PROBER_PORT_LAST - PROBER_PORT_FIRST + 1)
#define HOPS_PER_TRACE 7     /* on average, probed ones; cold and long traces take more */
#define TRACES_MAX 4096
#define BURST_US 10000
#define BURST_PROBES 4
#define BLOCKED_US 5000      /* the socket's buffer is full */
#define NO_HOPS_US 20000     /* the pool is empty: others will be done soon */
#define RESETS_MAX 8
#define RESET_TTL 64

#define NONE UINT32_MAX

/* A trace that is over may be closing: a SYN of it is on its way that may yet open half a connection at
 * the far end.  Whoever needs the slot gets it. */
enum life { FREE, LIVE, CLOSING };

_Static_assert((PORTS & (PORTS - 1)) == 0, "ports are a mask");
/* Each trace also has a place in the heap and in the list of those that are ready. */
_Static_assert(sizeof(struct trace) + HOPS_PER_TRACE * (sizeof(struct trace_hop) + sizeof(uint16_t)) +
	       2 * sizeof(uint32_t) <= 1024, "a trace takes 1 KiB at most");
_Static_assert(TRACES_MAX * HOPS_PER_TRACE + PROBER_HOPS_MAX < UINT16_MAX, "an index in the pool");

struct engine {
	struct engine_conf conf;
	struct engine_calls calls;
	void *arg;
	struct cache *cache;
	struct trace_pool pool;
	struct trace *traces;
	uint32_t free;         /* first free slot, by trace.next */
	uint32_t live;
	uint32_t *heap;        /* slots by due_us */
	uint32_t n_heap;
	uint32_t *ready;       /* slots, no order */
	uint32_t n_ready;
	uint32_t privileged;   /* the trace that may take the pool's last records */
	uint64_t instances;    /* traces begun, ever: no two have the same secret */
	uint64_t random;
	int64_t credit;        /* probes that may be sent now, in millionths */
	int64_t credit_us;     /* when it was counted */
	int64_t hold_us;       /* until then nothing is sent */
	uint64_t stat[PROBER_STATS];
	uint32_t heads[PORTS]; /* traces by the port of their probes */
	struct prober_result result;
};

struct engine *
engine_new(const struct engine_conf *conf, const struct engine_calls *calls, void *arg)
{
	struct engine *e = calloc(1, sizeof *e);
	uint32_t n;

	if (!e)
		return NULL;
	e->conf = *conf;
	if (e->conf.traces > TRACES_MAX)
		e->conf.traces = TRACES_MAX;
	if (!e->conf.probe_rate)
		e->conf.probe_rate = 1;
	n = e->conf.traces;
	e->calls = *calls;
	e->arg = arg;
	e->cache = cache_new(conf->key, EDGES);
	e->traces = calloc(n, sizeof *e->traces);
	e->heap = calloc(n, sizeof *e->heap);
	e->ready = calloc(n, sizeof *e->ready);
	if (!e->cache || !e->traces || !e->heap || !e->ready ||
	    trace_pool_new(&e->pool, n * HOPS_PER_TRACE + PROBER_HOPS_MAX)) {
		engine_free(e);
		return NULL;
	}
	e->random = hash_sip(conf->key, "order", 5) | 1;
	e->privileged = NONE;
	memset(e->heads, 0xff, sizeof e->heads);
	for (uint32_t i = 0; i < n; i++)
		e->traces[i].next = i + 1 < n ? i + 1 : NONE;
	e->free = n ? 0 : NONE;
	return e;
}

void
engine_free(struct engine *e)
{
	if (!e)
		return;
	trace_pool_free(&e->pool);
	cache_free(e->cache);
	free(e->traces);
	free(e->heap);
	free(e->ready);
	free(e);
}

/* xorshift64* (Vigna): for fairness, not for secrets. */
static uint32_t
draw(struct engine *e, uint32_t n)
{
	e->random ^= e->random >> 12;
	e->random ^= e->random << 25;
	e->random ^= e->random >> 27;
	return (uint32_t)((e->random * 0x2545f4914f6cdd1dULL >> 32) * n >> 32);
}

/* --- the heap, the ready list, the chains ----------------------------------------------------------- */

static void
heap_put(struct engine *e, uint32_t at, uint32_t slot)
{
	e->heap[at] = slot;
	e->traces[slot].heap = at;
}

/* Moves the trace to where its due_us belongs. */
static void
heap_move(struct engine *e, uint32_t slot)
{
	int64_t due_us = e->traces[slot].due_us;
	uint32_t at = e->traces[slot].heap;

	while (at && e->traces[e->heap[(at - 1) / 2]].due_us > due_us) {
		heap_put(e, at, e->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < e->n_heap &&
		    e->traces[e->heap[child + 1]].due_us < e->traces[e->heap[child]].due_us)
			child++;
		if (child >= e->n_heap || e->traces[e->heap[child]].due_us >= due_us)
			break;
		heap_put(e, at, e->heap[child]);
		at = child;
	}
	heap_put(e, at, slot);
}

static void
heap_add(struct engine *e, uint32_t slot)
{
	heap_put(e, e->n_heap++, slot);
	heap_move(e, slot);
}

static void
heap_remove(struct engine *e, uint32_t slot)
{
	uint32_t at = e->traces[slot].heap, last = e->heap[--e->n_heap];

	if (last == slot)
		return;
	heap_put(e, at, last);
	heap_move(e, last);
}

/* On the list of those that want to send, or off it. */
static void
ready_set(struct engine *e, uint32_t slot)
{
	struct trace *t = &e->traces[slot];

	if (t->want && t->ready == NONE) {
		t->ready = e->n_ready;
		e->ready[e->n_ready++] = slot;
	} else if (!t->want && t->ready != NONE) {
		uint32_t last = e->ready[--e->n_ready];

		e->ready[t->ready] = last;
		e->traces[last].ready = t->ready;
		t->ready = NONE;
	}
}

static uint32_t *
chain_of(struct engine *e, uint16_t sport)
{
	return &e->heads[sport & (PORTS - 1)];
}

static void
slot_free(struct engine *e, uint32_t slot)
{
	struct trace *t = &e->traces[slot];
	uint32_t *p = chain_of(e, t->sport);

	while (*p != slot)
		p = &e->traces[*p].next;
	*p = t->next;
	t->want = 0;
	ready_set(e, slot);
	heap_remove(e, slot);
	trace_end(t, &e->pool);
	e->live -= t->life == LIVE;
	t->life = FREE;
	t->next = e->free;
	e->free = slot;
	if (e->privileged == slot)
		e->privileged = NONE;
}

static void
slot_close(struct engine *e, uint32_t slot, int64_t now_us)
{
	struct trace *t = &e->traces[slot];
	int64_t until_us = trace_linger(t, &e->pool);

	if (until_us <= now_us) {
		slot_free(e, slot);
		return;
	}
	t->life = CLOSING;
	t->want = 0;
	t->due_us = until_us;
	ready_set(e, slot);
	heap_move(e, slot);
	e->live--;
}

/* --- begin, end ------------------------------------------------------------------------------------- */

/* Flow f of a destination has port first + step * f, step being odd: all flows of one destination
 * have different ports, and each has the same one as long as the process lives. */
static uint16_t
port_of(const struct engine *e, const struct prober_request *r)
{
	uint8_t key[20] = { r->ipv, r->method, (uint8_t)(r->dport >> 8), (uint8_t)r->dport };
	uint64_t h;

	memcpy(key + 4, r->dst, 16);
	h = hash_sip(e->conf.key, key, sizeof key);
	return (uint16_t)(PROBER_PORT_FIRST + ((h >> 32) + r->flow * (h | 1)) % PORTS);
}

static int
is_same(const struct trace *t, const struct prober_request *r, const struct prober_tuple *wan)
{
	return t->ipv == r->ipv && t->method == r->method && !memcmp(t->dst, wan ? wan->dst : r->dst, 16) &&
	       (t->method == PROBER_ICMP || t->dport == (wan ? wan->dport : r->dport));
}

int
engine_begin(struct engine *e, uint32_t client, const struct prober_request *r, const uint8_t src[16],
	     const struct prober_tuple *wan, int64_t now_us, int64_t wall_us)
{
	uint16_t sport = wan ? wan->sport : port_of(e, r);
	uint32_t slot = e->free, *chain = chain_of(e, sport);
	struct trace *t;

	for (uint32_t i = *chain; i != NONE; i = e->traces[i].next)
		if (e->traces[i].life == LIVE && e->traces[i].sport == sport && is_same(&e->traces[i], r, wan))
			return -EALREADY;
	if (slot == NONE && e->live < e->conf.traces)
		for (slot = 0; e->traces[slot].life != CLOSING;)
			slot++;
	else if (slot == NONE)
		return -EAGAIN;
	t = &e->traces[slot];
	if (t->life == CLOSING)
		slot_free(e, slot);
	e->free = t->next;
	memset(t, 0, sizeof *t);
	t->client = client;
	t->sport = sport;
	t->life = LIVE;
	t->alone = !e->live;
	for (size_t half = 0; half < 2; half++) {
		uint64_t n = ++e->instances, secret = hash_sip(e->conf.key, &n, sizeof n);

		memcpy(t->secret + 8 * half, &secret, 8);
	}
	trace_begin(t, r, src, wan, e->cache, now_us, wall_us);
	t->next = *chain;
	*chain = slot;
	t->ready = NONE;
	heap_add(e, slot);
	e->live++;
	e->stat[PROBER_STAT_TRACES]++;
	return 0;
}

/* The slot is free before anybody is told: done() may begin another trace. */
static void
finish(struct engine *e, uint32_t slot, int64_t now_us)
{
	struct trace *t = &e->traces[slot];
	struct prober_result *r = &e->result;
	uint32_t client = t->client;

	e->stat[PROBER_STAT_CACHED] += result_make(r, t, &e->pool, e->cache, now_us);
	if (t->flags & PROBER_REQ_PROGRESS)
		for (unsigned i = 0; i < r->n_hops; i++)
			if ((r->hop[i].flags & PROBER_HOP_CACHED) || (r->hop[i].flags && !r->hop[i].sent))
				e->calls.hop(e->arg, client, r->id, &r->hop[i]);
	/* A hop() that fails may have ended in engine_forget(). */
	if (t->life != LIVE)
		return;
	slot_close(e, slot, now_us);
	e->calls.done(e->arg, client, r);
}

void
engine_forget(struct engine *e, uint32_t client)
{
	for (uint32_t i = 0; i < e->conf.traces; i++)
		if (e->traces[i].life == LIVE && e->traces[i].client == client)
			slot_free(e, i);
}

/* --- answers ---------------------------------------------------------------------------------------- */

/* A SYN-ACK began half a connection at the far end. */
static void
reset(struct engine *e, struct trace *t, const struct wire_answer *a)
{
	struct wire_probe w = {
		.ipv = t->ipv,
		.method = PROBER_TCP_SYN,
		.ttl = RESET_TTL,
		.rst = 1,
		.sport = t->sport,
		.dport = t->dport,
		.token = a->token + 1,
	};

	if (t->resets == RESETS_MAX)
		return;
	t->resets++;
	memcpy(w.src, t->src, 16);
	memcpy(w.dst, t->dst, 16);
	e->stat[e->calls.send(e->arg, &w) < 0 ? PROBER_STAT_SEND_ERRORS : PROBER_STAT_RESETS]++;
}

/* The connection of an in-band trace is over. */
static int
is_stop(const struct trace *t, const struct wire_answer *a)
{
	return a->kind == WIRE_RST && t->method == PROBER_TCP_ACK && t->ipv == a->ipv && t->sport == a->sport &&
	       t->dport == a->dport && !memcmp(t->dst, a->from, 16) && !memcmp(t->src, a->to, 16);
}

int
engine_answer(struct engine *e, const struct wire_answer *a, int64_t ts_us, int64_t now_us)
{
	for (uint32_t i = *chain_of(e, a->sport); i != NONE; i = e->traces[i].next) {
		struct trace *t = &e->traces[i];
		struct prober_hop hop;
		uint8_t attempt, ttl;

		if (t->life == LIVE && is_stop(t, a)) {
			t->status = PROBER_STOPPED;
			t->due_us = now_us;
			heap_move(e, i);
			return 1;
		}
		ttl = trace_match(t, &e->pool, a, &attempt);
		if (!ttl)
			continue;
		if (a->kind == WIRE_SYN_ACK)
			reset(e, t, a);
		if (!trace_take(t, &e->pool, e->cache, ttl, attempt, a, ts_us, now_us))
			break; /* a duplicate */
		e->stat[PROBER_STAT_ANSWERS]++;
		if (t->life == CLOSING) {
			t->due_us = trace_linger(t, &e->pool);
			heap_move(e, i);
			return 1;
		}
		heap_move(e, i);
		if (t->flags & PROBER_REQ_PROGRESS) {
			trace_show(t, &e->pool, ttl, &hop);
			e->calls.hop(e->arg, t->client, t->id, &hop);
		}
		return 1;
	}
	e->stat[PROBER_STAT_FOREIGN]++;
	return 0;
}

/* --- sending ---------------------------------------------------------------------------------------- */

/* 1: the trace is over. */
static int
plan(struct engine *e, uint32_t slot, int64_t now_us)
{
	struct trace *t = &e->traces[slot];

	if (t->life == CLOSING) {
		slot_free(e, slot);
		return 1;
	}
	if (plan_next(t, &e->pool, e->cache, now_us)) {
		finish(e, slot, now_us);
		return 1;
	}
	heap_move(e, slot);
	ready_set(e, slot);
	return 0;
}

static uint8_t
pick(struct engine *e, uint64_t want)
{
	for (uint32_t n = draw(e, (uint32_t)__builtin_popcountll(want)); n; n--)
		want &= want - 1;
	return (uint8_t)(1 + __builtin_ctzll(want));
}

/* 0: one probe less is due; -errno: nothing can be sent now. */
static int
send_one(struct engine *e, uint32_t slot, int64_t now_us, int64_t wall_us)
{
	struct trace *t = &e->traces[slot];
	struct wire_probe w;
	uint8_t ttl = pick(e, t->want);
	int64_t sent_us;

	if (e->privileged == NONE && e->pool.n_free <= PROBER_HOPS_MAX)
		e->privileged = slot;
	if (trace_probe(t, &e->pool, ttl, e->privileged == slot ? 0 : PROBER_HOPS_MAX, &w)) {
		t->want = 0;
		if (t->due_us > now_us + NO_HOPS_US)
			t->due_us = now_us + NO_HOPS_US;
	} else {
		sent_us = e->calls.send(e->arg, &w);
		if (sent_us == -EAGAIN || sent_us == -ENOBUFS) {
			e->stat[PROBER_STAT_SEND_ERRORS]++;
			e->hold_us = now_us + BLOCKED_US;
			return (int)sent_us;
		}
		e->credit -= 1000000;
		e->hold_us = now_us + 500000 / e->conf.probe_rate;
		/* Any other error is this probe's own: as if it had been lost. */
		e->stat[sent_us < 0 ? PROBER_STAT_SEND_ERRORS : PROBER_STAT_PROBES]++;
		if (sent_us >= 0)
			t->probes_sent++;
		trace_sent(t, &e->pool, ttl, sent_us < 0 ? wall_us : sent_us, now_us);
	}
	ready_set(e, slot);
	heap_move(e, slot);
	return 0;
}

static void
earn(struct engine *e, int64_t now_us)
{
	int64_t rate = e->conf.probe_rate, most = rate * BURST_US, elapsed_us = now_us - e->credit_us;

	if (most < BURST_PROBES * 1000000)
		most = BURST_PROBES * 1000000;
	e->credit_us = now_us;
	if (elapsed_us < 0)
		return;
	e->credit = elapsed_us > 4000000 ? most : e->credit + elapsed_us * rate;
	if (e->credit > most)
		e->credit = most;
}

int64_t
engine_run(struct engine *e, int64_t now_us, int64_t wall_us)
{
	int64_t next_us = INT64_MAX;

	earn(e, now_us);
	while (e->n_heap && e->traces[e->heap[0]].due_us <= now_us)
		plan(e, e->heap[0], now_us);
	while (e->n_ready && e->credit >= 1000000 && now_us >= e->hold_us) {
		uint32_t slot = e->ready[draw(e, e->n_ready)];

		if (e->traces[slot].cache_version != cache_version(e->cache) &&
		    (plan(e, slot, now_us) || !e->traces[slot].want))
			continue;
		if (send_one(e, slot, now_us, wall_us))
			break;
	}
	if (e->n_heap)
		next_us = e->traces[e->heap[0]].due_us;
	if (e->n_ready) {
		int64_t missing = 1000000 - e->credit, rate = e->conf.probe_rate;
		int64_t send_us = missing > 0 ? now_us + (missing + rate - 1) / rate : now_us;

		if (send_us < e->hold_us)
			send_us = e->hold_us;
		if (send_us < next_us)
			next_us = send_us;
	}
	return next_us;
}

uint32_t
engine_live(const struct engine *e)
{
	return e->live;
}

void
engine_stats(const struct engine *e, uint64_t stat[16])
{
	for (int i = 0; i < PROBER_STATS; i++)
		stat[i] += e->stat[i];
}
