/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * filtersql.h - a filter as a condition of SQL over a table of the days, and what it is bound with.  Nothing that
 * a person wrote becomes SQL: fields are of filter.c's table, values are parameters.
 */
#ifndef FILTERSQL_H
#define FILTERSQL_H

#include <sqlite3.h>
#include <stddef.h>

#include "filter.h"

#define FILTERSQL_MAX 32768

/* What is known of an address: "cc", "asn", "as_org", "city" as the result; nothing when it is unknown. */
typedef void filtersql_known(void *arg, const char *ip, const char *what, sqlite3_context *);

struct filtersql {
	char where[FILTERSQL_MAX]; /* a condition; "1": all of the table */
	size_t n;
	int first;                 /* parameter ?first is bound to the first of `bind` */
	unsigned n_binds;
	struct {
		enum { FILTERSQL_INT, FILTERSQL_TEXT, FILTERSQL_NET, FILTERSQL_KNOWN } kind;
		const struct filter_value *v;
	} bind[2 * FILTER_VALUES_MAX];
};

/* 1; 0: no row of the table can match; -E2BIG.  Lends from the filter. */
int filtersql_make(struct filtersql *, const struct filter *, enum filter_table, int first);

/* For filtersql_bind(); stays as long as the statement is used. */
struct filtersql_arg {
	filtersql_known *known;
	void *arg;
};

/* An SQLite code. */
int filtersql_bind(const struct filtersql *, sqlite3_stmt *, struct filtersql_arg *);
/* Before the statement is prepared: the functions that it calls.  An SQLite code. */
int filtersql_functions(sqlite3 *);

#endif
