/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * batch.h - one netlink datagram of NFLOG messages, taken apart (linux/netfilter/nfnetlink_log.h).
 * Pure.
 */
#ifndef BATCH_H
#define BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/cur.h"

/* What one NFULNL_MSG_PACKET says, in host order. */
struct batch_msg {
	const uint8_t *payload; /* lent from the datagram; NULL: none was copied */
	size_t payload_len;
	int64_t ts_us;          /* CLOCK_REALTIME, when has_ts */
	uint32_t seq;           /* NFULA_SEQ, when has_seq */
	uint32_t iif;
	uint32_t oif;
	uint32_t mark;
	uint16_t group;
	uint16_t vlan;          /* VLAN id, 0: none */
	uint8_t family;         /* nfgen_family: decides what `hook` counts */
	uint8_t hook;
	uint8_t has_ts;
	uint8_t has_seq;
};

/* The next packet message: 1; 0 at the end of the datagram; -1 for a message that contradicts
 * itself (skipped; go on).  Messages of other types are passed over. */
int batch_next(struct cur *, struct batch_msg *);

/* The body of one packet message: nfgenmsg and attributes; also what a capture of link type NFLOG
 * holds.  0, or -1 when it contradicts itself. */
int batch_body(struct cur *body, struct batch_msg *);

#endif
