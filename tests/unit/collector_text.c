/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/text.c: UTF-8 against a decoder that knows the table of RFC 3629 only, times against
 * timegm(), surrogate escapes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/text.c"
#include "guard.h"

static int64_t seed;

/* One character by the table: its length, or 0. */
static size_t
naive_character(const uint8_t *p, size_t n)
{
	static const uint8_t table[][9] = {
		/* length, then a range for each byte */
		{ 1, 0x00, 0x7f },
		{ 2, 0xc2, 0xdf, 0x80, 0xbf },
		{ 3, 0xe0, 0xe0, 0xa0, 0xbf, 0x80, 0xbf },
		{ 3, 0xe1, 0xec, 0x80, 0xbf, 0x80, 0xbf },
		{ 3, 0xed, 0xed, 0x80, 0x9f, 0x80, 0xbf },
		{ 3, 0xee, 0xef, 0x80, 0xbf, 0x80, 0xbf },
		{ 4, 0xf0, 0xf0, 0x90, 0xbf, 0x80, 0xbf, 0x80, 0xbf },
		{ 4, 0xf1, 0xf3, 0x80, 0xbf, 0x80, 0xbf, 0x80, 0xbf },
		{ 4, 0xf4, 0xf4, 0x80, 0x8f, 0x80, 0xbf, 0x80, 0xbf },
	};

	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		size_t len = table[i][0], k = 0;

		while (k < len && k < n && p[k] >= table[i][1 + 2 * k] && p[k] <= table[i][2 + 2 * k])
			k++;
		if (k == len)
			return len;
	}
	return 0;
}

static ssize_t
naive_utf8(const uint8_t *p, size_t n)
{
	ssize_t points = 0;

	while (n) {
		size_t len = naive_character(p, n);

		if (!len)
			return -1;
		p += len;
		n -= len;
		points++;
	}
	return points;
}

static void
test_utf8(void **state)
{
	static const uint8_t likely[] = { 0x7f, 0x80, 0xbf, 0xc1, 0xc2, 0xdf, 0xe0, 0x9f, 0xa0, 0xed, 0xee,
					  0xef, 0xf0, 0x8f, 0x90, 0xf4, 0xf5, 0xff, 'a', 'b', 'c' };
	int good = 0;

	(void)state;
	for (int turn = 0; turn < 300000; turn++) {
		uint8_t bytes[24];
		size_t n = (size_t)rand() % sizeof bytes;
		const char *p;

		for (size_t i = 0; i < n; i++)
			bytes[i] = turn % 3 ? likely[(size_t)rand() % sizeof likely] : turn % 2 ? 'x' : (uint8_t)rand();
		if (n > 4 && turn % 5 == 0)
			memcpy(bytes, "\xf0\x9f\x98\x80", 4);
		p = (const char *)guard_copy(bytes, n);
		assert_int_equal(text_utf8(p, n), naive_utf8(bytes, n));
		good += text_utf8(p, n) >= 0;
	}
	assert_true(good > 1000);
	/* Every sequence of two bytes, and every first three. */
	for (unsigned v = 0; v < 1 << 24; v += v < 1 << 16 ? 1 : 257) {
		uint8_t bytes[4] = { (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v, 0x80 };
		size_t n = v < 1 << 16 ? 2 : 4;

		assert_int_equal(text_utf8((char *)bytes + (n == 2), n), naive_utf8(bytes + (n == 2), n));
	}
}

static void
test_time(void **state)
{
	char text[40];

	(void)state;
	for (int turn = 0; turn < 200000; turn++) {
		/* As far as the C library can say, which is 2037 where time_t has 32 bits. */
		struct tm tm = { .tm_year = rand() % (sizeof(time_t) < 8 ? 68 : 8030) + 70, .tm_mon = rand() % 12, .tm_mday = rand() % 32,
				 .tm_hour = rand() % 25, .tm_min = rand() % 61, .tm_sec = rand() % 61 };
		struct tm again = tm;
		time_t t = timegm(&again);
		int exists = again.tm_mday == tm.tm_mday && again.tm_mon == tm.tm_mon &&
			     again.tm_hour == tm.tm_hour && again.tm_min == tm.tm_min && again.tm_sec == tm.tm_sec;
		int us = rand() % 1000000;

		snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
			 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, us);
		assert_int_equal(text_time_us(text, strlen(text)), exists ? (int64_t)t * 1000000 + us : -1);
		if (exists) {
			char back[JSON_TIME_LEN + 1] = "";

			json_time_text(back, (int64_t)t * 1000000 + us);
			back[JSON_TIME_LEN] = 0;
			assert_string_equal(back, text);
		}
	}
}

static void
test_time_forms(void **state)
{
	static const char *const bad[] = {
		"", "2026-11-21T19:04:05Z", "2026-11-21T19:04:05.12345Z", "2026-11-21T19:04:05.1234567Z",
		"2026-11-21 19:04:05.123456Z", "2026-11-21T19:04:05.123456z", "2026-11-21T19:04:05.123456+",
		"1969-12-31T23:59:59.999999Z", "2026-11-21T19:04:60.000000Z", "2026-00-21T19:04:05.123456Z",
		"2026-11-00T19:04:05.123456Z", "-026-11-21T19:04:05.123456Z", "2026-11-2 T19:04:05.123456Z",
		"1900-02-29T00:00:00.000000Z", "2100-02-29T00:00:00.000000Z",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t n = strlen(bad[i]);

		assert_int_equal(text_time_us((const char *)guard_copy(bad[i], n), n), -1);
	}
	assert_int_equal(text_time_us("1970-01-01T00:00:00.000001Z", 27), 1);
	assert_int_equal(text_time_us("2000-02-29T00:00:00.000000Z", 27), 951782400000000);
}

static void
test_surrogates(void **state)
{
	static const struct {
		const char *json;
		int ok;
	} escapes[] = {
		{ "\\ud83d\\ude00", 1 },
		{ "\\uD83D\\uDE00", 1 },
		{ "\\ud83d", 0 },
		{ "\\ude00", 0 },
		{ "\\ud83d\\u0041", 0 },
		{ "\\ud83dx", 0 },
		{ "\\ud83d\\ud83d\\ude00", 0 },
		{ "\\ud83d\\ude00\\ude00", 0 },
		{ "\\\\ud83d", 1 }, /* an escaped backslash, then letters */
		{ "\\\\\\ud83d", 0 },
		{ "\\ud83d\\", 0 },
		{ "\\ud83d\\ude0", 0 },
		{ "\\uffff", 1 },
		{ "\\ud7ff\\ue000", 1 },
		{ "\\", 1 }, /* torn: yajl refuses them */
		{ "\\u", 1 },
		{ "\\u12", 1 },
		{ "", 1 },
		{ "abc", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof escapes / sizeof *escapes; i++) {
		size_t n = strlen(escapes[i].json);
		const char *p = (const char *)guard_copy(escapes[i].json, n);

		if (text_surrogates_paired(p, n) != escapes[i].ok)
			fail_msg("%s", escapes[i].json);
	}
}

static void
test_control(void **state)
{
	(void)state;
	for (int c = 0; c < 256; c++) {
		char text[3] = { 'a', (char)c, 'b' };

		assert_int_equal(text_json_bytes(text, 3), c >= 0x20 || c == '\t' || c == '\r');
	}
}

/* Eight bytes at a time and one by one find the same. */
static void
test_words(void **state)
{
	(void)state;
	for (int turn = 0; turn < 20000; turn++) {
		char text[40];
		size_t n = (size_t)rand() % sizeof text, plain = 0;
		int fine = 1;
		const char *p;

		for (size_t i = 0; i < n; i++)
			text[i] = (char)(rand() % 8 ? 0x20 + rand() % 0x60 : rand() % 16 ? 0x80 + rand() % 0x80 : rand());
		while (plain < n && (uint8_t)text[plain] >= 0x20 && text[plain] != '"' && text[plain] != '\\')
			plain++;
		for (size_t i = 0; i < n; i++)
			fine &= (uint8_t)text[i] >= 0x20 || text[i] == '\t' || text[i] == '\r';
		p = (const char *)guard_copy(text, n);
		assert_int_equal(text_plain(p, n), plain);
		assert_int_equal(text_json_bytes(p, n), fine);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),	   cmocka_unit_test(test_time),
		cmocka_unit_test(test_time_forms), cmocka_unit_test(test_surrogates),
		cmocka_unit_test(test_control),	   cmocka_unit_test(test_words),
	};

	seed = getenv("NG_SEED") ? atoll(getenv("NG_SEED")) : time(NULL);
	printf("NG_SEED=%lld\n", (long long)seed);
	srand((unsigned)seed);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
