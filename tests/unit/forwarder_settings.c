/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Where reports are posted to, and the defaults.  The messages are tested in tests/forwarder.
 */
#include "../../src/forwarder/settings.c"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static int
parse(struct settings *s, const char *url, const char *more)
{
	char text[SETTINGS_PATH_MAX * 3], err[256];
	int r;

	snprintf(text, sizeof text, "# comment\n\nurl=%s\nsensor=r1\nboot=9f1c2ab0\n%s", url, more);
	r = settings_parse(s, text, "test", err, sizeof err);
	if (r)
		assert_true(strlen(err) > 5);
	return r;
}

static void
test_urls(void **state)
{
	static const char *const table[][2] = {
		{ "http://h", "http://h/v1/reports" },
		{ "http://h/", "http://h/v1/reports" },
		{ "https://h:8443", "https://h:8443/v1/reports" },
		{ "https://h:8443/x/y//", "https://h:8443/x/y/v1/reports" },
		{ "https://h/v1/reports", "https://h/v1/reports" },
		{ "https://h/x/v1/reports?a=b", "https://h/x/v1/reports?a=b" },
		{ "http://[::1]:8080/", "http://[::1]:8080/v1/reports" },
		{ "http://h?a=b", "http://h/v1/reports?a=b" },
		{ "http://h/v1/reports/", "http://h/v1/reports/v1/reports" },
		{ "HTTP://h", NULL }, { "http://", NULL }, { "h", NULL }, { "", NULL }, { "file:///etc/passwd", NULL },
		{ "ftp://h/", NULL }, { "http://h:99999/", NULL }, { "http://u@h/", NULL },
		{ "http://u:p@h/", NULL }, { "http://h/#f", NULL }, { "http://h h/", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct settings s;
		int r = parse(&s, table[i][0], "");

		if (!table[i][1] != !!r)
			fail_msg("%s: %d", table[i][0], r);
		if (!r)
			assert_string_equal(s.url, table[i][1]);
		assert_int_equal(!r && s.tls, !r && !strncmp(table[i][1], "https", 5));
		settings_wipe(&s);
	}
}

static void
test_defaults(void **state)
{
	struct settings s;

	(void)state;
	assert_int_equal(parse(&s, "http://h", ""), 0);
	assert_string_equal(s.version, VERSION);
	assert_string_equal(s.token, "");
	assert_string_equal(s.ca_file, "");
	assert_int_equal(s.verbose, 2);
	assert_int_equal(s.batch_lines, 1000);
	assert_int_equal(s.batch_bytes, 65536);
	assert_int_equal(s.batch_ms, 1000);
	assert_int_equal(s.queue_bytes, 1 << 20);
	settings_wipe(&s);
	assert_int_equal(parse(&s, "http://h", "queue-bytes=2097152\nverbose=0"), 0);
	assert_int_equal(s.queue_bytes, 2 << 20);
	assert_int_equal(s.verbose, 0);
	settings_wipe(&s);
	settings_wipe(&s);
}

static void
test_twice(void **state)
{
	struct settings s;

	(void)state;
	assert_int_equal(parse(&s, "http://h", "boot=00000000\n"), -EINVAL);
	settings_wipe(&s);
	assert_int_equal(parse(&s, "http://h", "no equal sign\n"), -EINVAL);
	settings_wipe(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_urls), cmocka_unit_test(test_defaults),
					    cmocka_unit_test(test_twice) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
