/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * busy.c - adds the two half minutes of each row up.  The analyzer writes meanwhile: a number may be of a
 * moment later than its neighbour.
 */
#include "busy.h"

#include <string.h>

#include "lib/addr.h"

/* The part of each half that counts now: a row that was not touched in this half has its last one first. */
static void
halves(uint32_t half, uint32_t then, int take[2])
{
	take[0] = half - then <= 1;
	take[1] = half == then;
}

/* The lower end of a class of round-trip times. */
static uint32_t
rtt_from(unsigned i)
{
	unsigned k = i - 1;

	return i ? (2 + k % 2) << k / 2 << 7 : 0;
}

/* Between the ends of the class that the share falls into. */
static uint32_t
percentile(const uint32_t n[WORKER_TOP_RTTS], uint32_t all, unsigned percent)
{
	uint64_t want = ((uint64_t)all * percent + 99) / 100, below = 0;

	for (unsigned i = 0; i < WORKER_TOP_RTTS; i++) {
		uint32_t from = rtt_from(i), to = rtt_from(i + 1);

		if (n[i] && below + n[i] >= want)
			return from + (uint32_t)((to - from) * (want - below) / n[i]);
		below += n[i];
	}
	return 0;
}

static void
put_addr(struct json *j, uint8_t ipv, const uint8_t *addr)
{
	char text[ADDR_TEXT];
	size_t n = addr_print(text, ipv, addr);

	json_raw_str(j, "ip", text, n);
}

static void
put_row(struct json *j, const struct worker_top_row *r, uint32_t half)
{
	uint32_t rtt[WORKER_TOP_RTTS] = { 0 }, all = 0;
	uint64_t conns = 0, failed = 0, retrans = 0;
	int take[2];

	halves(half, r->half, take);
	for (int h = 0; h < 2; h++) {
		if (!take[h])
			continue;
		conns += r->n[h].conns;
		failed += r->n[h].failed;
		retrans += r->n[h].retrans;
		for (unsigned i = 0; i < WORKER_TOP_RTTS; i++) {
			rtt[i] += r->n[h].rtt[i];
			all += r->n[h].rtt[i];
		}
	}
	if (!conns && !failed)
		return;
	json_map(j, NULL);
	put_addr(j, r->ipv, r->addr);
	json_uint(j, "port", r->port);
	json_uint(j, "conns", conns);
	json_uint(j, "failed", failed);
	json_uint(j, "retrans", retrans);
	if (all) {
		json_uint(j, "p50_us", percentile(rtt, all, 50));
		json_uint(j, "p95_us", percentile(rtt, all, 95));
	}
	json_close(j);
}

static void
put_source(struct json *j, const struct worker_top_source *s, uint32_t half)
{
	int take[2];
	uint64_t n;

	halves(half, s->half, take);
	n = (uint64_t)(take[0] ? s->n[0] : 0) + (take[1] ? s->n[1] : 0);
	if (!n)
		return;
	json_map(j, NULL);
	put_addr(j, s->ipv, s->addr);
	json_uint(j, "port", s->port);
	json_uint(j, "syns", n);
	json_close(j);
}

void
busy_write(struct json *j, const struct worker_top *t, int64_t now_us)
{
	uint32_t half = (uint32_t)(now_us / WORKER_TOP_HALF_US);

	json_int(j, "window_s", (WORKER_TOP_HALF_US + now_us % WORKER_TOP_HALF_US) / 1000000);
	json_uint(j, "conns", t->conns);
	json_uint(j, "failed", t->failed);
	json_uint(j, "attempts", t->attempts);
	json_uint(j, "evicted", t->evicted);
	json_list(j, "destinations");
	for (size_t i = 0; i < WORKER_TOP_ROWS; i++) {
		struct worker_top_row r = t->row[i];

		if (r.ipv == 4 || r.ipv == 6)
			put_row(j, &r, half);
	}
	json_close(j);
	json_list(j, "inbound");
	for (size_t i = 0; i < WORKER_TOP_SOURCES; i++) {
		struct worker_top_source s = t->source[i];

		if (s.ipv == 4 || s.ipv == 6)
			put_source(j, &s, half);
	}
	json_close(j);
}
