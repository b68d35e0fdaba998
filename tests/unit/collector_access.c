/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Who may speak to the collector: collector/hosts.c (names), collector/token.c (tokens).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include <fcntl.h>

#include "../../src/collector/hosts.c"
#include "../../src/collector/token.c"

static void
test_hosts(void **state)
{
	static const char *const yes[] = { "localhost:8080", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080",
					   "192.168.1.1:8080", "gate.lan", "gate.lan:8080", "proxy.example:8443",
					   "[fd00::1]", "[fd00::1]:8080" };
	static const char *const no[] = { "", "localhost", "127.0.0.1", "localhost:8081", "localhost:80801",
					  "evil.test:8080", "localhost:8080.evil.test", "localhost.:8080",
					  "localhost:8080 ", " localhost:8080", "127.0.0.1.nip.io:8080",
					  "proxy.example", "gate.lan:80", "0.0.0.0:8080", "localhost:08080",
					  "127.1:8080", "2130706433:8080", "x@localhost:8080" };
	struct hosts h;

	(void)state;
	hosts_init(&h, "192.168.1.1", 8080);
	assert_int_equal(hosts_add(&h, "gate.lan", 8080), 0);
	assert_int_equal(hosts_add(&h, "proxy.example:8443", 8080), 0);
	assert_int_equal(hosts_add(&h, "[fd00::1]", 8080), 0);
	for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
		char origin[100];

		if (!hosts_known(&h, yes[i]))
			fail_msg("%s is not known", yes[i]);
		snprintf(origin, sizeof origin, "http://%s", yes[i]);
		assert_true(hosts_origin_known(&h, origin));
		snprintf(origin, sizeof origin, "https://%s", yes[i]);
		assert_true(hosts_origin_known(&h, origin));
		snprintf(origin, sizeof origin, "ftp://%s", yes[i]);
		assert_false(hosts_origin_known(&h, origin));
		snprintf(origin, sizeof origin, "http://%s/", yes[i]);
		assert_false(hosts_origin_known(&h, origin));
	}
	for (size_t i = 0; i < sizeof no / sizeof *no; i++) {
		if (hosts_known(&h, no[i]))
			fail_msg("%s is known", no[i]);
	}
	assert_false(hosts_origin_known(&h, "null"));
}

static void
test_hosts_ports_and_limit(void **state)
{
	char name[300];
	struct hosts h;
	int added = 0;

	(void)state;
	hosts_init(&h, "::1", 80);
	assert_true(hosts_known(&h, "localhost") && hosts_known(&h, "[::1]") && hosts_known(&h, "[::1]:80"));
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "h%d.lan:1", i);
		added += !hosts_add(&h, name, 80);
	}
	assert_true(added > 60 && added < HOSTS_MAX);
	hosts_init(&h, "127.0.0.1", 1);
	memset(name, 'a', 290);
	name[290] = 0;
	assert_int_equal(hosts_add(&h, name, 1), -1);
}

static char path[] = "/tmp/ng-token-XXXXXX";

static struct token_list *
load(const char *text, mode_t mode, char err[300])
{
	int fd = open(path, O_WRONLY | O_TRUNC);

	err[0] = 0;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	fchmod(fd, mode);
	close(fd);
	return token_load(path, err, 300);
}

static void
test_tokens(void **state)
{
	char err[300];
	struct token_list *t;

	(void)state;
	t = load("# sensors\n\n  ng1_r00001_0123456789abcdef \nng1_r00002_0123456789abcdef\r\n", 0600, err);
	assert_non_null(t);
	assert_true(token_known(t, "ng1_r00001_0123456789abcdef"));
	assert_true(token_known(t, "ng1_r00002_0123456789abcdef"));
	assert_false(token_known(t, "ng1_r00002_0123456789abcdeF"));
	assert_false(token_known(t, "ng1_r00002_0123456789abcde"));
	assert_false(token_known(t, "ng1_r00002_0123456789abcdef "));
	assert_false(token_known(t, ""));
	assert_false(token_known(t, "# sensors"));
	token_free(t);
	token_free(NULL);
}

static void
test_token_files(void **state)
{
	static const struct {
		const char *text;
		mode_t mode;
		const char *says;
	} bad[] = {
		{ "0123456789abcdef\n", 0640, "chmod 600" },
		{ "0123456789abcdef\n", 0604, "chmod 600" },
		{ "0123456789abcdef\nshort\n", 0600, ":2: a token has 16" },
		{ "0123456789 abcdef\n", 0600, ":1: a token has 16" },
		{ "0123456789abcde\x01\n", 0600, ":1: a token has 16" },
		{ "# nothing\n", 0600, "no token in it" },
		{ "", 0600, "no token in it" },
	};
	char err[300];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_null(load(bad[i].text, bad[i].mode, err));
		if (!strstr(err, bad[i].says))
			fail_msg("%zu: %s", i, err);
		assert_null(strstr(err, "0123456789"));
	}
	assert_null(token_load("/nonexistent/token", err, sizeof err));
	assert_non_null(strstr(err, "No such file"));
	assert_null(token_load("/tmp", err, sizeof err));
}

static int
make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	return fd < 0 || close(fd);
}

static int
remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_hosts_ports_and_limit),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_token_files),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
