/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * admit.c - checks of a request that need no more than the request and the settings.
 */
#include "admit.h"

#include <string.h>

#define V4(a, b, c, len) { 4, len, { a, b, c } }
#define V6(a, b, c, d, len) \
	{ 6, len, { (a) >> 8, (a) & 0xff, (b) >> 8, (b) & 0xff, (c) >> 8, (c) & 0xff, (d) >> 8, (d) & 0xff } }

/* No host's address anywhere, or one that a raw socket cannot aim at without an interface. */
static const struct addr_prefix never[] = {
	V4(0, 0, 0, 8),         /* this network (RFC 791) */
	V4(224, 0, 0, 4),       /* multicast (RFC 5771) */
	V4(240, 0, 0, 4),       /* reserved (RFC 1112), limited broadcast (RFC 919) */
	V6(0, 0, 0, 0, 96),     /* unspecified, loopback (RFC 4291), IPv4-compatible */
	{ 6, 96, { [10] = 0xff, [11] = 0xff } }, /* IPv4-mapped (RFC 4291) */
	V6(0xfe80, 0, 0, 0, 10), /* link-local: needs an interface (RFC 4291) */
	V6(0xff00, 0, 0, 0, 8), /* multicast (RFC 4291) */
};

/* The IANA special-purpose address registries (RFC 6890, RFC 8190), where "globally reachable" is
 * not true; blocks inside a wider one are not named again. */
static const struct addr_prefix bogons[] = {
	V4(10, 0, 0, 8),        /* private use (RFC 1918) */
	V4(100, 64, 0, 10),     /* shared address space (RFC 6598) */
	V4(127, 0, 0, 8),       /* loopback (RFC 1122) */
	V4(169, 254, 0, 16),    /* link-local (RFC 3927) */
	V4(172, 16, 0, 12),     /* private use (RFC 1918) */
	V4(192, 0, 0, 24),      /* IETF protocol assignments (RFC 6890) */
	V4(192, 0, 2, 24),      /* documentation (RFC 5737) */
	V4(192, 88, 99, 24),    /* 6to4 relay anycast, deprecated (RFC 7526) */
	V4(192, 168, 0, 16),    /* private use (RFC 1918) */
	V4(198, 18, 0, 15),     /* benchmarking (RFC 2544) */
	V4(198, 51, 100, 24),   /* documentation (RFC 5737) */
	V4(203, 0, 113, 24),    /* documentation (RFC 5737) */
	V6(0x2001, 0, 0, 0, 23), /* IETF protocol assignments (RFC 2928), Teredo, benchmarking, ORCHID */
	V6(0x2001, 0xdb8, 0, 0, 32), /* documentation (RFC 3849) */
	V6(0x2002, 0, 0, 0, 16), /* 6to4 (RFC 3056): an IPv4 address that nobody checked */
	V6(0x3fff, 0, 0, 0, 20), /* documentation (RFC 9637) */
};

/* All that IANA gives out as global unicast (RFC 4291, 2.4); unique local addresses (RFC 4193), SRv6
 * SIDs (RFC 9602), NAT64 (RFC 6052) and discard-only (RFC 6666) lie outside. */
static const struct addr_prefix global6 = V6(0x2000, 0, 0, 0, 3);

static int
in_any(const struct addr_prefix *list, size_t n, uint8_t ipv, const uint8_t *addr)
{
	for (size_t i = 0; i < n; i++) {
		if (addr_in(&list[i], ipv, addr))
			return 1;
	}
	return 0;
}

#define IN_ANY(list, ipv, addr) in_any(list, sizeof(list) / sizeof *(list), ipv, addr)

enum prober_status
admit_address(const struct admit *a, uint8_t ipv, const uint8_t addr[16])
{
	if (IN_ANY(never, ipv, addr))
		return PROBER_BOGON;
	/* In front of the bogons, most of which are somebody's home: the reason says more. */
	if (in_any(a->home, a->n_home, ipv, addr))
		return PROBER_HOME;
	if (in_any(a->exclude, a->n_exclude, ipv, addr))
		return PROBER_EXCLUDED;
	if (a->any_target)
		return PROBER_DONE;
	if (IN_ANY(bogons, ipv, addr) || (ipv == 6 && !addr_in(&global6, 6, addr)))
		return PROBER_BOGON;
	return PROBER_DONE;
}

/* The bytes behind an IPv4 address are zero. */
static int
is_padded(uint8_t ipv, const uint8_t addr[16])
{
	static const uint8_t zero[12];

	return ipv == 6 || !memcmp(addr + 4, zero, sizeof zero);
}

static int
in_range(const struct admit *a, const struct prober_request *q)
{
	if ((q->ipv != 4 && q->ipv != 6) || q->method >= PROBER_METHODS || q->trigger >= PROBER_TRIGGERS ||
	    q->flags & ~(PROBER_REQ_PROGRESS | PROBER_REQ_FRESH) || q->max_ttl > PROBER_HOPS_MAX || q->tries > 3 ||
	    q->probes > PROBER_RTTS_MAX || !is_padded(q->ipv, q->dst))
		return 0;
	if (!a->sockets[q->ipv == 6][q->method])
		return 0;
	if (q->method != PROBER_ICMP && !q->dport)
		return 0;
	/* In-band: the other end of the connection is some host's, too. */
	return q->method != PROBER_TCP_ACK ||
	       (q->sport && is_padded(q->ipv, q->src) && !IN_ANY(never, q->ipv, q->src));
}

int
admit_request(const struct admit *a, const void *bytes, size_t len, struct prober_request *q)
{
	if (len != sizeof *q)
		return -1;
	memcpy(q, bytes, sizeof *q);
	if (q->type != PROBER_MSG_TRACE)
		return -1;
	if (!in_range(a, q))
		return PROBER_BAD_REQUEST;
	if (!q->max_ttl)
		q->max_ttl = PROBER_TTL_DEFAULT;
	if (!q->tries)
		q->tries = 2;
	if (!q->probes)
		q->probes = 1;
	if (q->method == PROBER_ICMP)
		q->dport = 0;
	q->pad = 0;
	return (int)admit_address(a, q->ipv, q->dst);
}
