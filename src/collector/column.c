/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * column.c - numbers and histograms as columns.
 */
#include "column.h"

#include "few.h"

void
column_bind_text(sqlite3_stmt *stmt, int i, const char *text)
{
	sqlite3_bind_text(stmt, i, text, -1, SQLITE_STATIC);
}

void
column_bind_known(sqlite3_stmt *stmt, int i, int64_t v)
{
	if (v < 0)
		sqlite3_bind_null(stmt, i);
	else
		sqlite3_bind_int64(stmt, i, v);
}

void
column_bind_rtt(sqlite3_stmt *stmt, int i, int blob, const struct rtt *r, uint8_t packed[RTT_PACKED])
{
	if (!r->n) {
		sqlite3_bind_null(stmt, i);
		sqlite3_bind_null(stmt, i + 1);
		sqlite3_bind_null(stmt, blob);
		return;
	}
	sqlite3_bind_int64(stmt, i, (int64_t)r->min_us);
	sqlite3_bind_int64(stmt, i + 1, (int64_t)r->max_us);
	sqlite3_bind_blob(stmt, blob, packed, (int)rtt_pack(r, packed), SQLITE_STATIC);
}

void
column_add_rtt(struct rtt *r, sqlite3_stmt *stmt, int i, int blob)
{
	struct rtt have = { 0 };

	rtt_unpack(&have, sqlite3_column_blob(stmt, blob), (size_t)sqlite3_column_bytes(stmt, blob));
	have.min_us = (uint64_t)sqlite3_column_int64(stmt, i);
	have.max_us = (uint64_t)sqlite3_column_int64(stmt, i + 1);
	rtt_merge(r, &have);
}

/* ---- SQL ---- */

static void
add_hist(struct rtt *r, sqlite3_value *v)
{
	rtt_unpack(r, sqlite3_value_blob(v), (size_t)sqlite3_value_bytes(v));
}

static void
give_hist(sqlite3_context *c, const struct rtt *r)
{
	uint8_t packed[RTT_PACKED];

	if (r && r->n)
		sqlite3_result_blob(c, packed, (int)rtt_pack(r, packed), SQLITE_TRANSIENT);
}

static void
rtt_sum_step(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct rtt *r = sqlite3_aggregate_context(c, sizeof *r);

	(void)n;
	if (r)
		add_hist(r, v[0]);
}

static void
rtt_sum_final(sqlite3_context *c)
{
	give_hist(c, sqlite3_aggregate_context(c, 0));
}

static void
rtt_plus(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct rtt r = { 0 };

	for (int i = 0; i < n; i++)
		add_hist(&r, v[i]);
	give_hist(c, &r);
}

static void
add_few(struct few *f, sqlite3_value *v)
{
	few_unpack(f, sqlite3_value_blob(v), (size_t)sqlite3_value_bytes(v));
}

static void
give_few(sqlite3_context *c, const struct few *f)
{
	uint8_t packed[FEW_PACKED];

	if (f && f->n)
		sqlite3_result_blob(c, packed, (int)few_pack(f, packed), SQLITE_TRANSIENT);
}

static void
few_sum_step(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct few *f = sqlite3_aggregate_context(c, sizeof *f);

	(void)n;
	if (f)
		add_few(f, v[0]);
}

static void
few_sum_final(sqlite3_context *c)
{
	give_few(c, sqlite3_aggregate_context(c, 0));
}

static void
few_plus(sqlite3_context *c, int n, sqlite3_value **v)
{
	struct few f = { 0 };

	for (int i = 0; i < n; i++)
		add_few(&f, v[i]);
	give_few(c, &f);
}

static void
few_ports(sqlite3_context *c, int n, sqlite3_value **v)
{
	const uint8_t *list = sqlite3_value_blob(v[0]);
	unsigned ports = (unsigned)sqlite3_value_bytes(v[0]) / 2;
	struct few f = { 0 };

	(void)n;
	for (unsigned i = 0; i < ports; i++)
		few_add(&f, column_port(list, i));
	give_few(c, &f);
}

static void
few_of(sqlite3_context *c, int n, sqlite3_value **v)
{
	const char *text = (const char *)sqlite3_value_text(v[0]);
	struct few f = { 0 };

	(void)n;
	if (text)
		few_add(&f, few_hash(text));
	give_few(c, &f);
}

int
column_functions(sqlite3 *db)
{
	const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC;
	int r = sqlite3_create_function(db, "rtt_sum", 1, flags, NULL, NULL, rtt_sum_step, rtt_sum_final);

	if (!r)
		r = sqlite3_create_function(db, "rtt_plus", 2, flags, NULL, rtt_plus, NULL, NULL);
	if (!r)
		r = sqlite3_create_function(db, "few_sum", 1, flags, NULL, NULL, few_sum_step, few_sum_final);
	if (!r)
		r = sqlite3_create_function(db, "few_plus", 2, flags, NULL, few_plus, NULL, NULL);
	if (!r)
		r = sqlite3_create_function(db, "few_ports", 1, flags, NULL, few_ports, NULL, NULL);
	return r ? r : sqlite3_create_function(db, "few_of", 1, flags, NULL, few_of, NULL, NULL);
}
