/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filtersql.c - tree to SQL.  A comparison with what a report does not have is NULL, and so no match; not turns
 * that round, as it does a comparison that is false.
 */
#include "filtersql.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "column.h"
#include "field.h"
#include "report.h"

/* What a node came to: nothing was written for the first two. */
enum { NEVER, ALWAYS, SOMETIMES };

struct writer {
	struct filtersql *sql;
	const struct filter *f;
	enum filter_table table;
	int full;
	int deep; /* has more than LEVELS_SHALLOW levels */
};

#define LEVELS FILTER_NODES_MAX /* less than there can be */
#define LEVELS_SHALLOW 8

/* One of those between `and`, or between `or`; the least rank is written first. */
struct part {
	unsigned node, rank;
};

static void __attribute__((format(printf, 2, 3)))
put(struct writer *w, const char *fmt, ...)
{
	struct filtersql *s = w->sql;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(s->where + s->n, sizeof s->where - s->n, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof s->where - s->n)
		w->full = 1;
	else
		s->n += (size_t)n;
}

static void
put_param(struct writer *w, int kind, const struct filter_value *v)
{
	struct filtersql *s = w->sql;

	if (s->n_binds == sizeof s->bind / sizeof *s->bind) {
		w->full = 1;
		return;
	}
	s->bind[s->n_binds].kind = kind;
	s->bind[s->n_binds].v = v;
	put(w, "?%d", s->first + (int)s->n_binds++);
}

/* The field's value in this table. */
static void
put_field(struct writer *w, const struct filter_field *field)
{
	for (const char *p = field->sql[w->table]; *p; p++) {
		if (*p == '@')
			put_param(w, FILTERSQL_KNOWN, NULL);
		else
			put(w, "%c", *p);
	}
}

/* Whether the column is an address as RFC 5952 has it: a report's own spelling may differ. */
static int
is_canonical(const char *sql)
{
	return !strchr(sql, '(');
}

static void
put_one_address(struct writer *w, const struct filter_field *field, const struct filter_value *v)
{
	const char *sql = field->sql[w->table];

	if (field->type == FILTER_HOP) {
		put(w, "any_hop(%s,", sql);
	} else if (v->single && is_canonical(sql)) {
		put(w, "%s = ", sql);
		put_param(w, FILTERSQL_TEXT, v);
		return;
	} else {
		put(w, "in_net(%s,", sql);
	}
	put_param(w, FILTERSQL_NET, v);
	put(w, ")");
}

static const char *const sql_ops[FILTER_OPS] = {
	[FILTER_EQ] = "=", [FILTER_NE] = "<>", [FILTER_LT] = "<", [FILTER_LE] = "<=", [FILTER_GT] = ">", [FILTER_GE] = ">=",
};

static void
put_one(struct writer *w, const struct filter_field *field, enum filter_op op, const struct filter_value *v)
{
	switch (field->type) {
	case FILTER_ADDRESS:
	case FILTER_HOP:
		put_one_address(w, field, v);
		break;
	case FILTER_PORT:
		if (w->table == FILTER_ATTEMPT)
			put(w, "any_port(%s,'%s',", field->sql[w->table], sql_ops[op]);
		else
			put(w, "%s %s ", field->sql[w->table], sql_ops[op]);
		put_param(w, FILTERSQL_INT, v);
		if (w->table == FILTER_ATTEMPT)
			put(w, ")");
		break;
	default:
		put_field(w, field);
		put(w, " %s ", sql_ops[op]);
		put_param(w, field->type == FILTER_TEXT || field->type == FILTER_WORD ? FILTERSQL_TEXT : FILTERSQL_INT, v);
	}
}

/* type is what the table is of. */
static int
kind_holds(const struct writer *w, const struct filter_node *node)
{
	int found = 0;

	if (node->op == FILTER_HAS)
		return ALWAYS;
	for (unsigned i = 0; i < node->b; i++)
		found |= w->f->value[node->a + i].number == (int64_t)w->table;
	return found == (node->op == FILTER_EQ || node->op == FILTER_IN) ? ALWAYS : NEVER;
}

static void
put_like(struct writer *w, const struct filter_node *node)
{
	put(w, node->op == FILTER_UNLIKE ? "NOT like_text(" : "like_text(");
	put_field(w, node->field);
	put(w, ",");
	put_param(w, FILTERSQL_TEXT, &w->f->value[node->a]);
	put(w, ")");
}

static int
put_test(struct writer *w, const struct filter_node *node)
{
	const struct filter_value *v = &w->f->value[node->a];
	int not = node->op == FILTER_NE || node->op == FILTER_NOT_IN;

	if (node->field->type == FILTER_KIND)
		return kind_holds(w, node);
	if (!node->field->sql[w->table])
		return NEVER;
	if (node->op == FILTER_HAS) {
		put_field(w, node->field);
		put(w, node->field->type == FILTER_HOP ? " <> ''" : " IS NOT NULL");
	} else if (node->op == FILTER_LIKE || node->op == FILTER_UNLIKE) {
		put_like(w, node);
	} else if (!not && node->b == 1) {
		put_one(w, node->field, node->op == FILTER_IN ? FILTER_EQ : node->op, v);
	} else {
		put(w, not ? "NOT (" : "(");
		for (unsigned i = 0; i < node->b; i++) {
			put(w, i ? " OR " : "");
			put_one(w, node->field, FILTER_EQ, &v[i]);
		}
		put(w, ")");
	}
	return SOMETIMES;
}

/* Whether a row's own columns tell. */
static int
is_cheap(const struct writer *w, unsigned i)
{
	const struct filter_node *node = &w->f->node[i];

	if (node->kind == FILTER_TEST)
		return !node->field->sql[w->table] || is_canonical(node->field->sql[w->table]);
	return is_cheap(w, node->a) && (node->kind == FILTER_NOT || is_cheap(w, node->b));
}

static int put_node(struct writer *, unsigned i);

static int
put_not(struct writer *w, unsigned i)
{
	size_t n = w->sql->n;
	int is;

	put(w, "(");
	is = put_node(w, i);
	if (is == SOMETIMES) {
		put(w, ") IS NOT TRUE");
		return is;
	}
	w->sql->n = n;
	return is == NEVER ? ALWAYS : NEVER;
}

/* How many ( not, and, or lie inside one another; a and b and c are one. */
static unsigned
height(const struct filter *f, unsigned i)
{
	const struct filter_node *node = &f->node[i];
	unsigned most = 0;

	if (node->kind == FILTER_TEST)
		return 0;
	for (unsigned side = 0; side < (node->kind == FILTER_NOT ? 1 : 2); side++) {
		unsigned of = side ? node->b : node->a, h = height(f, of) + (f->node[of].kind != node->kind || node->kind == FILTER_NOT);

		most = h > most ? h : most;
	}
	return most;
}

/* What stands between the words of one kind. */
static void
gather(const struct filter *f, unsigned i, enum filter_kind kind, struct part *of, unsigned *n)
{
	if (f->node[i].kind == kind) {
		gather(f, f->node[i].a, kind, of, n);
		gather(f, f->node[i].b, kind, of, n);
	} else {
		of[(*n)++] = (struct part){ .node = i };
	}
}

/* What costs least first: SQLite keeps to that, and the rest is asked of fewer rows.  Of many levels the deepest first:
 * its parser remembers 100 words, and two of them for each comparison in front of a ( are too many then. */
static void
put_in_order(const struct writer *w, struct part *of, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct part p = { of[i].node, w->deep ? LEVELS - height(w->f, of[i].node) : !is_cheap(w, of[i].node) };
		unsigned k = i;

		for (; k && of[k - 1].rank > p.rank; k--)
			of[k] = of[k - 1];
		of[k] = p;
	}
}

/* `decides`: what one of them need only be for all together to be it. */
static int
put_many(struct writer *w, unsigned i, int decides)
{
	struct part of[FILTER_NODES_MAX];
	size_t start = w->sql->n;
	unsigned n = 0, n_binds = w->sql->n_binds;
	int some = 0;

	gather(w->f, i, w->f->node[i].kind, of, &n);
	put_in_order(w, of, n);
	put(w, "(");
	for (unsigned k = 0; k < n; k++) {
		size_t before = w->sql->n;
		int is;

		put(w, !some ? "" : decides == NEVER ? " AND " : " OR ");
		is = put_node(w, of[k].node);
		if (is == decides) {
			w->sql->n = start;
			w->sql->n_binds = n_binds;
			return is;
		}
		if (is != SOMETIMES)
			w->sql->n = before;
		some |= is == SOMETIMES;
	}
	if (!some) {
		w->sql->n = start;
		return decides == NEVER ? ALWAYS : NEVER;
	}
	put(w, ")");
	return SOMETIMES;
}

static int
put_node(struct writer *w, unsigned i)
{
	const struct filter_node *node = &w->f->node[i];

	switch (node->kind) {
	case FILTER_AND:
		return put_many(w, i, NEVER);
	case FILTER_OR:
		return put_many(w, i, ALWAYS);
	case FILTER_NOT:
		return put_not(w, node->a);
	default:
		return put_test(w, node);
	}
}

int
filtersql_make(struct filtersql *s, const struct filter *f, enum filter_table table, int first)
{
	struct writer w = { .sql = s, .f = f, .table = table };
	int is = ALWAYS;

	s->n = 0;
	s->first = first;
	s->n_binds = 0;
	if (f->root >= 0) {
		w.deep = height(f, (unsigned)f->root) > LEVELS_SHALLOW;
		is = put_node(&w, (unsigned)f->root);
	}
	if (is == ALWAYS) {
		s->n = 0;
		s->n_binds = 0;
		put(&w, "1");
	}
	s->where[s->n] = 0;
	return w.full ? -E2BIG : is != NEVER;
}

int
filtersql_bind(const struct filtersql *s, sqlite3_stmt *stmt, struct filtersql_arg *arg)
{
	int r = SQLITE_OK;

	for (unsigned i = 0; i < s->n_binds && !r; i++) {
		const struct filter_value *v = s->bind[i].v;
		int at = s->first + (int)i;

		switch (s->bind[i].kind) {
		case FILTERSQL_INT:
			r = sqlite3_bind_int64(stmt, at, v->number);
			break;
		case FILTERSQL_TEXT:
			r = sqlite3_bind_text(stmt, at, v->text, (int)v->n, SQLITE_STATIC);
			break;
		case FILTERSQL_NET:
			r = sqlite3_bind_pointer(stmt, at, (void *)(uintptr_t)&v->net, "net", NULL);
			break;
		case FILTERSQL_KNOWN:
			r = sqlite3_bind_pointer(stmt, at, arg, "known", NULL);
			break;
		}
	}
	return r;
}

/* ---- the functions ---- */

static void
result_text(sqlite3_context *c, const struct field *f)
{
	char *text;

	if (!memchr(f->s, '\\', f->n)) {
		sqlite3_result_text(c, f->s, (int)f->n, SQLITE_TRANSIENT);
		return;
	}
	text = sqlite3_malloc64(f->n);
	if (text)
		sqlite3_result_text(c, text, (int)field_text(f, text, f->n), sqlite3_free);
	else
		sqlite3_result_error_nomem(c);
}

/* field(json, name) */
static void
sql_field(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *json = (const char *)sqlite3_value_text(v[0]), *name = (const char *)sqlite3_value_text(v[1]);
	struct field f;

	(void)n;
	if (!json || !name)
		return;
	f = field_find(json, (size_t)sqlite3_value_bytes(v[0]), name);
	switch (f.kind) {
	case FIELD_INT:
		sqlite3_result_int64(c, field_int(&f));
		break;
	case FIELD_TRUE:
	case FIELD_FALSE:
		sqlite3_result_int(c, f.kind == FIELD_TRUE);
		break;
	case FIELD_TEXT:
		result_text(c, &f);
		break;
	default:
		break;
	}
}

static int
ip_in(const char *ip, const struct addr_prefix *net)
{
	uint8_t ipv, addr[16];

	return !addr_parse(&ipv, addr, ip) && addr_in(net, ipv, addr);
}

/* in_net(ip, network) */
static void
sql_in_net(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *ip = (const char *)sqlite3_value_text(v[0]);
	const struct addr_prefix *net = sqlite3_value_pointer(v[1], "net");

	(void)n;
	if (ip && net)
		sqlite3_result_int(c, ip_in(ip, net));
}

/* any_hop(json, network): of a trace. */
static void
sql_any_hop(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *json = (const char *)sqlite3_value_text(v[0]), *at = NULL;
	const struct addr_prefix *net = sqlite3_value_pointer(v[1], "net");
	struct field hops, hop;

	(void)n;
	if (!json || !net)
		return;
	hops = field_find(json, (size_t)sqlite3_value_bytes(v[0]), "hops");
	while (field_next(&hops, &at, &hop)) {
		struct field ip = field_find(hop.s, hop.n, "ip");
		char text[ADDR_TEXT];

		text[field_text(&ip, text, sizeof text - 1)] = 0;
		if (ip.kind == FIELD_TEXT && ip_in(text, net)) {
			sqlite3_result_int(c, 1);
			return;
		}
	}
	sqlite3_result_int(c, 0);
}

/* any_port(ports, op, number) */
static void
sql_any_port(sqlite3_context *c, int n, sqlite3_value **v)
{
	const uint8_t *list = sqlite3_value_blob(v[0]);
	const char *op = (const char *)sqlite3_value_text(v[1]);
	int64_t wanted = sqlite3_value_int64(v[2]);
	unsigned ports = (unsigned)sqlite3_value_bytes(v[0]) / 2;
	int found = 0;

	(void)n;
	if (!list || !op)
		return;
	for (unsigned i = 0; i < ports && !found; i++) {
		uint16_t port = column_port(list, i);

		found = (port == wanted && op[0] != '<' && op[0] != '>') || (port == wanted && op[1] == '=') ||
			(port < wanted && op[0] == '<') || (port > wanted && op[0] == '>');
	}
	sqlite3_result_int(c, found);
}

/* like_text(text, pattern) */
static void
sql_like(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *text = (const char *)sqlite3_value_text(v[0]), *pattern = (const char *)sqlite3_value_text(v[1]);

	(void)n;
	if (text && pattern)
		sqlite3_result_int(c, filter_like(pattern, (size_t)sqlite3_value_bytes(v[1]), text,
						  (size_t)sqlite3_value_bytes(v[0])));
}

/* addr_info(ip, what, arg) */
static void
sql_known(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *ip = (const char *)sqlite3_value_text(v[0]), *what = (const char *)sqlite3_value_text(v[1]);
	struct filtersql_arg *a = sqlite3_value_pointer(v[2], "known");

	(void)n;
	if (ip && what && a && a->known)
		a->known(a->arg, ip, what, c);
}

int
filtersql_functions(sqlite3 *db)
{
	static const struct {
		const char *name;
		int n;
		void (*fn)(sqlite3_context *, int, sqlite3_value **);
	} functions[] = {
		{ "field", 2, sql_field }, { "in_net", 2, sql_in_net }, { "any_hop", 2, sql_any_hop },
		{ "any_port", 3, sql_any_port }, { "like_text", 2, sql_like }, { "addr_info", 3, sql_known },
	};
	sqlite3_stmt *stmt = NULL;
	int r = sqlite3_prepare_v2(db, "SELECT field('', '')", -1, &stmt, NULL);

	sqlite3_finalize(stmt);
	if (!r) /* they are there: to make them again would end statements that are prepared */
		return r;
	r = SQLITE_OK;
	for (size_t i = 0; i < sizeof functions / sizeof *functions && !r; i++)
		r = sqlite3_create_function(db, functions[i].name, functions[i].n,
					    SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL, functions[i].fn, NULL,
					    NULL);
	return r;
}
