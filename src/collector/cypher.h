/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cypher.h - reads a question about the graph: the part of Cypher that graphdb.c answers.  Pure: text in, a
 * struct out, no allocation.
 *
 *   MATCH (a:hop {ip: $ip})-[e:next*1..5]->(b)-...  [WHERE condition]
 *   RETURN [DISTINCT] a, b.ip, e.rtt_us, count(*) [AS name], ... [ORDER BY ... [DESC], ...] [SKIP n] [LIMIT n]
 *
 * One chain of nodes, relations in any direction, of fixed or variable length; conditions with = <> < <= > >=,
 * STARTS WITH, ENDS WITH, CONTAINS, IN, IS NULL, AND, OR, NOT.
 */
#ifndef CYPHER_H
#define CYPHER_H

#include <stddef.h>
#include <stdint.h>

#define CYPHER_TEXT_MAX 8192   /* of a question */
#define CYPHER_NODES_MAX 6     /* of the chain */
#define CYPHER_DEPTH_MAX 64    /* of a relation of variable length; what traces reach at most */
#define CYPHER_NAME_MAX 32
#define CYPHER_VARS_MAX 11     /* nodes and relations */
#define CYPHER_ITEMS_MAX 16    /* of RETURN, and what ORDER BY adds */
#define CYPHER_EXPRS_MAX 128
#define CYPHER_NEST_MAX 24
#define CYPHER_PARAMS_MAX 32
#define CYPHER_ROWS_MAX 10000  /* SKIP and LIMIT */

enum cypher_type { CYPHER_NULL, CYPHER_BOOL, CYPHER_INT, CYPHER_FLOAT, CYPHER_TEXT };

struct cypher_value {
	enum cypher_type type;
	int64_t i;        /* BOOL, INT */
	double f;
	const char *s;    /* TEXT: in cypher.pool, or a parameter's */
	size_t n;
};

struct cypher_param {
	char name[CYPHER_NAME_MAX];
	struct cypher_value value;
};

/* What (:hop), (:sensor) and [:next] have; docs/API.md. */
enum cypher_property {
	CYPHER_IP, CYPHER_NAME, CYPHER_FIRST_SEEN, CYPHER_LAST_SEEN, CYPHER_RTT_US, CYPHER_COUNT, CYPHER_GAP,
	CYPHER_PROPERTIES,
};
enum cypher_label { CYPHER_ANY, CYPHER_HOP, CYPHER_SENSOR };
enum cypher_direction { CYPHER_OUT, CYPHER_IN, CYPHER_BOTH };

extern const char *const cypher_properties[CYPHER_PROPERTIES];

struct cypher_var {
	char name[CYPHER_NAME_MAX]; /* "": has none */
	int is_relation;
	int many;                   /* of variable length: cannot be returned */
};

struct cypher_node {
	int var;
	enum cypher_label label;
	int n_wants;
	struct {
		enum cypher_property property;
		struct cypher_value value;
	} wants[CYPHER_PROPERTIES]; /* {ip: '...'} */
};

struct cypher_relation {
	int var;
	enum cypher_direction direction;
	int min, max;      /* 1, 1 */
};

enum cypher_op {
	CYPHER_OR, CYPHER_AND, CYPHER_NOT, CYPHER_EQ, CYPHER_NE, CYPHER_LT, CYPHER_LE, CYPHER_GT, CYPHER_GE,
	CYPHER_STARTS, CYPHER_ENDS, CYPHER_CONTAINS, CYPHER_IS_NULL, CYPHER_IS_NOT_NULL,
	CYPHER_PROPERTY, CYPHER_LITERAL,
};

struct cypher_expr {
	enum cypher_op op;
	int a, b;             /* operands: places in exprs; of PROPERTY: var and enum cypher_property */
	struct cypher_value value;
};

enum cypher_shape { CYPHER_WHOLE, CYPHER_OF_PROPERTY, CYPHER_COUNT_ALL, CYPHER_COUNT_OF, CYPHER_COUNT_DISTINCT };

struct cypher_item {
	enum cypher_shape shape;
	int var;              /* -1: count(*) */
	int property;         /* -1: the whole of it */
	char column[2 * CYPHER_NAME_MAX + 24];
};

struct cypher_order {
	int item, descending;
};

struct cypher {
	int n_nodes;                 /* relations: one less */
	struct cypher_node nodes[CYPHER_NODES_MAX];
	struct cypher_relation relations[CYPHER_NODES_MAX - 1];
	int n_vars;
	struct cypher_var vars[CYPHER_VARS_MAX];
	int where;                   /* place in exprs, or -1 */
	int n_exprs;
	struct cypher_expr exprs[CYPHER_EXPRS_MAX];
	int distinct;
	int n_columns, n_items;      /* items behind the columns are for ORDER BY alone */
	struct cypher_item items[CYPHER_ITEMS_MAX];
	int n_orders;
	struct cypher_order orders[CYPHER_ITEMS_MAX];
	int64_t skip, limit;         /* limit -1: none was asked for */
	size_t pool_n;
	char pool[CYPHER_TEXT_MAX];  /* texts of literals */
};

struct cypher_error {
	size_t at;                   /* byte of the question */
	char why[240];
};

/* 0, or -1 and *err.  The parameters' texts must live as long as the result. */
int cypher_parse(struct cypher *, const char *text, size_t n, const struct cypher_param *, size_t n_params,
		 struct cypher_error *err);

/* The same chain from its other end. */
void cypher_reverse(struct cypher *);

#endif
