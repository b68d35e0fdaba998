/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The filter language of /api/explore: any text is refused with its place, or becomes SQL that SQLite takes for each
 * table, with as many parameters as are bound, made of our words alone; and the first line of it as stored JSON.
 */
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collector/field.h"
#include "collector/filter.h"
#include "collector/filtersql.h"

static const char tables[] =
	"CREATE TABLE conn (id INTEGER PRIMARY KEY, sensor TEXT, seq INTEGER, at_us INTEGER, src_ip TEXT, dst_ip TEXT,"
	"  dst_port INTEGER, state INTEGER, json TEXT);"
	"CREATE TABLE attempt (id INTEGER PRIMARY KEY, sensor TEXT, seq INTEGER, at_us INTEGER, src_ip TEXT, dst_ip TEXT,"
	"  count INTEGER, verdict INTEGER, kind INTEGER, ports BLOB, dst_ports_n INTEGER, dst_ips_n INTEGER, json TEXT);"
	"CREATE TABLE other (id INTEGER PRIMARY KEY, sensor TEXT, seq INTEGER, at_us INTEGER, json TEXT);"
	"INSERT INTO conn VALUES (1, 'gw', 1, 1, '10.0.0.1', '192.0.2.1', 443, 0, '{\"rtt_us\":5,\"host\":\"a\\\"b\"}');"
	"INSERT INTO attempt VALUES (1, 'gw', 1, 1, '10.0.0.1', NULL, 1, 1, NULL, x'1600', NULL, NULL, '{}');"
	"INSERT INTO other VALUES (1, 'gw', 1, 1, '{\"hops\":[{\"ttl\":1,\"ip\":\"10.0.0.9\"}]}')";
static const char *const names[] = { "conn", "attempt", "other" };

static sqlite3 *db;

static void
check(int ok)
{
	if (!ok)
		abort();
}

static void
run(const struct filtersql *sql, const char *table)
{
	char text[FILTERSQL_MAX + 100];
	struct filtersql_arg arg = { NULL, NULL };
	sqlite3_stmt *stmt = NULL;
	int r;

	check(strlen(sql->where) == sql->n);
	snprintf(text, sizeof text, "SELECT id FROM %s WHERE %s", table, sql->where);
	r = sqlite3_prepare_v2(db, text, -1, &stmt, NULL);
	check(r == SQLITE_OK);
	check((unsigned)sqlite3_bind_parameter_count(stmt) == sql->n_binds);
	check(filtersql_bind(sql, stmt, &arg) == SQLITE_OK);
	while ((r = sqlite3_step(stmt)) == SQLITE_ROW)
		;
	check(r == SQLITE_DONE);
	sqlite3_finalize(stmt);
}

static void
walk(const char *json, size_t n)
{
	struct field f = field_find(json, n, "hops"), e;
	const char *at = NULL;
	char text[64];

	check(!f.kind || (f.s >= json && f.s + f.n <= json + n));
	while (field_next(&f, &at, &e))
		check(e.s >= json && e.s + e.n <= json + n);
	f = field_find(json, n, "host");
	check(field_text(&f, text, sizeof text) <= sizeof text);
	field_int(&f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct filter filter;
	static struct filtersql sql;
	struct filter_error error;

	if (!db) {
		check(!sqlite3_open(":memory:", &db) && !sqlite3_exec(db, tables, NULL, NULL, NULL));
		check(!filtersql_functions(db));
	}
	if (size && data[0] == '{') {
		walk((const char *)data, size);
		return 0;
	}
	if (filter_parse(&filter, (const char *)data, size, &error)) {
		check(error.at <= size && error.why[0]);
		for (size_t i = 0; error.why[i]; i++)
			check(error.why[i] >= ' ' && error.why[i] < 0x7f);
		for (size_t i = 0; i < error.n_expected; i++)
			check(error.expected[i].n > 0);
		return 0;
	}
	check(filter.text_n <= sizeof filter.text);
	filter_may(&filter, &(struct block){ .rtt_max_us = -1 });
	for (int t = 0; t < FILTER_TABLES; t++) {
		if (filtersql_make(&sql, &filter, (enum filter_table)t, 1) == 1)
			run(&sql, names[t]);
	}
	return 0;
}
