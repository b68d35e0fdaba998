/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/live.c: the ring of events, its budget, resuming, and readers that are slow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/live.c"

static struct report conn = { .type = REPORT_CONN, .json = "{\"v\":1}", .json_len = 7 };
static struct report other = { .type = REPORT_STAT, .json = "{\"v\":1}", .json_len = 7 };
static int64_t now;

static void
offer(struct live *l, const struct report *r, int64_t from, int n)
{
	for (int i = 0; i < n; i++)
		live_offer(l, r, from + i, 1795287845123456, now);
}

/* Reads all there is: how many reports, the last one's id, how many were skipped. */
static int
drain(struct live *l, struct live_place *p, int64_t *last, int64_t *skipped)
{
	static char buf[LIVE_EVENT_MAX + 1];
	int n = 0;
	size_t len;

	*skipped = 0;
	while ((len = live_read(l, p, buf, LIVE_EVENT_MAX))) {
		buf[len] = 0;
		for (char *e = buf; *e; e = strstr(e, "\n\n") + 2) {
			long long id = 0, count = 0;

			assert_non_null(strstr(e, "\n\n"));
			if (sscanf(e, "event: conn\nid: %lld\ndata: {\"v\":1,", &id) == 1 ||
			    sscanf(e, "event: stat\nid: %lld\ndata: {\"v\":1,", &id) == 1) {
				assert_true(id > *last);
				*last = id;
				n++;
			} else if (sscanf(e, "event: skipped\ndata: {\"n\":%lld}", &count) == 1) {
				*skipped += count;
			} else {
				fail_msg("%s", e);
			}
		}
	}
	assert_false(live_waiting(l, p));
	return n;
}

static void
test_text(void **state)
{
	struct live *l = live_new(0);
	char buf[LIVE_EVENT_MAX + 1];
	struct live_place p;
	size_t n;

	(void)state;
	live_start(l, &p, -1);
	offer(l, &conn, 7, 1);
	assert_false(live_waiting(l, &p)); /* not before COMMIT */
	assert_int_equal(live_commit(l, now), 1);
	assert_true(live_waiting(l, &p));
	n = live_read(l, &p, buf, LIVE_EVENT_MAX);
	buf[n] = 0;
	assert_string_equal(buf, "event: conn\nid: 7\ndata: {\"v\":1,\"rx_ts\":\"2026-11-21T19:04:05.123456Z\",\"id\":7}\n\n");
	offer(l, &conn, 8, 3);
	live_discard(l);
	assert_int_equal(live_commit(l, now), 0);
	assert_int_equal(live_read(l, &p, buf, LIVE_EVENT_MAX), 0);
	live_free(l);
	live_free(NULL);
}

static void
test_budget(void **state)
{
	struct live *l = live_new(0);
	int64_t last = 0, skipped, total = 0, told = 0;
	struct live_place p;

	(void)state;
	now = 5000000;
	live_start(l, &p, -1);
	offer(l, &conn, 1, 100000); /* one batch */
	offer(l, &other, 100001, 3);
	live_commit(l, now);
	assert_int_equal(drain(l, &p, &last, &skipped), LIVE_PER_S + 3);
	assert_int_equal(skipped, 100000 - LIVE_PER_S);
	/* Ten seconds at 1,000 a second, in batches of 100. */
	last = 0;
	for (int i = 0; i < 100; i++) {
		now += 100000;
		offer(l, &conn, 200000 + 100 * i, 100);
		live_commit(l, now);
		total += drain(l, &p, &last, &skipped);
		told += skipped;
	}
	now += 1000000;
	live_tick(l, now);
	total += drain(l, &p, &last, &skipped);
	told += skipped;
	assert_int_equal(total + told, 10000);
	assert_in_range(total, 10 * LIVE_PER_S - 5, 10 * LIVE_PER_S + 5);
	live_free(l);
}

static void
test_slow_reader(void **state)
{
	struct live *l = live_new(0);
	int64_t last = 0, skipped, id = 1;
	struct live_place p;
	int n;

	(void)state;
	live_start(l, &p, -1);
	for (int i = 0; i < 100; i++, id += 20) {
		now += 1000000;
		offer(l, &conn, id, 20);
		live_commit(l, now);
	}
	n = drain(l, &p, &last, &skipped);
	assert_int_equal(n, LIVE_REACH);
	assert_int_equal(skipped, 2000 - LIVE_REACH);
	assert_int_equal(last, 2000);
	live_free(l);
}

static void
test_resume(void **state)
{
	struct live *l = live_new(1000);
	int64_t last, skipped;
	struct live_place p;

	(void)state;
	/* The collector was restarted: the ring is empty, the browser had 990. */
	live_start(l, &p, 990);
	last = 990;
	assert_int_equal(drain(l, &p, &last, &skipped), 0);
	assert_int_equal(skipped, 10);
	live_start(l, &p, 1000);
	assert_int_equal(drain(l, &p, &last, &skipped), 0);
	assert_int_equal(skipped, 0);
	for (int i = 0; i < 10; i++) {
		now += 1000000;
		offer(l, &conn, 1001 + 20 * i, 20);
		live_commit(l, now);
	}
	for (int64_t from = 1000; from <= 1200; from++) {
		last = from;
		live_start(l, &p, from);
		assert_int_equal(drain(l, &p, &last, &skipped), 1200 - from);
		assert_int_equal(skipped, 0);
	}
	live_start(l, &p, 1);
	last = 1;
	assert_int_equal(drain(l, &p, &last, &skipped), 200);
	assert_int_equal(skipped, 999);
	live_start(l, &p, 9007199254740991); /* of another database */
	assert_int_equal(drain(l, &p, &last, &skipped), 0);
	live_free(l);
}

/* Random batches, commits and readers: what a reader was told adds up to what was stored. */
static void
test_random(void **state)
{
	(void)state;
	for (int round = 0; round < 50; round++) {
		struct live *l = live_new(0);
		struct live_place p[4];
		int64_t id = 1, seen[4] = { 0 }, last[4] = { 0 }, skipped, stored = 0;

		for (int k = 0; k < 4; k++)
			live_start(l, &p[k], -1);
		for (int i = 0; i < 300; i++) {
			int n = rand() % (rand() % 10 ? 30 : 700), k = rand() % 16;

			now += rand() % 400000;
			offer(l, rand() % 3 ? &conn : &other, id, n);
			if (rand() % 5 == 0) {
				live_discard(l);
			} else {
				live_commit(l, now);
				id += n;
				stored += n;
			}
			if (k < 4) {
				seen[k] += drain(l, &p[k], &last[k], &skipped);
				seen[k] += skipped;
			}
		}
		now += 1000000;
		live_tick(l, now);
		for (int k = 0; k < 4; k++) {
			seen[k] += drain(l, &p[k], &last[k], &skipped);
			assert_int_equal(seen[k] + skipped, stored);
		}
		live_free(l);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),	    cmocka_unit_test(test_budget),
		cmocka_unit_test(test_slow_reader), cmocka_unit_test(test_resume),
		cmocka_unit_test(test_random),
	};
	int64_t seed = getenv("NG_SEED") ? atoll(getenv("NG_SEED")) : time(NULL);

	printf("NG_SEED=%lld\n", (long long)seed);
	srand((unsigned)seed);
	now = 1000000;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
