/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What is an address of a collector; and that libcurl takes whatever we take, as the same.
 */
#include "../../src/lib/url.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>
#include <curl/curl.h>

static void
test_table(void **state)
{
	static const char *const good[] = {
		"http://h", "https://h/", "https://a_b.c-d.example:8443/x/y?z=1", "http://h:1", "http://h:65535/", "http://h?x", "http://192.0.2.1:80",
		"http://[::1]", "http://[2001:db8::1]:8080/", "http://[fe80::1%eth0]:1/", "http://[::ffff:192.0.2.1]/", "http://h/a@b:c",
	};
	static const char *const bad[] = {
		"", "h", "h:80", "ftp://h/", "HTTP://h/", "http:/h", "http://", "http:///x", "http://:80/", "http://?x", "http://h:/", "http://h:0/",
		"http://h:x/", "http://h:65536/", "http://h:99999/", "http://h:4294967376/", "http://h:80x/", "http://h:-1/", "http://h: 1/",
		"http://u@h/", "http://user:pw@h/", "http://u:1@h/", "http://h/#x", "http://h#x", "http://h\\x", "http://h h/", "http://h/ ", "http://h/\n",
		"http://h/\x7f", "http://h\xc3\xa4/", "http://[::1/", "http://[::1", "http://[", "http://[]/", "http://[192.0.2.1]/", "http://[::x]/",
		"http://[::1]x/", "http://[::1]]/", "http://[fe80::1%]/", "http://[fe80::1%/]/", "http://[fe80::1%abcdefghijklmnop]/",
		"http://[1:2:3:4:5:6:7:8:9:a:b:c:d:e:f:0:1:2:3:4:5:6:7:8:9]/", "http://h%20/", "http://a,b/",
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		if (!url_ok(good[i]))
			fail_msg("%s is refused", good[i]);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		if (url_ok(bad[i]))
			fail_msg("%s is taken", bad[i]);
	}
}

/* curl finds a host in it, no user, no password and no fragment. */
static void
as_curl_does(const char *text)
{
	static const CURLUPart none[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_FRAGMENT };
	CURLU *u = curl_url();
	char *part = NULL;
	CURLUcode r = curl_url_set(u, CURLUPART_URL, text, 0);

	if (r)
		fail_msg("curl does not take %s: %s", text, curl_url_strerror(r));
	for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
		if (!curl_url_get(u, none[i], &part, 0))
			fail_msg("%s: curl sees %s", text, part);
	}
	assert_int_equal(curl_url_get(u, CURLUPART_HOST, &part, 0), 0);
	assert_true(part[0]);
	curl_free(part);
	curl_url_cleanup(u);
}

static void
test_curl(void **state)
{
	static const char *const word[] = { "h", "1", "99", "65536", "[", "]", "::1", "[::1]", "%", "e0", ":", "@", "/", "?", "#", ".", "-", "fe80::", "\\", "x=" };
	unsigned taken = 0, seed = 7;

	(void)state;
	for (int i = 0; i < 300000; i++) {
		char text[100] = "http://";

		for (int n = i % 8; n >= 0; n--) {
			seed = seed * 1103515245 + 12345;
			strcat(text, word[(seed >> 16) % (sizeof word / sizeof word[0])]);
		}
		if (url_ok(text)) {
			taken++;
			as_curl_does(text);
		}
	}
	print_message("%u of 300000 were good ones\n", taken);
	assert_true(taken > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_table), cmocka_unit_test(test_curl) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
