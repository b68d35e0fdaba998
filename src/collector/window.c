/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * window.c - a window of time to stretches of minutes, hours and days.
 */
#include "window.h"

#include "blocks.h"
#include "lib/loop.h"
#include "minmax.h"
#include "question.h"

#define MINUTE 60
#define HOUR 3600
#define DAY 86400
/* Longer windows have hours, and days, where they fit. */
#define HOURS_ABOVE 7200
#define DAYS_ABOVE (2 * DAY)

static int64_t
down(int64_t s, int64_t to)
{
	return s / to * to;
}

static int64_t
up(int64_t s, int64_t to)
{
	return down(s + to - 1, to);
}

/* A width that at most WINDOW_POINTS_MAX of make a window: whole minutes, or hours, or days. */
static int64_t
width_of(int64_t window_s)
{
	int64_t unit = window_s > 30 * DAY ? DAY : window_s > DAY ? HOUR : MINUTE;

	/* One more for a window that begins earlier, at a whole hour or day. */
	return up(up(window_s, unit) / unit + (unit > MINUTE), WINDOW_POINTS_MAX) / WINDOW_POINTS_MAX * unit;
}

static void
stretch(struct window *w, int i, int64_t from_s, int64_t until_s)
{
	static const int64_t spans[WINDOW_STRETCHES] = { MINUTE, HOUR, DAY, HOUR, MINUTE };

	w->part[i].span = spans[i];
	w->part[i].from_s = from_s;
	w->part[i].until_s = greatest(from_s, until_s);
}

static void
only_minutes(struct window *w)
{
	stretch(w, 0, w->from_s, w->until_s);
	for (int i = 1; i < WINDOW_STRETCHES; i++)
		stretch(w, i, w->until_s, w->until_s);
}

static void
split(struct window *w, int64_t folded_s, int64_t minutes_s, int64_t hours_s, int days)
{
	int64_t hours = up(w->from_s, HOUR), first_day = up(w->from_s, DAY), last_day, last_hour;

	/* Hours and days have no more than is folded; they begin before that, minutes take over there. */
	last_hour = w->until_s > folded_s ? up(w->until_s, HOUR) : down(w->until_s, HOUR);
	last_day = w->until_s > folded_s ? up(w->until_s, DAY) : down(w->until_s, DAY);
	if (w->until_s <= folded_s && last_hour < minutes_s) /* those minutes are gone: the whole hour */
		w->until_s = last_hour = up(w->until_s, HOUR);
	if (w->until_s <= folded_s && days && last_day < hours_s)
		w->until_s = last_hour = last_day = up(w->until_s, DAY);
	if (last_hour <= hours) {
		only_minutes(w);
		return;
	}
	stretch(w, 0, w->from_s, hours);
	if (days && last_day > first_day) {
		stretch(w, 1, hours, first_day);
		stretch(w, 2, first_day, last_day);
		stretch(w, 3, last_day, last_hour);
	} else {
		stretch(w, 1, hours, last_hour);
		stretch(w, 2, last_hour, last_hour);
		stretch(w, 3, last_hour, last_hour);
	}
	stretch(w, 4, w->until_s > folded_s ? greatest(folded_s, hours) : last_hour, w->until_s);
}

void
window_minutes(int64_t window_s, int64_t until_us, int64_t *from_s, int64_t *until_s)
{
	*until_s = up(least(until_us, clock_wall_us()), MINUTE * 1000000) / 1000000;
	*from_s = greatest(*until_s - up(window_s, MINUTE), 0);
}

struct window
window_of(struct store *s, int64_t window_s, int64_t until_us, int exact)
{
	int64_t now_s = clock_wall_us() / 1000000, folded_s = store_folded(s);
	/* An hour of which minutes are gone, or a day of which hours are, is taken whole: so no two windows that
	 * follow each other share a part of it. */
	int64_t minutes_s = up(greatest(now_s - STORE_MINUTES_KEPT_S, store_lost(s, MINUTE)), HOUR);
	int64_t hours_s = up(greatest(now_s - store_limits(s).days * DAY, store_lost(s, HOUR)), DAY);
	struct window w = { .window_s = window_s, .width_s = width_of(window_s) };
	int days = exact ? w.width_s >= DAY : window_s > DAYS_ABOVE;

	window_minutes(window_s, until_us, &w.from_s, &w.until_s);
	/* What is no longer kept in minutes or in hours begins earlier. */
	if (w.from_s < minutes_s || w.width_s >= HOUR) {
		w.from_s = down(w.from_s, HOUR);
		w.width_s = up(w.width_s, w.from_s < minutes_s ? HOUR : MINUTE);
	}
	if (w.from_s < hours_s || w.width_s >= DAY) {
		w.from_s = down(w.from_s, DAY);
		w.width_s = up(w.width_s, w.from_s < hours_s ? DAY : HOUR);
		days = 1;
	}
	if (w.from_s >= minutes_s && (window_s <= HOURS_ABOVE || (exact && w.width_s < HOUR)))
		only_minutes(&w);
	else
		split(&w, folded_s, minutes_s, hours_s, days);
	w.points = (w.until_s - w.from_s + w.width_s - 1) / w.width_s;
	return w;
}

struct window
window_before(struct store *s, const struct window *w)
{
	return window_of(s, w->until_s - w->from_s, w->from_s * 1000000, 0);
}

int
window_known(struct store *s, const struct window *w, int *known)
{
	struct question q;

	question_open(&q, s, "SELECT 1 FROM total WHERE (span = 60 AND at <= ?1) OR (span = 3600 AND at <= ?1 - 3600) OR "
			     "(span = 86400 AND at <= ?1 - 86400) LIMIT 1");
	sqlite3_bind_int64(q.stmt, 1, w->from_s);
	*known = question_next(&q);
	return question_close(&q);
}

int64_t
window_rows(const struct window *w)
{
	int64_t n = 0;

	for (int i = 0; i < WINDOW_STRETCHES; i++)
		n += (w->part[i].until_s - w->part[i].from_s) / w->part[i].span;
	return n;
}

void
window_put(struct json *j, const struct window *w)
{
	json_int(j, "window_s", w->window_s);
	window_put_ends(j, w);
}

void
window_put_ends(struct json *j, const struct window *w)
{
	json_time(j, "from_ts", w->from_s * 1000000);
	json_time(j, "until_ts", w->until_s * 1000000);
}

void
window_bind(sqlite3_stmt *stmt, const struct window *w)
{
	for (int i = 0; i < WINDOW_STRETCHES; i++) {
		sqlite3_bind_int64(stmt, 2 * i + 1, w->part[i].from_s);
		sqlite3_bind_int64(stmt, 2 * i + 2, w->part[i].until_s);
	}
}

void
window_blocks(struct question *blocks, struct store *s, size_t day)
{
	question_open_day(blocks, s, day, blocks_select);
	/* A file that nobody wrote to since there are blocks. */
	if (blocks->code == SQLITE_ERROR)
		blocks->code = SQLITE_DONE;
}

int
window_may_hold(const struct window *w, struct question *blocks, int64_t block, uint32_t term)
{
	struct block b;

	if (!blocks->stmt)
		return 1;
	question_again(blocks);
	sqlite3_bind_int64(blocks->stmt, 1, block);
	if (!question_next(blocks))
		return 1;
	blocks_get(&b, blocks->stmt);
	return b.last_us >= w->from_s * 1000000 && b.first_us < w->until_s * 1000000 && blocks_has(&b, term);
}
