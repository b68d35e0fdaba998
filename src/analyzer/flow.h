/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * flow.h - the flow table: packets of the handshake class in, finished handshakes out.
 *
 * One allocation of fixed slots, chained from a SipHash-keyed array.  When it is full a slot is
 * taken from, in this order: handshakes that were reported already, SYNs that did not come from
 * home, SYN-ACKs without a SYN, the rest; what was taken unreported is counted.
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdint.h>

#include "plugin.h"

struct flow_table;

/* Which handshakes are reported after their ACK, or 3 s, because the source has it too. */
enum flow_acks {
	FLOW_ACKS_NONE,
	FLOW_ACKS_FORWARDED, /* of one SYN at the forward hook: what sensor/classes.h calls CLASSES_ACK */
	FLOW_ACKS_ALL,
};

struct flow_conf {
	uint32_t slots;
	int64_t syn_timeout_us; /* first SYN to "timeout" */
	enum flow_acks acks;
	uint8_t key[16];
};

struct flow_stats {
	uint32_t live;          /* neither answered nor given up */
	uint32_t tracked;       /* slots in use */
	uint64_t evicted;       /* taken before their end was known */
	uint64_t reported;
	uint64_t late;          /* SYN or SYN-ACK of a handshake that was reported already */
	uint64_t clock_steps;
};

/* conn is lent for the call; its dir is NG_DIR_UNKNOWN, which the receiver knows better. */
typedef void flow_fn(void *arg, struct ng_conn *conn);

/* NULL: out of memory. */
struct flow_table *flow_new(const struct flow_conf *, flow_fn *, void *arg);
void flow_free(struct flow_table *);

/* A TCP packet (NG_HAS_TCP).  from_home: the sender is at home or is the router, which decides
 * what goes first when the table is full.  now_us is the clock of flow_expire(). */
void flow_packet(struct flow_table *, const struct ng_packet *, int from_home, int64_t now_us);

/* Ends what is overdue, at most `quantum` of them; returns when to call again (INT64_MAX: when a
 * packet came). */
int64_t flow_expire(struct flow_table *, int64_t now_us, unsigned quantum);

/* The source stops: answered handshakes that wait for their ACK are reported, open ones are not
 * (they are neither answered nor timed out) and stay in `live`. */
void flow_finish(struct flow_table *);

/* A successor goes on where this table ends: what is open, and what was reported and is still known, goes through a file
 * from one process to the other, after flow_finish() and before the first packet.  offset_us: the wall clock less that of
 * flow_expire().  A file without a table: the predecessor crashed.  Then, for 3 s, a SYN may not be the first of its
 * handshake, which carries NG_CONN_LOSS and no rtt_us, and a SYN-ACK without a SYN is no orphan. */
int flow_hand_over(struct flow_table *, int fd, int64_t offset_us); /* -1: nothing counts */
void flow_take_over(struct flow_table *, int fd, int64_t offset_us, int64_t now_us);

/* The wall clock against the monotonic one: more than slewing explains. */
#define FLOW_CLOCK_STEP_US 20000

/* Packets were lost or sampled out up to now: handshakes open across a change of this number carry
 * NG_CONN_LOSS. */
void flow_set_loss(struct flow_table *, uint64_t total);

/* The wall clock jumped: handshakes open across it have no RTT. */
void flow_clock_step(struct flow_table *);

const struct flow_stats *flow_stats(const struct flow_table *);

#endif
