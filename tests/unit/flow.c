/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The flow table: each way through the picture in flow.c, then random operations against the naive
 * table of flow_model.h.  SEED=NUMBER repeats a run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <time.h>
#include <unistd.h>

#include "../../src/analyzer/flow.c"
#define MODEL_FAIL(...) fail_msg(__VA_ARGS__)
#include "flow_model.h"

#define MS 1000
#define S 1000000
#define WALL 1795000000000000 /* the wall clock when the tests' clock is 0 */

static struct flow_table *t;
static struct ng_conn got[1024];
static unsigned n_got;
static int64_t now_us;

static void
on_conn(void *arg, struct ng_conn *c)
{
	(void)arg;
	assert_true(n_got < 1024);
	assert_int_equal(c->size, sizeof *c);
	assert_int_equal(c->dir, NG_DIR_UNKNOWN);
	got[n_got++] = *c;
}

static void
start(uint32_t slots, enum flow_acks acks)
{
	struct flow_conf conf = { .slots = slots, .syn_timeout_us = 30 * S, .acks = acks };

	n_got = 0;
	now_us = 0;
	t = flow_new(&conf, on_conn, NULL);
	assert_non_null(t);
}

static void
finish_test(void)
{
	flow_check(t, 1);
	flow_free(t);
	t = NULL;
}

/* A segment of the handshake 10.0.0.1:PORT -> 192.0.2.1:443; a reply goes the other way. */
static struct ng_packet
segment(uint16_t port, uint8_t flags, int reply, uint32_t seq, uint32_t ack)
{
	struct ng_packet p = { .size = sizeof p, .has = NG_HAS_IP | NG_HAS_PORTS | NG_HAS_TCP | NG_HAS_KERNEL_TS,
			       .ipv = 4, .hook = NG_HOOK_FORWARD, .tcp_flags = flags, .tcp_seq = seq,
			       .tcp_ack = ack, .ttl = reply ? 52 : 64, .group = 100 };
	static const uint8_t client[4] = { 10, 0, 0, 1 }, server[4] = { 192, 0, 2, 1 };

	memcpy(reply ? p.daddr : p.saddr, client, 4);
	memcpy(reply ? p.saddr : p.daddr, server, 4);
	p.sport = reply ? 443 : port;
	p.dport = reply ? port : 443;
	p.iif = reply ? 9 : 7;
	p.oif = reply ? 7 : 9;
	p.ts_us = WALL + now_us;
	return p;
}

static void
give(const struct ng_packet *p)
{
	flow_packet(t, p, 1, now_us);
	flow_check(t, 0);
}

static void
syn(uint16_t port, uint32_t seq)
{
	struct ng_packet p = segment(port, NG_TCP_SYN, 0, seq, 0);

	give(&p);
}

static void
stranger(uint16_t port, uint32_t seq)
{
	struct ng_packet p = segment(port, NG_TCP_SYN, 0, seq, 0);

	flow_packet(t, &p, 0, now_us);
	flow_check(t, 0);
}

static void
synack(uint16_t port, uint32_t seq, uint32_t ack)
{
	struct ng_packet p = segment(port, NG_TCP_SYN | NG_TCP_ACK, 1, seq, ack);

	give(&p);
}

static void
at(int64_t us)
{
	assert_true(us >= now_us);
	now_us = us;
}

static void
expect(unsigned n, enum ng_conn_state state, const char *history)
{
	assert_int_equal(n_got, n);
	if (n) {
		assert_int_equal(got[n - 1].state, state);
		assert_string_equal(got[n - 1].history, history);
	}
}

/* ---- SYN first --------------------------------------------------------------------------- */

static void
test_answered(void **state)
{
	const struct ng_conn *c = &got[0];
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_NONE);
	at(5 * MS);
	p = segment(40000, NG_TCP_SYN | NG_TCP_ECE | NG_TCP_CWR, 0, 1000, 0);
	p.tos = 0xb8;
	p.mss = 1460;
	p.wscale = 7;
	p.tcp_opts = NG_TCPOPT_MSS | NG_TCPOPT_WSCALE | NG_TCPOPT_SACK_OK | NG_TCPOPT_TFO;
	give(&p);
	assert_int_equal(flow_stats(t)->live, 1);
	assert_int_equal(flow_stats(t)->tracked, 1);
	at(25 * MS);
	p = segment(40000, NG_TCP_SYN | NG_TCP_ACK | NG_TCP_ECE, 1, 777, 1001);
	p.mss = 1452;
	p.wscale = 9;
	p.tcp_opts = NG_TCPOPT_MSS | NG_TCPOPT_WSCALE | NG_TCPOPT_SACK_OK;
	p.hook = NG_HOOK_INPUT;
	p.group = 101;
	p.tos = 0;
	give(&p);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(c->ipv, 4);
	assert_int_equal(c->ts_us, WALL + 5 * MS);
	assert_int_equal(c->src[0], 10);
	assert_int_equal(c->dst[0], 192);
	assert_int_equal(c->sport, 40000);
	assert_int_equal(c->dport, 443);
	assert_int_equal(c->rtt_us, 20 * MS);
	assert_int_equal(c->setup_us, 20 * MS);
	assert_int_equal(c->rtt_ambiguous_us, -1);
	assert_int_equal(c->rtt_src_us, -1);
	assert_int_equal(c->syn_retrans, 0);
	assert_int_equal(c->synack_retrans, 0);
	assert_int_equal(c->hook, NG_HOOK_FORWARD);
	assert_int_equal(c->group, 100);
	assert_int_equal(c->iif, 7);
	assert_int_equal(c->oif, 9);
	assert_int_equal(c->mss, 1460);
	assert_int_equal(c->mss_dst, 1452);
	assert_int_equal(c->wscale, 7);
	assert_int_equal(c->wscale_dst, 9);
	assert_int_equal(c->ttl_src, 64);
	assert_int_equal(c->ttl_dst, 52);
	assert_int_equal(c->tos, 0xb8);
	assert_int_equal(c->flags, NG_CONN_SACK_SRC | NG_CONN_SACK_DST | NG_CONN_ECN | NG_CONN_TFO |
				   NG_CONN_WSCALE_SRC | NG_CONN_WSCALE_DST | NG_CONN_MSS_SRC |
				   NG_CONN_MSS_DST | NG_CONN_TTL_SRC | NG_CONN_TTL_DST | NG_CONN_ISN);
	assert_int_equal(c->isn_src, 1000);
	assert_int_equal(c->isn_dst, 777);
	assert_int_equal(flow_stats(t)->live, 0);
	assert_int_equal(flow_stats(t)->tracked, 1); /* kept, so that retransmissions begin nothing */
	assert_int_equal(flow_stats(t)->reported, 1);
	finish_test();
}

static void
test_ecn_needs_both(void **state)
{
	/* SYN's flags, SYN-ACK's flags, agreed (RFC 3168: a SYN-ACK with both is an echo). */
	static const uint8_t cases[][3] = {
		{ 0, 0, 0 }, { NG_TCP_ECE | NG_TCP_CWR, 0, 0 }, { 0, NG_TCP_ECE, 0 },
		{ NG_TCP_ECE | NG_TCP_CWR, NG_TCP_ECE | NG_TCP_CWR, 0 }, { NG_TCP_ECE, NG_TCP_ECE, 0 },
		{ NG_TCP_ECE | NG_TCP_CWR, NG_TCP_ECE, 1 },
	};

	(void)state;
	for (int early = 0; early < 2; early++) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			struct ng_packet a, b;

			start(16, FLOW_ACKS_NONE);
			a = segment(1, NG_TCP_SYN | cases[i][0], 0, 1000, 0);
			b = segment(1, NG_TCP_SYN | NG_TCP_ACK | cases[i][1], 1, 5, 1001);
			give(early ? &b : &a);
			give(early ? &a : &b);
			flow_finish(t);
			expect(1, NG_CONN_ANSWERED, "Sh");
			assert_int_equal(!!(got[0].flags & NG_CONN_ECN), cases[i][2]);
			finish_test();
		}
	}
}

static void
test_established(void **state)
{
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_ALL);
	syn(1, 0xffffffff); /* the numbers wrap */
	at(20 * MS);
	synack(1, 0xffffffff, 0);
	assert_int_equal(n_got, 0);
	assert_int_equal(flow_stats(t)->live, 0); /* it is answered */
	at(21 * MS);
	p = segment(1, NG_TCP_ACK, 0, 1, 0); /* wrong numbers */
	give(&p);
	p = segment(1, NG_TCP_ACK, 0, 0, 1);
	give(&p);
	assert_int_equal(n_got, 0);
	p = segment(1, NG_TCP_ACK | NG_TCP_PSH, 0, 0, 0); /* data with the first ACK */
	give(&p);
	expect(1, NG_CONN_ESTABLISHED, "ShA");
	assert_int_equal(got[0].rtt_us, 20 * MS);
	assert_int_equal(got[0].rtt_src_us, 1 * MS);
	assert_int_equal(got[0].setup_us, 20 * MS);
	give(&p); /* more of them */
	assert_int_equal(n_got, 1);
	finish_test();
}

/* A rule copies the second packet of who was forwarded, and no other ACK. */
static void
test_ack_of_forwarded(void **state)
{
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_FORWARDED);
	syn(1, 100);
	at(20 * MS);
	synack(1, 900, 101);
	assert_int_equal(n_got, 0);
	at(25 * MS);
	p = segment(1, NG_TCP_ACK, 0, 101, 901);
	give(&p);
	expect(1, NG_CONN_ESTABLISHED, "ShA");
	assert_int_equal(got[0].rtt_src_us, 5 * MS);

	/* The router's own: nothing is waited for. */
	p = segment(2, NG_TCP_SYN, 0, 100, 0);
	p.hook = NG_HOOK_OUTPUT;
	give(&p);
	p = segment(2, NG_TCP_SYN | NG_TCP_ACK, 1, 900, 101);
	p.hook = NG_HOOK_INPUT;
	give(&p);
	expect(2, NG_CONN_ANSWERED, "Sh");

	/* Of two SYNs the ACK is the third packet. */
	syn(3, 100);
	at(1025 * MS);
	syn(3, 100);
	synack(3, 900, 101);
	expect(3, NG_CONN_ANSWERED, "SSh");

	/* It was over the limit. */
	syn(4, 100);
	synack(4, 900, 101);
	flow_expire(t, now_us + 3 * S, 100);
	expect(4, NG_CONN_ANSWERED, "Sh");
	finish_test();
}

/* A flow table takes them: soon nobody waits but one in 64, until one comes. */
static void
test_acks_stop(void **state)
{
	unsigned waited = 0, n = 0;
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_FORWARDED);
	for (uint16_t port = 1; port <= ACKS_MISSED + 2 * ACKS_TRIED; port++) {
		syn(port, 100);
		synack(port, 900, 101);
		waited += n_got == n;
		at(now_us + 3 * S);
		flow_expire(t, now_us, 100);
		expect(++n, NG_CONN_ANSWERED, "Sh");
	}
	assert_int_equal(waited, ACKS_MISSED + 2);
	for (uint16_t port = 1000; got[n_got - 1].state != NG_CONN_ESTABLISHED; port++) {
		assert_true(port < 1000 + ACKS_TRIED);
		syn(port, 100);
		synack(port, 900, 101);
		p = segment(port, NG_TCP_ACK, 0, 101, 901);
		give(&p);
	}
	n = n_got;
	syn(2000, 100);
	synack(2000, 900, 101);
	expect(n, NG_CONN_ESTABLISHED, "ShA");
	p = segment(2000, NG_TCP_ACK, 0, 101, 901);
	give(&p);
	expect(n + 1, NG_CONN_ESTABLISHED, "ShA");
	finish_test();
}

/* Who asks from outside sends his ACK or not, as he likes: those from home do not mind. */
static void
test_acks_of_strangers(void **state)
{
	unsigned waited = 0, n;
	struct ng_packet p;

	(void)state;
	start(64, FLOW_ACKS_FORWARDED);
	for (uint16_t port = 1; port <= 2 * ACKS_MISSED; port++) {
		stranger(port, 100);
		synack(port, 900, 101);
	}
	at(3 * S);
	flow_expire(t, now_us, 100);
	expect(2 * ACKS_MISSED, NG_CONN_ANSWERED, "Sh");
	for (uint16_t port = 100; port < 100 + ACKS_MISSED; port++) { /* these are waited for, all in vain */
		syn(port, 100);
		synack(port, 900, 101);
		expect(2 * ACKS_MISSED, NG_CONN_ANSWERED, "Sh");
	}
	at(4 * S);
	stranger(50, 100);
	synack(50, 900, 101);
	at(6 * S);
	flow_expire(t, now_us, 100);
	expect(3 * ACKS_MISSED, NG_CONN_ANSWERED, "Sh");
	p = segment(50, NG_TCP_ACK, 0, 101, 901);
	give(&p);
	n = 3 * ACKS_MISSED + 1;
	expect(n, NG_CONN_ESTABLISHED, "ShA");
	for (uint16_t port = 1000; port < 1000 + ACKS_TRIED; port++) {
		syn(port, 100);
		synack(port, 900, 101);
		waited += n_got == n;
		for (uint16_t k = 0; k < 3; k++) { /* nobody waits for theirs now; they take nobody's turn */
			n = n_got;
			stranger((uint16_t)(2000 + 3 * port + k), 100);
			synack((uint16_t)(2000 + 3 * port + k), 900, 101);
			expect(n + 1, NG_CONN_ANSWERED, "Sh");
		}
		n = n_got;
	}
	assert_int_equal(waited, 1);
	finish_test();
}

static void
test_ack_does_not_come(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_ALL);
	syn(1, 1000);
	at(20 * MS);
	synack(1, 5, 1001);
	assert_int_equal(flow_expire(t, 20 * MS + 3 * S - 1, 256), 20 * MS + 3 * S);
	assert_int_equal(n_got, 0);
	flow_expire(t, 20 * MS + 3 * S, 256);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[0].rtt_us, 20 * MS);
	assert_int_equal(got[0].rtt_src_us, -1);
	finish_test();
}

static void
test_retransmitted_answer(void **state)
{
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_ALL);
	syn(1, 1000);
	at(20 * MS);
	synack(1, 5, 1001);
	at(1020 * MS);
	synack(1, 5, 1001);
	synack(1, 6, 1001); /* another one's: not the same SYN-ACK */
	at(1021 * MS);
	p = segment(1, NG_TCP_ACK, 0, 1001, 6);
	give(&p);
	expect(1, NG_CONN_ESTABLISHED, "ShhA");
	assert_int_equal(got[0].synack_retrans, 1);
	assert_int_equal(got[0].rtt_us, 20 * MS);
	assert_int_equal(got[0].rtt_src_us, -1); /* of which of the two? */
	finish_test();
	/* Without ACKs the second one is only counted. */
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	synack(1, 5, 1001);
	at(S);
	synack(1, 5, 1001);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(flow_stats(t)->late, 1);
	finish_test();
}

static void
test_karn(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	at(1 * S);
	syn(1, 1000);
	at(3 * S);
	syn(1, 1000);
	at(3 * S + 20 * MS);
	synack(1, 5, 1001);
	expect(1, NG_CONN_ANSWERED, "SSSh");
	assert_int_equal(got[0].syn_retrans, 2);
	assert_int_equal(got[0].rtt_us, -1);
	assert_int_equal(got[0].rtt_ambiguous_us, 20 * MS);
	assert_int_equal(got[0].setup_us, 3 * S + 20 * MS);
	assert_int_equal(got[0].ts_us, WALL);
	syn(1, 1000); /* a late one */
	assert_int_equal(flow_stats(t)->late, 1);
	assert_int_equal(flow_stats(t)->tracked, 1);
	assert_int_equal(n_got, 1);
	finish_test();
}

static void
test_timeout(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	at(20 * S);
	syn(1, 1000);
	/* From the first SYN on, whatever came later. */
	assert_int_equal(flow_expire(t, 30 * S - 1, 256), 30 * S);
	assert_int_equal(n_got, 0);
	assert_int_equal(flow_expire(t, 30 * S, 256), 90 * S); /* then it is kept for a minute */
	expect(1, NG_CONN_TIMEOUT, "SS");
	assert_int_equal(got[0].setup_us, -1);
	assert_int_equal(got[0].rtt_us, -1);
	assert_int_equal(got[0].rtt_ambiguous_us, -1);
	assert_int_equal(got[0].flags, NG_CONN_TTL_SRC);
	at(31 * S);
	synack(1, 5, 1001); /* too late */
	assert_int_equal(flow_stats(t)->late, 1);
	assert_int_equal(n_got, 1);
	assert_int_equal(flow_expire(t, 90 * S, 256), INT64_MAX);
	assert_int_equal(flow_stats(t)->tracked, 0);
	finish_test();
}

static void
test_timeouts_come_in_order(void **state)
{
	(void)state;
	start(64, FLOW_ACKS_NONE);
	for (uint16_t i = 0; i < 50; i++) {
		at(i * MS);
		syn((uint16_t)(1000 + i), 1);
	}
	/* A quantum at a time. */
	assert_int_equal(flow_expire(t, 100 * S, 7), 30 * S + 7 * MS);
	assert_int_equal(n_got, 7);
	assert_int_equal(flow_expire(t, 100 * S, 0), 30 * S + 7 * MS);
	assert_int_equal(n_got, 7);
	flow_expire(t, 100 * S, 1000);
	assert_int_equal(n_got, 50);
	for (uint16_t i = 0; i < 50; i++)
		assert_int_equal(got[i].sport, 1000 + i);
	finish_test();
}

static void
test_refused(void **state)
{
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	at(20 * MS);
	p = segment(1, NG_TCP_RST, 1, 0, 1001); /* says nothing of what it answers */
	give(&p);
	p = segment(1, NG_TCP_RST | NG_TCP_ACK, 1, 0, 1000); /* answers something else */
	give(&p);
	assert_int_equal(n_got, 0);
	p = segment(1, NG_TCP_RST | NG_TCP_ACK, 1, 0, 1001);
	give(&p);
	expect(1, NG_CONN_REFUSED, "Sr");
	assert_int_equal(got[0].ttl_dst, 52);
	assert_true(got[0].flags & NG_CONN_TTL_DST);
	assert_int_equal(got[0].rtt_us, -1);
	give(&p);
	assert_int_equal(n_got, 1);
	finish_test();
}

static void
test_aborted(void **state)
{
	(void)state;
	for (uint32_t seq = 998; seq < 1005; seq++) {
		for (int answered = 0; answered < 2; answered++) {
			struct ng_packet p;

			start(16, FLOW_ACKS_ALL);
			syn(1, 1000);
			if (answered)
				synack(1, 5, 1001);
			p = segment(1, NG_TCP_RST, 0, seq, 0);
			give(&p);
			if (seq == 1000 || seq == 1001)
				expect(1, NG_CONN_ABORTED, answered ? "ShR" : "SR");
			else
				assert_int_equal(n_got, 0);
			finish_test();
		}
	}
}

static void
test_answer_to_another_syn(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	synack(1, 5, 1000);
	synack(1, 5, 1002);
	synack(1, 5, 0);
	assert_int_equal(n_got, 0);
	assert_int_equal(flow_stats(t)->live, 1);
	synack(1, 5, 1001);
	expect(1, NG_CONN_ANSWERED, "Sh");
	finish_test();
}

/* RFC 7413, and RFC 9293 without its option: the SYN brings data, what answers acknowledges all or none of it. */
static void
test_syn_with_data(void **state)
{
	struct ng_packet p;

	(void)state;
	for (int early = 0; early < 2; early++) {
		for (int wait = 0; wait < 4; wait++) {
			int tfo = wait & 2;

			start(16, wait & 1 ? FLOW_ACKS_ALL : FLOW_ACKS_NONE);
			p = segment(1, NG_TCP_SYN, 0, 1000, 0);
			p.tcp_opts = tfo ? NG_TCPOPT_TFO : 0;
			p.has |= NG_HAS_DATA;
			if (!early)
				give(&p);
			synack(1, 5, 1001 + 1400);
			if (early)
				give(&p);
			if (early) {
				at(200 * MS);
				flow_expire(t, now_us, 256);
			}
			if (wait & 1) {
				assert_int_equal(n_got, 0);
				p = segment(1, NG_TCP_ACK, 0, 1001 + 1400, 6);
				give(&p);
				expect(1, NG_CONN_ESTABLISHED, "ShA");
			} else {
				expect(1, NG_CONN_ANSWERED, "Sh");
			}
			assert_int_equal(!!(got[0].flags & NG_CONN_TFO), !!tfo);
			finish_test();
		}
	}
	/* Refused with data, and given up. */
	for (int rst = 0; rst < 2; rst++) {
		start(16, FLOW_ACKS_NONE);
		p = segment(1, NG_TCP_SYN, 0, 1000, 0);
		p.has |= NG_HAS_DATA;
		give(&p);
		p = rst ? segment(1, NG_TCP_RST, 0, 2401, 0) : segment(1, NG_TCP_RST | NG_TCP_ACK, 1, 0, 2401);
		give(&p);
		expect(1, rst ? NG_CONN_ABORTED : NG_CONN_REFUSED, rst ? "SR" : "Sr");
		finish_test();
	}
	/* Not without data, though the option asks for a cookie, and not from before the SYN. */
	start(16, FLOW_ACKS_NONE);
	p = segment(1, NG_TCP_SYN, 0, 1000, 0);
	p.tcp_opts = NG_TCPOPT_TFO;
	give(&p);
	synack(1, 5, 2401);
	p = segment(2, NG_TCP_SYN, 0, 1000, 0);
	p.has |= NG_HAS_DATA;
	give(&p);
	synack(2, 5, 1000);
	assert_int_equal(n_got, 0);
	/* It tries again without, and the first one was heard. */
	syn(2, 1000);
	synack(2, 5, 2401);
	expect(1, NG_CONN_ANSWERED, "SSh");
	finish_test();
}

static void
test_port_is_used_again(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000); /* open */
	at(S);
	syn(1, 5000);
	expect(1, NG_CONN_TIMEOUT, "S");
	assert_int_equal(got[0].ts_us, WALL);
	synack(1, 5, 1001); /* answers the first, which is over */
	assert_int_equal(n_got, 1);
	synack(1, 5, 5001);
	expect(2, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[1].ts_us, WALL + S);
	syn(1, 9000); /* done */
	assert_int_equal(flow_stats(t)->late, 0);
	synack(1, 6, 9001);
	expect(3, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(flow_stats(t)->tracked, 1);
	finish_test();
}

/* What was answered must not get lost when its port is used again before the ACK, or while held. */
static void
test_port_is_used_again_while_answered(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_ALL);
	syn(1, 1000);
	synack(1, 5, 1001);
	at(S);
	syn(1, 5000);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[0].ts_us, WALL);
	assert_int_equal(flow_stats(t)->live, 1);
	finish_test();
	start(16, FLOW_ACKS_NONE);
	synack(1, 5, 1001);
	syn(1, 1000);
	at(100 * MS);
	syn(1, 5000);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(flow_stats(t)->live, 1);
	finish_test();
}

/* ---- SYN-ACK first ----------------------------------------------------------------------- */

static void
test_orphan(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	at(7 * MS);
	synack(1, 5, 1001);
	assert_int_equal(flow_stats(t)->live, 1);
	assert_int_equal(flow_expire(t, 7 * MS + S - 1, 256), 7 * MS + S);
	assert_int_equal(n_got, 0);
	flow_expire(t, 7 * MS + S, 256);
	expect(1, NG_CONN_ORPHAN, "h");
	assert_int_equal(got[0].src[0], 10);
	assert_int_equal(got[0].sport, 1);
	assert_int_equal(got[0].ts_us, WALL + 7 * MS);
	assert_int_equal(got[0].iif, 7); /* of the SYN's way */
	assert_int_equal(got[0].oif, 9);
	assert_int_equal(got[0].rtt_us, -1);
	assert_int_equal(got[0].setup_us, -1);
	assert_int_equal(got[0].syn_retrans, 0);
	assert_int_equal(got[0].flags, NG_CONN_TTL_DST);
	at(2 * S);
	synack(1, 5, 1001); /* sent again: no second report */
	assert_int_equal(flow_stats(t)->late, 1);
	assert_int_equal(n_got, 1);
	finish_test();
}

static void
test_early_answer(void **state)
{
	struct ng_packet p, q;

	(void)state;
	start(16, FLOW_ACKS_NONE);
	at(100 * MS);
	q = segment(1, NG_TCP_SYN | NG_TCP_ACK, 1, 5, 1001);
	q.hook = NG_HOOK_OUTPUT;
	q.ts_us = WALL + 20 * MS;
	give(&q);
	p = segment(1, NG_TCP_SYN, 0, 1000, 0);
	p.hook = NG_HOOK_INPUT;
	p.group = 77;
	p.iif = 3;
	p.oif = 0;
	p.ts_us = WALL;
	give(&p);
	assert_int_equal(n_got, 0);
	assert_int_equal(flow_expire(t, 300 * MS - 1, 256), 300 * MS);
	flow_expire(t, 300 * MS, 256);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[0].rtt_us, 20 * MS);
	assert_int_equal(got[0].setup_us, 20 * MS);
	assert_int_equal(got[0].hook, NG_HOOK_INPUT);
	assert_int_equal(got[0].group, 77);
	assert_int_equal(got[0].iif, 3);
	assert_int_equal(got[0].oif, 0);
	finish_test();
}

static void
test_held_retransmits(void **state)
{
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_NONE);
	at(5 * S);
	p = segment(1, NG_TCP_SYN | NG_TCP_ACK, 1, 5, 1001);
	p.ts_us = WALL + 3020 * MS;
	give(&p);
	p.ts_us = WALL + 4020 * MS;
	give(&p); /* SYN-ACK again */
	p = segment(1, NG_TCP_SYN, 0, 1000, 0);
	p.ts_us = WALL;
	give(&p);
	p.ts_us = WALL + 1 * S;
	give(&p);
	p.ts_us = WALL + 3 * S;
	give(&p);
	p.hook = NG_HOOK_OUTPUT; /* the same at another hook */
	give(&p);
	p.hook = NG_HOOK_FORWARD;
	p.ts_us = WALL + 4 * S; /* after the answer: says nothing about how long it took */
	give(&p);
	at(6 * S);
	flow_expire(t, now_us, 256);
	expect(1, NG_CONN_ANSWERED, "SSShh"); /* in the order of time */
	assert_int_equal(got[0].syn_retrans, 2);
	assert_int_equal(got[0].synack_retrans, 1);
	assert_int_equal(got[0].rtt_us, -1);
	assert_int_equal(got[0].rtt_ambiguous_us, 20 * MS);
	assert_int_equal(got[0].setup_us, 3020 * MS);
	finish_test();
}

static void
test_early_answer_of_another_syn(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	synack(1, 5, 1001);
	syn(1, 2000);
	expect(1, NG_CONN_ORPHAN, "h");
	synack(1, 9, 2001);
	expect(2, NG_CONN_ANSWERED, "Sh");
	finish_test();
}

/* Through the output group the router's own SYN-ACK is here first, also of a 5-tuple that was used a
 * moment ago. */
static void
test_early_answer_of_a_port_used_again(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	synack(1, 5, 1001);
	at(S);
	synack(1, 700, 5001);
	assert_int_equal(flow_stats(t)->late, 0);
	syn(1, 5000);
	at(2 * S);
	flow_expire(t, now_us, 256);
	expect(2, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[1].ts_us, WALL + S);
	finish_test();
}

static void
test_held_then_ack(void **state)
{
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_ALL);
	synack(1, 5, 1001);
	syn(1, 1000);
	at(200 * MS);
	assert_int_equal(flow_expire(t, now_us, 256), 3200 * MS);
	assert_int_equal(n_got, 0);
	p = segment(1, NG_TCP_ACK, 0, 1001, 6);
	give(&p);
	expect(1, NG_CONN_ESTABLISHED, "ShA");
	finish_test();
}

/* A stranger sends SYN-ACKs as fast as he likes, then the SYN that they answer. */
static void
test_many_answers(void **state)
{
	(void)state;
	for (unsigned n = 1; n < 600; n += n < 20 ? 1 : 97) {
		start(16, FLOW_ACKS_NONE);
		for (uint16_t port = 2; port < 6; port++)
			syn(port, 1);
		for (unsigned i = 0; i < n; i++)
			synack(1, 5, 1001);
		for (uint16_t port = 6; port < 10; port++)
			syn(port, 1);
		syn(1, 1000); /* give() looks at the whole table */
		flow_finish(t);
		assert_int_equal(n_got, 1);
		assert_int_equal(strlen(got[0].history), n + 1 < HISTORY_MAX ? n + 1 : HISTORY_MAX);
		assert_int_equal(strspn(got[0].history, "S"), 1);
		assert_int_equal(got[0].synack_retrans, n < 255 ? n - 1 : 254);
		finish_test();
	}
}

static void
test_many_syns(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	for (int i = 0; i < 1000; i++)
		syn(1, 1000);
	synack(1, 5, 1001);
	expect(1, NG_CONN_ANSWERED, "SSSSSSSSS");
	assert_int_equal(got[0].syn_retrans, 254); /* and more, it was not counted further */
	finish_test();
}

/* ---- times ------------------------------------------------------------------------------- */

static void
test_two_hooks(void **state)
{
	struct ng_packet p;

	(void)state;
	/* Loopback: output (no kernel timestamp, delivered at once), then input. */
	start(16, FLOW_ACKS_NONE);
	at(10 * MS);
	p = segment(1, NG_TCP_SYN, 0, 1000, 0);
	p.hook = NG_HOOK_OUTPUT;
	p.has &= (uint8_t)~NG_HAS_KERNEL_TS;
	give(&p);
	p = segment(1, NG_TCP_SYN, 0, 1000, 0);
	p.hook = NG_HOOK_INPUT;
	p.ts_us = WALL + 9 * MS;
	give(&p);
	p.ts_us = WALL + 8 * MS; /* the first of them is taken */
	give(&p);
	at(30 * MS);
	synack(1, 5, 1001);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[0].syn_retrans, 0);
	assert_int_equal(got[0].hook, NG_HOOK_OUTPUT);
	assert_int_equal(got[0].ts_us, WALL + 9 * MS);
	assert_int_equal(got[0].rtt_us, 21 * MS);
	finish_test();
	/* A later time at the second hook is not that of the sending. */
	start(16, FLOW_ACKS_NONE);
	p = segment(1, NG_TCP_SYN, 0, 1000, 0);
	p.hook = NG_HOOK_OUTPUT;
	p.has &= (uint8_t)~NG_HAS_KERNEL_TS;
	give(&p);
	p = segment(1, NG_TCP_SYN, 0, 1000, 0);
	p.hook = NG_HOOK_INPUT;
	p.ts_us = WALL + 1;
	give(&p);
	at(30 * MS);
	synack(1, 5, 1001);
	assert_int_equal(got[0].ts_us, WALL);
	finish_test();
}

static void
test_clock_step(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	flow_clock_step(t);
	synack(1, 5, 1001);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[0].rtt_us, -1);
	assert_int_equal(got[0].setup_us, -1);
	assert_int_equal(flow_stats(t)->clock_steps, 1);
	syn(2, 1000);
	at(S);
	synack(2, 5, 1001);
	assert_int_equal(got[1].rtt_us, S);
	finish_test();
}

static void
test_times_that_cannot_be(void **state)
{
	static const struct {
		int64_t answer_us, rtt_us;
	} cases[] = { { -1, -1 }, { 0, 0 }, { UINT32_MAX, UINT32_MAX }, { UINT32_MAX + 1LL, -1 } };
	struct ng_packet p;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		start(16, FLOW_ACKS_NONE);
		syn(1, 1000);
		p = segment(1, NG_TCP_SYN | NG_TCP_ACK, 1, 5, 1001);
		p.ts_us = WALL + cases[i].answer_us;
		give(&p);
		assert_int_equal(n_got, 1);
		assert_int_equal(got[0].rtt_us, cases[i].rtt_us);
		assert_int_equal(got[0].setup_us, cases[i].rtt_us);
		finish_test();
	}
}

static void
test_loss(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	flow_set_loss(t, 7);
	syn(1, 1000);
	synack(1, 5, 1001);
	assert_int_equal(got[0].flags & NG_CONN_LOSS, 0);
	syn(2, 1000);
	flow_set_loss(t, 8);
	synack(2, 5, 1001);
	assert_int_equal(got[1].flags & NG_CONN_LOSS, NG_CONN_LOSS);
	syn(3, 1000);
	flow_set_loss(t, 8); /* no more than before */
	synack(3, 5, 1001);
	assert_int_equal(got[2].flags & NG_CONN_LOSS, 0);
	finish_test();
}

static void
test_finish(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_ALL);
	syn(1, 1000); /* open */
	syn(2, 1000);
	synack(2, 5, 1001); /* waits for its ACK */
	synack(3, 5, 1001); /* early */
	synack(4, 5, 1001);
	syn(4, 1000); /* held */
	flow_finish(t);
	assert_int_equal(n_got, 2);
	assert_int_equal(got[0].sport, 2);
	assert_int_equal(got[1].sport, 4);
	assert_int_equal(got[0].state, NG_CONN_ANSWERED);
	assert_int_equal(got[1].state, NG_CONN_ANSWERED);
	assert_int_equal(flow_stats(t)->live, 2);
	finish_test();
}

/* ---- a successor -------------------------------------------------------------------------- */

/* A new table goes on where t ends; with no file of it, where it crashed. */
static void
succeed(uint32_t slots, int crashed, int64_t wall_steps_us)
{
	int fd = memfd_create("flows", MFD_CLOEXEC);
	struct flow_table *old = t;

	assert_true(fd >= 0);
	if (!crashed) {
		flow_finish(t);
		assert_int_equal(flow_hand_over(t, fd, WALL), 0);
	}
	t = flow_new(&(struct flow_conf){ .slots = slots, .syn_timeout_us = 30 * S, .key = "another" }, on_conn, NULL);
	assert_non_null(t);
	flow_take_over(t, fd, WALL + wall_steps_us, now_us);
	assert_int_equal(close(fd), 0);
	flow_check(t, 0);
	flow_free(old);
}

static void
test_successor(void **state)
{
	(void)state;
	start(64, FLOW_ACKS_NONE);
	flow_set_loss(t, 70000);
	syn(1, 1000);
	stranger(2, 1000);
	syn(3, 1000);
	flow_set_loss(t, 70001);
	syn(4, 1000);
	synack(4, 5, 1001);
	at(400 * MS);
	synack(5, 5, 1001);
	succeed(64, 0, FLOW_CLOCK_STEP_US);
	assert_int_equal(flow_stats(t)->live, 4);
	flow_set_loss(t, 70001);
	at(S);
	syn(1, 1000);
	at(2 * S);
	synack(1, 5, 1001);
	expect(2, NG_CONN_ANSWERED, "SSh");
	assert_int_equal(got[1].setup_us, 2 * S);
	assert_int_equal(got[1].rtt_ambiguous_us, S);
	assert_int_equal(got[1].rtt_us, -1);
	synack(2, 5, 1001);
	expect(3, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[2].rtt_us, 2 * S);
	assert_true(got[2].flags & NG_CONN_LOSS); /* as the old one knew */
	synack(4, 5, 1001); /* was reported */
	assert_int_equal(flow_stats(t)->late, 1);
	flow_expire(t, now_us, 100);
	expect(4, NG_CONN_ORPHAN, "h"); /* a second of the new one's */
	assert_int_equal(got[3].sport, 5);
	at(30 * S);
	flow_expire(t, now_us, 100);
	expect(5, NG_CONN_TIMEOUT, "S");
	assert_int_equal(got[4].sport, 3);
	finish_test();
	/* A clock that jumped before or meanwhile, and a smaller table: those from home stay. */
	for (int64_t step_us = -1; step_us <= FLOW_CLOCK_STEP_US + 1; step_us += FLOW_CLOCK_STEP_US + 2) {
		start(64, FLOW_ACKS_NONE);
		for (uint16_t port = 1; port <= 8; port++)
			syn(port, 1000);
		for (uint16_t port = 9; port <= 40; port++)
			stranger(port, 1000);
		if (step_us <= 0)
			flow_clock_step(t);
		syn(50, 1000);
		succeed(16, 0, step_us);
		assert_int_equal(flow_stats(t)->tracked, 16);
		for (uint16_t port = 1; port <= 8; port++)
			synack(port, 5, 1001);
		synack(50, 5, 1001);
		assert_int_equal(n_got, 9);
		assert_int_equal(got[0].rtt_us, -1);
		assert_int_equal(got[8].rtt_us, step_us <= 0 ? 0 : -1);
		finish_test();
	}
}

static void
test_successor_of_a_crash(void **state)
{
	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	at(S);
	succeed(16, 1, 0);
	syn(1, 1000); /* again, or the first: who knows */
	synack(2, 5, 1001);
	at(S + 20 * MS);
	synack(1, 5, 1001);
	expect(1, NG_CONN_ANSWERED, "Sh");
	assert_int_equal(got[0].rtt_us, -1);
	assert_int_equal(got[0].rtt_ambiguous_us, 20 * MS);
	assert_true(got[0].flags & NG_CONN_LOSS);
	at(4 * S);
	flow_expire(t, now_us, 100);
	assert_int_equal(n_got, 1);
	assert_int_equal(flow_stats(t)->late, 1);
	syn(3, 1000);
	at(4 * S + 20 * MS);
	synack(3, 5, 1001);
	assert_int_equal(got[1].rtt_us, 20 * MS);
	assert_int_equal(got[1].flags & NG_CONN_LOSS, 0);
	synack(4, 5, 1001);
	at(6 * S);
	flow_expire(t, now_us, 100);
	expect(3, NG_CONN_ORPHAN, "h");
	finish_test();
}

/* ---- eviction ---------------------------------------------------------------------------- */

static void
test_eviction_order(void **state)
{
	struct ng_packet p;
	uint64_t evicted = 0;

	(void)state;
	/* The kinds in the reverse of the order in which they have to go. */
	start(16, FLOW_ACKS_ALL);
	syn(100, 1); /* open, from home */
	syn(101, 1);
	synack(102, 5, 2); /* held */
	syn(102, 1);
	synack(103, 5, 2);
	syn(103, 1);
	syn(104, 1); /* waiting for the ACK */
	synack(104, 5, 2);
	syn(105, 1);
	synack(105, 5, 2);
	synack(106, 5, 2); /* early */
	synack(107, 5, 2);
	for (uint16_t port = 108; port < 114; port++) { /* open, from elsewhere */
		p = segment(port, NG_TCP_SYN, 0, 1, 0);
		flow_packet(t, &p, 0, now_us);
	}
	for (uint16_t port = 114; port < 116; port++) { /* done: an eighth of the slots at most */
		syn(port, 1);
		synack(port, 5, 2);
		p = segment(port, NG_TCP_ACK, 0, 2, 6);
		give(&p);
	}
	assert_int_equal(n_got, 2);
	assert_int_equal(flow_stats(t)->tracked, 16);
	/* Each new one takes the place of the first of the lowest kind. */
	for (int i = 0; i < 16; i++) {
		/* port that goes, and whether it is counted (1) or reported (2) */
		static const uint16_t gone[16][2] = {
			{ 114, 0 }, { 115, 0 }, { 108, 1 }, { 109, 1 }, { 110, 1 }, { 111, 1 },
			{ 112, 1 }, { 113, 1 }, { 106, 1 }, { 107, 1 }, { 104, 2 }, { 105, 2 },
			{ 102, 2 }, { 103, 2 }, { 100, 1 }, { 101, 1 },
		};
		unsigned before = n_got;
		struct flow key;

		syn((uint16_t)(200 + i), 1);
		p = segment(gone[i][0], NG_TCP_SYN, 0, 1, 0);
		make_key(&key, &p, 0);
		assert_int_equal(find(t, &key, key_hash(t, &key)), NONE);
		evicted += gone[i][1] == 1;
		assert_int_equal(flow_stats(t)->evicted, evicted);
		assert_int_equal(n_got - before, gone[i][1] == 2);
		if (gone[i][1] == 2) {
			expect(before + 1, NG_CONN_ANSWERED, "Sh");
			assert_int_equal(got[before].sport, gone[i][0]);
		}
		assert_int_equal(flow_stats(t)->tracked, 16);
	}
	assert_int_equal(flow_stats(t)->live, 16);
	finish_test();
}

/* Reported ones are kept, but not so many that the table walks through the cache. */
static void
test_done_are_few(void **state)
{
	(void)state;
	start(256, FLOW_ACKS_NONE);
	for (uint16_t port = 1; port <= 200; port++) {
		syn(port, 1);
		synack(port, 5, 2);
	}
	assert_int_equal(n_got, 200);
	assert_int_equal(flow_stats(t)->tracked, 32);
	syn(169, 1); /* the oldest that is still there */
	assert_int_equal(flow_stats(t)->late, 1);
	syn(168, 1);
	assert_int_equal(flow_stats(t)->live, 1);
	finish_test();
}

/* A flood from outside does not push out what was sent from home. */
static void
test_flood(void **state)
{
	(void)state;
	start(256, FLOW_ACKS_NONE);
	for (uint16_t port = 1; port <= 100; port++)
		syn(port, 1);
	for (uint32_t i = 0; i < 100000; i++) {
		struct ng_packet p = segment((uint16_t)(i % 60000 + 1000), NG_TCP_SYN, 0, i, 0);

		memcpy(p.saddr, &i, 4);
		flow_packet(t, &p, 0, now_us);
	}
	flow_check(t, 0);
	assert_int_equal(flow_stats(t)->tracked, 256);
	assert_int_equal(flow_stats(t)->evicted, 100000 - 156);
	for (uint16_t port = 1; port <= 100; port++)
		synack(port, 5, 2);
	assert_int_equal(n_got, 100);
	finish_test();
}

/* ---- the rest ---------------------------------------------------------------------------- */

static void
test_not_ours(void **state)
{
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_ALL);
	for (unsigned flags = 0; flags < 256; flags++) {
		unsigned kind = flags & (NG_TCP_FIN | NG_TCP_SYN | NG_TCP_RST | NG_TCP_ACK);

		p = segment(1, (uint8_t)flags, 0, 1, 1);
		if (kind == NG_TCP_SYN || kind == (NG_TCP_SYN | NG_TCP_ACK))
			p.has &= (uint8_t)~NG_HAS_TCP; /* cut before its flags */
		give(&p);
		assert_int_equal(flow_stats(t)->tracked, 0);
	}
	finish_test();
}

static void
test_families_are_apart(void **state)
{
	struct ng_packet p;

	(void)state;
	start(16, FLOW_ACKS_NONE);
	syn(1, 1000);
	p = segment(1, NG_TCP_SYN | NG_TCP_ACK, 1, 5, 1001);
	p.ipv = 6;
	give(&p);
	assert_int_equal(n_got, 0);
	assert_int_equal(flow_stats(t)->tracked, 2);
	finish_test();
}

static void
test_free_of_nothing(void **state)
{
	(void)state;
	flow_free(NULL);
}

static void
test_random(void **state)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2654435761U + (uint64_t)getpid();
	static struct drive d;
	uint64_t by_state[NG_CONN_ORPHAN + 1] = { 0 }, evicted = 0, late = 0;
	uint64_t x = seed | 1;

	(void)state;
	print_message("SEED=%llu\n", (unsigned long long)seed);
	for (int round = 0; round < 12; round++) {
		drive_start(&d, round & 2 ? 64 : 16, (enum flow_acks)(round % 3));
		for (int i = 0; i < 10000; i++) {
			uint8_t b[DRIVE_OP];

			/* xorshift64*; the upper bits are the good ones. */
			x ^= x >> 12;
			x ^= x << 25;
			x ^= x >> 27;
			for (int k = 0; k < DRIVE_OP; k++)
				b[k] = (uint8_t)((x * 0x2545f4914f6cdd1dULL) >> (8 * k));
			b[4] = b[4] < 250 ? b[4] % 10 : b[4]; /* time goes slowly, mostly */
			if (round & 4) { /* few 5-tuples, few numbers: more of them meet */
				b[1] = b[0] % 16 < 13 ? b[1] % 12 : b[1];
				b[2] &= 0x15;
			}
			drive_op(&d, b);
			if (i % 1000 == 0)
				flow_check(d.t, 0);
		}
		for (int k = 0; k <= NG_CONN_ORPHAN; k++)
			by_state[k] += d.by_state[k];
		evicted += d.m.stats.evicted;
		late += d.m.stats.late;
		drive_end(&d);
	}
	/* It went everywhere. */
	for (int k = 0; k <= NG_CONN_ORPHAN; k++) {
		if (k != NG_CONN_UNREACHABLE)
			assert_true(by_state[k] > 20);
	}
	assert_true(evicted > 100 && late > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answered),
		cmocka_unit_test(test_ecn_needs_both),
		cmocka_unit_test(test_established),
		cmocka_unit_test(test_ack_of_forwarded),
		cmocka_unit_test(test_acks_stop),
		cmocka_unit_test(test_acks_of_strangers),
		cmocka_unit_test(test_ack_does_not_come),
		cmocka_unit_test(test_retransmitted_answer),
		cmocka_unit_test(test_karn),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_timeouts_come_in_order),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_aborted),
		cmocka_unit_test(test_answer_to_another_syn),
		cmocka_unit_test(test_syn_with_data),
		cmocka_unit_test(test_port_is_used_again),
		cmocka_unit_test(test_port_is_used_again_while_answered),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_early_answer),
		cmocka_unit_test(test_held_retransmits),
		cmocka_unit_test(test_early_answer_of_another_syn),
		cmocka_unit_test(test_early_answer_of_a_port_used_again),
		cmocka_unit_test(test_held_then_ack),
		cmocka_unit_test(test_many_answers),
		cmocka_unit_test(test_many_syns),
		cmocka_unit_test(test_two_hooks),
		cmocka_unit_test(test_clock_step),
		cmocka_unit_test(test_times_that_cannot_be),
		cmocka_unit_test(test_loss),
		cmocka_unit_test(test_finish),
		cmocka_unit_test(test_successor),
		cmocka_unit_test(test_successor_of_a_crash),
		cmocka_unit_test(test_eviction_order),
		cmocka_unit_test(test_done_are_few),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_families_are_apart),
		cmocka_unit_test(test_free_of_nothing),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
