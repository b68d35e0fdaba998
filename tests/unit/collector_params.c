/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Parameters of a URL: collector/params.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/params.c"

#define NOW 1800000000000000

static struct params p;

static const char *
add(unsigned takes, const char *name, const char *value)
{
	params_begin(&p, 100, NOW);
	return params_add(&p, takes, name, value, NOW);
}

static void
test_defaults(void **state)
{
	(void)state;
	params_begin(&p, 77, NOW);
	assert_int_equal(p.given, 0);
	assert_int_equal(p.limit, 77);
	assert_int_equal(p.window_s, 3600);
	assert_int_equal(p.until_us, NOW);
	assert_int_equal(p.at_us, NOW);
	assert_int_equal(p.before, INT64_MAX);
	assert_int_equal(p.port, -1);
	assert_int_equal(p.asn, -1);
	assert_string_equal(p.by, "port");
	assert_string_equal(p.format, "json");
	assert_string_equal(p.q, "");
}

static void
test_good(void **state)
{
	unsigned all = ~0u;

	(void)state;
	assert_null(add(all, "limit", "1000"));
	assert_int_equal(p.limit, 1000);
	assert_null(add(all, "window_s", "31622400"));
	assert_int_equal(p.window_s, 31622400);
	assert_null(add(all, "until", "2026-11-21T19%3a04%3A05Z"));
	assert_int_equal(p.until_us, 1795287845000000);
	assert_null(add(all, "until", "2026-11-21"));
	assert_int_equal(p.until_us, 1795219200000000);
	assert_null(add(all, "at", "2099-01-01")); /* later than now */
	assert_int_equal(p.at_us, NOW);
	assert_null(add(all, "before", "9007199254740991"));
	assert_null(add(all, "port", "0"));
	assert_int_equal(p.port, 0);
	assert_null(add(all, "sensor", "branch-1.lan"));
	assert_string_equal(p.sensor, "branch-1.lan");
	assert_null(add(all, "dst", "2001%3AdB8%3A0::1"));
	assert_string_equal(p.dst, "2001:db8::1");
	assert_null(add(all, "ip", "192.0.2.1"));
	assert_string_equal(p.ip, "192.0.2.1");
	assert_null(add(all, "by", "as"));
	assert_string_equal(p.by, "as");
	assert_null(add(all, "format", "ndjson"));
	assert_string_equal(p.format, "ndjson");
	assert_null(add(all, "q", "rtt %3e 80ms and dst.cc = \"%C3%A5\""));
	assert_string_equal(p.q, "rtt > 80ms and dst.cc = \"\xc3\xa5\"");
	assert_null(add(all, "asn", "4294967295"));
	assert_int_equal(p.asn, 4294967295);
	assert_null(add(all, "cc", "DE"));
	assert_string_equal(p.cc, "DE");
	assert_null(add(all, "cc", ""));
	assert_string_equal(p.cc, "");
	assert_null(add(all, "cols", ""));
	assert_int_equal(p.given, PARAM_COLS);
}

static void
test_bad(void **state)
{
	static const char *const bad[][2] = {
		{ "limit", "0" }, { "limit", "1001" }, { "limit", "%31" }, { "limit", "" }, { "limit", NULL }, { "limit", "+1" },
		{ "limit", " 1" }, { "window_s", "59" }, { "window_s", "31622401" }, { "window_s", "99999999999999999" },
		{ "until", "" }, { "until", NULL }, { "until", "2026-02-30" }, { "until", "2026-11-21T19:04:05" },
		{ "until", "2026-11-21T19:04:05Z%00" }, { "at", "yesterday" }, { "before", "0" }, { "before", "9007199254740992" },
		{ "port", "65536" }, { "port", "-1" }, { "sensor", "" }, { "sensor", ".x" }, { "sensor", "a%2fb" }, { "sensor", NULL },
		{ "sensor", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }, { "dst", "::1%25eth0" },
		{ "dst", "1.2.3" }, { "dst", "::1%" }, { "dst", "::1%3" }, { "dst", "::1%zz" }, { "ip", NULL }, { "by", "" }, { "by", "Host" },
		{ "by", "%61s" }, { "format", "xml" }, { "format", NULL }, { "q", "%00" }, { "q", "%ff" }, { "q", "%c0%80" }, { "q", "%ed%a0%80" },
		{ "q", NULL }, { "cols", "a%0" }, { "asn", "4294967296" }, { "asn", "AS1" },
		{ "asn", "" }, { "cc", "D" }, { "cc", "DEU" }, { "cc", "de" }, { "cc", NULL }, { "x", "1" }, { "Limit", "1" }, { "", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (!add(~0u, bad[i][0], bad[i][1]))
			fail_msg("%s = %s is taken", bad[i][0], bad[i][1] ? bad[i][1] : "(nothing)");
	}
}

static void
test_takes_and_twice(void **state)
{
	(void)state;
	assert_non_null(add(PARAM_WINDOW, "limit", "1"));
	assert_null(add(PARAM_WINDOW, "window_s", "60"));
	assert_string_equal(params_add(&p, PARAM_WINDOW, "window_s", "60", NOW), "a parameter is there twice");
}

static void
test_longest(void **state)
{
	static char text[3 * PARAMS_TEXT_MAX + 8];

	(void)state;
	for (size_t i = 0; i < PARAMS_TEXT_MAX; i++)
		memcpy(text + 3 * i, "%41", 3);
	assert_null(add(~0u, "q", text));
	assert_int_equal(strlen(p.q), PARAMS_TEXT_MAX);
	strcat(text, "A");
	assert_non_null(add(~0u, "q", text));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_good), cmocka_unit_test(test_bad),
		cmocka_unit_test(test_takes_and_twice), cmocka_unit_test(test_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
