/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * validate.c - the schema as tables, and the walk along them while yajl parses.
 *
 * Each value has a shape.  An object's shape lists its members, a list's shape that of its items,
 * and a stack of frames says where in the line we are.  The same callbacks write the object again,
 * without blanks and without what only a collector may say.  A field that has another meaning in
 * another type of report is taken in its widest form and looked at again in finish(), because
 * "type" may be the last key of the line.
 */
#include "validate.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "lib/hash.h"
#include "text.h"

#define DEPTH_MAX 8
#define NUMBER_MAX 64
#define KEYS 4096 /* more keys than a line can hold: each takes 4 bytes ("":0 and a comma) */

enum kind { K_ANY, K_INT, K_NUMBER, K_BOOL, K_TEXT, K_WORD, K_FORM, K_IP, K_TIME, K_MAP, K_LIST };

struct member;

struct shape {
	enum kind kind;
	int64_t min, max;             /* K_INT: value; K_TEXT: code points; K_LIST: items; K_MAP: keys */
	double low, high;             /* K_NUMBER */
	const char *words;            /* K_WORD */
	int (*form)(const char *, size_t);
	const char *want;             /* K_FORM: what would be right */
	const struct member *members; /* K_MAP, ended by a member with no name */
	const struct shape *item;     /* K_LIST: the first item; K_MAP: any other member */
	const struct shape *rest;     /* K_LIST: the other items, when they differ */
};

enum { CONN = 1, QUALITY = 2, ATTEMPT = 4, TRACE = 8, ROLLUP = 16, STAT = 32, PLUGIN = 64, ALL = 127 };
#define TUPLE (CONN | QUALITY | ATTEMPT | TRACE | PLUGIN)
#define GEO (TUPLE | ROLLUP)

struct member {
	const char *name;
	struct shape shape;
	uint8_t types;     /* where it may stand; 0 in nested objects */
	uint8_t need;      /* where it must; nested: 1 */
	uint8_t collector; /* ours to say: dropped */
	uint8_t trace;     /* kept in struct report_trace, not struct report */
	uint16_t at;       /* offset there, or in struct report_hop; 0: not kept */
};

/* ---- forms: the schema's patterns, as ECMA 262 reads them (ASCII, $ is the very end) ---- */

static int
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static int
is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static int
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

static int
all_hex(const char *s, size_t n)
{
	while (n && is_hex(*s)) {
		s++;
		n--;
	}
	return !n;
}

static int
form_boot(const char *s, size_t n)
{
	return n == 8 && all_hex(s, n);
}

static int
form_hex16(const char *s, size_t n)
{
	return n == 16 && all_hex(s, n);
}

static int
form_country(const char *s, size_t n)
{
	return n == 2 && is_upper(s[0]) && is_upper(s[1]);
}

static int
form_community(const char *s, size_t n)
{
	if (n != 30 || s[0] != '1' || s[1] != ':' || s[29] != '=')
		return 0;
	for (size_t i = 2; i < 29; i++) {
		if (!(is_digit(s[i]) || is_lower(s[i]) || is_upper(s[i]) || s[i] == '+' ||
		      s[i] == '/'))
			return 0;
	}
	return 1;
}

static int
form_history(const char *s, size_t n)
{
	if (n > 32)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (!s[i] || !strchr("SsHhAaRr", s[i]))
			return 0;
	}
	return 1;
}

static int
form_mac(const char *s, size_t n)
{
	if (n != 17)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (i % 3 == 2 ? s[i] != ':' : !is_hex(s[i]))
			return 0;
	}
	return 1;
}

static int
form_icmp(const char *s, size_t n)
{
	size_t i = 0, a, b;

	while (i < n && is_digit(s[i]))
		i++;
	a = i;
	if (i == n || s[i++] != '/')
		return 0;
	b = n - i;
	while (i < n && is_digit(s[i]))
		i++;
	return i == n && a >= 1 && a <= 3 && b >= 1 && b <= 3;
}

static int
form_name(const char *s, size_t n, size_t max, const char *also)
{
	if (!n || n > max || !is_lower(*s))
		return 0;
	for (size_t i = 1; i < n; i++) {
		if (!s[i] || !(is_digit(s[i]) || is_lower(s[i]) || strchr(also, s[i])))
			return 0;
	}
	return 1;
}

static int
form_plugin(const char *s, size_t n)
{
	return form_name(s, n, 32, "_-");
}

static int
form_kind(const char *s, size_t n)
{
	return form_name(s, n, 64, "_.-");
}

/* x_ and 1 to 40 of a-z 0-9 _ */
static int
form_extension(const char *s, size_t n)
{
	if (n < 3 || n > 42 || s[0] != 'x' || s[1] != '_')
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (!(is_digit(s[i]) || is_lower(s[i]) || s[i] == '_'))
			return 0;
	}
	return 1;
}

/* ---- the tables: docs/schema/net-gazer-report-1.schema.json, in its order ---- */

#define INT(lo, hi) { .kind = K_INT, .min = (lo), .max = (hi) }
#define U64 INT(0, REPORT_INT_MAX)
#define U32 INT(0, UINT32_MAX)
#define ANYINT INT(-REPORT_INT_MAX, REPORT_INT_MAX)
#define PORT INT(0, 65535)
#define TEXT(n) { .kind = K_TEXT, .max = (n) }
#define ANYTEXT TEXT(REPORT_LINE_MAX)
#define WORD(list) { .kind = K_WORD, .words = (list) }
#define FORM(fn, text) { .kind = K_FORM, .form = (fn), .want = (text) }
#define NUMBER(lo, hi) { .kind = K_NUMBER, .low = (lo), .high = (hi) }
#define BOOL { .kind = K_BOOL }
#define IP { .kind = K_IP }
#define TIME { .kind = K_TIME }
#define LIST(n, of) { .kind = K_LIST, .max = (n), .item = (of) }
#define MAP(table) { .kind = K_MAP, .max = KEYS, .members = (table) }
#define COUNTRY FORM(form_country, "two capital letters")
#define ICMP FORM(form_icmp, "TYPE/CODE")
#define HEX16 FORM(form_hex16, "16 hex digits")
/* Rows: name, where it may stand, where it must, shape; KEEP: with its place in struct report. */
#define OPT(n, t, ...) { .name = (n), .types = (t), .shape = __VA_ARGS__ }
#define REQ(n, t, must, ...) { .name = (n), .types = (t), .need = (must), .shape = __VA_ARGS__ }
#define KEEP(n, field, t, must, ...) \
	{ .name = (n), .at = AT(field), .types = (t), .need = (must), .shape = __VA_ARGS__ }
#define KEEP_TRACE(n, field, t, must, ...) \
	{ .name = (n), .at = TRACE_AT(field), .trace = 1, .types = (t), .need = (must), .shape = __VA_ARGS__ }
#define KEEP_HOP(n, field, must, ...) { .name = (n), .at = HOP_AT(field), .need = (must), .shape = __VA_ARGS__ }
#define OURS(n, t, ...) { .name = (n), .types = (t), .collector = 1, .shape = __VA_ARGS__ }
#define END { .name = NULL }
#define AT(field) offsetof(struct report, field)
#define TRACE_AT(field) offsetof(struct report_trace, field)
#define HOP_AT(field) offsetof(struct report_hop, field)
#define DIR "outbound|inbound|internal|external|local|unknown"

static const struct shape shape_any = { .kind = K_ANY };
static const struct shape shape_u64 = U64;
static const struct shape shape_us = U32;     /* of a hop's rtt_us */
static const struct shape shape_port = PORT;  /* of dst_ports */
static const struct shape shape_bucket = INT(0, 159);
static const struct shape shape_pair = { .kind = K_LIST, .min = 2, .max = 2, .item = &shape_bucket,
					 .rest = &shape_u64 };

static const struct member mpls_members[] = {
	REQ("label", 0, 1, INT(0, 1048575)),
	OPT("tc", 0, ANYINT),
	OPT("s", 0, ANYINT),
	OPT("ttl", 0, ANYINT),
	END,
};
static const struct shape shape_mpls = MAP(mpls_members);

static const struct member hop_members[] = {
	KEEP_HOP("ttl", ttl, 1, INT(1, 64)),
	KEEP_HOP("ip", ip, 0, IP),
	KEEP_HOP("rtt_us", rtt_us, 0, LIST(REPORT_HOP_RTTS_MAX, &shape_us)),
	KEEP_HOP("sent", sent, 0, INT(1, 10)),
	OPT("icmp", 0, ICMP),
	OPT("reply_ttl", 0, INT(0, 255)),
	OPT("mpls", 0, LIST(8, &shape_mpls)),
	OPT("nat", 0, BOOL),
	KEEP_HOP("cached", cached, 0, BOOL),
	KEEP_HOP("name", name, 0, TEXT(253)),
	OURS("asn", 0, U32),
	OURS("as_org", 0, ANYTEXT),
	OURS("cc", 0, COUNTRY),
	OURS("lat", 0, NUMBER(-HUGE_VAL, HUGE_VAL)),
	OURS("lon", 0, NUMBER(-HUGE_VAL, HUGE_VAL)),
	END,
};
static const struct shape shape_hop = MAP(hop_members);

static const struct member group_members[] = {
	REQ("group", 0, 1, PORT),
	OPT("class", 0, TEXT(16)),
	OPT("seen", 0, U64),
	OPT("logged", 0, U64),
	OPT("received", 0, U64),
	OPT("gap", 0, U64),
	END,
};
static const struct shape shape_group = MAP(group_members);

static const struct member sandbox_members[] = {
	OPT("no_caps", 0, BOOL), OPT("no_new_privs", 0, BOOL),
	OPT("seccomp", 0, BOOL), OPT("landlock", 0, BOOL),
	END,
};

static const struct member none_members[] = { END };

static const struct member plugin_entry_members[] = {
	REQ("name", 0, 1, ANYTEXT),
	OPT("version", 0, ANYTEXT),
	OPT("state", 0, WORD("ok|degraded|disabled")),
	OPT("calls", 0, U64),
	OPT("cpu_us", 0, U64),
	OPT("max_us", 0, U64),
	OPT("counters", 0, { .kind = K_MAP, .max = 16, .members = none_members, .item = &shape_u64 }),
	END,
};
static const struct shape shape_plugin_entry = { .kind = K_MAP, .max = KEYS,
						 .members = plugin_entry_members,
						 .item = &shape_any };

static const struct member report_members[] = {
	REQ("v", ALL, ALL, INT(1, 1)),
	KEEP("type", type, ALL, ALL, WORD(REPORT_WORDS_TYPE)),
	KEEP("ts", ts_us, ALL, ALL, TIME),
	OPT("up_us", ALL, U64),
	OPT("clock", ALL, WORD("synced|unsynced|repaired")),
	KEEP("sensor", sensor, ALL, ALL, FORM(report_sensor_ok, "1 to 64 letters, digits, . _ -")),
	KEEP("boot", boot, ALL, ALL, FORM(form_boot, "8 hex digits")),
	KEEP("seq", seq, ALL, ALL, U64),
	OURS("rx_ts", ALL, TIME),
	OURS("tenant", ALL, TEXT(64)),
	/* tuple */
	KEEP("src_ip", src_ip, TUPLE, CONN | ATTEMPT, IP),
	KEEP("src_port", src_port, TUPLE, CONN, PORT),
	KEEP("dst_ip", dst_ip, TUPLE, CONN | QUALITY | TRACE, IP),
	KEEP("dst_port", dst_port, TUPLE, CONN, PORT),
	KEEP("proto", proto, TUPLE, CONN | QUALITY, WORD(REPORT_WORDS_PROTO)),
	REQ("dir", TUPLE | ROLLUP, CONN | ATTEMPT, WORD(DIR)),
	OPT("community_id", TUPLE, FORM(form_community, "1: and 28 characters of base64")),
	OPT("iif", TUPLE, TEXT(15)),
	OPT("oif", TUPLE, TEXT(15)),
	OPT("hook", TUPLE, WORD("prerouting|input|forward|output|postrouting|ingress")),
	OPT("group", TUPLE, PORT),
	OPT("vlan", TUPLE, INT(1, 4094)),
	OPT("host", TUPLE, TEXT(253)),
	OPT("src_mac", TUPLE, FORM(form_mac, "a MAC address, lower-case")),
	KEEP_TRACE("dst_name", dst_name, TUPLE, 0, TEXT(253)),
	OPT("nat_src_ip", TUPLE, IP),
	OPT("nat_src_port", TUPLE, PORT),
	OPT("nat_dst_ip", TUPLE, IP),
	OPT("nat_dst_port", TUPLE, PORT),
	/* geo */
	OURS("src_cc", GEO, COUNTRY),
	OURS("src_asn", GEO, U32),
	OURS("src_as_org", GEO, ANYTEXT),
	OURS("src_city", GEO, ANYTEXT),
	OURS("src_lat", GEO, NUMBER(-90, 90)),
	OURS("src_lon", GEO, NUMBER(-180, 180)),
	OURS("dst_cc", GEO, COUNTRY),
	OURS("dst_asn", GEO, U32),
	OURS("dst_as_org", GEO, ANYTEXT),
	OURS("dst_city", GEO, ANYTEXT),
	OURS("dst_lat", GEO, NUMBER(-90, 90)),
	OURS("dst_lon", GEO, NUMBER(-180, 180)),
	OURS("geo_db", GEO, ANYTEXT),
	/* conn */
	KEEP("state", state, CONN, CONN, WORD(REPORT_WORDS_STATE)),
	OPT("history", CONN, FORM(form_history, "at most 32 of SsHhAaRr")),
	KEEP("rtt_us", rtt_us, CONN, 0, U32),
	OPT("rtt_ambiguous_us", CONN, U32),
	KEEP("rtt_src_us", rtt_src_us, CONN, 0, U32),
	OPT("setup_us", CONN, U32),
	KEEP("syn_retrans", syn_retrans, CONN | ROLLUP, 0, U64), /* conn: u32, see finish() */
	OPT("synack_retrans", CONN, U32),
	OPT("ttl_src", CONN, INT(0, 255)),
	OPT("ttl_dst", CONN, INT(0, 255)),
	OPT("mss", CONN, PORT),
	OPT("mss_dst", CONN, PORT),
	OPT("sack_ok", CONN, BOOL),
	OPT("wscale", CONN, INT(0, 14)),
	OPT("wscale_dst", CONN, INT(0, 14)),
	OPT("ecn", CONN, BOOL),
	OPT("tfo", CONN, BOOL),
	OPT("dscp", CONN, INT(0, 63)),
	OPT("icmp", CONN, ICMP),
	OPT("loss", CONN, BOOL),
	KEEP("sample_n", sample_n, CONN, 0, INT(1, REPORT_INT_MAX)),
	/* quality, and what it shares with rollup and stat */
	REQ("window_us", QUALITY | ROLLUP | STAT, QUALITY | ROLLUP | STAT, U64),
	OPT("pkts_seen", QUALITY, U64),
	OPT("retrans_pkts", QUALITY, U64),
	OPT("dup_acks", QUALITY, U64),
	OPT("sack_acks", QUALITY, U64),
	OPT("sacked_bytes", QUALITY, U64),
	OPT("dsacks", QUALITY, U64),
	OPT("rtt_min_us", QUALITY | ROLLUP, U32),
	OPT("rtt_p50_us", QUALITY, U32),
	OPT("rtt_p95_us", QUALITY, U32),
	OPT("rtt_max_us", QUALITY | ROLLUP, U32),
	OPT("samples", QUALITY, U64),
	OPT("coverage", QUALITY, WORD("all|slowpath|sampled")),
	/* attempt */
	KEEP("count", count, ATTEMPT, ATTEMPT, U64),
	KEEP("last_ts", last_ts_us, ATTEMPT, ATTEMPT, TIME),
	KEEP("dst_ports", ports, ATTEMPT, 0, LIST(REPORT_PORTS_MAX, &shape_port)),
	KEEP("dst_ports_n", dst_ports_n, ATTEMPT, 0, U32),
	KEEP("dst_ips_n", dst_ips_n, ATTEMPT, 0, U32),
	KEEP("verdict", verdict, ATTEMPT, 0, WORD(REPORT_WORDS_VERDICT)),
	OPT("rule", ATTEMPT, TEXT(127)),
	/* a word in an attempt, a name in a plugin's report: see finish() */
	KEEP("kind", kind, ATTEMPT | PLUGIN, PLUGIN, FORM(form_kind, "a lower-case name")),
	/* trace */
	KEEP_TRACE("method", method, TRACE, TRACE, WORD(REPORT_WORDS_METHOD)),
	KEEP_TRACE("trigger", trigger, TRACE, 0, WORD(REPORT_WORDS_TRIGGER)),
	OPT("flow_id", TRACE, U32),
	KEEP_TRACE("reached", reached, TRACE, TRACE, BOOL),
	OPT("dur_us", TRACE, U64),
	KEEP_TRACE("path_hash", path_hash, TRACE, 0, HEX16),
	KEEP_TRACE("prev_path_hash", prev_path_hash, TRACE, 0, HEX16),
	KEEP_TRACE("hops", hops, TRACE, TRACE, LIST(REPORT_HOPS_MAX, &shape_hop)),
	/* rollup */
	REQ("by", ROLLUP, ROLLUP, WORD("dst_ip|dst_net|dst_asn|src_ip|dst_port|total")),
	REQ("key", ROLLUP, ROLLUP, TEXT(64)),
	REQ("conns", ROLLUP, ROLLUP, U64),
	OPT("failed", ROLLUP, U64),
	OPT("rtt_sum_us", ROLLUP, U64),
	OPT("rtt_hist", ROLLUP, LIST(160, &shape_pair)),
	/* stat */
	OPT("version", STAT, ANYTEXT),
	KEEP("seq_first", seq_first, STAT, 0, U64),
	OPT("seen", STAT, U64),
	OPT("logged", STAT, U64),
	OPT("sampled_out", STAT, U64),
	OPT("received", STAT, U64),
	OPT("gap", STAT, U64),
	OPT("tail", STAT, U64),
	OPT("parsed", STAT, U64),
	OPT("truncated", STAT, U64),
	OPT("malformed", STAT, U64),
	OPT("unsupported", STAT, U64),
	OPT("in_hand", STAT, U64),
	OPT("filtered", STAT, U64),
	OPT("no_ts", STAT, U64),
	OPT("clock_steps", STAT, U64),
	OPT("flows_max", STAT, U32),
	OPT("groups", STAT, LIST(16, &shape_group)),
	OPT("sandbox", STAT, MAP(sandbox_members)),
	OPT("pkts", STAT, U64),
	OPT("kernel_drops", STAT, U64),
	OPT("enobufs", STAT, U64),
	OPT("flows_live", STAT, U32),
	OPT("flows_evicted", STAT, U64),
	OPT("reports", STAT, U64),
	OPT("reports_dropped", STAT, U64),
	OPT("spool_bytes", STAT, U64),
	OPT("flash_written_bytes", STAT, U64),
	OPT("sent_bytes", STAT, U64),
	OPT("http_2xx", STAT, U64),
	OPT("http_4xx", STAT, U64),
	OPT("http_5xx", STAT, U64),
	OPT("cpu_us", STAT, U64),
	OPT("rss_kib", STAT, U64),
	OPT("offload", STAT, WORD("none|software|hardware|unknown")),
	OPT("plugins", STAT, LIST(KEYS, &shape_plugin_entry)),
	/* plugin */
	REQ("plugin", PLUGIN, PLUGIN, FORM(form_plugin, "a lower-case name")),
	OPT("plugin_version", PLUGIN, ANYTEXT),
	OPT("data", PLUGIN, { .kind = K_MAP, .max = KEYS, .members = none_members, .item = &shape_any }),
	END,
};
#define N_MEMBERS (sizeof report_members / sizeof *report_members - 1)

static const struct shape shape_report = MAP(report_members);

/* ---- the walk ---- */

struct frame {
	const struct shape *shape;
	const struct shape *next;    /* of the member whose key was read */
	const struct member *member; /* the same; NULL: none of the table */
	uint64_t seen[3];            /* members, by their place in the table */
	unsigned count;              /* keys or items so far */
	unsigned written;            /* keys */
	unsigned serial;             /* tells the objects of a line apart */
	size_t start;                /* of its text in out */
	int is_list;
	char name[44];               /* of the member, for messages */
};

struct validate {
	yajl_handle yajl;
	struct report *report;
	struct frame frames[DEPTH_MAX];
	int depth;
	int values;       /* at the top level */
	int mute;         /* the depth of the object whose member is being dropped; 0: none */
	unsigned serials;
	char kind[65];
	struct report_trace trace;
	struct report_hop *hop;      /* the one at hand; NULL: one too many */
	size_t out_len;
	char out[REPORT_LINE_MAX];
	char why[240];
	/* Keys outside the tables that this line had, as keyed hashes: that two are equal by
	 * chance happens once in 2^64. */
	uint8_t secret[16];
	uint32_t line;
	struct {
		uint64_t hash;
		uint32_t line;
	} keys[2 * KEYS];
	uint64_t may[REPORT_TYPES][3], must[REPORT_TYPES][3]; /* as frame.seen */
	uint8_t by_name[512]; /* 1 + place in report_members, open addressing */
};

_Static_assert(N_MEMBERS <= 192, "frame.seen is too small");

static unsigned
name_slot(const char *s, size_t n)
{
	uint32_t h = 2166136261u; /* FNV-1a: the table holds our own names only */

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * 16777619u;
	return (h ^ h >> 16) & 511;
}

/* A key may have a NUL in it. */
static int
is_named(const struct member *m, const char *s, size_t n)
{
	return strlen(m->name) == n && !memcmp(m->name, s, n);
}

static const struct member *
find_member(const struct validate *v, const struct member *table, const char *s, size_t n)
{
	if (table == report_members) {
		for (unsigned i = name_slot(s, n); v->by_name[i]; i = (i + 1) & 511) {
			const struct member *m = &table[v->by_name[i] - 1];

			if (is_named(m, s, n))
				return m;
		}
		return NULL;
	}
	for (; table->name; table++) {
		if (is_named(table, s, n))
			return table;
	}
	return NULL;
}

/* Only the first reason is kept; the parse goes on, to learn the line's seq. */
static void __attribute__((format(printf, 2, 3)))
refuse(struct validate *v, const char *fmt, ...)
{
	size_t n = 0;
	va_list ap;

	if (v->why[0])
		return;
	for (int i = 0; i < v->depth && n < 120; i++) {
		const struct frame *f = &v->frames[i];

		if (f->is_list)
			n += (size_t)snprintf(v->why + n, sizeof v->why - n, "[%u]", f->count - 1);
		else if (f->name[0])
			n += (size_t)snprintf(v->why + n, sizeof v->why - n, "%s%s", n ? "." : "",
					      f->name);
	}
	if (n)
		n += (size_t)snprintf(v->why + n, sizeof v->why - n, ": ");
	va_start(ap, fmt);
	vsnprintf(v->why + n, sizeof v->why - n, fmt, ap);
	va_end(ap);
}

/* It always fits: what is written is never longer than what was read. */
static void
put(struct validate *v, const char *bytes, size_t n)
{
	if (v->mute || n > sizeof v->out - v->out_len)
		return;
	memcpy(v->out + v->out_len, bytes, n);
	v->out_len += n;
}

/* Escapes are the shortest that there are, so that no string grows. */
static void
put_text(struct validate *v, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef", named[] = "\bb\ff\nn\rr\tt";
	put(v, "\"", 1);
	for (;;) {
		size_t plain = text_plain(s, n);
		uint8_t c;
		const char *p;

		put(v, s, plain);
		if (plain == n)
			break;
		c = (uint8_t)s[plain];
		s += plain + 1;
		n -= plain + 1;
		p = c && c < 0x20 ? strchr(named, c) : NULL;
		if (c >= 0x20 || p) {
			put(v, (char[]){ '\\', c >= 0x20 ? (char)c : p[1] }, 2);
		} else {
			put(v, "\\u00", 4);
			put(v, (char[]){ hex[c >> 4], hex[c & 15] }, 2);
		}
	}
	put(v, "\"", 1);
}

/* The shape that the value now at hand must have. */
static const struct shape *
expect(struct validate *v)
{
	struct frame *f;

	if (!v->depth) {
		if (v->values++)
			refuse(v, "more than one value in the line");
		return &shape_report;
	}
	f = &v->frames[v->depth - 1];
	if (!f->is_list)
		return f->next;
	if (f->count++)
		put(v, ",", 1);
	if (f->shape->kind == K_ANY)
		return f->shape;
	if (f->count > f->shape->max)
		refuse(v, "more than %lld items", (long long)f->shape->max);
	return f->count > 1 && f->shape->rest ? f->shape->rest : f->shape->item;
}

static void
value_done(struct validate *v)
{
	if (v->mute == v->depth)
		v->mute = 0;
}

/* Where the value at hand is kept, or NULL. */
static void *
kept_at(struct validate *v)
{
	const struct member *m = v->depth == 1 || v->depth == 3 ? v->frames[v->depth - 1].member : NULL;

	if (!m || !m->at)
		return NULL;
	if (v->depth == 1)
		return (m->trace ? (char *)&v->trace : (char *)v->report) + m->at;
	return v->hop && v->frames[2].shape == &shape_hop ? (char *)v->hop + m->at : NULL;
}

/* The text of the value at hand, which begins at `start` of what is written. */
static void
keep_text(struct validate *v, size_t start)
{
	struct report_text *p = kept_at(v);

	if (p)
		*p = (struct report_text){ v->out + start, v->out_len - start };
}

static void
keep_number(struct validate *v, int64_t number)
{
	int64_t *p = kept_at(v);

	if (p)
		*p = number;
}

static const char *
shape_noun(const struct shape *shape)
{
	switch (shape->kind) {
	case K_INT:
		return "a whole number";
	case K_NUMBER:
		return "a number";
	case K_BOOL:
		return "true or false";
	case K_MAP:
		return "an object";
	case K_LIST:
		return "a list";
	default:
		return "a string";
	}
}

static int
on_null(void *arg)
{
	struct validate *v = arg;
	const struct shape *shape = expect(v);

	if (shape->kind != K_ANY)
		refuse(v, "must be %s, is null", shape_noun(shape));
	put(v, "null", 4);
	value_done(v);
	return 1;
}

static int
on_boolean(void *arg, int value)
{
	struct validate *v = arg;
	const struct shape *shape = expect(v);

	if (shape->kind != K_ANY && shape->kind != K_BOOL)
		refuse(v, "must be %s, is %s", shape_noun(shape), value ? "true" : "false");
	else if (shape->kind == K_BOOL)
		keep_number(v, value);
	put(v, value ? "true" : "false", value ? 4 : 5);
	value_done(v);
	return 1;
}

static void
keep_port(struct validate *v, int64_t port)
{
	struct report *r = v->report;

	for (unsigned i = 0; i < r->n_ports; i++) {
		if (r->ports[i] == port)
			refuse(v, "%lld is there twice", (long long)port);
	}
	if (r->n_ports < REPORT_PORTS_MAX)
		r->ports[r->n_ports++] = (uint16_t)port;
}

static void
keep_rtt(struct validate *v, int64_t us)
{
	struct report_hop *hop = v->hop;

	if (hop && hop->n_rtt < REPORT_HOP_RTTS_MAX)
		hop->rtt_us[hop->n_rtt++] = (uint32_t)us;
}

/* Most numbers are digits alone, too few to be beyond anything but a range. */
static int
short_number(const char *s, size_t n, int64_t *out)
{
	int64_t number = 0;

	if (n > 15)
		return 0;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(s[i]))
			return 0;
		number = number * 10 + (s[i] - '0');
	}
	*out = number;
	return 1;
}

static void
take_whole(struct validate *v, const struct shape *shape, int64_t number)
{
	keep_number(v, number);
	if (shape == &shape_port)
		keep_port(v, number);
	else if (shape == &shape_us)
		keep_rtt(v, number);
}

static int
on_number(void *arg, const char *s, size_t n)
{
	struct validate *v = arg;
	const struct shape *shape = expect(v);
	int64_t number;
	char text[NUMBER_MAX + 1];
	int whole = 1;
	double d;

	if (shape->kind == K_INT && short_number(s, n, &number) && number >= shape->min && number <= shape->max) {
		take_whole(v, shape, number);
		put(v, s, n);
		value_done(v);
		return 1;
	}
	if (n > NUMBER_MAX) {
		refuse(v, "a number of more than %d characters", NUMBER_MAX);
		value_done(v);
		return 1;
	}
	memcpy(text, s, n);
	text[n] = 0;
	for (size_t i = 0; i < n; i++)
		whole = whole && s[i] != '.' && s[i] != 'e' && s[i] != 'E';
	d = strtod(text, NULL);
	if (!isfinite(d))
		refuse(v, "%s is too big", text);
	else if (whole && fabs(d) > (double)REPORT_INT_MAX)
		refuse(v, "%s is beyond 2^53 - 1", text);
	else if (shape->kind == K_INT && !whole)
		refuse(v, "%s is no whole number", text);
	else if (shape->kind == K_INT && d < (double)shape->min)
		refuse(v, "%s is below %lld", text, (long long)shape->min);
	else if (shape->kind == K_INT && d > (double)shape->max)
		refuse(v, "%s is above %lld", text, (long long)shape->max);
	else if (shape->kind == K_NUMBER && (d < shape->low || d > shape->high))
		refuse(v, "%s is not from %g to %g", text, shape->low, shape->high);
	else if (shape->kind != K_INT && shape->kind != K_NUMBER && shape->kind != K_ANY)
		refuse(v, "must be %s, is %s", shape_noun(shape), text);
	else if (shape->kind == K_INT)
		take_whole(v, shape, (int64_t)d);
	put(v, s, n);
	value_done(v);
	return 1;
}

static void
check_ip(struct validate *v, const char *s, size_t n)
{
	char text[ADDR_TEXT], *kept = kept_at(v);
	uint8_t ipv, addr[16];

	if (n >= sizeof text || memchr(s, 0, n)) {
		refuse(v, "must be an IP address");
		return;
	}
	memcpy(text, s, n);
	text[n] = 0;
	if (addr_parse(&ipv, addr, text))
		refuse(v, "must be an IP address, is \"%s\"", text);
	else if (kept)
		addr_print(kept, ipv, addr);
}

static int
on_string(void *arg, const unsigned char *bytes, size_t n)
{
	struct validate *v = arg;
	const struct shape *shape = expect(v);
	const char *s = (const char *)bytes;
	int shown = n < 40 ? (int)n : 40;
	size_t start = v->out_len;
	char *kept = NULL;
	int64_t i;

	switch (shape->kind) {
	case K_ANY:
		break;
	case K_TEXT:
		if (text_utf8(s, n) > shape->max)
			refuse(v, "longer than %lld characters", (long long)shape->max);
		break;
	case K_WORD:
		i = report_word_index(shape->words, s, n);
		if (i < 0)
			refuse(v, "\"%.*s\" is none of %s", shown, s, shape->words);
		else
			keep_number(v, i);
		break;
	case K_FORM:
		if (!shape->form(s, n)) {
			refuse(v, "\"%.*s\" is not %s", shown, s, shape->want);
			break;
		}
		if (kept_at(v))
			kept = kept_at(v) == &v->report->kind ? v->kind : kept_at(v);
		if (kept) {
			memcpy(kept, s, n);
			kept[n] = 0;
		}
		break;
	case K_IP:
		check_ip(v, s, n);
		break;
	case K_TIME:
		i = text_time_us(s, n);
		if (i < 0)
			refuse(v, "\"%.*s\" is no time such as 2026-11-21T19:04:05.123456Z", shown, s);
		else
			keep_number(v, i);
		break;
	default:
		refuse(v, "must be %s, is \"%.*s\"", shape_noun(shape), shown, s);
	}
	put_text(v, s, n);
	if (shape->kind == K_TEXT)
		keep_text(v, start);
	value_done(v);
	return 1;
}

static struct report_hop *
next_hop(struct report_trace *t)
{
	struct report_hop *hop;

	if (t->n_hops == REPORT_HOPS_MAX)
		return NULL;
	hop = &t->hop[t->n_hops++];
	hop->n_rtt = 0;
	hop->ttl = hop->sent = -1;
	hop->cached = 0;
	hop->ip[0] = 0;
	hop->name.n = 0;
	return hop;
}

static int
open_frame(struct validate *v, int is_list)
{
	const struct shape *shape = expect(v);

	if (v->depth == DEPTH_MAX) {
		refuse(v, "more than %d levels", DEPTH_MAX);
		return 0;
	}
	if (shape->kind != K_ANY && shape->kind != (is_list ? K_LIST : K_MAP)) {
		refuse(v, "must be %s, is %s", shape_noun(shape), is_list ? "a list" : "an object");
		shape = &shape_any;
	}
	if (shape == &shape_hop)
		v->hop = next_hop(&v->trace);
	v->frames[v->depth] = (struct frame){ .shape = shape, .is_list = is_list, .next = &shape_any,
					      .serial = v->serials++, .start = v->out_len };
	v->depth++;
	put(v, is_list ? "[" : "{", 1);
	return 1;
}

static int
on_map(void *arg)
{
	return open_frame(arg, 0);
}

static int
on_list(void *arg)
{
	return open_frame(arg, 1);
}

/* Whether the object had this key before; for keys that are in no table. */
static int
key_twice(struct validate *v, unsigned serial, const unsigned char *s, size_t n)
{
	uint8_t text[4 + REPORT_LINE_MAX];
	uint64_t hash;

	if (n > REPORT_LINE_MAX)
		return 0;
	memcpy(text, &serial, 4);
	memcpy(text + 4, s, n);
	hash = hash_sip(v->secret, text, n + 4);
	for (size_t i = hash % (2 * KEYS);; i = (i + 1) % (2 * KEYS)) {
		if (v->keys[i].line != v->line) {
			v->keys[i].line = v->line;
			v->keys[i].hash = hash;
			return 0;
		}
		if (v->keys[i].hash == hash)
			return 1;
	}
}

/* For messages; up to a NUL, if one is in it. */
static void
keep_name(struct frame *f, const char *s, size_t n)
{
	n = strnlen(s, n < sizeof f->name ? n : sizeof f->name - 1);
	memcpy(f->name, s, n);
	f->name[n] = 0;
}

static int
on_key(void *arg, const unsigned char *bytes, size_t n)
{
	struct validate *v = arg;
	struct frame *f = &v->frames[v->depth - 1];
	const char *s = (const char *)bytes;
	const struct member *m = NULL;
	int twice;

	if (f->shape->kind == K_MAP)
		m = find_member(v, f->shape->members, s, n);
	keep_name(f, s, n);
	f->member = m;
	f->count++;
	if (m) {
		size_t i = (size_t)(m - f->shape->members);

		twice = f->seen[i / 64] >> i % 64 & 1;
		f->seen[i / 64] |= 1ULL << i % 64;
		f->next = &m->shape;
	} else {
		twice = key_twice(v, f->serial, bytes, n);
		f->next = f->shape->kind == K_MAP && f->shape->item ? f->shape->item : &shape_any;
		if (f->shape == &shape_report ? !form_extension(s, n)
					      : f->shape->kind == K_MAP && !f->shape->item)
			refuse(v, "unknown field");
	}
	if (twice)
		refuse(v, "is there twice");
	if (f->shape->kind == K_MAP && f->count > f->shape->max)
		refuse(v, "more than %lld fields", (long long)f->shape->max);
	if (m && m->collector && !v->mute)
		v->mute = v->depth;
	if (v->mute)
		return 1;
	if (f->written++)
		put(v, ",", 1);
	put_text(v, s, n);
	put(v, ":", 1);
	return 1;
}

static int
close_frame(void *arg)
{
	struct validate *v = arg;
	struct frame *f = &v->frames[v->depth - 1];

	f->name[0] = 0;
	if (f->is_list) {
		if (f->shape->kind == K_LIST && f->count < f->shape->min) {
			v->depth--; /* the list's own name */
			refuse(v, "must have %lld items", (long long)f->shape->min);
			v->depth++;
		}
	} else if (f->shape->kind == K_MAP && f->shape != &shape_report) {
		for (size_t i = 0; f->shape->members[i].name; i++) {
			if (f->shape->members[i].need && !(f->seen[0] >> i & 1))
				refuse(v, "%s is missing", f->shape->members[i].name);
		}
	}
	put(v, f->is_list ? "]" : "}", 1);
	v->depth--;
	if (f->shape->item == &shape_hop)
		keep_text(v, f->start);
	value_done(v);
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_map,
	.yajl_map_key = on_key,
	.yajl_end_map = close_frame,
	.yajl_start_array = on_list,
	.yajl_end_array = close_frame,
};

/* The members seen are all that a report of this type needs, and none that it may not have. */
static int
as_it_must(const struct validate *v, const struct frame *f, int64_t type)
{
	for (int i = 0; i < 3; i++) {
		if (f->seen[i] & ~v->may[type][i] || v->must[type][i] & ~f->seen[i])
			return 0;
	}
	return 1;
}

/* Says which is not as it must be. */
static void
check_members(struct validate *v, const struct frame *f, int64_t of)
{
	size_t n = 0;
	const char *type = report_word(REPORT_WORDS_TYPE, of, &n);
	unsigned bit = 1u << of;

	for (size_t i = 0; i < N_MEMBERS; i++) {
		const struct member *m = &report_members[i];
		int seen = f->seen[i / 64] >> i % 64 & 1;

		if (seen && !(m->types & bit))
			refuse(v, "%s: no field of a %.*s report", m->name, (int)n, type);
		if (!seen && m->need & bit)
			refuse(v, "%s is missing", m->name);
	}
}

/* What depends on the type. */
static void
finish(struct validate *v)
{
	const struct frame *f = &v->frames[0];
	struct report *r = v->report;

	if (v->why[0])
		return;
	if (r->type < 0) {
		refuse(v, "type is missing");
		return;
	}
	if (!as_it_must(v, f, r->type))
		check_members(v, f, r->type);
	if (r->type == REPORT_CONN && r->syn_retrans > UINT32_MAX)
		refuse(v, "syn_retrans: %lld is above %u", (long long)r->syn_retrans, UINT32_MAX);
	if (r->type == REPORT_ATTEMPT && v->kind[0]) {
		r->kind = report_word_index(REPORT_WORDS_KIND, v->kind, strlen(v->kind));
		if (r->kind < 0)
			refuse(v, "kind: \"%s\" is none of %s", v->kind, REPORT_WORDS_KIND);
	}
}

static void
clear_trace(struct report_trace *t)
{
	t->n_hops = 0;
	t->method = t->trigger = t->reached = -1;
	t->path_hash[0] = t->prev_path_hash[0] = 0;
	t->dst_name.n = t->hops.n = 0;
}

static void
clear_report(struct report *r)
{
	r->type = r->seq = r->ts_us = r->last_ts_us = r->src_port = r->dst_port = r->proto = -1;
	r->state = r->rtt_us = r->rtt_src_us = r->syn_retrans = r->sample_n = r->count = r->verdict = -1;
	r->kind = r->dst_ports_n = r->dst_ips_n = r->seq_first = -1;
	r->sensor[0] = r->boot[0] = r->src_ip[0] = r->dst_ip[0] = 0;
	r->n_ports = 0;
	r->trace = NULL;
}

int
validate_line(struct validate *v, const char *line, size_t len, struct report *r)
{
	static const unsigned char newline = '\n';

	clear_report(r);
	clear_trace(&v->trace);
	v->report = r;
	v->depth = v->values = v->mute = 0;
	v->serials = 0;
	v->out_len = 0;
	v->why[0] = v->kind[0] = 0;
	if (!++v->line) { /* after 2^32 lines the marks could be taken for ours */
		memset(v->keys, 0, sizeof v->keys);
		v->line = 1;
	}
	if (len >= REPORT_LINE_MAX) {
		refuse(v, "longer than %d bytes", REPORT_LINE_MAX - 1);
		return -1;
	}
	if (!text_json_bytes(line, len)) {
		refuse(v, "a control character");
		return -1;
	}
	if (text_utf8(line, len) < 0) {
		refuse(v, "not UTF-8");
		return -1;
	}
	if (!text_surrogates_paired(line, len)) {
		refuse(v, "half of a surrogate pair");
		return -1;
	}
	if (!v->yajl) {
		v->yajl = yajl_alloc(&callbacks, NULL, v);
		if (!v->yajl) {
			refuse(v, "out of memory");
			return -1;
		}
		/* One handle for many lines: making one costs more than parsing one. */
		yajl_config(v->yajl, yajl_allow_multiple_values, 1);
		yajl_config(v->yajl, yajl_dont_validate_strings, 1); /* done above, and better */
	}
	/* The newline ends a number or word that stands last. */
	if (yajl_parse(v->yajl, (const unsigned char *)line, len) != yajl_status_ok ||
	    yajl_parse(v->yajl, &newline, 1) != yajl_status_ok || v->depth || !v->values) {
		v->depth = 0;
		refuse(v, "not JSON");
		yajl_free(v->yajl);
		v->yajl = NULL;
		return -1;
	}
	finish(v);
	if (v->why[0])
		return -1;
	r->json = v->out;
	r->json_len = v->out_len;
	if (r->type == REPORT_TRACE)
		r->trace = &v->trace;
	return 0;
}

enum validate_kind
validate_kind_of(const char *name, size_t len)
{
	for (const struct member *m = report_members; m->name; m++) {
		if (!is_named(m, name, len))
			continue;
		switch (m->shape.kind) {
		case K_INT:
		case K_NUMBER:
			return VALIDATE_NUMBER;
		case K_BOOL:
			return VALIDATE_BOOL;
		case K_MAP:
		case K_LIST:
			return VALIDATE_NESTED;
		default:
			return VALIDATE_STRING;
		}
	}
	return VALIDATE_NONE;
}

const char *
validate_why(const struct validate *v)
{
	return v->why;
}

struct validate *
validate_new(void)
{
	struct validate *v = calloc(1, sizeof *v);

	if (!v)
		return NULL;
	hash_random(v->secret, sizeof v->secret);
	for (size_t m = 0; m < N_MEMBERS; m++) {
		const char *name = report_members[m].name;
		unsigned i = name_slot(name, strlen(name));

		while (v->by_name[i])
			i = (i + 1) & 511;
		v->by_name[i] = (uint8_t)(m + 1);
		for (int type = 0; type < REPORT_TYPES; type++) {
			v->may[type][m / 64] |= (uint64_t)(report_members[m].types >> type & 1) << m % 64;
			v->must[type][m / 64] |= (uint64_t)(report_members[m].need >> type & 1) << m % 64;
		}
	}
	return v;
}

void
validate_free(struct validate *v)
{
	if (!v)
		return;
	if (v->yajl)
		yajl_free(v->yajl);
	free(v);
}
