/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rawsock.h - raw sockets to send probes through and to hear their answers, opened by who has the
 * right, used by who has none.  What they send carries a mark; what they receive is only what can
 * answer such a probe: a locked filter (classic BPF) drops the rest in the kernel.
 *
 * Sending: no IP_HDRINCL, so the kernel writes the IP header.  TTL and source go along as control
 * messages: IP_TTL and IP_PKTINFO, IPV6_HOPLIMIT and IPV6_PKTINFO.  The flow label is 0 unless an
 * IPV6_FLOWINFO message says otherwise.  ICMPv6: the kernel writes the checksum.
 *
 * Receiving: arrival time SCM_TIMESTAMPNS.  IPv4 begins with the IP header; IPv6 does not, there
 * the hop limit and our address come as IPV6_HOPLIMIT and IPV6_PKTINFO messages.
 */
#ifndef RAWSOCK_H
#define RAWSOCK_H

#include <stddef.h>
#include <stdint.h>

enum rawsock_kind {
	RAWSOCK_TCP4,
	RAWSOCK_TCP6,
	RAWSOCK_UDP4,  /* these two receive nothing: their answers are ICMP */
	RAWSOCK_UDP6,
	RAWSOCK_ICMP4,
	RAWSOCK_ICMP6,
	RAWSOCK_TCPX4, /* any source address (IP_TRANSPARENT, needs CAP_NET_ADMIN or CAP_NET_RAW); receive nothing */
	RAWSOCK_TCPX6,
	RAWSOCK_KINDS,
};

struct rawsock_conf {
	uint32_t mark;       /* SO_MARK (CAP_NET_ADMIN; since Linux 5.17 also CAP_NET_RAW) */
	uint16_t port_first; /* of the probes' source ports and ICMP identifiers: answers to others */
	uint16_t port_last;  /* are not received */
	int deaf;            /* 1: receive nothing at all, answers come another way */
	int transparent;     /* 1: RAWSOCK_TCPX4 and 6 too */
};

struct rawsock_set {
	int fd[RAWSOCK_KINDS]; /* non-blocking, close-on-exec; -1: there is none */
};

/* Opens what this machine has: without IPv6 those kinds are -1.  0; or -errno, nothing open, and in
 * err what failed and which right is missing. */
int rawsock_open(struct rawsock_set *, const struct rawsock_conf *, char *err, size_t size);
void rawsock_close(struct rawsock_set *);

/* "tcp4", "tcpx6". */
const char *rawsock_name(enum rawsock_kind);

#endif
