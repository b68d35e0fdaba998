/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filter.h - what a person asks for, such as
 *
 *	dst = 192.0.2.0/24 and rtt > 80ms and (state in (refused, timeout) or not port = 443) and sensor ~ branch*
 *
 * as a checked tree.  Pure: no database.  filtersql.c makes SQL of the tree; explore.c asks it which blocks
 * need not be looked at.
 */
#ifndef FILTER_H
#define FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "blocks.h"
#include "lib/addr.h"

#define FILTER_TEXT_MAX 2048
#define FILTER_NODES_MAX 128
#define FILTER_VALUES_MAX 256
#define FILTER_DEPTH_MAX 32 /* of ( and not */
#define FILTER_EXPECTED_MAX 80

/* The reports that are searched: tables of the days. */
enum filter_table { FILTER_CONN, FILTER_ATTEMPT, FILTER_TRACE, FILTER_TABLES };

enum filter_type {
	FILTER_NUMBER,
	FILTER_DURATION, /* of microseconds; written with a unit */
	FILTER_TIME,
	FILTER_ADDRESS,
	FILTER_PORT,     /* an attempt has many */
	FILTER_HOP,      /* the addresses of a trace */
	FILTER_WORD,     /* one of `words`, kept as text */
	FILTER_PLACE,    /* the same, kept as its place among them */
	FILTER_KIND,     /* `type` itself */
	FILTER_TEXT,
	FILTER_YES,      /* true or false */
};

struct filter_field {
	const char *name;     /* as the schema has it */
	const char *also[3];
	enum filter_type type;
	const char *words;    /* "a|b|c" */
	const char *help;
	/* SQL of its value in each table, "@" for what knows about addresses; NULL: no report there has it.  What
	 * costs to get it begins with a function. */
	const char *sql[FILTER_TABLES];
	char term;            /* of blocks.h; 0: none */
};

extern const struct filter_field filter_fields[];
extern const size_t filter_fields_n;
/* "number", "duration", ... */
const char *filter_type_name(enum filter_type);
/* The operators that a field takes, in their order below, as a bit each. */
unsigned filter_ops(enum filter_type);

enum filter_op {
	FILTER_EQ, FILTER_NE, FILTER_LT, FILTER_LE, FILTER_GT, FILTER_GE, FILTER_LIKE, FILTER_UNLIKE, FILTER_IN,
	FILTER_NOT_IN, FILTER_HAS, FILTER_OPS,
};
extern const char *const filter_op_names[FILTER_OPS];

struct filter_value {
	int64_t number;         /* NUMBER, DURATION, TIME, PORT, PLACE, KIND, YES */
	const char *text;       /* the rest, and addresses as RFC 5952 has them; NUL behind it */
	size_t n;
	struct addr_prefix net; /* ADDRESS and HOP, but with ~ */
	int single;             /* it is one address */
	uint32_t term;          /* when the field has some; not of a network */
	/* Of what is known of addresses: those that have it, as terms, when they are few.  explore.c asks the table of
	 * addresses. */
	const uint32_t *of;
	unsigned n_of;
	int few;
};

enum filter_kind { FILTER_AND, FILTER_OR, FILTER_NOT, FILTER_TEST };

struct filter_node {
	enum filter_kind kind;
	enum filter_op op;
	unsigned a, b;       /* nodes; of a test: its first value, and how many */
	const struct filter_field *field;
};

struct filter {
	unsigned n_nodes, n_values;
	int root;            /* -1: everything */
	struct filter_node node[FILTER_NODES_MAX];
	struct filter_value value[FILTER_VALUES_MAX];
	size_t text_n;
	char text[2 * FILTER_TEXT_MAX + FILTER_VALUES_MAX * ADDR_TEXT];
};

struct filter_word {
	const char *s;
	size_t n;
};

/* What is wrong with a text, where (bytes from its start), and what could stand there instead. */
struct filter_error {
	size_t at;
	char why[240];
	struct filter_word expected[FILTER_EXPECTED_MAX];
	size_t n_expected;
};

/* 0 or -EINVAL.  The text need not stay. */
int filter_parse(struct filter *, const char *text, size_t n, struct filter_error *);

/* "cc", "asn", "as_org", "city" when the field is one that the table of addresses knows, or NULL. */
const char *filter_known(const struct filter_field *);

/* Whether a report of the block may match. */
int filter_may(const struct filter *, const struct block *);

/* Whether text is what the pattern says: * any bytes, ? one character; letters A to Z are as a to z. */
int filter_like(const char *pattern, size_t pattern_n, const char *text, size_t n);

#endif
