/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * result.c - a trace at its end: what it probed, and what the cache knows in between.
 */
#include "prober/result.h"

#include <string.h>

#include "prober/plan.h"

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
result_make(struct prober_result *r, const struct trace *t, const struct trace_pool *pool, struct cache *c,
	    int64_t now_us)
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
	r->n_hops = implied ? implied : t->end ? t->end : t->top;
	for (uint8_t ttl = 1; ttl <= r->n_hops; ttl++)
		trace_show(t, pool, ttl, &r->hop[ttl - 1]);
	cached = plan_cached(t, pool, c, now_us, r->hop);
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
