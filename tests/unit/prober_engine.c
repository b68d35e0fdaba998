/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The traceroute engine on an internet in memory (prober_sim.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cmocka.h>

#include "../../src/prober/engine.c"
#undef NONE
#include "../../src/prober/trace.c"
#include "../../src/prober/plan.c"
#include "../../src/prober/result.c"
#include "../../src/prober/cache.c"
#include "prober_sim.h"

#define S 1000000LL

/* Leaf networks of the default shape, see sim_topology(): 16 a region. */
enum { LEAF_A = 0, LEAF_A_BACK = 12, LEAF_B = 16, LEAF_C = 32, LEAF_D = 48 };

static struct sim *
default_net(uint32_t traces, uint32_t rate)
{
	struct sim *s = sim_new(1, traces, rate);

	sim_topology(s, 4, 4);
	return s;
}

static struct sim *
trace_one(struct sim *s, struct prober_request *r)
{
	assert_int_equal(sim_begin(s, r, NULL), 0);
	sim_until(s, s->now_us + 60 * S);
	assert_int_equal(s->score.done, 1);
	assert_int_equal(engine_live(s->engine), 0);
	assert_int_equal(s->score.out_of_order, 0);
	return s;
}

static void
assert_exact(const struct sim *s)
{
	assert_int_equal(s->score.wrong, 0);
	assert_int_equal(s->score.false_links, 0);
	assert_int_equal(s->score.found, s->score.expected);
}

/* --- one destination --------------------------------------------------------------------------------- */

/* Every kind of leaf, alone and with an empty cache: the whole path, in 3 RTT + 1 s, silent hops or not,
 * whatever is known of its length; a SYN-ACK is always reset. */
static void
test_alone(void **state)
{
	static const uint8_t methods[] = { PROBER_TCP_SYN, PROBER_UDP, PROBER_ICMP };
	unsigned probes = 0;

	(void)state;
	for (unsigned way = 0; way < 4; way++) {
		for (unsigned leaf = 0; leaf < 64; leaf++) {
			struct sim *s = default_net(4, 1000);
			struct prober_request r = sim_request(s, leaf, 0, methods[leaf % 3]);
			int64_t rtt_us = r.rtt_us;

			if (way & 1)
				r.reply_ttl = 0, r.rtt_us = 0;
			if (way & 2)
				r.flags = PROBER_REQ_FRESH | PROBER_REQ_PROGRESS;
			trace_one(s, &r);
			assert_exact(s);
			assert_int_equal(s->last.reached, 1);
			assert_int_equal(s->last.status, PROBER_DONE);
			assert_int_equal(s->last.probes, s->probes);
			assert_int_equal(s->score.cached, 0);
			assert_true(s->score.rtt_error_us < 10);
			if (s->last.dur_us > 3 * rtt_us + S)
				fail_msg("leaf %u, way %u: %u us, rtt %lld us", leaf, way, s->last.dur_us,
					 (long long)rtt_us);
			assert_int_equal(s->resets, s->syn_acks);
			assert_int_equal(s->half_open, 0);
			if (way == 0 && (leaf < LEAF_A_BACK || leaf >= LEAF_D))
				assert_int_equal(s->syn_acks, leaf % 3 == 0 && leaf % 4 != 2);
			if (way & 2)
				assert_true(s->hop_calls >= s->score.found);
			else
				assert_int_equal(s->hop_calls, 0);
			probes += s->probes;
			sim_free(s);
		}
	}
	print_message("alone: %.1f probes a trace\n", probes / 256.0);
}

static void
test_nobody_there(void **state)
{
	(void)state;
	for (int known = 0; known < 2; known++) {
		struct sim *s = default_net(4, 1000);
		struct prober_request r = sim_request(s, LEAF_D, 0, PROBER_TCP_SYN);

		s->nodes[s->leaf_node[LEAF_D]].leaf = SIM_DROP;
		if (!known)
			r.reply_ttl = 0;
		trace_one(s, &r);
		assert_exact(s);
		assert_int_equal(s->last.reached, 0);
		assert_int_equal(s->last.status, PROBER_DONE);
		/* What is silent at the end is no hop. */
		assert_true(s->last.hop[s->last.n_hops - 1].flags & PROBER_HOP_ANSWERED);
		/* Three silent ones behind the last, two probes each; a few that ran ahead. */
		for (unsigned ttl = s->last.n_hops + 7U; ttl <= 64; ttl++)
			assert_int_equal(s->probes_to[ttl], 0);
		assert_true(s->last.dur_us < 5 * S);
		sim_free(s);
	}
}

static void
test_nothing_answers(void **state)
{
	struct sim *s = default_net(4, 1000);
	struct prober_request r = sim_request(s, LEAF_A, 0, PROBER_ICMP);

	(void)state;
	for (uint32_t i = 0; i < s->n_nodes; i++)
		s->nodes[i].silent = 1;
	s->nodes[s->leaf_node[LEAF_A]].leaf = SIM_DROP;
	trace_one(s, &r);
	assert_int_equal(s->last.n_hops, 0);
	assert_int_equal(s->last.reached, 0);
	assert_true(s->probes <= 2 * 10);
	sim_free(s);
}

static void
test_unreachable(void **state)
{
	struct sim *s = default_net(4, 1000);
	struct prober_request r = sim_request(s, LEAF_A, 0, PROBER_TCP_SYN);
	const struct prober_hop *h;

	(void)state;
	s->nodes[s->leaf_node[LEAF_A]].leaf = SIM_UNREACH;
	trace_one(s, &r);
	h = &s->last.hop[s->last.n_hops - 1];
	assert_int_equal(s->last.reached, 0);
	assert_int_equal(s->last.n_hops, 8);
	assert_int_equal(h->flags, PROBER_HOP_ANSWERED | PROBER_HOP_ICMP);
	assert_int_equal(h->icmp_type, 3);
	assert_int_equal(h->icmp_code, 13);
	sim_free(s);
}

/* Three RTTs of each hop, at most `tries` unanswered ones. */
static void
test_probes(void **state)
{
	struct sim *s = default_net(4, 1000);
	struct prober_request r = sim_request(s, LEAF_C, 0, PROBER_ICMP);

	(void)state;
	r.probes = 3;
	r.tries = 3;
	trace_one(s, &r);
	assert_exact(s);
	for (unsigned i = 0; i < s->last.n_hops; i++) {
		const struct prober_hop *h = &s->last.hop[i];

		assert_int_equal(h->n_rtt, i == 6 ? 0 : 3); /* c1 is silent */
		assert_int_equal(h->sent, 3);
	}
	sim_free(s);
}

static void
test_max_ttl(void **state)
{
	struct sim *s = default_net(4, 1000);
	struct prober_request r = sim_request(s, LEAF_D, 0, PROBER_UDP);

	(void)state;
	r.max_ttl = 5;
	trace_one(s, &r);
	assert_int_equal(s->last.n_hops, 5);
	assert_int_equal(s->probes, 5);
	sim_free(s);
}

static void
test_nat(void **state)
{
	struct sim *s = default_net(4, 1000);
	struct prober_request r = sim_request(s, LEAF_A, 0, PROBER_TCP_SYN);

	(void)state;
	s->nodes[3].quoted = 1; /* TTL 3 */
	trace_one(s, &r);
	assert_exact(s);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(!!(s->last.hop[i].flags & PROBER_HOP_NAT), i >= 3 && i < 7);
	sim_free(s);
}

/* The wall clock is set while probes are under way: the hops are known, those RTTs are not. */
static void
test_clock(void **state)
{
	(void)state;
	for (int sign = -1; sign <= 1; sign += 2) {
		struct sim *s = default_net(4, 1000);
		struct prober_request r = sim_request(s, LEAF_D, 0, PROBER_ICMP);

		r.flags = PROBER_REQ_FRESH;
		assert_int_equal(sim_begin(s, &r, NULL), 0);
		sim_until(s, s->now_us + 2000);
		s->wall_jump_us = sign * 3600 * S;
		sim_until(s, s->now_us + 20 * S);
		assert_exact(s);
		assert_true(s->score.rtt_error_us < 10);
		assert_int_equal(s->last.hop[0].n_rtt, 0);
		sim_free(s);
	}
}

/* --- in band ------------------------------------------------------------------------------------------ */

static struct prober_tuple
wan_of(const struct prober_request *r)
{
	struct prober_tuple wan = { .ipv = 4, .sport = 40123, .dport = r->dport, .src = { 203, 0, 113, 7 } };

	memcpy(wan.dst, r->dst, 16);
	return wan;
}

static struct prober_request seen_request;
static unsigned seen_odd;

static int
check_in_band(struct sim *s, const struct wire_probe *p)
{
	uint32_t n = seen_request.iss - p->token;

	(void)s;
	seen_odd += p->rst || p->method != PROBER_TCP_ACK || p->sport != 40123 || p->dport != 443 ||
		    p->src[0] != 203 || p->ack != seen_request.irs + 1 || n < 1 || n > 512;
	return 0;
}

static void
test_in_band(void **state)
{
	(void)state;
	seen_odd = 0;
	for (unsigned leaf = 0; leaf < 64; leaf++) {
		struct sim *s = default_net(4, 1000);
		struct prober_request r = sim_request(s, leaf, 0, PROBER_TCP_ACK);
		struct prober_tuple wan = wan_of(&r);

		r.iss = 200;
		r.irs = 0xffffffff;
		seen_request = r;
		s->tap = check_in_band;
		assert_int_equal(sim_begin(s, &r, &wan), 0);
		sim_until(s, s->now_us + 20 * S);
		assert_int_equal(s->last.method, PROBER_TCP_ACK);
		assert_int_equal(s->last.sport, 40123);
		assert_int_equal(s->last.reached, 1);
		/* With a longer way back the far end, which stays silent, is put where the estimate says. */
		assert_int_equal(s->score.wrong, leaf >= LEAF_A_BACK && leaf < LEAF_B);
		assert_int_equal(s->score.false_links, 0);
		assert_int_equal(s->last.hop[s->last.n_hops - 1].rtt_us[0], r.rtt_us);
		assert_int_equal(s->last.hop[s->last.n_hops - 1].flags, PROBER_HOP_ANSWERED | PROBER_HOP_DST);
		/* The far end gets one of them when the way back is as long as the way there. */
		if (leaf < LEAF_A_BACK)
			assert_int_equal(s->probes_to[8] + s->probes_to[9], 1);
		sim_free(s);
	}
	assert_int_equal(seen_odd, 0);
}

static void
test_in_band_stop(void **state)
{
	struct sim *s = default_net(4, 1000);
	struct prober_request r = sim_request(s, LEAF_C, 0, PROBER_TCP_ACK);
	struct prober_tuple wan = wan_of(&r);
	struct wire_answer a = { .kind = WIRE_RST, .ipv = 4, .method = PROBER_TCP_SYN, .sport = 40123 };
	unsigned probes;

	(void)state;
	assert_int_equal(sim_begin(s, &r, &wan), 0);
	sim_until(s, s->now_us + 90000);
	memcpy(a.from, r.dst, 16);
	memcpy(a.to, wan.src, 16);
	a.dport = 444; /* of another connection */
	assert_int_equal(engine_answer(s->engine, &a, SIM_WALL_US + s->now_us, s->now_us), 0);
	a.dport = 443;
	assert_int_equal(engine_answer(s->engine, &a, SIM_WALL_US + s->now_us, s->now_us), 1);
	probes = s->probes;
	sim_turn(s);
	sim_until(s, s->now_us + 20 * S);
	assert_int_equal(s->score.done, 1);
	assert_int_equal(s->last.status, PROBER_STOPPED);
	assert_int_equal(s->last.reached, 0);
	assert_int_equal(s->probes, probes);
	sim_free(s);
}

/* --- answers that are none ---------------------------------------------------------------------------- */

static uint64_t
stat_of(const struct sim *s, enum prober_stat i)
{
	uint64_t stat[16] = { 0 };

	engine_stats(s->engine, stat);
	return stat[i];
}

/* An answer that nobody is to believe. */
static void
forge(struct sim *s, const struct wire_answer *a)
{
	uint64_t foreign = stat_of(s, PROBER_STAT_FOREIGN);

	assert_int_equal(engine_answer(s->engine, a, SIM_WALL_US + s->now_us, s->now_us), 0);
	assert_int_equal(stat_of(s, PROBER_STAT_FOREIGN), foreign + 1);
}

static struct wire_probe caught[64];
static unsigned n_caught;

static int
catch(struct sim *s, const struct wire_probe *p)
{
	(void)s;
	if (n_caught < 64)
		caught[n_caught++] = *p;
	return 1;
}

static void
test_forged(void **state)
{
	static const uint8_t methods[] = { PROBER_TCP_SYN, PROBER_UDP, PROBER_ICMP };

	(void)state;
	for (unsigned m = 0; m < 3; m++) {
		struct sim *s = default_net(4, 1000);
		struct prober_request r = sim_request(s, LEAF_A, 0, methods[m]);
		struct wire_answer good, a;
		unsigned guessed = 0;

		n_caught = 0;
		s->tap = catch;
		r.flags = PROBER_REQ_FRESH;
		assert_int_equal(sim_begin(s, &r, NULL), 0);
		sim_until(s, s->now_us + 50000);
		assert_int_equal(n_caught, 7);
		good = sim_quote(&caught[3]);
		good.kind = WIRE_TIME_EXCEEDED;
		good.icmp_type = 11;
		memcpy(good.from, "\x14\0\0\x63", 4);

		a = good, a.sport ^= 1, forge(s, &a);
		a = good, a.ipv = 6, forge(s, &a);
		a = good, a.method = methods[(m + 1) % 3], forge(s, &a);
		if (m) {
			a = good, a.dst[3] ^= 1, forge(s, &a);
		}
		if (m == 1) {
			a = good, a.dport ^= 1, forge(s, &a);
		}
		a = good, memset(a.from, 0, 16), forge(s, &a);
		a = good, a.from[0] = 224, forge(s, &a);
		a = good, a.from[0] = 127, forge(s, &a);
		a = good, memcpy(a.from, sim_src, 16), forge(s, &a);
		/* A retry that was not sent yet. */
		a = good, a.token ^= 64, forge(s, &a);
		/* Direct answers have to come from the destination. */
		a = good, a.kind = WIRE_SYN_ACK, forge(s, &a);
		a = good, a.kind = WIRE_RST, forge(s, &a);
		a = good, a.kind = WIRE_ECHO_REPLY, forge(s, &a);
		a = good, a.kind = WIRE_ACK, memcpy(a.from, r.dst, 16), forge(s, &a);
		a = good, memcpy(a.from, r.dst, 16), a.kind = m == 2 ? WIRE_SYN_ACK : WIRE_ECHO_REPLY, forge(s, &a);
		a = good, a.kind = 77, forge(s, &a);
		assert_int_equal(s->resets, 0);
		for (unsigned i = 0; i < 2000; i++) {
			a = good;
			a.token = sim_draw(s, UINT32_MAX) & (m ? 0xffff : UINT32_MAX);
			guessed += (unsigned)engine_answer(s->engine, &a, SIM_WALL_US + s->now_us, s->now_us);
		}
		/* 16 bits, 7 probes of which each can be hit once: 0.2 hits by chance. */
		assert_true(guessed <= (m ? 3 : 0));
		if (!guessed) {
			assert_int_equal(engine_answer(s->engine, &good, SIM_WALL_US + s->now_us, s->now_us), 1);
			forge(s, &good); /* a duplicate */
		}
		sim_turn(s);
		sim_until(s, s->now_us + 30 * S);
		assert_int_equal(s->score.done, 1);
		forge(s, &good); /* late */
		sim_free(s);
	}
}

/* Tokens of two traces have nothing in common, not even to the same destination. */
static void
test_tokens(void **state)
{
	uint32_t first[7];
	unsigned same = 0;

	(void)state;
	for (unsigned m = 0; m < 3; m++) {
		struct sim *s = default_net(4, 1000);

		s->tap = catch;
		for (unsigned round = 0; round < 2; round++) {
			struct prober_request r = sim_request(s, LEAF_A, 0, m);

			n_caught = 0;
			r.flags = PROBER_REQ_FRESH;
			r.tries = 1;
			sim_begin(s, &r, NULL);
			sim_until(s, s->now_us + 20 * S);
			assert_true(n_caught >= 7);
			for (unsigned i = 0; i < 7; i++) {
				assert_true(m == PROBER_TCP_SYN || caught[i].token <= 0xffff);
				assert_int_not_equal(caught[i].token, 0);
				assert_int_equal(1 + (caught[i].token & 63), caught[i].ttl);
				if (round)
					same += caught[i].token == first[caught[i].ttl - 1];
				else if (caught[i].ttl <= 7)
					first[caught[i].ttl - 1] = caught[i].token;
			}
		}
		sim_free(s);
	}
	assert_true(same <= 1);
}

/* --- slots, ports, rates ------------------------------------------------------------------------------ */

static void
test_slots(void **state)
{
	struct sim *s = default_net(3, 1000);
	struct prober_request r = sim_request(s, LEAF_A, 0, PROBER_TCP_SYN);

	(void)state;
	assert_int_equal(sim_begin(s, &r, NULL), 0);
	assert_int_equal(sim_begin(s, &r, NULL), -EALREADY);
	r.flow = 1;
	assert_int_equal(sim_begin(s, &r, NULL), 0);
	r.method = PROBER_UDP;
	assert_int_equal(engine_begin(s->engine, 2, &r, sim_src, NULL, s->now_us, SIM_WALL_US + s->now_us), 0);
	r.flow = 2;
	assert_int_equal(sim_begin(s, &r, NULL), -EAGAIN);
	assert_int_equal(engine_live(s->engine), 3);
	engine_forget(s->engine, 1);
	assert_int_equal(engine_live(s->engine), 1);
	assert_int_equal(sim_begin(s, &r, NULL), 0);
	sim_until(s, s->now_us + 20 * S);
	assert_int_equal(s->score.done, 2);
	assert_int_equal(engine_live(s->engine), 0);
	assert_int_equal(stat_of(s, PROBER_STAT_TRACES), 4);
	sim_free(s);
}

/* 1024 flows of one destination have 1024 ports; the same flow gets the same one again. */
static void
test_ports(void **state)
{
	struct sim *s = default_net(4, 1000);
	uint8_t used[PORTS] = { 0 };

	(void)state;
	for (unsigned m = 0; m < 3; m++) {
		memset(used, 0, sizeof used);
		for (unsigned flow = 0; flow < PORTS; flow++) {
			struct prober_request r = sim_request(s, LEAF_A, 0, (uint8_t)m);
			uint16_t port;

			r.flow = (uint16_t)flow;
			port = port_of(s->engine, &r);
			assert_in_range(port, PROBER_PORT_FIRST, PROBER_PORT_LAST);
			assert_int_equal(used[port - PROBER_PORT_FIRST]++, 0);
			assert_int_equal(port_of(s->engine, &r), port);
		}
	}
	sim_free(s);
}

static int64_t sent_at_us[20000];

static int
note_time(struct sim *s, const struct wire_probe *p)
{
	(void)p;
	if (s->probes <= 20000)
		sent_at_us[s->probes - 1] = s->now_us;
	return 0;
}

/* In no second more than the rate and a burst of 4 (or 10 ms), and not much less either; spread, so that no
 * two leave at once. */
static void
test_rate(void **state)
{
	static const uint32_t rates[] = { 1, 7, 100, 1000 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct sim *s = default_net(64, rates[i]);
		unsigned burst = rates[i] / 100 > 4 ? rates[i] / 100 : 4, n = 0;

		s->tap = note_time;
		for (unsigned k = 0; k < 64; k++) {
			struct prober_request r = sim_request(s, k, 0, PROBER_TCP_SYN);

			r.flags = PROBER_REQ_FRESH;
			sim_begin(s, &r, NULL);
		}
		sim_until(s, s->now_us + 30 * S);
		for (unsigned from = 0, to = 0; to < s->probes; to++) {
			while (sent_at_us[to] - sent_at_us[from] >= S)
				from++;
			if (to - from + 1 > n)
				n = to - from + 1;
			assert_true(!to || sent_at_us[to] - sent_at_us[to - 1] >= 500000 / rates[i]);
		}
		assert_in_range(n, rates[i] < 800 ? rates[i] : 600, rates[i] + burst);
		assert_int_equal(s->score.done, 64);
		sim_free(s);
	}
}

/* More hops at once than there are records for: all the same, everybody gets there. */
static void
test_pool(void **state)
{
	struct sim *s = sim_new(1, 64, 100000);

	(void)state;
	sim_leaf(s, sim_chain(s, sim_node(s, sim_node(s, 0, 0), 5000), 38), SIM_OPEN);
	sim_range(s, 0);
	for (unsigned i = 0; i < 64; i++) {
		struct prober_request r = sim_request(s, 0, i, PROBER_ICMP);

		r.flags = PROBER_REQ_FRESH;
		r.max_ttl = 64;
		sim_begin(s, &r, NULL);
	}
	sim_until(s, s->now_us + 50000);
	assert_true(s->engine->pool.n_free <= PROBER_HOPS_MAX);
	sim_until(s, s->now_us + 20 * S);
	assert_int_equal(s->score.done, 64);
	assert_int_equal(s->score.complete, 64);
	assert_int_equal(s->engine->pool.n_free, s->engine->pool.n);
	sim_free(s);
}

static void
test_send_errors(void **state)
{
	struct sim *s = default_net(4, 1000);
	struct prober_request r = sim_request(s, LEAF_A, 0, PROBER_TCP_SYN);

	(void)state;
	/* The buffer is full for a while: nothing is lost. */
	s->send_error = -ENOBUFS;
	sim_begin(s, &r, NULL);
	sim_until(s, s->now_us + 100000);
	assert_in_range(stat_of(s, PROBER_STAT_SEND_ERRORS), 10, 30);
	assert_int_equal(stat_of(s, PROBER_STAT_PROBES), 0);
	s->send_error = 0;
	sim_until(s, s->now_us + 10 * S);
	assert_exact(s);
	assert_int_equal(s->score.done, 1);
	/* Refused by the kernel: it ends, and no probe was sent. */
	s->send_error = -EPERM;
	r = sim_request(s, LEAF_D, 0, PROBER_TCP_SYN);
	sim_begin(s, &r, NULL);
	sim_until(s, s->now_us + 20 * S);
	assert_int_equal(s->score.done, 2);
	assert_int_equal(s->last.n_hops, 0);
	assert_int_equal(s->last.probes, 0);
	sim_free(s);
}

static double
cpu_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A turn with nothing due costs the same with 2 and with 2000 live traces. */
static void
test_idle_turns(void **state)
{
	double cost[2];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		uint32_t n = i ? 2000 : 2;
		struct sim *s = default_net(n, 1000000);

		s->tap = catch;
		n_caught = 0;
		for (uint32_t k = 0; k < n; k++) {
			struct prober_request r = sim_request(s, k % 64, k / 64, PROBER_ICMP);

			sim_begin(s, &r, NULL);
		}
		sim_until(s, s->now_us + 20000);
		assert_int_equal(engine_live(s->engine), n);
		cost[i] = cpu_s();
		for (unsigned k = 0; k < 200000; k++)
			sim_turn(s);
		cost[i] = cpu_s() - cost[i];
		sim_free(s);
	}
	print_message("200000 idle turns: %.3f s with 2 traces, %.3f s with 2000\n", cost[0], cost[1]);
	assert_true(cost[1] < 20 * cost[0]);
}

/* --- many destinations -------------------------------------------------------------------------------- */

static void
run_load(struct sim *s, unsigned n, int64_t interval_us)
{
	for (unsigned i = 0; i < n; i++) {
		struct prober_request r = sim_request(s, i % s->n_leaves, i / s->n_leaves, PROBER_TCP_SYN);

		sim_begin(s, &r, NULL);
		sim_until(s, s->now_us + interval_us);
	}
	sim_until(s, s->now_us + 30 * S);
	assert_int_equal(engine_live(s->engine), 0);
	assert_int_equal(s->score.done, n);
	assert_int_equal(s->score.out_of_order, 0);
	if (!s->loss_permille)
		assert_int_equal(s->resets, s->syn_acks);
}

/* The figures of issue 3, at 100 connections a second. */
static void
test_figures(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		struct sim *s = sim_new(seed, 1000, 1000);

		sim_topology(s, 4, 4);
		run_load(s, 1000, 10000);
		sim_print(s, "default", 1000);
		assert_int_equal(s->score.wrong, 0);
		assert_int_equal(s->score.false_links, 0);
		assert_true(s->probes <= 3500);
		assert_true(s->score.found >= 0.999 * s->score.expected);
		assert_true(s->nodes[1].asked < 100);
		sim_free(s);
	}
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct sim *s = sim_new(seed, 1000, 1000);

		sim_topology(s, 16, 16);
		run_load(s, 1000, 10000);
		sim_print(s, "wide", 1000);
		assert_int_equal(s->score.wrong, 0);
		assert_int_equal(s->score.false_links, 0);
		sim_free(s);
	}
}

/* Load balancers everywhere, ten thousand destinations: no path is glued from two branches. */
static void
test_balancers(void **state)
{
	unsigned wrong = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		struct sim *s = sim_new(seed, 1000, 2000);

		sim_random_topology(s, 8, 3, 16);
		run_load(s, 10000, 4000);
		sim_print(s, "balancers", 10000);
		wrong += s->score.wrong + s->score.false_links;
		assert_true(s->score.found >= 0.999 * s->score.expected);
		sim_free(s);
	}
	assert_int_equal(wrong, 0);
}

static void
test_bad_weather(void **state)
{
	struct sim *s = sim_new(3, 1000, 1000);

	(void)state;
	s->loss_permille = 30;
	s->duplicate_permille = 50;
	s->jitter_us = 30000;
	sim_topology(s, 4, 4);
	run_load(s, 1000, 10000);
	sim_print(s, "loss, reordering", 1000);
	assert_int_equal(s->score.wrong, 0);
	assert_int_equal(s->score.false_links, 0);
	assert_true(s->score.found >= 0.99 * s->score.expected);
	assert_true(stat_of(s, PROBER_STAT_FOREIGN) > 50); /* the duplicates */
	sim_free(s);
}

/* r3 of r1 r2 r3 r4 r5 makes way for another router. */
static void
replace_r3(struct sim *s)
{
	uint32_t other = sim_node(s, 0, 0);

	s->nodes[0].n_kids--;
	s->nodes[other] = s->nodes[3];
	s->nodes[2].kids[0] = other;
}

/* A router is replaced while the cache is sure of it.  Soon nobody believes in it any more; a trace
 * that must believe nothing never does, and tells the others. */
static void
test_path_change(void **state)
{
	(void)state;
	for (int fresh = 0; fresh < 2; fresh++) {
		struct sim *s = default_net(1000, 1000);
		struct prober_request r;
		unsigned first_half = 0;

		run_load(s, 500, 10000);
		assert_int_equal(s->score.wrong, 0);
		replace_r3(s);
		memset(&s->score, 0, sizeof s->score);
		for (unsigned i = 0; i < 1000; i++) {
			r = sim_request(s, i % 64, 20 + i / 64, PROBER_TCP_SYN);
			r.flags = fresh && !i ? PROBER_REQ_FRESH : 0;
			sim_begin(s, &r, NULL);
			sim_until(s, s->now_us + (i ? 10000 : S));
			if (i == 499)
				first_half = s->score.wrong;
		}
		sim_until(s, s->now_us + 30 * S);
		print_message("path changed: %u of 1000 traces had the old router\n", s->score.wrong);
		assert_int_equal(s->score.wrong, first_half);
		if (fresh)
			assert_int_equal(s->score.wrong, 0);
		sim_free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_nothing_answers),
		cmocka_unit_test(test_unreachable),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_max_ttl),
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_clock),
		cmocka_unit_test(test_in_band),
		cmocka_unit_test(test_in_band_stop),
		cmocka_unit_test(test_forged),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_ports),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_pool),
		cmocka_unit_test(test_send_errors),
		cmocka_unit_test(test_idle_turns),
		cmocka_unit_test(test_figures),
		cmocka_unit_test(test_balancers),
		cmocka_unit_test(test_bad_weather),
		cmocka_unit_test(test_path_change),
	};

	print_message("a trace: %zu bytes, and %u hops of %zu\n", sizeof(struct trace), HOPS_PER_TRACE,
		      sizeof(struct trace_hop));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
