/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pathquery.c - questions about traced paths.  The graph is put together from whole paths, each as one
 * trace found it, so that none of it is glued from two; its numbers come from the tables of hops and
 * links, which all traces went into.
 */
#include "pathquery.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/addr.h"
#include "lib/hash.h"
#include "lib/loop.h"
#include "addrinfo.h"
#include "blocks.h"
#include "column.h"
#include "days.h"
#include "dbfile.h"
#include "field.h"
#include "minmax.h"
#include "question.h"
#include "set.h"
#include "window.h"

/* Columns of a path, for put_path(). */
#define PATH_COLUMNS \
	"p.method, p.cause, p.reached, p.hops_n, p.silent_n, p.rtt_us, p.path_hash, p.traces, p.first_us, " \
	"p.last_us, p.hops"
#define TARGET_COLUMNS \
	"t.sensor, t.dst_ip, t.dst_port, t.dst_name, t.traces, t.changes, t.changed_us, t.first_us, t.last_us"
#define N_TARGET_COLUMNS 9

static const char *const tables[PATHS_TABLES] = { "hops", "links", "destinations", "paths", "changes" };

static void
put_rows(struct store *s, struct json *j)
{
	const struct paths_counts *c = store_paths(s);

	json_map(j, "stored");
	for (int t = 0; t < PATHS_TABLES; t++)
		json_int(j, tables[t], c->rows[t]);
	json_close(j);
	json_map(j, "evicted");
	for (int t = 0; t < PATHS_TABLES; t++)
		json_int(j, tables[t], c->evicted[t]);
	json_close(j);
}

/* TARGET_COLUMNS. */
static void
put_target(struct json *j, sqlite3_stmt *stmt)
{
	question_text(j, "sensor", stmt, 0);
	question_text(j, "dst_ip", stmt, 1);
	question_known(j, "dst_port", question_number(stmt, 2));
	question_json(j, "dst_name", stmt, 3);
	json_int(j, "traces", sqlite3_column_int64(stmt, 4));
	json_int(j, "changes", sqlite3_column_int64(stmt, 5));
	question_time(j, "changed_ts", stmt, 6);
	question_time(j, "first_ts", stmt, 7);
	question_time(j, "last_ts", stmt, 8);
}

/* The first six of PATH_COLUMNS, from column i on; nothing when the path was evicted. */
static void
put_outcome(struct json *j, sqlite3_stmt *stmt, int i)
{
	if (sqlite3_column_type(stmt, i) == SQLITE_NULL)
		return;
	question_word(j, "method", REPORT_WORDS_METHOD, sqlite3_column_int64(stmt, i));
	question_word(j, "trigger", REPORT_WORDS_TRIGGER, question_number(stmt, i + 1));
	json_bool(j, "reached", (int)sqlite3_column_int64(stmt, i + 2));
	json_int(j, "hops_n", sqlite3_column_int64(stmt, i + 3));
	json_int(j, "silent_n", sqlite3_column_int64(stmt, i + 4));
	question_known(j, "rtt_us", question_number(stmt, i + 5));
}

int
pathquery_list(struct store *s, struct json *j, int64_t limit)
{
	struct question q;

	question_open(&q, s, "SELECT " TARGET_COLUMNS ", p.method, p.cause, p.reached, p.hops_n, p.silent_n, "
			     "p.rtt_us, t.path_hash, (SELECT count(*) FROM path o WHERE o.sensor = t.sensor "
			     "AND o.dst_ip = t.dst_ip) FROM target t LEFT JOIN path p ON p.sensor = t.sensor AND "
			     "p.dst_ip = t.dst_ip AND p.path_hash = t.path_hash "
			     "ORDER BY t.last_us DESC, t.id DESC LIMIT ?1");
	sqlite3_bind_int64(q.stmt, 1, limit);
	json_map(j, NULL);
	json_list(j, "paths");
	while (question_room(j) && question_next(&q)) {
		json_map(j, NULL);
		put_target(j, q.stmt);
		put_outcome(j, q.stmt, N_TARGET_COLUMNS);
		question_text(j, "path_hash", q.stmt, N_TARGET_COLUMNS + 6);
		json_int(j, "paths_n", sqlite3_column_int64(q.stmt, N_TARGET_COLUMNS + 7));
		json_close(j);
	}
	json_close(j);
	put_rows(s, j);
	json_close(j);
	return question_close(&q);
}

/* PATH_COLUMNS as an object. */
static void
put_path(struct json *j, const char *name, sqlite3_stmt *stmt)
{
	json_map(j, name);
	question_text(j, "path_hash", stmt, 6);
	put_outcome(j, stmt, 0);
	json_int(j, "traces", sqlite3_column_int64(stmt, 7));
	question_time(j, "first_ts", stmt, 8);
	question_time(j, "last_ts", stmt, 9);
	question_json(j, "hops", stmt, 10);
	json_close(j);
}

static int
put_one_path(struct store *s, struct json *j, const char *name, const char *sensor, const char *dst_ip,
	     const char *hash)
{
	struct question q;

	question_open(&q, s, "SELECT " PATH_COLUMNS " FROM path p "
			     "WHERE p.sensor = ?1 AND p.dst_ip = ?2 AND p.path_hash = ?3");
	column_bind_text(q.stmt, 1, sensor);
	column_bind_text(q.stmt, 2, dst_ip);
	column_bind_text(q.stmt, 3, hash);
	if (question_next(&q))
		put_path(j, name, q.stmt);
	return question_close(&q);
}

/* The list of changes; *before gets the hash that the newest led away from. */
static int
put_changes(struct store *s, struct json *j, const char *sensor, const char *dst_ip, char before[17])
{
	struct question q;

	question_open(&q, s, "SELECT last_us, old, new FROM change WHERE sensor = ?1 AND dst_ip = ?2 "
			     "ORDER BY last_us DESC, id DESC LIMIT ?3");
	column_bind_text(q.stmt, 1, sensor);
	column_bind_text(q.stmt, 2, dst_ip);
	sqlite3_bind_int64(q.stmt, 3, PATHQUERY_CHANGES_MAX);
	json_list(j, "changed");
	while (question_room(j) && question_next(&q)) {
		const char *old = (const char *)sqlite3_column_text(q.stmt, 1);

		if (old && !before[0])
			strncpy(before, old, 16);
		json_map(j, NULL);
		question_time(j, "ts", q.stmt, 0);
		question_text(j, "old", q.stmt, 1);
		question_text(j, "new", q.stmt, 2);
		json_close(j);
	}
	json_close(j);
	return question_close(&q);
}

int
pathquery_one(struct store *s, struct json *j, const char *dst_ip)
{
	struct question q;
	int r = 0, e;

	question_open(&q, s, "SELECT " TARGET_COLUMNS ", t.path_hash FROM target t WHERE t.dst_ip = ?1 "
			     "ORDER BY t.last_us DESC, t.id DESC LIMIT ?2");
	column_bind_text(q.stmt, 1, dst_ip);
	sqlite3_bind_int64(q.stmt, 2, PATHQUERY_SENSORS_MAX);
	json_map(j, NULL);
	json_str(j, "dst_ip", dst_ip, strlen(dst_ip));
	json_list(j, "sensors");
	while (!r && question_room(j) && question_next(&q)) {
		const char *sensor = (const char *)sqlite3_column_text(q.stmt, 0);
		const char *hash = (const char *)sqlite3_column_text(q.stmt, N_TARGET_COLUMNS);
		char before[17] = "";

		if (!sensor || !hash)
			continue;
		json_map(j, NULL);
		put_target(j, q.stmt);
		r = put_changes(s, j, sensor, dst_ip, before);
		if (!r)
			r = put_one_path(s, j, "latest", sensor, dst_ip, hash);
		if (!r && before[0])
			r = put_one_path(s, j, "previous", sensor, dst_ip, before);
		json_close(j);
	}
	json_close(j);
	json_close(j);
	e = question_close(&q);
	return r ? r : e;
}

/* ---- the graph ---- */

/* What a node, link or path takes at most, beside its name. */
#define ENTRY_BYTES 400
#define SENSORS_MAX 256

struct node {
	unsigned sensor; /* place in graph.sensors */
	int64_t ttl;     /* 0: the sensor itself */
	char ip[ADDR_TEXT];
};

struct link {
	unsigned a, b;   /* places in graph.nodes */
};

struct graph {
	struct set sensors, nodes, links;
	struct probes { int64_t sent, answered; } *probes; /* of each node */
	uint8_t secret[16];
};

static int64_t
put_node(struct graph *g, unsigned sensor, int64_t ttl, const char *ip)
{
	struct node node;

	memset(&node, 0, sizeof node);
	node.sensor = sensor;
	node.ttl = ttl;
	memcpy(node.ip, ip, strnlen(ip, sizeof node.ip - 1));
	return set_put(&g->nodes, g->secret, &node);
}

/* The answered hops of one path: its nodes, and the links between them, into the graph; their places
 * as a list into j. */
static int
walk(struct graph *g, struct question *hops, unsigned sensor, struct json *j)
{
	int64_t at = put_node(g, sensor, 0, ""), last_ttl = 0;

	if (at < 0)
		return (int)at;
	json_list(j, "nodes");
	json_int(j, NULL, at);
	while (question_next(hops)) {
		int64_t ttl = sqlite3_column_int64(hops->stmt, 0), next, added;
		const char *ip = (const char *)sqlite3_column_text(hops->stmt, 1);
		char text[ADDR_TEXT];
		uint8_t ipv, addr[16];
		struct link link;

		if (!ip || ttl <= last_ttl || addr_parse(&ipv, addr, ip))
			continue;
		addr_print(text, ipv, addr); /* the report's own spelling may differ */
		next = put_node(g, sensor, ttl, text);
		link = (struct link){ (unsigned)at, (unsigned)next };
		added = next < 0 ? next : set_put(&g->links, g->secret, &link);
		if (added < 0)
			return (int)added;
		json_int(j, NULL, next);
		at = next;
		last_ttl = ttl;
	}
	json_close(j);
	return 0;
}

/* Least, median and greatest of the histogram of columns i (min), i + 1 (max) and i + 2; names in that
 * order. */
static void
put_rtt(struct json *j, const char *const names[3], sqlite3_stmt *stmt, int i)
{
	struct rtt rtt = { 0 };

	column_add_rtt(&rtt, stmt, i, i + 2);
	if (!rtt.n)
		return;
	json_uint(j, names[0], rtt.min_us);
	json_int(j, names[1], rtt_percentile(&rtt, 50));
	json_uint(j, names[2], rtt.max_us);
}

static const char *
sensor_name(const struct graph *g, const struct node *node)
{
	return g->sensors.items + node->sensor * g->sensors.width;
}

/* What is known of an address; column i is the name that its sensor found, as JSON, which comes first. */
static void
put_known(struct store *s, struct json *j, const char *ip, sqlite3_stmt *stmt, int i)
{
	struct addrinfo_facts facts;
	int named = sqlite3_column_type(stmt, i) != SQLITE_NULL, known = addrinfo_find(store_addrs(s), ip, &facts);

	question_json(j, "name", stmt, i);
	if (known && named)
		facts.name[0] = 0;
	if (known)
		addrinfo_put(j, "", &facts);
}

/* The share of probes that nobody answered. */
static void
put_loss(struct json *j, int64_t sent, int64_t answered)
{
	char text[32];
	int n;

	if (sent <= 0)
		return;
	n = snprintf(text, sizeof text, "%.4g", answered < sent ? (double)(sent - answered) / (double)sent : 0.0);
	json_raw(j, "loss", text, (size_t)n);
}

static int
put_nodes(struct graph *g, struct store *s, struct json *j)
{
	static const char *const rtt[] = { "rtt_min_us", "rtt_p50_us", "rtt_max_us" };
	struct question q;

	g->probes = calloc(g->nodes.n + 1, sizeof *g->probes);
	if (!g->probes)
		return -ENOMEM;
	question_open(&q, s, "SELECT rtt_min, rtt_max, hist, name, traces, cached, sent, answered, first_us, last_us "
			     "FROM hop WHERE sensor = ?1 AND ttl = ?2 AND ip = ?3");
	json_list(j, "nodes");
	for (size_t i = 0; i < g->nodes.n; i++) {
		const struct node *node = (const struct node *)(const void *)(g->nodes.items +
									       i * g->nodes.width);

		json_map(j, NULL);
		json_int(j, "sensor", node->sensor);
		json_int(j, "ttl", node->ttl);
		if (node->ttl)
			json_str(j, "ip", node->ip, strlen(node->ip));
		question_again(&q);
		column_bind_text(q.stmt, 1, sensor_name(g, node));
		sqlite3_bind_int64(q.stmt, 2, node->ttl);
		column_bind_text(q.stmt, 3, node->ip);
		if (question_next(&q)) {
			put_known(s, j, node->ip, q.stmt, 3);
			json_int(j, "traces", sqlite3_column_int64(q.stmt, 4));
			json_int(j, "cached", sqlite3_column_int64(q.stmt, 5));
			json_int(j, "sent", sqlite3_column_int64(q.stmt, 6));
			json_int(j, "answered", sqlite3_column_int64(q.stmt, 7));
			g->probes[i] = (struct probes){ sqlite3_column_int64(q.stmt, 6), sqlite3_column_int64(q.stmt, 7) };
			put_rtt(j, rtt, q.stmt, 0);
			question_time(j, "first_ts", q.stmt, 8);
			question_time(j, "last_ts", q.stmt, 9);
		}
		json_close(j);
	}
	json_close(j);
	return question_close(&q);
}

static int
put_links(struct graph *g, struct store *s, struct json *j)
{
	static const char *const added[] = { "added_min_us", "added_p50_us", "added_max_us" };
	const struct node *nodes = (const struct node *)(const void *)g->nodes.items;
	const struct link *links = (const struct link *)(const void *)g->links.items;
	struct question q;

	question_open(&q, s, "SELECT rtt_min, rtt_max, hist, traces, first_us, last_us FROM link "
			     "WHERE sensor = ?1 AND ttl = ?2 AND a = ?3 AND gap = ?4 AND b = ?5");
	json_list(j, "links");
	for (size_t i = 0; i < g->links.n; i++) {
		const struct node *a = &nodes[links[i].a], *b = &nodes[links[i].b];
		int64_t gap = b->ttl - a->ttl - 1;

		json_map(j, NULL);
		json_int(j, "a", links[i].a);
		json_int(j, "b", links[i].b);
		if (gap)
			json_int(j, "gap", gap);
		question_again(&q);
		column_bind_text(q.stmt, 1, sensor_name(g, a));
		sqlite3_bind_int64(q.stmt, 2, a->ttl);
		column_bind_text(q.stmt, 3, a->ip);
		sqlite3_bind_int64(q.stmt, 4, gap);
		column_bind_text(q.stmt, 5, b->ip);
		if (question_next(&q)) {
			json_int(j, "traces", sqlite3_column_int64(q.stmt, 3));
			put_rtt(j, added, q.stmt, 0);
			put_loss(j, g->probes[links[i].b].sent, g->probes[links[i].b].answered);
			question_time(j, "first_ts", q.stmt, 4);
			question_time(j, "last_ts", q.stmt, 5);
		}
		json_close(j);
	}
	json_close(j);
	return question_close(&q);
}

/* Whether the answer has room for the graph as it is and one path more, all names of full length. */
static int
room_for_path(const struct graph *g, const struct json *j, size_t names)
{
	size_t more = 2 * REPORT_HOPS_MAX * ENTRY_BYTES + 2 * REPORT_LINE_MAX;

	return j->size - j->len > (g->nodes.n + g->links.n) * ENTRY_BYTES + names + more;
}

/* Its latest path, or, of a moment: the one that the last change before led to, or the first one behind led away
 * from; without changes the one that was seen last until then.  Changes are the sensor's word (paths.c). */
#define OF_TARGET "sensor = t.sensor AND dst_ip = t.dst_ip"
#define PATHS_OF(path, more) \
	"SELECT " TARGET_COLUMNS ", p.method, p.cause, p.reached, p.hops_n, p.silent_n, p.rtt_us, p.hops " \
	"FROM target t JOIN path p ON " path " WHERE (?2 = '' OR t.sensor = ?2) " more \
	"ORDER BY t.last_us DESC, t.id DESC LIMIT ?1"
static const char paths_now[] = PATHS_OF("p.sensor = t.sensor AND p.dst_ip = t.dst_ip AND p.path_hash = t.path_hash", "");
static const char paths_then[] = PATHS_OF(
	"p.id = coalesce((SELECT id FROM path WHERE " OF_TARGET " AND first_us <= ?3 AND path_hash = coalesce("
	" (SELECT new FROM change WHERE " OF_TARGET " AND last_us <= ?3 ORDER BY last_us DESC, id DESC LIMIT 1),"
	" (SELECT old FROM change WHERE " OF_TARGET " AND last_us > ?3 ORDER BY last_us, id LIMIT 1))),"
	" (SELECT id FROM path WHERE " OF_TARGET " AND first_us <= ?3"
	"  ORDER BY min(last_us, ?3) DESC, first_us DESC LIMIT 1))", "AND t.first_us <= ?3 ");

/* Where paths changed, the newest first: marks on a line of time. */
static int
put_marks(struct store *s, struct json *j, const struct pathquery *ask)
{
	struct question q;
	int n = 0, cut = 0;

	question_open(&q, s, "SELECT last_us, sensor, dst_ip FROM change WHERE last_us > ?1 AND last_us <= ?2 "
			     "AND (?3 = '' OR sensor = ?3) ORDER BY last_us DESC, id DESC LIMIT ?4");
	sqlite3_bind_int64(q.stmt, 1, ask->until_us - ask->window_s * 1000000);
	sqlite3_bind_int64(q.stmt, 2, ask->until_us);
	column_bind_text(q.stmt, 3, ask->sensor);
	sqlite3_bind_int64(q.stmt, 4, PATHQUERY_MARKS_MAX + 1);
	json_list(j, "changes");
	while (question_next(&q)) {
		cut = n++ == PATHQUERY_MARKS_MAX || !question_room(j);
		if (cut)
			break;
		json_map(j, NULL);
		question_time(j, "ts", q.stmt, 0);
		question_text(j, "sensor", q.stmt, 1);
		question_text(j, "dst_ip", q.stmt, 2);
		json_close(j);
	}
	json_close(j);
	json_bool(j, "changes_cut", cut);
	return question_close(&q);
}

static int
put_targets_n(struct store *s, struct json *j, const char *sensor)
{
	struct question q;

	question_open(&q, s, "SELECT count(*) FROM target WHERE ?1 = '' OR sensor = ?1");
	column_bind_text(q.stmt, 1, sensor);
	if (question_next(&q))
		json_int(j, "destinations_n", sqlite3_column_int64(q.stmt, 0));
	return question_close(&q);
}

int
pathquery_graph(struct store *s, struct json *j, const struct pathquery *ask)
{
	struct graph g = { .sensors = { .width = sizeof ((struct report *)0)->sensor },
			   .nodes = { .width = sizeof(struct node) }, .links = { .width = sizeof(struct link) } };
	const int64_t until_us = clock_mono_us() + QUESTION_US / 2;
	int64_t shown = 0;
	size_t names = 0;
	struct question q, hops;
	int r = 0, e, cut = 0, reading;

	hash_random(g.secret, sizeof g.secret);
	/* Locks once, not for each of ten thousand rows. */
	reading = sqlite3_get_autocommit(store_db(s)) && !dbfile_exec(store_db(s), "BEGIN");
	question_open(&q, s, ask->at_us < 0 ? paths_now : paths_then);
	sqlite3_bind_int64(q.stmt, 1, ask->limit + 1);
	column_bind_text(q.stmt, 2, ask->sensor);
	if (ask->at_us >= 0)
		sqlite3_bind_int64(q.stmt, 3, ask->at_us);
	question_open(&hops, s, "SELECT json_extract(value, '$.ttl'), json_extract(value, '$.ip') "
				"FROM json_each(?1)");
	json_map(j, NULL);
	json_list(j, "paths");
	while (!r && question_next(&q)) {
		char name[sizeof ((struct report *)0)->sensor] = "";
		const char *sensor = (const char *)sqlite3_column_text(q.stmt, 0);
		int64_t at;

		/* Names of hops are in the list of hops, which is as long as they are, at least. */
		names += (size_t)sqlite3_column_bytes(q.stmt, N_TARGET_COLUMNS + 6);
		if (shown == ask->limit || g.sensors.n == SENSORS_MAX || !room_for_path(&g, j, names) ||
		    clock_mono_us() > until_us) {
			cut = 1;
			break;
		}
		strncpy(name, sensor ? sensor : "", sizeof name - 1);
		at = set_put(&g.sensors, g.secret, name);
		if (at < 0) {
			r = (int)at;
			break;
		}
		json_map(j, NULL);
		put_target(j, q.stmt);
		put_outcome(j, q.stmt, N_TARGET_COLUMNS);
		question_again(&hops);
		sqlite3_bind_value(hops.stmt, 1, sqlite3_column_value(q.stmt, N_TARGET_COLUMNS + 6));
		r = walk(&g, &hops, (unsigned)at, j);
		json_close(j);
		shown++;
	}
	json_close(j);
	e = question_close(&hops);
	r = r ? r : e;
	e = question_close(&q);
	r = r ? r : e;
	json_bool(j, "cut", cut);
	if (!r)
		r = put_targets_n(s, j, ask->sensor);
	json_list(j, "sensors");
	for (size_t i = 0; i < g.sensors.n; i++)
		json_str(j, NULL, g.sensors.items + i * g.sensors.width, strlen(g.sensors.items + i * g.sensors.width));
	json_close(j);
	if (!r)
		r = put_nodes(&g, s, j);
	if (!r)
		r = put_links(&g, s, j);
	if (!r)
		r = put_marks(s, j, ask);
	if (reading)
		dbfile_exec(store_db(s), "COMMIT");
	put_rows(s, j);
	json_close(j);
	set_free(&g.sensors);
	set_free(&g.nodes);
	set_free(&g.links);
	free(g.probes);
	return r;
}

/* ---- one hop ---- */

#define HOP_LOOK_US 250000 /* for each of its two searches */

/* Links with it at one end; `other` is the end that is shown. */
static int
put_neighbours(struct store *s, struct json *j, const char *name, const struct pathquery *ask, const char *ip, int out)
{
	static const char *const added[] = { "added_min_us", "added_p50_us", "added_max_us" };
	struct question q;

	question_open(&q, s, out ? "SELECT l.rtt_min, l.rtt_max, l.hist, l.traces, l.first_us, l.last_us, l.sensor, l.b, "
				   "l.ttl + l.gap + 1, l.gap, h.sent, h.answered, h.name FROM link l LEFT JOIN hop h ON "
				   "h.sensor = l.sensor AND h.ttl = l.ttl + l.gap + 1 AND h.ip = l.b "
				   "WHERE l.a = ?1 AND (?2 = '' OR l.sensor = ?2) ORDER BY l.traces DESC, l.id LIMIT ?3"
				 : "SELECT l.rtt_min, l.rtt_max, l.hist, l.traces, l.first_us, l.last_us, l.sensor, l.a, "
				   "l.ttl, l.gap, h.sent, h.answered, o.name FROM link l LEFT JOIN hop h ON "
				   "h.sensor = l.sensor AND h.ttl = l.ttl + l.gap + 1 AND h.ip = l.b "
				   "LEFT JOIN hop o ON o.sensor = l.sensor AND o.ttl = l.ttl AND o.ip = l.a "
				   "WHERE l.b = ?1 AND (?2 = '' OR l.sensor = ?2) ORDER BY l.traces DESC, l.id LIMIT ?3");
	column_bind_text(q.stmt, 1, ip);
	column_bind_text(q.stmt, 2, ask->sensor);
	sqlite3_bind_int64(q.stmt, 3, PATHQUERY_NEIGHBOURS_MAX);
	json_list(j, name);
	while (question_room(j) && question_next(&q)) {
		const char *end = (const char *)sqlite3_column_text(q.stmt, 7);

		json_map(j, NULL);
		question_text(j, "sensor", q.stmt, 6);
		json_int(j, "ttl", sqlite3_column_int64(q.stmt, 8));
		if (end && *end) {
			question_text(j, "ip", q.stmt, 7);
			put_known(s, j, end, q.stmt, 12);
		}
		if (sqlite3_column_int64(q.stmt, 9))
			json_int(j, "gap", sqlite3_column_int64(q.stmt, 9));
		json_int(j, "traces", sqlite3_column_int64(q.stmt, 3));
		put_rtt(j, added, q.stmt, 0);
		put_loss(j, sqlite3_column_int64(q.stmt, 10), sqlite3_column_int64(q.stmt, 11));
		question_time(j, "first_ts", q.stmt, 4);
		question_time(j, "last_ts", q.stmt, 5);
		json_close(j);
	}
	json_close(j);
	return question_close(&q);
}

/* Destinations whose latest path leads over it.  *cut: there may be more. */
static int
put_users(struct store *s, struct json *j, const struct pathquery *ask, const char *ip, int *cut)
{
	const int64_t until_us = clock_mono_us() + HOP_LOOK_US;
	struct question q, hops;
	int n = 0, e, r;

	question_open(&q, s, "SELECT " TARGET_COLUMNS ", p.hops FROM target t JOIN path p ON p.sensor = t.sensor AND "
			     "p.dst_ip = t.dst_ip AND p.path_hash = t.path_hash WHERE (?1 = '' OR t.sensor = ?1) "
			     /* An IPv4 address has one spelling; others are compared below. */
			     "AND (instr(?2, ':') OR instr(p.hops, '\"' || ?2 || '\"')) ORDER BY t.last_us DESC, t.id DESC");
	column_bind_text(q.stmt, 1, ask->sensor);
	column_bind_text(q.stmt, 2, ip);
	question_open(&hops, s, "SELECT json_extract(value, '$.ip') FROM json_each(?1)");
	json_list(j, "destinations");
	while (question_next(&q)) {
		int on_it = 0;

		if (n == PATHQUERY_USERS_MAX || !question_room(j) || clock_mono_us() > until_us) {
			*cut = 1;
			break;
		}
		question_again(&hops);
		sqlite3_bind_value(hops.stmt, 1, sqlite3_column_value(q.stmt, N_TARGET_COLUMNS));
		while (!on_it && question_next(&hops)) {
			const char *text = (const char *)sqlite3_column_text(hops.stmt, 0);
			uint8_t ipv, addr[16];
			char same[ADDR_TEXT];

			if (!text || addr_parse(&ipv, addr, text))
				continue;
			addr_print(same, ipv, addr);
			on_it = !strcmp(same, ip);
		}
		if (!on_it)
			continue;
		json_map(j, NULL);
		put_target(j, q.stmt);
		json_close(j);
		n++;
	}
	json_close(j);
	e = question_close(&hops);
	r = question_close(&q);
	return r ? r : e;
}

struct hop_times {
	struct json *j;
	const struct pathquery *ask;
	const char *ip;
	struct window w;
	int64_t until_us; /* to look so long */
	int n, cut;
};

/* Columns: at_us, sensor, json. */
static void
put_times_of(struct hop_times *t, sqlite3_stmt *stmt)
{
	const char *json = (const char *)sqlite3_column_text(stmt, 2), *at = NULL;
	struct field hops = field_find(json ? json : "", (size_t)sqlite3_column_bytes(stmt, 2), "hops"), hop;

	while (field_next(&hops, &at, &hop)) {
		struct field ip = field_find(hop.s, hop.n, "ip"), times = field_find(hop.s, hop.n, "rtt_us"), one;
		char text[ADDR_TEXT], same[ADDR_TEXT];
		const char *in = NULL;
		uint8_t ipv, addr[16];
		int64_t us = -1;

		text[field_text(&ip, text, sizeof text - 1)] = 0;
		if (addr_parse(&ipv, addr, text))
			continue;
		addr_print(same, ipv, addr);
		while (!strcmp(same, t->ip) && field_next(&times, &in, &one))
			us = us < 0 ? field_int(&one) : least(us, field_int(&one));
		if (us < 0)
			continue;
		json_map(t->j, NULL);
		question_time(t->j, "ts", stmt, 0);
		question_text(t->j, "sensor", stmt, 1);
		json_int(t->j, "rtt_us", us);
		json_close(t->j);
		t->n++;
	}
}

/* From the newest back. */
static int
put_times_of_day(struct hop_times *t, struct store *s, size_t day)
{
	const struct day *is = days_at(store_days(s), day);
	const uint32_t term = blocks_term(BLOCKS_IP, t->ip, strlen(t->ip));
	struct question blocks, q;
	int r, e;

	window_blocks(&blocks, s, day);
	question_open_day(&q, s, day, "SELECT at_us, sensor, json FROM other WHERE id >= ?1 AND id < ?2 AND type = 'trace' AND "
				      "at_us > ?3 AND at_us <= ?4 AND (?5 = '' OR sensor = ?5) ORDER BY id DESC");
	sqlite3_bind_int64(q.stmt, 3, t->ask->until_us - t->ask->window_s * 1000000);
	sqlite3_bind_int64(q.stmt, 4, t->ask->until_us);
	column_bind_text(q.stmt, 5, t->ask->sensor);
	for (int64_t block = is->last_id / BLOCKS_IDS; block >= is->first_id / BLOCKS_IDS && !t->cut; block--) {
		t->cut = clock_mono_us() > t->until_us;
		if (t->cut || !window_may_hold(&t->w, &blocks, block, term))
			continue;
		question_again(&q);
		sqlite3_bind_int64(q.stmt, 1, block * BLOCKS_IDS);
		sqlite3_bind_int64(q.stmt, 2, (block + 1) * BLOCKS_IDS);
		while (!t->cut && question_next(&q)) {
			put_times_of(t, q.stmt);
			t->cut = t->n >= PATHQUERY_TIMES_MAX || !question_room(t->j) || clock_mono_us() > t->until_us;
		}
	}
	r = question_close(&q);
	e = question_close(&blocks);
	return r ? r : e;
}

/* Its round trip times in the traces of the window, from the reports, the newest first. */
static int
put_hop_times(struct store *s, struct json *j, const struct pathquery *ask, const char *ip, int *cut)
{
	struct hop_times t = { .j = j, .ask = ask, .ip = ip, .until_us = clock_mono_us() + HOP_LOOK_US,
			       .w = { .from_s = ask->until_us / 1000000 - ask->window_s, .until_s = ask->until_us / 1000000 + 1 } };
	size_t first = days_from(store_days(s), t.w.from_s * 1000000);
	int r = 0;

	json_list(j, "rtt");
	for (size_t day = days_n(store_days(s)); day-- > first && !r && !t.cut;) {
		r = put_times_of_day(&t, s, day);
		if (!r)
			days_rest(store_days(s)); /* a year of files is not open at once */
	}
	json_close(j);
	*cut |= t.cut;
	return r;
}

int
pathquery_hop(struct store *s, struct json *j, const char *ip, const struct pathquery *ask)
{
	static const char *const rtt[] = { "rtt_min_us", "rtt_p50_us", "rtt_max_us" };
	struct question q;
	int r, cut = 0;

	json_map(j, NULL);
	json_str(j, "ip", ip, strlen(ip));
	question_open(&q, s, "SELECT min(rtt_min), max(rtt_max), rtt_sum(hist), sum(sent), sum(answered), sum(traces), "
			     "sum(cached), min(first_us), max(last_us), (SELECT name FROM hop WHERE ip = ?1 AND name NOT NULL "
			     "AND (?2 = '' OR sensor = ?2) ORDER BY last_us DESC LIMIT 1) FROM hop "
			     "WHERE ip = ?1 AND (?2 = '' OR sensor = ?2)");
	column_bind_text(q.stmt, 1, ip);
	column_bind_text(q.stmt, 2, ask->sensor);
	if (question_next(&q)) {
		put_known(s, j, ip, q.stmt, 9);
		json_int(j, "traces", sqlite3_column_int64(q.stmt, 5));
		json_int(j, "cached", sqlite3_column_int64(q.stmt, 6));
		json_int(j, "sent", sqlite3_column_int64(q.stmt, 3));
		json_int(j, "answered", sqlite3_column_int64(q.stmt, 4));
		put_rtt(j, rtt, q.stmt, 0);
		put_loss(j, sqlite3_column_int64(q.stmt, 3), sqlite3_column_int64(q.stmt, 4));
		question_time(j, "first_ts", q.stmt, 7);
		question_time(j, "last_ts", q.stmt, 8);
	}
	r = question_close(&q);
	if (!r)
		r = put_users(s, j, ask, ip, &cut);
	if (!r)
		r = put_neighbours(s, j, "links_in", ask, ip, 0);
	if (!r)
		r = put_neighbours(s, j, "links_out", ask, ip, 1);
	if (!r)
		r = put_hop_times(s, j, ask, ip, &cut);
	json_bool(j, "partial", cut);
	json_close(j);
	return r;
}
