/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filter.c - the table of fields, and text to tree by recursive descent:
 *
 *	any     = both { "or" both }
 *	both    = one { "and" one }
 *	one     = "not" one | "(" any ")" | "has" field | field op value | field ["not"] "in" "(" value {"," value} ")"
 *
 * A value is a word (anything but blanks and ( ) , = ! < > ~ ") or a "string" with \" and \\.
 */
#include "filter.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "report.h"
#include "text.h"

#define J(name) "field(json,'" name "')"
#define ALL(sql) { sql, sql, sql }
#define CONN(sql) { sql, NULL, NULL }
#define ATTEMPT(sql) { NULL, sql, NULL }
#define TRACE(sql) { NULL, NULL, sql }
#define KNOWN(of, what) { "addr_info(" of "," what ",@)", "addr_info(" of "," what ",@)", "addr_info(" J(of) "," what ",@)" }

#define WORDS_TYPE "conn|attempt|trace"
#define WORDS_DIR "outbound|inbound|internal|external|local|unknown"

const struct filter_field filter_fields[] = {
	{ "type", { NULL }, FILTER_KIND, WORDS_TYPE, "kind of report", ALL("type"), BLOCKS_TYPE },
	{ "ts", { "time" }, FILTER_TIME, NULL, "when it counts: 2026-11-21 or 2026-11-21T19:04:05Z", ALL("at_us"), 0 },
	{ "sensor", { NULL }, FILTER_TEXT, NULL, "who reported it", ALL("sensor"), BLOCKS_SENSOR },
	{ "id", { NULL }, FILTER_NUMBER, NULL, "number in this collector", ALL("id"), 0 },
	{ "boot", { NULL }, FILTER_TEXT, NULL, "run of the sensor", ALL(J("boot")), 0 },
	{ "seq", { NULL }, FILTER_NUMBER, NULL, "number in that run", ALL("seq"), 0 },
	{ "dir", { NULL }, FILTER_WORD, WORDS_DIR, "direction", ALL(J("dir")), 0 },
	{ "src_ip", { "src", "src.ip" }, FILTER_ADDRESS, NULL, "who began: address or network",
	  { "src_ip", "src_ip", J("src_ip") }, BLOCKS_IP },
	{ "src_port", { "src.port" }, FILTER_NUMBER, NULL, "port of who began", ALL(J("src_port")), 0 },
	{ "dst_ip", { "dst", "dst.ip" }, FILTER_ADDRESS, NULL, "destination: address or network",
	  { "dst_ip", "dst_ip", J("dst_ip") }, BLOCKS_IP },
	{ "dst_port", { "port", "dst.port" }, FILTER_PORT, NULL, "port of the destination; of an attempt: any of its ports",
	  { "dst_port", "ports", J("dst_port") }, BLOCKS_PORT },
	{ "proto", { NULL }, FILTER_WORD, REPORT_WORDS_PROTO, "protocol", ALL(J("proto")), 0 },
	{ "state", { NULL }, FILTER_PLACE, REPORT_WORDS_STATE, "how a handshake ended", CONN("state"), 0 },
	{ "failed", { NULL }, FILTER_YES, NULL, "no handshake came about", CONN("(state >= 2)"), 0 },
	{ "rtt_us", { "rtt", "dst.rtt" }, FILTER_DURATION, NULL, "SYN to SYN-ACK: sensor to destination", CONN(J("rtt_us")), 0 },
	{ "rtt_src_us", { "rtt.src", "src.rtt" }, FILTER_DURATION, NULL, "SYN-ACK to ACK: sensor to who began",
	  CONN(J("rtt_src_us")), 0 },
	{ "rtt_ambiguous_us", { "rtt.ambiguous" }, FILTER_DURATION, NULL, "the same as rtt when a SYN was sent again",
	  CONN(J("rtt_ambiguous_us")), 0 },
	{ "setup_us", { "setup" }, FILTER_DURATION, NULL, "first SYN to SYN-ACK, waits included", CONN(J("setup_us")), 0 },
	{ "syn_retrans", { "retrans" }, FILTER_NUMBER, NULL, "SYNs sent again", CONN(J("syn_retrans")), 0 },
	{ "synack_retrans", { NULL }, FILTER_NUMBER, NULL, "SYN-ACKs sent again", CONN(J("synack_retrans")), 0 },
	{ "history", { NULL }, FILTER_TEXT, NULL, "letters of the handshake, as Zeek has them", CONN(J("history")), 0 },
	{ "sample_n", { NULL }, FILTER_NUMBER, NULL, "one in so many was kept", CONN(J("sample_n")), 0 },
	{ "loss", { NULL }, FILTER_YES, NULL, "packets were missed meanwhile", CONN(J("loss")), 0 },
	{ "ttl_src", { "src.ttl" }, FILTER_NUMBER, NULL, "TTL of who began", CONN(J("ttl_src")), 0 },
	{ "ttl_dst", { "dst.ttl" }, FILTER_NUMBER, NULL, "TTL of the answer", CONN(J("ttl_dst")), 0 },
	{ "mss", { NULL }, FILTER_NUMBER, NULL, "MSS of who began", CONN(J("mss")), 0 },
	{ "icmp", { NULL }, FILTER_TEXT, NULL, "type/code that ended it", CONN(J("icmp")), 0 },
	{ "iif", { NULL }, FILTER_TEXT, NULL, "interface it came in by", ALL(J("iif")), 0 },
	{ "oif", { NULL }, FILTER_TEXT, NULL, "interface it left by", ALL(J("oif")), 0 },
	{ "vlan", { NULL }, FILTER_NUMBER, NULL, "VLAN", ALL(J("vlan")), 0 },
	{ "host", { NULL }, FILTER_TEXT, NULL, "name of who began, as the sensor knows it", ALL(J("host")), 0 },
	{ "dst_name", { "dst.name" }, FILTER_TEXT, NULL, "name of the destination, as the sensor knows it", ALL(J("dst_name")), 0 },
	{ "community_id", { NULL }, FILTER_TEXT, NULL, "Community ID", ALL(J("community_id")), 0 },
	{ "src_cc", { "src.cc" }, FILTER_TEXT, NULL, "country of who began, such as DE", KNOWN("src_ip", "'cc'"), 0 },
	{ "src_asn", { "src.as", "src.asn" }, FILTER_NUMBER, NULL, "autonomous system of who began", KNOWN("src_ip", "'asn'"), 0 },
	{ "src_as_org", { "src.org" }, FILTER_TEXT, NULL, "its name", KNOWN("src_ip", "'as_org'"), 0 },
	{ "src_city", { "src.city" }, FILTER_TEXT, NULL, "city of who began", KNOWN("src_ip", "'city'"), 0 },
	{ "dst_cc", { "dst.cc", "cc" }, FILTER_TEXT, NULL, "country of the destination, such as DE", KNOWN("dst_ip", "'cc'"), 0 },
	{ "dst_asn", { "dst.as", "dst.asn", "as" }, FILTER_NUMBER, NULL, "autonomous system of the destination",
	  KNOWN("dst_ip", "'asn'"), 0 },
	{ "dst_as_org", { "dst.org" }, FILTER_TEXT, NULL, "its name", KNOWN("dst_ip", "'as_org'"), 0 },
	{ "dst_city", { "dst.city" }, FILTER_TEXT, NULL, "city of the destination", KNOWN("dst_ip", "'city'"), 0 },
	{ "count", { NULL }, FILTER_NUMBER, NULL, "packets of an attempt", ATTEMPT("count"), 0 },
	{ "verdict", { NULL }, FILTER_PLACE, REPORT_WORDS_VERDICT, "what the firewall did with an attempt", ATTEMPT("verdict"), 0 },
	{ "kind", { NULL }, FILTER_PLACE, REPORT_WORDS_KIND, "what an attempt looks like", ATTEMPT("kind"), 0 },
	{ "dst_ports_n", { NULL }, FILTER_NUMBER, NULL, "ports of an attempt, when more than 64", ATTEMPT("dst_ports_n"), 0 },
	{ "dst_ips_n", { NULL }, FILTER_NUMBER, NULL, "addresses of an attempt", ATTEMPT("dst_ips_n"), 0 },
	{ "rule", { NULL }, FILTER_TEXT, NULL, "rule that met an attempt", ATTEMPT(J("rule")), 0 },
	{ "hop", { NULL }, FILTER_HOP, NULL, "a router on the path of a trace", TRACE("json"), BLOCKS_IP },
	{ "method", { NULL }, FILTER_WORD, REPORT_WORDS_METHOD, "probes of a trace", TRACE(J("method")), 0 },
	{ "trigger", { NULL }, FILTER_WORD, REPORT_WORDS_TRIGGER, "why a trace was made", TRACE(J("trigger")), 0 },
	{ "reached", { NULL }, FILTER_YES, NULL, "the trace came to its destination", TRACE(J("reached")), 0 },
	{ "path_hash", { NULL }, FILTER_TEXT, NULL, "path of a trace", TRACE(J("path_hash")), 0 },
	{ "prev_path_hash", { NULL }, FILTER_TEXT, NULL, "path before it changed", TRACE(J("prev_path_hash")), 0 },
};
const size_t filter_fields_n = sizeof filter_fields / sizeof *filter_fields;

const char *const filter_op_names[FILTER_OPS] = { "=", "!=", "<", "<=", ">", ">=", "~", "!~", "in", "not in", "has" };

#define OPS_SAME (1u << FILTER_EQ | 1u << FILTER_NE)
#define OPS_LISTS (1u << FILTER_IN | 1u << FILTER_NOT_IN)
#define OPS_ORDER (1u << FILTER_LT | 1u << FILTER_LE | 1u << FILTER_GT | 1u << FILTER_GE)
#define OPS_LIKE (1u << FILTER_LIKE | 1u << FILTER_UNLIKE)

static const struct {
	const char *name;
	unsigned ops;
} types[] = {
	[FILTER_NUMBER] = { "number", OPS_SAME | OPS_LISTS | OPS_ORDER },
	[FILTER_DURATION] = { "duration", OPS_SAME | OPS_LISTS | OPS_ORDER },
	[FILTER_TIME] = { "time", OPS_ORDER },
	[FILTER_ADDRESS] = { "address", OPS_SAME | OPS_LISTS | OPS_LIKE },
	[FILTER_PORT] = { "number", OPS_SAME | OPS_LISTS | OPS_ORDER },
	[FILTER_HOP] = { "address", OPS_SAME | OPS_LISTS },
	[FILTER_WORD] = { "word", OPS_SAME | OPS_LISTS },
	[FILTER_PLACE] = { "word", OPS_SAME | OPS_LISTS },
	[FILTER_KIND] = { "word", OPS_SAME | OPS_LISTS },
	[FILTER_TEXT] = { "text", OPS_SAME | OPS_LISTS | OPS_LIKE },
	[FILTER_YES] = { "yes or no", OPS_SAME },
};

static const struct {
	const char *name;
	int64_t us;
} units[] = { { "us", 1 }, { "\302\265s", 1 }, { "ms", 1000 }, { "s", 1000000 } };

const char *
filter_type_name(enum filter_type type)
{
	return types[type].name;
}

unsigned
filter_ops(enum filter_type type)
{
	return types[type].ops;
}

/* ---- words ---- */

enum token { T_END, T_WORD, T_STRING, T_OPEN, T_CLOSE, T_COMMA, T_OP, T_BAD };

struct parser {
	const char *text, *end, *p;
	struct filter *f;
	struct filter_error *error;
	unsigned depth;
	/* The token at hand. */
	enum token token;
	enum filter_op op;
	const char *at;      /* where it begins */
	const char *s;       /* of a string: without quotes, escapes read */
	size_t n;
};

static int __attribute__((format(printf, 3, 4)))
wrong(struct parser *p, const char *at, const char *fmt, ...)
{
	va_list ap;

	p->error->at = (size_t)(at - p->text);
	p->error->n_expected = 0;
	va_start(ap, fmt);
	vsnprintf(p->error->why, sizeof p->error->why, fmt, ap);
	va_end(ap);
	/* A part of what a person wrote may end in the middle of a character. */
	for (char *c = p->error->why; *c; c++) {
		if (*c < ' ' || *c >= 0x7f)
			*c = '?';
	}
	return -EINVAL;
}

static void
expect(struct parser *p, const char *s, size_t n)
{
	if (p->error->n_expected < FILTER_EXPECTED_MAX)
		p->error->expected[p->error->n_expected++] = (struct filter_word){ s, n };
}

static int
expect_all(struct parser *p, const char *const words[])
{
	for (size_t i = 0; words[i]; i++)
		expect(p, words[i], strlen(words[i]));
	return -EINVAL;
}

static int
is_word(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f && !strchr("()=!<>~,\"", c);
}

/* A string, into the filter's text. */
static void
read_string(struct parser *p)
{
	char *out = p->f->text + p->f->text_n;

	p->token = T_BAD;
	p->s = out;
	for (p->p++; p->p < p->end && *p->p != '"'; p->p++) {
		if (*p->p == '\\') {
			p->p++;
			if (p->p == p->end || (*p->p != '"' && *p->p != '\\')) {
				wrong(p, p->p - 1, "behind \\ comes \" or \\ in a string");
				return;
			}
		}
		*out++ = *p->p;
	}
	if (p->p == p->end) {
		wrong(p, p->at, "this string has no end");
		expect(p, "\"", 1);
		return;
	}
	p->p++;
	p->n = (size_t)(out - p->s);
	*out++ = 0;
	p->f->text_n = (size_t)(out - p->f->text);
	p->token = T_STRING;
}

static void
read_op(struct parser *p)
{
	/* Longer ones first. */
	static const enum filter_op ops[] = { FILTER_NE, FILTER_LE, FILTER_GE, FILTER_UNLIKE, FILTER_EQ, FILTER_LT, FILTER_GT,
					      FILTER_LIKE };

	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		size_t n = strlen(filter_op_names[ops[i]]);

		if ((size_t)(p->end - p->p) < n || memcmp(p->p, filter_op_names[ops[i]], n))
			continue;
		p->token = T_OP;
		p->op = ops[i];
		p->p += n;
		return;
	}
	p->token = T_BAD;
	wrong(p, p->at, "! stands in != and !~ only; to turn a comparison round write not");
	expect(p, "!=", 2);
	expect(p, "!~", 2);
	expect(p, "not", 3);
}

static void
next(struct parser *p)
{
	while (p->p < p->end && (*p->p == ' ' || *p->p == '\t' || *p->p == '\n' || *p->p == '\r'))
		p->p++;
	p->at = p->s = p->p;
	p->n = 0;
	p->token = T_END;
	if (p->p == p->end)
		return;
	switch (*p->p) {
	case '(':
		p->token = T_OPEN;
		p->p++;
		return;
	case ')':
		p->token = T_CLOSE;
		p->p++;
		return;
	case ',':
		p->token = T_COMMA;
		p->p++;
		return;
	case '"':
		read_string(p);
		return;
	case '=': case '!': case '<': case '>': case '~':
		read_op(p);
		return;
	default:
		break;
	}
	for (; p->p < p->end && is_word(*p->p); p->p++)
		p->n++;
	p->token = T_WORD;
	if (!p->n) {
		p->token = T_BAD;
		wrong(p, p->at, "a control character");
	}
}

/* ---- values ---- */

static int
same_word(const char *name, const char *s, size_t n)
{
	return name && strlen(name) == n && !strncasecmp(name, s, n);
}

static int
is_keyword(const struct parser *p, const char *word)
{
	return p->token == T_WORD && same_word(word, p->s, p->n);
}

/* Digits, and up to 6 behind a point, in millionths; what is left of the word behind them.  -1: no digits, or too
 * many. */
static int
read_decimal(const char **s, size_t *n, int64_t *millionths)
{
	int64_t v = 0, unit = 1000000;
	size_t i = 0, digits = 0;

	for (; i < *n && (*s)[i] >= '0' && (*s)[i] <= '9' && ++digits <= 12; i++)
		v = v * 10 + ((*s)[i] - '0') * 1000000;
	if (!digits || digits > 12)
		return -1;
	if (i + 1 < *n && (*s)[i] == '.') {
		for (i++; i < *n && (*s)[i] >= '0' && (*s)[i] <= '9' && unit > 1; i++)
			v += ((*s)[i] - '0') * (unit /= 10);
	}
	*s += i;
	*n -= i;
	*millionths = v;
	return 0;
}

static int
read_duration(struct parser *p, struct filter_value *v)
{
	const char *s = p->s;
	size_t n = p->n;
	int64_t millionths;

	if (read_decimal(&s, &n, &millionths)) {
		wrong(p, p->at, "a time with its unit stands here, such as 80ms");
		expect(p, "80ms", 4);
		return -EINVAL;
	}
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (n == strlen(units[i].name) && !memcmp(s, units[i].name, n)) {
			/* 12 digits of seconds do not overflow: first the millionths go. */
			v->number = units[i].us == 1000000 ? millionths : millionths / (1000000 / units[i].us);
			return 0;
		}
	}
	if (!n && !millionths) {
		v->number = 0;
		return 0;
	}
	/* A string is not where it was read from. */
	wrong(p, p->token == T_WORD ? s : p->at, n ? "no unit of time" : "a time needs its unit");
	expect(p, "us", 2);
	expect(p, "ms", 2);
	expect(p, "s", 1);
	return -EINVAL;
}

static int
read_number(struct parser *p, const struct filter_field *field, struct filter_value *v)
{
	const char *s = p->s;
	size_t n = p->n;

	if (n > 2 && strstr(field->name, "asn") && !strncasecmp(s, "AS", 2)) {
		s += 2;
		n -= 2;
	}
	v->number = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] < '0' || s[i] > '9' || i == 16)
			return wrong(p, p->at, "%s is a number, %.*s is none", field->name, (int)(p->n < 60 ? p->n : 60), p->s);
		v->number = v->number * 10 + (s[i] - '0');
	}
	if (!n)
		return wrong(p, p->at, "%s is a number", field->name);
	if (field->type == FILTER_PORT) {
		if (v->number > 65535)
			return wrong(p, p->at, "a port is at most 65535");
		v->term = blocks_term_port((uint16_t)v->number);
	}
	return 0;
}

static int
read_address(struct parser *p, struct filter_value *v)
{
	char text[ADDR_TEXT + 4];
	int r = -EINVAL;

	if (p->n < sizeof text && !memchr(p->s, 0, p->n)) {
		memcpy(text, p->s, p->n);
		text[p->n] = 0;
		r = addr_prefix_parse(&v->net, text);
	}
	if (r == -EDOM)
		return wrong(p, p->at, "%s has bits behind its length: write the network's own address", text);
	if (r) {
		wrong(p, p->at, "an address or a network stands here, such as 192.0.2.7 or 2001:db8::/32");
		expect(p, "192.0.2.0/24", 12);
		return -EINVAL;
	}
	v->single = v->net.len == (v->net.ipv == 4 ? 32 : 128);
	/* Room for it was left. */
	v->text = p->f->text + p->f->text_n;
	v->n = addr_print(p->f->text + p->f->text_n, v->net.ipv, v->net.addr);
	p->f->text_n += v->n + 1;
	if (v->single)
		v->term = blocks_term(BLOCKS_IP, v->text, v->n);
	return 0;
}

static int
read_word(struct parser *p, const struct filter_field *field, struct filter_value *v)
{
	uint8_t type;

	v->number = report_word_index(field->words, p->s, p->n);
	if (v->number < 0) {
		wrong(p, p->at, "%s is one of %s", field->name, field->words);
		for (const char *w = field->words; *w;) {
			size_t n = strcspn(w, "|");

			expect(p, w, n);
			w += n + (w[n] == '|');
		}
		return -EINVAL;
	}
	type = (uint8_t)report_word_index(REPORT_WORDS_TYPE, p->s, p->n);
	if (field->type == FILTER_KIND)
		v->term = blocks_term(BLOCKS_TYPE, &type, 1);
	return 0;
}

static int
read_yes(struct parser *p, struct filter_value *v)
{
	static const char *const words[] = { "yes", "no", "true", "false", NULL };

	for (int i = 0; words[i]; i++) {
		if (is_keyword(p, words[i])) {
			v->number = i % 2 == 0;
			return 0;
		}
	}
	wrong(p, p->at, "yes or no stands here");
	return expect_all(p, words);
}

static int
read_time(struct parser *p, struct filter_value *v)
{
	char text[40];

	if (p->n < sizeof text && !memchr(p->s, 0, p->n)) {
		memcpy(text, p->s, p->n);
		text[p->n] = 0;
		if (!text_when(text, &v->number))
			return 0;
	}
	wrong(p, p->at, "a time stands here, such as 2026-11-21 or 2026-11-21T19:04:05Z");
	expect(p, "2026-11-21T19:04:05Z", 20);
	return -EINVAL;
}

/* The value at hand, into the filter. */
static int
read_value(struct parser *p, const struct filter_field *field, enum filter_op op)
{
	struct filter *f = p->f;
	struct filter_value *v = &f->value[f->n_values];
	int r = 0;

	if (p->token == T_BAD)
		return -EINVAL;
	if (p->token != T_WORD && p->token != T_STRING) {
		wrong(p, p->at, "a value stands here: %s is a %s", field->name, types[field->type].name);
		if (field->words)
			read_word(p, field, &(struct filter_value){ 0 });
		return -EINVAL;
	}
	if (f->n_values == FILTER_VALUES_MAX)
		return wrong(p, p->at, "more than %d values", FILTER_VALUES_MAX);
	*v = (struct filter_value){ .number = 0 };
	/* A string is in the filter's text already, NUL behind it. */
	v->text = p->s;
	v->n = p->n;
	if (p->token == T_WORD) {
		memcpy(f->text + f->text_n, p->s, p->n);
		f->text[f->text_n + p->n] = 0;
		v->text = f->text + f->text_n;
		f->text_n += p->n + 1;
	}
	switch (field->type) {
	case FILTER_NUMBER:
	case FILTER_PORT:
		r = read_number(p, field, v);
		break;
	case FILTER_DURATION:
		r = read_duration(p, v);
		break;
	case FILTER_TIME:
		r = read_time(p, v);
		break;
	case FILTER_ADDRESS:
	case FILTER_HOP:
		if (op != FILTER_LIKE && op != FILTER_UNLIKE)
			r = read_address(p, v);
		break;
	case FILTER_WORD:
	case FILTER_PLACE:
	case FILTER_KIND:
		r = read_word(p, field, v);
		break;
	case FILTER_YES:
		r = read_yes(p, v);
		break;
	case FILTER_TEXT:
		if (field->term == BLOCKS_SENSOR)
			v->term = blocks_term(BLOCKS_SENSOR, v->text, v->n);
		break;
	}
	if (r)
		return r;
	f->n_values++;
	next(p);
	return 0;
}

/* ---- the tree ---- */

static int
add_node(struct parser *p, const char *at, struct filter_node node, unsigned *out)
{
	if (p->f->n_nodes == FILTER_NODES_MAX)
		return wrong(p, at, "more than %d comparisons and words between them", FILTER_NODES_MAX);
	*out = p->f->n_nodes;
	p->f->node[p->f->n_nodes++] = node;
	return 0;
}

static const struct filter_field *
find_field(const struct parser *p)
{
	for (size_t i = 0; p->token == T_WORD && i < filter_fields_n; i++) {
		const struct filter_field *f = &filter_fields[i];

		if (same_word(f->name, p->s, p->n))
			return f;
		for (size_t k = 0; k < sizeof f->also / sizeof *f->also; k++) {
			if (same_word(f->also[k], p->s, p->n))
				return f;
		}
	}
	return NULL;
}

static int
no_field(struct parser *p)
{
	if (p->token == T_BAD)
		return -EINVAL;
	if (p->token == T_WORD)
		wrong(p, p->at, "there is no field %.*s", (int)(p->n < 60 ? p->n : 60), p->s);
	else
		wrong(p, p->at, "a field stands here");
	for (size_t i = 0; i < filter_fields_n; i++)
		expect(p, filter_fields[i].name, strlen(filter_fields[i].name));
	return -EINVAL;
}

static int
no_op(struct parser *p, const struct filter_field *field)
{
	if (p->token == T_BAD)
		return -EINVAL;
	if (p->token == T_OP)
		wrong(p, p->at, "%s is a %s, which %s does not compare", field->name, types[field->type].name,
		      filter_op_names[p->op]);
	else
		wrong(p, p->at, "an operator stands behind %s", field->name);
	for (int i = 0; i < FILTER_OPS; i++) {
		if (types[field->type].ops >> i & 1)
			expect(p, filter_op_names[i], strlen(filter_op_names[i]));
	}
	return -EINVAL;
}

static int
read_list(struct parser *p, struct filter_node *node)
{
	next(p);
	if (p->token != T_OPEN) {
		if (p->token == T_BAD)
			return -EINVAL;
		wrong(p, p->at, "a list stands behind in: (a, b)");
		expect(p, "(", 1);
		return -EINVAL;
	}
	do {
		int r;

		next(p);
		r = read_value(p, node->field, node->op);
		if (r)
			return r;
		node->b++;
	} while (p->token == T_COMMA);
	if (p->token != T_CLOSE) {
		if (p->token == T_BAD)
			return -EINVAL;
		wrong(p, p->at, "a list goes on with , or ends with )");
		expect(p, ",", 1);
		expect(p, ")", 1);
		return -EINVAL;
	}
	next(p);
	return 0;
}

static int
read_test(struct parser *p, unsigned *out)
{
	const char *at = p->at;
	struct filter_node node = { .kind = FILTER_TEST, .op = FILTER_HAS, .field = find_field(p) };
	int has = !node.field && is_keyword(p, "has"), negated = 0, r = 0;

	if (has) {
		next(p);
		node.field = find_field(p);
	}
	if (!node.field)
		return no_field(p);
	next(p);
	node.a = p->f->n_values;
	if (has)
		return add_node(p, at, node, out);
	if (p->token == T_OP && types[node.field->type].ops >> p->op & 1) {
		node.op = p->op;
		node.b = 1;
		next(p);
		r = read_value(p, node.field, node.op);
		return r ? r : add_node(p, at, node, out);
	}
	if (is_keyword(p, "not")) {
		negated = 1;
		next(p);
	}
	if (is_keyword(p, "in") && types[node.field->type].ops & OPS_LISTS) {
		node.op = negated ? FILTER_NOT_IN : FILTER_IN;
		r = read_list(p, &node);
		return r ? r : add_node(p, at, node, out);
	}
	/* A field of yes or no may stand alone. */
	if (node.field->type != FILTER_YES || negated || p->token == T_OP || p->token == T_BAD)
		return no_op(p, node.field);
	if (p->f->n_values == FILTER_VALUES_MAX)
		return wrong(p, at, "more than %d values", FILTER_VALUES_MAX);
	node.op = FILTER_EQ;
	node.b = 1;
	p->f->value[p->f->n_values++] = (struct filter_value){ .number = 1, .text = "" };
	return add_node(p, at, node, out);
}

static int read_any(struct parser *, unsigned *out);

static int
read_one(struct parser *p, unsigned *out)
{
	const char *at = p->at;
	int r;

	if (p->token != T_OPEN && !is_keyword(p, "not"))
		return read_test(p, out);
	if (++p->depth > FILTER_DEPTH_MAX)
		return wrong(p, at, "more than %d ( or not inside one another", FILTER_DEPTH_MAX);
	if (p->token != T_OPEN) {
		unsigned a;

		next(p);
		r = read_one(p, &a);
		p->depth--;
		return r ? r : add_node(p, at, (struct filter_node){ .kind = FILTER_NOT, .a = a }, out);
	}
	next(p);
	r = read_any(p, out);
	p->depth--;
	if (r)
		return r;
	if (p->token != T_CLOSE) {
		static const char *const words[] = { ")", "and", "or", NULL };

		if (p->token == T_BAD)
			return -EINVAL;
		wrong(p, p->at, p->token == T_END ? "a ) is missing" : "and, or or ) stands here");
		return expect_all(p, words);
	}
	next(p);
	return 0;
}

static int
read_both(struct parser *p, unsigned *out)
{
	int r = read_one(p, out);

	while (!r && is_keyword(p, "and")) {
		const char *at = p->at;
		unsigned b;

		next(p);
		r = read_one(p, &b);
		if (!r)
			r = add_node(p, at, (struct filter_node){ .kind = FILTER_AND, .a = *out, .b = b }, out);
	}
	return r;
}

static int
read_any(struct parser *p, unsigned *out)
{
	int r = read_both(p, out);

	while (!r && is_keyword(p, "or")) {
		const char *at = p->at;
		unsigned b;

		next(p);
		r = read_both(p, &b);
		if (!r)
			r = add_node(p, at, (struct filter_node){ .kind = FILTER_OR, .a = *out, .b = b }, out);
	}
	return r;
}

int
filter_parse(struct filter *f, const char *text, size_t n, struct filter_error *error)
{
	struct parser p = { .text = text, .end = text + n, .p = text, .f = f, .error = error };
	unsigned root = 0;
	int r;

	f->n_nodes = f->n_values = 0;
	f->text_n = 0;
	f->root = -1;
	*error = (struct filter_error){ .at = 0 };
	if (n > FILTER_TEXT_MAX)
		return wrong(&p, text, "longer than %d bytes", FILTER_TEXT_MAX);
	next(&p);
	if (p.token == T_END)
		return 0;
	r = read_any(&p, &root);
	if (r)
		return r;
	if (p.token != T_END) {
		if (p.token == T_BAD)
			return -EINVAL;
		wrong(&p, p.at, "and or or stands between comparisons");
		expect(&p, "and", 3);
		expect(&p, "or", 2);
		return -EINVAL;
	}
	f->root = (int)root;
	return 0;
}

/* ---- blocks ---- */

const char *
filter_known(const struct filter_field *field)
{
	return strchr(field->sql[FILTER_CONN] ? field->sql[FILTER_CONN] : "", '@') ? field->name + strlen("dst_") : NULL;
}

static int
value_may(const struct filter_value *v, const struct block *b)
{
	if (!v->few)
		return !v->term || blocks_has(b, v->term);
	for (unsigned i = 0; i < v->n_of; i++) {
		if (blocks_has(b, v->of[i]))
			return 1;
	}
	return 0;
}

static int
test_may(const struct filter *f, const struct filter_node *node, const struct block *b)
{
	const struct filter_value *v = &f->value[node->a];

	if (!strcmp(node->field->name, "rtt_us")) {
		if (node->op == FILTER_GT || node->op == FILTER_GE || node->op == FILTER_EQ)
			return b->rtt_max_us >= v->number + (node->op == FILTER_GT);
		return 1;
	}
	if (node->op != FILTER_EQ && node->op != FILTER_IN)
		return 1;
	for (unsigned i = 0; i < node->b; i++) {
		if (value_may(&v[i], b))
			return 1;
	}
	return 0;
}

static int
node_may(const struct filter *f, unsigned i, const struct block *b)
{
	const struct filter_node *node = &f->node[i];

	switch (node->kind) {
	case FILTER_AND:
		return node_may(f, node->a, b) && node_may(f, node->b, b);
	case FILTER_OR:
		return node_may(f, node->a, b) || node_may(f, node->b, b);
	case FILTER_TEST:
		return test_may(f, node, b);
	default:
		return 1;
	}
}

int
filter_may(const struct filter *f, const struct block *b)
{
	return f->root < 0 || node_may(f, (unsigned)f->root, b);
}

/* ---- patterns ---- */

static int
fold(char c)
{
	return c >= 'A' && c <= 'Z' ? c | 32 : (unsigned char)c;
}

/* Where the character behind this one begins. */
static size_t
step(const char *text, size_t n, size_t i)
{
	do
		i++;
	while (i < n && (text[i] & 0xc0) == 0x80);
	return i;
}

/* One * is looked back to at a time, the last: what the ones before it took need never change. */
int
filter_like(const char *pattern, size_t pattern_n, const char *text, size_t n)
{
	size_t p = 0, t = 0, star = SIZE_MAX, from = 0;

	while (t < n) {
		if (p < pattern_n && pattern[p] == '*') {
			star = p++;
			from = t;
		} else if (p < pattern_n && pattern[p] == '?') {
			p++;
			t = step(text, n, t);
		} else if (p < pattern_n && fold(pattern[p]) == fold(text[t])) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			t = ++from;
		} else {
			return 0;
		}
	}
	while (p < pattern_n && pattern[p] == '*')
		p++;
	return p == pattern_n;
}
