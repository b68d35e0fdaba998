/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as a request.  What is let through has every field in its range, aims at no network that must
 * not be traced, and a probe made of it is well formed; the budget counts it as it says.
 */
#include <string.h>

#include "../../src/prober/admit.c"
#include "../../src/prober/budget.h"
#include "../../src/prober/wire.h"
#include "must.h"

#define WALL 1800000000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Written apart from admit.c's tables: by the first bytes. */
static int
is_unicast_of_the_internet(uint8_t ipv, const uint8_t *a)
{
	if (ipv == 6)
		return a[0] >> 5 == 1 && !(a[0] == 0x20 && a[1] == 1 && a[2] < 2) &&
		       !(a[0] == 0x20 && a[1] == 1 && a[2] == 0x0d && a[3] == 0xb8) && !(a[0] == 0x20 && a[1] == 2) &&
		       !(a[0] == 0x3f && a[1] == 0xff && a[2] < 0x10);
	return a[0] && a[0] < 224 && a[0] != 10 && a[0] != 127 && !(a[0] == 100 && a[1] / 64 == 1) &&
	       !(a[0] == 169 && a[1] == 254) && !(a[0] == 172 && a[1] / 16 == 1) && !(a[0] == 192 && a[1] == 168) &&
	       !(a[0] == 192 && !a[1] && (a[2] == 0 || a[2] == 2)) && !(a[0] == 192 && a[1] == 88 && a[2] == 99) &&
	       !(a[0] == 198 && a[1] / 2 == 9) && !(a[0] == 198 && a[1] == 51 && a[2] == 100) &&
	       !(a[0] == 203 && !a[1] && a[2] == 113);
}

static void
admitted(const struct admit *a, const struct prober_request *q, struct budget *budget)
{
	struct wire_probe p = { .ipv = q->ipv, .method = q->method, .ttl = q->max_ttl, .sport = PROBER_PORT_FIRST,
				.dport = q->dport, .token = 0x12345678 };
	uint8_t bytes[WIRE_PROBE_MAX];
	size_t len;
	int left;

	must(q->ipv == 4 || q->ipv == 6, "ipv");
	must(q->method < PROBER_METHODS && a->sockets[q->ipv == 6][q->method], "method");
	must(q->trigger < PROBER_TRIGGERS && q->flags < 4, "trigger, flags");
	must(q->max_ttl >= 1 && q->max_ttl <= 64 && q->tries >= 1 && q->tries <= 3 && q->probes >= 1 && q->probes <= 3,
	     "ttl, tries, probes");
	must(q->method == PROBER_ICMP ? !q->dport : q->dport != 0, "port");
	must(a->any_target || is_unicast_of_the_internet(q->ipv, q->dst), "bogon");
	must(q->ipv == 6 || (q->dst[0] && q->dst[0] < 224), "multicast");
	must(q->ipv == 4 || (q->dst[0] != 0xff && !(q->dst[0] == 0xfe && q->dst[1] >> 6 == 2)), "multicast, link-local");
	must(!(q->ipv == 4 && q->dst[0] == 11), "home");
	must(!(q->ipv == 4 && q->dst[0] == 12 && q->dst[1] == 1), "exclude");
	memcpy(p.dst, q->dst, 16);
	len = wire_build(bytes, &p);
	must(len >= 8 && len <= WIRE_PROBE_MAX, "length of a probe");
	left = budget_left(budget, q->ipv, q->dst, WALL);
	must(budget_take(budget, q->ipv, q->dst, WALL) == left, "budget");
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct addr_prefix home = { 4, 8, { 11 } }, exclude = { 4, 16, { 12, 1 } };
	static struct budget *budget;
	struct prober_request q;
	struct admit a = { .home = &home, .exclude = &exclude, .n_home = 1, .n_exclude = 1 };
	int status;

	if (!size)
		return 0;
	if (!budget)
		budget = budget_open(-1, 3, WALL);
	/* The first byte: which sockets there are. */
	a.any_target = data[0] & 1;
	for (int m = 0; m < PROBER_METHODS; m++)
		a.sockets[0][m] = a.sockets[1][m] = data[0] >> (4 + m) & 1;
	status = admit_request(&a, data + 1, size - 1, &q);
	must(status == -1 || size - 1 == sizeof q, "a size that is none");
	if (status == PROBER_DONE)
		admitted(&a, &q, budget);
	else
		must(status == -1 || (status >= PROBER_REFUSED && status <= PROBER_BUSY), "status");
	return 0;
}
