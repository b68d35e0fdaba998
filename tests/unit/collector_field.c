/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * collector/field.c and blocks.c: a field of a stored report whatever stands before it, escapes; terms of a block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../../src/collector/field.c"
#include "../../src/collector/blocks.c"

static struct field
find(const char *json, const char *name)
{
	return field_find(json, strlen(json), name);
}

static void
test_find(void **state)
{
	static const char json[] = "{\"v\":1,\"x_a\":{\"rtt_us\":7,\"b\":[\"}\",{\"rtt_us\":8}]},\"x_t\":\",\\\"rtt_us\\\":9\\\\\","
				   "\"rtt_us\":20123,\"down\":-4,\"real\":1.5e3,\"yes\":true,\"no\":false,\"none\":null,"
				   "\"host\":\"a\\\"b\\\\\\n\\u0001\xc3\xa9\",\"empty\":\"\",\"hops\":[{\"ttl\":1},[],\"x\",3]}";
	struct field f = find(json, "rtt_us"), e;
	const char *at = NULL;
	char text[20];

	(void)state;
	assert_int_equal(f.kind, FIELD_INT);
	assert_int_equal(field_int(&f), 20123);
	f = find(json, "down");
	assert_int_equal(field_int(&f), -4);
	assert_int_equal(find(json, "real").kind, FIELD_REAL);
	assert_int_equal(find(json, "yes").kind, FIELD_TRUE);
	assert_int_equal(find(json, "no").kind, FIELD_FALSE);
	assert_int_equal(find(json, "none").kind, FIELD_NULL);
	assert_int_equal(find(json, "b").kind, FIELD_NONE); /* of another object */
	assert_int_equal(find(json, "rtt").kind, FIELD_NONE);
	assert_int_equal(find(json, "rtt_us2").kind, FIELD_NONE);
	assert_int_equal(find(json, "empty").n, 0);
	assert_int_equal(find(json, "empty").kind, FIELD_TEXT);
	f = find(json, "host");
	assert_int_equal(field_text(&f, text, sizeof text), 8);
	assert_memory_equal(text, "a\"b\\\n\1\xc3\xa9", 8);
	assert_int_equal(field_text(&f, text, 3), 3);
	f = find(json, "hops");
	assert_int_equal(f.kind, FIELD_LIST);
	assert_true(field_next(&f, &at, &e) && e.kind == FIELD_MAP);
	assert_true(field_next(&f, &at, &e) && e.kind == FIELD_LIST);
	assert_true(field_next(&f, &at, &e) && e.kind == FIELD_TEXT && e.n == 1);
	assert_true(field_next(&f, &at, &e) && e.kind == FIELD_INT);
	assert_false(field_next(&f, &at, &e));
	f = find(json, "x_a");
	at = NULL;
	assert_true(field_next(&f, &at, &e) && field_int(&e) == 7);
	assert_true(field_next(&f, &at, &e) && e.kind == FIELD_LIST);
	assert_false(field_next(&f, &at, &e));
	/* All its beginnings: nothing is read behind the end (ASan), and nothing is found that is not whole. */
	for (size_t n = 0; n < sizeof json - 1; n++) {
		char *part = malloc(n ? n : 1);

		memcpy(part, json, n);
		f = field_find(part, n, "hops");
		assert_int_equal(f.kind, n < sizeof json - 2 ? FIELD_NONE : FIELD_LIST);
		free(part);
	}
}

static void
test_int(void **state)
{
	struct field f = { FIELD_INT, "9223372036854775807", 19 };

	(void)state;
	assert_true(field_int(&f) == INT64_MAX);
	f = (struct field){ FIELD_INT, "9223372036854775808", 19 };
	assert_true(field_int(&f) == INT64_MAX);
	f = (struct field){ FIELD_INT, "-9223372036854775808", 20 };
	assert_true(field_int(&f) == INT64_MIN);
	f = (struct field){ FIELD_INT, "-99223372036854775808", 21 };
	assert_true(field_int(&f) == INT64_MIN);
}

/* ---- blocks ---- */

static sqlite3 *db;
static struct report report;

static int
add(struct blocks *b, int64_t id)
{
	snprintf(report.dst_ip, sizeof report.dst_ip, "10.0.%d.%d", (int)(id / 256 % 256), (int)(id % 256));
	report.rtt_us = id % 1000;
	return blocks_add(b, db, &report, id, 1000 + id);
}

static int
row(int64_t block, struct block *out)
{
	static sqlite3_stmt *stmt;

	sqlite3_finalize(stmt);
	assert_int_equal(sqlite3_prepare_v2(db, blocks_select, -1, &stmt, NULL), SQLITE_OK);
	sqlite3_bind_int64(stmt, 1, block);
	if (sqlite3_step(stmt) != SQLITE_ROW) {
		sqlite3_finalize(stmt);
		stmt = NULL;
		return 0;
	}
	blocks_get(out, stmt);
	return 1;
}

static int
has_ip(const struct block *b, const char *ip)
{
	return blocks_has(b, blocks_term(BLOCKS_IP, ip, strlen(ip)));
}

static void
test_blocks(void **state)
{
	struct blocks b = { .n = 0 };
	struct block got;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, blocks_schema, NULL, NULL, NULL), SQLITE_OK);
	report = (struct report){ .type = REPORT_CONN, .dst_port = 443, .sensor = "gw", .src_ip = "192.168.0.9" };
	/* Begun in the middle of a block: that one stays unknown. */
	for (int64_t id = 100; id < 3 * BLOCKS_IDS + 5; id++)
		assert_int_equal(add(&b, id), 0);
	assert_false(row(0, &got));
	assert_true(row(1, &got));
	assert_true(has_ip(&got, "192.168.0.9") && has_ip(&got, "10.0.16.0") && has_ip(&got, "10.0.31.255"));
	assert_false(has_ip(&got, "10.0.15.255") || has_ip(&got, "10.0.32.0"));
	assert_true(blocks_has(&got, blocks_term_port(443)));
	assert_false(blocks_has(&got, blocks_term_port(80)));
	assert_true(blocks_has(&got, blocks_term(BLOCKS_SENSOR, "gw", 2)));
	assert_int_equal(got.first_us, 1000 + BLOCKS_IDS);
	assert_int_equal(got.last_us, 1000 + 2 * BLOCKS_IDS - 1);
	assert_int_equal(got.rtt_max_us, 999);
	assert_true(row(2, &got));
	assert_false(row(3, &got));
	/* Rolled back: its numbers come again, and what is left of the block is not all of it. */
	blocks_forget(&b);
	for (int64_t id = 3 * BLOCKS_IDS + 2; id < 5 * BLOCKS_IDS + 1; id++)
		assert_int_equal(add(&b, id), 0);
	assert_false(row(3, &got));
	assert_true(row(4, &got));
	blocks_free(&b);
	/* Nothing is left out of a file that was empty, though its first number is of the middle. */
	blocks_empty(&b);
	for (int64_t id = 7 * BLOCKS_IDS + 9; id < 8 * BLOCKS_IDS + 1; id++)
		assert_int_equal(add(&b, id), 0);
	assert_true(row(7, &got));
	blocks_free(&b);
	assert_false(row(99, &got));
	sqlite3_close(db);
}

/* More terms than it may have: no row, and the next block has one again. */
static void
test_too_many(void **state)
{
	struct blocks b = { .n = 0 };
	struct block got;

	(void)state;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, blocks_schema, NULL, NULL, NULL), SQLITE_OK);
	blocks_empty(&b);
	for (int64_t id = 0; id < 2 * BLOCKS_IDS + 1; id++) {
		int i = (int)id % 256, k = (int)id / 256;

		report = (struct report){ .type = REPORT_CONN, .dst_port = 443, .sensor = "gw" };
		if (id < BLOCKS_IDS)
			snprintf(report.src_ip, sizeof report.src_ip, "172.16.%d.%d", k, i);
		assert_int_equal(add(&b, id), 0);
	}
	assert_false(row(0, &got));
	assert_true(row(1, &got));
	assert_false(row(99, &got));
	blocks_free(&b);
	sqlite3_close(db);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find), cmocka_unit_test(test_int), cmocka_unit_test(test_blocks),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
