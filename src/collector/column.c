/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * column.c - numbers and histograms as columns.
 */
#include "column.h"

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
