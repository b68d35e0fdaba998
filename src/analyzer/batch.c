/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * batch.c - netlink datagram to messages.  Receives what recv() gave, hands each message to the
 * engine.
 *
 * The attributes are walked here and not by libmnl's iterators: these are several calls through
 * the PLT for each attribute, 11 of which come with a packet (measured: 200 ns of 300).
 */
#include "batch.h"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netlink.h>
#include <string.h>

#define TYPE_PACKET (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)

/* Since Linux 4.20; an older build's headers may lack them. */
#define ATTR_VLAN 19     /* NFULA_VLAN */
#define ATTR_VLAN_TCI 2  /* NFULA_VLAN_TCI */

/* The year 10000: what a report's `ts` cannot say. */
#define TIME_END_S 253402300800ULL

/* The next attribute: 1; 0 when there is none; -1 and the cursor bad when it contradicts itself.  One
 * comparison for all of its bytes: a packet has 11 of them. */
static inline int
attribute(struct cur *c, uint16_t *type, struct cur *body)
{
	size_t left = cur_left(c), step;
	uint16_t head[2]; /* length, type */

	if (left < NLA_HDRLEN)
		return 0;
	memcpy(head, c->p, sizeof head);
	if (head[0] < NLA_HDRLEN || head[0] > left) {
		c->bad = 1;
		return -1;
	}
	*type = head[1] & NLA_TYPE_MASK;
	*body = cur_of(c->p + NLA_HDRLEN, head[0] - (size_t)NLA_HDRLEN);
	step = NLA_ALIGN((size_t)head[0]);
	/* A guess, not a conditional move: the next one need not wait for `left`. */
	c->p += __builtin_expect(step <= left, 1) ? step : left;
	return 1;
}

/* The nest is bad afterwards when it contradicts itself. */
static uint16_t
vlan_of(struct cur *nest)
{
	struct cur body;
	uint16_t type;

	while (attribute(nest, &type, &body) > 0) {
		if (type == ATTR_VLAN_TCI) {
			uint16_t tci = cur_be16(&body);

			nest->bad |= body.bad;
			return tci & 0xfff;
		}
	}
	return 0;
}

static int
attributes(struct cur c, struct batch_msg *m)
{
	struct cur body;
	uint16_t type;
	int r;

	while ((r = attribute(&c, &type, &body)) > 0) {
		uint64_t s, us;

		switch (type) {
		case NFULA_PACKET_HDR:
			cur_skip(&body, 2);
			m->hook = cur_u8(&body);
			break;
		case NFULA_MARK:
			m->mark = cur_be32(&body);
			break;
		case NFULA_TIMESTAMP:
			s = cur_be64(&body);
			us = cur_be64(&body);
			m->has_ts = s < TIME_END_S && us < 1000000 && (s || us);
			m->ts_us = m->has_ts ? (int64_t)(s * 1000000 + us) : 0;
			break;
		case NFULA_IFINDEX_INDEV:
			m->iif = cur_be32(&body);
			break;
		case NFULA_IFINDEX_OUTDEV:
			m->oif = cur_be32(&body);
			break;
		case NFULA_SEQ:
			m->seq = cur_be32(&body);
			m->has_seq = 1;
			break;
		case ATTR_VLAN:
			m->vlan = vlan_of(&body);
			break;
		case NFULA_PAYLOAD:
			m->payload = body.p;
			m->payload_len = cur_left(&body);
			break;
		default:
			break;
		}
		if (body.bad)
			return -1; /* shorter than its type */
	}
	return r;
}

int
batch_body(struct cur *body, struct batch_msg *m)
{
	memset(m, 0, sizeof *m);
	m->family = cur_u8(body);
	cur_skip(body, 1);
	m->group = cur_be16(body); /* nfgenmsg.res_id */
	return body->bad || attributes(*body, m) ? -1 : 0;
}

int
batch_next(struct cur *c, struct batch_msg *m)
{
	while (cur_left(c) >= NLMSG_HDRLEN) {
		uint32_t len = cur_u32(c);
		uint16_t type = cur_u16(c);
		struct cur body;
		size_t left;

		cur_skip(c, NLMSG_HDRLEN - 6);
		if (len < NLMSG_HDRLEN) {
			c->p = c->end; /* no way to find the next one */
			return -1;
		}
		body = cur_sub(c, len - NLMSG_HDRLEN);
		if (body.bad) {
			c->bad = 0;
			return -1;
		}
		left = cur_left(c);
		cur_skip(c, ((0U - len) & 3) < left ? (0U - len) & 3 : left);
		if (type != TYPE_PACKET)
			continue;
		return batch_body(&body, m) ? -1 : 1;
	}
	return 0;
}
