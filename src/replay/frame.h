/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * frame.h - link-layer framing of a capture: bytes as libpcap gives them to an IP packet.  Pure.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stddef.h>
#include <stdint.h>

struct frame {
	const uint8_t *ip;  /* lent; NULL: no IP in it */
	size_t len;
	uint16_t vlan;      /* innermost 802.1Q id, 0: none */
};

/* dlt: DLT_* of pcap.h (link type NFLOG is not framing: see batch_body()).  0, or -ENOTSUP for a
 * link type that we do not know.  A frame without IP, or cut short, has ip NULL. */
int frame_decode(struct frame *, int dlt, const void *bytes, size_t len);

#endif
