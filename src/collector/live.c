/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * live.c - the ring of events.
 *
 * The budget of events a second is spent before the ring, not at each reader: all browsers see the
 * same selection, and LIVE_REACH places are five seconds of the worst flood.
 */
#include "live.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/json.h"

/* Places for events that wait for their COMMIT, so that what is read is not overwritten. */
#define PENDING_MAX 140
#define RING (LIVE_REACH + PENDING_MAX)

struct event {
	int64_t id;      /* 0: "skipped" */
	uint64_t before; /* reports that the events before this one stand for, since the start */
	uint64_t weight; /* that this one stands for: 1, or what "skipped" tells */
	char *text;
	size_t len;
};

struct budget {
	int64_t at_us;
	int64_t micro;   /* events left, in millionths */
};

struct live {
	struct event ring[RING];
	uint64_t end;         /* number of the next event; read back to end - LIVE_REACH */
	uint64_t told;        /* reports that the events before `end` stand for */
	uint64_t told_pending; /* and those that wait */
	uint64_t pending;     /* events behind `end` that wait for their COMMIT */
	struct budget budget[2];
	uint64_t skipped;     /* not told yet */
	uint64_t skipped_pending;
	int64_t told_us;
	int64_t last_id, last_id_pending;
};

struct live *
live_new(int64_t last_id)
{
	struct live *l = calloc(1, sizeof *l);

	if (l)
		l->last_id = l->last_id_pending = last_id;
	return l;
}

void
live_free(struct live *l)
{
	if (!l)
		return;
	for (size_t i = 0; i < RING; i++)
		free(l->ring[i].text);
	free(l);
}

static int
spend(struct budget *b, int64_t now_us)
{
	const int64_t full = LIVE_PER_S * 1000000LL;

	if (!b->at_us || now_us - b->at_us >= 1000000)
		b->micro = full;
	else if (now_us > b->at_us)
		b->micro += (now_us - b->at_us) * LIVE_PER_S;
	b->at_us = now_us;
	if (b->micro > full)
		b->micro = full;
	if (b->micro < 1000000)
		return 0;
	b->micro -= 1000000;
	return 1;
}

/* Puts an event behind those that are there; it takes the text. */
static void
push(struct live *l, int64_t id, uint64_t weight, char *text, size_t len)
{
	struct event *e = &l->ring[(l->end + l->pending) % RING];

	free(e->text);
	*e = (struct event){ id, l->told_pending, weight, text, len };
	l->pending++;
	l->told_pending += weight;
}

static void
publish(struct live *l)
{
	l->end += l->pending;
	l->pending = 0;
	l->told = l->told_pending;
}

void
live_offer(struct live *l, const struct report *r, int64_t id, int64_t rx_us, int64_t now_us)
{
	size_t n = 0, size = r->json_len + 160;
	const char *type = report_word(REPORT_WORDS_TYPE, r->type, &n);
	char when[JSON_TIME_LEN + 1], *text;
	int len;

	l->last_id_pending = id;
	if (r->type == REPORT_QUALITY || r->type == REPORT_ROLLUP)
		return;
	if (!spend(&l->budget[r->type != REPORT_CONN], now_us) || l->pending >= PENDING_MAX - 1) {
		l->skipped_pending++;
		return;
	}
	text = malloc(size);
	if (!text) {
		l->skipped_pending++;
		return;
	}
	json_time_text(when, rx_us);
	len = snprintf(text, size, "event: %.*s\nid: %lld\ndata: %.*s,\"rx_ts\":\"%s\",\"id\":%lld}\n\n",
		       (int)n, type, (long long)id, (int)r->json_len - 1, r->json, when, (long long)id);
	push(l, id, 1, text, (size_t)len);
}

int
live_commit(struct live *l, int64_t now_us)
{
	int new = l->pending > 0;

	publish(l);
	l->skipped += l->skipped_pending;
	l->skipped_pending = 0;
	l->last_id = l->last_id_pending;
	return live_tick(l, now_us) || new;
}

void
live_discard(struct live *l)
{
	/* Their places were of events beyond the ring's reach; they stay empty. */
	for (uint64_t i = 0; i < l->pending; i++) {
		struct event *e = &l->ring[(l->end + i) % RING];

		free(e->text);
		*e = (struct event){ 0, 0, 0, NULL, 0 };
	}
	l->pending = 0;
	l->told_pending = l->told;
	l->skipped_pending = 0;
	l->last_id_pending = l->last_id;
}

static size_t
skipped_text(char *buf, size_t size, uint64_t n)
{
	return (size_t)snprintf(buf, size, "event: skipped\ndata: {\"n\":%llu}\n\n",
				(unsigned long long)n);
}

int
live_tick(struct live *l, int64_t now_us)
{
	char *text;

	if (!l->skipped || (now_us - l->told_us < 1000000 && now_us >= l->told_us))
		return 0;
	text = malloc(80);
	if (!text)
		return 0;
	push(l, 0, l->skipped, text, skipped_text(text, 80, l->skipped));
	publish(l);
	l->skipped = 0;
	l->told_us = now_us;
	return 1;
}

static uint64_t
oldest(const struct live *l)
{
	return l->end > LIVE_REACH ? l->end - LIVE_REACH : 0;
}

void
live_start(const struct live *l, struct live_place *p, int64_t after_id)
{
	int64_t first_id = l->last_id + 1;

	*p = (struct live_place){ .next = l->end, .told = l->told };
	if (after_id < 0)
		return;
	while (p->next > oldest(l)) {
		const struct event *e = &l->ring[(p->next - 1) % RING];

		if (e->id && e->id <= after_id)
			return; /* the last one that was seen, or an older one: nothing is missing */
		if (e->id)
			first_id = e->id;
		p->told = e->before;
		p->next--;
	}
	if (first_id > after_id + 1)
		p->missed = (uint64_t)(first_id - after_id - 1);
}

int
live_waiting(const struct live *l, const struct live_place *p)
{
	return p->next < l->end || p->missed;
}

size_t
live_read(struct live *l, struct live_place *p, char *buf, size_t size)
{
	size_t len = 0;

	if (p->next < oldest(l)) {
		const struct event *e = &l->ring[oldest(l) % RING];

		p->missed += e->before - p->told;
		p->told = e->before;
		p->next = oldest(l);
	}
	if (p->missed)
		len = skipped_text(buf, size, p->missed);
	p->missed = 0;
	while (p->next < l->end) {
		const struct event *e = &l->ring[p->next % RING];

		if (e->len > size - len)
			break;
		if (e->text)
			memcpy(buf + len, e->text, e->len);
		len += e->text ? e->len : 0;
		p->told = e->before + e->weight;
		p->next++;
	}
	return len;
}
