/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * question.c - SELECTs with a time limit.
 */
#include "question.h"

#include <errno.h>

#include "dbfile.h"
#include "lib/log.h"
#include "lib/loop.h"

static int
too_late(void *arg)
{
	const struct question *q = arg;

	return clock_mono_us() > q->until_us;
}

static int
ask(struct question *q, const char *sql)
{
	q->until_us = clock_mono_us() + QUESTION_US;
	if (!q->code)
		q->code = sqlite3_prepare_v2(q->db, sql, -1, &q->stmt, NULL);
	if (q->db)
		sqlite3_progress_handler(q->db, 10000, too_late, q);
	return q->code;
}

int
question_open(struct question *q, struct store *s, const char *sql)
{
	*q = (struct question){ .store = s, .db = store_db(s) };
	return ask(q, sql);
}

int
question_open_day(struct question *q, struct store *s, size_t day, const char *sql)
{
	*q = (struct question){ .store = s };
	q->db = days_db(store_days(s), day, &q->code);
	return ask(q, sql);
}

int
question_next(struct question *q)
{
	if (q->code && q->code != SQLITE_ROW)
		return 0;
	q->code = sqlite3_step(q->stmt);
	return q->code == SQLITE_ROW;
}

void
question_again(struct question *q)
{
	sqlite3_reset(q->stmt);
	if (q->code == SQLITE_ROW || q->code == SQLITE_DONE)
		q->code = 0;
}

int
question_close(struct question *q)
{
	int r = dbfile_error(q->db, q->code);

	if (r)
		log_debug("query: %s", q->db ? sqlite3_errmsg(q->db) : sqlite3_errstr(q->code));
	if (r == -EUCLEAN)
		store_blame(q->store, q->db);
	sqlite3_finalize(q->stmt);
	if (q->db)
		sqlite3_progress_handler(q->db, 0, NULL, NULL);
	return r;
}

int64_t
question_sensor(struct store *s, const char *name)
{
	int64_t id = INT64_MAX;
	struct question q;

	if (!name || !*name)
		return -1;
	question_open(&q, s, "SELECT id FROM sensor WHERE name = ?1");
	sqlite3_bind_text(q.stmt, 1, name, -1, SQLITE_STATIC);
	if (question_next(&q))
		id = sqlite3_column_int64(q.stmt, 0);
	question_close(&q);
	return id;
}

void
question_word(struct json *j, const char *name, const char *words, int64_t i)
{
	size_t n = 0;
	const char *word = report_word(words, i, &n);

	if (word)
		json_raw_str(j, name, word, n);
}

void
question_known(struct json *j, const char *name, int64_t v)
{
	if (v >= 0)
		json_int(j, name, v);
}

void
question_text(struct json *j, const char *name, sqlite3_stmt *stmt, int i)
{
	const char *text = (const char *)sqlite3_column_text(stmt, i);

	if (text)
		json_str(j, name, text, (size_t)sqlite3_column_bytes(stmt, i));
}

void
question_json(struct json *j, const char *name, sqlite3_stmt *stmt, int i)
{
	const char *text = (const char *)sqlite3_column_text(stmt, i);

	if (text)
		json_raw(j, name, text, (size_t)sqlite3_column_bytes(stmt, i));
}

void
question_time(struct json *j, const char *name, sqlite3_stmt *stmt, int i)
{
	if (sqlite3_column_type(stmt, i) != SQLITE_NULL)
		json_time(j, name, sqlite3_column_int64(stmt, i));
}

int64_t
question_number(sqlite3_stmt *stmt, int i)
{
	return sqlite3_column_type(stmt, i) == SQLITE_NULL ? -1 : sqlite3_column_int64(stmt, i);
}

int
question_room(const struct json *j)
{
	return j->size - j->len > 2 * REPORT_LINE_MAX;
}
