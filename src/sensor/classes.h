/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * classes.h - THE table of packet classes: for each NFLOG group its counters, limit and rules, and
 * the chains that hold them.  Own mode builds the kernel's rules from it, include mode looks for
 * the same ones; nft/net-gazer.nft is this table written out (tests/test_rules.py compares).
 */
#ifndef CLASSES_H
#define CLASSES_H

#include <stdint.h>

#include "plugin.h"

#define CLASSES_TABLE "net_gazer"
#define CLASSES_SNAPLEN 128      /* IPv6 + TCP with all options: 100; IPv4 with all of its own: 120 */
#define CLASSES_SNAPLEN_MAX 2048 /* what a plugin may ask for; a batch is 16 KiB */
#define CLASSES_SNAPLEN_PROBE 256 /* MPLS labels stand behind 128 quoted bytes (RFC 4884): 200 over IPv6 */

/* What plugins subscribe to are bits of enum ng_class; this one is for the prober, not the analyzer. */
#define CLASSES_TO_PROBER (1u << 31)

/* What a rule matches. */
enum classes_match {
	CLASSES_END = 0, /* of a list */
	CLASSES_ANY,
	CLASSES_SYN,
	CLASSES_SYN_ACK,
	CLASSES_RST,     /* answers a SYN: sequence 0, RFC 9293 3.5.2 */
	CLASSES_ACK,     /* ends a handshake: the client's second packet, as conntrack counts; struct ruleset_spec, acks */
	/* What can answer a probe of ours: to ports and ICMP identifiers from PROBER_PORT_FIRST on. */
	CLASSES_UNREACHABLE4,
	CLASSES_UNREACHABLE6,
	CLASSES_TIME_EXCEEDED4,
	CLASSES_TIME_EXCEEDED6,
	CLASSES_ECHO_REPLY4,
	CLASSES_ECHO_REPLY6,
	CLASSES_PROBE_SYN_ACK,
	CLASSES_PROBE_RST,   /* with ACK or without */
	/* What jumps to the rules; data is a plain ACK. */
	CLASSES_NO_DATA,
	CLASSES_NO_DATA_TO_PROBER,
	CLASSES_ICMP,
	CLASSES_ICMPV6,
};

/* Which of them: each rule has a limit of its own, so a flood from outside takes nothing from what was begun
 * inside.  A packet is of exactly one. */
enum classes_side {
	CLASSES_BOTH,
	CLASSES_FROM_HOME4,
	CLASSES_FROM_HOME6,
	CLASSES_FROM_ABROAD4,
	CLASSES_FROM_ABROAD6,
	CLASSES_TO_HOME4,    /* an answer to what home began */
	CLASSES_TO_HOME6,
	CLASSES_TO_ABROAD4,
	CLASSES_TO_ABROAD6,
};

struct classes_rule {
	enum classes_match match;
	enum classes_side side;
};

enum classes_row {
	CLASSES_HANDSHAKE,
	CLASSES_OUTPUT,
	CLASSES_ATTEMPT,
	CLASSES_SAMPLE,
	CLASSES_PROBE,
	CLASSES_ROWS
};

/* One NFLOG group; its number is nflog-group plus the row. */
struct classes {
	uint32_t ng_class;       /* enum ng_class, or CLASSES_TO_PROBER */
	const char *name;        /* counters NAME_seen and NAME_logged */
	const char *limit;       /* option: packets a second, each rule by itself; burst is twice */
	uint32_t queue_threshold;
	uint32_t snaplen;        /* a plugin may ask for more */
};
extern const struct classes classes[CLASSES_ROWS];

struct classes_chain {
	const char *name;
	uint32_t hook;           /* NF_INET_* */
	int32_t priority;        /* the filter's is 0 */
	enum classes_row row;
	const struct classes_rule *rules; /* up to CLASSES_END; NULL: one, which logs nothing: our probes go
					   * past conntrack */
	/* Where what matches one of `when` goes, up to CLASSES_END: what is forwarded all day meets the jump, and not a dozen
	 * rules.  A jump is no verdict: the packet comes back.  That chain stands before, `jumped_to`, not hooked itself. */
	const char *jump;
	enum classes_match when[4];
	int jumped_to;
};
#define CLASSES_CHAINS 16
extern const struct classes_chain classes_chain[CLASSES_CHAINS];

#endif
