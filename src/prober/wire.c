/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wire.c - builds the transport header of a probe, and reads what came back: ICMP errors with what
 * they quote, SYN-ACK, RST, ACK, echo replies.  Receives bytes from the process around it, hands a
 * struct to the engine.
 *
 * A quote is believed as far as it goes: routers cut it after 8 bytes of transport header (RFC 792),
 * pad it with zeros to 128 (RFC 4884), its TTL and checksums changed on the way, and some return its
 * length and offset in host order.  So nothing of it is checked but what names the probe.
 */
#include "prober/wire.h"

#include <netinet/in.h>
#include <string.h>

#include "lib/cur.h"

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define TCP_HEADER 20
#define TCP_WINDOW 64240
#define TCPOPT_MSS 2
#define TCP_MSS4 1460     /* as most SYNs have it */
#define TCP_MSS6 1440

#define ICMP4_ECHO_REPLY 0
#define ICMP4_UNREACHABLE 3
#define ICMP4_ECHO 8
#define ICMP4_TIME_EXCEEDED 11
#define ICMP6_UNREACHABLE 1
#define ICMP6_TIME_EXCEEDED 3
#define ICMP6_ECHO 128
#define ICMP6_ECHO_REPLY 129

#define QUOTE_PADDED 128  /* RFC 4884 section 5.5: where extensions are when no length says so */
#define EXTENSION_VERSION 2
#define EXTENSION_MPLS 1  /* RFC 4950: class 1, type 1 */
#define EXTENSION_MPLS_IN 1

/* A chain longer than this is no answer (RFC 8504 section 5.3). */
#define IPV6_HEADERS_MAX 8

/* RFC 1071, not folded: at most 64 KiB are added. */
static uint32_t
sum_bytes(uint32_t sum, const uint8_t *p, size_t n)
{
	for (; n > 1; n -= 2, p += 2)
		sum += (uint32_t)(p[0] << 8 | p[1]);
	return n ? sum + (uint32_t)(p[0] << 8) : sum;
}

static uint16_t
sum_fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* Addresses, length and protocol: RFC 9293 section 3.1, RFC 8200 section 8.1. */
static uint32_t
sum_pseudo(const struct wire_probe *p, uint8_t proto, size_t len)
{
	size_t n = p->ipv == 4 ? 4 : 16;

	return sum_bytes(sum_bytes((uint32_t)len + proto, p->src, n), p->dst, n);
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static size_t
build_tcp(uint8_t *out, const struct wire_probe *p)
{
	int syn = !p->rst && p->method == PROBER_TCP_SYN;
	size_t len = syn ? TCP_HEADER + 4 : TCP_HEADER;

	put16(out, p->sport);
	put16(out + 2, p->dport);
	put32(out + 4, p->token);
	put32(out + 8, p->rst || syn ? 0 : p->ack);
	out[12] = (uint8_t)(len / 4 << 4);
	out[13] = p->rst ? TCP_RST : syn ? TCP_SYN : TCP_ACK;
	put16(out + 14, p->rst ? 0 : TCP_WINDOW);
	if (syn) {
		/* Some firewalls drop a SYN without options. */
		out[20] = TCPOPT_MSS;
		out[21] = 4;
		put16(out + 22, p->ipv == 4 ? TCP_MSS4 : TCP_MSS6);
	}
	put16(out + 16, ~sum_fold(sum_bytes(sum_pseudo(p, IPPROTO_TCP, len), out, len)));
	return len;
}

static size_t
build_udp(uint8_t *out, const struct wire_probe *p)
{
	size_t len = 10;
	uint16_t token = (uint16_t)p->token, sum;

	put16(out, p->sport);
	put16(out + 2, p->dport);
	put16(out + 4, (unsigned)len);
	put16(out + 6, token);
	/* The sum of it all, checksum included, has to be 0xffff: what is missing goes into the payload. */
	sum = sum_fold(sum_bytes(sum_pseudo(p, IPPROTO_UDP, len), out, len));
	put16(out + 8, (uint16_t)~sum);
	return len;
}

static size_t
build_icmp(uint8_t *out, const struct wire_probe *p)
{
	size_t len = 10;
	uint32_t sum = 0;

	out[0] = p->ipv == 4 ? ICMP4_ECHO : ICMP6_ECHO;
	put16(out + 4, p->sport);
	put16(out + 6, p->token);
	put16(out + 8, ~p->token);
	if (p->ipv != 4)
		sum = sum_pseudo(p, IPPROTO_ICMPV6, len);
	put16(out + 2, ~sum_fold(sum_bytes(sum, out, len)));
	return len;
}

size_t
wire_build(uint8_t out[WIRE_PROBE_MAX], const struct wire_probe *p)
{
	memset(out, 0, WIRE_PROBE_MAX);
	switch (p->method) {
	case PROBER_UDP:
		return build_udp(out, p);
	case PROBER_ICMP:
		return build_icmp(out, p);
	default:
		return build_tcp(out, p);
	}
}

struct ip {
	uint8_t ipv;
	uint8_t proto;
	uint8_t ttl;
	uint8_t src[16];
	uint8_t dst[16];
	int fragment;
	size_t rest;            /* what the header says that is behind it */
};

static void
read_ipv4(struct ip *ip, struct cur *c)
{
	unsigned header = (cur_u8(c) & 15U) * 4, total, fragment;

	cur_skip(c, 1);
	total = cur_be16(c);
	cur_skip(c, 2);
	fragment = cur_be16(c);
	ip->ttl = cur_u8(c);
	ip->proto = cur_u8(c);
	cur_skip(c, 2);
	cur_copy(c, ip->src, 4);
	cur_copy(c, ip->dst, 4);
	if (header < 20) {
		c->bad = 1;
		return;
	}
	cur_skip(c, header - 20);
	ip->fragment = (fragment & 0x3fff) != 0;
	ip->rest = total > header ? total - header : 0;
}

static void
read_ipv6(struct ip *ip, struct cur *c)
{
	const uint8_t *first;

	cur_skip(c, 4);
	ip->rest = cur_be16(c);
	ip->proto = cur_u8(c);
	ip->ttl = cur_u8(c);
	cur_copy(c, ip->src, 16);
	cur_copy(c, ip->dst, 16);
	first = c->p;
	for (unsigned n = 0; n <= IPV6_HEADERS_MAX; n++) {
		uint8_t next;
		unsigned len;

		switch (ip->proto) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			next = cur_u8(c);
			len = cur_u8(c) * 8U + 8;
			break;
		case IPPROTO_AH:
			next = cur_u8(c);
			len = cur_u8(c) * 4U + 8;
			break;
		default:
			len = (unsigned)(c->p - first);
			ip->rest = ip->rest > len ? ip->rest - len : 0;
			return;
		}
		cur_skip(c, len - 2);
		ip->proto = next;
	}
	c->bad = 1;
}

/* Leaves the cursor at the transport header. */
static void
read_ip(struct ip *ip, struct cur *c)
{
	*ip = (struct ip){ .ipv = cur_left(c) ? c->p[0] >> 4 : 0 };
	if (ip->ipv == 4)
		read_ipv4(ip, c);
	else if (ip->ipv == 6)
		read_ipv6(ip, c);
	else
		c->bad = 1;
}

/* The probe, as an ICMP error quotes it.  0 or -1. */
static int
read_quote(struct wire_answer *a, struct cur c)
{
	struct ip ip;
	uint8_t type, code, flags;

	read_ip(&ip, &c);
	if (c.bad || ip.ipv != a->ipv)
		return -1;
	a->quoted_ttl = ip.ttl;
	memcpy(a->src, ip.src, 16);
	memcpy(a->dst, ip.dst, 16);
	if (ip.proto == IPPROTO_TCP) {
		a->sport = cur_be16(&c);
		a->dport = cur_be16(&c);
		a->token = cur_be32(&c);
		if (c.bad)
			return -1;
		cur_skip(&c, 5);
		flags = cur_u8(&c); /* 0: not quoted, or padding */
		if (flags & TCP_RST)
			return -1;
		a->method = flags & TCP_ACK && !(flags & TCP_SYN) ? PROBER_TCP_ACK : PROBER_TCP_SYN;
		return 0;
	}
	if (ip.proto == IPPROTO_UDP) {
		a->method = PROBER_UDP;
		a->sport = cur_be16(&c);
		a->dport = cur_be16(&c);
		cur_skip(&c, 2);
		a->token = cur_be16(&c);
		return c.bad || !a->token ? -1 : 0;
	}
	if (ip.proto == (ip.ipv == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		type = cur_u8(&c);
		code = cur_u8(&c);
		cur_skip(&c, 2);
		a->method = PROBER_ICMP;
		a->sport = cur_be16(&c);
		a->token = cur_be16(&c);
		return c.bad || code || type != (ip.ipv == 4 ? ICMP4_ECHO : ICMP6_ECHO) ? -1 : 0;
	}
	return -1;
}

/* 1: an extension structure, all in order; its MPLS labels are taken.  `sure`: a length field
 * pointed here; else only a checksum tells it from a longer quote. */
static int
read_extension(struct wire_answer *a, struct cur c, int sure)
{
	uint32_t mpls[PROBER_MPLS_MAX];
	uint16_t whole = sum_fold(sum_bytes(0, c.p, cur_left(&c))), checksum;
	uint8_t version = cur_u8(&c) >> 4, n = 0;

	cur_skip(&c, 1);
	checksum = cur_be16(&c);
	/* RFC 4884 section 7: a checksum of 0 says that there is none. */
	if (c.bad || version != EXTENSION_VERSION || (checksum || !sure ? whole != 0xffff : 0))
		return 0;
	while (cur_left(&c)) {
		uint16_t len = cur_be16(&c);
		uint8_t class = cur_u8(&c), type = cur_u8(&c);
		struct cur body;

		if (c.bad || len < 4)
			return 0;
		body = cur_sub(&c, len - 4U);
		if (body.bad)
			return 0;
		if (class != EXTENSION_MPLS || type != EXTENSION_MPLS_IN || cur_left(&body) % 4)
			continue;
		while (cur_left(&body) && n < PROBER_MPLS_MAX)
			mpls[n++] = cur_be32(&body);
	}
	memcpy(a->mpls, mpls, n * sizeof mpls[0]);
	a->n_mpls = n;
	return 1;
}

/* An ICMP error's body: 4 bytes that may hold the quote's length, the quote, extensions.  `whole`:
 * all of the packet was copied to us. */
static int
read_error(struct wire_answer *a, struct cur *c, int whole)
{
	uint32_t word = cur_be32(c);
	size_t quote = a->ipv == 4 ? (word >> 16 & 0xff) * 4 : (word >> 24) * 8, left = cur_left(c);
	int sure = quote != 0, extended;

	if (c->bad)
		return -1;
	if (!sure && left > QUOTE_PADDED)
		quote = QUOTE_PADDED;
	/* A length that cannot be is what an old router left in an unused field. */
	extended = whole && quote && quote < left && read_extension(a, cur_of(c->p + quote, left - quote), sure);
	return read_quote(a, extended ? cur_of(c->p, quote) : *c);
}

static int
read_icmp(struct wire_answer *a, struct cur *c, int whole)
{
	int v4 = a->ipv == 4;
	uint16_t check;

	a->icmp_type = cur_u8(c);
	a->icmp_code = cur_u8(c);
	cur_skip(c, 2);
	if (c->bad)
		return -1;
	if (a->icmp_type == (v4 ? ICMP4_TIME_EXCEEDED : ICMP6_TIME_EXCEEDED) && !a->icmp_code) {
		a->kind = WIRE_TIME_EXCEEDED;
		return read_error(a, c, whole);
	}
	if (a->icmp_type == (v4 ? ICMP4_UNREACHABLE : ICMP6_UNREACHABLE)) {
		a->kind = WIRE_UNREACHABLE;
		return read_error(a, c, whole);
	}
	if (a->icmp_type != (v4 ? ICMP4_ECHO_REPLY : ICMP6_ECHO_REPLY) || a->icmp_code)
		return -1;
	a->kind = WIRE_ECHO_REPLY;
	a->method = PROBER_ICMP;
	a->sport = cur_be16(c);
	a->token = cur_be16(c);
	check = cur_be16(c);
	/* What we sent comes back whole; somebody else's ping has other bytes there. */
	return c->bad || cur_left(c) || (check ^ a->token) != 0xffff ? -1 : 0;
}

static int
read_tcp(struct wire_answer *a, struct cur *c, size_t rest)
{
	uint8_t words, flags;
	uint32_t ack;

	a->dport = cur_be16(c);
	a->sport = cur_be16(c);
	a->seq = cur_be32(c);
	ack = cur_be32(c);
	words = cur_u8(c) >> 4;
	flags = cur_u8(c);
	cur_skip(c, 6);
	if (c->bad || words < 5 || words * 4U > rest)
		return -1;
	a->token = flags & TCP_ACK ? ack - 1 : 0;
	a->method = PROBER_TCP_SYN;
	switch (flags & (TCP_FIN | TCP_SYN | TCP_RST | TCP_ACK)) {
	case TCP_SYN | TCP_ACK:
		a->kind = WIRE_SYN_ACK;
		return 0;
	case TCP_RST:
	case TCP_RST | TCP_ACK:
		a->kind = WIRE_RST;
		return 0;
	case TCP_ACK:
		a->kind = WIRE_ACK;
		a->method = PROBER_TCP_ACK;
		return words * 4U == rest ? 0 : -1; /* data: traffic, not an answer */
	default:
		return -1;
	}
}

int
wire_parse(struct wire_answer *a, const uint8_t *packet, size_t len)
{
	struct cur c = cur_of(packet, len);
	struct ip ip;
	int whole;

	memset(a, 0, sizeof *a);
	read_ip(&ip, &c);
	/* No answer is long enough to be fragmented. */
	if (c.bad || !ip.rest || ip.fragment)
		return -1;
	whole = ip.rest <= cur_left(&c);
	if (whole)
		c.end = c.p + ip.rest; /* behind it is a link's padding */
	a->ipv = ip.ipv;
	a->reply_ttl = ip.ttl;
	memcpy(a->from, ip.src, 16);
	memcpy(a->to, ip.dst, 16);
	memcpy(a->src, ip.dst, 16);
	memcpy(a->dst, ip.src, 16);
	if (ip.proto == IPPROTO_TCP)
		return read_tcp(a, &c, ip.rest);
	if (ip.proto == (ip.ipv == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
		return read_icmp(a, &c, whole);
	return -1;
}
