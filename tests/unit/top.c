/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The analyzer's table of who is busy (top.c) and what the parent makes of it (busy.c): against a count by
 * hand, over time, under floods, with anything in the page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "../../src/analyzer/top.c"
#include "../../src/sensor/busy.c"

#define S 1000000ll

static struct worker_top page;
static char text[65536];

static const char *
json(int64_t now_us)
{
	struct json j;

	json_begin(&j, text, sizeof text);
	json_map(&j, NULL);
	busy_write(&j, &page, now_us);
	json_close(&j);
	assert_int_equal(json_end(&j), 0);
	return text;
}

static void
says(int64_t now_us, const char *want)
{
	if (!strstr(json(now_us), want))
		fail_msg("%s is not in %s", want, text);
}

static void
conn(uint32_t dst, uint8_t state, uint8_t dir, int64_t rtt_us, int64_t now_us)
{
	struct ng_conn c = { .size = sizeof c, .state = state, .dir = dir, .ipv = 4, .dport = 443, .rtt_us = rtt_us };

	memcpy(dir == NG_DIR_INBOUND ? c.src : c.dst, &(uint32_t){ htole32(dst) }, 4);
	top_conn(&c, 0, now_us);
}

static int
setup(void **state)
{
	(void)state;
	memset(&page, 0, sizeof page);
	top_start(&page);
	return 0;
}

static void
test_window(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		conn(1, NG_CONN_ANSWERED, NG_DIR_OUTBOUND, 20000, 10 * S);
	conn(1, NG_CONN_REFUSED, NG_DIR_OUTBOUND, -1, 10 * S);
	conn(1, NG_CONN_ORPHAN, NG_DIR_OUTBOUND, -1, 10 * S);
	conn(1, NG_CONN_ABORTED, NG_DIR_OUTBOUND, -1, 10 * S);
	says(20 * S, "\"window_s\":50");
	says(20 * S, "{\"ip\":\"1.0.0.0\",\"port\":443,\"conns\":3,\"failed\":1,\"retrans\":0,\"p50_us\":");
	says(59 * S, "\"conns\":3,\"failed\":1,"); /* untouched since */
	says(61 * S, "\"destinations\":[]");
	conn(1, NG_CONN_TIMEOUT, NG_DIR_OUTBOUND, -1, 40 * S);
	says(50 * S, "\"conns\":3,\"failed\":2,");
	says(70 * S, "\"conns\":0,\"failed\":1,");
	says(95 * S, "\"destinations\":[]");
	says(95 * S, "\"conns\":3,\"failed\":2,\"attempts\":0,\"evicted\":0");
}

static void
test_rtt(void **state)
{
	unsigned last = 0;

	(void)state;
	/* Each time falls into the class whose ends it is between. */
	for (int64_t us = 0; us < 5000000; us += 1 + us / 100) {
		unsigned i = rtt_class(us);

		assert_true(i >= last && i < WORKER_TOP_RTTS);
		assert_true(us >= rtt_from(i) && (i == WORKER_TOP_RTTS - 1 || us < rtt_from(i + 1)));
		last = i;
	}
	assert_int_equal(last, WORKER_TOP_RTTS - 1);
	for (int i = 0; i < 100; i++)
		conn(1, NG_CONN_ANSWERED, NG_DIR_OUTBOUND, i < 90 ? 10000 : 100000, 1 * S);
	json(1 * S);
	{
		unsigned p50 = (unsigned)atoi(strstr(text, "\"p50_us\":") + 9), p95 = (unsigned)atoi(strstr(text, "\"p95_us\":") + 9);

		assert_in_range(p50, 8000, 12500);
		assert_in_range(p95, 80000, 132000);
	}
}

static void
test_sources(void **state)
{
	struct ng_packet p = { .size = sizeof p, .ipv = 6, .has = NG_HAS_TCP, .dport = 22, .saddr = { 0x20, 1 } };

	(void)state;
	top_attempt(&p, 5 * S);
	p.dport = 23;
	top_attempt(&p, 6 * S);
	p.has = 0; /* cut short */
	top_attempt(&p, 6 * S);
	conn(9, NG_CONN_ANSWERED, NG_DIR_INBOUND, 5, 6 * S);
	says(6 * S, "\"inbound\":[");
	says(6 * S, "{\"ip\":\"2001::\",\"port\":23,\"syns\":2}");
	says(6 * S, "{\"ip\":\"9.0.0.0\",\"port\":443,\"syns\":1}");
	says(6 * S, "\"destinations\":[]");
	says(65 * S, "\"inbound\":[]");
}

/* A few busy ones are found among a million that come once. */
static void
test_flood(void **state)
{
	unsigned found = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		conn(0x01000000u + i * 7, NG_CONN_ANSWERED, NG_DIR_OUTBOUND, 1000, 10 * S);
		if (i % 10 == 0)
			conn(1 + i / 10 % 20, NG_CONN_ANSWERED, NG_DIR_OUTBOUND, 1000, 10 * S);
	}
	json(10 * S);
	for (uint32_t i = 1; i <= 20; i++) {
		char want[80];
		const char *at;

		snprintf(want, sizeof want, "{\"ip\":\"%u.0.0.0\",\"port\":443,\"conns\":", i);
		at = strstr(text, want);
		found += at && atoi(at + strlen(want)) > 3000;
	}
	print_message("%u of 20 busy destinations found among 1,000,000 others\n", found);
	assert_true(found >= 12); /* some sets have more busy ones than places */
	assert_int_equal(page.conns, 1100000);
	assert_true(page.evicted > 900000);
}

/* The page is a stranger's: whatever it holds, the answer is whole and has room. */
static void
test_any_page(void **state)
{
	unsigned seed = (unsigned)time(NULL);

	(void)state;
	print_message("seed %u\n", seed);
	srand(seed);
	for (int n = 0; n < 200; n++) {
		uint8_t *b = (uint8_t *)&page;

		for (size_t i = 0; i < sizeof page; i++)
			b[i] = (uint8_t)(n % 2 ? rand() : 0xff);
		for (size_t i = 0; i < WORKER_TOP_ROWS; i++) {
			page.row[i].ipv = rand() % 8 ? 6 : (uint8_t)rand();
			page.row[i].half = 3 - (uint32_t)(rand() % 2);
		}
		for (size_t i = 0; i < WORKER_TOP_SOURCES; i++) {
			page.source[i].ipv = 6;
			page.source[i].half = 3;
		}
		assert_true(strlen(json(100 * S)) < 50000); /* ledger and groups come before it */
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_window, setup), cmocka_unit_test_setup(test_rtt, setup),
		cmocka_unit_test_setup(test_sources, setup), cmocka_unit_test_setup(test_flood, setup),
		cmocka_unit_test_setup(test_any_page, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
