/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The JSON writer, read back by yajl.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <inttypes.h>
#include <time.h>

#include "../../src/lib/json.c"
#include "guard.h"
#include "json_read.h"

static struct json_read r;

static void
expect(const char *text, size_t len, const char *want)
{
	assert_int_equal(json_read(&r, text, len), 0);
	assert_int_equal(r.n, strlen(want));
	assert_memory_equal(r.text, want, r.n);
}

static void
test_nesting(void **state)
{
	static const char want[] =
		"{\"a\":1,\"b\":[],\"c\":{},\"d\":[1,\"x\",{\"e\":true},[false,-2]],\"f\":\"y\"}";
	char buf[256];
	struct json j;

	(void)state;
	json_begin(&j, buf, sizeof buf);
	json_map(&j, NULL);
	json_uint(&j, "a", 1);
	json_list(&j, "b");
	json_close(&j);
	json_map(&j, "c");
	json_close(&j);
	json_list(&j, "d");
	json_int(&j, NULL, 1);
	json_str(&j, NULL, "x", 1);
	json_map(&j, NULL);
	json_bool(&j, "e", 7);
	json_close(&j);
	json_list(&j, NULL);
	json_bool(&j, NULL, 0);
	json_int(&j, NULL, -2);
	json_close(&j);
	json_close(&j);
	json_raw_str(&j, "f", "y", 1);
	json_close(&j);
	assert_int_equal(json_end(&j), 0);
	assert_int_equal(j.len, strlen(want));
	assert_string_equal(buf, want);
	expect(buf, j.len, "{k:ai:1k:b[]k:c{}k:d[i:1s:x{k:eb:1}[b:0i:-2]]k:fs:y}");
}

static void
test_raw(void **state)
{
	char buf[64];
	struct json j;

	(void)state;
	json_begin(&j, buf, sizeof buf);
	json_list(&j, NULL);
	json_raw(&j, NULL, "{\"a\":[1,2]}", 11);
	json_int(&j, NULL, 3);
	json_close(&j);
	assert_int_equal(json_end(&j), 0);
	assert_string_equal(buf, "[{\"a\":[1,2]},3]");
}

static void
test_depth(void **state)
{
	char buf[256];
	struct json j;

	(void)state;
	for (int depth = 0; depth < 20; depth++) {
		json_begin(&j, buf, sizeof buf);
		for (int i = 0; i < depth; i++)
			(i % 2 ? json_map : json_list)(&j, i && !(i % 2) ? "l" : NULL);
		assert_int_equal(json_end(&j), !depth ? 0 : depth <= JSON_DEPTH ? -EPROTO : -EMSGSIZE);
		for (int i = 0; i < depth; i++)
			json_close(&j);
		assert_int_equal(json_end(&j), depth <= JSON_DEPTH ? 0 : -EMSGSIZE);
		if (depth && depth <= JSON_DEPTH)
			assert_int_equal(json_read(&r, buf, j.len), 0);
	}
	json_begin(&j, buf, sizeof buf);
	json_close(&j); /* nothing is open */
	assert_int_not_equal(json_end(&j), 0);
}

static void
test_numbers(void **state)
{
	static const int64_t ints[] = { 0, 1, -1, 9, 10, -10, INT32_MIN, INT32_MAX, INT64_MIN, INT64_MAX };
	static const uint64_t uints[] = { 0, 9, 10, UINT32_MAX, UINT64_MAX, 10000000000000000000ULL };
	char buf[64], want[64];
	struct json j;

	(void)state;
	for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
		json_begin(&j, buf, sizeof buf);
		json_int(&j, NULL, ints[i]);
		assert_int_equal(json_end(&j), 0);
		snprintf(want, sizeof want, "%" PRId64, ints[i]);
		assert_string_equal(buf, want);
	}
	for (size_t i = 0; i < sizeof uints / sizeof *uints; i++) {
		json_begin(&j, buf, sizeof buf);
		json_uint(&j, NULL, uints[i]);
		assert_int_equal(json_end(&j), 0);
		snprintf(want, sizeof want, "%" PRIu64, uints[i]);
		assert_string_equal(buf, want);
	}
}

static void
test_every_byte(void **state)
{
	char bytes[256], buf[2048];
	struct json j;

	(void)state;
	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	json_begin(&j, buf, sizeof buf);
	json_str(&j, NULL, bytes, sizeof bytes);
	assert_int_equal(json_end(&j), 0);
	for (size_t i = 0; i < j.len; i++) /* ASCII, whatever came in, and no line end */
		assert_in_range(buf[i], 0x20, 0x7e);
	assert_int_equal(json_read(&r, buf, j.len), 0);
	assert_int_equal(r.n, 2 + 256);
	assert_memory_equal(r.text + 2, bytes, 256);
	for (int i = 0; i < 256; i++) { /* one alone */
		json_begin(&j, buf, sizeof buf);
		json_list(&j, NULL);
		json_str(&j, NULL, bytes + i, 1);
		json_close(&j);
		assert_int_equal(json_end(&j), 0);
		assert_int_equal(json_read(&r, buf, j.len), 0);
		assert_int_equal(r.n, 5);
		assert_int_equal(r.text[3], i);
	}
	json_begin(&j, buf, sizeof buf);
	json_str(&j, NULL, "", 0);
	assert_int_equal(json_end(&j), 0);
	assert_string_equal(buf, "\"\"");
}

/* In a buffer of each size up to more than enough, before an unreadable page. */
static void
test_every_size(void **state)
{
	char want[512];
	struct json j;
	size_t full = 0;

	(void)state;
	for (size_t size = 0; size < 300; size++) {
		char zeros[300] = { 0 };
		char *buf = (char *)guard_copy(zeros, size);

		json_begin(&j, buf, size);
		json_map(&j, NULL);
		json_uint(&j, "number", 1234567890123);
		json_int(&j, "minus", -5);
		json_bool(&j, "yes", 1);
		json_str(&j, "text", "a\"\\\n\xff", 5);
		json_list(&j, "list");
		json_map(&j, NULL);
		json_time(&j, "ts", 1795000000123456);
		json_close(&j);
		json_raw_str(&j, NULL, "raw", 3);
		json_raw(&j, NULL, "[]", 2);
		json_close(&j);
		json_close(&j);
		assert_true(j.len <= size);
		if (!full && json_end(&j) == 0) {
			full = size;
			assert_int_equal(j.len, size); /* the first size that will do is the length */
			memcpy(want, buf, size);
			assert_int_equal(json_read(&r, buf, size), 0);
		} else if (full) {
			assert_int_equal(json_end(&j), 0);
			assert_int_equal(j.len, full);
			assert_memory_equal(buf, want, full);
			assert_int_equal(buf[full], 0); /* NUL-terminated when there is room */
		} else {
			assert_int_equal(json_end(&j), -EMSGSIZE);
		}
	}
	assert_true(full > 100);
}

/* After the first thing that did not fit nothing is written, though it would. */
static void
test_nothing_behind_a_gap(void **state)
{
	char buf[16];
	struct json j;
	size_t len;

	(void)state;
	json_begin(&j, buf, sizeof buf);
	json_list(&j, NULL);
	json_str(&j, NULL, "0123456789abcdef", 16);
	len = j.len;
	json_int(&j, NULL, 1);
	json_close(&j);
	assert_int_equal(j.len, len);
	assert_int_equal(json_end(&j), -EMSGSIZE);
}

/* ---- times ------------------------------------------------------------------------------- */

static void
check_time(int64_t us)
{
	char out[JSON_TIME_LEN + 1], want[64];
	time_t s = (time_t)(us / 1000000);
	struct tm tm;

	memset(out, 'x', sizeof out);
	json_time_text(out, us);
	if (s != us / 1000000)
		return; /* a time_t of 32 bits: the C library cannot say */
	assert_non_null(gmtime_r(&s, &tm));
	snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02d.%06dZ", tm.tm_year + 1900, tm.tm_mon + 1,
		 tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(us % 1000000));
	assert_string_equal(out, want);
}

static void
test_times(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ -1, "1970-01-01T00:00:00.000000Z" }, /* no such time: the first one */
		{ INT64_MIN, "1970-01-01T00:00:00.000000Z" },
		{ 951782399999999, "2000-02-28T23:59:59.999999Z" },
		{ 951782400000000, "2000-02-29T00:00:00.000000Z" },
		{ 951868800000000, "2000-03-01T00:00:00.000000Z" },
		{ 4107542400000000, "2100-03-01T00:00:00.000000Z" }, /* no leap year */
		{ 4107542399999999, "2100-02-28T23:59:59.999999Z" },
		{ 1709164800000000, "2024-02-29T00:00:00.000000Z" },
		{ 1735689599999999, "2024-12-31T23:59:59.999999Z" },
		{ 253402300799999999, "9999-12-31T23:59:59.999999Z" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char out[JSON_TIME_LEN + 1];

		json_time_text(out, cases[i].us);
		assert_string_equal(out, cases[i].text);
	}
}

static void
test_times_against_libc(void **state)
{
	uint64_t x = 88172645463325252ULL;
	int64_t near_us = 1795000000000000;

	(void)state;
	/* Every day to 2400, its first and its last microsecond. */
	for (int64_t day = 0; day < 157000; day++) {
		check_time(day * 86400000000);
		check_time(day * 86400000000 + 86399999999);
	}
	/* Any time to 9999, and back and forth around a few days: the day is kept from call to call. */
	for (int i = 0; i < 100000; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		check_time((int64_t)(x % 253402300800000000ULL));
		check_time(near_us + (int64_t)(x >> 20) % 300000000000);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_raw),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_every_byte),
		cmocka_unit_test(test_every_size),
		cmocka_unit_test(test_nothing_behind_a_gap),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_times_against_libc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
