/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * blocks.c - terms of a block gathered in a hash table, and written as a sorted list.
 */
#include "blocks.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 8192 /* a power of two; together they stay in the cache of a core */

const char blocks_schema[] = "CREATE TABLE IF NOT EXISTS block (block INTEGER PRIMARY KEY, first_us INTEGER NOT NULL,"
			     "  last_us INTEGER NOT NULL, rtt_max INTEGER, terms BLOB NOT NULL);";
const char blocks_select[] = "SELECT first_us, last_us, rtt_max, terms FROM block WHERE block = ?1";

/* FNV-1a: who makes terms collide makes a question slower, no more.  Never 0. */
uint32_t
blocks_term(char kind, const void *bytes, size_t n)
{
	const uint8_t *p = bytes;
	uint32_t h = (2166136261u ^ (uint8_t)kind) * 16777619u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * 16777619u;
	return h ? h : 1;
}

uint32_t
blocks_term_port(uint16_t port)
{
	uint8_t bytes[2] = { (uint8_t)port, (uint8_t)(port >> 8) };

	return blocks_term(BLOCKS_PORT, bytes, sizeof bytes);
}

static uint32_t
term_at(const struct block *b, size_t i)
{
	uint32_t term;

	memcpy(&term, b->terms + 4 * i, 4);
	return le32toh(term);
}

int
blocks_has(const struct block *b, uint32_t term)
{
	size_t low = 0, high = b->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		uint32_t have = term_at(b, mid);

		if (have == term)
			return 1;
		if (have < term)
			low = mid + 1;
		else
			high = mid;
	}
	return 0;
}

void
blocks_get(struct block *b, sqlite3_stmt *stmt)
{
	*b = (struct block){ .first_us = sqlite3_column_int64(stmt, 0), .last_us = sqlite3_column_int64(stmt, 1),
			     .rtt_max_us = sqlite3_column_type(stmt, 2) == SQLITE_NULL ? -1 : sqlite3_column_int64(stmt, 2) };
	b->terms = sqlite3_column_blob(stmt, 3);
	b->n = b->terms ? (size_t)sqlite3_column_bytes(stmt, 3) / 4 : 0;
}

/* ---- writing ---- */

void
blocks_free(struct blocks *b)
{
	free(b->slots);
	*b = (struct blocks){ .slots = NULL };
}

void
blocks_empty(struct blocks *b)
{
	b->whole = 1;
	b->at = -1;
}

void
blocks_forget(struct blocks *b)
{
	b->whole = 0;
}

static int
by_value(const void *x, const void *y)
{
	uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;

	return a < b ? -1 : a > b;
}

/* Leaves the table empty. */
static int
write_block(struct blocks *b, sqlite3 *db)
{
	sqlite3_stmt *stmt = NULL;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < SLOTS; i++) {
		if (b->slots[i])
			b->slots[n++] = b->slots[i];
	}
	qsort(b->slots, n, sizeof *b->slots, by_value);
	for (size_t i = 0; i < n; i++)
		b->slots[i] = htole32(b->slots[i]);
	r = sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO block VALUES (?1, ?2, ?3, ?4, ?5)", -1, &stmt, NULL);
	if (!r) {
		sqlite3_bind_int64(stmt, 1, b->at);
		sqlite3_bind_int64(stmt, 2, b->first_us);
		sqlite3_bind_int64(stmt, 3, b->last_us);
		if (b->rtt_max_us >= 0)
			sqlite3_bind_int64(stmt, 4, b->rtt_max_us);
		sqlite3_bind_blob(stmt, 5, b->slots, (int)(n * sizeof *b->slots), SQLITE_STATIC);
		r = sqlite3_step(stmt);
		r = r == SQLITE_DONE ? SQLITE_OK : r;
	}
	sqlite3_finalize(stmt);
	return r;
}

static void
add_term(struct blocks *b, uint32_t term)
{
	size_t i = term % SLOTS;

	while (b->slots[i] && b->slots[i] != term)
		i = (i + 1) % SLOTS;
	if (b->slots[i])
		return;
	if (b->n == BLOCKS_TERMS_MAX) {
		b->whole = 0;
		return;
	}
	b->slots[i] = term;
	b->n++;
}

static void
add_ip(struct blocks *b, const char *ip)
{
	if (ip[0])
		add_term(b, blocks_term(BLOCKS_IP, ip, strlen(ip)));
}

static void
add_terms(struct blocks *b, const struct report *rep)
{
	uint8_t type = (uint8_t)rep->type;

	add_term(b, blocks_term(BLOCKS_TYPE, &type, 1));
	add_term(b, blocks_term(BLOCKS_SENSOR, rep->sensor, strlen(rep->sensor)));
	add_ip(b, rep->src_ip);
	add_ip(b, rep->dst_ip);
	if (rep->dst_port >= 0)
		add_term(b, blocks_term_port((uint16_t)rep->dst_port));
	for (unsigned i = 0; i < rep->n_ports; i++)
		add_term(b, blocks_term_port(rep->ports[i]));
	for (unsigned i = 0; rep->trace && i < rep->trace->n_hops; i++)
		add_ip(b, rep->trace->hop[i].ip);
}

int
blocks_add(struct blocks *b, sqlite3 *db, const struct report *rep, int64_t id, int64_t at_us)
{
	int64_t at = id / BLOCKS_IDS;
	int r = 0;

	if (b->at == at && !b->whole)
		return 0;
	if (!b->slots)
		b->slots = calloc(SLOTS, sizeof *b->slots);
	if (!b->slots)
		return SQLITE_NOMEM;
	if (b->at != at) {
		if (b->whole && b->n)
			r = write_block(b, db);
		memset(b->slots, 0, SLOTS * sizeof *b->slots);
		/* Without having seen all since the block before, others of its numbers may be in this file. */
		b->whole |= id % BLOCKS_IDS == 0;
		b->n = 0;
		b->at = at;
		b->first_us = INT64_MAX;
		b->last_us = b->rtt_max_us = -1;
	}
	if (!b->whole || r)
		return r;
	add_terms(b, rep);
	b->first_us = at_us < b->first_us ? at_us : b->first_us;
	b->last_us = at_us > b->last_us ? at_us : b->last_us;
	b->rtt_max_us = rep->rtt_us > b->rtt_max_us ? rep->rtt_us : b->rtt_max_us;
	return 0;
}
