/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * wire.h - probes as bytes, and what answers say about them.  Pure.
 *
 * Paris (Augustin et al., IMC 2006): what routers hash stays the same over a trace: addresses, ports,
 * for ICMP the checksum and the identifier, for IPv6 the flow label (the kernel's, by socket).
 * The token is what tells one probe from another, in a place that an answer quotes or mirrors:
 *
 *   TCP SYN   sequence number, 32 bits; a SYN-ACK or RST acknowledges token + 1
 *   TCP ACK   sequence number (iss - n, below the window: answered with an ACK at most), 32 bits
 *   UDP       checksum, 16 bits, never 0; two bytes of payload make up for it
 *   ICMP      echo sequence number, 16 bits; two bytes of payload keep the checksum constant
 *
 * An ICMP error quotes at least 8 bytes behind the IP header (RFC 792), which hold all of these;
 * extensions (RFC 4884, MPLS: RFC 4950) are read when they are there.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "prober.h"

#define WIRE_PROBE_MAX 64

struct wire_probe {
	uint8_t ipv;
	uint8_t method;         /* enum prober_method */
	uint8_t ttl;
	uint8_t rst;            /* TCP: a RST with sequence `token`, to end what a SYN-ACK began */
	uint16_t sport;         /* ICMP: the identifier */
	uint16_t dport;
	uint32_t token;
	uint32_t ack;           /* PROBER_TCP_ACK: acknowledgment number */
	uint8_t src[16];        /* for checksums; the kernel writes the IP header */
	uint8_t dst[16];
};

/* The transport header and payload; the length, at most WIRE_PROBE_MAX. */
size_t wire_build(uint8_t out[WIRE_PROBE_MAX], const struct wire_probe *);

enum wire_kind {
	WIRE_TIME_EXCEEDED = 1, /* ICMP 11/0, ICMPv6 3/0 */
	WIRE_UNREACHABLE = 2,   /* ICMP 3, ICMPv6 1: see icmp_code */
	WIRE_SYN_ACK = 3,
	WIRE_RST = 4,
	WIRE_ACK = 5,           /* neither: the far end's answer to an in-band probe */
	WIRE_ECHO_REPLY = 6,
};

/* What one packet says about one probe. */
struct wire_answer {
	uint8_t kind;           /* enum wire_kind */
	uint8_t ipv;
	uint8_t method;         /* of the probe; a SYN-ACK, RST: PROBER_TCP_SYN; so too where a quote
				 * ends before the TCP flags (8 bytes): an in-band probe then passes for it */
	uint8_t reply_ttl;      /* of this packet */
	uint8_t icmp_type;      /* with TIME_EXCEEDED, UNREACHABLE, ECHO_REPLY */
	uint8_t icmp_code;
	uint8_t quoted_ttl;     /* TTL of the quoted packet; 0: none quoted */
	uint8_t n_mpls;
	uint16_t sport;         /* the probe's, as quoted or mirrored; ICMP: the identifier */
	uint16_t dport;
	uint32_t token;         /* the probe's; of SYN_ACK, RST, ACK: its acknowledgment - 1; 0: a RST without */
	uint32_t seq;           /* SYN_ACK, RST, ACK: its own sequence number */
	uint8_t from[16];       /* who answered */
	uint8_t to[16];         /* whom: our address */
	uint8_t src[16];        /* the probe's source, as quoted (NAT on the way shows), or `to` */
	uint8_t dst[16];        /* the probe's destination, as quoted, or `from` */
	uint32_t mpls[PROBER_MPLS_MAX];
};

/* A packet from its IP header on, as far as it was copied.  0; -1: no answer to any probe (another
 * protocol, cut short, contradicting itself), *answer is worth nothing.  Extensions are read when all
 * of the packet was copied: 40 + 8 + 128 + 4 + 4 + 4 bytes a label, 200 for four labels over IPv6. */
int wire_parse(struct wire_answer *, const uint8_t *packet, size_t len);

#endif
