/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cypher.c - recursive descent over the text, one function a rule of the grammar.  Each returns 0 or -1; the
 * first that fails has said what would be right.
 */
#include "cypher.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const cypher_properties[CYPHER_PROPERTIES] = {
	[CYPHER_IP] = "ip", [CYPHER_NAME] = "name", [CYPHER_FIRST_SEEN] = "first_seen",
	[CYPHER_LAST_SEEN] = "last_seen", [CYPHER_RTT_US] = "rtt_us", [CYPHER_COUNT] = "count", [CYPHER_GAP] = "gap",
};

/* What a node and a relation have. */
#define OF_NODE (1U << CYPHER_IP | 1U << CYPHER_NAME | 1U << CYPHER_FIRST_SEEN | 1U << CYPHER_LAST_SEEN)
#define OF_RELATION \
	(1U << CYPHER_RTT_US | 1U << CYPHER_COUNT | 1U << CYPHER_GAP | 1U << CYPHER_FIRST_SEEN | 1U << CYPHER_LAST_SEEN)

struct reader {
	struct cypher *c;
	const char *text, *end, *p;
	const struct cypher_param *params;
	size_t n_params;
	struct cypher_error *err;
	int nest;
};

static int __attribute__((format(printf, 3, 4)))
wrong(struct reader *r, const char *at, const char *fmt, ...)
{
	va_list ap;

	r->err->at = (size_t)(at - r->text);
	va_start(ap, fmt);
	vsnprintf(r->err->why, sizeof r->err->why, fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- words ---- */

static int
is_name(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

/* Blanks and comments. */
static void
blanks(struct reader *r)
{
	while (r->p < r->end) {
		if (*r->p == ' ' || *r->p == '\t' || *r->p == '\n' || *r->p == '\r') {
			r->p++;
		} else if (r->end - r->p > 1 && !memcmp(r->p, "//", 2)) {
			while (r->p < r->end && *r->p != '\n')
				r->p++;
		} else {
			return;
		}
	}
}

/* 1, and behind it, when these characters come next. */
static int
sign(struct reader *r, const char *s)
{
	size_t n = strlen(s);

	blanks(r);
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, s, n))
		return 0;
	r->p += n;
	return 1;
}

static size_t
name_length(const struct reader *r)
{
	size_t n = 0;

	while (r->p + n < r->end && is_name(r->p[n]))
		n++;
	return n && isdigit((unsigned char)*r->p) ? 0 : n;
}

/* The same of a word, in whatever case. */
static int
word(struct reader *r, const char *s)
{
	size_t n = strlen(s);

	blanks(r);
	if (name_length(r) != n || strncasecmp(r->p, s, n))
		return 0;
	r->p += n;
	return 1;
}

static int
need(struct reader *r, const char *s, const char *where)
{
	return sign(r, s) ? 0 : wrong(r, r->p, "%s is expected %s", s, where);
}

/* 0 and the name; 1: none comes. */
static int
name(struct reader *r, char out[CYPHER_NAME_MAX])
{
	size_t n;

	blanks(r);
	n = name_length(r);
	if (!n)
		return 1;
	if (n >= CYPHER_NAME_MAX)
		return wrong(r, r->p, "names are of at most %d characters", CYPHER_NAME_MAX - 1);
	memcpy(out, r->p, n);
	out[n] = 0;
	r->p += n;
	return 0;
}

/* ---- values ---- */

static int
read_text(struct reader *r, struct cypher_value *v)
{
	const char *start = r->p;
	char quote = *r->p++;
	struct cypher *c = r->c;

	*v = (struct cypher_value){ .type = CYPHER_TEXT, .s = c->pool + c->pool_n };
	while (r->p < r->end && *r->p != quote) {
		char ch = *r->p++;

		if (ch == '\\') {
			static const char from[] = "nrtbf\\'\"", to[] = "\n\r\t\b\f\\'\"";
			const char *known = r->p < r->end && *r->p ? strchr(from, *r->p) : NULL;

			if (!known)
				return wrong(r, r->p - 1, "behind \\ in a text: one of n r t b f \\ ' \"");
			ch = to[known - from];
			r->p++;
		}
		c->pool[c->pool_n++] = ch; /* never longer than the question */
		v->n++;
	}
	if (r->p == r->end)
		return wrong(r, start, "this text has no end: %c is missing", quote);
	r->p++;
	return 0;
}

static int
read_number(struct reader *r, struct cypher_value *v)
{
	const char *start = r->p;
	char digits[64], *stop;
	size_t n = 0;
	int whole = 1;

	while (r->p < r->end && n + 1 < sizeof digits &&
	       (isdigit((unsigned char)*r->p) || (*r->p && strchr(".eE", *r->p)) ||
		(*r->p == '-' && (!n || digits[n - 1] == 'e' || digits[n - 1] == 'E')))) {
		whole &= isdigit((unsigned char)*r->p) || *r->p == '-';
		digits[n++] = *r->p++;
	}
	digits[n] = 0;
	errno = 0;
	*v = (struct cypher_value){ .type = whole ? CYPHER_INT : CYPHER_FLOAT };
	if (whole)
		v->i = strtoll(digits, &stop, 10);
	else
		v->f = strtod(digits, &stop);
	if (errno || !n || *stop || (r->p < r->end && is_name(*r->p)) || !isfinite(v->f))
		return wrong(r, start, "this is no number: whole numbers of 64 bits, or such as 1.5");
	return 0;
}

static int
read_param(struct reader *r, struct cypher_value *v)
{
	const char *start = r->p++;
	char wanted[CYPHER_NAME_MAX];
	int e = name(r, wanted);

	if (e)
		return e < 0 ? -1 : wrong(r, start, "a parameter's name is expected behind $");
	for (size_t i = 0; i < r->n_params; i++) {
		if (!strcmp(r->params[i].name, wanted)) {
			*v = r->params[i].value;
			return 0;
		}
	}
	return wrong(r, start, "$%s is not among the params", wanted);
}

/* 0 and a value; 1: none comes. */
static int
value(struct reader *r, struct cypher_value *v)
{
	blanks(r);
	if (r->p == r->end)
		return 1;
	if (*r->p == '\'' || *r->p == '"')
		return read_text(r, v);
	if (*r->p == '$')
		return read_param(r, v);
	if (isdigit((unsigned char)*r->p) || *r->p == '-')
		return read_number(r, v);
	*v = (struct cypher_value){ .type = CYPHER_BOOL };
	if (word(r, "true"))
		v->i = 1;
	else if (word(r, "null"))
		v->type = CYPHER_NULL;
	else if (!word(r, "false"))
		return 1;
	return 0;
}

/* ---- the pattern ---- */

/* The place of a variable; a new one when it has no name, or one not met before. */
static int
variable(struct reader *r, const char *at, const char *wanted, int is_relation)
{
	struct cypher *c = r->c;
	struct cypher_var *v;

	for (int i = 0; *wanted && i < c->n_vars; i++) {
		if (strcmp(c->vars[i].name, wanted))
			continue;
		if (is_relation || c->vars[i].is_relation)
			return wrong(r, at, "%s stands for something else already", wanted);
		return i;
	}
	v = &c->vars[c->n_vars]; /* as many as nodes and relations at most */
	*v = (struct cypher_var){ .is_relation = is_relation };
	snprintf(v->name, sizeof v->name, "%s", wanted);
	return c->n_vars++;
}

static int
property(struct reader *r, const char *at, const char *wanted, int is_relation, int *out)
{
	for (int i = 0; i < CYPHER_PROPERTIES; i++) {
		if (!strcmp(cypher_properties[i], wanted) && (is_relation ? OF_RELATION : OF_NODE) & 1U << i) {
			*out = i;
			return 0;
		}
	}
	return wrong(r, at, "%s has no %s: %s", is_relation ? "[:next]" : "a node", wanted,
		     is_relation ? "rtt_us, count, gap, first_seen, last_seen" : "ip, name, first_seen, last_seen");
}

static int
read_map(struct reader *r, struct cypher_node *n)
{
	do {
		char key[CYPHER_NAME_MAX];
		const char *at;
		int which, e;

		blanks(r);
		at = r->p;
		e = name(r, key);
		if (e || property(r, at, key, 0, &which))
			return e > 0 ? wrong(r, at, "a property such as ip is expected") : -1;
		for (int i = 0; i < n->n_wants; i++) {
			if (n->wants[i].property == (enum cypher_property)which)
				return wrong(r, at, "%s is there twice", key);
		}
		if (need(r, ":", "behind a property"))
			return -1;
		n->wants[n->n_wants].property = (enum cypher_property)which;
		e = value(r, &n->wants[n->n_wants].value);
		if (e)
			return e < 0 ? -1 : wrong(r, r->p, "a text, a number or a $parameter is expected");
		n->n_wants++;
	} while (sign(r, ","));
	return need(r, "}", "behind the properties");
}

/* (a:hop {ip: '192.0.2.1'}) */
static int
read_node(struct reader *r, struct cypher_node *n)
{
	char text[CYPHER_NAME_MAX] = "";
	const char *at;

	*n = (struct cypher_node){ .label = CYPHER_ANY };
	if (need(r, "(", "for a node"))
		return -1;
	blanks(r);
	at = r->p;
	if (name(r, text) < 0)
		return -1;
	n->var = variable(r, at, text, 0);
	if (n->var < 0)
		return -1;
	if (sign(r, ":")) {
		blanks(r);
		at = r->p;
		if (word(r, "hop"))
			n->label = CYPHER_HOP;
		else if (word(r, "sensor"))
			n->label = CYPHER_SENSOR;
		else
			return wrong(r, at, "labels are hop and sensor");
	}
	if (sign(r, "{") && read_map(r, n))
		return -1;
	return need(r, ")", "behind a node");
}

static int
read_count(struct reader *r, int *out)
{
	const char *at = r->p;
	long n = 0;

	while (r->p < r->end && isdigit((unsigned char)*r->p) && n <= CYPHER_DEPTH_MAX)
		n = 10 * n + (*r->p++ - '0');
	if (n > CYPHER_DEPTH_MAX)
		return wrong(r, at, "at most %d relations in a row", CYPHER_DEPTH_MAX);
	*out = (int)n;
	return 0;
}

/* *  *3  *1..5  *..5  *2.. */
static int
read_length(struct reader *r, struct cypher_relation *e)
{
	const char *at = r->p;
	int has_min;

	e->min = 1;
	e->max = CYPHER_DEPTH_MAX;
	blanks(r);
	has_min = r->p < r->end && isdigit((unsigned char)*r->p);
	if (has_min && read_count(r, &e->min))
		return -1;
	if (sign(r, "..")) {
		blanks(r);
		if (r->p < r->end && isdigit((unsigned char)*r->p) && read_count(r, &e->max))
			return -1;
	} else if (has_min) {
		e->max = e->min;
	}
	if (e->max < e->min || !e->max)
		return wrong(r, at, "a length such as *1..5 is expected, the greater number last");
	return 0;
}

/* What is in the brackets: [e:next*1..5]; the seed wrote [next*1..5], where next is a variable's name. */
static int
read_inside(struct reader *r, struct cypher_relation *e)
{
	char text[CYPHER_NAME_MAX] = "";
	const char *at;

	blanks(r);
	at = r->p;
	if (name(r, text) < 0)
		return -1;
	/* Twice the same name without a colon is the seed's type, not one relation twice. */
	for (int i = 0; i < r->c->n_vars; i++) {
		if (!strcmp(text, "next") && !strcmp(r->c->vars[i].name, "next"))
			text[0] = 0;
	}
	e->var = variable(r, at, text, 1);
	if (e->var < 0)
		return -1;
	if (sign(r, ":")) {
		blanks(r);
		at = r->p;
		if (!word(r, "next"))
			return wrong(r, at, "the relation is next");
	}
	if (sign(r, "*")) {
		r->c->vars[e->var].many = 1;
		if (read_length(r, e))
			return -1;
	}
	blanks(r);
	if (r->p < r->end && *r->p == '{')
		return wrong(r, r->p, "conditions on a relation go into WHERE");
	return need(r, "]", "behind a relation");
}

/* -[...]->  <-[...]-  -[...]-  -->  <--  -- */
static int
read_relation(struct reader *r, struct cypher_relation *e)
{
	const char *at = r->p;
	int left = sign(r, "<-"), right;

	*e = (struct cypher_relation){ .min = 1, .max = 1 };
	if (!left && need(r, "-", "for a relation"))
		return -1;
	if (sign(r, "[")) {
		if (read_inside(r, e))
			return -1;
	} else {
		e->var = variable(r, r->p, "", 1);
	}
	if (need(r, "-", "behind a relation"))
		return -1;
	right = sign(r, ">");
	if (left && right)
		return wrong(r, at, "a relation has one direction, or none");
	e->direction = left ? CYPHER_IN : right ? CYPHER_OUT : CYPHER_BOTH;
	return 0;
}

static int
read_chain(struct reader *r)
{
	struct cypher *c = r->c;

	if (read_node(r, &c->nodes[c->n_nodes++]))
		return -1;
	for (;;) {
		blanks(r);
		if (r->p == r->end || (*r->p != '-' && *r->p != '<'))
			return 0;
		if (c->n_nodes == CYPHER_NODES_MAX)
			return wrong(r, r->p, "a chain has at most %d nodes", CYPHER_NODES_MAX);
		if (read_relation(r, &c->relations[c->n_nodes - 1]) || read_node(r, &c->nodes[c->n_nodes]))
			return -1;
		c->n_nodes++;
	}
}

/* ---- conditions ---- */

static int
new_expr(struct reader *r, const struct cypher_expr *e)
{
	if (r->c->n_exprs == CYPHER_EXPRS_MAX)
		return wrong(r, r->p, "the condition is too long: %d parts at most", CYPHER_EXPRS_MAX);
	r->c->exprs[r->c->n_exprs] = *e;
	return r->c->n_exprs++;
}

static int
find_variable(struct reader *r, const char *at, const char *wanted)
{
	for (int i = 0; i < r->c->n_vars; i++) {
		if (!strcmp(r->c->vars[i].name, wanted))
			return i;
	}
	return wrong(r, at, "%s is not in the pattern", wanted);
}

/* a.ip; *at_var and *prop (-1: all of it). */
static int
read_reference(struct reader *r, int *var, int *prop)
{
	char text[CYPHER_NAME_MAX];
	const char *at;
	int e;

	blanks(r);
	at = r->p;
	*prop = -1;
	e = name(r, text);
	if (e)
		return e < 0 ? -1 : wrong(r, at, "a variable of the pattern is expected, such as a or a.ip");
	*var = find_variable(r, at, text);
	if (*var < 0)
		return -1;
	if (r->c->vars[*var].many)
		return wrong(r, at, "%s stands for several relations: ask about its ends", text);
	if (!sign(r, "."))
		return 0;
	blanks(r);
	at = r->p;
	e = name(r, text);
	if (e)
		return e < 0 ? -1 : wrong(r, at, "a property is expected behind the dot");
	return property(r, at, text, r->c->vars[*var].is_relation, prop);
}

/* a.ip, or a value: its place. */
static int
read_operand(struct reader *r)
{
	struct cypher_expr e = { .op = CYPHER_LITERAL };
	const char *at;
	int found = value(r, &e.value);

	if (found < 0)
		return -1;
	if (!found)
		return new_expr(r, &e);
	blanks(r);
	at = r->p;
	e.op = CYPHER_PROPERTY;
	if (read_reference(r, &e.a, &e.b))
		return -1;
	if (e.b < 0)
		return wrong(r, at, "a property is expected: compare a.ip, not a");
	return new_expr(r, &e);
}

/* The list behind IN, as an OR of equalities. */
static int
read_list(struct reader *r, int left)
{
	int all = -1;

	if (need(r, "[", "behind IN"))
		return -1;
	do {
		struct cypher_expr literal = { .op = CYPHER_LITERAL }, equal = { .op = CYPHER_EQ, .a = left };
		int found = value(r, &literal.value), one;

		if (found)
			return found < 0 ? -1 : wrong(r, r->p, "a list of texts or numbers is expected behind IN");
		equal.b = new_expr(r, &literal);
		one = equal.b < 0 ? -1 : new_expr(r, &equal);
		if (one >= 0 && all >= 0)
			one = new_expr(r, &(struct cypher_expr){ .op = CYPHER_OR, .a = all, .b = one });
		if (one < 0)
			return -1;
		all = one;
	} while (sign(r, ","));
	return need(r, "]", "behind a list") ? -1 : all;
}

static int
read_comparison(struct reader *r)
{
	static const struct {
		const char *sign;
		enum cypher_op op;
	} signs[] = { { "<>", CYPHER_NE }, { "<=", CYPHER_LE }, { ">=", CYPHER_GE }, { "=", CYPHER_EQ },
		      { "<", CYPHER_LT }, { ">", CYPHER_GT } };
	struct cypher_expr e = { .a = read_operand(r) };
	size_t i;

	if (e.a < 0)
		return -1;
	for (i = 0; i < sizeof signs / sizeof *signs && !sign(r, signs[i].sign); i++)
		continue;
	if (i < sizeof signs / sizeof *signs) {
		e.op = signs[i].op;
	} else if (word(r, "IN")) {
		return read_list(r, e.a);
	} else if (word(r, "IS")) {
		e.op = word(r, "NOT") ? CYPHER_IS_NOT_NULL : CYPHER_IS_NULL;
		return word(r, "NULL") ? new_expr(r, &e) : wrong(r, r->p, "NULL is expected behind IS");
	} else if (word(r, "CONTAINS")) {
		e.op = CYPHER_CONTAINS;
	} else if (word(r, "STARTS") || word(r, "ENDS")) {
		e.op = tolower((unsigned char)r->p[-1]) == 's' && tolower((unsigned char)r->p[-2]) == 't'
			       ? CYPHER_STARTS : CYPHER_ENDS;
		if (!word(r, "WITH"))
			return wrong(r, r->p, "WITH is expected behind STARTS and ENDS");
	} else {
		return wrong(r, r->p, "a comparison is expected: = <> < <= > >=, STARTS WITH, ENDS WITH, CONTAINS, "
				      "IN [...], IS NULL");
	}
	e.b = read_operand(r);
	return e.b < 0 ? -1 : new_expr(r, &e);
}

static int read_or(struct reader *);

static int
read_not(struct reader *r)
{
	struct cypher_expr e = { .op = CYPHER_NOT };
	int result;

	if (r->nest == CYPHER_NEST_MAX)
		return wrong(r, r->p, "conditions are nested too deep: %d at most", CYPHER_NEST_MAX);
	r->nest++;
	if (word(r, "NOT")) {
		e.a = read_not(r);
		result = e.a < 0 ? -1 : new_expr(r, &e);
	} else if (sign(r, "(")) {
		result = read_or(r);
		if (result >= 0 && need(r, ")", "behind a condition"))
			result = -1;
	} else {
		result = read_comparison(r);
	}
	r->nest--;
	return result;
}

/* a AND b AND c, and one level higher the same with OR. */
static int
read_joined(struct reader *r, const char *with, enum cypher_op op, int (*part)(struct reader *))
{
	int all = part(r);

	while (all >= 0 && word(r, with)) {
		int one = part(r);

		all = one < 0 ? -1 : new_expr(r, &(struct cypher_expr){ .op = op, .a = all, .b = one });
	}
	return all;
}

static int
read_and(struct reader *r)
{
	return read_joined(r, "AND", CYPHER_AND, read_not);
}

static int
read_or(struct reader *r)
{
	return read_joined(r, "OR", CYPHER_OR, read_and);
}

/* ---- what is returned ---- */

/* A column is called as it was written: blanks left out. */
static void
name_item(struct cypher *c, struct cypher_item *item)
{
	char what[2 * CYPHER_NAME_MAX + 2] = "*";

	if (item->var >= 0 && item->property >= 0)
		snprintf(what, sizeof what, "%s.%s", c->vars[item->var].name, cypher_properties[item->property]);
	else if (item->var >= 0)
		snprintf(what, sizeof what, "%s", c->vars[item->var].name);
	switch (item->shape) {
	case CYPHER_COUNT_ALL:
	case CYPHER_COUNT_OF:
		snprintf(item->column, sizeof item->column, "count(%s)", what);
		break;
	case CYPHER_COUNT_DISTINCT:
		snprintf(item->column, sizeof item->column, "count(DISTINCT %s)", what);
		break;
	default:
		snprintf(item->column, sizeof item->column, "%s", what);
	}
}

static int
read_item(struct reader *r, struct cypher_item *item)
{
	const char *start;

	blanks(r);
	start = r->p;
	*item = (struct cypher_item){ .shape = CYPHER_WHOLE, .var = -1, .property = -1 };
	if (word(r, "count") && sign(r, "(")) {
		item->shape = CYPHER_COUNT_ALL;
		if (!sign(r, "*")) {
			item->shape = word(r, "DISTINCT") ? CYPHER_COUNT_DISTINCT : CYPHER_COUNT_OF;
			if (read_reference(r, &item->var, &item->property))
				return -1;
		}
		if (need(r, ")", "behind count(..."))
			return -1;
	} else {
		r->p = start;
		if (read_reference(r, &item->var, &item->property))
			return -1;
		if (item->property >= 0)
			item->shape = CYPHER_OF_PROPERTY;
	}
	name_item(r->c, item);
	return 0;
}

static int
has_counts(const struct cypher *c)
{
	for (int i = 0; i < c->n_items; i++) {
		if (c->items[i].shape >= CYPHER_COUNT_ALL)
			return 1;
	}
	return 0;
}

static int
read_items(struct reader *r)
{
	struct cypher *c = r->c;

	c->distinct = word(r, "DISTINCT");
	do {
		struct cypher_item *item = &c->items[c->n_items];
		char text[CYPHER_NAME_MAX];
		const char *at;
		int e;

		if (c->n_items == CYPHER_ITEMS_MAX)
			return wrong(r, r->p, "at most %d columns", CYPHER_ITEMS_MAX);
		blanks(r);
		at = r->p;
		if (read_item(r, item))
			return -1;
		if (word(r, "AS")) {
			e = name(r, text);
			if (e)
				return e < 0 ? -1 : wrong(r, r->p, "a name is expected behind AS");
			snprintf(item->column, sizeof item->column, "%s", text);
		}
		for (int i = 0; i < c->n_items; i++) {
			if (!strcmp(c->items[i].column, item->column))
				return wrong(r, at, "two columns are called %s: name one with AS", item->column);
		}
		c->n_items++;
	} while (sign(r, ","));
	c->n_columns = c->n_items;
	return 0;
}

/* What to sort by: a column by its name or as it was written, or another property. */
static int
read_order_item(struct reader *r)
{
	struct cypher *c = r->c;
	struct cypher_item item;
	char text[CYPHER_NAME_MAX];
	const char *start;

	blanks(r);
	start = r->p;
	if (!name(r, text)) {
		blanks(r);
		for (int i = 0; (r->p == r->end || (*r->p != '.' && *r->p != '(')) && i < c->n_columns; i++) {
			if (!strcmp(c->items[i].column, text))
				return i;
		}
	}
	r->p = start;
	if (read_item(r, &item))
		return -1;
	for (int i = 0; i < c->n_items; i++) {
		if (c->items[i].shape == item.shape && c->items[i].var == item.var &&
		    c->items[i].property == item.property)
			return i;
	}
	if (item.shape >= CYPHER_COUNT_ALL || c->distinct || has_counts(c))
		return wrong(r, start, "%s must be among the columns to sort by it", item.column);
	if (c->n_items == CYPHER_ITEMS_MAX)
		return wrong(r, start, "at most %d columns and things to sort by", CYPHER_ITEMS_MAX);
	c->items[c->n_items] = item;
	return c->n_items++;
}

static int
read_orders(struct reader *r)
{
	struct cypher *c = r->c;

	if (!word(r, "BY"))
		return wrong(r, r->p, "BY is expected behind ORDER");
	do {
		struct cypher_order *o = &c->orders[c->n_orders];
		const char *at;

		blanks(r);
		at = r->p;
		if (c->n_orders == CYPHER_ITEMS_MAX)
			return wrong(r, at, "at most %d things to sort by", CYPHER_ITEMS_MAX);
		o->item = read_order_item(r);
		if (o->item < 0)
			return -1;
		if (c->items[o->item].shape == CYPHER_WHOLE)
			return wrong(r, at, "sort by a property, such as %s.%s", c->vars[c->items[o->item].var].name,
				     c->vars[c->items[o->item].var].is_relation ? "rtt_us" : "ip");
		o->descending = word(r, "DESC") || word(r, "DESCENDING");
		if (!o->descending && !word(r, "ASC"))
			(void)word(r, "ASCENDING");
		c->n_orders++;
	} while (sign(r, ","));
	return 0;
}

static int
read_rows(struct reader *r, const char *what, int64_t *out)
{
	struct cypher_value v = { .type = CYPHER_NULL };
	const char *at;
	int e;

	blanks(r);
	at = r->p;
	e = value(r, &v);
	if (e < 0)
		return -1;
	if (e || v.type != CYPHER_INT || v.i < 0 || v.i > CYPHER_ROWS_MAX)
		return wrong(r, at, "a number of rows from 0 to %d is expected behind %s", CYPHER_ROWS_MAX, what);
	*out = v.i;
	return 0;
}

/* ---- the whole ---- */

static int
read_question(struct reader *r)
{
	struct cypher *c = r->c;

	if (!word(r, "MATCH"))
		return wrong(r, r->p, "questions begin with MATCH; nothing can be changed here");
	if (read_chain(r))
		return -1;
	if (sign(r, ","))
		return wrong(r, r->p - 1, "one chain of nodes is allowed");
	if (word(r, "WHERE")) {
		c->where = read_or(r);
		if (c->where < 0)
			return -1;
	}
	if (!word(r, "RETURN"))
		return wrong(r, r->p, "%s or RETURN is expected", c->where < 0 ? "a relation, WHERE" : "AND, OR");
	if (read_items(r))
		return -1;
	if (word(r, "ORDER") && read_orders(r))
		return -1;
	if (word(r, "SKIP") && read_rows(r, "SKIP", &c->skip))
		return -1;
	if (word(r, "LIMIT") && read_rows(r, "LIMIT", &c->limit))
		return -1;
	(void)sign(r, ";");
	blanks(r);
	if (r->p < r->end)
		return wrong(r, r->p, "this is too much: behind the columns come ORDER BY, SKIP and LIMIT, and the end");
	return 0;
}

int
cypher_parse(struct cypher *c, const char *text, size_t n, const struct cypher_param *params, size_t n_params,
	     struct cypher_error *err)
{
	struct reader r = { .c = c, .text = text, .p = text, .end = text + n, .params = params,
			    .n_params = n_params, .err = err };

	memset(c, 0, sizeof *c);
	c->where = -1;
	c->limit = -1;
	if (n > sizeof c->pool)
		return wrong(&r, text + sizeof c->pool, "a question has at most %zu bytes", sizeof c->pool);
	return read_question(&r);
}

void
cypher_reverse(struct cypher *c)
{
	for (int i = 0, k = c->n_nodes - 1; i < k; i++, k--) {
		struct cypher_node node = c->nodes[i];

		c->nodes[i] = c->nodes[k];
		c->nodes[k] = node;
	}
	for (int i = 0, k = c->n_nodes - 2; i < k; i++, k--) {
		struct cypher_relation relation = c->relations[i];

		c->relations[i] = c->relations[k];
		c->relations[k] = relation;
	}
	for (int i = 0; i < c->n_nodes - 1; i++) {
		if (c->relations[i].direction != CYPHER_BOTH)
			c->relations[i].direction = c->relations[i].direction == CYPHER_OUT ? CYPHER_IN : CYPHER_OUT;
	}
}
