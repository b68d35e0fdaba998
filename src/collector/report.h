/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * report.h - one valid report: the fields that the store puts into columns, and the whole of it
 * as JSON.  Made by validate.c, taken by store.c.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

/* Schema: a line is at most 16 KiB, newline included. */
#define REPORT_LINE_MAX 16384
#define REPORT_INT_MAX 9007199254740991 /* 2^53 - 1 */
#define REPORT_PORTS_MAX 64
#define REPORT_HOPS_MAX 64
#define REPORT_HOP_RTTS_MAX 10

enum report_type {
	REPORT_CONN,
	REPORT_QUALITY,
	REPORT_ATTEMPT,
	REPORT_TRACE,
	REPORT_ROLLUP,
	REPORT_STAT,
	REPORT_PLUGIN,
	REPORT_TYPES,
};

enum report_state {
	REPORT_ESTABLISHED,
	REPORT_ANSWERED,
	REPORT_REFUSED, /* this one and all behind it: failed */
	REPORT_TIMEOUT,
	REPORT_UNREACHABLE,
	REPORT_ABORTED,
	REPORT_ORPHAN,
	REPORT_STATES,
};

#define REPORT_WORDS_TYPE "conn|quality|attempt|trace|rollup|stat|plugin"
#define REPORT_WORDS_STATE "established|answered|refused|timeout|unreachable|aborted|orphan"
#define REPORT_WORDS_PROTO "tcp|udp|icmp|icmp6|sctp"
#define REPORT_WORDS_VERDICT "accepted|dropped|rejected|unknown"
#define REPORT_WORDS_KIND "single|vertical_scan|horizontal_scan|flood"
#define REPORT_WORDS_METHOD "tcp-syn|udp|icmp|tcp-ack"
#define REPORT_WORDS_TRIGGER "conn|slow|loss|schedule|manual"

/* A piece of report.json, JSON itself; n is 0 when absent. */
struct report_text {
	const char *s;
	size_t n;
};

struct report_hop {
	unsigned n_rtt;
	uint32_t rtt_us[REPORT_HOP_RTTS_MAX];
	int64_t ttl;
	int64_t sent;            /* -1: not told */
	int64_t cached;          /* 1: known from other paths, not probed this time */
	char ip[ADDR_TEXT];      /* "": no answer at this ttl */
	struct report_text name; /* a string with its quotes */
};

/* What only a trace has.  Numbers and words as in struct report. */
struct report_trace {
	unsigned n_hops;
	int64_t method;
	int64_t trigger;
	int64_t reached;
	char path_hash[17];
	char prev_path_hash[17];
	struct report_text dst_name;
	struct report_text hops; /* the list as it came */
	struct report_hop hop[REPORT_HOPS_MAX];
};

/* Numbers and words (by their place in the list above): -1 when absent.  Text: "" when absent. */
struct report {
	/* The object again without blanks, without collector-only fields; lent by the validator
	 * until its next line.  Ends with '}'. */
	const char *json;
	size_t json_len;
	int64_t type;
	int64_t seq;
	int64_t ts_us;
	int64_t last_ts_us;
	int64_t src_port;
	int64_t dst_port;
	int64_t proto;
	int64_t state;
	int64_t rtt_us;     /* WAN half: SYN to SYN-ACK */
	int64_t rtt_src_us; /* LAN half: SYN-ACK to ACK */
	int64_t syn_retrans;
	int64_t sample_n;
	int64_t count;
	int64_t verdict;
	int64_t kind;      /* of an attempt */
	int64_t dst_ports_n;
	int64_t dst_ips_n;
	int64_t seq_first;
	char sensor[65];
	char boot[9];
	char src_ip[ADDR_TEXT]; /* RFC 5952, whatever way the sensor wrote it */
	char dst_ip[ADDR_TEXT];
	unsigned n_ports;
	uint16_t ports[REPORT_PORTS_MAX];
	const struct report_trace *trace; /* lent as json is; NULL: not a trace */
};

/* The word at a place of a list "a|b|c"; NULL: there is none. */
const char *report_word(const char *words, int64_t i, size_t *len);

/* Its place, or -1. */
int64_t report_word_index(const char *words, const char *word, size_t len);

/* Whether it is a name that a sensor may have: 1 to 64 letters, digits, . _ - and the first none of these three. */
int report_sensor_ok(const char *name, size_t len);

#endif
