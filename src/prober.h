/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * prober.h - what the prober and those that talk to it agree on: the parent, which opens its sockets;
 * the analyzer, whose plugins ask for paths; net-gazerctl, for a person.
 *
 * The prober is executed as src/worker.h says, with no capability, and these descriptors open:
 *
 *   0, 1 /dev/null, 2 stderr
 *   3 settings: a sealed memfd of "key=value" lines, see below
 *   4 budgets: a regular file that it maps and keeps its daily budgets in; it outlives a crash and a
 *     restart of the daemon.  Not a regular file: budgets are kept in memory only
 *   5 control: SOCK_SEQPACKET to the parent, struct prober_ctl
 *   6 requests: SOCK_SEQPACKET to the analyzer (or to the net-gazerctl that started it)
 *   7 and up: named in the settings
 *
 * Nothing that comes in on 5, 6 or a client's connection is trusted: each request is checked again
 * (address, home, opt-out, budget) by the prober itself.
 *
 * Settings; (*) may come more than once:
 *
 *   verbose=LEVEL  version=TEXT
 *   send=KIND FD (*)   raw socket, marked, without IP_HDRINCL; KIND: tcp4 tcp6 udp4 udp6 icmp4 icmp6
 *                      tcpx4 tcpx6 (those may use an address that is not ours: in-band probes only)
 *   route=FD           NETLINK_ROUTE socket: which source address, is it an address of ours
 *   nflog=GROUP FD     answers are copied here by the rules, before any filter: then nothing is read
 *                      from the raw sockets.  None: answers come from the raw sockets
 *   listen=FD          SOCK_SEQPACKET, listening: people's requests.  Everyone who can connect may ask
 *   mark=NUMBER        the sockets' SO_MARK, for the route look-up
 *   home=PREFIX (*)    home networks: never traced
 *   exclude=PREFIX (*) opted out: never traced
 *   any-target=yes     tests and lone use by hand: bogons may be traced; home and exclude still hold
 *   probe-rate=N       probes a second, over all traces
 *   trace-rate=N       traces begun a second
 *   prefix-budget=N    traces a day into one IPv4 /24 or IPv6 /48
 *   traces=N           at a time; more wait in a queue of the same length
 */
#ifndef PROBER_H
#define PROBER_H

#include <stdint.h>

#define PROBER_FD_SETTINGS 3
#define PROBER_FD_BUDGETS 4
#define PROBER_FD_CONTROL 5
#define PROBER_FD_REQUESTS 6
#define PROBER_FD_FIRST 7

/* Source ports, and ICMP identifiers, of our own probes: above Linux's default range of local
 * ports (32768 to 60999), so no connection of the router's own has them.  The rules know them. */
#define PROBER_PORT_FIRST 64512
#define PROBER_PORT_LAST 65535

/* SO_MARK of our probes unless configured: no bit of the masks of mwan3 (0x3f00), pbr (0xff0000)
 * or tailscale (0xff0000). */
#define PROBER_MARK 0x4e000000

#define PROBER_HOPS_MAX 64    /* schema: hops.maxItems, ttl.maximum */
#define PROBER_TTL_DEFAULT 30 /* a path of unknown length is followed so far */
#define PROBER_RTTS_MAX 3
#define PROBER_MPLS_MAX 4     /* deeper label stacks are cut */
#define PROBER_SOCKET_PATH "prober.sock" /* in runtime-dir */

enum prober_method {
	PROBER_TCP_SYN = 0, /* to the connection's own port */
	PROBER_UDP = 1,
	PROBER_ICMP = 2,    /* echo */
	PROBER_TCP_ACK = 3, /* in-band: pure ACKs on the connection's own 5-tuple */
	PROBER_METHODS,
};

enum prober_trigger {   /* schema: trace.trigger */
	PROBER_ON_CONN = 0,
	PROBER_ON_SLOW = 1,
	PROBER_ON_LOSS = 2,
	PROBER_ON_SCHEDULE = 3,
	PROBER_ON_MANUAL = 4,
	PROBER_TRIGGERS,
};

/* How a trace ended. */
enum prober_status {
	PROBER_DONE = 0,        /* reached, or as far as anything answers */
	PROBER_DEADLINE = 1,    /* out of time; what was found is there */
	PROBER_STOPPED = 2,     /* asker gone, or the connection of an in-band trace ended */
	/* Refused: no probe was sent. */
	PROBER_REFUSED = 16,
	PROBER_BAD_REQUEST = 16, /* a field is out of range, a method without a socket */
	PROBER_BOGON = 17,      /* not a unicast address of the internet (RFC 6890) */
	PROBER_HOME = 18,       /* in a home network */
	PROBER_OWN = 19,        /* an address of this machine */
	PROBER_EXCLUDED = 20,   /* opted out */
	PROBER_BUDGET = 21,     /* the /24 or /48 had its traces today */
	PROBER_RATE = 22,       /* traces a second, and the queue is full */
	PROBER_NO_ROUTE = 23,
	PROBER_BUSY = 24,       /* already being traced */
};

enum prober_msg_type {
	PROBER_MSG_TRACE = 1,   /* struct prober_request, to the prober */
	PROBER_MSG_HOP = 2,     /* struct prober_progress: a hop is known, in any order (on demand) */
	PROBER_MSG_RESULT = 3,  /* struct prober_result, without the hops behind n_hops */
};

#define PROBER_REQ_PROGRESS 0x01 /* send PROBER_MSG_HOP too */
#define PROBER_REQ_FRESH 0x02    /* believe nothing of the cache, probe every hop */

/* One packet.  Addresses: IPv4 in the first 4 bytes, the rest zero. */
struct prober_request {
	uint32_t type;          /* PROBER_MSG_TRACE */
	uint32_t id;            /* the asker's; comes back */
	uint8_t ipv;            /* 4 or 6 */
	uint8_t method;         /* enum prober_method */
	uint8_t trigger;        /* enum prober_trigger */
	uint8_t flags;          /* PROBER_REQ_* */
	uint8_t reply_ttl;      /* TTL that the destination's SYN-ACK had here; 0: not known */
	uint8_t max_ttl;        /* 1 to 64; 0: PROBER_TTL_DEFAULT */
	uint8_t tries;          /* probes to a silent hop, 1 to 3; 0: 2 */
	uint8_t probes;         /* answered probes wanted of each hop, 1 to 3; 0: 1 */
	uint16_t dport;         /* TCP and UDP, host order */
	uint16_t flow;          /* Paris flow: another number, other ports, maybe another path */
	uint32_t rtt_us;        /* the handshake's; 0: not known */
	uint8_t dst[16];
	/* PROBER_TCP_ACK: the connection as seen at forward (LAN side), RFC 9293's names. */
	uint8_t src[16];
	uint16_t sport;
	uint16_t pad;
	uint32_t iss;           /* of the initiator */
	uint32_t irs;           /* of the responder */
};

#define PROBER_HOP_ANSWERED 0x01 /* addr is known */
#define PROBER_HOP_CACHED 0x02   /* from the cache: not probed, no RTT */
#define PROBER_HOP_DST 0x04      /* the destination itself */
#define PROBER_HOP_NAT 0x08      /* from here on the quoted packet has other addresses or ports */
#define PROBER_HOP_ICMP 0x10     /* icmp_type and icmp_code are set */

struct prober_hop {
	uint8_t ttl;
	uint8_t flags;          /* PROBER_HOP_* */
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t sent;           /* probes */
	uint8_t n_rtt;
	uint8_t reply_ttl;      /* of the answer; 0: none */
	uint8_t n_mpls;
	uint8_t addr[16];
	uint32_t rtt_us[PROBER_RTTS_MAX];
	uint32_t mpls[PROBER_MPLS_MAX]; /* label stack entries, RFC 3032: label:20 tc:3 s:1 ttl:8, top first */
};

struct prober_progress {
	uint32_t type;          /* PROBER_MSG_HOP */
	uint32_t id;
	struct prober_hop hop;
};

struct prober_result {
	uint32_t type;          /* PROBER_MSG_RESULT */
	uint32_t id;            /* the request's; 0: nobody here asked, a person's trace is passed on */
	uint8_t ipv;
	uint8_t method;
	uint8_t trigger;
	uint8_t status;         /* enum prober_status */
	uint8_t reached;
	uint8_t n_hops;         /* ttl 1, 2, ... without holes; a silent hop is there, not ANSWERED */
	uint16_t flow;
	uint16_t sport;         /* of the probes; ICMP: the identifier */
	uint16_t dport;
	uint16_t probes;        /* sent in all */
	uint16_t pad;
	uint32_t dur_us;
	uint32_t pad2;
	int64_t ts_us;          /* CLOCK_REALTIME of its begin */
	uint8_t src[16];
	uint8_t dst[16];
	struct prober_hop hop[PROBER_HOPS_MAX];
};

/* The bytes of a result that are sent. */
#define PROBER_RESULT_SIZE(n_hops) \
	(offsetof(struct prober_result, hop) + (n_hops) * sizeof(struct prober_hop))

/* Descriptor 5.  One packet each way. */
enum prober_ctl_type {
	PROBER_CTL_READY = 1,   /* prober -> parent: sandbox closed; value = WORKER_POSTURE_* */
	PROBER_CTL_LOOKUP = 2,  /* prober -> parent: the connection with this original tuple? */
	PROBER_CTL_FOUND = 3,   /* parent -> prober: the same id; value 1: it lives, tuple = WAN side */
	PROBER_CTL_STATS = 4,   /* prober -> parent, once a second while it works; also its heartbeat */
};

struct prober_tuple {
	uint8_t ipv;
	uint8_t pad;
	uint16_t sport;
	uint16_t dport;
	uint16_t pad2;
	uint8_t src[16];
	uint8_t dst[16];
};

struct prober_ctl {
	uint32_t type;
	uint32_t id;
	uint64_t value;
	struct prober_tuple tuple;
	/* STATS: totals of this process.  Index: enum prober_stat. */
	uint64_t stat[16];
};

enum prober_stat {
	PROBER_STAT_REQUESTS,   /* = traces + refused + waiting */
	PROBER_STAT_TRACES,     /* begun */
	PROBER_STAT_REFUSED,
	PROBER_STAT_PROBES,
	PROBER_STAT_ANSWERS,    /* matched to a probe */
	PROBER_STAT_FOREIGN,    /* looked like an answer, matched none of our probes */
	PROBER_STAT_CACHED,     /* hops taken from the cache */
	PROBER_STAT_RESETS,     /* RST sent to close a half-open connection */
	PROBER_STAT_SEND_ERRORS,
	PROBER_STATS,
};

#endif
