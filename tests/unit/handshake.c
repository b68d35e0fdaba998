/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The plugin handshake: each field of a `conn` report, and what happens above max-rate.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../plugins/handshake.c"
#include "fake_host.h"
#include "../../src/collector/rtt.h"

static void *self;

static void
run(void)
{
	assert_int_equal(ng_plugin_1.start(&fake_ctx, &fake_host, &self), 0);
}

static int
setup(void **state)
{
	(void)state;
	fake_reset(options);
	self = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	if (self)
		ng_plugin_1.stop(self);
	self = NULL;
	return 0;
}

static int
give(const struct ng_conn *c, int64_t now_us)
{
	struct ng_event ev = { .size = sizeof ev, .type = NG_EVENT_CONN, .now_us = now_us,
			       .wall_us = now_us + 1000000000, .conn = c };

	return ng_plugin_1.event(self, &ev);
}

static void
timer(int64_t now_us)
{
	struct ng_event ev = { .size = sizeof ev, .type = NG_EVENT_TIMER, .now_us = now_us,
			       .wall_us = now_us + 1000000000 };

	assert_int_equal(ng_plugin_1.event(self, &ev), 0);
}

static struct ng_conn
conn(uint8_t state, int64_t rtt_us)
{
	return (struct ng_conn){ .size = sizeof(struct ng_conn), .state = state, .ipv = 4, .hook = NG_HOOK_FORWARD,
				 .ts_us = 5, .sport = 40000, .dport = 443, .rtt_us = rtt_us,
				 .rtt_ambiguous_us = -1, .rtt_src_us = -1, .setup_us = rtt_us, .history = "Sh" };
}

static void
test_every_field(void **state)
{
	struct ng_conn c = { .size = sizeof c, .state = NG_CONN_ESTABLISHED, .ipv = 4, .hook = NG_HOOK_INPUT,
			     .ts_us = 1795, .sport = 40000, .dport = 443, .group = 100, .rtt_us = 1,
			     .rtt_ambiguous_us = 2, .rtt_src_us = 3, .setup_us = 4, .syn_retrans = 5,
			     .synack_retrans = 6, .iif = 7, .oif = 9, .mss = 1460, .mss_dst = 1452, .wscale = 8,
			     .wscale_dst = 9, .ttl_src = 64, .ttl_dst = 52, .tos = 0xb8 | 1, .history = "ShA",
			     .flags = 0x7ff };

	(void)state;
	run();
	assert_int_equal(give(&c, 1), 0);
	assert_int_equal(fake_n_reports, 1);
	assert_string_equal(fake_reports[0],
			    "conn ts=1795 tuple=40000>443 hook=input group=100 iif=br-lan oif=wan state=established "
			    "history=ShA rtt_us=1 rtt_ambiguous_us=2 rtt_src_us=3 setup_us=4 syn_retrans=5 "
			    "synack_retrans=6 ttl_src=64 ttl_dst=52 mss=1460 mss_dst=1452 wscale=8 wscale_dst=9 "
			    "sack_ok=true ecn=true tfo=true dscp=46 loss=true");
	assert_int_equal(fake_count("reported"), 1);
}

static void
test_unknown_is_absent(void **state)
{
	struct ng_conn c = conn(NG_CONN_TIMEOUT, -1);

	(void)state;
	c.hook = NG_HOOK_NONE;
	c.iif = 4242; /* no name */
	strcpy(c.history, "S");
	run();
	assert_int_equal(give(&c, 1), 0);
	assert_string_equal(fake_reports[0], "conn ts=5 tuple=40000>443 state=timeout history=S syn_retrans=0");
	/* 0 is a value. */
	c = conn(NG_CONN_ANSWERED, 0);
	c.flags = NG_CONN_SACK_SRC | NG_CONN_TTL_SRC | NG_CONN_MSS_DST | NG_CONN_WSCALE_SRC;
	c.tos = 3; /* ECN bits are no DSCP */
	assert_int_equal(give(&c, 2), 0);
	assert_string_equal(fake_reports[1], "conn ts=5 tuple=40000>443 hook=forward state=answered history=Sh "
					     "rtt_us=0 setup_us=0 syn_retrans=0 synack_retrans=0 ttl_src=0 mss_dst=0 "
					     "wscale=0 sack_ok=false ecn=false");
}

static void
test_each_state(void **state)
{
	static const char *const names[] = { "established", "answered", "refused", "timeout",
					     "unreachable", "aborted", "orphan", "orphan" };

	(void)state;
	run();
	for (uint8_t i = 0; i <= NG_CONN_ORPHAN + 1; i++) {
		struct ng_conn c = conn(i, -1);
		char want[32];

		assert_int_equal(give(&c, i), 0);
		snprintf(want, sizeof want, " state=%s ", names[i]);
		assert_true(fake_has(i, want));
		/* What is not known of an outcome is not said. */
		assert_int_equal(fake_has(i, "synack_retrans"), i < 2 || i >= NG_CONN_ORPHAN);
		assert_int_equal(fake_has(i, "sack_ok"), i < 2);
		assert_int_equal(fake_has(i, "ecn"), i < 2);
		assert_int_equal(fake_has(i, " syn_retrans"), i != NG_CONN_ORPHAN);
		if (i == NG_CONN_ORPHAN)
			break;
	}
	for (uint8_t hook = 0; hook < 8; hook++) {
		static const char *const hooks[] = { "prerouting", "input", "forward", "output", "postrouting", "ingress" };
		struct ng_conn c = conn(NG_CONN_ANSWERED, 1);
		char want[32];

		c.hook = hook;
		assert_int_equal(give(&c, 10), 0);
		snprintf(want, sizeof want, " hook=%s ", hook < 6 ? hooks[hook] : "");
		assert_int_equal(fake_has(fake_n_reports - 1, hook < 6 ? want : " hook="), hook < 6);
	}
}

static void
test_loopback(void **state)
{
	struct ng_conn c = conn(NG_CONN_ANSWERED, 1);

	(void)state;
	fake_option("local", "no");
	run();
	c.dir = NG_DIR_LOCAL;
	assert_int_equal(give(&c, 1), 0);
	assert_int_equal(fake_n_reports, 0);
	assert_int_equal(fake_count("skipped"), 1);
	c.dir = NG_DIR_OUTBOUND;
	assert_int_equal(give(&c, 1), 0);
	assert_int_equal(fake_n_reports, 1);
}

static void
test_builder_is_busy(void **state)
{
	struct ng_conn c = conn(NG_CONN_ANSWERED, 1);

	(void)state;
	run();
	fake_refuse = 1;
	assert_int_not_equal(give(&c, 1), 0);
	assert_int_equal(fake_count("reported"), 0);
}

/* ---- above max-rate ------------------------------------------------------------------------ */

/* The sum of the counts of a rollup's rtt_hist. */
static int64_t
hist_sum(unsigned i)
{
	const char *p = strstr(fake_reports[i], "rtt_hist=[");
	int64_t sum = 0;
	int bucket, count, n, last = -1;

	assert_non_null(p);
	p += strlen("rtt_hist=[");
	while (sscanf(p, " [%d %d]%n", &bucket, &count, &n) == 2) {
		assert_true(bucket > last && bucket < BUCKETS && count > 0);
		last = bucket;
		sum += count;
		p += n;
	}
	return sum;
}

static void
test_rate(void **state)
{
	uint64_t x = 88172645463325252ULL;
	int64_t now_us = 1, given = 0, failed = 0, retrans = 0, rtts = 0, rtt_sum = 0;
	int64_t got = 0, got_failed = 0, got_retrans = 0, got_rtts = 0, got_sum = 0;
	unsigned rollups = 0;

	(void)state;
	fake_option("max-rate", "10");
	run();
	for (int i = 0; i < 5000; i++) {
		struct ng_conn c;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		now_us += (int64_t)(x >> 8) % 20000; /* 100 a second on average */
		c = conn((uint8_t)((x >> 30) % 4), (x >> 33) % 5 ? (int64_t)((x >> 36) % 3000000) : -1);
		c.syn_retrans = (x >> 60) & 3;
		given++;
		if (fake_timer_us[0] > 0 && i % 700 == 699) {
			fake_timer_us[0] = -1;
			timer(now_us);
		}
		{
			unsigned before = fake_n_reports;

			assert_int_equal(give(&c, now_us), 0);
			if (fake_n_reports > before)
				continue; /* said in full */
		}
		failed += c.state == NG_CONN_REFUSED || c.state == NG_CONN_TIMEOUT;
		retrans += c.syn_retrans;
		rtts += c.rtt_us >= 0;
		rtt_sum += c.rtt_us >= 0 ? c.rtt_us : 0;
	}
	timer(now_us + 1);
	for (unsigned i = 0; i < fake_n_reports; i++) {
		if (memcmp(fake_reports[i], "rollup ", 7))
			continue;
		rollups++;
		assert_true(fake_has(i, " by=total key=over-max-rate "));
		got += fake_number(i, "conns");
		got_failed += fake_number(i, "failed");
		got_retrans += fake_number(i, "syn_retrans");
		got_sum += fake_number(i, "rtt_sum_us");
		got_rtts += hist_sum(i);
		assert_true(fake_number(i, "window_us") > 0);
		assert_true(fake_number(i, "rtt_min_us") <= fake_number(i, "rtt_max_us"));
	}
	/* Every one of them is in one place, and the sums are exact. */
	assert_int_equal(rollups, 8);
	assert_int_equal(got, fake_count("rolled_up"));
	assert_int_equal(fake_count("reported") + fake_count("rolled_up"), given);
	assert_int_equal(fake_count("reported"), fake_n_reports - rollups);
	assert_int_equal(got_failed, failed);
	assert_int_equal(got_retrans, retrans);
	assert_int_equal(got_sum, rtt_sum);
	assert_int_equal(got_rtts, rtts);
	/* 10 a second, and what the first second has in hand. */
	assert_in_range(fake_count("reported"), now_us / 100000 - 20, now_us / 100000 + 11);
}

static void
test_no_limit(void **state)
{
	struct ng_conn c = conn(NG_CONN_ANSWERED, 1);

	(void)state;
	fake_option("max-rate", "0");
	run();
	for (int i = 0; i < 4000; i++)
		assert_int_equal(give(&c, 1), 0);
	assert_int_equal(fake_n_reports, 4000);
	assert_int_equal(fake_count("rolled_up"), 0);
}

static void
test_burst(void **state)
{
	struct ng_conn c = conn(NG_CONN_ANSWERED, 1);

	(void)state;
	fake_option("max-rate", "5");
	run();
	for (int i = 0; i < 10; i++)
		give(&c, 1000);
	assert_int_equal(fake_n_reports, 5);
	for (int i = 0; i < 10; i++)
		give(&c, 1000 + 3600000000); /* an hour later no more than a second's */
	assert_int_equal(fake_n_reports, 10);
	give(&c, 500); /* a replay whose time goes back */
	give(&c, 1000 + 3600000000);
	assert_int_equal(fake_n_reports, 10);
	assert_int_equal(fake_count("reported") + fake_count("rolled_up"), 22);
}

static void
test_rollup_without_times(void **state)
{
	struct ng_conn c = conn(NG_CONN_TIMEOUT, -1);

	(void)state;
	fake_option("max-rate", "1");
	run();
	give(&c, 1000);
	give(&c, 1000);
	assert_int_equal(fake_timer_us[0], ROLLUP_US);
	timer(11000000);
	assert_string_equal(fake_reports[1], "rollup ts=1000001000 window_us=10999000 by=total key=over-max-rate conns=1 "
					     "failed=1 syn_retrans=0");
	timer(21000000); /* nothing in it: nothing to say */
	assert_int_equal(fake_n_reports, 2);
}

/* A round trip within a microsecond is one, and the shortest. */
static void
test_rollup_of_zero(void **state)
{
	struct ng_conn c = conn(NG_CONN_ANSWERED, 0);

	(void)state;
	fake_option("max-rate", "1");
	run();
	give(&c, 1000);
	give(&c, 1000);
	timer(2000);
	assert_int_equal(fake_number(1, "rtt_min_us"), 0);
	assert_int_equal(fake_number(1, "rtt_max_us"), 0);
	assert_int_equal(fake_number(1, "rtt_sum_us"), 0);
	assert_int_equal(hist_sum(1), 1);
	give(&c, 3000);
	c.rtt_us = 50;
	give(&c, 3000);
	timer(4000);
	assert_int_equal(fake_number(2, "rtt_min_us"), 0);
	assert_int_equal(fake_number(2, "rtt_max_us"), 50);
	assert_int_equal(hist_sum(2), 2);
}

static void
test_rollup_at_the_end(void **state)
{
	struct ng_conn c = conn(NG_CONN_ANSWERED, 100);

	(void)state;
	fake_option("max-rate", "1");
	run();
	give(&c, 1000);
	give(&c, 1000);
	ng_plugin_1.stop(self);
	self = NULL;
	assert_int_equal(fake_n_reports, 2);
	assert_int_equal(fake_number(1, "conns"), 1);
}

/* The collector reads these buckets: they are the same function. */
static void
test_buckets(void **state)
{
	unsigned last = 0;

	(void)state;
	for (int64_t us = 0; us < 100000; us++)
		assert_int_equal(bucket(us), rtt_bucket((uint64_t)us));
	for (int e = 0; e < 63; e++) {
		for (int quarter = 0; quarter < 4; quarter++) {
			int64_t us = (1LL << e) + (e >= 2 ? (1LL << (e - 2)) * quarter : 0);
			unsigned b = bucket(us);

			assert_int_equal(b, rtt_bucket((uint64_t)us));
			assert_true(b < BUCKETS && b >= last);
			if (e >= 2 && e < 40) {
				/* Four for each power of two, each a quarter of it wide. */
				assert_int_equal(b, 4 * e + quarter);
				assert_int_equal(bucket(us + (1LL << (e - 2)) - 1), b);
			}
			last = b;
		}
	}
	assert_int_equal(bucket(-1), 0);
	assert_int_equal(bucket(INT64_MAX), BUCKETS - 1);
	/* The example of docs/schema. */
	assert_int_equal(bucket(18000), 56);
	assert_int_equal(bucket(91000), 65);
}

#define WITH(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(test_every_field),	 WITH(test_unknown_is_absent), WITH(test_each_state),
		WITH(test_loopback),	 WITH(test_builder_is_busy),   WITH(test_rate),
		WITH(test_no_limit),	 WITH(test_burst),	       WITH(test_rollup_without_times),
		WITH(test_rollup_of_zero), WITH(test_rollup_at_the_end), WITH(test_buckets),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(fake_reports);
	return failed;
}
