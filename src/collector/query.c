/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * query.c - the API's questions in SQL.  Numbers over a window come from rollups; only the lists of
 * failures and attempts look at rows, and at a bounded number of them.
 */
#include "query.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "question.h"
#include "rtt.h"

/* The start of a window of whole minutes that ends with the one that is running. */
static int64_t
window_start_s(int64_t window_s, int64_t now_us)
{
	return (now_us / 60000000 - (window_s + 59) / 60 + 1) * 60;
}

int
query_conns(struct store *s, struct json *j, int64_t limit, int64_t before)
{
	struct question q;

	question_open(&q, s, "SELECT id, rx_us, json FROM conn WHERE id < ?1 ORDER BY id DESC LIMIT ?2");
	sqlite3_bind_int64(q.stmt, 1, before);
	sqlite3_bind_int64(q.stmt, 2, limit);
	json_map(j, NULL);
	json_list(j, "conns");
	while (question_room(j) && question_next(&q)) {
		char text[REPORT_LINE_MAX + 100];
		const char *json = (const char *)sqlite3_column_text(q.stmt, 2);
		size_t n = (size_t)sqlite3_column_bytes(q.stmt, 2);
		struct json tail;

		if (!json || n < 3 || n >= REPORT_LINE_MAX)
			continue;
		/* The report's own brace is opened again for what we add. */
		memcpy(text, json, n - 1);
		json_begin(&tail, text + n - 1, sizeof text - n);
		json_map(&tail, NULL);
		json_int(&tail, "id", sqlite3_column_int64(q.stmt, 0));
		json_time(&tail, "rx_ts", sqlite3_column_int64(q.stmt, 1));
		json_close(&tail);
		text[n - 1] = ',';
		json_raw(j, NULL, text, n - 1 + tail.len);
	}
	json_close(j);
	json_close(j);
	return question_close(&q);
}

int
query_destinations(struct store *s, struct json *j, int64_t window_s, int64_t limit, int64_t now_us)
{
	int64_t from = window_start_s(window_s, now_us), hours = INT64_MAX;
	struct question q;

	/* A long window is whole hours, and minutes up to the first of them. */
	if (window_s > 7200)
		hours = (from + 3599) / 3600 * 3600;
	question_open(&q, s,
		   "SELECT dst_ip, dst_port, proto, sum(conns) AS n, sum(failed), sum(syn_retrans), "
		   "min(rtt_min), max(rtt_max), max(last_us), rtt_sum(hist) FROM rollup "
		   "WHERE (span = 60 AND at >= ?1 AND at < ?2) OR (span = 3600 AND at >= ?2) "
		   "GROUP BY 1, 2, 3 ORDER BY n DESC, 1, 2, 3 LIMIT ?3");
	sqlite3_bind_int64(q.stmt, 1, from);
	sqlite3_bind_int64(q.stmt, 2, hours);
	sqlite3_bind_int64(q.stmt, 3, limit);
	json_map(j, NULL);
	json_int(j, "window_s", window_s);
	json_list(j, "destinations");
	while (question_room(j) && question_next(&q)) {
		struct rtt rtt = { 0 };

		json_map(j, NULL);
		question_text(j, "dst_ip", q.stmt, 0);
		json_int(j, "dst_port", sqlite3_column_int64(q.stmt, 1));
		question_word(j, "proto", REPORT_WORDS_PROTO, sqlite3_column_int64(q.stmt, 2));
		json_int(j, "conns", sqlite3_column_int64(q.stmt, 3));
		json_int(j, "failed", sqlite3_column_int64(q.stmt, 4));
		json_int(j, "syn_retrans", sqlite3_column_int64(q.stmt, 5));
		rtt_unpack(&rtt, sqlite3_column_blob(q.stmt, 9), (size_t)sqlite3_column_bytes(q.stmt, 9));
		if (rtt.n) {
			rtt.min_us = (uint64_t)sqlite3_column_int64(q.stmt, 6);
			rtt.max_us = (uint64_t)sqlite3_column_int64(q.stmt, 7);
			json_int(j, "rtt_p50_us", rtt_percentile(&rtt, 50));
			json_int(j, "rtt_p95_us", rtt_percentile(&rtt, 95));
			json_uint(j, "rtt_min_us", rtt.min_us);
			json_uint(j, "rtt_max_us", rtt.max_us);
		}
		json_time(j, "last_ts", sqlite3_column_int64(q.stmt, 8));
		json_close(j);
	}
	json_close(j);
	json_close(j);
	return question_close(&q);
}

int
query_failures(struct store *s, struct json *j, int64_t window_s, int64_t limit, int64_t now_us)
{
	int64_t from_us = window_start_s(window_s, now_us) * 1000000;
	struct question q;
	int r;

	json_map(j, NULL);
	json_int(j, "window_s", window_s);
	json_list(j, "failures");
	question_open(&q, s,
		   "SELECT dst_ip, dst_port, state, sum(weight) AS n, count(DISTINCT src_ip), max(at_us) "
		   "FROM (SELECT at_us, dst_ip, dst_port, state, src_ip, weight FROM conn "
		   "WHERE state >= 2 AND at_us >= ?1 ORDER BY at_us DESC LIMIT ?3) "
		   "GROUP BY 1, 2, 3 ORDER BY n DESC, 1, 2, 3 LIMIT ?2");
	sqlite3_bind_int64(q.stmt, 1, from_us);
	sqlite3_bind_int64(q.stmt, 2, limit);
	sqlite3_bind_int64(q.stmt, 3, QUERY_ROWS_MAX);
	while (question_room(j) && question_next(&q)) {
		json_map(j, NULL);
		question_text(j, "dst_ip", q.stmt, 0);
		json_int(j, "dst_port", sqlite3_column_int64(q.stmt, 1));
		question_word(j, "state", REPORT_WORDS_STATE, sqlite3_column_int64(q.stmt, 2));
		json_int(j, "count", sqlite3_column_int64(q.stmt, 3));
		json_int(j, "src_n", sqlite3_column_int64(q.stmt, 4));
		json_time(j, "last_ts", sqlite3_column_int64(q.stmt, 5));
		json_close(j);
	}
	json_close(j);
	r = question_close(&q);
	if (r)
		return r;
	question_open(&q, s, "SELECT 1 FROM conn WHERE state >= 2 AND at_us >= ?1 "
			  "ORDER BY at_us DESC LIMIT 1 OFFSET ?2");
	sqlite3_bind_int64(q.stmt, 1, from_us);
	sqlite3_bind_int64(q.stmt, 2, QUERY_ROWS_MAX);
	if (question_next(&q))
		json_bool(j, "partial", 1);
	json_close(j);
	return question_close(&q);
}

/* ---- attempts: one entry a source ---- */

struct source {
	char ip[ADDR_TEXT];
	int64_t count;
	int64_t verdicts[4];
	int64_t kind;
	int64_t first_us, last_us;
	int64_t ports_n, ips_n;
	uint16_t ports[REPORT_PORTS_MAX];
	unsigned n_ports;
};

static int
by_count(const void *x, const void *y)
{
	const struct source *a = x, *b = y;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	return strcmp(a->ip, b->ip);
}

/* The set of ports of one source, and what it came to. */
struct ports {
	uint64_t bits[65536 / 64];
	int64_t n;
};

static void
ports_add(struct ports *p, const uint8_t *list, int bytes)
{
	for (; bytes >= 2; bytes -= 2, list += 2) {
		uint16_t port;

		memcpy(&port, list, 2);
		if (!(p->bits[port / 64] >> port % 64 & 1))
			p->n++;
		p->bits[port / 64] |= 1ULL << port % 64;
	}
}

static void
source_end(struct source *a, struct ports *p)
{
	if (p->n > a->ports_n)
		a->ports_n = p->n;
	for (unsigned i = 0; i < 65536 && a->n_ports < REPORT_PORTS_MAX; i++) {
		if (p->bits[i / 64] >> i % 64 & 1)
			a->ports[a->n_ports++] = (uint16_t)i;
	}
	memset(p, 0, sizeof *p);
}

static int64_t
greater(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void
source_add(struct source *a, struct ports *p, sqlite3_stmt *stmt)
{
	int64_t n = sqlite3_column_int64(stmt, 2);
	int64_t verdict = sqlite3_column_type(stmt, 3) == SQLITE_NULL ? 3 : sqlite3_column_int64(stmt, 3);

	a->count += n;
	a->verdicts[verdict & 3] += n;
	if (sqlite3_column_type(stmt, 4) != SQLITE_NULL)
		a->kind = greater(a->kind, sqlite3_column_int64(stmt, 4));
	ports_add(p, sqlite3_column_blob(stmt, 5), sqlite3_column_bytes(stmt, 5));
	a->ports_n = greater(a->ports_n, sqlite3_column_int64(stmt, 6));
	a->ips_n = greater(a->ips_n, sqlite3_column_int64(stmt, 7));
	if (sqlite3_column_int64(stmt, 8) < a->first_us)
		a->first_us = sqlite3_column_int64(stmt, 8);
	a->last_us = greater(a->last_us, sqlite3_column_int64(stmt, 9));
}

static void
put_source(struct json *j, const struct source *a)
{
	json_map(j, NULL);
	json_str(j, "src_ip", a->ip, strlen(a->ip));
	json_int(j, "count", a->count);
	json_list(j, "dst_ports");
	for (unsigned i = 0; i < a->n_ports; i++)
		json_int(j, NULL, a->ports[i]);
	json_close(j);
	json_int(j, "dst_ports_n", a->ports_n);
	json_int(j, "dst_ips_n", a->ips_n);
	json_map(j, "verdicts");
	for (int i = 0; i < 4; i++) {
		static const char *const names[] = { "accepted", "dropped", "rejected", "unknown" };

		if (a->verdicts[i])
			json_int(j, names[i], a->verdicts[i]);
	}
	json_close(j);
	question_word(j, "kind", REPORT_WORDS_KIND, a->kind);
	json_time(j, "first_ts", a->first_us);
	json_time(j, "last_ts", a->last_us);
	json_close(j);
}

int
query_attempts(struct store *s, struct json *j, int64_t window_s, int64_t limit, int64_t now_us)
{
	struct ports *ports = calloc(1, sizeof *ports);
	struct source *list = NULL, *a = NULL;
	size_t n = 0, size = 0;
	char last_dst[ADDR_TEXT] = "";
	int64_t rows = 0, dsts = 0;
	struct question q;
	int r;

	question_open(&q, s,
		   "SELECT src_ip, dst_ip, count, verdict, kind, ports, dst_ports_n, dst_ips_n, first_us, "
		   "at_us FROM (SELECT * FROM attempt WHERE at_us >= ?1 ORDER BY at_us DESC LIMIT ?2) "
		   "ORDER BY 1, 2");
	sqlite3_bind_int64(q.stmt, 1, window_start_s(window_s, now_us) * 1000000);
	sqlite3_bind_int64(q.stmt, 2, QUERY_ROWS_MAX);
	while (ports && question_next(&q)) {
		const char *src = (const char *)sqlite3_column_text(q.stmt, 0);
		const char *dst = (const char *)sqlite3_column_text(q.stmt, 1);

		rows++;
		if (!src)
			continue;
		if (!a || strcmp(a->ip, src)) {
			if (a)
				source_end(a, ports);
			if (n == size) {
				struct source *more;

				size = size ? 2 * size : 256;
				more = realloc(list, size * sizeof *list);
				if (!more)
					break;
				list = more;
			}
			a = &list[n++];
			*a = (struct source){ .kind = -1, .first_us = INT64_MAX };
			strncpy(a->ip, src, sizeof a->ip - 1);
			last_dst[0] = 0;
			dsts = 0;
		}
		if (dst && strcmp(dst, last_dst)) {
			strncpy(last_dst, dst, sizeof last_dst - 1);
			a->ips_n = greater(a->ips_n, ++dsts);
		}
		source_add(a, ports, q.stmt);
	}
	r = ports ? question_close(&q) : (question_close(&q), -ENOMEM);
	if (!r) {
		if (a)
			source_end(a, ports);
		if (n)
			qsort(list, n, sizeof *list, by_count);
		json_map(j, NULL);
		json_int(j, "window_s", window_s);
		json_list(j, "attempts");
		for (size_t i = 0; i < n && i < (size_t)limit && question_room(j); i++)
			put_source(j, &list[i]);
		json_close(j);
		if (rows == QUERY_ROWS_MAX)
			json_bool(j, "partial", 1);
		json_close(j);
	}
	free(list);
	free(ports);
	return r;
}

/* ---- sensors ---- */

int
query_sensors(struct store *s, struct json *j, int64_t now_us)
{
	static const char *const types[REPORT_TYPES] = { "conn", "quality", "attempt", "trace",
							 "rollup", "stat", "plugin" };
	struct question q;

	question_open(&q, s,
		   "SELECT id, sensor, boot, first_rx_us, last_rx_us, last_ts_us, seq_first, seq_max, "
		   "forgotten, stat_json, stat_rx_us, conn, quality, attempt, trace, rollup, stat, plugin "
		   "FROM run ORDER BY last_rx_us DESC, id DESC LIMIT 1000");
	json_map(j, NULL);
	json_list(j, "sensors");
	while (question_room(j) && question_next(&q)) {
		int64_t seq_max = sqlite3_column_int64(q.stmt, 7), stored = 0, seq_first = 0;
		const char *stat = (const char *)sqlite3_column_text(q.stmt, 9);
		int known = sqlite3_column_type(q.stmt, 6) != SQLITE_NULL;

		json_map(j, NULL);
		question_text(j, "sensor", q.stmt, 1);
		question_text(j, "boot", q.stmt, 2);
		json_time(j, "first_rx", sqlite3_column_int64(q.stmt, 3));
		json_time(j, "last_rx", sqlite3_column_int64(q.stmt, 4));
		json_time(j, "last_ts", sqlite3_column_int64(q.stmt, 5));
		if (known) {
			seq_first = sqlite3_column_int64(q.stmt, 6);
			json_int(j, "seq_first", seq_first);
		}
		json_int(j, "seq_max", seq_max);
		stored = store_stored(s, sqlite3_column_int64(q.stmt, 0), seq_first);
		if (stored >= 0)
			stored = greater(stored - sqlite3_column_int64(q.stmt, 8), 0);
		question_known(j, "stored", stored);
		if (known && stored >= 0)
			json_int(j, "missing", greater(seq_max - seq_first + 1 - stored, 0));
		json_map(j, "types");
		for (int i = 0; i < REPORT_TYPES; i++) {
			if (sqlite3_column_int64(q.stmt, 11 + i))
				json_int(j, types[i], sqlite3_column_int64(q.stmt, 11 + i));
		}
		json_close(j);
		if (stat) {
			json_raw(j, "stat", stat, (size_t)sqlite3_column_bytes(q.stmt, 9));
			json_int(j, "stat_age_s",
				 greater(now_us - sqlite3_column_int64(q.stmt, 10), 0) / 1000000);
		}
		json_close(j);
	}
	json_close(j);
	json_close(j);
	return question_close(&q);
}

/* ---- summary ---- */

struct span {
	int64_t conns, failed;
	struct rtt rtt;
};

int
query_summary(struct store *s, struct json *j, int64_t window_s, int64_t now_us)
{
	int64_t from = window_start_s(window_s, now_us), now_s = now_us / 1000000;
	int64_t width = ((window_s + 59) / 60 + QUERY_SERIES_MAX - 1) / QUERY_SERIES_MAX * 60;
	/* established, answered, refused, timeout, other, attempts */
	int64_t n[6] = { 0 }, points = (now_s - from) / width + 1;
	struct span *series = calloc((size_t)points + 1, sizeof *series), *all;
	struct question q;
	int r;

	if (!series)
		return -ENOMEM;
	all = &series[points];
	question_open(&q, s, "SELECT at, established, answered, refused, timeout, other, attempts, rtt_min, "
			  "rtt_max, hist FROM minute WHERE at >= ?1 ORDER BY at");
	sqlite3_bind_int64(q.stmt, 1, from);
	while (question_next(&q)) {
		int64_t i = (sqlite3_column_int64(q.stmt, 0) - from) / width, count[6];
		struct rtt rtt = { 0 };

		if (i >= points)
			break; /* the clock went back */
		for (int k = 0; k < 6; k++) {
			count[k] = sqlite3_column_int64(q.stmt, k + 1);
			n[k] += count[k];
		}
		series[i].conns += count[0] + count[1] + count[2] + count[3] + count[4];
		series[i].failed += count[2] + count[3] + count[4];
		rtt_unpack(&rtt, sqlite3_column_blob(q.stmt, 9), (size_t)sqlite3_column_bytes(q.stmt, 9));
		rtt.min_us = (uint64_t)sqlite3_column_int64(q.stmt, 7);
		rtt.max_us = (uint64_t)sqlite3_column_int64(q.stmt, 8);
		rtt_merge(&series[i].rtt, &rtt);
		rtt_merge(&all->rtt, &rtt);
	}
	r = question_close(&q);
	json_map(j, NULL);
	json_int(j, "window_s", window_s);
	json_int(j, "conns", n[0] + n[1] + n[2] + n[3] + n[4]);
	json_int(j, "established", n[0]);
	json_int(j, "answered", n[1]);
	json_int(j, "refused", n[2]);
	json_int(j, "timeout", n[3]);
	json_int(j, "other", n[4]);
	json_int(j, "attempts", n[5]);
	question_known(j, "rtt_p50_us", rtt_percentile(&all->rtt, 50));
	question_known(j, "rtt_p95_us", rtt_percentile(&all->rtt, 95));
	json_list(j, "series");
	for (int64_t i = 0; i < points; i++) {
		json_map(j, NULL);
		json_time(j, "t", (from + i * width) * 1000000);
		json_int(j, "conns", series[i].conns);
		json_int(j, "failed", series[i].failed);
		question_known(j, "rtt_p50_us", rtt_percentile(&series[i].rtt, 50));
		question_known(j, "rtt_p95_us", rtt_percentile(&series[i].rtt, 95));
		json_close(j);
	}
	json_close(j);
	json_close(j);
	free(series);
	return r;
}
