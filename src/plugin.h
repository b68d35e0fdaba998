/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * net-gazer/plugin.h - the plugin ABI, major 1.  The only public header.
 *
 * A plugin is one shared object that exports one constant: `ng_plugin_1`, made by
 * NG_PLUGIN().  The 1 is the ABI major, so dlsym() is the version check, and reading
 * the constant runs nothing of the plugin.  The host is the analyzer: a process with no
 * capability, no file and no socket to open.  start(), event() and stop() are called on
 * its one thread; return promptly, each call is timed.  A crash takes the analyzer down;
 * the parent restarts it, names the plugin, and disables it after 5 crashes in 60 s.
 *
 * Growth: every struct starts with `size` and grows only at its end (a minor); anything
 * else is a new major.  Test NG_HAS(p, member) before reading what came after 1.0.
 * Structs have no padding.  Integers are in host order, addresses in network order.
 *
 * Errors: int functions return 0 or -errno.  Pointers passed to event() are lent for the
 * call; strings passed to the host are copied.
 */
#ifndef NET_GAZER_PLUGIN_H
#define NET_GAZER_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define NG_PLUGIN_ABI_MAJOR 1
#define NG_PLUGIN_ABI_MINOR 1 /* 1: traces, initial sequence numbers, NG_HAS_DATA */

/* True when the struct that p points to is large enough to hold `member`. */
#define NG_HAS(p, member) \
	((p)->size >= offsetof(__typeof__(*(p)), member) + sizeof((p)->member))

/* Packet classes: which rules the kernel gets.  Only subscribed classes are installed.
 * Each has its own NFLOG group(s): group base + number in the second column. */
enum ng_class {
	NG_CLASS_HANDSHAKE = 1 << 0, /* +0 forward and input, +1 output: TCP SYN, SYN-ACK, the
				      * RST that answers a SYN, where conntrack counts packets the ACK
				      * that ends a forwarded handshake; behind the filter */
	NG_CLASS_ATTEMPT = 1 << 1,   /* +2 SYN from outside, before the filter */
	NG_CLASS_SAMPLE = 1 << 2,    /* +3 any packet, a few a second */
	/* Bits 3 to 7 are kept for close, quality, names, ICMP errors and span. */
};

/* Events that a plugin can ask for. */
enum ng_event_type {
	NG_EVENT_PACKET = 1 << 0, /* packet: a packet of one of the plugin's classes */
	NG_EVENT_CONN = 1 << 1,   /* conn: a handshake came to its end */
	NG_EVENT_TIMER = 1 << 2,  /* timer: one set with timer_set() ran out */
	NG_EVENT_LEDGER = 1 << 3, /* ledger: the rule counters were read (about every 10 s) */
	NG_EVENT_TRACE = 1 << 4,  /* trace: a path that this plugin asked for, or a person (1.1) */
};

/* How far the decoder got with a packet. */
enum ng_packet_status {
	NG_PACKET_OK = 0,
	NG_PACKET_TRUNCATED = 1,   /* the copied bytes end inside a header: snaplen or capture */
	NG_PACKET_MALFORMED = 2,   /* a length field contradicts itself or the packet */
	NG_PACKET_UNSUPPORTED = 3, /* not IP, a later fragment, or a transport we do not decode */
};

/* Netfilter hooks, numbered as NF_INET_* in linux/netfilter.h; NG_HOOK_NONE in a replay. */
enum ng_hook {
	NG_HOOK_PREROUTING = 0,
	NG_HOOK_INPUT = 1,
	NG_HOOK_FORWARD = 2,
	NG_HOOK_OUTPUT = 3,
	NG_HOOK_POSTROUTING = 4,
	NG_HOOK_INGRESS = 5,
	NG_HOOK_NONE = 255,
};

/* TCP flags, RFC 9293 section 3.1. */
#define NG_TCP_FIN 0x01
#define NG_TCP_SYN 0x02
#define NG_TCP_RST 0x04
#define NG_TCP_PSH 0x08
#define NG_TCP_ACK 0x10
#define NG_TCP_URG 0x20
#define NG_TCP_ECE 0x40
#define NG_TCP_CWR 0x80

/* TCP options seen (ng_packet.tcp_opts). */
#define NG_TCPOPT_MSS 0x01       /* RFC 9293 */
#define NG_TCPOPT_WSCALE 0x02    /* RFC 7323 */
#define NG_TCPOPT_SACK_OK 0x04   /* RFC 2018 */
#define NG_TCPOPT_TIMESTAMP 0x08 /* RFC 7323 */
#define NG_TCPOPT_SACK 0x10      /* RFC 2018 */
#define NG_TCPOPT_TFO 0x20       /* RFC 7413 */
#define NG_TCPOPT_MPTCP 0x40     /* RFC 8684 */
#define NG_TCPOPT_OTHER 0x80

/* What is known of a packet (ng_packet.has). */
#define NG_HAS_IP 0x01       /* ipv, saddr, daddr, ttl, tos, ip_len, proto */
#define NG_HAS_PORTS 0x02    /* sport, dport */
#define NG_HAS_TCP 0x04      /* tcp_*, mss, wscale, window */
#define NG_HAS_ICMP 0x08     /* icmp_type, icmp_code */
#define NG_HAS_FRAGMENT 0x10 /* the first fragment of more */
#define NG_HAS_KERNEL_TS 0x20 /* ts_us is the kernel's (or the capture's), not the time of receipt */
#define NG_HAS_VLAN 0x40     /* vlan */
#define NG_HAS_DATA 0x80     /* TCP: there is data behind the header, copied to us or not */

/* One decoded packet.  IPv4 addresses fill the first 4 bytes, the rest is zero. */
struct ng_packet {
	uint32_t size;
	uint8_t status;       /* enum ng_packet_status */
	uint8_t has;          /* NG_HAS_* */
	uint8_t ipv;          /* 4 or 6 */
	uint8_t proto;        /* IANA protocol number of the transport */
	int64_t ts_us;        /* CLOCK_REALTIME, microseconds */
	uint8_t saddr[16];
	uint8_t daddr[16];
	uint16_t sport;
	uint16_t dport;
	uint32_t ip_len;      /* what the IP header says; may be a GSO super-packet */
	uint32_t cap_len;     /* bytes copied to us, from the IP header on */
	uint32_t tcp_seq;
	uint32_t tcp_ack;
	uint16_t tcp_window;
	uint16_t mss;
	uint8_t tcp_flags;
	uint8_t tcp_opts;     /* NG_TCPOPT_* */
	uint8_t wscale;
	uint8_t ttl;          /* or hop limit */
	uint8_t tos;          /* DSCP << 2 | ECN */
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t hook;         /* enum ng_hook */
	uint32_t iif;         /* interface index, 0 unknown */
	uint32_t oif;
	uint32_t mark;
	uint16_t group;       /* NFLOG group, 0 in a replay of other captures */
	uint16_t vlan;
	uint32_t classes;     /* enum ng_class, the one(s) that it came with */
	uint32_t pad_;
};

/* How a handshake ended. */
enum ng_conn_state {
	NG_CONN_ESTABLISHED = 0, /* SYN, SYN-ACK and ACK seen */
	NG_CONN_ANSWERED = 1,    /* SYN and SYN-ACK seen; the ACK was not copied to us, or did not come for 3 s */
	NG_CONN_REFUSED = 2,     /* RST answered the SYN */
	NG_CONN_TIMEOUT = 3,     /* no answer */
	NG_CONN_UNREACHABLE = 4, /* ICMP error: kept, needs the ICMP class */
	NG_CONN_ABORTED = 5,     /* the initiator sent RST before it was answered */
	NG_CONN_ORPHAN = 6,      /* SYN-ACK without a SYN */
};

/* Seen from the home networks of the configuration. */
enum ng_dir {
	NG_DIR_UNKNOWN = 0,
	NG_DIR_OUTBOUND = 1, /* home to elsewhere */
	NG_DIR_INBOUND = 2,  /* elsewhere to home or to the router itself */
	NG_DIR_INTERNAL = 3, /* home to home */
	NG_DIR_EXTERNAL = 4, /* elsewhere to elsewhere */
	NG_DIR_LOCAL = 5,    /* the router to itself */
};

#define NG_CONN_SACK_SRC 0x01 /* initiator offered SACK */
#define NG_CONN_SACK_DST 0x02
#define NG_CONN_ECN 0x04      /* initiator asked (ECE and CWR) and responder agreed (ECE), RFC 3168 */
#define NG_CONN_TFO 0x08
#define NG_CONN_LOSS 0x10     /* packets were lost or sampled out while it was open */
#define NG_CONN_WSCALE_SRC 0x20
#define NG_CONN_WSCALE_DST 0x40
#define NG_CONN_MSS_SRC 0x80
#define NG_CONN_MSS_DST 0x100
#define NG_CONN_TTL_SRC 0x200
#define NG_CONN_TTL_DST 0x400
#define NG_CONN_ISN 0x800 /* isn_src and isn_dst (1.1) */

/* A handshake at its end.  src is always the sender of the SYN.  -1: not known. */
struct ng_conn {
	uint32_t size;
	uint8_t state;        /* enum ng_conn_state */
	uint8_t dir;          /* enum ng_dir */
	uint8_t ipv;
	uint8_t hook;
	int64_t ts_us;        /* first SYN (orphan: the SYN-ACK), CLOCK_REALTIME */
	uint8_t src[16];
	uint8_t dst[16];
	uint16_t sport;
	uint16_t dport;
	uint16_t group;
	uint16_t flags;       /* NG_CONN_* */
	int64_t rtt_us;       /* SYN to SYN-ACK; -1 when ambiguous (Karn) or not known */
	int64_t rtt_ambiguous_us;
	int64_t rtt_src_us;   /* SYN-ACK to ACK */
	int64_t setup_us;     /* first SYN to first SYN-ACK */
	uint32_t syn_retrans;
	uint32_t synack_retrans;
	uint32_t iif;
	uint32_t oif;
	uint16_t mss;
	uint16_t mss_dst;
	uint8_t wscale;
	uint8_t wscale_dst;
	uint8_t ttl_src;
	uint8_t ttl_dst;
	uint8_t tos;
	char history[15];     /* Zeek letters, NUL-terminated */
	/* 1.1 */
	uint32_t isn_src;     /* initial sequence numbers, of SYN and SYN-ACK */
	uint32_t isn_dst;
};

/* The ledger, running totals since the analyzer started. */
struct ng_ledger {
	uint32_t size;
	uint32_t pad_;
	uint64_t seen;        /* packets that the rules matched (named counters) */
	uint64_t logged;      /* of these, behind the limit */
	uint64_t received;
	uint64_t gap;         /* sequence numbers that never arrived */
	uint64_t handshake_loss; /* of the handshake class: sampled out, or lost on the way to us */
};

/* How a path is probed. */
enum ng_trace_method {
	NG_TRACE_TCP_SYN = 0, /* to the connection's own port */
	NG_TRACE_UDP = 1,
	NG_TRACE_ICMP = 2,
	NG_TRACE_TCP_ACK = 3, /* in-band: pure ACKs on the connection's own 5-tuple; off by default */
};

enum ng_trace_trigger { /* schema: trace.trigger */
	NG_TRACE_ON_CONN = 0,
	NG_TRACE_ON_SLOW = 1,
	NG_TRACE_ON_LOSS = 2,
	NG_TRACE_ON_SCHEDULE = 3,
	NG_TRACE_ON_MANUAL = 4,
};

/* How a trace ended. */
enum ng_trace_status {
	NG_TRACE_DONE = 0,
	NG_TRACE_DEADLINE = 1, /* out of time; what was found is there */
	NG_TRACE_STOPPED = 2,
	/* From here on: refused by the prober, no probe was sent, no hops. */
	NG_TRACE_BAD_REQUEST = 16,
	NG_TRACE_BOGON = 17,
	NG_TRACE_HOME = 18,
	NG_TRACE_OWN = 19,
	NG_TRACE_EXCLUDED = 20,
	NG_TRACE_BUDGET = 21,  /* the /24 or /48 had its traces today */
	NG_TRACE_RATE = 22,
	NG_TRACE_NO_ROUTE = 23,
	NG_TRACE_BUSY = 24,
};

/* What to trace.  Zero is "not known" or the default. */
struct ng_trace_request {
	uint32_t size;
	uint32_t id;           /* the plugin's; comes back with the result, not 0 */
	uint8_t ipv;
	uint8_t method;        /* enum ng_trace_method */
	uint8_t trigger;       /* enum ng_trace_trigger */
	uint8_t reply_ttl;     /* TTL that the destination's SYN-ACK had here */
	uint16_t dport;
	uint16_t flow;         /* another number: other source port, maybe another path */
	uint32_t rtt_us;       /* the handshake's */
	uint8_t dst[16];
	/* NG_TRACE_TCP_ACK: the connection, as struct ng_conn has it. */
	uint8_t src[16];
	uint16_t sport;
	uint16_t pad_;
	uint32_t isn_src;
	uint32_t isn_dst;
	uint32_t fresh;        /* 1: probe every hop, believe no cache */
};

#define NG_HOP_ANSWERED 0x01 /* addr is known */
#define NG_HOP_CACHED 0x02   /* known from other paths: not probed this time, no RTT */
#define NG_HOP_DST 0x04
#define NG_HOP_NAT 0x08      /* addresses were translated between here and the hop before */
#define NG_HOP_ICMP 0x10     /* icmp_type, icmp_code */

struct ng_trace_hop {
	uint8_t ttl;
	uint8_t flags;         /* NG_HOP_* */
	uint8_t icmp_type;
	uint8_t icmp_code;
	uint8_t sent;          /* probes */
	uint8_t n_rtt;
	uint8_t reply_ttl;
	uint8_t n_mpls;
	uint8_t addr[16];
	uint32_t rtt_us[3];
	uint32_t mpls[4];      /* label stack entries, RFC 3032, top first */
};

/* A path, or a refusal. */
struct ng_trace {
	uint32_t size;
	uint32_t id;           /* the request's; 0: a person asked (net-gazer trace), or it was trace() */
	uint8_t ipv;
	uint8_t method;
	uint8_t trigger;
	uint8_t status;        /* enum ng_trace_status */
	uint8_t reached;
	uint8_t n_hops;        /* ttl 1, 2, ...; a silent hop is there, without NG_HOP_ANSWERED */
	uint16_t flow;
	uint16_t sport;        /* of the probes */
	uint16_t dport;
	uint32_t probes;
	int64_t dur_us;
	int64_t ts_us;         /* CLOCK_REALTIME of its begin */
	uint8_t src[16];       /* of the probes */
	uint8_t dst[16];
	const struct ng_trace_hop *hops; /* lent */
};

struct ng_event {
	uint32_t size;
	uint32_t type;        /* one enum ng_event_type */
	int64_t now_us;       /* CLOCK_MONOTONIC of this turn (a replay: the capture's time) */
	int64_t wall_us;      /* CLOCK_REALTIME of this turn (a replay: the same) */
	const struct ng_packet *packet;
	const struct ng_conn *conn;
	const struct ng_ledger *ledger;
	uint32_t timer;
	uint32_t replay;      /* 1: time and packets come from a capture; no ledger will come */
	const struct ng_trace *trace; /* 1.1 */
};

/* Kinds of reports, schema v1 `type`. */
enum ng_report_type {
	NG_REPORT_CONN = 1,
	NG_REPORT_QUALITY = 2,
	NG_REPORT_ATTEMPT = 3,
	NG_REPORT_TRACE = 4,
	NG_REPORT_ROLLUP = 5,
	NG_REPORT_PLUGIN = 6,
};

enum ng_log_level { NG_LOG_ERROR = 0, NG_LOG_WARN = 1, NG_LOG_INFO = 2, NG_LOG_DEBUG = 3 };

struct ng_ctx; /* the host's, one for each plugin */

/* What the host does for a plugin.  Constant, outlives it. */
struct ng_host {
	uint32_t size;
	uint32_t minor;

	void (*log)(struct ng_ctx *, enum ng_log_level, const char *text);

	/* Options of the plugin's section, by the names of its table; the configuration was
	 * checked against that table before start(). */
	int64_t (*option_int)(struct ng_ctx *, const char *name);  /* also NG_OPTION_BOOL: 0, 1 */
	const char *(*option_str)(struct ng_ctx *, const char *name); /* lent, until stop() */

	/* Timer `id` (0 to 7) fires once, after `after_us`; setting it again moves it,
	 * a negative time clears it. */
	int (*timer_set)(struct ng_ctx *, uint32_t id, int64_t after_us);

	/* A named counter that goes into the `stat` report's plugin entry; NULL when there are
	 * already 16.  Owned by the host, valid until stop(). */
	uint64_t *(*counter)(struct ng_ctx *, const char *name);

	enum ng_dir (*direction)(struct ng_ctx *, uint8_t ipv, const uint8_t *src, const uint8_t *dst);
	const char *(*ifname)(struct ng_ctx *, uint32_t ifindex); /* NULL unknown; lent for the call */

	/* Asks the prober for a path, with nothing known: trace_request() says more, and returns the same.
	 * `trigger` is one of the schema's words.  The result's id is 0. */
	int (*trace)(struct ng_ctx *, uint8_t ipv, const uint8_t *dst, uint16_t dport, const char *trigger);

	/* The report builder.  begin, add fields, commit; one report at a time.  The host writes
	 * the envelope (v, type, ts, up_us, sensor, boot, seq), escapes strings and keeps one
	 * line under 16 KiB.  Names must be literals of the schema: [a-z][a-z0-9_]*.  A report
	 * of NG_REPORT_PLUGIN puts the fields under `data` and needs `kind`; others take kind
	 * NULL.  commit returns 0, -EMSGSIZE (too long, dropped) or -EPROTO (begin missing, an
	 * open list); a report that finds no room in the pipe is counted by the host.  */
	int (*report_begin)(struct ng_ctx *, enum ng_report_type, const char *kind, int64_t ts_us);
	void (*report_int)(struct ng_ctx *, const char *name, int64_t value);
	void (*report_str)(struct ng_ctx *, const char *name, const char *bytes, size_t len);
	void (*report_bool)(struct ng_ctx *, const char *name, int value);
	void (*report_addr)(struct ng_ctx *, const char *name, uint8_t ipv, const uint8_t *addr);
	void (*report_time)(struct ng_ctx *, const char *name, int64_t ts_us);
	/* name NULL inside a list. */
	void (*report_list)(struct ng_ctx *, const char *name); /* [ */
	void (*report_map)(struct ng_ctx *, const char *name);  /* { */
	void (*report_end)(struct ng_ctx *);                    /* ] or } */
	int (*report_commit)(struct ng_ctx *);
	void (*report_drop)(struct ng_ctx *);
	/* src_ip, src_port, dst_ip, dst_port, proto, dir, community_id of a TCP handshake. */
	void (*report_tuple)(struct ng_ctx *, const struct ng_conn *);

	/* 1.1.  Asks the prober for a path; the answer, also a refusal, is a NG_EVENT_TRACE for this
	 * plugin with the request's id.  0: asked; -EPERM: the plugin does not take NG_EVENT_TRACE;
	 * -EINVAL: id 0, an address or method that is none, no port; -ENOSYS: there is no prober (a
	 * replay, or prober = no); -EAGAIN: it has too much to do. */
	int (*trace_request)(struct ng_ctx *, const struct ng_trace_request *);
};

enum ng_option_type { NG_OPTION_BOOL = 0, NG_OPTION_INT = 1, NG_OPTION_STR = 2 };

/* One option of the plugin's section in net-gazer.conf.  The table ends with name NULL. */
struct ng_option {
	const char *name;     /* lower-case, words joined by - */
	uint32_t type;        /* enum ng_option_type */
	uint32_t pad_;
	int64_t min;          /* of an integer, or of a string's length */
	int64_t max;
	const char *def;      /* default, as written in the file */
	const char *help;     /* one line */
};

struct ng_plugin {
	uint32_t size;
	uint32_t minor;
	const char *name;     /* [a-z][a-z0-9_-]{0,31}; also the section and the report's `plugin` */
	const char *version;
	const char *about;    /* one line */
	uint32_t events;      /* enum ng_event_type, ORed */
	uint32_t classes;     /* enum ng_class, ORed; NG_EVENT_CONN implies NG_CLASS_HANDSHAKE */
	uint32_t snaplen;     /* bytes of each packet that it needs; 0: headers, 128 */
	uint32_t pad_;
	const struct ng_option *options; /* or NULL */

	/* *self is the plugin's; the host hands it back.  A failing start disables the plugin. */
	int (*start)(struct ng_ctx *, const struct ng_host *, void **self);
	int (*event)(void *self, const struct ng_event *);
	void (*stop)(void *self); /* may be NULL; the last chance to report */
};

#if defined(__GNUC__)
#define NG_EXPORT __attribute__((visibility("default")))
#else
#define NG_EXPORT
#endif

#define NG_PLUGIN(...) \
	NG_EXPORT extern const struct ng_plugin ng_plugin_1; \
	const struct ng_plugin ng_plugin_1 = { \
		.size = sizeof(struct ng_plugin), .minor = NG_PLUGIN_ABI_MINOR, __VA_ARGS__ }

#ifdef __cplusplus
}
#endif
#endif
