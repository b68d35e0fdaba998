/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as an answer to a probe, and any bytes as a probe that is sent, quoted in an ICMP error
 * of any form, and must come back as the same probe.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/prober/wire.c"
#include "../unit/wire_answers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
fail(const char *what)
{
	fprintf(stderr, "%s\n", what);
	abort();
}

static void
check(int ok, const char *what)
{
	if (!ok)
		fail(what);
}

/* Any bytes: no overrun, the same twice, and only what the header promises. */
static void
any_answer(const uint8_t *data, size_t size)
{
	struct wire_answer a, b;

	memset(&a, 0x55, sizeof a);
	memset(&b, 0xaa, sizeof b);
	check(wire_parse(&a, data, size) == wire_parse(&b, data, size), "another verdict the second time");
	check(!memcmp(&a, &b, sizeof a), "not the same twice");
	if (wire_parse(&a, data, size))
		return;
	check(a.kind >= WIRE_TIME_EXCEEDED && a.kind <= WIRE_ECHO_REPLY, "a kind");
	check(a.ipv == 4 || a.ipv == 6, "a family");
	check(a.method < PROBER_METHODS, "a method");
	check(a.n_mpls <= PROBER_MPLS_MAX, "so many labels");
	check(a.method != PROBER_UDP || a.token, "a UDP token is never 0");
	check((a.method != PROBER_UDP && a.method != PROBER_ICMP) || a.token <= 0xffff, "16 bits");
	check(a.method != PROBER_ICMP || !a.dport, "ICMP has no ports");
	if (a.kind > WIRE_UNREACHABLE)
		check(!a.n_mpls && !a.quoted_ttl && !memcmp(a.from, a.dst, 16) && !memcmp(a.to, a.src, 16),
		      "nothing is quoted by a destination's own answer");
}

/* build -> quote -> parse. */
static void
round_trip(const uint8_t *data, size_t size)
{
	struct cur c = cur_of(data, size);
	uint8_t first = cur_u8(&c), form = cur_u8(&c), room = cur_u8(&c), labels = cur_u8(&c);
	struct wire_probe p = { .ipv = first & 1 ? 4 : 6, .method = (first >> 1) % PROBER_METHODS };
	struct answers_error e = {
		.unreachable = form & 1,
		.outer_options = form >> 1 & 1,
		.quote_options = form >> 2 & 1,
		.no_length = form >> 3 & 1,
		.shrink = form >> 4 & 1,
		.labels = labels % 12,
	};
	struct answers_pkt pkt;
	struct wire_answer a;

	p.sport = cur_be16(&c);
	p.dport = p.method == PROBER_ICMP ? 0 : cur_be16(&c);
	p.token = cur_be32(&c);
	if (p.method == PROBER_UDP || p.method == PROBER_ICMP)
		p.token &= 0xffff;
	if (p.method == PROBER_UDP && !p.token)
		p.token = 1;
	p.ack = cur_be32(&c);
	cur_copy(&c, p.src, p.ipv == 4 ? 4 : 16);
	cur_copy(&c, p.dst, p.ipv == 4 ? 4 : 16);
	/* At least the TCP flags: without them an in-band probe passes for a SYN. */
	e.quote = (p.ipv == 4 ? 20U : 40U) + (e.quote_options ? 8 : 0) + (p.method == PROBER_TCP_ACK ? 14 : 8) + room % 64;
	answers_error(&pkt, &p, &e);
	check(!wire_parse(&a, pkt.b, pkt.n), "the answer is not understood");
	check(a.ipv == p.ipv && a.method == p.method && a.sport == p.sport && a.dport == p.dport &&
	      a.token == p.token && !memcmp(a.src, p.src, 16) && !memcmp(a.dst, p.dst, 16), "another probe came back");
	check(a.kind == (e.unreachable ? WIRE_UNREACHABLE : WIRE_TIME_EXCEEDED), "another kind");
	check(a.n_mpls == (e.no_length && e.quote > 128 ? 0 : e.labels < PROBER_MPLS_MAX ? e.labels : PROBER_MPLS_MAX),
	      "another number of labels");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	any_answer(data, size);
	round_trip(data, size);
	return 0;
}
