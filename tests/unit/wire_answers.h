/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wire_answers.h - what routers and destinations send back, built around a probe that wire_build()
 * made.  For the unit test and the fuzz target of src/prober/wire.c, which is included before.
 */
#ifndef WIRE_ANSWERS_H
#define WIRE_ANSWERS_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "prober/wire.h"

#define ANSWERS_REPLY_TTL 61
#define ANSWERS_SEQ 0xfedcba98

struct answers_pkt {
	uint8_t b[1024];
	size_t n;
	size_t icmp;            /* where the transport header begins */
	size_t extension;
};

struct answers_error {
	unsigned quote;         /* bytes of the probe's packet; behind its end: zeros */
	unsigned labels;
	const char *objects;    /* instead of labels */
	size_t objects_len;
	int extended;           /* an extension header also without labels */
	int no_length;          /* as before RFC 4884: extensions behind 128 bytes, the length is 0 */
	int shrink;             /* not padded to 128 bytes, although there are extensions */
	int unreachable;        /* port unreachable; else time exceeded */
	int outer_options;      /* IPv4 options, or an extension header, in the answer */
	int quote_options;      /* the same in the probe's packet */
	const uint8_t *to;      /* NULL: the probe's source */
};

static void
answers_put(struct answers_pkt *k, const void *bytes, size_t n)
{
	if (k->n + n > sizeof k->b)
		abort();
	if (n)
		memcpy(k->b + k->n, bytes, n);
	k->n += n;
}

static void
answers_put16(struct answers_pkt *k, unsigned v)
{
	uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };

	answers_put(k, b, 2);
}

static void
answers_put32(struct answers_pkt *k, uint32_t v)
{
	answers_put16(k, v >> 16);
	answers_put16(k, v & 0xffff);
}

static void
answers_zero(struct answers_pkt *k, size_t n)
{
	static const uint8_t zeros[512];

	answers_put(k, zeros, n);
}

static inline void
answers_set16(struct answers_pkt *k, size_t at, unsigned v)
{
	k->b[at] = (uint8_t)(v >> 8);
	k->b[at + 1] = (uint8_t)v;
}

static inline struct wire_probe
answers_probe(uint8_t ipv, uint8_t method)
{
	static const uint8_t src4[16] = { 198, 51, 100, 1 }, dst4[16] = { 203, 0, 113, 77 };
	static const uint8_t src6[16] = { 0x20, 1, 0xd, 0xb8, 0, 2, [15] = 1 };
	static const uint8_t dst6[16] = { 0x20, 1, 0xd, 0xb8, 2, 3, [14] = 0xfe, 0xed };
	struct wire_probe p = {
		.ipv = ipv,
		.method = method,
		.ttl = 7,
		.sport = 64999,
		.dport = method == PROBER_ICMP ? 0 : 443,
		.token = method == PROBER_UDP || method == PROBER_ICMP ? 0xb5a7 : 0xdeadbeef,
		.ack = method == PROBER_TCP_ACK ? 0x12345678 : 0,
	};

	memcpy(p.src, ipv == 4 ? src4 : src6, 16);
	memcpy(p.dst, ipv == 4 ? dst4 : dst6, 16);
	return p;
}

static inline const uint8_t *
answers_router(uint8_t ipv)
{
	static const uint8_t router4[16] = { 192, 0, 2, 254 }, router6[16] = { 0x20, 1, 0xd, 0xb8, 9, [15] = 0xfe };

	return ipv == 4 ? router4 : router6;
}

static inline uint32_t
answers_label(unsigned i, unsigned of)
{
	return (16000 + i) << 12 | (i + 1 == of) << 8 | (i + 1);
}

/* An IP header; answers_ip_end() fills in the length. */
static void
answers_ip(struct answers_pkt *k, uint8_t ipv, uint8_t proto, uint8_t ttl, const uint8_t *src, const uint8_t *dst,
	   int options)
{
	static const uint8_t nops[8] = { 1, 1, 1, 1, 1, 1, 1, 0 };
	uint8_t padn[8] = { proto, 0, 1, 4 };
	uint8_t tail[] = { ttl, proto, 0, 0 };

	if (ipv == 4) {
		answers_put16(k, options ? 0x4700 : 0x4500);
		answers_zero(k, 4);
		answers_put16(k, 0x4000);
		answers_put(k, tail, 4);
		answers_put(k, src, 4);
		answers_put(k, dst, 4);
		answers_put(k, nops, options ? 8 : 0);
	} else {
		answers_put32(k, 0x60000000);
		answers_zero(k, 2);
		tail[1] = ttl;
		tail[0] = options ? 60 : proto;
		answers_put(k, tail, 2);
		answers_put(k, src, 16);
		answers_put(k, dst, 16);
		answers_put(k, padn, options ? 8 : 0);
	}
}

static void
answers_ip_end(struct answers_pkt *k, uint8_t ipv)
{
	answers_set16(k, ipv == 4 ? 2 : 4, (unsigned)k->n - (ipv == 4 ? 0 : 40));
}

static uint16_t
answers_checksum(const uint8_t *p, size_t n)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static inline uint8_t
answers_proto(const struct wire_probe *p)
{
	return p->method == PROBER_UDP ? 17 : p->method != PROBER_ICMP ? 6 : p->ipv == 4 ? 1 : 58;
}

/* An ICMP error about the probe. */
static inline void
answers_error(struct answers_pkt *k, const struct wire_probe *p, const struct answers_error *e)
{
	struct answers_pkt probe = { .n = 0 };
	uint8_t transport[WIRE_PROBE_MAX], icmp[8] = { 0 };
	int extended = e->labels || e->extended;
	unsigned unit = p->ipv == 4 ? 4 : 8, field = e->quote;
	size_t len = wire_build(transport, p);

	answers_ip(&probe, p->ipv, answers_proto(p), 1, p->src, p->dst, e->quote_options);
	answers_put(&probe, transport, len);
	answers_ip_end(&probe, p->ipv);
	if (extended) {
		if (field < 128 && (!e->shrink || e->no_length))
			field = 128;
		field = (field + unit - 1) / unit * unit;
	}
	icmp[0] = p->ipv == 4 ? (e->unreachable ? 3 : 11) : e->unreachable ? 1 : 3;
	icmp[1] = e->unreachable ? 3 : 0;
	if (extended && !e->no_length)
		icmp[p->ipv == 4 ? 5 : 4] = (uint8_t)(field / unit);

	k->n = 0;
	answers_ip(k, p->ipv, p->ipv == 4 ? 1 : 58, ANSWERS_REPLY_TTL, answers_router(p->ipv), e->to ? e->to : p->src,
		   e->outer_options);
	k->icmp = k->n;
	answers_put(k, icmp, 8);
	answers_put(k, probe.b, e->quote < probe.n ? e->quote : probe.n);
	answers_zero(k, field - (e->quote < probe.n ? e->quote : probe.n));
	k->extension = k->n;
	if (extended) {
		answers_put32(k, 0x20000000);
		if (e->objects) {
			answers_put(k, e->objects, e->objects_len);
		} else if (e->labels) {
			answers_put16(k, 4 + 4 * e->labels);
			answers_put16(k, 0x0101);
			for (unsigned i = 0; i < e->labels; i++)
				answers_put32(k, answers_label(i, e->labels));
		}
		answers_set16(k, k->extension + 2, answers_checksum(k->b + k->extension, k->n - k->extension));
	}
	answers_ip_end(k, p->ipv);
}

/* The destination's TCP answer, acknowledging the probe's token. */
static inline void
answers_tcp(struct answers_pkt *k, const struct wire_probe *p, unsigned flags, unsigned options, unsigned data)
{
	k->n = 0;
	answers_ip(k, p->ipv, 6, ANSWERS_REPLY_TTL, p->dst, p->src, 0);
	k->icmp = k->n;
	answers_put16(k, p->dport);
	answers_put16(k, p->sport);
	answers_put32(k, ANSWERS_SEQ);
	answers_put32(k, flags & 0x10 ? p->token + 1 : 0);
	answers_put16(k, (20 + options) / 4 << 12 | flags);
	answers_zero(k, 6 + options + data);
	answers_ip_end(k, p->ipv);
}

/* The destination's echo reply. */
static inline void
answers_echo(struct answers_pkt *k, const struct wire_probe *p)
{
	uint8_t out[WIRE_PROBE_MAX];
	size_t len = wire_build(out, p);

	k->n = 0;
	answers_ip(k, p->ipv, answers_proto(p), ANSWERS_REPLY_TTL, p->dst, p->src, 0);
	k->icmp = k->n;
	out[0] = p->ipv == 4 ? 0 : 129;
	answers_put(k, out, len);
	answers_ip_end(k, p->ipv);
}

/* The packet is n bytes longer, or shorter. */
static inline void
answers_grow(struct answers_pkt *k, int n)
{
	if (n > 0)
		answers_zero(k, (size_t)n);
	else
		k->n -= (size_t)-n;
	answers_ip_end(k, k->b[0] >> 4);
}

/* IPv6: a SYN-ACK behind n extension headers. */
static inline void
answers_chain(struct answers_pkt *k, const struct wire_probe *p, unsigned n)
{
	static const uint8_t kinds[] = { 0, 43, 60, 51 };
	struct answers_pkt plain;

	answers_tcp(&plain, p, 0x12, 4, 0);
	k->n = 0;
	answers_ip(k, 6, n ? kinds[0] : 6, ANSWERS_REPLY_TTL, p->dst, p->src, 0);
	for (unsigned i = 0; i < n; i++) {
		uint8_t h[16] = { i + 1 < n ? kinds[(i + 1) % 4] : 6, kinds[i % 4] == 51 ? 2 : 1 };

		answers_put(k, h, sizeof h);
	}
	k->icmp = k->n;
	answers_put(k, plain.b + plain.icmp, plain.n - plain.icmp);
	answers_ip_end(k, 6);
}

/* One answer of each form that fits the probe's method; 0: it does not. */
#define ANSWERS_FORMS 10
static inline int
answers_form(struct answers_pkt *k, const struct wire_probe *p, int form)
{
	static const struct answers_error errors[] = {
		{ .quote = 64 },
		{ .quote = 128, .labels = 2 },
		{ .quote = 128, .labels = 1, .no_length = 1 },
		{ .quote = 68, .labels = 3, .outer_options = 1, .quote_options = 1 },
		{ .quote = 64, .unreachable = 1 },
	};

	if (form < 5) {
		answers_error(k, p, &errors[form]);
		return 1;
	}
	if (form == 5) /* as little as RFC 792 promises */
		answers_error(k, p, &(struct answers_error){ .quote = (p->ipv == 4 ? 20 : 40) + 8 });
	else if (form == 6)
		answers_tcp(k, p, 0x12, 20, 0);
	else if (form == 7)
		answers_tcp(k, p, 0x14, 0, 0);
	else if (form == 8)
		answers_tcp(k, p, 0x10, 12, 0);
	else
		answers_echo(k, p);
	return form == 5 ? p->method != PROBER_TCP_ACK : form <= 7 ? p->method == PROBER_TCP_SYN :
	       form == 8 ? p->method == PROBER_TCP_ACK : p->method == PROBER_ICMP;
}

#endif
