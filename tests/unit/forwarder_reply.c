/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Each kind of answer and what is to be done about it; a body means the same however it is cut.
 */
#include "../../src/forwarder/reply.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define OK "{\"accepted\":10,\"duplicate\":0,\"rejected\":[]}"

/* All for a batch of ten: 41 to 50. */
static const struct row {
	const char *body;
	const char *error;
	long status;
	int64_t retry_after_s;
	enum reply_action action;
	uint32_t rejected;
	uint64_t rejected_seq;
	int64_t wait_us;
	int mismatch;
	const char *why;
} rows[] = {
	{ .body = OK, .status = 200, .action = REPLY_FORGET },
	{ .body = OK, .status = 202, .action = REPLY_FORGET },
	{ .body = "", .status = 204, .action = REPLY_FORGET },
	{ .body = "ok", .status = 200, .action = REPLY_FORGET },
	{ .body = "{}", .status = 201, .action = REPLY_FORGET },
	{ .body = " \r\n<html>", .status = 200, .action = REPLY_RETRY, .why = "a web page answered, not a collector" },
	{ .body = "{\"accepted\":3,\"duplicate\":7,\"rejected\":[]}", .status = 200, .action = REPLY_FORGET },
	{ .body = "{\"accepted\":3,\"duplicate\":3,\"rejected\":[]}", .status = 200, .action = REPLY_FORGET, .mismatch = 1 },
	{ .body = "{\"accepted\":9223372036854775807,\"duplicate\":9223372036854775807}", .status = 200,
	  .action = REPLY_FORGET, .mismatch = 1 },
	{ .body = "{\"accepted\":-5,\"duplicate\":15}", .status = 200, .action = REPLY_FORGET },
	{ .body = "{\"accepted\":8,\"duplicate\":0,\"rejected\":[{\"seq\":43,\"why\":\"x\"},{\"why\":\"y\",\"seq\":41}]}",
	  .status = 200, .action = REPLY_FORGET, .rejected = 2, .rejected_seq = 43, .why = "x" },
	/* Entries that are not of this batch, or no entries at all. */
	{ .body = "{\"rejected\":[{\"seq\":40},{\"seq\":51},{\"seq\":\"42\"},{\"seq\":-1},{},7,[{\"seq\":44}],"
		  "{\"a\":{\"seq\":44}},{\"seq\":50}],\"accepted\":9,\"duplicate\":0}",
	  .status = 200, .action = REPLY_FORGET, .rejected = 1, .rejected_seq = 50 },
	{ .body = "{\"x\":{\"rejected\":[{\"seq\":42}]},\"accepted\":10,\"duplicate\":0,\"y\":[[{\"seq\":42}]]}", .status = 200,
	  .action = REPLY_FORGET },
	/* More of them than there were lines. */
	{ .body = "{\"accepted\":0,\"duplicate\":0,\"rejected\":[{\"seq\":41},{\"seq\":41},{\"seq\":41},{\"seq\":41},{\"seq\":41},"
		  "{\"seq\":41},{\"seq\":41},{\"seq\":41},{\"seq\":41},{\"seq\":41},{\"seq\":41},{\"seq\":41}]}",
	  .status = 200, .action = REPLY_FORGET, .rejected = 10, .rejected_seq = 41 },
	{ .body = OK, .status = 200, .error = "transfer closed", .action = REPLY_RETRY, .why = "transfer closed" },
	{ .body = "", .status = 0, .error = "Connection refused", .action = REPLY_RETRY, .why = "Connection refused" },
	{ .body = "{\"error\":\"line 3\"}", .status = 400, .action = REPLY_HALVE, .why = "line 3" },
	{ .body = "{\"message\":\"type\"}", .status = 415, .action = REPLY_HALVE, .why = "type" },
	{ .body = "{\"error\":[\"a\"]}", .status = 422, .action = REPLY_HALVE },
	{ .body = "{\"error\":\"a\"} trailing", .status = 422, .action = REPLY_HALVE },
	{ .body = "", .status = 400, .error = "reset", .action = REPLY_HALVE },
	{ .body = "", .status = 413, .action = REPLY_TOO_LARGE },
	{ .body = "", .status = 413, .error = "reset", .action = REPLY_TOO_LARGE },
	{ .body = "<p>no", .status = 401, .action = REPLY_HOLD },
	{ .body = "", .status = 403, .retry_after_s = 5, .action = REPLY_HOLD },
	{ .body = "{\"why\":\"clone\"}", .status = 409, .action = REPLY_HOLD, .why = "clone" },
	{ .body = "", .status = 429, .retry_after_s = 7, .action = REPLY_WAIT, .wait_us = 7000000 },
	{ .body = "", .status = 503, .retry_after_s = 86400, .action = REPLY_WAIT, .wait_us = 600000000 },
	{ .body = "", .status = 507, .retry_after_s = 1, .action = REPLY_WAIT, .wait_us = 1000000 },
	{ .body = "", .status = 503, .retry_after_s = 0, .action = REPLY_RETRY },
	{ .body = "", .status = 429, .retry_after_s = -9, .action = REPLY_RETRY },
	{ .body = "", .status = 500, .action = REPLY_RETRY },
	{ .body = "", .status = 502, .action = REPLY_RETRY },
	{ .body = "", .status = 301, .action = REPLY_RETRY },
	{ .body = "", .status = 404, .action = REPLY_RETRY },
	{ .body = "", .status = 408, .action = REPLY_RETRY },
	{ .body = "", .status = 100, .action = REPLY_RETRY },
	{ .body = "", .status = 600, .action = REPLY_RETRY },
};

static void
check(const struct row *row, size_t cut, size_t step)
{
	size_t len = strlen(row->body), at = 0;
	struct reply_verdict v;
	struct reply r;

	assert_int_equal(reply_begin(&r, 41, 50, 10), 0);
	while (at < len) {
		size_t n = at < cut ? cut - at : step;

		if (n > len - at)
			n = len - at;
		assert_int_equal(reply_body(&r, row->body + at, n), 0);
		at += n;
	}
	reply_end(&r, row->error, row->status, row->retry_after_s, &v);
	if (v.action != row->action || v.rejected != row->rejected || v.rejected_seq != row->rejected_seq ||
	    v.wait_us != row->wait_us || v.mismatch != row->mismatch || v.status != row->status ||
	    strcmp(v.why, row->why ? row->why : ""))
		fail_msg("%ld %s, cut at %zu: action %d rejected %u first %llu wait %lld mismatch %d why `%s'", row->status,
			 row->body, cut, v.action, v.rejected, (unsigned long long)v.rejected_seq,
			 (long long)v.wait_us, v.mismatch, v.why);
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		size_t len = strlen(rows[i].body);

		for (size_t cut = 0; cut <= len; cut++)
			check(&rows[i], cut, len + 1);
		check(&rows[i], 0, 1);
	}
}

static void
test_what_it_accepts(void **state)
{
	static const struct { const char *value; int zstd; } offers[] = {
		{ "zstd", 1 }, { "ZSTD", 1 }, { "zstd, gzip", 1 }, { "gzip,zstd", 1 }, { " gzip ,\t zstd \t", 1 },
		{ "gzip;q=1.0, zstd;q=0.001", 1 }, { "zstd ; q=0.5", 1 }, { "zstd;q=1", 1 },
		{ "zstd;", 1 }, { "zstd;x", 1 },
		{ "", 0 }, { ",", 0 }, { ";", 0 }, { "gzip", 0 }, { "zstd2", 0 }, { "xzstd", 0 }, { "x-zstd", 0 }, { "*", 0 },
		{ "zstd;q=0", 0 }, { "zstd;q=0.000", 0 }, { "zstd; q=0.0 ,gzip", 0 }, { "gzip;zstd", 0 }, { "zst", 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof offers / sizeof *offers; i++) {
		struct reply_verdict v;
		struct reply r;

		assert_int_equal(reply_begin(&r, 41, 50, 10), 0);
		reply_accepts(&r, "gzip"); /* the header may be there twice */
		reply_accepts(&r, offers[i].value);
		reply_end(&r, NULL, i % 2 ? 200 : 415, 0, &v);
		if (v.zstd != offers[i].zstd)
			fail_msg("\"%s\": %d", offers[i].value, v.zstd);
	}
}

/* A text without an end takes no memory, and the transfer is ended. */
static void
test_endless_body(void **state)
{
	static char piece[4096];
	struct reply_verdict v;
	struct reply r;
	size_t total = 0;
	int ended = 0;

	(void)state;
	memset(piece, 'a', sizeof piece);
	assert_int_equal(reply_begin(&r, 1, 1, 1), 0);
	assert_int_equal(reply_body(&r, "{\"error\":\"", 10), 0);
	while (!ended && total < 4 * REPLY_BODY_MAX) {
		ended = reply_body(&r, piece, sizeof piece);
		total += sizeof piece;
	}
	assert_int_equal(ended, -EMSGSIZE);
	assert_true(total <= REPLY_BODY_MAX + sizeof piece);
	assert_int_equal(r.bad, 1);
	reply_end(&r, "write error", 200, 0, &v);
	assert_int_equal(v.action, REPLY_RETRY);
}

static void
test_long_words_are_cut(void **state)
{
	char body[1000], *at = body + sprintf(body, "{\"error\":\"");
	struct reply_verdict v;
	struct reply r;

	(void)state;
	memset(at, 'e', 500);
	sprintf(at + 500, "\"}");
	assert_int_equal(reply_begin(&r, 1, 1, 1), 0);
	assert_int_equal(reply_body(&r, body, strlen(body)), 0);
	reply_end(&r, NULL, 401, 0, &v);
	assert_int_equal(strlen(v.why), REPLY_WHY_MAX - 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_what_it_accepts),
					    cmocka_unit_test(test_endless_body),
					    cmocka_unit_test(test_long_words_are_cut) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
