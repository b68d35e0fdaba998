/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * explore.c - search in the files of days.
 *
 * Reports are looked at a block of numbers at a time (blocks.h), from the newest back; a block that cannot have
 * what is asked for is passed over.  Each answer may look for so long and no longer: it then says with which
 * number the next one goes on, and one block at least is behind it.  What is found in a block is put in
 * order by number first, then read whole.
 */
#include "explore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addrinfo.h"
#include "blocks.h"
#include "days.h"
#include "field.h"
#include "filter.h"
#include "filtersql.h"
#include "lib/loop.h"
#include "question.h"
#include "report.h"
#include "store.h"
#include "window.h"

#define LOOK_US 100000
#define COLS_MAX 40
#define KNOWN_SLOTS 1024
/* Addresses of a country or system that blocks are asked for; and of all values together. */
#define FEW 64
#define FEW_ALL 1024
#define DEFAULT_COLS "ts,type,sensor,src_ip,dst_ip,dst_port,state,verdict,rtt_us"

/* ---- columns ---- */

enum column { C_FIELD, C_ID, C_RX, C_KNOWN, C_FAILED, C_NAME, C_HOP };

/* Fields of the schema's conn, attempt and trace, and what the collector adds. */
static const struct {
	const char *name;
	enum column kind;
} columns[] = {
	{ "ts", C_FIELD }, { "rx_ts", C_RX }, { "type", C_FIELD }, { "sensor", C_FIELD }, { "id", C_ID }, { "boot", C_FIELD },
	{ "seq", C_FIELD }, { "dir", C_FIELD }, { "src_ip", C_FIELD }, { "src_port", C_FIELD }, { "src_name", C_NAME },
	{ "host", C_FIELD }, { "src_mac", C_FIELD }, { "dst_ip", C_FIELD }, { "dst_port", C_FIELD }, { "dst_name", C_NAME },
	{ "proto", C_FIELD }, { "state", C_FIELD }, { "failed", C_FAILED }, { "rtt_us", C_FIELD }, { "rtt_src_us", C_FIELD },
	{ "rtt_ambiguous_us", C_FIELD }, { "setup_us", C_FIELD }, { "syn_retrans", C_FIELD }, { "synack_retrans", C_FIELD },
	{ "history", C_FIELD }, { "src_cc", C_KNOWN }, { "src_asn", C_KNOWN }, { "src_as_org", C_KNOWN }, { "src_city", C_KNOWN },
	{ "dst_cc", C_KNOWN }, { "dst_asn", C_KNOWN }, { "dst_as_org", C_KNOWN }, { "dst_city", C_KNOWN }, { "ttl_src", C_FIELD },
	{ "ttl_dst", C_FIELD }, { "mss", C_FIELD }, { "mss_dst", C_FIELD }, { "wscale", C_FIELD }, { "wscale_dst", C_FIELD },
	{ "sack_ok", C_FIELD }, { "ecn", C_FIELD }, { "tfo", C_FIELD }, { "dscp", C_FIELD }, { "icmp", C_FIELD }, { "loss", C_FIELD },
	{ "sample_n", C_FIELD }, { "iif", C_FIELD }, { "oif", C_FIELD }, { "hook", C_FIELD }, { "group", C_FIELD }, { "vlan", C_FIELD },
	{ "nat_src_ip", C_FIELD }, { "nat_src_port", C_FIELD }, { "nat_dst_ip", C_FIELD }, { "nat_dst_port", C_FIELD },
	{ "community_id", C_FIELD }, { "clock", C_FIELD }, { "last_ts", C_FIELD }, { "count", C_FIELD }, { "verdict", C_FIELD },
	{ "kind", C_FIELD }, { "dst_ports", C_FIELD }, { "dst_ports_n", C_FIELD }, { "dst_ips_n", C_FIELD }, { "rule", C_FIELD },
	{ "method", C_FIELD }, { "trigger", C_FIELD }, { "reached", C_FIELD }, { "dur_us", C_FIELD }, { "path_hash", C_FIELD },
	{ "prev_path_hash", C_FIELD }, { "hop", C_HOP }, { "hops", C_FIELD },
};
#define N_COLUMNS (sizeof columns / sizeof *columns)

struct cols {
	unsigned char of[COLS_MAX]; /* places in columns */
	unsigned n;
};

static int
find_column(const char *s, size_t n)
{
	for (size_t i = 0; i < N_COLUMNS; i++) {
		if (strlen(columns[i].name) == n && !memcmp(columns[i].name, s, n))
			return (int)i;
	}
	return -1;
}

/* "a,b,c".  0; -1: *at is where it is wrong. */
static int
read_cols(struct cols *c, const char *text, size_t *at)
{
	const char *p = text;

	c->n = 0;
	for (;;) {
		size_t n;
		int found;

		p += strspn(p, " ");
		n = strcspn(p, ", ");
		found = find_column(p, n);
		*at = (size_t)(p - text);
		if (found < 0 || c->n == COLS_MAX)
			return -1;
		c->of[c->n++] = (unsigned char)found;
		p += n;
		p += strspn(p, " ");
		if (!*p)
			return 0;
		*at = (size_t)(p - text);
		if (*p++ != ',')
			return -1;
	}
}

/* ---- the search ---- */

static const char *const tables[FILTER_TABLES] = { "conn", "attempt", "other" };

/* A day's file in this search. */
struct shelf {
	int open;
	struct question block, find[FILTER_TABLES], get[FILTER_TABLES];
};

/* What the table of addresses said. */
struct known {
	char ip[ADDR_TEXT];
	struct addrinfo_facts facts;
};

struct hit {
	int64_t id;
	size_t day;
	enum filter_table table;
};

struct search {
	struct store *store;
	const struct params *params;
	struct filter filter;
	struct filtersql sql[FILTER_TABLES];
	struct filtersql_arg arg;
	int may[FILTER_TABLES]; /* something in this table can match */
	uint32_t type[FILTER_TABLES], sensor; /* terms */
	uint32_t few[FEW_ALL];
	unsigned n_few;
	int64_t from_us, until_us;
	struct cols cols;
	struct known *known_of; /* KNOWN_SLOTS, made when one is asked for */
	struct addrinfo_facts nothing;
	char plain[REPORT_LINE_MAX]; /* a text without its escapes */
	struct shelf *shelf;
	struct hit hits[BLOCKS_IDS];
	size_t n_hits;
	int64_t looked, found;
	int64_t next;     /* what is to be asked for next; 0: nothing is left */
	int partial;      /* time was up */
	const char *format;
};

/* The same few addresses are asked for again and again. */
static const struct addrinfo_facts *
facts_of(struct search *s, const char *ip)
{
	struct known *k;

	if (!s->known_of)
		s->known_of = calloc(KNOWN_SLOTS, sizeof *s->known_of);
	if (!s->known_of)
		return &s->nothing;
	k = &s->known_of[blocks_term(BLOCKS_IP, ip, strlen(ip)) % KNOWN_SLOTS];
	if (strcmp(k->ip, ip)) {
		snprintf(k->ip, sizeof k->ip, "%s", ip);
		if (addrinfo_find(store_addrs(s->store), ip, &k->facts) != 1)
			k->facts = s->nothing;
	}
	return &k->facts;
}

/* For filtersql.c: what the table of addresses knows. */
static void
known(void *arg, const char *ip, const char *what, sqlite3_context *c)
{
	const struct addrinfo_facts *f = facts_of(arg, ip);
	const char *text = !strcmp(what, "cc") ? f->cc : !strcmp(what, "as_org") ? f->as_org : f->city;

	if (!strcmp(what, "asn")) {
		if (f->asn)
			sqlite3_result_int64(c, f->asn);
	} else if (text[0]) {
		sqlite3_result_text(c, text, -1, SQLITE_TRANSIENT);
	}
}

/* The addresses that a value is of, if there are few. */
static void
narrow_value(struct search *s, struct question *q, const struct filter_field *field, struct filter_value *v)
{
	uint32_t *of = s->few + s->n_few;
	unsigned n = 0;

	if (s->n_few + FEW > FEW_ALL)
		return;
	question_again(q);
	if (field->type == FILTER_NUMBER)
		sqlite3_bind_int64(q->stmt, 1, v->number);
	else
		sqlite3_bind_text(q->stmt, 1, v->text, (int)v->n, SQLITE_STATIC);
	sqlite3_bind_int(q->stmt, 2, FEW + 1);
	while (n <= FEW && question_next(q)) {
		const char *ip = (const char *)sqlite3_column_text(q->stmt, 0);

		if (ip && n < FEW)
			of[n] = blocks_term(BLOCKS_IP, ip, (size_t)sqlite3_column_bytes(q->stmt, 0));
		n++;
	}
	if (n > FEW)
		return;
	v->of = of;
	v->n_of = n;
	v->few = 1;
	s->n_few += n;
}

/* Countries, systems, cities: blocks know addresses alone. */
static int
narrow(struct search *s)
{
	int r = 0;

	for (unsigned i = 0; i < s->filter.n_nodes && !r; i++) {
		const struct filter_node *node = &s->filter.node[i];
		const char *known_as = node->kind == FILTER_TEST ? filter_known(node->field) : NULL;
		struct question q;
		char *sql;

		if (!known_as || (node->op != FILTER_EQ && node->op != FILTER_IN))
			continue;
		sql = sqlite3_mprintf("SELECT ip FROM addr WHERE %s = ?1 LIMIT ?2", known_as);
		if (!sql)
			return -ENOMEM;
		question_open(&q, s->store, sql);
		for (unsigned k = 0; k < node->b; k++)
			narrow_value(s, &q, node->field, &s->filter.value[node->a + k]);
		r = question_close(&q);
		sqlite3_free(sql);
	}
	return r;
}

static int
shelf_open(struct search *s, size_t day)
{
	struct shelf *shelf = &s->shelf[day];
	int code, r = 0;
	sqlite3 *db = days_db(store_days(s->store), day, &code);

	if (!code)
		code = filtersql_functions(db);
	shelf->open = 1;
	window_blocks(&shelf->block, s->store, day);
	for (int t = 0; t < FILTER_TABLES && !r; t++) {
		char *get, *sql;

		if (!s->may[t])
			continue;
		sql = sqlite3_mprintf("SELECT id FROM %s WHERE id >= ?1 AND id < ?2 AND at_us >= ?3 AND at_us < ?4"
				      "%s%s AND %s ORDER BY id DESC", tables[t], t == FILTER_TRACE ? " AND type = 'trace'" : "",
				      s->params->sensor[0] ? " AND sensor = ?5" : "", s->sql[t].where);
		get = sqlite3_mprintf("SELECT id, rx_us, json FROM %s WHERE id = ?1", tables[t]);

		if (!sql || !get) {
			r = -ENOMEM;
		} else {
			question_open_day(&shelf->find[t], s->store, day, sql);
			question_open_day(&shelf->get[t], s->store, day, get);
		}
		sqlite3_free(sql);
		sqlite3_free(get);
		if (!r && shelf->find[t].stmt) {
			sqlite3_bind_int64(shelf->find[t].stmt, 3, s->from_us);
			sqlite3_bind_int64(shelf->find[t].stmt, 4, s->until_us);
			if (s->params->sensor[0])
				sqlite3_bind_text(shelf->find[t].stmt, 5, s->params->sensor, -1, SQLITE_STATIC);
			filtersql_bind(&s->sql[t], shelf->find[t].stmt, &s->arg);
		}
	}
	return r;
}

static int
shelf_close(struct shelf *shelf)
{
	int r = 0, e;

	if (!shelf->open)
		return 0;
	e = question_close(&shelf->block);
	r = e ? e : r;
	for (int t = 0; t < FILTER_TABLES; t++) {
		if (shelf->find[t].store) {
			e = question_close(&shelf->find[t]);
			r = e ? e : r;
		}
		if (shelf->get[t].store) {
			e = question_close(&shelf->get[t]);
			r = e ? e : r;
		}
	}
	return r;
}

/* What a day has of the ids from `low` to below `high`, which are of one block. */
static int
search_day(struct search *s, size_t day, int64_t low, int64_t high)
{
	struct shelf *shelf = &s->shelf[day];
	struct block b;
	int listed = 0, r = 0;

	if (!shelf->open)
		r = shelf_open(s, day);
	if (r)
		return r;
	if (shelf->block.stmt) {
		question_again(&shelf->block);
		sqlite3_bind_int64(shelf->block.stmt, 1, low / BLOCKS_IDS);
		listed = question_next(&shelf->block);
	}
	if (listed) {
		blocks_get(&b, shelf->block.stmt);
		if (b.last_us < s->from_us || b.first_us >= s->until_us || !filter_may(&s->filter, &b) ||
		    (s->sensor && !blocks_has(&b, s->sensor)))
			return 0;
	}
	s->looked += high - low;
	for (int t = 0; t < FILTER_TABLES; t++) {
		struct question *q = &shelf->find[t];

		if (!s->may[t] || (listed && !blocks_has(&b, s->type[t])))
			continue;
		question_again(q);
		sqlite3_bind_int64(q->stmt, 1, low);
		sqlite3_bind_int64(q->stmt, 2, high);
		while (s->n_hits < BLOCKS_IDS && question_next(q))
			s->hits[s->n_hits++] = (struct hit){ sqlite3_column_int64(q->stmt, 0), day, (enum filter_table)t };
		if (q->code && q->code != SQLITE_DONE && q->code != SQLITE_ROW)
			return -EIO; /* closing it says which */
	}
	return 0;
}

/* Closes days that have nothing below `high`, so that a year of files is not open at once. */
static int
let_go(struct search *s, int64_t high)
{
	struct days *d = store_days(s->store);
	int open = 0, r = 0, code;

	for (size_t i = 0; i < days_n(d) && !r; i++) {
		if (s->shelf[i].open && days_at(d, i)->first_id >= high) {
			r = shelf_close(&s->shelf[i]);
			s->shelf[i].open = 0;
		}
		open += s->shelf[i].open;
	}
	if (r || open > DAYS_IDLE)
		return r;
	/* Those that go are the ones that were asked for longest ago. */
	for (size_t i = 0; i < days_n(d); i++) {
		if (s->shelf[i].open)
			days_db(d, i, &code);
	}
	days_rest(d);
	return 0;
}

static int
newest_first(const void *x, const void *y)
{
	const struct hit *a = x, *b = y;

	return a->id > b->id ? -1 : a->id < b->id;
}

/* Whether the answer takes one more. */
typedef int put_fn(struct search *, struct json *, int64_t id, int64_t rx_us, const char *report, size_t n);

static int
put_hits(struct search *s, struct json *j, put_fn *put)
{
	for (size_t i = 0; i < s->n_hits; i++) {
		struct question *q = &s->shelf[s->hits[i].day].get[s->hits[i].table];
		const char *report;

		if (s->found == s->params->limit || !question_room(j)) {
			s->next = s->hits[i].id + 1;
			return 0;
		}
		question_again(q);
		sqlite3_bind_int64(q->stmt, 1, s->hits[i].id);
		if (!question_next(q))
			continue;
		report = (const char *)sqlite3_column_text(q->stmt, 2);
		if (report)
			put(s, j, s->hits[i].id, sqlite3_column_int64(q->stmt, 1), report,
			    (size_t)sqlite3_column_bytes(q->stmt, 2));
		s->found++;
	}
	return 1;
}

static int
search(struct search *s, struct json *j, put_fn *put)
{
	struct days *d = store_days(s->store);
	size_t n = days_n(d), first = days_from(d, s->from_us);
	int64_t high = 0, lowest = INT64_MAX, end_us = clock_mono_us() + LOOK_US;
	int r = 0;

	for (size_t i = first; i < n; i++) {
		const struct day *day = days_at(d, i);

		high = day->last_id >= high ? day->last_id + 1 : high;
		lowest = day->first_id < lowest ? day->first_id : lowest;
	}
	high = s->params->before < high ? s->params->before : high;
	while (high > lowest && !r) {
		int64_t low = (high - 1) / BLOCKS_IDS * BLOCKS_IDS;

		/* A block may be of many small days: one after another. */
		for (size_t i = first; i < n; i++) {
			if (days_at(d, i)->first_id < high && days_at(d, i)->first_id > low)
				low = days_at(d, i)->first_id;
		}
		s->n_hits = 0;
		for (size_t i = first; i < n && !r; i++) {
			if (days_at(d, i)->first_id < high && days_at(d, i)->last_id >= low)
				r = search_day(s, i, low, high);
		}
		if (r)
			break;
		qsort(s->hits, s->n_hits, sizeof *s->hits, newest_first);
		if (!put_hits(s, j, put))
			return 0;
		high = low;
		r = let_go(s, high);
		if (!r && high > lowest && clock_mono_us() >= end_us) {
			s->partial = 1;
			s->next = high;
			return 0;
		}
	}
	return r;
}

/* ---- rows ---- */

/* The name of an address, unless the report has one. */
static struct field
name_of(struct search *s, const char *report, size_t n, int side, char *text, size_t size)
{
	struct field f = field_find(report, n, side ? "host" : "dst_name"), ip;
	char address[ADDR_TEXT];
	struct json j;

	if (f.kind)
		return f;
	ip = field_find(report, n, side ? "src_ip" : "dst_ip");
	address[field_text(&ip, address, sizeof address - 1)] = 0;
	json_begin(&j, text, size);
	json_map(&j, NULL);
	addrinfo_text(&j, "name", facts_of(s, address)->name);
	json_close(&j);
	return json_end(&j) ? f : field_find(text, j.len, "name");
}

/* What the table of addresses knows, as JSON. */
static struct field
known_of(struct search *s, const char *column, const char *report, size_t n, char *text, size_t size)
{
	int side = column[0] == 's';
	struct field ip = field_find(report, n, side ? "src_ip" : "dst_ip");
	char address[ADDR_TEXT], prefix[4];
	struct json j;

	address[field_text(&ip, address, sizeof address - 1)] = 0;
	snprintf(prefix, sizeof prefix, "%.3s", column);
	json_begin(&j, text, size);
	json_map(&j, NULL);
	addrinfo_put(&j, prefix, facts_of(s, address));
	json_close(&j);
	if (json_end(&j))
		return (struct field){ .kind = FIELD_NONE };
	return field_find(text, j.len, column);
}

/* The addresses of a trace, as a list. */
static struct field
hops_of(const char *report, size_t n, char *text, size_t size)
{
	struct field hops = field_find(report, n, "hops"), hop;
	const char *at = NULL;
	struct json j;

	if (hops.kind != FIELD_LIST)
		return (struct field){ .kind = FIELD_NONE };
	json_begin(&j, text, size);
	json_list(&j, NULL);
	while (field_next(&hops, &at, &hop)) {
		struct field ip = field_find(hop.s, hop.n, "ip");

		if (ip.kind == FIELD_TEXT)
			json_raw_str(&j, NULL, ip.s, ip.n);
	}
	json_close(&j);
	if (json_end(&j))
		return (struct field){ .kind = FIELD_NONE };
	return (struct field){ FIELD_LIST, text, j.len };
}

/* The value of a column; `text` is where it may be written. */
static struct field
value_of(struct search *s, unsigned column, int64_t id, int64_t rx_us, const char *report, size_t n, char *text, size_t size)
{
	const char *name = columns[column].name;
	struct field f;
	int64_t state;

	switch (columns[column].kind) {
	case C_ID:
		return (struct field){ FIELD_INT, text, (size_t)snprintf(text, size, "%lld", (long long)id) };
	case C_RX:
		json_time_text(text, rx_us);
		/* A text is what is between its quotes; whoever takes them as well finds some. */
		memmove(text + 1, text, JSON_TIME_LEN);
		text[0] = text[JSON_TIME_LEN + 1] = '"';
		return (struct field){ FIELD_TEXT, text + 1, JSON_TIME_LEN };
	case C_KNOWN:
		return known_of(s, name, report, n, text, size);
	case C_HOP:
		return hops_of(report, n, text, size);
	case C_NAME:
		return name_of(s, report, n, name[0] == 's', text, size);
	case C_FAILED:
		f = field_find(report, n, "state");
		if (f.kind != FIELD_TEXT)
			return f;
		state = report_word_index(REPORT_WORDS_STATE, f.s, f.n);
		return (struct field){ state >= REPORT_REFUSED ? FIELD_TRUE : FIELD_FALSE,
				       state >= REPORT_REFUSED ? "true" : "false", state >= REPORT_REFUSED ? 4 : 5 };
	default:
		return field_find(report, n, name);
	}
}

#define VALUE_BYTES 4096 /* 64 hops */

static void
put_value(struct json *j, const char *name, const struct field *f)
{
	if (!f->kind)
		json_raw(j, name, "null", 4);
	else if (f->kind == FIELD_TEXT)
		json_raw(j, name, f->s - 1, f->n + 2);
	else
		json_raw(j, name, f->s, f->n);
}

static int
put_row(struct search *s, struct json *j, int64_t id, int64_t rx_us, const char *report, size_t n)
{
	char text[VALUE_BYTES];

	json_list(j, NULL);
	for (unsigned i = 0; i < s->cols.n; i++) {
		struct field f = value_of(s, s->cols.of[i], id, rx_us, report, n, text, sizeof text);

		put_value(j, NULL, &f);
	}
	json_close(j);
	return 1;
}

/* Bytes that are no JSON, into the same buffer. */
static void
put_bytes(struct json *j, const char *bytes, size_t n)
{
	if (j->bad || n > j->size - j->len) {
		j->bad = 1;
		return;
	}
	memcpy(j->buf + j->len, bytes, n);
	j->len += n;
}

/* Begins a line of its own. */
static void
line_begin(struct json *j)
{
	j->comma = 0;
}

/* With columns: these; without: the report, as `net-gazer-collector import` takes it. */
static int
put_line(struct search *s, struct json *j, int64_t id, int64_t rx_us, const char *report, size_t n)
{
	char text[VALUE_BYTES];

	if (s->params->cols[0]) {
		line_begin(j);
		json_map(j, NULL);
		for (unsigned i = 0; i < s->cols.n; i++) {
			struct field f = value_of(s, s->cols.of[i], id, rx_us, report, n, text, sizeof text);

			if (f.kind)
				put_value(j, columns[s->cols.of[i]].name, &f);
		}
		json_close(j);
		put_bytes(j, "\n", 1);
		return 1;
	}
	json_time_text(text, rx_us);
	put_bytes(j, report, n - 1);
	put_bytes(j, ",\"rx_ts\":\"", 10);
	put_bytes(j, text, JSON_TIME_LEN);
	put_bytes(j, "\"}\n", 3);
	return 1;
}

/* RFC 4180. */
static void
put_cell(struct json *j, const char *text, size_t n)
{
	if (!memchr(text, ',', n) && !memchr(text, '"', n) && !memchr(text, '\n', n) && !memchr(text, '\r', n)) {
		put_bytes(j, text, n);
		return;
	}
	put_bytes(j, "\"", 1);
	for (size_t i = 0; i < n; i++)
		put_bytes(j, text[i] == '"' ? "\"\"" : &text[i], text[i] == '"' ? 2 : 1);
	put_bytes(j, "\"", 1);
}

static int
put_record(struct search *s, struct json *j, int64_t id, int64_t rx_us, const char *report, size_t n)
{
	char text[VALUE_BYTES];

	for (unsigned i = 0; i < s->cols.n; i++) {
		struct field f = value_of(s, s->cols.of[i], id, rx_us, report, n, text, sizeof text);

		if (i)
			put_bytes(j, ",", 1);
		if (f.kind == FIELD_TEXT)
			put_cell(j, s->plain, field_text(&f, s->plain, sizeof s->plain));
		else
			put_cell(j, f.s ? f.s : "", f.n);
	}
	put_bytes(j, "\r\n", 2);
	return 1;
}

/* ---- answers ---- */

/* {"error", "in", "at", "expected"}.  Always 1. */
static int
refuse(struct json *j, const char *in, const char *why, size_t at, const struct filter_word *expected, size_t n)
{
	json_map(j, NULL);
	json_str(j, "error", why, strlen(why));
	json_raw_str(j, "in", in, strlen(in));
	json_uint(j, "at", at);
	json_list(j, "expected");
	for (size_t i = 0; i < n; i++)
		json_str(j, NULL, expected[i].s, expected[i].n);
	json_close(j);
	json_close(j);
	return 1;
}

static int
refuse_cols(struct json *j, size_t at)
{
	struct filter_word words[N_COLUMNS];

	for (size_t i = 0; i < N_COLUMNS; i++)
		words[i] = (struct filter_word){ columns[i].name, strlen(columns[i].name) };
	return refuse(j, "cols", "columns are names with commas between them, at most 40", at, words, N_COLUMNS);
}

static int
answer_table(struct search *s, struct json *j)
{
	int r;

	json_map(j, NULL);
	json_list(j, "cols");
	for (unsigned i = 0; i < s->cols.n; i++)
		json_raw_str(j, NULL, columns[s->cols.of[i]].name, strlen(columns[s->cols.of[i]].name));
	json_close(j);
	json_list(j, "rows");
	r = search(s, j, put_row);
	json_close(j);
	if (s->next)
		json_int(j, "next", s->next);
	json_int(j, "looked", s->looked);
	json_bool(j, "partial", s->partial);
	json_close(j);
	return r;
}

/* What does not fit, or takes too long, is left out, and the header says so. */
static int
answer_download(struct search *s, struct json *j, struct explore_sent *sent)
{
	int csv = !strcmp(s->params->format, "csv"), r;

	sent->type = csv ? "text/csv; charset=utf-8; header=present" : "application/x-ndjson";
	sent->download = csv ? "net-gazer.csv" : "net-gazer.ndjson";
	for (unsigned i = 0; csv && i < s->cols.n; i++) {
		put_bytes(j, ",", i > 0);
		put_bytes(j, columns[s->cols.of[i]].name, strlen(columns[s->cols.of[i]].name));
	}
	if (csv)
		put_bytes(j, "\r\n", 2);
	r = search(s, j, csv ? put_record : put_line);
	sent->next = s->next;
	return r ? r : j->bad ? -EIO : 0;
}

/* 0; 1: the answer says what is wrong with the question. */
static int
begin(struct search *s, struct json *j)
{
	static const uint8_t types[FILTER_TABLES] = { REPORT_CONN, REPORT_ATTEMPT, REPORT_TRACE };
	const struct params *p = s->params;
	struct filter_error wrong;
	int64_t from_s, until_s;
	size_t at;

	if (filter_parse(&s->filter, p->q, strlen(p->q), &wrong))
		return refuse(j, "q", wrong.why, wrong.at, wrong.expected, wrong.n_expected);
	if (read_cols(&s->cols, p->cols[0] ? p->cols : DEFAULT_COLS, &at))
		return refuse_cols(j, at);
	for (int t = 0; t < FILTER_TABLES; t++) {
		s->may[t] = filtersql_make(&s->sql[t], &s->filter, (enum filter_table)t, 6);
		s->type[t] = blocks_term(BLOCKS_TYPE, &types[t], 1);
		if (s->may[t] < 0)
			return refuse(j, "q", "too much for one question", 0, NULL, 0);
	}
	if (p->sensor[0])
		s->sensor = blocks_term(BLOCKS_SENSOR, p->sensor, strlen(p->sensor));
	window_minutes(p->window_s, p->until_us, &from_s, &until_s);
	s->until_us = p->given & PARAM_UNTIL ? until_s * 1000000 : INT64_MAX;
	s->from_us = from_s * 1000000;
	s->arg = (struct filtersql_arg){ known, s };
	return 0;
}

int
explore_write(struct store *store, struct json *j, const struct params *asked, struct explore_sent *sent)
{
	struct search *s = calloc(1, sizeof *s);
	struct params params = *asked;
	size_t days = days_n(store_days(store));
	int r = -ENOMEM, e;

	*sent = (struct explore_sent){ .wrong = 0 };
	if (!s)
		return r;
	s->store = store;
	s->params = &params;
	if (strcmp(params.format, "json") && !(params.given & PARAM_LIMIT))
		params.limit = INT64_MAX; /* as much as an answer holds */
	sent->wrong = begin(s, j);
	if (sent->wrong) {
		free(s);
		return 0;
	}
	s->shelf = calloc(days + 1, sizeof *s->shelf);
	if (s->shelf)
		r = narrow(s);
	if (!r)
		r = strcmp(params.format, "json") ? answer_download(s, j, sent) : answer_table(s, j);
	for (size_t i = 0; s->shelf && i < days; i++) {
		e = shelf_close(&s->shelf[i]);
		r = e ? e : r;
	}
	free(s->shelf);
	free(s->known_of);
	free(s);
	return r;
}

void
explore_fields(struct json *j)
{
	static const char *const of[FILTER_TABLES] = { "conn", "attempt", "trace" };

	json_map(j, NULL);
	json_list(j, "fields");
	for (size_t i = 0; i < filter_fields_n; i++) {
		const struct filter_field *f = &filter_fields[i];

		json_map(j, NULL);
		json_raw_str(j, "name", f->name, strlen(f->name));
		json_list(j, "also");
		for (size_t k = 0; k < sizeof f->also / sizeof *f->also && f->also[k]; k++)
			json_raw_str(j, NULL, f->also[k], strlen(f->also[k]));
		json_close(j);
		json_raw_str(j, "type", filter_type_name(f->type), strlen(filter_type_name(f->type)));
		json_list(j, "ops");
		for (int k = 0; k < FILTER_OPS; k++) {
			if (filter_ops(f->type) >> k & 1)
				json_raw_str(j, NULL, filter_op_names[k], strlen(filter_op_names[k]));
		}
		json_close(j);
		if (f->words) {
			json_list(j, "words");
			for (int64_t k = 0; ; k++) {
				size_t n = 0;
				const char *word = report_word(f->words, k, &n);

				if (!word)
					break;
				json_raw_str(j, NULL, word, n);
			}
			json_close(j);
		}
		json_list(j, "reports");
		for (int t = 0; t < FILTER_TABLES; t++) {
			if (f->sql[t])
				json_raw_str(j, NULL, of[t], strlen(of[t]));
		}
		json_close(j);
		json_str(j, "help", f->help, strlen(f->help));
		json_close(j);
	}
	json_close(j);
	json_list(j, "ops");
	for (int k = 0; k < FILTER_OPS; k++)
		json_raw_str(j, NULL, filter_op_names[k], strlen(filter_op_names[k]));
	json_close(j);
	json_list(j, "words");
	for (size_t k = 0; k < 3; k++)
		json_raw_str(j, NULL, (const char *[]){ "and", "or", "not" }[k], k == 1 ? 2 : 3);
	json_close(j);
	json_list(j, "cols");
	for (size_t i = 0; i < N_COLUMNS; i++)
		json_raw_str(j, NULL, columns[i].name, strlen(columns[i].name));
	json_close(j);
	json_list(j, "default_cols");
	for (const char *p = DEFAULT_COLS; *p;) {
		size_t n = strcspn(p, ",");

		json_raw_str(j, NULL, p, n);
		p += n + (p[n] == ',');
	}
	json_close(j);
	json_close(j);
}
