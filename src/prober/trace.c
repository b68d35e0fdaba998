/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace.c - what one trace knows: its probes and their tokens, which answer belongs to which, what became
 * of each TTL.
 */
#include "prober/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

#define DEADLINE_US 10000000
#define RETRY_US 1000000   /* to a silent hop, or three times the longest RTT */
#define LAST_US 500000     /* the same, for the last probe */
#define ALONE_US 350000    /* of a trace without company, or one and a half times: see trace.h */
#define OVERDUE_US 150000  /* and twice the RTT: go on with other TTLs meanwhile */
#define BLIND_US 400000    /* the same when no RTT is known yet */
#define SPARE_TTLS 3       /* a path may be longer than the estimate */
#define START_UNKNOWN 6    /* in the middle of most paths */
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

struct trace_hop *
trace_find(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	return t->hop[ttl - 1] ? &pool->hops[t->hop[ttl - 1]] : NULL;
}

struct trace_hop *
trace_get(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	return &pool->hops[t->hop[ttl - 1]];
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
trace_begin(struct trace *t, const struct prober_request *r, const uint8_t src[16],
	    const struct prober_tuple *wan, const struct cache *c, int64_t now_us, int64_t wall_us)
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
	t->length = trace_is_fresh(t) ? t->estimate : cache_length(c, t->ipv, t->dst, t->estimate);
	t->max_ttl = r->max_ttl ? r->max_ttl : PROBER_TTL_DEFAULT;
	if (!r->max_ttl && t->length + SPARE_TTLS > t->max_ttl)
		t->max_ttl = (uint8_t)(t->length + SPARE_TTLS);
	if (t->max_ttl > PROBER_HOPS_MAX)
		t->max_ttl = PROBER_HOPS_MAX;
	if (t->length > t->max_ttl)
		t->length = 0;
	if (t->length)
		t->start = t->length > 1 ? t->length - 1 : 1;
	else
		t->start = trace_is_fresh(t) || t->max_ttl < START_UNKNOWN ? 1 : START_UNKNOWN;
}

void
trace_end(struct trace *t, struct trace_pool *pool)
{
	for (unsigned i = 0; i < PROBER_HOPS_MAX; i++)
		if (t->hop[i])
			pool->free[pool->n_free++] = t->hop[i];
}

/* --- what became of a TTL -------------------------------------------------------------------------- */

int64_t
trace_patience(const struct trace *t, int last)
{
	int64_t us = 3LL * t->rtt_max_us, least = last && t->rtt_max_us ? LAST_US : RETRY_US;

	if (t->alone && (t->top || t->end)) {
		us /= 2;
		least = ALONE_US;
	}
	return us > least ? us : least;
}

static int64_t
overdue(const struct trace *t)
{
	return t->rtt_max_us ? 2LL * t->rtt_max_us + OVERDUE_US : BLIND_US;
}

enum trace_state
trace_state(const struct trace *t, const struct trace_hop *h, int64_t now_us, int64_t *until_us)
{
	int64_t sent_us, overdue_us, over_us;
	int last;

	if (!h || !h->attempts)
		return TRACE_UNSENT;
	if (h->flags & PROBER_HOP_ANSWERED)
		return TRACE_ANSWERED;
	last = h->attempts >= h->tries;
	sent_us = t->begin_us + h->last_us;
	overdue_us = sent_us + overdue(t);
	over_us = sent_us + trace_patience(t, last);
	if (now_us >= over_us)
		return last ? TRACE_SILENT : TRACE_RETRY;
	*until_us = now_us < overdue_us && overdue_us < over_us ? overdue_us : over_us;
	return now_us < overdue_us ? TRACE_WAITING : TRACE_OVERDUE;
}

struct cache_hop
trace_key(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	struct cache_hop k = { .ttl = (uint8_t)ttl, .ipv = t->ipv };

	memcpy(k.addr, trace_get(t, pool, ttl)->addr, 16);
	return k;
}

int
trace_answered(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	const struct trace_hop *h = trace_find(t, pool, ttl);

	return h && (h->flags & PROBER_HOP_ANSWERED);
}

unsigned
trace_below(const struct trace *t, const struct trace_pool *pool, unsigned ttl)
{
	while (--ttl > 0 && !trace_answered(t, pool, ttl))
		continue;
	return ttl;
}

int64_t
trace_linger(const struct trace *t, const struct trace_pool *pool)
{
	int64_t until_us = 0;

	if (t->method != PROBER_TCP_SYN)
		return 0;
	for (unsigned ttl = t->end ? t->end : t->top + 1U; ttl <= PROBER_HOPS_MAX; ttl++) {
		const struct trace_hop *h = trace_find(t, pool, ttl);

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
	h = trace_find(t, pool, ttl);
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
		.token = token_of(t, ttl, trace_get(t, pool, ttl)->attempts),
		.ack = t->method == PROBER_TCP_ACK ? t->irs + 1 : 0,
	};
	memcpy(w->src, t->src, 16);
	memcpy(w->dst, t->dst, 16);
	return 0;
}

void
trace_sent(struct trace *t, struct trace_pool *pool, uint8_t ttl, int64_t sent_us, int64_t now_us)
{
	struct trace_hop *h = trace_get(t, pool, ttl);

	h->sent_us[h->attempts % TRACE_SENT_KEPT] = (uint32_t)(sent_us - t->begin_wall_us);
	h->last_us = (uint32_t)(now_us - t->begin_us);
	h->attempts++;
	t->want &= ~trace_bit(ttl);
	t->granted &= ~trace_bit(ttl);
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
		t->top = (uint8_t)trace_below(t, pool, ttl);
}

int
trace_take(struct trace *t, struct trace_pool *pool, struct cache *c, uint8_t ttl, uint8_t attempt,
	   const struct wire_answer *a, int64_t ts_us, int64_t now_us)
{
	struct trace_hop *h = trace_get(t, pool, ttl);
	struct cache_hop key = { .ttl = ttl, .ipv = t->ipv };
	int is_dst = !memcmp(a->from, t->dst, 16);
	int64_t until_us;
	enum trace_state was = trace_state(t, h, now_us, &until_us);

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
	if (was == TRACE_SILENT)
		t->learned &= trace_bit(ttl) | (trace_bit(ttl) - 1);
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

void
trace_show(const struct trace *t, const struct trace_pool *pool, uint8_t ttl, struct prober_hop *out)
{
	const struct trace_hop *h = trace_find(t, pool, ttl);

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
