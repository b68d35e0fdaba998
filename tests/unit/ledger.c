/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The ledger: gaps in the sequence numbers, and that its identities hold in the `stat` report.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include <unistd.h>

#include "../../src/analyzer/ledger.c"
#include "json_read.h"

static struct settings settings;
static struct worker_page page;

/* The plugins' list is not under test. */
void
plugins_stat(struct json *j)
{
	json_list(j, "plugins");
	json_close(j);
}

static int
setup(void **state)
{
	(void)state;
	memset(&settings, 0, sizeof settings);
	memset(&page, 0, sizeof page);
	settings.n_groups = 3;
	settings.groups[0] = (struct settings_group){ 100, NG_CLASS_HANDSHAKE, 7 };
	settings.groups[1] = (struct settings_group){ 101, NG_CLASS_HANDSHAKE, 8 };
	settings.groups[2] = (struct settings_group){ 102, NG_CLASS_ATTEMPT, 9 };
	ledger_start(&settings, &page, 0);
	return 0;
}

static void
test_gaps(void **state)
{
	(void)state;
	assert_int_equal(ledger_seq(0, 0), 0);
	assert_int_equal(ledger_seq(0, 1), 0);
	assert_int_equal(ledger_seq(0, 5), 3);
	assert_int_equal(ledger_seq(0, 6), 0);
	assert_int_equal(page.gap, 3);
	assert_int_equal(page.next_seq[0], 7);
	/* Each group for itself. */
	assert_int_equal(ledger_seq(1, 2), 2);
	assert_int_equal(ledger_seq(2, 0), 0);
	assert_int_equal(page.gap, 5);
	assert_int_equal(ledger_loss(), 5);
	/* What the attempts' group lost is no loss of handshakes. */
	assert_int_equal(ledger_seq(2, 11), 10);
	assert_int_equal(page.gap, 15);
	assert_int_equal(ledger_loss(), 5);
}

static void
test_wrap(void **state)
{
	(void)state;
	page.next_seq[0] = UINT32_MAX - 1;
	assert_int_equal(ledger_seq(0, UINT32_MAX - 1), 0);
	assert_int_equal(ledger_seq(0, UINT32_MAX), 0);
	assert_int_equal(page.next_seq[0], 0);
	assert_int_equal(ledger_seq(0, 0), 0);
	assert_int_equal(ledger_seq(0, 1), 0);
	page.next_seq[0] = UINT32_MAX - 1;
	assert_int_equal(ledger_seq(0, 3), 5); /* a gap over the end */
	assert_int_equal(page.gap, 5);
}

static void
test_rebind(void **state)
{
	(void)state;
	page.next_seq[0] = 1000;
	assert_int_equal(ledger_seq(0, 0), 0); /* it begins again */
	assert_int_equal(ledger_seq(0, 1), 0);
	assert_int_equal(ledger_seq(0, 4), 2);
	assert_int_equal(page.gap, 2);
	/* One out of order is no gap of four billion either. */
	assert_int_equal(ledger_seq(0, 2), 0);
	assert_int_equal(page.gap, 2);
}

/* A crash left the position behind: the next analyzer finds what was lost meanwhile. */
static void
test_after_a_crash(void **state)
{
	(void)state;
	page.next_seq[0] = 100;
	page.received = 100;
	page.parsed = 99;
	page.in_hand = 1;
	ledger_start(&settings, &page, 0);
	assert_int_equal(ledger_seq(0, 164), 64);
	assert_int_equal(page.gap, 64);
	assert_int_equal(ledger_loss(), 64);
}

static void
give(unsigned index, uint32_t seq, uint8_t status, int kernel_ts)
{
	struct ng_packet p = { .status = status, .has = kernel_ts ? NG_HAS_KERNEL_TS : 0 };

	ledger_seq(index, seq);
	ledger_take(index);
	assert_int_equal(page.in_hand, 1);
	ledger_decoded(&p);
	assert_int_equal(page.in_hand, 0);
}

static void
test_loss_of_the_counters(void **state)
{
	const uint64_t counters[] = { 100, 90, 50, 50, 1000, 10 };
	struct ng_ledger l;

	(void)state;
	assert_int_equal(ledger_loss(), 0);
	ledger_counters(counters, 3);
	assert_int_equal(ledger_loss(), 10); /* sampled out, handshake groups only */
	give(0, 5, NG_PACKET_OK, 1);
	ledger_get(&l);
	assert_int_equal(l.size, sizeof l);
	assert_int_equal(l.seen, 1150);
	assert_int_equal(l.logged, 150);
	assert_int_equal(l.received, 1);
	assert_int_equal(l.gap, 5);
	assert_int_equal(l.handshake_loss, 15);
	/* More groups than there are, and counters that say less than was logged. */
	{
		uint64_t many[2 * (WORKER_GROUPS_MAX + 5)] = { 1, 2 };

		ledger_counters(many, WORKER_GROUPS_MAX + 5);
		assert_int_equal(ledger_loss(), 5);
	}
}

/* ---- the report --------------------------------------------------------------------------- */

static int fds[2];

static void
report_text(struct json_read *r)
{
	struct flow_stats fs = { .live = 3, .evicted = 4, .clock_steps = 5 };
	struct report_conf conf = { .sensor = "r1", .boot = "9f1c2ab0", .page = &page };
	static char line[WORKER_REPORT_MAX + 1];
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	conf.fd = fds[1];
	report_start(&conf);
	ledger_report(20000000, 1795000000000000, &fs, 16384, WORKER_POSTURE_SECCOMP);
	assert_int_equal(report_flush(), 0);
	n = read(fds[0], line, sizeof line);
	assert_true(n > 0 && line[n - 1] == '\n');
	assert_int_equal(json_read(r, line, (size_t)n), 0);
	r->text[r->n] = 0;
	report_stop();
	close(fds[0]);
	close(fds[1]);
}

/* The first integer of that name; groups have the same names, and come later. */
static uint64_t
value(const struct json_read *r, const char *name)
{
	char key[64];
	const char *p;

	snprintf(key, sizeof key, "k:%si:", name);
	p = strstr((const char *)r->text, key);
	if (!p)
		fail_msg("no %s in the report", name);
	return strtoull(p + strlen(key), NULL, 10);
}

static void
test_identities(void **state)
{
	const uint64_t counters[] = { 500, 400, 180, 180, 170, 60 };
	static struct json_read r;
	uint64_t x = 88172645463325252ULL;
	uint32_t seq[3] = { 0 };

	(void)state;
	ledger_filtered();
	ledger_start(&settings, &page, 0); /* another analyzer goes on with the page */
	for (int i = 0; i < 300; i++) {
		unsigned g = (unsigned)(x >> 8) % 3;

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		seq[g] += (x >> 20) % 16 == 0; /* one lost now and then */
		give(g, seq[g]++, (uint8_t)((x >> 30) % 4), (x >> 40) % 3 > 0);
	}
	ledger_filtered();
	ledger_enobufs();
	ledger_enobufs();
	ledger_bad_message();
	ledger_counters(counters, 3);
	report_text(&r);
	assert_int_equal(value(&r, "received"), 300);
	assert_int_equal(value(&r, "received"), value(&r, "parsed") + value(&r, "truncated") +
						       value(&r, "malformed") + value(&r, "unsupported") +
						       value(&r, "in_hand"));
	assert_true(value(&r, "truncated") > 20 && value(&r, "malformed") > 20);
	/* Of the last group more came than its counter says: a table was replaced, and counts anew. */
	assert_true(seq[2] > 60 && seq[1] < 180);
	assert_int_equal(value(&r, "seen"), 500 + 180 + 170 + seq[2] - 60);
	assert_int_equal(value(&r, "logged"), 400 + 180 + seq[2]);
	assert_int_equal(value(&r, "sampled_out"), 100 + 110);
	assert_int_equal(value(&r, "seen"), value(&r, "logged") + value(&r, "sampled_out"));
	assert_int_equal(value(&r, "logged"), value(&r, "received") + value(&r, "gap") + value(&r, "tail"));
	assert_int_equal(value(&r, "gap"), seq[0] + seq[1] + seq[2] - 300);
	assert_int_equal(value(&r, "filtered"), 2);
	assert_int_equal(value(&r, "enobufs"), 2);
	assert_true(value(&r, "no_ts") > 50);
	assert_int_equal(value(&r, "flows_live"), 3);
	assert_int_equal(value(&r, "flows_evicted"), 4);
	assert_int_equal(value(&r, "clock_steps"), 5);
	assert_int_equal(value(&r, "flows_max"), 16384);
	assert_int_equal(value(&r, "reports"), 1); /* with this one */
	assert_int_equal(value(&r, "reports_dropped"), 0);
	assert_int_equal(value(&r, "window_us"), 0); /* the first */
	assert_int_equal(value(&r, "group"), 100);
	assert_non_null(strstr((char *)r.text, "k:no_capsb:0k:no_new_privsb:0k:seccompb:1k:landlockb:0"));
	assert_non_null(strstr((char *)r.text, "k:classs:attempt"));
}

static void
test_before_the_first_counters(void **state)
{
	static struct json_read r;

	(void)state;
	report_text(&r);
	/* Unknown is absent, not 0. */
	assert_null(strstr((char *)r.text, "k:seen"));
	assert_null(strstr((char *)r.text, "k:logged"));
	assert_null(strstr((char *)r.text, "k:tail"));
	assert_int_equal(value(&r, "received"), 0);
	/* The window is the time between two. */
	assert_int_equal(value(&r, "window_us"), 0);
}

static void
test_replay(void **state)
{
	static struct json_read r;

	(void)state;
	ledger_start(&settings, &page, 1);
	report_text(&r);
	/* Nothing that differs from run to run. */
	assert_null(strstr((char *)r.text, "cpu_us"));
	assert_null(strstr((char *)r.text, "rss_kib"));
	assert_null(strstr((char *)r.text, "sandbox"));
	assert_null(strstr((char *)r.text, "plugins"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_gaps, setup),
		cmocka_unit_test_setup(test_wrap, setup),
		cmocka_unit_test_setup(test_rebind, setup),
		cmocka_unit_test_setup(test_after_a_crash, setup),
		cmocka_unit_test_setup(test_loss_of_the_counters, setup),
		cmocka_unit_test_setup(test_identities, setup),
		cmocka_unit_test_setup(test_before_the_first_counters, setup),
		cmocka_unit_test_setup(test_replay, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
