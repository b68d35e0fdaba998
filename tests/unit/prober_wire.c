/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Probes and answers as bytes: every field of each kind, what routers hash, quotes of every length,
 * extensions, and lies.  All packets end at an unreadable page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../src/prober/wire.c"
#include "guard.h"
#include "wire_answers.h"

static const uint8_t methods[] = { PROBER_TCP_SYN, PROBER_UDP, PROBER_ICMP, PROBER_TCP_ACK };
static const uint8_t versions[] = { 4, 6 };

/* Each method in each family. */
#define FOR_EACH_PROBE(p) \
	for (unsigned n_ = 0; n_ < 8; n_++) \
		for (int once_ = ((p) = answers_probe(versions[n_ / 4], methods[n_ % 4]), 1); once_; once_ = 0)

/* Parses at the guard page, twice over different garbage: the same must come out. */
static int
parse(struct wire_answer *a, const void *bytes, size_t len)
{
	const uint8_t *p = guard_copy(bytes, len);
	struct wire_answer b;
	int r;

	memset(a, 0x55, sizeof *a);
	memset(&b, 0xaa, sizeof b);
	r = wire_parse(a, p, len);
	assert_int_equal(wire_parse(&b, p, len), r);
	assert_memory_equal(a, &b, sizeof b);
	return r;
}

static int
parse_pkt(struct wire_answer *a, const struct answers_pkt *p)
{
	return parse(a, p->b, p->n);
}

/* An independent way to a checksum: one 16-bit word at a time with the carry at once, the pseudo
 * header laid out as the RFCs draw it.  0 when it is right. */
static uint16_t
checksum_error(const struct wire_probe *p, const uint8_t *bytes, size_t len)
{
	uint8_t all[40 + WIRE_PROBE_MAX + 1] = { 0 };
	size_t n = 0;
	uint16_t sum = 0;
	uint8_t proto = p->method == PROBER_UDP ? 17 : p->method != PROBER_ICMP ? 6 : p->ipv == 4 ? 1 : 58;

	if (p->ipv == 4 && proto != 1) {
		memcpy(all, p->src, 4);
		memcpy(all + 4, p->dst, 4);
		all[9] = proto;
		all[11] = (uint8_t)len;
		n = 12;
	} else if (p->ipv == 6) {
		memcpy(all, p->src, 16);
		memcpy(all + 16, p->dst, 16);
		all[35] = (uint8_t)len;
		all[39] = proto;
		n = 40;
	}
	memcpy(all + n, bytes, len);
	n += len;
	for (size_t i = 0; i < n; i += 2) {
		uint16_t word = (uint16_t)(all[i] * 256 + all[i + 1]);

		sum = (uint16_t)(sum + word);
		if (sum < word)
			sum++;
	}
	return (uint16_t)~sum;
}

static unsigned
get16(const uint8_t *p)
{
	return p[0] * 256U + p[1];
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void
test_build_tcp(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct wire_probe p = answers_probe(versions[i], PROBER_TCP_SYN);
		uint8_t out[WIRE_PROBE_MAX];
		size_t len = wire_build(out, &p);

		assert_int_equal(len, 24);
		assert_int_equal(get16(out), p.sport);
		assert_int_equal(get16(out + 2), p.dport);
		assert_int_equal(get32(out + 4), p.token);
		assert_int_equal(get32(out + 8), 0);
		assert_int_equal(out[12], 6 << 4);
		assert_int_equal(out[13], 0x02);
		assert_int_equal(get16(out + 14), 64240);
		assert_int_equal(get16(out + 18), 0);
		assert_int_equal(get32(out + 20), versions[i] == 4 ? 0x020405b4 : 0x020405a0);
		assert_int_equal(checksum_error(&p, out, len), 0);

		p.rst = 1;
		len = wire_build(out, &p);
		assert_int_equal(len, 20);
		assert_int_equal(get16(out), p.sport);
		assert_int_equal(get16(out + 2), p.dport);
		assert_int_equal(get32(out + 4), p.token);
		assert_int_equal(get32(out + 8), 0);
		assert_int_equal(out[12], 5 << 4);
		assert_int_equal(out[13], 0x04);
		assert_int_equal(get16(out + 14), 0);
		assert_int_equal(checksum_error(&p, out, len), 0);

		p = answers_probe(versions[i], PROBER_TCP_ACK);
		len = wire_build(out, &p);
		assert_int_equal(len, 20);
		assert_int_equal(get16(out), p.sport);
		assert_int_equal(get16(out + 2), p.dport);
		assert_int_equal(get32(out + 4), p.token);
		assert_int_equal(get32(out + 8), p.ack);
		assert_int_equal(out[12], 5 << 4);
		assert_int_equal(out[13], 0x10);
		assert_int_equal(get16(out + 14), 64240);
		assert_int_equal(get16(out + 18), 0);
		assert_int_equal(checksum_error(&p, out, len), 0);
	}
}

static void
test_build_udp(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct wire_probe p = answers_probe(versions[i], PROBER_UDP);
		uint8_t out[WIRE_PROBE_MAX];
		size_t len = wire_build(out, &p);

		assert_int_equal(len, 10);
		assert_int_equal(get16(out), p.sport);
		assert_int_equal(get16(out + 2), p.dport);
		assert_int_equal(get16(out + 4), 10);
		assert_int_equal(get16(out + 6), p.token & 0xffff);
		assert_int_equal(checksum_error(&p, out, len), 0);
	}
}

static void
test_build_icmp(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct wire_probe p = answers_probe(versions[i], PROBER_ICMP);
		uint8_t out[WIRE_PROBE_MAX];
		size_t len = wire_build(out, &p);

		assert_int_equal(len, 10);
		assert_int_equal(out[0], versions[i] == 4 ? 8 : 128);
		assert_int_equal(out[1], 0);
		assert_int_equal(get16(out + 4), p.sport);
		assert_int_equal(get16(out + 6), p.token & 0xffff);
		assert_int_equal(checksum_error(&p, out, len), 0);
	}
}

/* Nothing behind what was returned is written but zeros: the caller may send no more, not less. */
static void
test_build_length(void **state)
{
	struct wire_probe p;

	(void)state;
	FOR_EACH_PROBE(p) {
		uint8_t out[WIRE_PROBE_MAX];
		size_t len;

		memset(out, 0xee, sizeof out);
		len = wire_build(out, &p);
		for (size_t i = len; i < sizeof out; i++)
			assert_int_equal(out[i], 0);
	}
}

/* Every token of 16 bits, and as many of 32; TTLs; the carries at both ends of the checksum. */
static void
test_paris(void **state)
{
	struct wire_probe p;

	(void)state;
	FOR_EACH_PROBE(p) {
		uint8_t first[WIRE_PROBE_MAX], out[WIRE_PROBE_MAX];
		size_t len = wire_build(first, &p);
		uint32_t begin = p.method == PROBER_UDP;

		for (uint32_t t = begin; t < 0x10000; t++) {
			p.token = p.method == PROBER_UDP || p.method == PROBER_ICMP ? t : t * 65537 + 12345;
			p.ttl = (uint8_t)t;
			assert_int_equal(wire_build(out, &p), len);
			/* Ports; or type, code, checksum and identifier. */
			assert_memory_equal(out, first, p.method == PROBER_ICMP ? 6 : 4);
			if (checksum_error(&p, out, len))
				fail_msg("IPv%d method %d token %#x: wrong checksum", p.ipv, p.method, p.token);
		}
	}
}

/* Another flow looks different to a router that hashes an ICMP header's first words. */
static void
test_flows_differ(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct wire_probe p = answers_probe(versions[i], PROBER_ICMP);
		uint8_t a[WIRE_PROBE_MAX], b[WIRE_PROBE_MAX];

		for (unsigned id = PROBER_PORT_FIRST; id < PROBER_PORT_LAST; id++) {
			p.sport = (uint16_t)id;
			wire_build(a, &p);
			p.sport++;
			wire_build(b, &p);
			assert_memory_not_equal(a, b, 4);
		}
	}
}

/* The UDP and ICMP checksums whose sums come out as 0 or 0xffff, by trying all addresses of a /16. */
static void
test_checksum_ends(void **state)
{
	uint8_t out[WIRE_PROBE_MAX];

	(void)state;
	for (int m = 0; m < 2; m++) {
		for (unsigned a = 0; a < 0x10000; a++) {
			struct wire_probe p = answers_probe(4, m ? PROBER_ICMP : PROBER_UDP);

			p.dst[2] = (uint8_t)(a >> 8);
			p.dst[3] = (uint8_t)a;
			p.token = 0xffff;
			assert_int_equal(checksum_error(&p, out, wire_build(out, &p)), 0);
			p.token = 1;
			assert_int_equal(checksum_error(&p, out, wire_build(out, &p)), 0);
		}
	}
}

static void
assert_probe(const struct wire_answer *a, const struct wire_probe *p)
{
	assert_int_equal(a->ipv, p->ipv);
	assert_int_equal(a->method, p->method);
	assert_int_equal(a->sport, p->sport);
	assert_int_equal(a->dport, p->method == PROBER_ICMP ? 0 : p->dport);
	assert_int_equal(a->token, p->token);
	assert_memory_equal(a->src, p->src, 16);
	assert_memory_equal(a->dst, p->dst, 16);
}

/* A quote of 8, 28 and 128 bytes and all in between, with and without extensions, with IP options or
 * extension headers in the answer and in the quote. */
static void
test_errors(void **state)
{
	struct wire_probe p;
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	FOR_EACH_PROBE(p) {
		for (unsigned bits = 0; bits < 64; bits++) {
			struct answers_error e = {
				.unreachable = bits & 1,
				.outer_options = bits & 2,
				.quote_options = bits & 4,
				.labels = bits & 8 ? 3 : 0,
				.no_length = bits & 16,
				.shrink = bits & 32,
			};
			unsigned ip = (p.ipv == 4 ? 20 : 40) + (e.quote_options ? 8 : 0);

			for (unsigned quote = 8; quote <= 128; quote += quote == 8 ? 5 : 1) {
				/* Of in-band probes without their flags see test_short_quote. */
				if (p.method == PROBER_TCP_ACK && quote < 14)
					continue;
				e.quote = ip + quote;
				answers_error(&pkt, &p, &e);
				if (parse_pkt(&a, &pkt))
					fail_msg("IPv%d method %d, %u bytes quoted, form %u", p.ipv, p.method, quote, bits);
				assert_probe(&a, &p);
				assert_int_equal(a.kind, e.unreachable ? WIRE_UNREACHABLE : WIRE_TIME_EXCEEDED);
				assert_int_equal(a.icmp_type, p.ipv == 4 ? (e.unreachable ? 3 : 11) : e.unreachable ? 1 : 3);
				assert_int_equal(a.icmp_code, e.unreachable ? 3 : 0);
				assert_int_equal(a.reply_ttl, ANSWERS_REPLY_TTL);
				assert_int_equal(a.quoted_ttl, 1);
				assert_memory_equal(a.from, answers_router(p.ipv), 16);
				assert_memory_equal(a.to, p.src, 16);
				/* Without a length, extensions are where RFC 4884 puts them, or nowhere. */
				assert_int_equal(a.n_mpls, e.no_length && e.quote > 128 ? 0 : e.labels);
				for (unsigned i = 0; i < a.n_mpls; i++)
					assert_int_equal(a.mpls[i], answers_label(i, e.labels));
			}
		}
	}
}

static void
test_short_quote(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		struct wire_probe p = answers_probe(versions[i], PROBER_TCP_ACK);
		struct answers_error e = { .quote = (versions[i] == 4 ? 20 : 40) + 8 };
		struct answers_pkt pkt;
		struct wire_answer a;

		answers_error(&pkt, &p, &e);
		assert_int_equal(parse_pkt(&a, &pkt), 0);
		p.method = PROBER_TCP_SYN;
		assert_probe(&a, &p);
		e.labels = 1; /* padded to 128 with zeros: no flags there either */
		answers_error(&pkt, &p, &e);
		assert_int_equal(parse_pkt(&a, &pkt), 0);
		assert_probe(&a, &p);
		assert_int_equal(a.n_mpls, 1);
	}
}

/* One byte less than 8 behind the IP header does not name the probe. */
static void
test_quote_too_short(void **state)
{
	struct wire_probe p;
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	FOR_EACH_PROBE(p) {
		unsigned ip = p.ipv == 4 ? 20 : 40;

		for (unsigned quote = 0; quote < ip + 8; quote++) {
			answers_error(&pkt, &p, &(struct answers_error){ .quote = quote });
			assert_int_equal(parse_pkt(&a, &pkt), -1);
		}
	}
}

static void
test_labels(void **state)
{
	struct wire_probe p;
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	FOR_EACH_PROBE(p) {
		for (unsigned labels = 0; labels < 12; labels++) {
			answers_error(&pkt, &p, &(struct answers_error){ .quote = 128, .labels = labels });
			assert_int_equal(parse_pkt(&a, &pkt), 0);
			assert_int_equal(a.n_mpls, labels < PROBER_MPLS_MAX ? labels : PROBER_MPLS_MAX);
			for (unsigned i = 0; i < a.n_mpls; i++)
				assert_int_equal(a.mpls[i], answers_label(i, labels));
			assert_probe(&a, &p);
		}
	}
}

/* Another object first, two stacks, the wrong class or type, a length that is no multiple of four. */
static void
test_objects(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int n_mpls;
	} cases[] = {
		{ "", 0, 0 },
		{ "\0\10\1\1ABCD", 8, 1 },
		{ "\0\10\2\1abcd\0\10\1\1ABCD", 16, 1 },
		{ "\0\10\1\1ABCD\0\10\1\1EFGH", 16, 2 },
		{ "\0\4\1\1", 4, 0 },
		{ "\0\10\1\2ABCD", 8, 0 },
		{ "\0\10\3\1ABCD", 8, 0 },
		{ "\0\7\1\1ABC\0", 8, 0 },      /* three bytes, then one that is no object */
		{ "\0\3\1\1ABCD", 8, 0 },       /* shorter than its header: endless for the careless */
		{ "\0\0\1\1ABCD", 8, 0 },
		{ "\0\14\1\1ABCD", 8, 0 },      /* longer than the packet */
		{ "\0\10\1\1ABCD\0\10\1\1EF", 14, 0 },
		{ "\0\10\1\1ABCD\377", 9, 0 },
		{ "\377\377\1\1ABCD", 8, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		for (int v = 0; v < 2; v++) {
			struct wire_probe p = answers_probe(versions[v], PROBER_UDP);
			struct answers_pkt pkt;
			struct wire_answer a;

			answers_error(&pkt, &p, &(struct answers_error){ .quote = 128, .objects = cases[i].bytes,
									 .objects_len = cases[i].len, .extended = 1 });
			assert_int_equal(parse_pkt(&a, &pkt), 0);
			if (a.n_mpls != cases[i].n_mpls)
				fail_msg("case %zu: %d labels", i, a.n_mpls);
			assert_probe(&a, &p);
		}
	}
}

/* Every single bit of an extension turned: no label is believed, the quote still is.  A checksum of 0
 * says that there is none, but only where a length points to it. */
static void
test_extension_checksum(void **state)
{
	struct wire_probe p;
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	FOR_EACH_PROBE(p) {
		for (int no_length = 0; no_length < 2; no_length++) {
			struct answers_error e = { .quote = 128, .labels = 2, .no_length = no_length };

			answers_error(&pkt, &p, &e);
			for (size_t bit = pkt.extension * 8; bit < pkt.n * 8; bit++) {
				pkt.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
				assert_int_equal(parse_pkt(&a, &pkt), 0);
				assert_int_equal(a.n_mpls, 0);
				assert_probe(&a, &p);
				pkt.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
			}
			pkt.b[pkt.extension + 2] = pkt.b[pkt.extension + 3] = 0;
			assert_int_equal(parse_pkt(&a, &pkt), 0);
			assert_int_equal(a.n_mpls, no_length ? 0 : 2);
			/* Without one, only that all of it was copied says that nothing is missing. */
			assert_int_equal(parse(&a, pkt.b, pkt.n - 12), 0);
			assert_int_equal(a.n_mpls, 0);
			answers_error(&pkt, &p, &(struct answers_error){ .quote = 128, .no_length = no_length,
				.objects = "\0\10\1\1ABCD\0\10\1\1EFGH", .objects_len = 16, .extended = 1 });
			pkt.b[pkt.extension + 2] = pkt.b[pkt.extension + 3] = 0;
			assert_int_equal(parse(&a, pkt.b, pkt.n - 8), 0);
			assert_int_equal(a.n_mpls, 0);
		}
	}
}

/* A length field that points behind the packet, or into the quote: what an old router left there. */
static void
test_length_junk(void **state)
{
	struct wire_probe p;
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	FOR_EACH_PROBE(p) {
		for (int labels = 0; labels < 2; labels++) {
			for (unsigned length = 0; length < 256; length++) {
				answers_error(&pkt, &p, &(struct answers_error){ .quote = 128, .labels = labels });
				pkt.b[pkt.icmp + (p.ipv == 4 ? 5 : 4)] = (uint8_t)length;
				assert_int_equal(parse_pkt(&a, &pkt), 0);
				assert_probe(&a, &p);
				assert_int_equal(a.n_mpls, labels && (!length || length == (p.ipv == 4 ? 32 : 16)));
			}
		}
	}
}

/* NAT on the way shows in the quote, and only there. */
static void
test_nat_shows(void **state)
{
	struct wire_probe p;
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	FOR_EACH_PROBE(p) {
		struct wire_probe inside = p;

		inside.src[1] ^= 0x40;
		answers_error(&pkt, &inside, &(struct answers_error){ .quote = 64, .to = p.src });
		assert_int_equal(parse_pkt(&a, &pkt), 0);
		assert_memory_equal(a.src, inside.src, 16);
		assert_memory_equal(a.to, p.src, 16);
		assert_memory_equal(a.dst, p.dst, 16);
		assert_int_equal(a.token, p.token);
	}
}

/* SYN-ACK, RST, ACK: which flags mean what; the options do not matter. */
static void
test_tcp(void **state)
{
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	for (int v = 0; v < 2; v++) {
		struct wire_probe p = answers_probe(versions[v], PROBER_TCP_SYN);

		for (unsigned flags = 0; flags < 256; flags++) {
			unsigned kind = flags & 0x17;
			int want = flags & 1 ? 0 : kind == 0x12 ? WIRE_SYN_ACK : kind == 0x14 || kind == 0x04 ? WIRE_RST :
				   kind == 0x10 ? WIRE_ACK : 0;

			for (unsigned options = 0; options <= 40; options += 4) {
				answers_tcp(&pkt, &p, flags, options, 0);
				assert_int_equal(parse_pkt(&a, &pkt), want ? 0 : -1);
				if (!want)
					continue;
				assert_int_equal(a.kind, want);
				assert_int_equal(a.method, want == WIRE_ACK ? PROBER_TCP_ACK : PROBER_TCP_SYN);
				assert_int_equal(a.sport, p.sport);
				assert_int_equal(a.dport, p.dport);
				assert_int_equal(a.token, kind == 0x04 ? 0 : p.token);
				assert_int_equal(a.seq, ANSWERS_SEQ);
				assert_int_equal(a.reply_ttl, ANSWERS_REPLY_TTL);
				assert_int_equal(a.quoted_ttl, 0);
				assert_memory_equal(a.from, p.dst, 16);
				assert_memory_equal(a.dst, p.dst, 16);
				assert_memory_equal(a.to, p.src, 16);
				assert_memory_equal(a.src, p.src, 16);
			}
		}
		/* Data is traffic; a RST may say why in words (RFC 9293 section 3.5.3), a SYN-ACK may be fast open. */
		answers_tcp(&pkt, &p, 0x10, 12, 5);
		assert_int_equal(parse_pkt(&a, &pkt), -1);
		answers_tcp(&pkt, &p, 0x14, 0, 5);
		assert_int_equal(parse_pkt(&a, &pkt), 0);
		answers_tcp(&pkt, &p, 0x12, 4, 5);
		assert_int_equal(parse_pkt(&a, &pkt), 0);
		/* A header length that is too small, or longer than the packet. */
		for (unsigned words = 0; words < 16; words++) {
			answers_tcp(&pkt, &p, 0x12, 4, 0);
			pkt.b[pkt.icmp + 12] = (uint8_t)(words << 4);
			assert_int_equal(parse_pkt(&a, &pkt), words == 5 || words == 6 ? 0 : -1);
		}
	}
}

static void
test_echo(void **state)
{
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	for (int v = 0; v < 2; v++) {
		struct wire_probe p = answers_probe(versions[v], PROBER_ICMP);

		answers_echo(&pkt, &p);
		assert_int_equal(parse_pkt(&a, &pkt), 0);
		assert_probe(&a, &p);
		assert_int_equal(a.kind, WIRE_ECHO_REPLY);
		assert_int_equal(a.icmp_type, versions[v] == 4 ? 0 : 129);
		assert_int_equal(a.icmp_code, 0);
		assert_memory_equal(a.from, p.dst, 16);
		assert_memory_equal(a.to, p.src, 16);
		/* A foreign ping: another payload, a longer one, a shorter one. */
		pkt.b[pkt.n - 1] ^= 1;
		assert_int_equal(parse_pkt(&a, &pkt), -1);
		answers_echo(&pkt, &p);
		answers_grow(&pkt, 46);
		assert_int_equal(parse_pkt(&a, &pkt), -1);
		answers_echo(&pkt, &p);
		answers_grow(&pkt, -2);
		assert_int_equal(parse_pkt(&a, &pkt), -1);
		answers_echo(&pkt, &p);
		pkt.b[pkt.icmp + 1] = 1;
		assert_int_equal(parse_pkt(&a, &pkt), -1);
	}
}

/* Each ICMP type and code: three mean something. */
static void
test_icmp_types(void **state)
{
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	for (int v = 0; v < 2; v++) {
		int v4 = versions[v] == 4;
		struct wire_probe p = answers_probe(versions[v], PROBER_TCP_SYN);

		answers_error(&pkt, &p, &(struct answers_error){ .quote = 64 });
		for (int type = 0; type < 256; type++) {
			for (int code = 0; code < 256; code++) {
				int error = (type == (v4 ? 11 : 3) && !code) || type == (v4 ? 3 : 1);

				pkt.b[pkt.icmp] = (uint8_t)type;
				pkt.b[pkt.icmp + 1] = (uint8_t)code;
				assert_int_equal(parse_pkt(&a, &pkt), error ? 0 : -1);
				if (error) {
					assert_int_equal(a.icmp_type, type);
					assert_int_equal(a.icmp_code, code);
				}
			}
		}
	}
}

/* Each protocol number in a quote, each ICMP type, and our own RST. */
static void
test_quoted_others(void **state)
{
	struct wire_answer a;
	struct answers_pkt pkt, other;

	(void)state;
	for (int v = 0; v < 2; v++) {
		int v4 = versions[v] == 4;
		struct wire_probe p = answers_probe(versions[v], PROBER_TCP_SYN);
		size_t proto;

		for (unsigned n = 0; n < 256; n++) {
			answers_error(&pkt, &p, &(struct answers_error){ .quote = 64 });
			proto = pkt.icmp + 8 + (v4 ? 9 : 6);
			if (n == (v4 ? 1U : 58U) || (!v4 && (n == 0 || n == 43 || n == 60 || n == 51)))
				continue;
			pkt.b[proto] = (uint8_t)n;
			assert_int_equal(parse_pkt(&a, &pkt), n == 6 || n == 17 ? 0 : -1);
		}
		p.rst = 1;
		answers_error(&pkt, &p, &(struct answers_error){ .quote = 64 });
		assert_int_equal(parse_pkt(&a, &pkt), -1);
		p = answers_probe(versions[v], PROBER_ICMP);
		answers_error(&pkt, &p, &(struct answers_error){ .quote = 64 });
		for (unsigned type = 0; type < 256; type++) {
			pkt.b[pkt.icmp + 8 + (v4 ? 20 : 40)] = (uint8_t)type;
			assert_int_equal(parse_pkt(&a, &pkt), type == (v4 ? 8U : 128U) ? 0 : -1);
		}
		answers_error(&pkt, &p, &(struct answers_error){ .quote = 64 });
		pkt.b[pkt.icmp + 8 + (v4 ? 20 : 40) + 1] = 1;
		assert_int_equal(parse_pkt(&a, &pkt), -1);
		/* An IPv6 packet in an ICMPv4 error, and the other way. */
		p = answers_probe(v4 ? 6 : 4, PROBER_UDP);
		answers_error(&other, &p, &(struct answers_error){ .quote = 64 });
		assert_int_equal(parse_pkt(&a, &other), 0);
		pkt.n = pkt.icmp + 8;
		answers_put(&pkt, other.b + other.icmp + 8, other.n - other.icmp - 8);
		answers_grow(&pkt, 0);
		assert_int_equal(parse_pkt(&a, &pkt), -1);
		/* UDP without a checksum: not ours. */
		p = answers_probe(versions[v], PROBER_UDP);
		p.token = 0;
		answers_error(&pkt, &p, &(struct answers_error){ .quote = 64 });
		assert_int_equal(parse_pkt(&a, &pkt), -1);
	}
}

/* Every answer cut at every length: an answer is whole or the cut is behind what names the probe, and
 * then it names the same one. */
static void
test_cut(void **state)
{
	struct wire_probe p;
	struct wire_answer a, whole;
	struct answers_pkt pkt;

	(void)state;
	FOR_EACH_PROBE(p) {
		for (int form = 0; form < ANSWERS_FORMS; form++) {
			size_t first = 0;

			if (!answers_form(&pkt, &p, form))
				continue;
			assert_int_equal(parse_pkt(&whole, &pkt), 0);
			for (size_t len = 0; len < pkt.n; len++) {
				if (parse(&a, pkt.b, len)) {
					assert_int_equal(first, 0); /* once enough is there, it stays enough */
					continue;
				}
				if (!first)
					first = len;
				assert_int_equal(a.kind, whole.kind);
				assert_int_equal(a.token, whole.token);
				assert_int_equal(a.sport, whole.sport);
				assert_int_equal(a.dport, whole.dport);
				assert_memory_equal(a.src, whole.src, 16);
				assert_memory_equal(a.dst, whole.dst, 16);
				assert_int_equal(a.n_mpls, 0); /* extensions need all of it */
			}
			/* A link's padding is not the packet's. */
			assert_int_equal(parse(&a, pkt.b, pkt.n + 30), 0);
			assert_memory_equal(&a, &whole, sizeof a);
		}
	}
}

/* The header's own lies: version, header length, total length, fragments, chains of headers. */
static void
test_headers(void **state)
{
	struct wire_probe p = answers_probe(4, PROBER_TCP_SYN);
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	assert_int_equal(parse(&a, "", 0), -1);
	for (unsigned first = 0; first < 256; first++) {
		answers_tcp(&pkt, &p, 0x12, 0, 0);
		pkt.b[0] = (uint8_t)first;
		/* A longer header than sent moves what is read as TCP; this one has a bad length there then. */
		assert_int_equal(parse_pkt(&a, &pkt), first == 0x45 ? 0 : -1);
	}
	for (unsigned total = 0; total < 40; total++) {
		answers_tcp(&pkt, &p, 0x12, 0, 0);
		answers_set16(&pkt, 2, total);
		assert_int_equal(parse_pkt(&a, &pkt), -1);
	}
	for (unsigned bit = 0; bit < 16; bit++) {
		answers_tcp(&pkt, &p, 0x12, 0, 0);
		answers_set16(&pkt, 6, 1U << bit);
		assert_int_equal(parse_pkt(&a, &pkt), bit >= 14 ? 0 : -1); /* DF and the reserved bit are fine */
	}
	p = answers_probe(6, PROBER_TCP_SYN);
	for (unsigned payload = 0; payload < 20; payload++) {
		answers_tcp(&pkt, &p, 0x12, 0, 0);
		answers_set16(&pkt, 4, payload);
		assert_int_equal(parse_pkt(&a, &pkt), -1);
	}
	for (unsigned n = 0; n < 20; n++) {
		answers_chain(&pkt, &p, n);
		assert_int_equal(parse_pkt(&a, &pkt), n <= IPV6_HEADERS_MAX ? 0 : -1);
		if (n <= IPV6_HEADERS_MAX)
			assert_int_equal(a.token, p.token);
	}
}

/* Any byte of any answer to anything: it may say something else, it never reads further. */
static void
test_any_byte(void **state)
{
	struct wire_probe p;
	struct wire_answer a;
	struct answers_pkt pkt;

	(void)state;
	FOR_EACH_PROBE(p) {
		for (int form = 0; form < ANSWERS_FORMS; form++) {
			if (!answers_form(&pkt, &p, form))
				continue;
			for (size_t at = 0; at < pkt.n; at++) {
				uint8_t was = pkt.b[at];

				for (unsigned v = 0; v < 256; v += 5) {
					pkt.b[at] = (uint8_t)v;
					if (!parse_pkt(&a, &pkt)) {
						assert_in_range(a.kind, WIRE_TIME_EXCEEDED, WIRE_ECHO_REPLY);
						assert_true(a.n_mpls <= PROBER_MPLS_MAX);
					}
				}
				pkt.b[at] = was;
			}
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_build_tcp),
		cmocka_unit_test(test_build_udp),
		cmocka_unit_test(test_build_icmp),
		cmocka_unit_test(test_build_length),
		cmocka_unit_test(test_paris),
		cmocka_unit_test(test_flows_differ),
		cmocka_unit_test(test_checksum_ends),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_short_quote),
		cmocka_unit_test(test_quote_too_short),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_objects),
		cmocka_unit_test(test_extension_checksum),
		cmocka_unit_test(test_length_junk),
		cmocka_unit_test(test_nat_shows),
		cmocka_unit_test(test_tcp),
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_icmp_types),
		cmocka_unit_test(test_quoted_others),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_any_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
