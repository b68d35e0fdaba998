/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * packet_rules.h - what holds of every struct ng_packet that packet_decode() fills, whatever the
 * bytes were.  Used by the unit test and the fuzz target.
 */
#ifndef PACKET_RULES_H
#define PACKET_RULES_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#include "plugin.h"

static inline int
packet_rules_zero(const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n--)
		if (*b++)
			return 0;
	return 1;
}

/* NULL, or the rule that was broken. */
static inline const char *
packet_rules(const struct ng_packet *p, size_t len)
{
	const unsigned known = NG_HAS_IP | NG_HAS_PORTS | NG_HAS_TCP | NG_HAS_ICMP | NG_HAS_FRAGMENT |
			       NG_HAS_DATA;
	int with_ports = p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP || p->proto == IPPROTO_SCTP ||
			 p->proto == 136;
	int icmp = p->proto == IPPROTO_ICMP || p->proto == IPPROTO_ICMPV6;

	if (p->size != sizeof *p || p->cap_len != len)
		return "size and cap_len are filled in";
	if (p->status > NG_PACKET_UNSUPPORTED)
		return "the status is one of four";
	if (p->ts_us || p->iif || p->oif || p->mark || p->group || p->vlan || p->classes || p->pad_ ||
	    p->hook != NG_HOOK_NONE)
		return "the caller's fields are zero";
	if (p->has & ~known)
		return "the decoder knows nothing of time and VLAN";
	if (!(p->has & NG_HAS_IP) != !p->ipv || (p->ipv && p->ipv != 4 && p->ipv != 6))
		return "IP is known when its version is";
	if ((p->has & ~NG_HAS_IP) && !(p->has & NG_HAS_IP))
		return "nothing is known without the IP header";
	if ((p->has & NG_HAS_IP) && !p->ip_len)
		return "an IP packet has a length";
	if (p->ipv == 4 && (!packet_rules_zero(p->saddr + 4, 12) || !packet_rules_zero(p->daddr + 4, 12)))
		return "behind an IPv4 address all is zero";
	if ((p->has & NG_HAS_TCP) && (p->proto != IPPROTO_TCP || !(p->has & NG_HAS_PORTS)))
		return "TCP has ports";
	if ((p->has & NG_HAS_DATA) && (!(p->has & NG_HAS_TCP) || p->ip_len <= 40))
		return "data comes behind a TCP header";
	if ((p->has & NG_HAS_PORTS) && !with_ports)
		return "ports belong to TCP, UDP, UDP-Lite and SCTP";
	if ((p->has & NG_HAS_ICMP) && !icmp)
		return "type and code belong to ICMP";
	if (p->status == NG_PACKET_OK && !(p->has & (NG_HAS_PORTS | NG_HAS_ICMP)))
		return "a packet that is all right has a transport";
	if (p->status == NG_PACKET_OK && p->proto == IPPROTO_TCP && !(p->has & NG_HAS_TCP))
		return "a TCP packet that is all right has a TCP header";
	if (p->status == NG_PACKET_UNSUPPORTED && (p->has & (NG_HAS_PORTS | NG_HAS_ICMP)))
		return "of an unsupported packet no transport is known";
	if (p->wscale > 14 || (p->wscale && !(p->tcp_opts & NG_TCPOPT_WSCALE)))
		return "a window scale is at most 14 and comes with its option";
	if (p->mss && !(p->tcp_opts & NG_TCPOPT_MSS))
		return "an MSS comes with its option";
	if (p->tcp_opts && !(p->has & NG_HAS_TCP))
		return "TCP options come behind a TCP header";
	return NULL;
}

#endif
