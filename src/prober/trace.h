/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace.h - one trace: what is known of its hops, its probes and their tokens, which answer belongs to
 * which.  Knows no other trace, and sends nothing: engine.c does.  What to probe next: plan.h.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stdint.h>

#include "prober.h"
#include "prober/cache.h"
#include "prober/wire.h"

#define TRACE_SENT_KEPT 3 /* of this many probes to one hop the time of sending is known */

/* A hop that was probed.  Times are since the trace's begin. */
struct trace_hop {
	uint8_t addr[16];
	uint32_t rtt_us[PROBER_RTTS_MAX];
	uint32_t sent_us[TRACE_SENT_KEPT]; /* of attempt i: [i % TRACE_SENT_KEPT]; CLOCK_REALTIME */
	uint32_t mpls[PROBER_MPLS_MAX];
	uint32_t last_us;    /* when the last probe left, the engine's clock */
	uint8_t flags;       /* PROBER_HOP_* */
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t attempts;
	uint8_t n_rtt;
	uint8_t reply_ttl;
	uint8_t n_mpls;
	uint8_t answers;     /* a bit for each attempt that was answered */
	uint8_t tries;       /* probes without an answer before it counts as silent */
	uint8_t losses;      /* attempts whose loss the router's pace knows of */
	uint8_t unreachable; /* it said that the way ends here */
	uint8_t answered;    /* number of bits in `answers` */
};

/* Records of hops, shared by all traces.  Index 0 is none. */
struct trace_pool {
	struct trace_hop *hops;
	uint16_t *free;
	uint32_t n_free;
	uint32_t n;
};

int trace_pool_new(struct trace_pool *, uint32_t n);
void trace_pool_free(struct trace_pool *);

struct trace {
	int64_t begin_us;     /* the engine's clock */
	int64_t begin_wall_us;
	int64_t deadline_us;
	int64_t due_us;       /* when to plan again */
	uint8_t secret[16];   /* of this trace: its tokens come from it */
	uint64_t want;        /* TTLs to be probed now; bit 0 is TTL 1 */
	uint64_t granted;     /* their routers' pace has been charged for it */
	uint64_t charged;     /* edges of hops at these TTLs for which cache_probing() was called */
	uint64_t learned;     /* the same, for cache_learn() */
	uint64_t verify;      /* the same: the edge is sure, and probed again */
	uint32_t client;
	uint32_t id;
	uint32_t rtt_us;      /* the handshake's */
	uint32_t rtt_max_us;  /* the longest that was measured, or the handshake's */
	uint32_t iss;
	uint32_t irs;
	uint32_t cache_version; /* of the last plan */
	uint32_t next;        /* of the engine's hash chain, or of its free slots */
	uint32_t heap;        /* place in the engine's heap */
	uint32_t ready;       /* place in the engine's list of those that want to send */
	uint16_t sport;
	uint16_t dport;
	uint16_t flow;
	uint16_t probes_sent;
	uint8_t ipv;
	uint8_t method;
	uint8_t trigger;
	uint8_t flags;        /* PROBER_REQ_* */
	uint8_t probes;
	uint8_t tries;
	uint8_t max_ttl;
	uint8_t estimate;     /* of the reply's TTL; 0: none */
	uint8_t length;       /* where the destination is thought to be; 0: no idea */
	uint8_t start;        /* the first TTL that is probed */
	uint8_t top;          /* the highest TTL that a router answered */
	uint8_t end;          /* the lowest TTL that the way ended at; 0: not yet */
	uint8_t status;       /* enum prober_status, so far */
	uint8_t resets;
	uint8_t guess;        /* where the destination is, by the TTL that its answer quoted; 0: no idea */
	uint8_t life;         /* the engine's: free, live, closing */
	uint8_t alone;        /* the engine's: no other was under way when it began */
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t hop[PROBER_HOPS_MAX]; /* in the pool */
};

/* What became of the probes to one TTL. */
enum trace_state {
	TRACE_UNSENT,
	TRACE_WAITING,
	TRACE_OVERDUE, /* an answer may still come, but go on */
	TRACE_RETRY,
	TRACE_SILENT,
	TRACE_ANSWERED,
};

/* *t is zero but for the engine's own members and `secret`, `sport`. */
void trace_begin(struct trace *, const struct prober_request *, const uint8_t src[16],
		 const struct prober_tuple *wan, const struct cache *, int64_t now_us, int64_t wall_us);

/* Gives its records back. */
void trace_end(struct trace *, struct trace_pool *);

/* The probe for a TTL.  -ENOBUFS: the pool has no more than `keep` records. */
int trace_probe(struct trace *, struct trace_pool *, uint8_t ttl, uint32_t keep, struct wire_probe *);
/* It left; sent_us as engine_calls.send() returned it. */
void trace_sent(struct trace *, struct trace_pool *, uint8_t ttl, int64_t sent_us, int64_t now_us);

/* The TTL that an answer is about; 0: it is not of this trace. */
uint8_t trace_match(const struct trace *, const struct trace_pool *, const struct wire_answer *,
		    uint8_t *attempt);
/* Takes it in.  0: this probe was answered before. */
int trace_take(struct trace *, struct trace_pool *, struct cache *, uint8_t ttl, uint8_t attempt,
	       const struct wire_answer *, int64_t ts_us, int64_t now_us);

/* *until: when the state will change by itself. */
enum trace_state trace_state(const struct trace *, const struct trace_hop *, int64_t now_us, int64_t *until_us);
/* How long a probe, the last one of its TTL or not, is waited for.  Routers limit how many errors they send a
 * second; they were not asked by others of ours when a trace is alone, and it can be done in 3 RTT + 1 s
 * with silent hops too. */
int64_t trace_patience(const struct trace *, int last);
/* When the last SYN-ACK may still come; 0: none will. */
int64_t trace_linger(const struct trace *, const struct trace_pool *);

/* The record of a TTL: NULL when there is none; of one that was probed. */
struct trace_hop *trace_find(const struct trace *, const struct trace_pool *, unsigned ttl);
struct trace_hop *trace_get(const struct trace *, const struct trace_pool *, unsigned ttl);
int trace_answered(const struct trace *, const struct trace_pool *, unsigned ttl);
/* The next TTL below that answered, 0: none. */
unsigned trace_below(const struct trace *, const struct trace_pool *, unsigned ttl);
/* An answered TTL, for the cache. */
struct cache_hop trace_key(const struct trace *, const struct trace_pool *, unsigned ttl);

/* Fills *hop with what is known of a TTL by probing. */
void trace_show(const struct trace *, const struct trace_pool *, uint8_t ttl, struct prober_hop *);

static inline uint64_t
trace_bit(unsigned ttl)
{
	return 1ULL << ((ttl - 1) & (PROBER_HOPS_MAX - 1));
}

/* Nothing is to be believed of the cache. */
static inline int
trace_is_fresh(const struct trace *t)
{
	return t->flags & PROBER_REQ_FRESH;
}

#endif
