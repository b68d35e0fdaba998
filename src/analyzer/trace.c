/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace.c - requests out, results in.
 *
 * Each plugin numbers its requests itself, so they get another number on the way: the index of a slot,
 * and above it a generation, random at the start.  An answer to an earlier analyzer, or to a request that
 * was given up, finds its slot with another generation, or none.
 */
#include "trace.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/hash.h"
#include "lib/log.h"
#include "lib/loop.h"

#define SLOT_BITS 10
_Static_assert(1 << SLOT_BITS == TRACE_WAITING_MAX, "a slot's index has SLOT_BITS");

#define WARN_US 60000000

/* 9999-12-31T23:59:59, the last second that a report can say. */
#define WALL_MAX_US 253402300799000000

struct slot {
	uint32_t wire_id; /* 0: free */
	uint32_t plugin;
	int64_t deadline_us;
	uint32_t id;      /* the plugin's; from here on: what was asked */
	uint8_t ipv;
	uint8_t method;
	uint8_t trigger;
	uint16_t flow;
	uint16_t dport;
	uint8_t dst[16];
};

/* Beside the rest, which would be 48 KiB of file if one member of it were not zero. */
static int socket_fd = -1;
static struct {
	trace_fn *fn;
	uint32_t generation;
	uint32_t hand;
	uint32_t waiting;
	int64_t expire_us; /* no slot's deadline is before it */
	struct slot slots[TRACE_WAITING_MAX];
} tr;

/* What both sides call the same has the same number, so nothing is translated. */
_Static_assert((int)NG_TRACE_TCP_SYN == PROBER_TCP_SYN && (int)NG_TRACE_UDP == PROBER_UDP &&
	       (int)NG_TRACE_ICMP == PROBER_ICMP && (int)NG_TRACE_TCP_ACK == PROBER_TCP_ACK, "methods");
_Static_assert((int)NG_TRACE_ON_CONN == PROBER_ON_CONN && (int)NG_TRACE_ON_SLOW == PROBER_ON_SLOW &&
	       (int)NG_TRACE_ON_LOSS == PROBER_ON_LOSS && (int)NG_TRACE_ON_SCHEDULE == PROBER_ON_SCHEDULE &&
	       (int)NG_TRACE_ON_MANUAL == PROBER_ON_MANUAL, "triggers");
_Static_assert((int)NG_TRACE_DONE == PROBER_DONE && (int)NG_TRACE_STOPPED == PROBER_STOPPED &&
	       (int)NG_TRACE_BAD_REQUEST == PROBER_BAD_REQUEST && (int)NG_TRACE_BOGON == PROBER_BOGON &&
	       (int)NG_TRACE_HOME == PROBER_HOME && (int)NG_TRACE_OWN == PROBER_OWN &&
	       (int)NG_TRACE_EXCLUDED == PROBER_EXCLUDED && (int)NG_TRACE_BUDGET == PROBER_BUDGET &&
	       (int)NG_TRACE_RATE == PROBER_RATE && (int)NG_TRACE_NO_ROUTE == PROBER_NO_ROUTE &&
	       (int)NG_TRACE_BUSY == PROBER_BUSY, "statuses");
_Static_assert(NG_HOP_ANSWERED == PROBER_HOP_ANSWERED && NG_HOP_CACHED == PROBER_HOP_CACHED &&
	       NG_HOP_DST == PROBER_HOP_DST && NG_HOP_NAT == PROBER_HOP_NAT && NG_HOP_ICMP == PROBER_HOP_ICMP,
	       "flags of a hop");
#define SAME(member) (offsetof(struct ng_trace_hop, member) == offsetof(struct prober_hop, member))
_Static_assert(sizeof(struct ng_trace_hop) == sizeof(struct prober_hop) && SAME(ttl) && SAME(flags) &&
	       SAME(icmp_type) && SAME(icmp_code) && SAME(sent) && SAME(n_rtt) && SAME(reply_ttl) &&
	       SAME(n_mpls) && SAME(addr) && SAME(rtt_us) && SAME(mpls), "a hop is copied as it is");

#define HOP_FLAGS (NG_HOP_ANSWERED | NG_HOP_CACHED | NG_HOP_DST | NG_HOP_NAT | NG_HOP_ICMP)

void
trace_start(int fd, trace_fn *fn)
{
	memset(&tr, 0, sizeof tr);
	socket_fd = fd;
	tr.fn = fn;
	tr.expire_us = INT64_MAX;
	hash_random(&tr.generation, sizeof tr.generation);
}

/* An IPv4 address fills the first 4 bytes, the rest is zero. */
static int
addr_ok(uint8_t ipv, const uint8_t *addr)
{
	static const uint8_t zero[12];

	return ipv == 6 || !memcmp(addr + 4, zero, 12);
}

static int
is_zero(const uint8_t *addr)
{
	static const uint8_t zero[16];

	return !memcmp(addr, zero, 16);
}

static int
hop_ok(const struct prober_hop *h, uint8_t ipv, unsigned ttl)
{
	int answered = h->flags & PROBER_HOP_ANSWERED;

	if (h->ttl != ttl || h->flags & ~HOP_FLAGS || h->n_rtt > PROBER_RTTS_MAX ||
	    h->n_mpls > PROBER_MPLS_MAX || !addr_ok(ipv, h->addr))
		return 0;
	/* Silence says nothing more; an address is one. */
	if (!answered)
		return !(h->flags & ~PROBER_HOP_CACHED) && !h->n_rtt && !h->n_mpls;
	return !is_zero(h->addr);
}

static int
status_ok(uint8_t status)
{
	return status <= PROBER_STOPPED || (status >= PROBER_REFUSED && status <= PROBER_BUSY);
}

int
trace_check(const struct prober_result *r, size_t len, struct ng_trace *out,
	    struct ng_trace_hop hops[PROBER_HOPS_MAX])
{
	if (len < PROBER_RESULT_SIZE(0) || r->type != PROBER_MSG_RESULT || r->n_hops > PROBER_HOPS_MAX ||
	    len != PROBER_RESULT_SIZE(r->n_hops))
		return -1;
	if ((r->ipv != 4 && r->ipv != 6) || r->method >= PROBER_METHODS || r->trigger >= PROBER_TRIGGERS ||
	    !status_ok(r->status) || r->reached > 1 || !addr_ok(r->ipv, r->src) || !addr_ok(r->ipv, r->dst) ||
	    r->ts_us < 0 || r->ts_us > WALL_MAX_US)
		return -1;
	if (r->status >= PROBER_REFUSED && (r->n_hops || r->reached))
		return -1;
	for (unsigned i = 0; i < r->n_hops; i++) {
		if (!hop_ok(&r->hop[i], r->ipv, i + 1))
			return -1;
	}
	*out = (struct ng_trace){
		.size = sizeof *out,
		.id = r->id,
		.ipv = r->ipv,
		.method = r->method,
		.trigger = r->trigger,
		.status = r->status,
		.reached = r->reached,
		.n_hops = r->n_hops,
		.flow = r->flow,
		.sport = r->sport,
		.dport = r->dport,
		.probes = r->probes,
		.dur_us = r->dur_us,
		.ts_us = r->ts_us,
		.hops = hops,
	};
	memcpy(out->src, r->src, 16);
	memcpy(out->dst, r->dst, 16);
	memcpy(hops, r->hop, r->n_hops * sizeof *hops);
	return 0;
}

static int
request_ok(const struct ng_trace_request *q)
{
	return q->size >= offsetof(struct ng_trace_request, fresh) + sizeof q->fresh &&
	       (q->ipv == 4 || q->ipv == 6) && q->method < PROBER_METHODS && q->trigger < PROBER_TRIGGERS && addr_ok(q->ipv, q->dst) &&
	       addr_ok(q->ipv, q->src) && (q->dport || q->method == NG_TRACE_ICMP);
}

static int
send_request(const struct ng_trace_request *q, uint32_t wire_id)
{
	struct prober_request r = {
		.type = PROBER_MSG_TRACE,
		.id = wire_id,
		.ipv = q->ipv,
		.method = q->method,
		.trigger = q->trigger,
		.flags = q->fresh ? PROBER_REQ_FRESH : 0,
		.reply_ttl = q->reply_ttl,
		.dport = q->dport,
		.flow = q->flow,
		.rtt_us = q->rtt_us,
		.sport = q->sport,
		.iss = q->isn_src,
		.irs = q->isn_dst,
	};

	memcpy(r.dst, q->dst, 16);
	memcpy(r.src, q->src, 16);
	if (send(socket_fd, &r, sizeof r, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizeof r)
		return 0;
	/* A full queue, or a prober that is being started again. */
	return -EAGAIN;
}

int
trace_ask(uint32_t plugin, const struct ng_trace_request *q, int64_t now_us)
{
	uint32_t i;
	struct slot *s;
	int r;

	if (!request_ok(q))
		return -EINVAL;
	if (socket_fd < 0)
		return -ENOSYS;
	if (tr.waiting == TRACE_WAITING_MAX)
		return -EAGAIN;
	while (tr.slots[tr.hand].wire_id)
		tr.hand = (tr.hand + 1) % TRACE_WAITING_MAX;
	i = tr.hand;
	s = &tr.slots[i];
	/* Never 0, which is a person's. */
	if (!(++tr.generation << SLOT_BITS))
		tr.generation++;
	r = send_request(q, tr.generation << SLOT_BITS | i);
	if (r)
		return r;
	*s = (struct slot){ .wire_id = tr.generation << SLOT_BITS | i,
			    .plugin = plugin,
			    .deadline_us = now_us + TRACE_WAIT_US,
			    .id = q->id,
			    .ipv = q->ipv,
			    .method = q->method,
			    .trigger = q->trigger,
			    .flow = q->flow,
			    .dport = q->dport };
	memcpy(s->dst, q->dst, 16);
	tr.waiting++;
	tr.hand = (i + 1) % TRACE_WAITING_MAX;
	if (s->deadline_us < tr.expire_us)
		tr.expire_us = s->deadline_us;
	return 0;
}

/* Its slot is free before the plugin hears of it: it may ask again. */
static void
slot_free(struct slot *s)
{
	s->wire_id = 0;
	tr.waiting--;
}

static void
complain(ssize_t n)
{
	static struct log_limit limit;
	unsigned suppressed;

	if (log_allowed(&limit, clock_mono_us(), WARN_US, &suppressed))
		log_warn("%zd bytes from the prober are no result of a trace: passed over (%u more before)", n,
			 suppressed);
}

static void
take_result(struct ng_trace *t)
{
	struct slot *s = &tr.slots[t->id % TRACE_WAITING_MAX];

	if (!t->id) {
		if (t->status < NG_TRACE_BAD_REQUEST) /* a person was told already why not */
			tr.fn(t, TRACE_EVERYONE);
		return;
	}
	/* Of an earlier analyzer, or given up. */
	if (s->wire_id != t->id)
		return;
	if (s->ipv != t->ipv || s->method != t->method || s->trigger != t->trigger ||
	    memcmp(s->dst, t->dst, 16)) {
		complain((ssize_t)PROBER_RESULT_SIZE(t->n_hops)); /* an answer to something else */
		return;
	}
	t->id = s->id;
	slot_free(s);
	tr.fn(t, s->plugin);
}

/* An empty message looks like the end of the channel. */
static int
has_ended(void)
{
	struct pollfd p = { socket_fd, 0, 0 };

	return poll(&p, 1, 0) == 1 && p.revents & (POLLHUP | POLLERR);
}

int
trace_read(void)
{
	static struct ng_trace_hop hops[PROBER_HOPS_MAX];
	static struct prober_result r;
	struct ng_trace t;
	ssize_t n;

	if (socket_fd < 0)
		return -ENOSYS;
	n = recv(socket_fd, &r, sizeof r, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n < 0 || (n == 0 && has_ended())) {
		int e = n ? errno : EPIPE;

		socket_fd = -1;
		return -e;
	}
	if (trace_check(&r, (size_t)n, &t, hops))
		complain(n);
	else
		take_result(&t);
	return 1;
}

int64_t
trace_expire(int64_t now_us)
{
	if (now_us < tr.expire_us)
		return tr.expire_us;
	tr.expire_us = INT64_MAX;
	for (uint32_t i = 0; i < TRACE_WAITING_MAX && tr.waiting; i++) {
		struct slot *s = &tr.slots[i];

		if (s->wire_id && s->deadline_us <= now_us) {
			struct ng_trace t = { .size = sizeof t, .id = s->id, .ipv = s->ipv, .method = s->method,
					      .trigger = s->trigger, .status = NG_TRACE_STOPPED, .flow = s->flow,
					      .dport = s->dport };

			memcpy(t.dst, s->dst, 16);
			slot_free(s);
			tr.fn(&t, s->plugin);
		}
	}
	/* Behind all of them: one may have been asked anew meanwhile. */
	for (uint32_t i = 0; i < TRACE_WAITING_MAX; i++) {
		if (tr.slots[i].wire_id && tr.slots[i].deadline_us < tr.expire_us)
			tr.expire_us = tr.slots[i].deadline_us;
	}
	return tr.expire_us;
}
