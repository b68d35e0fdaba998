/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * prober_sim.h - an internet in memory for the traceroute engine: routers with load balancing by flow,
 * silent and rate-limited ones, other ways back, loss, duplicates, reordering; leaves that accept, refuse or
 * drop.  It knows the path of every flow and scores results.  Time is the simulation's own.
 *
 * Include engine.c, trace.c and cache.c before it.
 */
#ifndef PROBER_SIM_H
#define PROBER_SIM_H

#include <stdio.h>
#include <string.h>

#define SIM_NODES 4096
#define SIM_KIDS 64
#define SIM_PATH 64
#define SIM_WALL_US 1700000000000000LL

enum sim_leaf { SIM_ROUTER, SIM_OPEN, SIM_RST, SIM_DROP, SIM_UNREACH };

struct sim_node {
	uint32_t kids[SIM_KIDS];
	uint32_t n_kids;
	uint32_t parent;      /* of the way back */
	uint32_t leaf_first, leaf_last; /* leaf numbers below it */
	uint32_t back_extra;  /* more hops on the way back */
	uint32_t delay_us;    /* of the link to its parents */
	uint32_t back_delay_us;
	uint32_t rate_ms;     /* one error a so many ms, six in a burst */
	int64_t rate_at_us;
	uint8_t silent;
	uint8_t leaf;         /* enum sim_leaf */
	uint8_t quoted;       /* rewrites the source it quotes: a NAT */
	uint64_t asked;       /* errors it should have sent */
};

struct sim_packet {
	int64_t at_us;
	struct wire_answer a;
};

struct sim_score {
	unsigned done, reached, refused, expected, found, wrong, false_links, cached, deadline, out_of_order;
	unsigned complete;
	uint64_t dur_us;
	int64_t rtt_error_us; /* the largest */
};

struct sim {
	struct engine *engine;
	struct engine_conf conf;
	struct sim_node nodes[SIM_NODES];
	uint32_t n_nodes, n_leaves;
	uint32_t leaf_node[SIM_NODES];
	struct sim_packet *packets; /* a heap */
	uint32_t n_packets, size_packets;
	int64_t now_us, next_us;
	int64_t wall_jump_us;
	uint64_t random;
	unsigned loss_permille, duplicate_permille, jitter_us;
	uint64_t seed;
	unsigned probes, resets, syn_acks, hop_calls, half_open;
	unsigned probes_to[65];
	int64_t send_error;
	struct sim_score score;
	struct prober_result last;
	int (*tap)(struct sim *, const struct wire_probe *); /* 1: the probe goes no further */
};

static uint64_t
sim_mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

static uint32_t
sim_draw(struct sim *s, uint32_t n)
{
	s->random += 0x9e3779b97f4a7c15ULL;
	return (uint32_t)((sim_mix(s->random) >> 32) * n >> 32);
}

/* --- topology ---------------------------------------------------------------------------------------- */

static uint32_t
sim_node(struct sim *s, uint32_t parent, uint32_t delay_us)
{
	uint32_t i = s->n_nodes++;

	if (i == SIM_NODES || (i && s->nodes[parent].n_kids == SIM_KIDS))
		abort();
	s->nodes[i].parent = parent;
	s->nodes[i].delay_us = delay_us;
	s->nodes[i].leaf_first = UINT32_MAX;
	if (i)
		s->nodes[parent].kids[s->nodes[parent].n_kids++] = i;
	return i;
}

static void
sim_link(struct sim *s, uint32_t up, uint32_t low)
{
	s->nodes[up].kids[s->nodes[up].n_kids++] = low;
}

static uint32_t
sim_chain(struct sim *s, uint32_t from, unsigned n)
{
	while (n--)
		from = sim_node(s, from, 0);
	return from;
}

static void
sim_leaf(struct sim *s, uint32_t parent, enum sim_leaf kind)
{
	uint32_t i = sim_node(s, parent, 0);

	s->nodes[i].leaf = (uint8_t)kind;
	s->nodes[i].leaf_first = s->nodes[i].leaf_last = s->n_leaves;
	s->leaf_node[s->n_leaves++] = i;
}

/* Leaves are numbered in the order of a walk, so those below a node are a range. */
static void
sim_range(struct sim *s, uint32_t i)
{
	struct sim_node *n = &s->nodes[i];

	for (uint32_t k = 0; k < n->n_kids; k++) {
		struct sim_node *kid = &s->nodes[n->kids[k]];

		sim_range(s, n->kids[k]);
		if (kid->leaf_first == UINT32_MAX)
			continue;
		if (n->leaf_first == UINT32_MAX || kid->leaf_first < n->leaf_first)
			n->leaf_first = kid->leaf_first;
		if (kid->leaf_last > n->leaf_last || n->leaf_first == kid->leaf_first)
			n->leaf_last = kid->leaf_last > n->leaf_last ? kid->leaf_last : n->leaf_last;
	}
}

static void
sim_subs(struct sim *s, uint32_t parent, unsigned subs, unsigned per_sub, char special, uint32_t *last_sub)
{
	static const uint8_t kinds[] = { SIM_OPEN, SIM_OPEN, SIM_RST, SIM_OPEN };

	for (unsigned i = 0; i < subs; i++) {
		uint32_t sub = sim_node(s, parent, 0), hang = sub;

		*last_sub = sub;
		if (i == 1 && special == 'e') {
			uint32_t one = sim_chain(s, sub, 1), two = sim_chain(s, sub, 2);

			hang = sim_node(s, one, 0);
			sim_link(s, two, hang);
		} else if (i == 1 && special == 's') {
			hang = sim_chain(s, sub, 2);
			s->nodes[hang].silent = s->nodes[s->nodes[hang].parent].silent = 1;
			hang = sim_node(s, hang, 0);
		}
		for (unsigned k = 0; k < per_sub; k++)
			sim_leaf(s, hang, kinds[k % 4]);
	}
}

/* The shape of the namespace internet of tests/internet: shared hops, then four regions. */
static void
sim_topology(struct sim *s, unsigned subs, unsigned per_sub)
{
	uint32_t top, at, three, four, last, me;

	me = sim_node(s, 0, 0);
	at = sim_node(s, me, 4000);
	at = sim_chain(s, at, 2);
	at = sim_node(s, at, 6000);
	top = sim_node(s, at, 0);
	/* a: a longer way back from the last of them */
	sim_subs(s, sim_node(s, top, 2000), subs, per_sub, 0, &last);
	s->nodes[last].back_extra = 3;
	s->nodes[last].back_delay_us = 13000;
	/* b: diamonds */
	at = sim_node(s, top, 10000);
	three = sim_chain(s, at, 2);
	four = sim_chain(s, at, 2);
	at = sim_node(s, three, 0);
	sim_link(s, four, at);
	sim_subs(s, at, subs, per_sub, 'e', &last);
	/* c: silent, and ten errors a second */
	at = sim_chain(s, sim_node(s, top, 20000), 1);
	s->nodes[at].silent = 1;
	at = sim_node(s, at, 0);
	s->nodes[at].rate_ms = 100;
	sim_subs(s, at, subs, per_sub, 's', &last);
	/* d: long */
	at = sim_chain(s, sim_node(s, top, 5000), 3);
	at = sim_chain(s, sim_node(s, at, 30000), 4);
	sim_subs(s, at, subs, per_sub, 0, &last);
	sim_range(s, 0);
}

/* Every level of it balances over up to three ways of different lengths, which meet again; some routers
 * are silent, also on one way of several. */
static void
sim_random_topology(struct sim *s, unsigned regions, unsigned depth, unsigned leaves)
{
	uint32_t top = sim_chain(s, sim_node(s, 0, 0), 2);

	for (unsigned r = 0; r < regions; r++) {
		uint32_t at = sim_node(s, top, 1000 * (1 + sim_draw(s, 30)));

		for (unsigned d = 0; d < depth; d++) {
			unsigned ways = 1 + sim_draw(s, 3), length = 1 + sim_draw(s, 2), longer = sim_draw(s, 2);
			uint32_t way = sim_chain(s, at, length), meet = sim_node(s, way, 0);

			s->nodes[way].silent = sim_draw(s, 8) == 0;
			for (unsigned w = 1; w < ways; w++) {
				way = sim_chain(s, at, length + (w == 1 && longer));
				s->nodes[way].silent = sim_draw(s, 8) == 0;
				sim_link(s, way, meet);
			}
			at = meet;
			s->nodes[at].silent = sim_draw(s, 12) == 0;
		}
		s->nodes[at].back_extra = sim_draw(s, 3);
		for (unsigned k = 0; k < leaves; k++)
			sim_leaf(s, at, SIM_OPEN);
	}
	sim_range(s, 0);
}

/* --- addresses and paths ------------------------------------------------------------------------------ */

static void
sim_addr(uint8_t out[16], uint32_t node)
{
	memset(out, 0, 16);
	out[0] = 20;
	out[2] = (uint8_t)(node >> 8);
	out[3] = (uint8_t)node;
}

/* Host h of leaf network l: each leaf has a /24. */
static void
sim_dst(uint8_t out[16], uint32_t leaf, uint32_t host)
{
	memset(out, 0, 16);
	out[0] = (uint8_t)(100 + host / 254);
	out[1] = (uint8_t)(leaf >> 8);
	out[2] = (uint8_t)leaf;
	out[3] = (uint8_t)(1 + host % 254);
}

/* Nodes from TTL 1 to the leaf; their number. */
static unsigned
sim_path(const struct sim *s, const uint8_t dst[16], uint16_t sport, uint16_t dport, uint32_t path[SIM_PATH])
{
	uint32_t leaf = (uint32_t)(dst[1] << 8 | dst[2]), at = 0;
	unsigned n = 0;

	while (!s->nodes[at].leaf) {
		const struct sim_node *node = &s->nodes[at];
		uint32_t ways[SIM_KIDS], n_ways = 0;
		uint64_t h = s->seed + at;

		for (uint32_t k = 0; k < node->n_kids; k++)
			if (s->nodes[node->kids[k]].leaf_first <= leaf &&
			    leaf <= s->nodes[node->kids[k]].leaf_last)
				ways[n_ways++] = node->kids[k];
		if (!n_ways || n == SIM_PATH)
			abort();
		h = sim_mix(h + ((uint64_t)sport << 16 | dport));
		for (int i = 0; i < 4; i++)
			h = sim_mix(h + dst[i]);
		at = ways[(h >> 32) * n_ways >> 32];
		path[n++] = at;
	}
	return n;
}

static unsigned
sim_back_hops(const struct sim *s, uint32_t node)
{
	unsigned n = 0;

	for (; node; node = s->nodes[node].parent)
		n += 1 + s->nodes[node].back_extra;
	return n;
}

static int64_t
sim_rtt(const struct sim *s, const uint32_t *path, unsigned ttl)
{
	int64_t us = 0;

	for (unsigned i = 0; i < ttl; i++)
		us += s->nodes[path[i]].delay_us;
	for (uint32_t n = path[ttl - 1]; n; n = s->nodes[n].parent)
		us += s->nodes[n].delay_us + s->nodes[n].back_delay_us;
	return us;
}

/* --- packets ------------------------------------------------------------------------------------------ */

static void
sim_push(struct sim *s, int64_t at_us, const struct wire_answer *a)
{
	uint32_t i = s->n_packets++;

	if (i == s->size_packets) {
		s->size_packets = s->size_packets ? 2 * s->size_packets : 64;
		s->packets = realloc(s->packets, s->size_packets * sizeof *s->packets);
		if (!s->packets)
			abort();
	}
	for (; i && s->packets[(i - 1) / 2].at_us > at_us; i = (i - 1) / 2)
		s->packets[i] = s->packets[(i - 1) / 2];
	s->packets[i] = (struct sim_packet){ .at_us = at_us, .a = *a };
}

static struct sim_packet
sim_pop(struct sim *s)
{
	struct sim_packet first = s->packets[0], last = s->packets[--s->n_packets];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < s->n_packets) {
		if (child + 1 < s->n_packets && s->packets[child + 1].at_us < s->packets[child].at_us)
			child++;
		if (s->packets[child].at_us >= last.at_us)
			break;
		s->packets[i] = s->packets[child];
		i = child;
	}
	s->packets[i] = last;
	return first;
}

static int
sim_may_answer(struct sim *s, struct sim_node *n)
{
	int64_t interval_us = n->rate_ms * 1000LL;

	n->asked++;
	if (n->silent)
		return 0;
	if (!interval_us)
		return 1;
	if (n->rate_at_us < s->now_us)
		n->rate_at_us = s->now_us;
	if (n->rate_at_us - s->now_us > 5 * interval_us)
		return 0;
	n->rate_at_us += interval_us;
	return 1;
}

/* What an answer to this probe looks like, but for kind and sender. */
static struct wire_answer
sim_quote(const struct wire_probe *p)
{
	struct wire_answer a = {
		.ipv = p->ipv,
		.method = p->method,
		.sport = p->sport,
		.dport = p->dport,
		.token = p->token,
		.quoted_ttl = 1,
	};

	memcpy(a.to, p->src, 16);
	memcpy(a.src, p->src, 16);
	memcpy(a.dst, p->dst, 16);
	return a;
}

static int64_t
sim_send(void *arg, const struct wire_probe *p)
{
	struct sim *s = arg;
	uint32_t path[SIM_PATH], node;
	unsigned n = sim_path(s, p->dst, p->sport, p->dport, path), ttl = p->ttl;
	struct wire_answer a = sim_quote(p);
	int64_t at_us;

	if (s->send_error)
		return s->send_error;
	if (p->rst) {
		s->resets++;
		s->half_open -= s->half_open > 0;
		return SIM_WALL_US + s->now_us + s->wall_jump_us;
	}
	s->probes++;
	s->probes_to[ttl <= 64 ? ttl : 0]++;
	if (s->tap && s->tap(s, p))
		return SIM_WALL_US + s->now_us + s->wall_jump_us;
	if (ttl > n)
		ttl = n;
	node = path[ttl - 1];
	if (ttl < n || p->ttl < n) {
		if (!sim_may_answer(s, &s->nodes[node]))
			goto lost;
		a.kind = WIRE_TIME_EXCEEDED;
		a.icmp_type = 11;
		sim_addr(a.from, node);
		for (unsigned i = 0; i + 1 < ttl; i++)
			if (s->nodes[path[i]].quoted)
				a.src[3] ^= 0x80;
	} else {
		memcpy(a.from, p->dst, 16);
		switch (s->nodes[node].leaf) {
		case SIM_DROP:
			goto lost;
		case SIM_UNREACH:
			a.kind = WIRE_UNREACHABLE;
			a.icmp_type = 3;
			a.icmp_code = 13;
			sim_addr(a.from, node);
			break;
		default:
			if (p->method == PROBER_TCP_ACK)
				goto lost;
			if (p->method == PROBER_UDP) {
				a.kind = WIRE_UNREACHABLE;
				a.icmp_type = 3;
				a.icmp_code = 3;
				a.quoted_ttl = (uint8_t)(p->ttl - n + 1);
			} else if (p->method == PROBER_ICMP) {
				a.kind = WIRE_ECHO_REPLY;
			} else if (s->nodes[node].leaf == SIM_OPEN) {
				a.kind = WIRE_SYN_ACK;
				s->syn_acks++;
				s->half_open++;
			} else {
				a.kind = WIRE_RST;
			}
			if (p->method != PROBER_UDP)
				a.quoted_ttl = 0;
		}
	}
	a.reply_ttl = (uint8_t)(64 - sim_back_hops(s, node) + 1);
	at_us = s->now_us + sim_rtt(s, path, ttl) + (s->jitter_us ? sim_draw(s, s->jitter_us) : 0);
	if (sim_draw(s, 1000) >= s->loss_permille)
		sim_push(s, at_us, &a);
	if (sim_draw(s, 1000) < s->duplicate_permille)
		sim_push(s, at_us + 1000, &a);
lost:
	return SIM_WALL_US + s->now_us + s->wall_jump_us;
}

/* --- scoring ------------------------------------------------------------------------------------------ */

static int
sim_is_link(const struct sim *s, uint32_t up, uint32_t low)
{
	for (uint32_t k = 0; k < s->nodes[up].n_kids; k++)
		if (s->nodes[up].kids[k] == low)
			return 1;
	return 0;
}

static int
sim_at(const struct sim *s, const struct prober_hop *h, const struct prober_result *r)
{
	if (!(h->flags & PROBER_HOP_ANSWERED))
		return -1;
	if (!memcmp(h->addr, r->dst, 16))
		return (int)s->leaf_node[r->dst[1] << 8 | r->dst[2]];
	return h->addr[2] << 8 | h->addr[3];
}

static void
sim_done(void *arg, uint32_t client, const struct prober_result *r)
{
	struct sim *s = arg;
	uint32_t path[SIM_PATH];
	unsigned n = sim_path(s, r->dst, r->sport, r->dport, path), found = 0, expected = 0, wrong = 0;

	(void)client;
	s->last = *r;
	s->score.done++;
	s->score.reached += r->reached;
	s->score.deadline += r->status == PROBER_DEADLINE;
	s->score.dur_us += r->dur_us;
	for (unsigned ttl = 1; ttl <= n; ttl++)
		expected += !s->nodes[path[ttl - 1]].silent && s->nodes[path[ttl - 1]].leaf != SIM_DROP;
	for (unsigned ttl = 1; ttl <= r->n_hops; ttl++) {
		const struct prober_hop *h = &r->hop[ttl - 1];
		int at = sim_at(s, h, r), next = ttl < r->n_hops ? sim_at(s, h + 1, r) : -1;

		s->score.out_of_order += h->ttl != ttl;
		s->score.cached += !!(h->flags & PROBER_HOP_CACHED);
		if (at >= 0 && ttl <= n && (uint32_t)at == path[ttl - 1])
			found++;
		else if (at >= 0)
			wrong++;
		if (at >= 0 && next >= 0 && !sim_is_link(s, (uint32_t)at, (uint32_t)next))
			s->score.false_links++;
		for (unsigned i = 0; i < h->n_rtt && ttl <= n; i++) {
			int64_t error_us = h->rtt_us[i] - sim_rtt(s, path, ttl);

			if (error_us < 0)
				error_us = -error_us;
			if (error_us > s->score.rtt_error_us)
				s->score.rtt_error_us = error_us;
		}
	}
	s->score.expected += expected;
	s->score.found += found;
	s->score.wrong += wrong;
	s->score.complete += found == expected && !wrong;
}

static void
sim_hop(void *arg, uint32_t client, uint32_t id, const struct prober_hop *h)
{
	(void)client;
	(void)id;
	(void)h;
	((struct sim *)arg)->hop_calls++;
}

/* --- running ------------------------------------------------------------------------------------------ */

static void
sim_turn(struct sim *s)
{
	s->next_us = engine_run(s->engine, s->now_us, SIM_WALL_US + s->now_us + s->wall_jump_us);
}

/* Everything that happens until then. */
static void
sim_until(struct sim *s, int64_t until_us)
{
	for (;;) {
		int64_t next_us = s->next_us;

		if (s->n_packets && s->packets[0].at_us < next_us)
			next_us = s->packets[0].at_us;
		if (next_us > until_us)
			break;
		if (next_us > s->now_us)
			s->now_us = next_us;
		while (s->n_packets && s->packets[0].at_us <= s->now_us) {
			struct sim_packet p = sim_pop(s);

			engine_answer(s->engine, &p.a, SIM_WALL_US + p.at_us + s->wall_jump_us, s->now_us);
		}
		sim_turn(s);
	}
	s->now_us = until_us;
}

static struct sim *
sim_new(uint64_t seed, uint32_t traces, uint32_t probe_rate)
{
	static const struct engine_calls calls = { .send = sim_send, .hop = sim_hop, .done = sim_done };
	struct sim *s = calloc(1, sizeof *s);

	if (!s)
		abort();
	s->seed = s->random = sim_mix(seed);
	s->now_us = 1000000;
	s->next_us = INT64_MAX;
	s->conf = (struct engine_conf){ .traces = traces, .probe_rate = probe_rate };
	for (int i = 0; i < 16; i++)
		s->conf.key[i] = (uint8_t)sim_draw(s, 256);
	s->engine = engine_new(&s->conf, &calls, s);
	if (!s->engine)
		abort();
	return s;
}

static void
sim_free(struct sim *s)
{
	engine_free(s->engine);
	free(s->packets);
	free(s);
}

static const uint8_t sim_src[16] = { 9, 9, 9, 1 };

/* A request as the traceroute plugin makes it from a handshake with that host. */
static struct prober_request
sim_request(const struct sim *s, uint32_t leaf, uint32_t host, uint8_t method)
{
	struct prober_request r = { .type = PROBER_MSG_TRACE, .ipv = 4, .method = method, .dport = 443 };
	uint32_t path[SIM_PATH];
	unsigned n;

	sim_dst(r.dst, leaf, host);
	n = sim_path(s, r.dst, 50000, 443, path);
	r.reply_ttl = (uint8_t)(64 - sim_back_hops(s, path[n - 1]) + 1);
	r.rtt_us = (uint32_t)sim_rtt(s, path, n);
	return r;
}

static int
sim_begin(struct sim *s, const struct prober_request *r, const struct prober_tuple *wan)
{
	int64_t wall_us = SIM_WALL_US + s->now_us + s->wall_jump_us;
	int error = engine_begin(s->engine, 1, r, sim_src, wan, s->now_us, wall_us);

	s->score.refused += error != 0;
	sim_turn(s);
	return error;
}

static void
sim_print(const struct sim *s, const char *what, unsigned n)
{
	print_message("%-22s %5u traces: %.2f probes each, recall %.4f, wrong %u, false links %u, complete %u, "
		      "reached %u, refused %u, deadline %u, %.0f ms each, SYN-ACKs %u, cached hops %u\n",
		      what, s->score.done, (double)s->probes / n, (double)s->score.found / s->score.expected,
		      s->score.wrong, s->score.false_links, s->score.complete, s->score.reached,
		      s->score.refused, s->score.deadline,
		      (double)s->score.dur_us / 1000 / (s->score.done ? s->score.done : 1), s->syn_acks,
		      s->score.cached);
}

#endif
