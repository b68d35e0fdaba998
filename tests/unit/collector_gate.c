/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What the collector's gate is made of: session.c, throttle.c, quota.c, form.c, access.c (in a file of the test's).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/collector/access.c"
#undef FORMAT
#undef HASH_BYTES
#include "../../src/collector/form.c"
#include "../../src/collector/quota.c"
#include "../../src/collector/session.c"
#include "../../src/collector/throttle.c"

#define S 1000000LL

/* ---- cookies ---- */

static void
test_cookie(void **state)
{
	static const struct {
		const char *header, *value; /* NULL: refused */
	} table[] = {
		{ "net-gazer=abc", "abc" },
		{ "a=1; net-gazer=abc; b=2", "abc" },
		{ "a=1;net-gazer=abc ;b", "abc" },
		{ " net-gazer=", "" },
		{ "net-gazer=a=b", "a=b" },
		{ "", NULL },
		{ "net-gazer", NULL },
		{ "xnet-gazer=abc", NULL },
		{ "net-gazerx=abc", NULL },
		{ "Net-Gazer=abc", NULL },
		{ "net-gazer =abc", NULL },
		{ "net-gazer=a; net-gazer=b", NULL },
		{ "net-gazer=12345678", NULL },
		{ ";;;=;", NULL },
	};
	char out[8];

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		int r = session_cookie(table[i].header, "net-gazer", out, sizeof out);

		if (r != (table[i].value ? 0 : -1))
			fail_msg("\"%s\": %d", table[i].header, r);
		if (!r)
			assert_string_equal(out, table[i].value);
	}
}

/* ---- sessions ---- */

static void
test_session(void **state)
{
	static struct sessions t;
	struct session *a = session_new(&t, "anna", 7, 100 * S), *b;
	char id[SESSION_ID_LEN + 1];

	(void)state;
	strcpy(id, a->id);
	assert_int_equal(strlen(id), SESSION_ID_LEN);
	assert_ptr_equal(session_find(&t, id, 101 * S), a);
	assert_null(session_find(&t, "", 101 * S));
	id[0] ^= 1;
	assert_null(session_find(&t, id, 101 * S));
	id[0] ^= 1;
	/* Used again and again it lives, but not longer than the whole. */
	for (int64_t t_us = 101 * S; t_us < 100 * S + SESSION_WHOLE_US; t_us += SESSION_IDLE_US - S)
		assert_non_null(session_find(&t, id, t_us));
	assert_null(session_find(&t, id, 100 * S + SESSION_WHOLE_US + 1));
	b = session_new(&t, "bob", 7, 1000 * S);
	strcpy(id, b->id);
	/* A look that is no use: an event stream does not keep it alive, and ends with it. */
	assert_ptr_equal(session_peek(&t, id, 1000 * S + SESSION_IDLE_US), b);
	assert_null(session_peek(&t, id, 1000 * S + SESSION_IDLE_US + 1));
	assert_null(session_find(&t, id, 1000 * S + SESSION_IDLE_US + 1));
	assert_non_null(session_find(&t, id, 1001 * S));
	session_end(b);
	assert_null(session_find(&t, id, 1001 * S));
}

static void
test_session_full(void **state)
{
	static struct sessions t;
	char first[SESSION_ID_LEN + 1], second[SESSION_ID_LEN + 1];

	(void)state;
	for (int i = 0; i < SESSIONS; i++) {
		struct session *s = session_new(&t, "anna", 7, (100 + i) * S);

		if (i < 2)
			strcpy(i ? second : first, s->id);
	}
	assert_int_equal(session_count(&t, 200 * S), SESSIONS);
	assert_non_null(session_find(&t, first, 200 * S)); /* now the second was used longest ago */
	session_new(&t, "bob", 7, 201 * S);
	assert_int_equal(session_count(&t, 201 * S), SESSIONS);
	assert_non_null(session_find(&t, first, 202 * S));
	assert_null(session_find(&t, second, 202 * S));
}

/* ---- throttle ---- */

static void
test_throttle(void **state)
{
	static struct throttle t = { .one = { 10 * S, 5 }, .all = { 1 * S, 30 } };
	uint8_t a[16] = { 192, 0, 2, 1 }, six[16] = { 0x20, 1, 0xd, 0xb8 };
	int64_t now = 1000 * S;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(throttle_take(&t, 4, a, now), 0);
	assert_int_equal(throttle_take(&t, 4, a, now), 10);
	assert_int_equal(throttle_take(&t, 4, a, now + 9 * S + 1), 1);
	assert_int_equal(throttle_take(&t, 4, a, now + 10 * S), 0);
	assert_int_equal(throttle_take(&t, 4, a, now + 10 * S), 10);
	/* An IPv6 network counts as one address. */
	for (int i = 0; i < 5; i++) {
		six[15] = (uint8_t)i;
		assert_int_equal(throttle_take(&t, 6, six, now), 0);
	}
	six[15] = 99;
	assert_true(throttle_take(&t, 6, six, now) > 0);
	six[7] = 1;
	assert_int_equal(throttle_take(&t, 6, six, now), 0);
}

static void
test_throttle_all(void **state)
{
	static struct throttle t = { .one = { 10 * S, 5 }, .all = { 1 * S, 30 } };
	uint8_t a[16] = { 198, 51, 100, 0 };
	int64_t now = 1000 * S;
	int allowed = 0;

	(void)state;
	/* Ten thousand addresses in a minute: 30, and one a second. */
	for (int i = 0; i < 10000; i++) {
		a[2] = (uint8_t)(i >> 8);
		a[3] = (uint8_t)i;
		allowed += !throttle_take(&t, 4, a, now + i * 6000LL);
	}
	assert_in_range(allowed, 88, 91);
}

/* ---- quota ---- */

static void
test_quota(void **state)
{
	static struct quota q = { .limits = { 100, 1000000 } };
	int64_t now = 5000 * S, wall = 1790000000 * S;
	int64_t day_left_s = 86400 - wall / S % 86400;

	(void)state;
	assert_int_equal(quota_wait_s(&q, "gw", now, wall), 0);
	quota_charge(&q, "gw", 6000, 1000, now, wall); /* a minute's worth */
	assert_int_equal(quota_wait_s(&q, "gw", now, wall), 1);
	assert_int_equal(quota_wait_s(&q, "other", now, wall), 0);
	assert_int_equal(quota_wait_s(&q, "gw", now + S, wall), 0);
	quota_charge(&q, "gw", 1000, 999000, now + S, wall);
	assert_int_equal(quota_find(&q, "gw")->bytes_today, 1000000);
	assert_int_equal(quota_find(&q, "gw")->reports_today, 7000);
	assert_int_equal(quota_wait_s(&q, "gw", now + 100 * S, wall), day_left_s + 1);
	assert_int_equal(quota_wait_s(&q, "gw", now + 100 * S, wall + day_left_s * S), 0);
	assert_int_equal(quota_find(&q, "gw")->refused, 2);
	assert_null(quota_find(&q, "nobody"));
	q.limits = (struct quota_limits){ 0, 0 };
	quota_charge(&q, "gw", INT32_MAX, INT32_MAX, now, wall);
	assert_int_equal(quota_wait_s(&q, "gw", now, wall), 0);
}

static void
test_quota_full(void **state)
{
	static struct quota q = { .limits = { 1, 0 } };
	char name[20];

	(void)state;
	for (int i = 0; i < QUOTA_SENSORS + 10; i++) {
		snprintf(name, sizeof name, "s%d", i);
		quota_charge(&q, name, 1, 1, S, (1000 + i) * S);
	}
	assert_int_equal(q.n, QUOTA_SENSORS);
	assert_null(quota_find(&q, "s0"));
	assert_null(quota_find(&q, "s9"));
	assert_non_null(quota_find(&q, "s10"));
	assert_non_null(quota_find(&q, name));
}

/* ---- forms ---- */

static int
read_form(const char *body, char text[8], int64_t *number, char why[100])
{
	struct form_field fields[] = {
		{ .name = "name", .text = text, .size = 8, .needed = 1 },
		{ .name = "n", .number = number, .min = 1, .max = 10 },
	};

	return form_read(body, strlen(body), fields, 2, why, 100);
}

static void
test_form(void **state)
{
	static const char *const bad[][2] = {
		{ "", "the body must be a JSON object" }, { "{", "the body must be" }, { "[]", "must be an object" }, { "1", "must be an object" },
		{ "\"name\"", "must be an object" }, { "null", "must be an object" }, { "{}", "name: is missing" }, { "{\"n\":1}", "name: is missing" },
		{ "{\"name\":\"a\",\"name\":\"a\"}", "name: is there twice" }, { "{\"name\":\"a\",\"x\":1}", "unknown field" },
		{ "{\"name\":1}", "name: must be a text" }, { "{\"name\":null}", "name: must be" }, { "{\"name\":true}", "name: must be" },
		{ "{\"name\":[\"a\"]}", "name: must be" }, { "{\"name\":{\"name\":\"a\"}}", "name: must be" }, { "{\"name\":\"12345678\"}", "name: is too long" },
		{ "{\"name\":\"a\\u0000b\"}", "name: has a NUL" }, { "{\"name\":\"a\",\"n\":0}", "n: must be from 1 to 10" },
		{ "{\"name\":\"a\",\"n\":11}", "n: must be from" }, { "{\"name\":\"a\",\"n\":1.5}", "n: must be" }, { "{\"name\":\"a\",\"n\":\"1\"}", "n: must be a number" },
		{ "{\"name\":\"a\"}x", "the body must be" }, { "{\"name\":\"a\"}{}", "the body must be" }, { "{\"name\":\"\xff\"}", "the body must be" },
		{ "{\"name\":\"a\",\"n\":99999999999999999999}", "the body must be" },
	};
	char text[8], why[100];
	int64_t n = 3;

	(void)state;
	assert_int_equal(read_form("{\"name\":\"\\u00e5 b\"}", text, &n, why), 0);
	assert_string_equal(text, "\xc3\xa5 b");
	assert_int_equal(n, 3);
	assert_int_equal(read_form(" {\"n\": 10, \"name\": \"1234567\"} ", text, &n, why), 0);
	assert_int_equal(n, 10);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		if (!read_form(bad[i][0], text, &n, why) || !strstr(why, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], why);
	}
}

/* ---- the file ---- */

static char folder[] = "/tmp/ng-gate-XXXXXX";

static void
test_access(void **state)
{
	char code[ACCESS_CODE_LEN + 1], second[ACCESS_CODE_LEN + 1], sensor[ACCESS_NAME_MAX + 1] = "";
	char token[ACCESS_TOKEN_LEN + 1], other[ACCESS_TOKEN_LEN + 1], hash[ACCESS_PASSWORD_MAX], path[100], err[300];
	struct access *a, *beside;
	int64_t changed_us;

	(void)state;
	snprintf(path, sizeof path, "%s/x.db", folder);
	assert_false(access_made(path));
	assert_int_equal(access_open(&a, path, err, sizeof err), 0);
	assert_true(access_made(path));
	assert_int_equal(access_open(&beside, path, err, sizeof err), 0);
	assert_false(access_has_sensors(a));
	assert_false(access_has_users(a));

	assert_int_equal(access_code_new(beside, "gw", "test", 100, 200, code), 0);
	assert_int_equal(strlen(code), ACCESS_CODE_LEN);
	assert_int_equal(access_enrol(a, "x", 150, sensor, token), -ENOENT);
	assert_int_equal(access_enrol(a, code, 200, sensor, token), -ENOENT); /* too late */
	assert_int_equal(access_code_new(beside, "gw", "test", 100, 200, code), 0);
	assert_int_equal(access_code_new(beside, "gw", "test", 100, 200, second), 0);
	assert_int_equal(access_enrol(a, code, 150, sensor, token), -ENOENT); /* the newer one ended it */
	assert_int_equal(access_enrol(a, second, 150, sensor, token), 0);
	assert_string_equal(sensor, "gw");
	assert_int_equal(access_enrol(a, second, 150, sensor, other), -ENOENT);
	assert_true(access_has_sensors(beside));

	sensor[0] = 0;
	assert_int_equal(access_token(beside, token, sensor), 0);
	assert_string_equal(sensor, "gw");
	token[3] ^= 1;
	assert_int_equal(access_token(a, token, sensor), -ENOENT);
	token[3] ^= 1;
	assert_int_equal(access_code_new(a, "gw", "test", 100, 200, code), 0);
	assert_int_equal(access_token(a, token, sensor), 0); /* good until the code is used */
	assert_int_equal(access_enrol(a, code, 150, sensor, other), 0);
	assert_int_equal(access_token(a, token, sensor), -ENOENT);
	assert_int_equal(access_revoke(beside, "gw", 300, 0), 1);
	assert_int_equal(access_token(a, other, sensor), -EACCES);
	assert_int_equal(access_revoke(a, "gw", 300, 0), 0);
	assert_int_equal(access_revoke(a, "never", 300, 0), 0);
	assert_int_equal(access_sensor_state(a, "never"), 0);
	assert_int_equal(access_revoke(a, "never", 300, 1), 1);
	assert_int_equal(access_sensor_state(a, "never"), -EACCES);

	assert_int_equal(access_user(a, "anna", hash, &changed_us), -ENOENT);
	assert_int_equal(access_user_set(beside, "anna", "$argon2id$x", 7), 0);
	assert_int_equal(access_user(a, "anna", hash, &changed_us), 0);
	assert_string_equal(hash, "$argon2id$x");
	assert_int_equal(changed_us, 7);
	assert_true(access_has_users(a));
	assert_int_equal(access_user_remove(beside, "anna"), 1);
	assert_int_equal(access_user_remove(beside, "anna"), 0);
	assert_false(access_has_users(a));
	access_close(beside);
	access_close(a);
}

static void
test_access_codes_bounded(void **state)
{
	char code[ACCESS_CODE_LEN + 1], path[100], name[20], err[300];
	struct access *a;

	(void)state;
	snprintf(path, sizeof path, "%s/many.db", folder);
	assert_int_equal(access_open(&a, path, err, sizeof err), 0);
	sqlite3_exec(a->db, "PRAGMA synchronous = OFF", NULL, NULL, NULL);
	for (int i = 0; i < ACCESS_CODES_MAX; i++) {
		snprintf(name, sizeof name, "s%d", i);
		assert_int_equal(access_code_new(a, name, "test", 100, 200, code), 0);
	}
	assert_int_equal(access_code_new(a, "one-more", "test", 100, 200, code), -ENOSPC);
	assert_int_equal(access_code_new(a, "one-more", "test", 200, 300, code), 0); /* the others are over */
	access_close(a);
}

static void
add_sent(void *arg, const struct access_sent *s)
{
	char *text = arg;
	size_t n = strlen(text);

	snprintf(text + n, 200 - n, "%s %lld %lld %lld,", s->sensor, (long long)s->last_us, (long long)s->reports,
		 (long long)s->bytes);
}

static void
test_sent(void **state)
{
	char path[100], err[300], text[200] = "";
	struct access *a;
	int64_t sync = 0;

	(void)state;
	snprintf(path, sizeof path, "%s/x.db", folder);
	assert_int_equal(access_open(&a, path, err, sizeof err), 0);
	assert_int_equal(dbfile_exec(a->db, "DROP TABLE sent"), 0); /* a file of before */
	access_close(a);
	assert_int_equal(access_open(&a, path, err, sizeof err), 0);
	assert_int_equal(access_sent(a, 10, add_sent, text), 0);
	assert_string_equal(text, "");
	assert_int_equal(access_sent_put(a, &(struct access_sent){ "a", 100, 1, 10 }), 0);
	assert_int_equal(access_sent_put(a, &(struct access_sent){ "b", 300, 2, 20 }), 0);
	assert_int_equal(access_sent_put(a, &(struct access_sent){ "c", 200, 3, 30 }), 0);
	assert_int_equal(access_sent_put(a, &(struct access_sent){ "a", 400, 4, 40 }), 0);
	assert_int_equal(dbfile_int(a->db, "PRAGMA synchronous", &sync), 0);
	assert_int_equal(sync, 2); /* the others' changes wait for the disk */
	access_close(a);
	assert_int_equal(access_open(&a, path, err, sizeof err), 0);
	assert_int_equal(access_sent(a, 2, add_sent, text), 0);
	assert_string_equal(text, "a 400 4 40,b 300 2 20,");
	text[0] = 0;
	assert_int_equal(access_sent(a, 10, add_sent, text), 0);
	assert_string_equal(text, "a 400 4 40,b 300 2 20,");
	access_close(a);
}

static void
test_access_damaged(void **state)
{
	char path[100], err[300];
	struct access *a;
	FILE *f;

	(void)state;
	snprintf(path, sizeof path, "%s/bad.db.access", folder);
	f = fopen(path, "w");
	for (int i = 0; i < 8192; i++)
		fputc("SQLite format 3"[i % 15], f);
	fclose(f);
	path[strlen(path) - strlen(".access")] = 0;
	assert_true(access_open(&a, path, err, sizeof err) < 0);
	assert_null(a);
	assert_non_null(strstr(err, "bad.db.access"));
	path[strlen(path)] = '.';
	assert_int_equal(access(path, F_OK), 0); /* it lies where it lay */
}

static int
make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int
remove_folder(void **state)
{
	static const char *const names[] = { "x.db.access", "many.db.access", "bad.db.access" };
	static const char *const ends[] = { "", "-wal", "-shm" };
	char path[100];

	(void)state;
	for (int i = 0; i < 9; i++) {
		snprintf(path, sizeof path, "%s/%s%s", folder, names[i / 3], ends[i % 3]);
		unlink(path);
	}
	return rmdir(folder);
}

static void
test_names(void **state)
{
	(void)state;
	assert_true(access_user_name_ok("anna@example.org"));
	assert_false(access_user_name_ok(""));
	assert_false(access_user_name_ok(".a"));
	assert_false(access_user_name_ok("a b"));
	assert_false(access_user_name_ok("a\xc3\xa5"));
	assert_false(access_user_name_ok("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cookie), cmocka_unit_test(test_session), cmocka_unit_test(test_session_full),
		cmocka_unit_test(test_throttle), cmocka_unit_test(test_throttle_all), cmocka_unit_test(test_quota),
		cmocka_unit_test(test_quota_full), cmocka_unit_test(test_form), cmocka_unit_test(test_access),
		cmocka_unit_test(test_access_codes_bounded), cmocka_unit_test(test_sent), cmocka_unit_test(test_access_damaged),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
