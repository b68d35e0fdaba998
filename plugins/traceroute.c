/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * traceroute - which destinations are traced, when and why; the prober does it.  Reports each path, and
 * says when it is another one than before.
 *
 * Only what began at home can cause a trace: a stranger's SYN, whose sender may be forged, never does.
 * A destination is traced once per interval, and earlier when something about it has changed: its
 * handshakes are slow against its own normal, SYNs were lost, or its SYN-ACKs come with a TTL of
 * another path length.  It keeps the port that it was first seen with, so that two traces of it are the
 * same flow to routers that share load by ports; only such traces are compared.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "path.h"
#include "plugin.h"
#include "rate.h"

#define TARGETS_MAX 32
#define LABELS_MAX 80        /* MPLS labels in one report, which has 16 KiB */
#define SAMPLES 5            /* handshakes that make a normal */
#define STEP_US 1000         /* lets a normal of almost nothing grow */
#define MOVED_N 2            /* handshakes in a row that agree on a new length */
#define CANDIDATES 64        /* changes waiting for their confirmation, at a time */
#define UDP_PORT 33434       /* traceroute's: nobody listens there */
#define DEFAULT_PORT 443     /* of a target without one */
#define AGAIN_US 60000000    /* after a refusal: the prober is busy */
#define NO_ROUTE_US 300000000
#define BUDGET_US 3600000000
#define NONE UINT32_MAX

/* The `stat` report shows them.  Each connection, each turn of a target and each second look adds to one of
 * ASKED, KNOWN to OTHER_STATE or, when the host does not take the request, BUSY or NO_WAY; each ASKED adds,
 * when the prober has answered, to one of REPORTED and NOT_PUBLIC to NO_WAY.  A person's are in REPORTED. */
enum count {
	ASKED,
	REPORTED,
	CHANGED,     /* paths */
	UNCONFIRMED, /* differences that the second look did not show */
	EVICTED,     /* destinations forgotten for others */
	KNOWN,       /* traced within the interval, or being traced */
	TOO_SOON,    /* a reason, but within min-gap */
	BRAKED,      /* by `rate` */
	INBOUND,
	OTHER_DIR,   /* internal, external, over loopback */
	OTHER_STATE, /* neither answered nor timed out, or not surely so */
	NOT_PUBLIC,  /* refused by the prober: bogon, home, our own address */
	EXCLUDED,
	BUDGET,
	BUSY,        /* the prober has enough to do */
	NO_WAY,      /* no prober, no route, no socket for this kind */
	COUNTS,
};

static const char *const count_names[COUNTS] = {
	"asked", "reported", "changed", "unconfirmed", "evicted", "known", "too_soon", "braked", "inbound",
	"other_dir", "other_state", "not_public", "excluded", "budget", "busy", "no_way",
};

struct dest {
	uint8_t addr[16];
	uint8_t ipv;
	uint8_t reply_ttl;   /* of the last SYN-ACK; 0: none yet */
	uint8_t len;         /* path length that SYN-ACKs tell; 0: not known */
	uint8_t new_len;     /* another one, new_n times in a row */
	uint8_t new_n;
	uint8_t moved;       /* the length changed: trace it */
	uint8_t candidate;   /* 1 + index of the path whose second look is under way */
	uint8_t samples;
	uint32_t base_us;    /* normal RTT of its handshakes */
	uint16_t port;       /* that it is traced with */
	uint16_t path_sport; /* the flow that path and hash belong to */
	uint16_t path_dport;
	uint16_t path_flow;
	uint8_t path_method;
	uint8_t pad[3];
	uint32_t pending;    /* id of the request under way; 0: none */
	uint32_t chain;
	uint32_t older;      /* least recently used order */
	uint32_t newer;
	int64_t asked_us;    /* 0: never */
	int64_t due_us;
	uint64_t hash;       /* of the path when it was first reported; 0: none yet */
	struct path path;
};

struct target {
	uint8_t addr[16];
	uint8_t ipv;
	uint16_t port;
	int64_t at_us;
};

struct traceroute {
	struct ng_ctx *ctx;
	const struct ng_host *host;
	uint8_t method;
	int in_band;
	int timeouts;
	int peers;
	int path_change;
	int64_t slow_factor;
	int64_t slow_min_us;
	int64_t interval_us;
	int64_t min_gap_us;
	int64_t targets_interval_us;
	struct rate rate;
	uint64_t seed;
	uint64_t random;
	uint32_t id;
	int no_prober_said;
	uint32_t size;
	uint32_t used;
	uint32_t mask;
	uint32_t oldest, newest;
	uint32_t *heads;
	struct dest *dests;
	struct path candidates[CANDIDATES];
	uint64_t candidates_used; /* bits */
	struct target targets[TARGETS_MAX];
	unsigned n_targets;
	uint64_t *count[COUNTS];
};

static const struct ng_option options[] = {
	{ "interval", NG_OPTION_INT, 0, 1, 31536000, "86400",
	  "seconds between two traces of a destination that nothing happens to" },
	{ "min-gap", NG_OPTION_INT, 0, 0, 86400, "300",
	  "seconds between two traces of a destination that something happens to" },
	{ "method", NG_OPTION_STR, 0, 3, 4, "tcp", "tcp (SYN to the connection's port), udp or icmp" },
	{ "in-band", NG_OPTION_BOOL, 0, 0, 0, "no",
	  "probe with ACKs of the connection itself when it is known well enough; needs trace-inband = yes" },
	{ "timeouts", NG_OPTION_BOOL, 0, 0, 0, "yes", "trace destinations that did not answer, too" },
	{ "peers", NG_OPTION_BOOL, 0, 0, 0, "no",
	  "trace who connected from outside and completed the handshake, too" },
	{ "slow-factor", NG_OPTION_INT, 0, 2, 100, "3", "times its normal RTT that make a handshake slow" },
	{ "slow-min-ms", NG_OPTION_INT, 0, 1, 60000, "50", "and milliseconds above it, at least" },
	{ "path-change", NG_OPTION_BOOL, 0, 0, 0, "yes", "look for changes of paths, and report them" },
	{ "targets", NG_OPTION_STR, 0, 0, 900, "",
	  "ADDR, ADDR:PORT or [ADDR]:PORT, comma-separated: traced on schedule" },
	{ "targets-interval", NG_OPTION_INT, 0, 1, 31536000, "3600", "seconds between two traces of a target" },
	{ "rate", NG_OPTION_INT, 0, 1, 1000000, "120", "traces a minute that are asked for, at most" },
	{ "destinations", NG_OPTION_INT, 0, 16, 1000000, "4096", "destinations that are remembered" },
	{ NULL, 0, 0, 0, 0, NULL, NULL },
};

/* ---- small things --------------------------------------------------------------------------- */

/* xorshift64 (Marsaglia 2003): jitter needs no more. */
static uint64_t
draw(struct traceroute *t)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return t->random;
}

/* Within a tenth of it, so that what was seen together is not traced together for ever. */
static int64_t
jittered(struct traceroute *t, int64_t us)
{
	return us - us / 10 + (int64_t)(draw(t) % (uint64_t)(us / 5 + 1));
}

/* Hops that a packet came, whose TTL began, as nearly all do, with 64, 128 or 255. */
static uint8_t
length_of(uint8_t ttl)
{
	return (uint8_t)((ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl + 1);
}

static void
log_dest(struct traceroute *t, enum ng_log_level level, uint8_t ipv, const uint8_t *addr, const char *what)
{
	char ip[INET6_ADDRSTRLEN], text[200];

	inet_ntop(ipv == 4 ? AF_INET : AF_INET6, addr, ip, sizeof ip);
	snprintf(text, sizeof text, "%s: %s", ip, what);
	t->host->log(t->ctx, level, text);
}

/* ---- destinations --------------------------------------------------------------------------- */

/* Keyed by a random seed: who connects to what is not ours to choose. */
static uint32_t
slot_of(const struct traceroute *t, uint8_t ipv, const uint8_t *addr)
{
	uint64_t h = t->seed ^ ipv, w[2];

	memcpy(w, addr, 16);
	for (int i = 0; i < 2; i++) {
		h = (h ^ w[i]) * 0x9e3779b97f4a7c15ULL;
		h ^= h >> 29;
	}
	h = (h ^ t->seed >> 17) * 0xbf58476d1ce4e5b9ULL;
	return (uint32_t)(h >> 32) & t->mask;
}

static void
lru_remove(struct traceroute *t, uint32_t i)
{
	struct dest *d = &t->dests[i];

	*(d->older != NONE ? &t->dests[d->older].newer : &t->oldest) = d->newer;
	*(d->newer != NONE ? &t->dests[d->newer].older : &t->newest) = d->older;
}

static void
lru_append(struct traceroute *t, uint32_t i)
{
	struct dest *d = &t->dests[i];

	d->older = t->newest;
	d->newer = NONE;
	*(d->older != NONE ? &t->dests[d->older].newer : &t->oldest) = i;
	t->newest = i;
}

static void
candidate_free(struct traceroute *t, struct dest *d)
{
	if (d->candidate)
		t->candidates_used &= ~(1ULL << (d->candidate - 1));
	d->candidate = 0;
}

static struct dest *
dest_find(struct traceroute *t, uint8_t ipv, const uint8_t *addr)
{
	for (uint32_t i = t->heads[slot_of(t, ipv, addr)]; i != NONE; i = t->dests[i].chain) {
		if (t->dests[i].ipv == ipv && !memcmp(t->dests[i].addr, addr, 16))
			return &t->dests[i];
	}
	return NULL;
}

static uint32_t
dest_evict(struct traceroute *t)
{
	uint32_t i = t->oldest, *link = &t->heads[slot_of(t, t->dests[i].ipv, t->dests[i].addr)];

	while (*link != i)
		link = &t->dests[*link].chain;
	*link = t->dests[i].chain;
	candidate_free(t, &t->dests[i]);
	lru_remove(t, i);
	++*t->count[EVICTED];
	return i;
}

static struct dest *
dest_get(struct traceroute *t, uint8_t ipv, const uint8_t *addr, uint16_t port)
{
	struct dest *d = dest_find(t, ipv, addr);
	uint32_t i, *head;

	if (d) {
		i = (uint32_t)(d - t->dests);
		lru_remove(t, i);
		lru_append(t, i);
		return d;
	}
	i = t->used < t->size ? t->used++ : dest_evict(t);
	head = &t->heads[slot_of(t, ipv, addr)];
	d = &t->dests[i];
	memset(d, 0, sizeof *d);
	memcpy(d->addr, addr, 16);
	d->ipv = ipv;
	d->port = port;
	d->chain = *head;
	*head = i;
	lru_append(t, i);
	return d;
}

/* ---- asking --------------------------------------------------------------------------------- */

/* The connection's own 5-tuple, when all of it is known. */
static void
go_in_band(struct ng_trace_request *q, const struct ng_conn *c)
{
	q->method = NG_TRACE_TCP_ACK;
	q->dport = c->dport;
	q->sport = c->sport;
	q->isn_src = c->isn_src;
	q->isn_dst = c->isn_dst;
	memcpy(q->src, c->src, 16);
}

/* Asks for d, of whom c (or NULL) is a connection, and counts what came of it.  0: asked. */
static int
ask(struct traceroute *t, struct dest *d, uint8_t trigger, int fresh, const struct ng_conn *c, int64_t now_us)
{
	struct ng_trace_request q = {
		.size = sizeof q,
		.ipv = d->ipv,
		.method = t->method,
		.trigger = trigger,
		.reply_ttl = d->reply_ttl,
		.dport = t->method == NG_TRACE_TCP_SYN ? d->port : t->method == NG_TRACE_UDP ? UDP_PORT : 0,
		.rtt_us = c && c->rtt_us >= 0 ? (uint32_t)c->rtt_us : d->base_us,
		.fresh = (uint32_t)fresh,
	};
	int r;

	/* A bucket of requests a minute: to rate.h, a second lasts sixty. */
	if (!rate_take(&t->rate, now_us / 60)) {
		++*t->count[BRAKED];
		return -EAGAIN;
	}
	memcpy(q.dst, d->addr, 16);
	if (t->in_band && c && c->dir == NG_DIR_OUTBOUND && NG_HAS(c, isn_dst) && c->flags & NG_CONN_ISN)
		go_in_band(&q, c);
	t->id += t->id == UINT32_MAX ? 2 : 1; /* never 0 */
	q.id = t->id;
	r = t->host->trace_request(t->ctx, &q);
	if (r) {
		++*t->count[r == -EAGAIN ? BUSY : NO_WAY];
		if (r == -ENOSYS && !t->no_prober_said) {
			t->no_prober_said = 1;
			t->host->log(t->ctx, NG_LOG_INFO,
				     "there is no prober (a replay, or prober = no): no path is traced");
		}
		return r;
	}
	++*t->count[ASKED];
	d->pending = q.id;
	d->asked_us = now_us;
	d->due_us = now_us + jittered(t, t->interval_us);
	d->moved = 0;
	return 0;
}

/* ---- connections ---------------------------------------------------------------------------- */

/* Is this one slow against the others before?  The normal is near the least that is seen: it falls fast, for
 * nothing is quicker than the way is long, and rises by a 32nd of itself at most, so that what stays slow is
 * normal after a while. */
static int
is_slow(struct traceroute *t, struct dest *d, int64_t rtt_us)
{
	int64_t base_us = d->base_us, add_us;
	int slow;

	if (rtt_us < 0)
		return 0;
	if (!d->samples) {
		d->base_us = (uint32_t)rtt_us;
		d->samples = 1;
		return 0;
	}
	slow = d->samples >= SAMPLES && rtt_us > t->slow_factor * base_us && rtt_us > base_us + t->slow_min_us;
	add_us = rtt_us - base_us;
	if (add_us > base_us + STEP_US)
		add_us = base_us + STEP_US;
	d->base_us = (uint32_t)(base_us + add_us / (add_us < 0 ? 4 : 32));
	if (d->samples < SAMPLES)
		d->samples++;
	return slow;
}

/* A packet that is forwarded has lost one more already when the rules see it. */
static void
take_ttl(struct dest *d, const struct ng_conn *c, uint8_t ttl)
{
	uint8_t len;

	if (c->hook == NG_HOOK_FORWARD && ttl < UINT8_MAX)
		ttl++;
	len = length_of(ttl);
	d->reply_ttl = ttl;
	if (!d->len)
		d->len = len;
	if (len == d->len) {
		d->new_n = 0;
	} else if (d->new_n && len == d->new_len) {
		if (++d->new_n < MOVED_N)
			return;
		d->len = len;
		d->new_n = 0;
		d->moved = 1;
	} else {
		d->new_len = len;
		d->new_n = 1;
	}
}

static void
consider(struct traceroute *t, struct dest *d, const struct ng_conn *c, int timed_out, int64_t now_us)
{
	int lost = timed_out || c->syn_retrans > 0;
	int slow = is_slow(t, d, c->rtt_us);
	int moved = t->path_change && d->moved;
	int due = now_us >= d->due_us;

	if (d->pending || (!due && !lost && !slow && !moved)) {
		++*t->count[KNOWN];
		return;
	}
	if (!due && now_us - d->asked_us < t->min_gap_us) {
		++*t->count[TOO_SOON];
		return;
	}
	/* Cached hops have no RTT and may be of yesterday: no use when something is wrong. */
	ask(t, d, lost ? NG_TRACE_ON_LOSS : slow ? NG_TRACE_ON_SLOW : NG_TRACE_ON_CONN,
	    moved || ((lost || slow) && d->samples), c, now_us);
}

static void
on_conn(struct traceroute *t, const struct ng_conn *c, int64_t now_us)
{
	int answered = c->state == NG_CONN_ANSWERED || c->state == NG_CONN_ESTABLISHED;
	/* When we lost packets the answer may be among them. */
	int timed_out = c->state == NG_CONN_TIMEOUT && !(c->flags & NG_CONN_LOSS);
	struct dest *d;

	if (c->dir == NG_DIR_INBOUND) {
		/* An answer proves nothing: the SYN may have been forged.  Its ACK does. */
		if (!t->peers || c->state != NG_CONN_ESTABLISHED) {
			++*t->count[INBOUND];
			return;
		}
		d = dest_get(t, c->ipv, c->src, c->sport);
		if (c->flags & NG_CONN_TTL_SRC)
			take_ttl(d, c, c->ttl_src);
		if (d->pending || now_us < d->due_us)
			++*t->count[KNOWN];
		else
			ask(t, d, NG_TRACE_ON_CONN, 0, c, now_us);
		return;
	}
	if (c->dir != NG_DIR_OUTBOUND) {
		++*t->count[OTHER_DIR];
		return;
	}
	if (!answered && !(timed_out && t->timeouts)) {
		++*t->count[OTHER_STATE];
		return;
	}
	d = dest_get(t, c->ipv, c->dst, c->dport);
	if (answered && c->flags & NG_CONN_TTL_DST)
		take_ttl(d, c, c->ttl_dst);
	consider(t, d, c, timed_out, now_us);
}

/* ---- paths ---------------------------------------------------------------------------------- */

static void
put_hop(struct traceroute *t, const struct ng_trace *tr, const struct ng_trace_hop *hop, unsigned *labels)
{
	const struct ng_host *o = t->host;
	struct ng_ctx *ctx = t->ctx;
	char icmp[8];

	o->report_map(ctx, NULL);
	o->report_int(ctx, "ttl", hop->ttl);
	if (hop->flags & NG_HOP_ANSWERED)
		o->report_addr(ctx, "ip", tr->ipv, hop->addr);
	if (hop->n_rtt && hop->n_rtt <= 3) {
		o->report_list(ctx, "rtt_us");
		for (unsigned i = 0; i < hop->n_rtt; i++)
			o->report_int(ctx, NULL, hop->rtt_us[i]);
		o->report_end(ctx);
	}
	if (hop->sent)
		o->report_int(ctx, "sent", hop->sent < 10 ? hop->sent : 10);
	if (hop->flags & NG_HOP_ICMP) {
		snprintf(icmp, sizeof icmp, "%u/%u", hop->icmp_type, hop->icmp_code);
		o->report_str(ctx, "icmp", icmp, strlen(icmp));
	}
	if (hop->reply_ttl)
		o->report_int(ctx, "reply_ttl", hop->reply_ttl);
	if (hop->n_mpls && hop->n_mpls <= 4 && *labels + hop->n_mpls <= LABELS_MAX) {
		o->report_list(ctx, "mpls");
		for (unsigned i = 0; i < hop->n_mpls; i++) {
			/* RFC 3032, 2.1 */
			o->report_map(ctx, NULL);
			o->report_int(ctx, "label", hop->mpls[i] >> 12);
			o->report_int(ctx, "tc", hop->mpls[i] >> 9 & 7);
			o->report_int(ctx, "s", hop->mpls[i] >> 8 & 1);
			o->report_int(ctx, "ttl", hop->mpls[i] & 255);
			o->report_end(ctx);
		}
		o->report_end(ctx);
		*labels += hop->n_mpls;
	}
	if (hop->flags & NG_HOP_NAT)
		o->report_bool(ctx, "nat", 1);
	if (hop->flags & NG_HOP_CACHED)
		o->report_bool(ctx, "cached", 1);
	o->report_end(ctx);
}

static void
put_tuple(struct traceroute *t, const struct ng_trace *tr)
{
	static const uint8_t zero[16];
	const struct ng_host *o = t->host;
	struct ng_ctx *ctx = t->ctx;
	int tcp = tr->method == NG_TRACE_TCP_SYN || tr->method == NG_TRACE_TCP_ACK;
	int has_src = memcmp(tr->src, zero, 16) != 0;
	const char *proto = tcp ? "tcp" : tr->method == NG_TRACE_UDP ? "udp" : tr->ipv == 4 ? "icmp" : "icmp6";

	if (tcp && has_src) {
		struct ng_conn c = { .size = sizeof c, .dir = NG_DIR_OUTBOUND, .ipv = tr->ipv,
				     .sport = tr->sport, .dport = tr->dport };

		memcpy(c.src, tr->src, 16);
		memcpy(c.dst, tr->dst, 16);
		o->report_tuple(ctx, &c);
		return;
	}
	o->report_str(ctx, "dir", "outbound", 8);
	if (has_src)
		o->report_addr(ctx, "src_ip", tr->ipv, tr->src);
	if (has_src && tr->method == NG_TRACE_UDP)
		o->report_int(ctx, "src_port", tr->sport);
	o->report_addr(ctx, "dst_ip", tr->ipv, tr->dst);
	if (tr->method != NG_TRACE_ICMP)
		o->report_int(ctx, "dst_port", tr->dport);
	o->report_str(ctx, "proto", proto, strlen(proto));
}

static void
put_hash(struct traceroute *t, const char *name, uint64_t hash)
{
	char text[17];

	if (!hash)
		return;
	snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
	t->host->report_str(t->ctx, name, text, 16);
}

static int
send_report(struct traceroute *t, const struct ng_trace *tr, uint64_t hash, uint64_t prev, int64_t wall_us)
{
	static const char *const methods[] = { "tcp-syn", "udp", "icmp", "tcp-ack" };
	static const char *const triggers[] = { "conn", "slow", "loss", "schedule", "manual" };
	const struct ng_host *o = t->host;
	struct ng_ctx *ctx = t->ctx;
	unsigned labels = 0;

	if (tr->method > NG_TRACE_TCP_ACK || tr->trigger > NG_TRACE_ON_MANUAL)
		return -EINVAL;
	if (o->report_begin(ctx, NG_REPORT_TRACE, NULL, tr->ts_us ? tr->ts_us : wall_us))
		return -EBUSY;
	put_tuple(t, tr);
	o->report_str(ctx, "method", methods[tr->method], strlen(methods[tr->method]));
	o->report_str(ctx, "trigger", triggers[tr->trigger], strlen(triggers[tr->trigger]));
	o->report_int(ctx, "flow_id", tr->flow);
	o->report_bool(ctx, "reached", tr->reached);
	o->report_int(ctx, "dur_us", tr->dur_us);
	put_hash(t, "path_hash", hash);
	put_hash(t, "prev_path_hash", prev);
	o->report_list(ctx, "hops");
	for (unsigned i = 0; i < tr->n_hops; i++)
		put_hop(t, tr, &tr->hops[i], &labels);
	o->report_end(ctx);
	++*t->count[REPORTED];
	return o->report_commit(ctx);
}

static int
same_flow(const struct dest *d, const struct ng_trace *tr)
{
	return d->path_method == tr->method && d->path_sport == tr->sport && d->path_dport == tr->dport &&
	       d->path_flow == tr->flow;
}

static void
set_path(struct dest *d, const struct ng_trace *tr, const struct path *p, uint64_t hash)
{
	d->path = *p;
	d->hash = hash;
	d->path_method = tr->method;
	d->path_sport = tr->sport;
	d->path_dport = tr->dport;
	d->path_flow = tr->flow;
}

/* The path is another one than before: is it so twice?  Once may be a router's accident. */
static void
suspect(struct traceroute *t, struct dest *d, const struct ng_trace *tr, const struct path *p, int64_t now_us)
{
	unsigned i = 0;

	while (i < CANDIDATES && t->candidates_used >> i & 1)
		i++;
	if (i == CANDIDATES)
		return; /* next time */
	if (ask(t, d, tr->trigger, 1, NULL, now_us)) {
		d->due_us = now_us + AGAIN_US;
		return;
	}
	t->candidates_used |= 1ULL << i;
	t->candidates[i] = *p;
	d->candidate = (uint8_t)(i + 1);
}

/* Compares a path that we asked for with what is known of d; *hash: of the path that it turned out to be,
 * *prev: of the one that it was before, when that is certain. */
static void
compare(struct traceroute *t, struct dest *d, const struct ng_trace *tr, uint64_t *hash, uint64_t *prev,
	int64_t now_us)
{
	struct path p;

	/* In-band probes have the connection's ports, which are others each time. */
	if (!*hash || tr->method == NG_TRACE_TCP_ACK)
		return;
	path_of(&p, tr);
	/* Other ports may take another branch: no change. */
	if (!d->hash || !same_flow(d, tr) || !t->path_change) {
		candidate_free(t, d);
		set_path(d, tr, &p, *hash);
		return;
	}
	if (!path_differs(&d->path, &p)) {
		if (d->candidate)
			++*t->count[UNCONFIRMED];
		candidate_free(t, d);
		path_learn(&d->path, &p);
		*hash = d->hash;
		return;
	}
	if (!d->candidate) {
		suspect(t, d, tr, &p, now_us);
		return;
	}
	if (path_both_differ(&d->path, &t->candidates[d->candidate - 1], &p)) {
		++*t->count[CHANGED];
		*prev = d->hash;
		set_path(d, tr, &p, *hash);
	} else {
		++*t->count[UNCONFIRMED]; /* another way each time */
	}
	candidate_free(t, d);
}

/* The prober did nothing: why, and when to ask again. */
static void
on_refused(struct traceroute *t, struct dest *d, const struct ng_trace *tr, int64_t now_us)
{
	static const struct {
		uint8_t status;
		uint8_t count;
		int64_t again_us; /* 0: at the usual time */
		const char *what;
	} reasons[] = {
		{ NG_TRACE_BAD_REQUEST, NO_WAY, 0, "not traced: the prober has no socket for this kind" },
		{ NG_TRACE_BOGON, NOT_PUBLIC, 0, "not traced: no address of the internet" },
		{ NG_TRACE_HOME, NOT_PUBLIC, 0, "not traced: in a home network" },
		{ NG_TRACE_OWN, NOT_PUBLIC, 0, "not traced: our own address" },
		{ NG_TRACE_EXCLUDED, EXCLUDED, 0, "not traced: opted out" },
		{ NG_TRACE_BUDGET, BUDGET, BUDGET_US, "not traced: its network had its traces today" },
		{ NG_TRACE_RATE, BUSY, AGAIN_US, "not traced: too many at once" },
		{ NG_TRACE_NO_ROUTE, NO_WAY, NO_ROUTE_US, "not traced: no route" },
		{ NG_TRACE_BUSY, BUSY, AGAIN_US, "not traced: it is being traced already" },
		{ NG_TRACE_STOPPED, NO_WAY, AGAIN_US, "not traced: the prober ended" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (reasons[i].status != tr->status)
			continue;
		++*t->count[reasons[i].count];
		if (d)
			candidate_free(t, d);
		log_dest(t, NG_LOG_DEBUG, tr->ipv, tr->dst, reasons[i].what);
		if (d && reasons[i].again_us && now_us + reasons[i].again_us < d->due_us)
			d->due_us = now_us + reasons[i].again_us;
	}
}

static int
on_trace(struct traceroute *t, const struct ng_trace *tr, int64_t now_us, int64_t wall_us)
{
	struct dest *d = dest_find(t, tr->ipv, tr->dst);
	uint64_t hash, prev = 0;

	/* A person's is reported as it is. */
	if (d && (!tr->id || d->pending != tr->id))
		d = NULL;
	if (d)
		d->pending = 0;
	if (tr->status >= NG_TRACE_BAD_REQUEST || (tr->status == NG_TRACE_STOPPED && !tr->n_hops)) {
		on_refused(t, d, tr, now_us);
		return 0;
	}
	hash = path_hash(tr);
	if (d)
		compare(t, d, tr, &hash, &prev, now_us);
	return send_report(t, tr, hash, prev, wall_us);
}

/* ---- targets -------------------------------------------------------------------------------- */

/* "192.0.2.1", "192.0.2.1:443", "2001:db8::1", "[2001:db8::1]:443" */
static int
parse_target(struct target *g, char *s)
{
	char *port = NULL, *end;
	long n;

	*g = (struct target){ .port = DEFAULT_PORT };
	if (*s == '[') {
		end = strchr(++s, ']');
		if (!end || (end[1] && end[1] != ':'))
			return -1;
		port = end[1] ? end + 2 : NULL;
		*end = 0;
	} else if (strchr(s, ':') == strrchr(s, ':') && strchr(s, ':')) {
		port = strchr(s, ':');
		*port++ = 0;
	}
	if (port) {
		n = strtol(port, &end, 10);
		if (*port < '0' || *port > '9' || *end || n < 1 || n > 65535)
			return -1;
		g->port = (uint16_t)n;
	}
	g->ipv = strchr(s, ':') ? 6 : 4;
	return inet_pton(g->ipv == 4 ? AF_INET : AF_INET6, s, g->addr) == 1 ? 0 : -1;
}

static int
parse_targets(struct traceroute *t, const char *list)
{
	char text[1024], *p = text, *word;

	snprintf(text, sizeof text, "%s", list);
	while ((word = strsep(&p, ", "))) {
		char shown[80], said[200];

		if (!*word)
			continue;
		snprintf(shown, sizeof shown, "%s", word);
		if (t->n_targets == TARGETS_MAX)
			snprintf(said, sizeof said, "targets: more than %d", TARGETS_MAX);
		else if (parse_target(&t->targets[t->n_targets++], word))
			snprintf(said, sizeof said, "targets: \"%s\" is none of ADDR, ADDR:PORT, [ADDR]:PORT "
				 "(no name can be resolved here)", shown);
		else
			continue;
		t->host->log(t->ctx, NG_LOG_ERROR, said);
		return -EINVAL;
	}
	return 0;
}

/* Traces the targets that are due, and comes back for the next. */
static void
on_timer(struct traceroute *t, int64_t now_us)
{
	int64_t next_us = INT64_MAX;

	for (unsigned i = 0; i < t->n_targets; i++) {
		struct target *g = &t->targets[i];

		if (!g->at_us)
			g->at_us = now_us + (int64_t)i * 1000000; /* not all at once */
		if (g->at_us <= now_us) {
			struct dest *d = dest_get(t, g->ipv, g->addr, g->port);
			int r = -EAGAIN;

			d->port = g->port; /* also when a connection to another was first */
			if (d->pending)
				++*t->count[KNOWN];
			else
				r = ask(t, d, NG_TRACE_ON_SCHEDULE, 0, NULL, now_us);
			g->at_us = now_us + jittered(t, r && t->targets_interval_us > AGAIN_US ? AGAIN_US
										      : t->targets_interval_us);
		}
		if (g->at_us < next_us)
			next_us = g->at_us;
	}
	t->host->timer_set(t->ctx, 0, next_us - now_us);
}

/* ---- the plugin ----------------------------------------------------------------------------- */

static int
set_options(struct traceroute *t)
{
	const struct ng_host *o = t->host;
	const char *method = o->option_str(t->ctx, "method");

	if (!strcmp(method, "tcp")) {
		t->method = NG_TRACE_TCP_SYN;
	} else if (!strcmp(method, "udp")) {
		t->method = NG_TRACE_UDP;
	} else if (!strcmp(method, "icmp")) {
		t->method = NG_TRACE_ICMP;
	} else {
		o->log(t->ctx, NG_LOG_ERROR, "method: neither tcp, udp nor icmp");
		return -EINVAL;
	}
	t->in_band = o->option_int(t->ctx, "in-band") != 0;
	t->timeouts = o->option_int(t->ctx, "timeouts") != 0;
	t->peers = o->option_int(t->ctx, "peers") != 0;
	t->path_change = o->option_int(t->ctx, "path-change") != 0;
	t->slow_factor = o->option_int(t->ctx, "slow-factor");
	t->slow_min_us = o->option_int(t->ctx, "slow-min-ms") * 1000;
	t->interval_us = o->option_int(t->ctx, "interval") * 1000000;
	t->min_gap_us = o->option_int(t->ctx, "min-gap") * 1000000;
	t->targets_interval_us = o->option_int(t->ctx, "targets-interval") * 1000000;
	t->size = (uint32_t)o->option_int(t->ctx, "destinations");
	rate_start(&t->rate, o->option_int(t->ctx, "rate"));
	return parse_targets(t, o->option_str(t->ctx, "targets"));
}

static void
stop(void *self)
{
	struct traceroute *t = self;

	free(t->heads);
	free(t->dests);
	free(t);
}

static int
start(struct ng_ctx *ctx, const struct ng_host *host, void **self)
{
	struct traceroute *t = calloc(1, sizeof *t);
	uint32_t heads = 1;
	int r;

	if (!t)
		return -ENOMEM;
	t->ctx = ctx;
	t->host = host;
	t->oldest = t->newest = NONE;
	r = set_options(t);
	if (r) {
		stop(t);
		return r;
	}
	while (heads < t->size)
		heads *= 2;
	t->mask = heads - 1;
	t->heads = malloc(heads * sizeof *t->heads);
	t->dests = calloc(t->size, sizeof *t->dests); /* touched as it fills */
	if (!t->heads || !t->dests || getrandom(&t->seed, sizeof t->seed, 0) != (ssize_t)sizeof t->seed) {
		stop(t);
		return -ENOMEM;
	}
	memset(t->heads, 0xff, heads * sizeof *t->heads);
	t->random = t->seed | 1;
	for (int i = 0; i < COUNTS; i++)
		t->count[i] = host->counter(ctx, count_names[i]);
	if (t->peers)
		host->log(ctx, NG_LOG_WARN, "peers: no rule copies the ACK that ends a handshake yet, so nobody "
			  "from outside is known to have completed one: none is traced");
	if (t->n_targets)
		host->timer_set(ctx, 0, 0);
	*self = t;
	return 0;
}

static int
event(void *self, const struct ng_event *ev)
{
	struct traceroute *t = self;

	switch (ev->type) {
	case NG_EVENT_CONN:
		on_conn(t, ev->conn, ev->now_us);
		return 0;
	case NG_EVENT_TRACE:
		return on_trace(t, ev->trace, ev->now_us, ev->wall_us);
	case NG_EVENT_TIMER:
		on_timer(t, ev->now_us);
		return 0;
	default:
		return 0;
	}
}

NG_PLUGIN(.name = "traceroute", .version = "1.0", .about = "traces the paths of the connections that are seen",
	  .events = NG_EVENT_CONN | NG_EVENT_TIMER | NG_EVENT_TRACE, .classes = NG_CLASS_HANDSHAKE,
	  .options = options, .start = start, .event = event, .stop = stop);
