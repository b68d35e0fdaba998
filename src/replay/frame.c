/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * frame.c - Ethernet with VLAN tags and PPPoE, raw IP, Linux cooked v1 and v2, BSD loopback.
 */
#include "frame.h"

#include <errno.h>
#include <pcap/dlt.h>

#include "lib/cur.h"

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100
#define TYPE_QINQ 0x88a8
#define TYPE_QINQ_OLD 0x9100
#define TYPE_PPPOE 0x8864 /* RFC 2516, session stage */
#define PPP_IPV4 0x0021
#define PPP_IPV6 0x0057
#define TAGS_MAX 4

static void
take_ip(struct frame *f, struct cur *c)
{
	if (c->bad || !cur_left(c))
		return;
	f->ip = c->p;
	f->len = cur_left(c);
}

static void
by_ethertype(struct frame *f, struct cur *c, uint16_t type)
{
	for (int n = 0; n < TAGS_MAX && (type == TYPE_VLAN || type == TYPE_QINQ || type == TYPE_QINQ_OLD); n++) {
		f->vlan = cur_be16(c) & 0xfff;
		type = cur_be16(c);
	}
	if (type == TYPE_PPPOE) {
		cur_skip(c, 6);
		type = cur_be16(c);
		type = type == PPP_IPV4 ? TYPE_IPV4 : type == PPP_IPV6 ? TYPE_IPV6 : 0;
	}
	if (type == TYPE_IPV4 || type == TYPE_IPV6)
		take_ip(f, c);
}

int
frame_decode(struct frame *f, int dlt, const void *bytes, size_t len)
{
	struct cur c = cur_of(bytes, len);
	uint16_t type;

	*f = (struct frame){ 0 };
	switch (dlt) {
	case DLT_EN10MB:
		cur_skip(&c, 12);
		type = cur_be16(&c);
		by_ethertype(f, &c, type);
		return 0;
	case DLT_LINUX_SLL:
		cur_skip(&c, 14);
		type = cur_be16(&c);
		by_ethertype(f, &c, type);
		return 0;
	case DLT_LINUX_SLL2:
		type = cur_be16(&c);
		cur_skip(&c, 18);
		by_ethertype(f, &c, type);
		return 0;
	case DLT_NULL:
	case DLT_LOOP:
		cur_skip(&c, 4); /* an address family whose number each system chose; the IP version tells */
		take_ip(f, &c);
		return 0;
	case DLT_RAW:
	case DLT_IPV4:
	case DLT_IPV6:
		take_ip(f, &c);
		return 0;
	default:
		return -ENOTSUP;
	}
}
