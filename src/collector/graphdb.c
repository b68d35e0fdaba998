/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * graphdb.c - walks the chain of a question from one node to the next, depth first.  Which relations a node has is
 * read once; what they are worth, when somebody asks.  A relation is in one match once, as Cypher has it.
 */
#include "graphdb.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "column.h"
#include "dbfile.h"
#include "lib/hash.h"
#include "lib/loop.h"
#include "rtt.h"
#include "set.h"

#define TEXTS_MAX 16384 /* different ones in the rows of one answer */

/* A hop is there as long as it, or a link that it is an end of: which of the two is evicted first depends. */
static const char *const sql[GRAPHDB_STMTS] = {
	[GRAPHDB_NODE] = "SELECT min(first_us), max(last_us), (SELECT json_extract(name, '$') FROM hop WHERE ip = ?1 "
			 "AND name NOT NULL ORDER BY last_us DESC, id DESC LIMIT 1) FROM hop WHERE ip = ?1 HAVING count(*) "
			 "OR EXISTS (SELECT 1 FROM link WHERE a = ?1) OR EXISTS (SELECT 1 FROM link WHERE b = ?1)",
	[GRAPHDB_OUT] = "SELECT DISTINCT 0, b FROM link WHERE a = ?1",
	[GRAPHDB_OUT_SENSOR] = "SELECT DISTINCT 0, b FROM link WHERE sensor = ?1 AND ttl = 0 AND a = ''",
	[GRAPHDB_IN] = "SELECT DISTINCT a = '', iif(a = '', sensor, a) FROM link WHERE b = ?1",
	[GRAPHDB_EDGE] = "SELECT min(rtt_min), max(rtt_max), rtt_sum(hist), sum(traces), min(gap), min(first_us), max(last_us) "
			 "FROM link WHERE a = ?1 AND b = ?2 HAVING count(*)",
	[GRAPHDB_EDGE_SENSOR] = "SELECT min(rtt_min), max(rtt_max), rtt_sum(hist), sum(traces), min(gap), min(first_us), "
				"max(last_us) FROM link WHERE sensor = ?1 AND ttl = 0 AND a = '' AND b = ?2 HAVING count(*)",
	[GRAPHDB_HOPS] = "SELECT ip FROM hop WHERE ip > ?1 UNION SELECT a FROM link WHERE a > ?1 UNION SELECT b FROM link "
			 "WHERE b > ?1 ORDER BY 1 LIMIT 500",
	[GRAPHDB_SENSORS] = "SELECT DISTINCT sensor FROM link WHERE ttl = 0",
};

void
graphdb_open(struct graphdb *g, sqlite3 *db)
{
	*g = (struct graphdb){ .db = db };
}

int
graphdb_close(struct graphdb *g)
{
	for (int i = 0; i < GRAPHDB_STMTS; i++)
		sqlite3_finalize(g->stmt[i]);
	return g->code;
}

/* Ready to be bound; NULL: something failed before. */
static sqlite3_stmt *
statement(struct graphdb *g, enum graphdb_stmt i)
{
	if (!g->code && !g->stmt[i])
		g->code = sqlite3_prepare_v2(g->db, sql[i], -1, &g->stmt[i], NULL);
	if (g->code)
		return NULL;
	sqlite3_reset(g->stmt[i]);
	return g->stmt[i];
}

static int
row(struct graphdb *g, sqlite3_stmt *stmt)
{
	int r = stmt ? sqlite3_step(stmt) : SQLITE_DONE;

	if (r != SQLITE_ROW && r != SQLITE_DONE && !g->code)
		g->code = r;
	return r == SQLITE_ROW;
}

int
graphdb_node(struct graphdb *g, const struct graphdb_key *key, struct graphdb_node *out)
{
	sqlite3_stmt *stmt;
	int found;

	*out = (struct graphdb_node){ 0 };
	if (key->is_sensor)
		return 1;
	stmt = statement(g, GRAPHDB_NODE);
	if (!stmt)
		return 0;
	column_bind_text(stmt, 1, key->name);
	found = row(g, stmt);
	if (found) {
		const char *name = (const char *)sqlite3_column_text(stmt, 2);

		out->first_us = sqlite3_column_int64(stmt, 0);
		out->last_us = sqlite3_column_int64(stmt, 1);
		snprintf(out->name, sizeof out->name, "%s", name ? name : "");
	}
	sqlite3_reset(stmt);
	return found;
}

int
graphdb_edge(struct graphdb *g, const struct graphdb_key *a, const struct graphdb_key *b, struct graphdb_edge *out)
{
	sqlite3_stmt *stmt = statement(g, a->is_sensor ? GRAPHDB_EDGE_SENSOR : GRAPHDB_EDGE);
	int found;

	*out = (struct graphdb_edge){ .rtt_us = -1 };
	if (!stmt)
		return 0;
	column_bind_text(stmt, 1, a->name);
	column_bind_text(stmt, 2, b->name);
	found = row(g, stmt);
	if (found) {
		struct rtt rtt = { 0 };

		column_add_rtt(&rtt, stmt, 0, 2);
		out->rtt_us = rtt_percentile(&rtt, 50);
		out->count = sqlite3_column_int64(stmt, 3);
		out->gap = sqlite3_column_int64(stmt, 4);
		out->first_us = sqlite3_column_int64(stmt, 5);
		out->last_us = sqlite3_column_int64(stmt, 6);
	}
	sqlite3_reset(stmt);
	return found;
}

/* ---- a walk ---- */

struct edge {
	uint32_t a, b; /* places in nodes */
};

/* What is known of a node or an edge beside its key. */
struct node_info {
	struct graphdb_node *facts;   /* NULL: not asked yet */
	uint32_t *around[2];          /* places in edges: out, in; NULL: not asked yet */
	uint32_t n_around[2];
};

struct edge_info {
	int known;
	struct graphdb_edge facts;
};

/* A value of a row, the same bytes for the same value. */
struct cell {
	uint64_t type;  /* enum kind */
	int64_t v;      /* number, or place in nodes, edges or texts */
};

enum kind { K_NULL, K_INT, K_TEXT, K_NODE, K_EDGE };

struct text {
	char bytes[1024];
};

struct seen {
	uint64_t row, item;
	struct cell cell;
};

struct walk {
	struct graphdb g;
	const struct cypher *c;
	uint8_t secret[16];
	struct set nodes, edges, texts, rows, seen;  /* graphdb_key, edge, text, cells, struct seen */
	struct node_info *node_info;
	struct edge_info *edge_info;
	size_t node_room, edge_room;
	struct cell *list;              /* rows, in the order in which they were found; c->n_items cells each */
	size_t n_list, list_room, list_max;
	int64_t bound[CYPHER_VARS_MAX]; /* places, or -1 */
	uint32_t used[CYPHER_NODES_MAX * CYPHER_DEPTH_MAX];
	size_t n_used;
	int64_t steps, until_us;
	int counts, keyed;              /* rows are groups; are found again by what they have */
	int partial, full, failed;      /* failed: -errno */
};

static const struct graphdb_key *
key_of(const struct walk *w, int64_t node)
{
	return (const struct graphdb_key *)(const void *)(w->nodes.items + (size_t)node * w->nodes.width);
}

static const struct edge *
edge_of(const struct walk *w, int64_t edge)
{
	return (const struct edge *)(const void *)(w->edges.items + (size_t)edge * w->edges.width);
}

/* Room for a place in an array beside a set. */
static int
beside(struct walk *w, void *array, size_t *room, size_t width, int64_t place)
{
	char **items = array;
	size_t want = *room ? 2 * *room : 64;
	char *more;

	if (place < 0 || (size_t)place < *room)
		return place < 0 ? -1 : 0;
	more = realloc(*items, want * width);
	if (!more) {
		w->failed = -ENOMEM;
		return -1;
	}
	memset(more + *room * width, 0, (want - *room) * width);
	*items = more;
	*room = want;
	return 0;
}

static int64_t
take_node(struct walk *w, int is_sensor, const char *name)
{
	struct graphdb_key key = { .is_sensor = (uint64_t)is_sensor };
	int64_t at;

	memcpy(key.name, name, strnlen(name, sizeof key.name - 1));
	at = set_put(&w->nodes, w->secret, &key);
	if (at < 0)
		w->failed = (int)at;
	return beside(w, &w->node_info, &w->node_room, sizeof *w->node_info, at) ? -1 : at;
}

static int64_t
take_edge(struct walk *w, uint32_t a, uint32_t b)
{
	int64_t at = set_put(&w->edges, w->secret, &(struct edge){ a, b });

	if (at < 0)
		w->failed = (int)at;
	return beside(w, &w->edge_info, &w->edge_room, sizeof *w->edge_info, at) ? -1 : at;
}

/* The relations from a node (in: to it); NULL with *n 0: none, or it failed. */
static const uint32_t *
around(struct walk *w, uint32_t node, int in, uint32_t *n)
{
	struct graphdb_key key = *key_of(w, node);
	size_t len = 0, room = 1;
	sqlite3_stmt *stmt;
	uint32_t *list;

	*n = w->node_info[node].n_around[in];
	if (w->node_info[node].around[in])
		return w->node_info[node].around[in];
	list = malloc(sizeof *list);
	if (!list) {
		w->failed = -ENOMEM;
		return NULL;
	}
	stmt = in && key.is_sensor ? NULL
				   : statement(&w->g, in ? GRAPHDB_IN : key.is_sensor ? GRAPHDB_OUT_SENSOR : GRAPHDB_OUT);
	if (stmt)
		column_bind_text(stmt, 1, key.name);
	while (!w->failed && row(&w->g, stmt)) {
		int64_t other = take_node(w, sqlite3_column_int(stmt, 0), (const char *)sqlite3_column_text(stmt, 1));
		int64_t edge = other < 0 ? -1 : take_edge(w, in ? (uint32_t)other : node, in ? node : (uint32_t)other);

		if (edge < 0)
			break;
		if (len == room) {
			uint32_t *more = realloc(list, 2 * room * sizeof *list);

			if (!more) {
				w->failed = -ENOMEM;
				break;
			}
			list = more;
			room *= 2;
		}
		list[len++] = (uint32_t)edge;
	}
	if (stmt)
		sqlite3_reset(stmt);
	w->node_info[node].around[in] = list;
	*n = w->node_info[node].n_around[in] = (uint32_t)len;
	return list;
}

static const struct graphdb_node *
node_facts(struct walk *w, int64_t node)
{
	struct node_info *info = &w->node_info[node];
	static const struct graphdb_node none;

	if (!info->facts) {
		info->facts = malloc(sizeof *info->facts);
		if (!info->facts) {
			w->failed = -ENOMEM;
			return &none;
		}
		(void)graphdb_node(&w->g, key_of(w, node), info->facts);
	}
	return info->facts;
}

static const struct graphdb_edge *
edge_facts(struct walk *w, int64_t edge)
{
	struct edge_info *info = &w->edge_info[edge];

	if (!info->known) {
		const struct edge *e = edge_of(w, edge);

		(void)graphdb_edge(&w->g, key_of(w, e->a), key_of(w, e->b), &info->facts);
		info->known = 1;
	}
	return &info->facts;
}

static int
time_is_up(struct walk *w)
{
	if (w->failed || w->g.code || w->full)
		return 1;
	if (w->steps++ >= GRAPHDB_STEPS_MAX || (w->steps % 64 == 0 && clock_mono_us() > w->until_us))
		w->partial = w->full = 1;
	return w->full;
}

/* ---- values ---- */

static void
number(struct cypher_value *v, int64_t n)
{
	*v = (struct cypher_value){ .type = CYPHER_NULL };
	if (n >= 0)
		*v = (struct cypher_value){ .type = CYPHER_INT, .i = n };
}

static void
moment(struct cypher_value *v, int64_t us, char text[JSON_TIME_LEN + 1])
{
	*v = (struct cypher_value){ .type = CYPHER_NULL };
	if (!us)
		return;
	json_time_text(text, us);
	*v = (struct cypher_value){ .type = CYPHER_TEXT, .s = text, .n = JSON_TIME_LEN };
}

static void
words(struct cypher_value *v, const char *text)
{
	*v = *text ? (struct cypher_value){ .type = CYPHER_TEXT, .s = text, .n = strlen(text) }
		   : (struct cypher_value){ .type = CYPHER_NULL };
}

/* `text` has room for a time. */
static void
value_of(struct walk *w, int is_relation, int64_t at, enum cypher_property p, struct cypher_value *v,
	 char text[JSON_TIME_LEN + 1])
{
	if (is_relation) {
		const struct graphdb_edge *e = edge_facts(w, at);

		if (p == CYPHER_RTT_US || p == CYPHER_COUNT || p == CYPHER_GAP)
			number(v, p == CYPHER_RTT_US ? e->rtt_us : p == CYPHER_COUNT ? e->count : e->gap);
		else
			moment(v, p == CYPHER_FIRST_SEEN ? e->first_us : e->last_us, text);
		return;
	}
	if (p == CYPHER_IP)
		words(v, key_of(w, at)->is_sensor ? "" : key_of(w, at)->name);
	else if (p == CYPHER_NAME)
		words(v, key_of(w, at)->is_sensor ? key_of(w, at)->name : node_facts(w, at)->name);
	else
		moment(v, p == CYPHER_FIRST_SEEN ? node_facts(w, at)->first_us : node_facts(w, at)->last_us, text);
}

static int
is_number(const struct cypher_value *v)
{
	return v->type == CYPHER_INT || v->type == CYPHER_FLOAT;
}

/* -1, 0, 1; 2: they cannot be compared. */
static int
compare(const struct cypher_value *a, const struct cypher_value *b)
{
	int r;

	if (is_number(a) && is_number(b)) {
		double x = a->type == CYPHER_INT ? (double)a->i : a->f, y = b->type == CYPHER_INT ? (double)b->i : b->f;

		if (a->type == CYPHER_INT && b->type == CYPHER_INT)
			return (a->i > b->i) - (a->i < b->i);
		return (x > y) - (x < y);
	}
	if (a->type != b->type || a->type == CYPHER_NULL)
		return 2;
	if (a->type == CYPHER_BOOL)
		return (a->i > b->i) - (a->i < b->i);
	r = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
	return r ? (r > 0) - (r < 0) : (a->n > b->n) - (a->n < b->n);
}

static int
text_has(enum cypher_op op, const struct cypher_value *a, const struct cypher_value *b)
{
	if (b->n > a->n)
		return 0;
	if (op == CYPHER_STARTS)
		return !memcmp(a->s, b->s, b->n);
	if (op == CYPHER_ENDS)
		return !memcmp(a->s + a->n - b->n, b->s, b->n);
	return !b->n || memmem(a->s, a->n, b->s, b->n) != NULL;
}

static void
operand(struct walk *w, int at, struct cypher_value *v, char text[JSON_TIME_LEN + 1])
{
	const struct cypher_expr *e = &w->c->exprs[at];

	if (e->op == CYPHER_LITERAL)
		*v = e->value;
	else
		value_of(w, w->c->vars[e->a].is_relation, w->bound[e->a], (enum cypher_property)e->b, v, text);
}

/* 1, 0, or -1: not known, as comparing with what is not there. */
static int
holds(struct walk *w, int at)
{
	const struct cypher_expr *e = &w->c->exprs[at];
	char text[2][JSON_TIME_LEN + 1];
	struct cypher_value a, b;
	int x, y;

	if (e->op == CYPHER_AND || e->op == CYPHER_OR) {
		int ends = e->op == CYPHER_OR; /* what decides alone */

		x = holds(w, e->a);
		if (x == ends)
			return ends;
		y = holds(w, e->b);
		return y == ends ? ends : x < 0 || y < 0 ? -1 : !ends;
	}
	if (e->op == CYPHER_NOT) {
		x = holds(w, e->a);
		return x < 0 ? -1 : !x;
	}
	operand(w, e->a, &a, text[0]);
	if (e->op == CYPHER_IS_NULL || e->op == CYPHER_IS_NOT_NULL)
		return (a.type == CYPHER_NULL) == (e->op == CYPHER_IS_NULL);
	operand(w, e->b, &b, text[1]);
	if (a.type == CYPHER_NULL || b.type == CYPHER_NULL)
		return -1;
	if (e->op == CYPHER_STARTS || e->op == CYPHER_ENDS || e->op == CYPHER_CONTAINS)
		return a.type == CYPHER_TEXT && b.type == CYPHER_TEXT ? text_has(e->op, &a, &b) : -1;
	x = compare(&a, &b);
	if (x == 2)
		return e->op == CYPHER_EQ ? 0 : e->op == CYPHER_NE ? 1 : -1;
	switch (e->op) {
	case CYPHER_EQ:
		return !x;
	case CYPHER_NE:
		return x != 0;
	case CYPHER_LT:
		return x < 0;
	case CYPHER_LE:
		return x <= 0;
	case CYPHER_GT:
		return x > 0;
	default:
		return x >= 0;
	}
}

/* ---- rows ---- */

static struct cell
cell_of(struct walk *w, const struct cypher_item *item)
{
	int is_relation = w->c->vars[item->var].is_relation;
	int64_t at = w->bound[item->var];
	char time[JSON_TIME_LEN + 1];
	struct cypher_value v;
	struct text text = { "" };

	if (item->property < 0)
		return (struct cell){ is_relation ? K_EDGE : K_NODE, at };
	value_of(w, is_relation, at, (enum cypher_property)item->property, &v, time);
	if (v.type != CYPHER_TEXT)
		return (struct cell){ v.type == CYPHER_INT ? K_INT : K_NULL, v.type == CYPHER_INT ? v.i : 0 };
	if (w->texts.n == TEXTS_MAX) {
		w->partial = w->full = 1;
		return (struct cell){ K_NULL, 0 };
	}
	memcpy(text.bytes, v.s, v.n < sizeof text.bytes ? v.n : sizeof text.bytes - 1);
	at = set_put(&w->texts, w->secret, &text);
	if (at < 0)
		w->failed = (int)at;
	return (struct cell){ K_TEXT, at };
}

static void
count_up(struct walk *w, size_t place)
{
	for (int i = 0; i < w->c->n_items; i++) {
		const struct cypher_item *item = &w->c->items[i];
		struct cell *total = &w->list[place * (size_t)w->c->n_items + (size_t)i];
		struct seen seen = { .row = place, .item = (uint64_t)i };
		size_t before = w->seen.n;

		if (item->shape < CYPHER_COUNT_ALL)
			continue;
		if (item->shape != CYPHER_COUNT_ALL) {
			seen.cell = cell_of(w, item);
			if (seen.cell.type == K_NULL)
				continue;
		}
		if (item->shape == CYPHER_COUNT_DISTINCT) {
			if (w->seen.n >= 10 * GRAPHDB_ROWS_MAX) {
				w->partial = w->full = 1;
				return;
			}
			if (set_put(&w->seen, w->secret, &seen) < 0)
				w->failed = -ENOMEM;
			if (w->seen.n == before)
				continue;
		}
		total->v++;
	}
}

/* All nodes and relations are bound. */
static void
match(struct walk *w)
{
	struct cell cells[CYPHER_ITEMS_MAX] = { { 0 } };
	size_t n = (size_t)w->c->n_items, place = w->n_list;

	if (w->c->where >= 0 && holds(w, w->c->where) != 1)
		return;
	for (size_t i = 0; i < n; i++) {
		cells[i].type = K_INT;
		if (w->c->items[i].shape < CYPHER_COUNT_ALL)
			cells[i] = cell_of(w, &w->c->items[i]);
	}
	if (w->keyed) {
		int64_t at;

		if (w->rows.n == w->list_max) { /* a row more might be one that is there */
			w->partial = w->full = 1;
			return;
		}
		at = set_put(&w->rows, w->secret, cells);
		if (at < 0) {
			w->failed = (int)at;
			return;
		}
		place = (size_t)at;
	} else if (w->n_list == w->list_max) {
		w->full = 1;
		w->partial |= w->list_max == GRAPHDB_ROWS_MAX;
		return;
	}
	if (place == w->n_list) {
		if (place == w->list_room) {
			size_t room = w->list_room ? 2 * w->list_room : 64;
			struct cell *more = realloc(w->list, room * n * sizeof *more);

			if (!more) {
				w->failed = -ENOMEM;
				return;
			}
			w->list = more;
			w->list_room = room;
		}
		memcpy(w->list + place * n, cells, n * sizeof *cells);
		w->n_list++;
	}
	if (w->counts)
		count_up(w, place);
}

/* ---- matching ---- */

static int
fits(struct walk *w, const struct cypher_node *n, int64_t at)
{
	if (n->label != CYPHER_ANY && (n->label == CYPHER_SENSOR) != !!key_of(w, at)->is_sensor)
		return 0;
	for (int i = 0; i < n->n_wants; i++) {
		char text[JSON_TIME_LEN + 1];
		struct cypher_value v;

		value_of(w, 0, at, n->wants[i].property, &v, text);
		if (compare(&v, &n->wants[i].value))
			return 0;
	}
	return 1;
}

static void go_on(struct walk *, int place, int64_t node);

/* One relation more, of those between nodes `place` and the next; so many lie behind. */
static void
follow(struct walk *w, int place, int64_t node, int length)
{
	const struct cypher_relation *r = &w->c->relations[place];

	if (length >= r->min)
		go_on(w, place + 1, node);
	for (int in = 0; in < 2 && length < r->max; in++) {
		const uint32_t *list;
		uint32_t n;

		if (r->direction != CYPHER_BOTH && in != (r->direction == CYPHER_IN))
			continue;
		list = around(w, (uint32_t)node, in, &n);
		for (uint32_t i = 0; i < n && !time_is_up(w); i++) {
			const struct edge *e = edge_of(w, list[i]);
			int64_t other = in ? e->a : e->b;
			size_t k = 0;

			while (k < w->n_used && w->used[k] != list[i])
				k++;
			if (k < w->n_used || (in && r->direction == CYPHER_BOTH && e->a == e->b))
				continue;
			w->used[w->n_used++] = list[i];
			w->bound[r->var] = list[i];
			follow(w, place, other, length + 1);
			w->n_used--;
		}
	}
}

static void
go_on(struct walk *w, int place, int64_t node)
{
	const struct cypher_node *n = &w->c->nodes[place];
	int64_t before = w->bound[n->var];

	if ((before >= 0 && before != node) || !fits(w, n, node))
		return;
	w->bound[n->var] = node;
	if (place == w->c->n_nodes - 1)
		match(w);
	else
		follow(w, place, node, 0);
	w->bound[n->var] = before;
}

/* The value that a node's ip, or sensor's name, must have; NULL: it may be any. */
static const struct cypher_value *
anchor(const struct cypher *c, const struct cypher_node *n)
{
	enum cypher_property p = n->label == CYPHER_SENSOR ? CYPHER_NAME : CYPHER_IP;
	int stack[CYPHER_EXPRS_MAX], depth = 0;

	for (int i = 0; i < n->n_wants; i++) {
		if (n->wants[i].property == p)
			return &n->wants[i].value;
	}
	if (c->where >= 0)
		stack[depth++] = c->where;
	while (depth) {
		const struct cypher_expr *e = &c->exprs[stack[--depth]];

		if (e->op == CYPHER_AND) {
			stack[depth++] = e->a;
			stack[depth++] = e->b;
		}
		for (int side = 0; e->op == CYPHER_EQ && side < 2; side++) {
			const struct cypher_expr *a = &c->exprs[side ? e->b : e->a], *b = &c->exprs[side ? e->a : e->b];

			if (a->op == CYPHER_PROPERTY && a->a == n->var && a->b == (int)p && b->op == CYPHER_LITERAL)
				return &b->value;
		}
	}
	return NULL;
}

static void
start_at(struct walk *w, int is_sensor, const char *name)
{
	int64_t at = take_node(w, is_sensor, name);

	if (at >= 0 && !time_is_up(w))
		go_on(w, 0, at);
}

static void
start_at_all(struct walk *w, enum cypher_label label)
{
	char after[GRAPHDB_KEY] = "", name[GRAPHDB_KEY];
	sqlite3_stmt *stmt;
	int n = label == CYPHER_SENSOR ? 0 : 500;

	while (n == 500 && !time_is_up(w)) {
		char (*list)[GRAPHDB_KEY] = calloc(500, sizeof *list);

		if (!list) {
			w->failed = -ENOMEM;
			return;
		}
		stmt = statement(&w->g, GRAPHDB_HOPS);
		if (stmt)
			column_bind_text(stmt, 1, after);
		for (n = 0; n < 500 && row(&w->g, stmt); n++)
			snprintf(list[n], sizeof list[n], "%s", (const char *)sqlite3_column_text(stmt, 0));
		if (stmt)
			sqlite3_reset(stmt);
		for (int i = 0; i < n && !w->full; i++)
			start_at(w, 0, list[i]);
		if (n)
			memcpy(after, list[n - 1], sizeof after);
		free(list);
	}
	stmt = label == CYPHER_HOP ? NULL : statement(&w->g, GRAPHDB_SENSORS);
	while (row(&w->g, stmt) && !w->full) {
		snprintf(name, sizeof name, "%s", (const char *)sqlite3_column_text(stmt, 0));
		start_at(w, 1, name);
	}
}

static void
start(struct walk *w)
{
	const struct cypher_node *n = &w->c->nodes[0];
	const struct cypher_value *v = anchor(w->c, n);
	struct graphdb_key key = { .is_sensor = n->label == CYPHER_SENSOR };
	struct graphdb_node facts;
	uint8_t ipv, addr[16];
	sqlite3_stmt *stmt;

	if (!v) {
		start_at_all(w, n->label);
		return;
	}
	if (v->type != CYPHER_TEXT || v->n >= sizeof key.name || memchr(v->s, 0, v->n))
		return; /* no node has it */
	memcpy(key.name, v->s, v->n);
	if (!key.is_sensor) {
		if (!addr_parse(&ipv, addr, key.name) && graphdb_node(&w->g, &key, &facts))
			start_at(w, 0, key.name);
		return;
	}
	stmt = statement(&w->g, GRAPHDB_SENSORS);
	while (row(&w->g, stmt)) {
		if (!strcmp((const char *)sqlite3_column_text(stmt, 0), key.name)) {
			start_at(w, 1, key.name);
			return;
		}
	}
}

/* ---- the answer ---- */

/* Cypher: what is not there comes last. */
static int
order(const void *a, const void *b, void *arg)
{
	const struct walk *w = arg;
	const size_t *left = a, *right = b;

	for (int i = 0; i < w->c->n_orders; i++) {
		const struct cypher_order *o = &w->c->orders[i];
		const struct cell *x = &w->list[*left * (size_t)w->c->n_items + (size_t)o->item];
		const struct cell *y = &w->list[*right * (size_t)w->c->n_items + (size_t)o->item];
		int r;

		if (x->type == K_NULL || y->type == K_NULL)
			r = (x->type == K_NULL) - (y->type == K_NULL);
		else if (x->type == K_TEXT && y->type == K_TEXT)
			r = strcmp(w->texts.items + (size_t)x->v * w->texts.width, w->texts.items + (size_t)y->v * w->texts.width);
		else
			r = (x->v > y->v) - (x->v < y->v);
		if (r)
			return o->descending ? -r : r;
	}
	return (*left > *right) - (*left < *right);
}

/* UTF-8 as it is, what JSON does not allow as \u00XX. */
static void
put_text(struct json *j, const char *name, const char *text)
{
	char out[6 * sizeof ((struct text *)0)->bytes + 2];
	size_t n = 0;

	out[n++] = '"';
	for (; *text; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f) {
			n += (size_t)snprintf(out + n, 7, "\\u%04x", (unsigned char)*text);
		} else {
			if (*text == '"' || *text == '\\')
				out[n++] = '\\';
			out[n++] = *text;
		}
	}
	out[n++] = '"';
	json_raw(j, name, out, n);
}

static void
put_properties(struct walk *w, struct json *j, int is_relation, int64_t at)
{
	for (int p = 0; p < CYPHER_PROPERTIES; p++) {
		char time[JSON_TIME_LEN + 1];
		char text[sizeof ((struct text *)0)->bytes];
		struct cypher_value v;

		if (is_relation ? p == CYPHER_IP || p == CYPHER_NAME
				: p == CYPHER_RTT_US || p == CYPHER_COUNT || p == CYPHER_GAP)
			continue;
		value_of(w, is_relation, at, (enum cypher_property)p, &v, time);
		if (v.type == CYPHER_INT)
			json_int(j, cypher_properties[p], v.i);
		if (v.type != CYPHER_TEXT)
			continue;
		snprintf(text, sizeof text, "%.*s", (int)v.n, v.s);
		put_text(j, cypher_properties[p], text);
	}
}

static void
put_end(struct walk *w, struct json *j, const char *name, uint32_t node)
{
	const struct graphdb_key *key = key_of(w, node);

	json_str(j, name, key->name, strlen(key->name));
}

static void
put_cell(struct walk *w, struct json *j, const struct cell *cell)
{
	switch (cell->type) {
	case K_INT:
		json_int(j, NULL, cell->v);
		break;
	case K_TEXT:
		put_text(j, NULL, w->texts.items + (size_t)cell->v * w->texts.width);
		break;
	case K_NODE:
		json_map(j, NULL);
		json_raw_str(j, "label", key_of(w, cell->v)->is_sensor ? "sensor" : "hop",
			     key_of(w, cell->v)->is_sensor ? 6 : 3);
		put_properties(w, j, 0, cell->v);
		json_close(j);
		break;
	case K_EDGE:
		json_map(j, NULL);
		json_raw_str(j, "type", "next", 4);
		put_end(w, j, "from", edge_of(w, cell->v)->a);
		put_end(w, j, "to", edge_of(w, cell->v)->b);
		put_properties(w, j, 1, cell->v);
		json_close(j);
		break;
	default:
		json_raw(j, NULL, "null", 4);
	}
}

static void
put_answer(struct walk *w, struct json *j)
{
	size_t n = (size_t)w->c->n_items, *places = calloc(w->n_list + 1, sizeof *places);
	size_t limit = w->c->limit < 0 ? GRAPHDB_LIMIT : (size_t)w->c->limit, shown = 0, i;

	json_list(j, "columns");
	for (int k = 0; k < w->c->n_columns; k++)
		put_text(j, NULL, w->c->items[k].column);
	json_close(j);
	json_list(j, "rows");
	for (i = 0; places && i < w->n_list; i++)
		places[i] = i;
	if (places && w->c->n_orders)
		qsort_r(places, w->n_list, sizeof *places, order, w);
	for (i = (size_t)w->c->skip; places && i < w->n_list && shown < limit; i++, shown++) {
		if (j->size - j->len < 65536 * 2) {
			w->partial = 1;
			break;
		}
		json_list(j, NULL);
		for (int k = 0; k < w->c->n_columns; k++)
			put_cell(w, j, &w->list[places[i] * n + (size_t)k]);
		json_close(j);
	}
	json_close(j);
	if (w->c->limit < 0 && i < w->n_list)
		w->partial = 1;
	if (!places)
		w->failed = -ENOMEM;
	free(places);
	json_bool(j, "partial", w->partial);
	json_raw_str(j, "engine", "sqlite", 6);
}

int
graphdb_answer(sqlite3 *db, struct cypher *c, struct json *j)
{
	struct walk w = { .c = c, .nodes = { .width = sizeof(struct graphdb_key) }, .edges = { .width = sizeof(struct edge) },
			  .texts = { .width = sizeof(struct text) }, .seen = { .width = sizeof(struct seen) },
			  .rows = { .width = (size_t)c->n_items * sizeof(struct cell) },
			  .until_us = clock_mono_us() + GRAPHDB_US };
	int r;

	hash_random(w.secret, sizeof w.secret);
	graphdb_open(&w.g, db);
	for (int i = 0; i < CYPHER_VARS_MAX; i++)
		w.bound[i] = -1;
	for (int i = 0; i < c->n_items; i++)
		w.counts |= c->items[i].shape >= CYPHER_COUNT_ALL;
	w.keyed = w.counts || c->distinct;
	w.list_max = GRAPHDB_ROWS_MAX;
	if (!w.keyed && !c->n_orders) /* the first ones do; one more says that there are more */
		w.list_max = (size_t)c->skip + (c->limit < 0 ? GRAPHDB_LIMIT + 1 : (size_t)c->limit);
	if (w.list_max > GRAPHDB_ROWS_MAX)
		w.list_max = GRAPHDB_ROWS_MAX;
	if (!anchor(c, &c->nodes[0]) && anchor(c, &c->nodes[c->n_nodes - 1]))
		cypher_reverse(c);
	start(&w);
	/* Counting nothing is a row too. */
	if (w.counts && !w.n_list && c->n_items == c->n_columns) {
		int only = 1;

		for (int i = 0; i < c->n_items; i++)
			only &= c->items[i].shape >= CYPHER_COUNT_ALL;
		w.list = only ? calloc(CYPHER_ITEMS_MAX, sizeof *w.list) : NULL;
		for (int i = 0; w.list && i < c->n_items; i++)
			w.list[i].type = K_INT;
		w.n_list = w.list != NULL;
	}
	put_answer(&w, j);
	r = graphdb_close(&w.g);
	r = r ? dbfile_error(db, r) : w.failed;
	for (size_t i = 0; i < w.nodes.n && i < w.node_room; i++) {
		free(w.node_info[i].facts);
		free(w.node_info[i].around[0]);
		free(w.node_info[i].around[1]);
	}
	free(w.node_info);
	free(w.edge_info);
	free(w.list);
	set_free(&w.nodes);
	set_free(&w.edges);
	set_free(&w.texts);
	set_free(&w.rows);
	set_free(&w.seen);
	return r;
}
