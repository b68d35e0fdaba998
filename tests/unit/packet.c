/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The decoder: every field, every cut, every lie in a length.  All packets end at an unreadable page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../src/analyzer/packet.c"
#include "guard.h"
#include "packet_rules.h"

/* A packet under construction. */
struct pkt {
	uint8_t b[4096];
	size_t n;
};

static void
put(struct pkt *p, const void *bytes, size_t n)
{
	assert_true(p->n + n <= sizeof p->b);
	if (n)
		memcpy(p->b + p->n, bytes, n);
	p->n += n;
}

static void
put8(struct pkt *p, unsigned v)
{
	uint8_t b = (uint8_t)v;

	put(p, &b, 1);
}

static void
put16(struct pkt *p, unsigned v)
{
	put8(p, v >> 8);
	put8(p, v);
}

static void
put32(struct pkt *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p, v & 0xffff);
}

static void
put_zero(struct pkt *p, size_t n)
{
	while (n--)
		put8(p, 0);
}

static void
set16(struct pkt *p, size_t at, unsigned v)
{
	p->b[at] = (uint8_t)(v >> 8);
	p->b[at + 1] = (uint8_t)v;
}

/* Decodes at the guard page, twice over different garbage: the same bytes must come out. */
static struct ng_packet
decode(const void *bytes, size_t len)
{
	const uint8_t *p = guard_copy(bytes, len);
	struct ng_packet a, b;
	const char *broken;

	memset(&a, 0x55, sizeof a);
	memset(&b, 0xaa, sizeof b);
	packet_decode(&a, p, len);
	packet_decode(&b, p, len);
	assert_memory_equal(&a, &b, sizeof a);
	broken = packet_rules(&a, len);
	if (broken)
		fail_msg("%s (status %d, has 0x%x, proto %d, %zu bytes)", broken, a.status, a.has, a.proto, len);
	return a;
}

static struct ng_packet
decode_pkt(const struct pkt *p)
{
	return decode(p->b, p->n);
}

static void
ipv4(struct pkt *p, unsigned proto)
{
	p->n = 0;
	put8(p, 0x45);
	put8(p, 0xb8 | 2); /* EF, ECT(0) */
	put16(p, 0); /* ipv4_end() */
	put16(p, 0x1234);
	put16(p, 0x4000); /* do not fragment */
	put8(p, 57);
	put8(p, proto);
	put16(p, 0xbeef);
	put32(p, 0xc0000201); /* 192.0.2.1 */
	put32(p, 0xc6336407); /* 198.51.100.7 */
}

static void
ipv4_end(struct pkt *p)
{
	set16(p, 2, (unsigned)p->n);
}

static void
ipv6(struct pkt *p, unsigned next)
{
	static const uint8_t src[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	static const uint8_t dst[16] = { 0x20, 1, 0xd, 0xb8, 0, 1, [14] = 0xab, 0xcd };

	p->n = 0;
	put32(p, 0x6b812345); /* class 0xb8, flow label 0x12345 */
	put16(p, 0); /* ipv6_end() */
	put8(p, next);
	put8(p, 61);
	put(p, src, 16);
	put(p, dst, 16);
}

static void
ipv6_end(struct pkt *p)
{
	set16(p, 4, (unsigned)p->n - 40);
}

static void
tcp(struct pkt *p, unsigned flags, const void *options, size_t n)
{
	assert_int_equal(n % 4, 0);
	put16(p, 51234);
	put16(p, 443);
	put32(p, 0x01020304);
	put32(p, 0xfffefdfc);
	put8(p, (20 + (unsigned)n) / 4 << 4);
	put8(p, flags);
	put16(p, 64240);
	put16(p, 0xcafe); /* checksum */
	put16(p, 0); /* urgent pointer */
	put(p, options, n);
}

/* An IPv4 SYN with these options, padded by END to whole words. */
static struct ng_packet
with_options(const void *options, size_t n)
{
	uint8_t padded[40] = { 0 };
	struct pkt p;

	assert_true(n <= sizeof padded);
	memcpy(padded, options, n);
	ipv4(&p, IPPROTO_TCP);
	tcp(&p, NG_TCP_SYN, padded, (n + 3) / 4 * 4);
	ipv4_end(&p);
	return decode_pkt(&p);
}

/* What a Linux client sends. */
static const uint8_t syn_options[] = { 2, 4, 0x05, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7 };

static void
check_tcp_fields(const struct ng_packet *q)
{
	assert_int_equal(q->status, NG_PACKET_OK);
	assert_int_equal(q->has, NG_HAS_IP | NG_HAS_PORTS | NG_HAS_TCP);
	assert_int_equal(q->proto, IPPROTO_TCP);
	assert_int_equal(q->sport, 51234);
	assert_int_equal(q->dport, 443);
	assert_int_equal(q->tcp_seq, 0x01020304);
	assert_int_equal(q->tcp_ack, 0xfffefdfc);
	assert_int_equal(q->tcp_window, 64240);
	assert_int_equal(q->tcp_flags, NG_TCP_SYN | NG_TCP_ECE | NG_TCP_CWR);
	assert_int_equal(q->mss, 1460);
	assert_int_equal(q->wscale, 7);
	assert_int_equal(q->tcp_opts, NG_TCPOPT_MSS | NG_TCPOPT_SACK_OK | NG_TCPOPT_TIMESTAMP | NG_TCPOPT_WSCALE);
	assert_int_equal(q->tos, 0xb8 | (q->ipv == 4 ? 2 : 0));
}

static void
test_ipv4_fields(void **state)
{
	static const uint8_t src[16] = { 192, 0, 2, 1 }, dst[16] = { 198, 51, 100, 7 };
	struct ng_packet q;
	struct pkt p;

	(void)state;
	ipv4(&p, IPPROTO_TCP);
	tcp(&p, NG_TCP_SYN | NG_TCP_ECE | NG_TCP_CWR, syn_options, sizeof syn_options);
	ipv4_end(&p);
	q = decode_pkt(&p);
	check_tcp_fields(&q);
	assert_int_equal(q.ipv, 4);
	assert_memory_equal(q.saddr, src, 16);
	assert_memory_equal(q.daddr, dst, 16);
	assert_int_equal(q.ttl, 57);
	assert_int_equal(q.ip_len, 60);
	assert_int_equal(q.cap_len, 60);
}

static void
test_ipv6_fields(void **state)
{
	static const uint8_t src[16] = { 0x20, 1, 0xd, 0xb8, [15] = 1 };
	static const uint8_t dst[16] = { 0x20, 1, 0xd, 0xb8, 0, 1, [14] = 0xab, 0xcd };
	struct ng_packet q;
	struct pkt p;

	(void)state;
	ipv6(&p, IPPROTO_TCP);
	tcp(&p, NG_TCP_SYN | NG_TCP_ECE | NG_TCP_CWR, syn_options, sizeof syn_options);
	ipv6_end(&p);
	q = decode_pkt(&p);
	check_tcp_fields(&q);
	assert_int_equal(q.ipv, 6);
	assert_memory_equal(q.saddr, src, 16);
	assert_memory_equal(q.daddr, dst, 16);
	assert_int_equal(q.ttl, 61);
	assert_int_equal(q.ip_len, 80);
	assert_int_equal(q.cap_len, 80);
}

static void
test_each_tcp_flag(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	for (unsigned flags = 0; flags < 256; flags++) {
		ipv4(&p, IPPROTO_TCP);
		tcp(&p, flags, NULL, 0);
		ipv4_end(&p);
		q = decode_pkt(&p);
		assert_int_equal(q.status, NG_PACKET_OK);
		assert_int_equal(q.tcp_flags, flags);
		assert_int_equal(q.tcp_opts, 0);
	}
}

static void
test_ipv4_options(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	for (unsigned ihl = 0; ihl < 16; ihl++) {
		ipv4(&p, IPPROTO_TCP);
		p.b[0] = (uint8_t)(0x40 | ihl);
		if (ihl > 5)
			put_zero(&p, (ihl - 5) * 4);
		tcp(&p, NG_TCP_SYN, syn_options, sizeof syn_options);
		ipv4_end(&p);
		q = decode_pkt(&p);
		assert_int_equal(q.status, ihl < 5 ? NG_PACKET_MALFORMED : NG_PACKET_OK);
		assert_int_equal(q.has, ihl < 5 ? NG_HAS_IP : NG_HAS_IP | NG_HAS_PORTS | NG_HAS_TCP);
		assert_int_equal(q.dport, ihl < 5 ? 0 : 443);
	}
}

static void
test_data(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		ipv4(&p, IPPROTO_TCP);
		tcp(&p, NG_TCP_SYN, syn_options, sizeof syn_options);
		put_zero(&p, n);
		ipv4_end(&p);
		put_zero(&p, 6); /* what fills a short frame is none */
		for (unsigned cut = 0; cut <= 6 + n; cut++) { /* also where none of it was copied */
			q = decode(p.b, p.n - cut);
			assert_int_equal(q.status, NG_PACKET_OK);
			assert_int_equal(!!(q.has & NG_HAS_DATA), n > 0);
		}
		q = decode(p.b, p.n - 6 - n - 1); /* an option is cut: who knows */
		assert_int_equal(q.status, NG_PACKET_TRUNCATED);
		assert_int_equal(q.has & NG_HAS_DATA, 0);
	}
}

/* ---- TCP options ------------------------------------------------------------------------ */

static void
test_options_one_by_one(void **state)
{
	static const struct {
		uint8_t bytes[24];
		uint8_t n, opts;
		uint16_t mss;
		uint8_t wscale;
	} cases[] = {
		{ { 2, 4, 0x12, 0x34 }, 4, NG_TCPOPT_MSS, 0x1234, 0 },
		{ { 2, 4, 0, 0 }, 4, NG_TCPOPT_MSS, 0, 0 },
		{ { 3, 3, 0 }, 3, NG_TCPOPT_WSCALE, 0, 0 },
		{ { 3, 3, 14 }, 3, NG_TCPOPT_WSCALE, 0, 14 },
		{ { 3, 3, 15 }, 3, NG_TCPOPT_WSCALE, 0, 14 }, /* RFC 7323: use 14 */
		{ { 3, 3, 255 }, 3, NG_TCPOPT_WSCALE, 0, 14 },
		{ { 4, 2 }, 2, NG_TCPOPT_SACK_OK, 0, 0 },
		{ { 5, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, 10, NG_TCPOPT_SACK, 0, 0 },
		{ { 5, 18 }, 18, NG_TCPOPT_SACK, 0, 0 },
		{ { 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, 10, NG_TCPOPT_TIMESTAMP, 0, 0 },
		{ { 30, 12, 0, 1 }, 12, NG_TCPOPT_MPTCP, 0, 0 },
		{ { 34, 2 }, 2, NG_TCPOPT_TFO, 0, 0 }, /* asks for a cookie */
		{ { 34, 10, 1, 2, 3, 4, 5, 6, 7, 8 }, 10, NG_TCPOPT_TFO, 0, 0 },
		{ { 254, 4, 0xf9, 0x89 }, 4, NG_TCPOPT_TFO, 0, 0 }, /* the experimental form */
		{ { 254, 12, 0xf9, 0x89 }, 12, NG_TCPOPT_TFO, 0, 0 },
		{ { 254, 4, 0xe2, 0xd4 }, 4, NG_TCPOPT_OTHER, 0, 0 }, /* another experiment */
		{ { 254, 3, 0xf9 }, 3, NG_TCPOPT_OTHER, 0, 0 }, /* too short to say which */
		{ { 254, 2 }, 2, NG_TCPOPT_OTHER, 0, 0 },
		{ { 253, 4, 0xf9, 0x89 }, 4, NG_TCPOPT_OTHER, 0, 0 },
		{ { 19, 18 }, 18, NG_TCPOPT_OTHER, 0, 0 }, /* MD5 */
		{ { 77, 2 }, 2, NG_TCPOPT_OTHER, 0, 0 },
		/* Known kinds with a length that is not theirs say nothing. */
		{ { 2, 3, 1 }, 3, NG_TCPOPT_OTHER, 0, 0 },
		{ { 2, 6, 5, 180, 0, 0 }, 6, NG_TCPOPT_OTHER, 0, 0 },
		{ { 2, 2 }, 2, NG_TCPOPT_OTHER, 0, 0 },
		{ { 3, 2 }, 2, NG_TCPOPT_OTHER, 0, 0 },
		{ { 3, 4, 7, 0 }, 4, NG_TCPOPT_OTHER, 0, 0 },
		{ { 4, 3, 0 }, 3, NG_TCPOPT_OTHER, 0, 0 },
		{ { 8, 9 }, 9, NG_TCPOPT_OTHER, 0, 0 },
		/* Nothing behind END counts, anything behind NOP does. */
		{ { 0, 2, 4, 5, 180 }, 5, 0, 0, 0 },
		{ { 1, 1, 1, 2, 4, 5, 180 }, 7, NG_TCPOPT_MSS, 1460, 0 },
		{ { 1, 1, 1, 1 }, 4, 0, 0, 0 },
		{ { 0 }, 4, 0, 0, 0 },
		/* The last of two is what a receiver goes by. */
		{ { 2, 4, 0, 1, 2, 4, 0, 2 }, 8, NG_TCPOPT_MSS, 2, 0 },
		{ { 4, 2, 77, 2, 3, 3, 9 }, 7, NG_TCPOPT_SACK_OK | NG_TCPOPT_OTHER | NG_TCPOPT_WSCALE, 0, 9 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ng_packet q = with_options(cases[i].bytes, cases[i].n);

		if (q.status != NG_PACKET_OK || q.tcp_opts != cases[i].opts || q.mss != cases[i].mss ||
		    q.wscale != cases[i].wscale)
			fail_msg("case %zu: status %d, opts 0x%02x, mss %d, wscale %d", i, q.status, q.tcp_opts,
				 q.mss, q.wscale);
	}
}

static void
test_option_lengths_that_lie(void **state)
{
	struct ng_packet q;

	(void)state;
	for (unsigned kind = 2; kind < 256; kind++) {
		for (unsigned len = 0; len < 256; len++) {
			uint8_t o[40] = { 4, 2, (uint8_t)kind, (uint8_t)len };

			q = with_options(o, sizeof o);
			assert_int_equal(q.status, len < 2 || len > 38 ? NG_PACKET_MALFORMED : NG_PACKET_OK);
			/* What came before is known in any case, and the header is. */
			assert_true(q.tcp_opts & NG_TCPOPT_SACK_OK);
			assert_true(q.has & NG_HAS_TCP);
		}
	}
}

static void
test_option_without_its_length(void **state)
{
	static const uint8_t o[] = { 1, 1, 1, 2 };
	struct ng_packet q;

	(void)state;
	/* The header ends behind the kind: nobody but the sender can be blamed. */
	q = with_options(o, sizeof o);
	assert_int_equal(q.status, NG_PACKET_MALFORMED);
	assert_true(q.has & NG_HAS_TCP);
}

static void
test_data_offset(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	for (unsigned words = 0; words < 16; words++) {
		for (unsigned room = 0; room <= 44; room++) {
			ipv4(&p, IPPROTO_TCP);
			tcp(&p, NG_TCP_SYN, NULL, 0);
			p.b[32] = (uint8_t)(words << 4);
			put_zero(&p, room);
			ipv4_end(&p);
			q = decode_pkt(&p);
			assert_int_equal(q.status, words < 5 || words * 4 > 20 + room ? NG_PACKET_MALFORMED
										     : NG_PACKET_OK);
			assert_true(q.has & NG_HAS_TCP);
			/* The same, but the packet says that it is longer than what was copied. */
			set16(&p, 2, 1500);
			q = decode_pkt(&p);
			assert_int_equal(q.status, words < 5			 ? NG_PACKET_MALFORMED
						   : words * 4 > 20 + room ? NG_PACKET_TRUNCATED
									   : NG_PACKET_OK);
		}
	}
}

/* ---- truncated, malformed, unsupported ---------------------------------------------------- */

/* Packets whose headers end at `need`; the IP header says where the packet ends. */
struct full {
	const char *name;
	struct pkt p;
	size_t need;
	int verdict; /* of the whole */
};

static size_t
make_full(struct full *f)
{
	static const uint8_t tfo[] = { 1, 1, 254, 10, 0xf9, 0x89, 1, 2, 3, 4, 5, 6 };
	size_t n = 0;
	struct pkt *p;

#define FULL(text, status) (f[n].name = text, f[n].verdict = status, p = &f[n].p)
	FULL("TCP over IPv4", NG_PACKET_OK);
	ipv4(p, IPPROTO_TCP);
	tcp(p, NG_TCP_SYN, syn_options, sizeof syn_options);
	f[n++].need = p->n;
	FULL("TCP without options, IPv4 with 40 bytes of them", NG_PACKET_OK);
	ipv4(p, IPPROTO_TCP);
	p->b[0] = 0x4f;
	put_zero(p, 40);
	tcp(p, NG_TCP_ACK, NULL, 0);
	f[n++].need = p->n;
	FULL("TCP with TFO", NG_PACKET_OK);
	ipv4(p, IPPROTO_TCP);
	tcp(p, NG_TCP_SYN, tfo, sizeof tfo);
	f[n++].need = p->n;
	FULL("UDP over IPv4", NG_PACKET_OK);
	ipv4(p, IPPROTO_UDP);
	put_zero(p, 8);
	f[n++].need = p->n;
	FULL("UDP-Lite", NG_PACKET_OK);
	ipv4(p, 136);
	put_zero(p, 8);
	f[n++].need = p->n;
	FULL("SCTP", NG_PACKET_OK);
	ipv4(p, IPPROTO_SCTP);
	put_zero(p, 12);
	f[n++].need = p->n;
	FULL("ICMP", NG_PACKET_OK);
	ipv4(p, IPPROTO_ICMP);
	put_zero(p, 4);
	f[n++].need = p->n;
	FULL("first fragment", NG_PACKET_OK);
	ipv4(p, IPPROTO_TCP);
	set16(p, 6, 0x2000);
	tcp(p, NG_TCP_SYN, syn_options, sizeof syn_options);
	f[n++].need = p->n;
	FULL("later fragment", NG_PACKET_UNSUPPORTED);
	ipv4(p, IPPROTO_TCP);
	set16(p, 6, 0x2001);
	f[n++].need = p->n;
	FULL("GRE", NG_PACKET_UNSUPPORTED);
	ipv4(p, IPPROTO_GRE);
	f[n++].need = p->n;
	FULL("TCP over IPv6", NG_PACKET_OK);
	ipv6(p, IPPROTO_TCP);
	tcp(p, NG_TCP_SYN, syn_options, sizeof syn_options);
	f[n++].need = p->n;
	FULL("ICMPv6", NG_PACKET_OK);
	ipv6(p, IPPROTO_ICMPV6);
	put_zero(p, 4);
	f[n++].need = p->n;
	FULL("IPv6, hop-by-hop, routing, destination options, AH, fragment, TCP", NG_PACKET_OK);
	ipv6(p, IPPROTO_HOPOPTS);
	put(p, (uint8_t[8]){ IPPROTO_ROUTING, 0 }, 8);
	put(p, (uint8_t[16]){ IPPROTO_DSTOPTS, 1 }, 16);
	put(p, (uint8_t[8]){ IPPROTO_AH, 0 }, 8);
	put(p, (uint8_t[24]){ IPPROTO_FRAGMENT, 4 }, 24);
	put(p, (uint8_t[8]){ IPPROTO_TCP, 0, 0, 1 }, 8);
	tcp(p, NG_TCP_SYN, syn_options, sizeof syn_options);
	f[n++].need = p->n;
	FULL("IPv6, later fragment", NG_PACKET_UNSUPPORTED);
	ipv6(p, IPPROTO_FRAGMENT);
	put(p, (uint8_t[8]){ IPPROTO_TCP, 0, 0, 8 }, 8);
	f[n++].need = p->n;
	FULL("IPv6, no next header", NG_PACKET_UNSUPPORTED);
	ipv6(p, IPPROTO_HOPOPTS);
	put(p, (uint8_t[8]){ IPPROTO_NONE, 0 }, 8);
	f[n++].need = p->n;
	for (size_t i = 0; i < n; i++) {
		put_zero(&f[i].p, 16); /* some data behind the headers */
		if (f[i].p.b[0] >> 4 == 4)
			ipv4_end(&f[i].p);
		else
			ipv6_end(&f[i].p);
	}
	return n;
}

/* Every length that the capture can have against every length that the IP header can claim. */
static void
test_the_rule(void **state)
{
	static struct full full[20];
	size_t n = make_full(full);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		struct pkt p = full[i].p;
		int six = p.b[0] >> 4 == 6;
		size_t fixed = six ? 40 : 20, header = six ? 40 : (p.b[0] & 15) * 4U;

		for (size_t cap = 0; cap <= p.n; cap++) {
			for (size_t says = 0; says <= p.n + 8; says++) {
				struct ng_packet q;
				int want;
				/* 0 says nothing: BIG TCP, jumbograms. */
				int silent = says == (six ? fixed : 0);

				if (six && says < fixed)
					continue;
				set16(&p, six ? 4 : 2, (unsigned)(six ? says - fixed : says));
				q = decode(p.b, cap);
				if (!cap || cap < fixed)
					want = NG_PACKET_TRUNCATED;
				else if (!silent && says < header)
					want = NG_PACKET_MALFORMED;
				else if (cap >= full[i].need && (silent || says >= full[i].need))
					want = full[i].verdict;
				else
					want = silent || says > cap ? NG_PACKET_TRUNCATED : NG_PACKET_MALFORMED;
				if (q.status != want)
					fail_msg("%s: %zu bytes copied, the header says %zu: status %d, not %d",
						 full[i].name, cap, says, q.status, want);
				if (cap >= fixed) {
					assert_true(q.has & NG_HAS_IP);
					assert_int_equal(q.ip_len, silent ? cap : says);
				}
			}
		}
	}
}

static void
test_trailing_bytes(void **state)
{
	static const uint8_t one_nop[] = { 1, 1, 1, 1 };
	struct ng_packet q;
	struct pkt p;

	(void)state;
	/* An Ethernet frame is padded to 60 bytes: the padding is no option. */
	ipv4(&p, IPPROTO_TCP);
	tcp(&p, NG_TCP_ACK, one_nop, 4);
	ipv4_end(&p);
	p.b[32] = 6 << 4;
	put(&p, (uint8_t[]){ 2, 4, 5, 180 }, 4);
	q = decode_pkt(&p);
	assert_int_equal(q.status, NG_PACKET_OK);
	assert_int_equal(q.tcp_opts, 0);
	assert_int_equal(q.ip_len, 44);
	assert_int_equal(q.cap_len, 48);
	/* A data offset that reaches into it contradicts the packet. */
	p.b[32] = 7 << 4;
	q = decode_pkt(&p);
	assert_int_equal(q.status, NG_PACKET_MALFORMED);
	assert_int_equal(q.tcp_opts, 0);
}

static void
test_ports_of_a_cut_header(void **state)
{
	struct pkt p;

	(void)state;
	ipv4(&p, IPPROTO_TCP);
	tcp(&p, NG_TCP_SYN, NULL, 0);
	ipv4_end(&p);
	/* Four bytes are ports, twenty are TCP. */
	for (size_t cut = 20; cut <= 40; cut++) {
		struct ng_packet q = decode(p.b, cut);

		assert_int_equal(q.has & NG_HAS_PORTS, cut >= 24 ? NG_HAS_PORTS : 0);
		assert_int_equal(q.has & NG_HAS_TCP, cut >= 40 ? NG_HAS_TCP : 0);
		if (cut >= 24)
			assert_int_equal(q.dport, 443);
	}
}

static void
test_no_ip(void **state)
{
	uint8_t b[64] = { 0 };

	(void)state;
	assert_int_equal(decode(b, 0).status, NG_PACKET_TRUNCATED);
	for (unsigned first = 0; first < 256; first++) {
		struct ng_packet q;

		b[0] = (uint8_t)first;
		q = decode(b, 1);
		assert_int_equal(q.status, first >> 4 == 4 || first >> 4 == 6 ? NG_PACKET_TRUNCATED
									     : NG_PACKET_UNSUPPORTED);
		assert_int_equal(q.has, 0);
		if (first >> 4 != 4 && first >> 4 != 6)
			assert_int_equal(decode(b, sizeof b).status, NG_PACKET_UNSUPPORTED);
	}
}

/* ---- fragments and transports ----------------------------------------------------------- */

static void
test_ipv4_fragments(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	ipv4(&p, IPPROTO_TCP);
	tcp(&p, NG_TCP_SYN, syn_options, sizeof syn_options);
	ipv4_end(&p);
	set16(&p, 6, 0x2000);
	q = decode_pkt(&p);
	assert_int_equal(q.status, NG_PACKET_OK);
	assert_int_equal(q.has, NG_HAS_IP | NG_HAS_PORTS | NG_HAS_TCP | NG_HAS_FRAGMENT);
	for (unsigned offset = 1; offset < 0x2000; offset += 0x3ff) {
		for (unsigned more = 0; more <= 0x2000; more += 0x2000) {
			set16(&p, 6, more | offset);
			q = decode_pkt(&p);
			assert_int_equal(q.status, NG_PACKET_UNSUPPORTED);
			assert_int_equal(q.has, NG_HAS_IP);
			assert_int_equal(q.proto, IPPROTO_TCP);
			assert_int_equal(q.dport, 0);
		}
	}
	set16(&p, 6, 0x8000); /* the reserved bit is no fragment */
	q = decode_pkt(&p);
	assert_int_equal(q.status, NG_PACKET_OK);
	assert_int_equal(q.has & NG_HAS_FRAGMENT, 0);
}

static void
test_ipv6_fragments(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	for (unsigned low = 0; low < 16; low++) {
		unsigned offset = low & 8, more = low & 1;

		ipv6(&p, IPPROTO_FRAGMENT);
		put(&p, (uint8_t[8]){ IPPROTO_TCP, 0xff, 0, (uint8_t)low, 9, 9, 9, 9 }, 8);
		tcp(&p, NG_TCP_SYN, syn_options, sizeof syn_options);
		ipv6_end(&p);
		q = decode_pkt(&p);
		/* Neither offset nor more: an atomic fragment (RFC 6946), a whole packet. */
		assert_int_equal(q.status, offset ? NG_PACKET_UNSUPPORTED : NG_PACKET_OK);
		assert_int_equal(q.has & NG_HAS_FRAGMENT, more && !offset ? NG_HAS_FRAGMENT : 0);
		assert_int_equal(q.proto, IPPROTO_TCP);
		assert_int_equal(q.dport, offset ? 0 : 443);
	}
}

static void
test_every_protocol(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	for (unsigned proto = 0; proto < 256; proto++) {
		int ports = proto == IPPROTO_UDP || proto == IPPROTO_SCTP || proto == 136;
		int icmp = proto == IPPROTO_ICMP || proto == IPPROTO_ICMPV6;

		ipv4(&p, proto);
		put(&p, (uint8_t[]){ 3, 13, 0x11, 0x22, 0x50, 0, 0, 0, 0, 0, 0, 0, 0x50 }, 13);
		put_zero(&p, 20);
		ipv4_end(&p);
		q = decode_pkt(&p);
		assert_int_equal(q.proto, proto);
		if (proto == IPPROTO_TCP)
			continue;
		assert_int_equal(q.status, ports || icmp ? NG_PACKET_OK : NG_PACKET_UNSUPPORTED);
		assert_int_equal(q.has, NG_HAS_IP | (ports ? NG_HAS_PORTS : icmp ? NG_HAS_ICMP : 0));
		assert_int_equal(q.sport, ports ? 0x030d : 0);
		assert_int_equal(q.dport, ports ? 0x1122 : 0);
		assert_int_equal(q.icmp_type, icmp ? 3 : 0);
		assert_int_equal(q.icmp_code, icmp ? 13 : 0);
		assert_int_equal(q.tcp_flags, 0);
	}
}

/* ---- IPv6 extension headers --------------------------------------------------------------- */

static void
test_each_extension_header(void **state)
{
	static const uint8_t plain[] = { IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS, IPPROTO_MH, 139, 140 };
	static const unsigned lengths[] = { 0, 1, 2, 3, 100, 251, 255 };
	struct ng_packet q;
	struct pkt p;

	(void)state;
	for (size_t i = 0; i < sizeof plain; i++) {
		/* Up to 255 times eight bytes beyond the first eight. */
		for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
			unsigned words = lengths[k];

			ipv6(&p, plain[i]);
			put8(&p, IPPROTO_TCP);
			put8(&p, words);
			put_zero(&p, words * 8 + 6);
			tcp(&p, NG_TCP_SYN, NULL, 0);
			ipv6_end(&p);
			q = decode_pkt(&p);
			assert_int_equal(q.status, NG_PACKET_OK);
			assert_int_equal(q.dport, 443);
			assert_int_equal(q.proto, IPPROTO_TCP);
			p.b[41] = (uint8_t)(words + 4); /* reaches past the end */
			q = decode_pkt(&p);
			if (words + 4 < 256) {
				assert_int_equal(q.status, NG_PACKET_MALFORMED);
				assert_int_equal(q.has, NG_HAS_IP);
			}
		}
	}
}

static void
test_authentication_header(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	/* Its length counts words of four bytes, less two. */
	for (unsigned words = 0; words < 256; words++) {
		ipv6(&p, IPPROTO_AH);
		put8(&p, IPPROTO_UDP);
		put8(&p, words);
		put_zero(&p, words * 4 + 6);
		put16(&p, 500);
		put16(&p, 4500);
		put_zero(&p, 4);
		ipv6_end(&p);
		q = decode_pkt(&p);
		assert_int_equal(q.status, NG_PACKET_OK);
		assert_int_equal(q.sport, 500);
		assert_int_equal(q.dport, 4500);
	}
}

static void
test_encrypted(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	ipv6(&p, IPPROTO_HOPOPTS);
	put(&p, (uint8_t[8]){ IPPROTO_ESP, 0 }, 8);
	put_zero(&p, 40);
	ipv6_end(&p);
	q = decode_pkt(&p);
	assert_int_equal(q.status, NG_PACKET_UNSUPPORTED);
	assert_int_equal(q.proto, IPPROTO_ESP);
}

static void
chain(struct pkt *p, unsigned headers)
{
	ipv6(p, headers ? IPPROTO_DSTOPTS : IPPROTO_TCP);
	for (unsigned i = 0; i < headers; i++)
		put(p, (uint8_t[8]){ i + 1 < headers ? IPPROTO_DSTOPTS : IPPROTO_TCP, 0 }, 8);
	tcp(p, NG_TCP_SYN, syn_options, sizeof syn_options);
	ipv6_end(p);
}

static void
test_chain_lengths(void **state)
{
	struct ng_packet q;
	struct pkt p;

	(void)state;
	for (unsigned headers = 0; headers < 40; headers++) {
		chain(&p, headers);
		q = decode_pkt(&p);
		assert_int_equal(q.status, headers <= IPV6_HEADERS_MAX ? NG_PACKET_OK : NG_PACKET_UNSUPPORTED);
		assert_int_equal(q.dport, headers <= IPV6_HEADERS_MAX ? 443 : 0);
	}
}

static void
test_chain_longer_than_the_snaplen(void **state)
{
	struct pkt p;

	(void)state;
	chain(&p, 16);
	for (size_t cut = 40; cut < 40 + 16 * 8; cut++) {
		struct ng_packet q = decode(p.b, cut);

		assert_int_equal(q.status, NG_PACKET_TRUNCATED);
		assert_int_equal(q.has, NG_HAS_IP);
	}
}

/* ---- noise ------------------------------------------------------------------------------ */

static void
test_noise(void **state)
{
	uint64_t x = 88172645463325252ULL;
	unsigned seen[4] = { 0 };
	struct pkt p;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		size_t cut;

		ipv6(&p, IPPROTO_HOPOPTS);
		if (i & 1)
			ipv4(&p, IPPROTO_TCP);
		tcp(&p, NG_TCP_SYN, syn_options, sizeof syn_options);
		if (i & 1)
			ipv4_end(&p);
		else
			ipv6_end(&p);
		/* xorshift64: a few bytes are others, the end is somewhere. */
		for (int k = 0; k < 4; k++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			p.b[x % p.n] = (uint8_t)(x >> 32);
		}
		cut = (x >> 40) % (2 * p.n);
		seen[decode(p.b, cut < p.n ? cut : p.n).status]++; /* decode() checks the rules */
	}
	for (int i = 0; i < 4; i++)
		assert_true(seen[i] > 100);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ipv4_fields),
		cmocka_unit_test(test_ipv6_fields),
		cmocka_unit_test(test_each_tcp_flag),
		cmocka_unit_test(test_ipv4_options),
		cmocka_unit_test(test_data),
		cmocka_unit_test(test_options_one_by_one),
		cmocka_unit_test(test_option_lengths_that_lie),
		cmocka_unit_test(test_option_without_its_length),
		cmocka_unit_test(test_data_offset),
		cmocka_unit_test(test_the_rule),
		cmocka_unit_test(test_trailing_bytes),
		cmocka_unit_test(test_ports_of_a_cut_header),
		cmocka_unit_test(test_no_ip),
		cmocka_unit_test(test_ipv4_fragments),
		cmocka_unit_test(test_ipv6_fragments),
		cmocka_unit_test(test_every_protocol),
		cmocka_unit_test(test_each_extension_header),
		cmocka_unit_test(test_authentication_header),
		cmocka_unit_test(test_encrypted),
		cmocka_unit_test(test_chain_lengths),
		cmocka_unit_test(test_chain_longer_than_the_snaplen),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
