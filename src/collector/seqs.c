/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * seqs.c - the set of stored sequence numbers.  Reports of a batch follow one another, so one
 * interval is kept in hand and grown; the table is touched once a batch.
 */
#include "seqs.h"

#include <stddef.h>

int
seqs_open(struct seqs *s, sqlite3 *db)
{
	const struct {
		sqlite3_stmt **stmt;
		const char *sql;
	} list[] = {
		{ &s->below, "SELECT first, last FROM seqs WHERE run = ?1 AND first <= ?2 "
			     "ORDER BY first DESC LIMIT 1" },
		{ &s->above, "SELECT first, last FROM seqs WHERE run = ?1 AND first > ?2 "
			     "ORDER BY first LIMIT 1" },
		{ &s->put, "INSERT OR REPLACE INTO seqs (run, first, last) VALUES (?1, ?2, ?3)" },
		{ &s->del, "DELETE FROM seqs WHERE run = ?1 AND first = ?2" },
		{ &s->nth, "SELECT first, last FROM seqs WHERE run = ?1 ORDER BY first LIMIT 1 OFFSET ?2" },
		{ &s->del_below, "DELETE FROM seqs WHERE run = ?1 AND first <= ?2" },
		{ &s->count, "SELECT count(*) FROM seqs WHERE run = ?1" },
		{ &s->sum, "SELECT coalesce(sum(last - max(first, ?2) + 1), 0) FROM seqs "
			   "WHERE run = ?1 AND last >= ?2" },
	};
	int r = SQLITE_OK;

	*s = (struct seqs){ .db = db, .max = SEQS_INTERVALS_MAX };
	for (size_t i = 0; i < sizeof list / sizeof *list && !r; i++)
		r = sqlite3_prepare_v3(db, list[i].sql, -1, SQLITE_PREPARE_PERSISTENT,
				       list[i].stmt, NULL);
	return r;
}

void
seqs_close(struct seqs *s)
{
	sqlite3_stmt *const list[] = { s->below, s->above, s->put, s->del, s->nth, s->del_below,
				       s->count, s->sum };

	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		sqlite3_finalize(list[i]);
	*s = (struct seqs){ .db = NULL };
}

/* Binds run and up to two numbers.  Runs a statement: 1 and its (at most two) columns, 0 when it
 * gave no row, -(SQLite code). */
static int
run_stmt(sqlite3_stmt *stmt, int64_t run, int64_t a, int64_t b, int64_t *one, int64_t *two)
{
	int n = sqlite3_bind_parameter_count(stmt), r;

	sqlite3_bind_int64(stmt, 1, run);
	if (n > 1)
		sqlite3_bind_int64(stmt, 2, a);
	if (n > 2)
		sqlite3_bind_int64(stmt, 3, b);
	r = sqlite3_step(stmt);
	if (r == SQLITE_ROW) {
		if (one)
			*one = sqlite3_column_int64(stmt, 0);
		if (two)
			*two = sqlite3_column_int64(stmt, 1);
	}
	sqlite3_reset(stmt);
	return r == SQLITE_ROW ? 1 : r == SQLITE_DONE ? 0 : -r;
}

static int
write_interval(struct seqs *s)
{
	int r;

	if (!s->dirty)
		return 0;
	if (s->first_in_table >= 0 && s->first_in_table != s->first) {
		r = run_stmt(s->del, s->run, s->first_in_table, 0, NULL, NULL);
		if (r < 0)
			return r;
	}
	r = run_stmt(s->put, s->run, s->first, s->last, NULL, NULL);
	if (r < 0)
		return r;
	s->first_in_table = s->first;
	s->dirty = 0;
	return 0;
}

/* The interval in hand reached the next one: both become one. */
static int
join_next(struct seqs *s)
{
	int64_t first = 0, last = 0;
	int r = run_stmt(s->above, s->run, s->last, 0, &first, &last);

	if (r == 1)
		r = run_stmt(s->del, s->run, first, 0, NULL, NULL);
	if (r < 0)
		return r;
	s->last = last;
	s->next = INT64_MAX;
	r = run_stmt(s->above, s->run, last, 0, &s->next, NULL);
	return r < 0 ? r : 0;
}

static int
add(struct seqs *s, int64_t run, int64_t seq)
{
	int64_t low_first = 0, low_last = 0, high_first = INT64_MAX, high_last = 0;
	int low, high, r;

	if (s->run != run || seq < s->first || seq > s->last + 1 || s->next == seq) {
		r = write_interval(s);
		if (r < 0)
			return r;
		s->run = 0;
		low = run_stmt(s->below, run, seq, 0, &low_first, &low_last);
		high = run_stmt(s->above, run, seq, 0, &high_first, &high_last);
		if (low < 0 || high < 0)
			return low < 0 ? low : high;
		s->run = run;
		s->next = high_first;
		if (low && seq <= low_last + 1) {
			s->first = s->first_in_table = low_first;
			s->last = low_last;
		} else {
			s->first = seq;
			s->last = seq - 1; /* empty until the number is added below */
			s->first_in_table = -1;
			s->grown++;
		}
	}
	if (seq <= s->last)
		return 0;
	s->last = seq;
	s->dirty = 1;
	if (s->next == seq + 1) {
		r = join_next(s);
		if (r < 0)
			return r;
	}
	return 1;
}

int
seqs_add(struct seqs *s, int64_t run, int64_t seq)
{
	int r = add(s, run, seq);

	if (r < 0)
		seqs_forget(s);
	return r;
}

static int
fold(struct seqs *s, int64_t *forgotten)
{
	int64_t n = 0, first = 0, last_first = 0, last = 0, covered = 0, all = 0;
	int r;

	r = run_stmt(s->count, s->run, 0, 0, &n, NULL);
	if (r < 0 || n <= s->max)
		return r < 0 ? r : 0;
	/* All up to the one after which exactly the allowed number is left. */
	r = run_stmt(s->nth, s->run, 0, 0, &first, NULL);
	if (r == 1)
		r = run_stmt(s->nth, s->run, n - s->max, 0, &last_first, &last);
	if (r == 1)
		r = run_stmt(s->sum, s->run, first, 0, &all, NULL);
	if (r == 1)
		r = run_stmt(s->sum, s->run, last + 1, 0, &covered, NULL);
	if (r != 1)
		return r < 0 ? r : -SQLITE_CORRUPT;
	r = run_stmt(s->del_below, s->run, last_first, 0, NULL, NULL);
	if (r < 0)
		return r;
	*forgotten += last - first + 1 - (all - covered);
	r = run_stmt(s->put, s->run, first, last, NULL, NULL);
	return r < 0 ? r : 0;
}

int
seqs_flush(struct seqs *s, int64_t *forgotten)
{
	int r;

	*forgotten = 0;
	if (!s->run)
		return 0;
	r = write_interval(s);
	if (!r && s->grown) {
		r = fold(s, forgotten);
		s->grown = 0;
	}
	s->run = 0;
	if (r < 0)
		seqs_forget(s);
	return r;
}

void
seqs_forget(struct seqs *s)
{
	s->run = 0;
	s->dirty = 0;
	s->grown = 0;
}

int64_t
seqs_stored(struct seqs *s, int64_t run, int64_t first)
{
	int64_t n = 0;
	int r = run_stmt(s->sum, run, first, 0, &n, NULL);

	return r < 0 ? r : n;
}
