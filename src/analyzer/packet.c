/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * packet.c - the decoder: IPv4, IPv6 with its extension headers, TCP and its options, the ports of
 * UDP and SCTP, ICMP type and code.  Receives a payload from batch.c or the replay, hands a struct
 * to the engine.
 *
 * One rule tells truncated from malformed: a header that runs past what was copied to us is
 * truncated; one that runs past what the IP header says the packet has is malformed.
 */
#include "packet.h"

#include <netinet/in.h>
#include <string.h>

#include "lib/cur.h"

/* A chain longer than this is no traffic that a router should meet (RFC 8504 section 5.3 lets
 * nodes limit it). */
#define IPV6_HEADERS_MAX 16

/* Protocol numbers that older libc headers lack (IANA). */
#define PROTO_HIP 139
#define PROTO_SHIM6 140
#define PROTO_UDPLITE 136

#define TCPOPT_END 0
#define TCPOPT_NOOP 1
#define TCPOPT_MSS 2
#define TCPOPT_WSCALE 3
#define TCPOPT_SACK_OK 4
#define TCPOPT_SACKS 5
#define TCPOPT_TS 8
#define TCPOPT_MPTCP 30
#define TCPOPT_FASTOPEN 34
#define TCPOPT_EXPERIMENT 254    /* RFC 6994 */
#define EXPERIMENT_FASTOPEN 0xf989 /* RFC 7413 appendix */
#define WSCALE_MAX 14            /* RFC 7323 section 2.3 */

static void
decode_tcp_options(struct ng_packet *p, struct cur *c)
{
	while (cur_left(c)) {
		uint8_t kind = cur_u8(c), len;
		struct cur body;

		if (kind == TCPOPT_END)
			return;
		if (kind == TCPOPT_NOOP)
			continue;
		len = cur_u8(c);
		if (c->bad)
			return; /* decode_tcp() knows whose fault it is */
		if (len < 2) {
			p->status = NG_PACKET_MALFORMED;
			return;
		}
		body = cur_sub(c, len - 2U);
		if (body.bad)
			return; /* c is bad too */
		if (kind == TCPOPT_MSS && len == 4) {
			p->mss = cur_be16(&body);
			p->tcp_opts |= NG_TCPOPT_MSS;
		} else if (kind == TCPOPT_WSCALE && len == 3) {
			p->wscale = cur_u8(&body);
			if (p->wscale > WSCALE_MAX)
				p->wscale = WSCALE_MAX;
			p->tcp_opts |= NG_TCPOPT_WSCALE;
		} else if (kind == TCPOPT_SACK_OK && len == 2) {
			p->tcp_opts |= NG_TCPOPT_SACK_OK;
		} else if (kind == TCPOPT_SACKS) {
			p->tcp_opts |= NG_TCPOPT_SACK;
		} else if (kind == TCPOPT_TS && len == 10) {
			p->tcp_opts |= NG_TCPOPT_TIMESTAMP;
		} else if (kind == TCPOPT_MPTCP) {
			p->tcp_opts |= NG_TCPOPT_MPTCP;
		} else if (kind == TCPOPT_FASTOPEN ||
			   (kind == TCPOPT_EXPERIMENT && cur_be16(&body) == EXPERIMENT_FASTOPEN)) {
			p->tcp_opts |= NG_TCPOPT_TFO;
		} else {
			p->tcp_opts |= NG_TCPOPT_OTHER;
		}
	}
}

static void
decode_tcp(struct ng_packet *p, struct cur *c)
{
	const uint8_t *h = cur_take(c, 4);
	struct cur options;
	unsigned words;
	size_t left;

	if (!h)
		return;
	p->sport = be16_at(h);
	p->dport = be16_at(h + 2);
	p->has |= NG_HAS_PORTS;
	h = cur_take(c, 16);
	if (!h)
		return;
	p->tcp_seq = be32_at(h);
	p->tcp_ack = be32_at(h + 4);
	words = h[8] >> 4;
	p->tcp_flags = h[9];
	p->tcp_window = be16_at(h + 10); /* then checksum and urgent pointer */
	p->has |= NG_HAS_TCP;
	if (words < 5) {
		p->status = NG_PACKET_MALFORMED;
		return;
	}
	left = cur_left(c);
	options = cur_sub(c, words * 4U - 20 <= left ? words * 4U - 20 : left);
	decode_tcp_options(p, &options);
	if (words * 4U - 20 > left)
		c->bad = 1;
	else if (options.bad)
		p->status = NG_PACKET_MALFORMED; /* an option longer than the header */
}

static void
decode_transport(struct ng_packet *p, struct cur *c)
{
	switch (p->proto) {
	case IPPROTO_TCP:
		decode_tcp(p, c);
		break;
	case IPPROTO_UDP:
	case PROTO_UDPLITE:
	case IPPROTO_SCTP:
		p->sport = cur_be16(c);
		p->dport = cur_be16(c);
		if (!c->bad)
			p->has |= NG_HAS_PORTS;
		/* UDP: length, checksum; SCTP: verification tag, checksum */
		cur_skip(c, p->proto == IPPROTO_SCTP ? 8 : 4);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		p->icmp_type = cur_u8(c);
		p->icmp_code = cur_u8(c);
		if (!c->bad)
			p->has |= NG_HAS_ICMP;
		cur_skip(c, 2);
		break;
	default:
		p->status = NG_PACKET_UNSUPPORTED;
	}
}

/* Cuts the cursor to what the IP header says; *by_packet: the packet ends before the capture. */
static void
clip(struct cur *c, size_t rest, int *by_packet)
{
	if (rest <= cur_left(c)) {
		c->end = c->p + rest;
		*by_packet = 1;
	}
}

static void
decode_ipv4(struct ng_packet *p, struct cur *c, int *by_packet)
{
	uint8_t first = cur_u8(c);
	unsigned header = (first & 15) * 4U, fragment;
	uint16_t total;

	p->tos = cur_u8(c);
	total = cur_be16(c);
	cur_skip(c, 2);
	fragment = cur_be16(c);
	p->ttl = cur_u8(c);
	p->proto = cur_u8(c);
	cur_skip(c, 2);
	cur_copy(c, p->saddr, 4);
	cur_copy(c, p->daddr, 4);
	if (c->bad)
		return;
	p->ipv = 4;
	p->has |= NG_HAS_IP;
	/* A GSO super-packet over 64 KiB has no room for its length and says 0 (BIG TCP). */
	p->ip_len = total ? total : p->cap_len;
	if (header < 20 || (total && total < header)) {
		p->status = NG_PACKET_MALFORMED;
		return;
	}
	if (total)
		clip(c, total - 20U, by_packet);
	cur_skip(c, header - 20);
	if (c->bad)
		return;
	if (fragment & 0x1fff) {
		p->status = NG_PACKET_UNSUPPORTED; /* no transport header in a later fragment */
		return;
	}
	if (fragment & 0x2000)
		p->has |= NG_HAS_FRAGMENT;
	decode_transport(p, c);
}

static void
decode_ipv6(struct ng_packet *p, struct cur *c, int *by_packet)
{
	uint32_t word = cur_be32(c);
	uint16_t payload = cur_be16(c);
	uint8_t next = cur_u8(c);

	p->tos = (uint8_t)(word >> 20);
	p->ttl = cur_u8(c);
	cur_copy(c, p->saddr, 16);
	cur_copy(c, p->daddr, 16);
	if (c->bad)
		return;
	p->ipv = 6;
	p->has |= NG_HAS_IP;
	/* 0: a jumbogram (RFC 2675) or BIG TCP; then the capture is all that we know. */
	p->ip_len = payload ? payload + 40U : p->cap_len;
	if (payload)
		clip(c, payload, by_packet);
	for (unsigned n = 0;; n++) {
		unsigned offset, length;

		p->proto = next;
		switch (next) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
		case IPPROTO_MH:
		case PROTO_HIP:
		case PROTO_SHIM6:
			next = cur_u8(c);
			length = cur_u8(c) * 8U + 8;
			cur_skip(c, length - 2);
			break;
		case IPPROTO_AH:
			next = cur_u8(c);
			length = cur_u8(c) * 4U + 8; /* RFC 4302: in words, minus two */
			cur_skip(c, length - 2);
			break;
		case IPPROTO_FRAGMENT:
			next = cur_u8(c);
			cur_skip(c, 1);
			offset = cur_be16(c);
			cur_skip(c, 4);
			if (c->bad)
				return;
			if (offset & 0xfff8) {
				p->proto = next;
				p->status = NG_PACKET_UNSUPPORTED;
				return;
			}
			if (offset & 1)
				p->has |= NG_HAS_FRAGMENT;
			break;
		default:
			decode_transport(p, c);
			return;
		}
		if (c->bad)
			return;
		if (n == IPV6_HEADERS_MAX) {
			p->status = NG_PACKET_UNSUPPORTED;
			return;
		}
	}
}

void
packet_decode(struct ng_packet *p, const void *bytes, size_t len)
{
	struct cur c = cur_of(bytes, len);
	int by_packet = 0;

	memset(p, 0, sizeof *p);
	p->size = sizeof *p;
	p->hook = NG_HOOK_NONE;
	p->cap_len = (uint32_t)len;
	switch (len ? c.p[0] >> 4 : 0) {
	case 4:
		decode_ipv4(p, &c, &by_packet);
		break;
	case 6:
		decode_ipv6(p, &c, &by_packet);
		break;
	default:
		p->status = len ? NG_PACKET_UNSUPPORTED : NG_PACKET_TRUNCATED;
	}
	/* Whatever of it was copied. */
	if (p->has & NG_HAS_TCP && !c.bad && p->ip_len > (size_t)(c.p - (const uint8_t *)bytes))
		p->has |= NG_HAS_DATA;
	if (c.bad && p->status == NG_PACKET_OK)
		p->status = by_packet ? NG_PACKET_MALFORMED : NG_PACKET_TRUNCATED;
}
