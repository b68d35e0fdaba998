/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The settings that the parent writes for the prober.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../src/prober/settings.c"
#include "settings_read.h"

static void
test_defaults(void **state)
{
	(void)state;
	assert_int_equal(read_string("send=udp6 7\nroute=8"), 0);
	for (int k = 0; k < SETTINGS_KINDS; k++)
		assert_int_equal(s.send_fd[k], k == SETTINGS_UDP6 ? 7 : -1);
	assert_int_equal(s.route_fd, 8);
	assert_int_equal(s.nflog_fd, -1);
	assert_int_equal(s.listen_fd, -1);
	assert_int_equal(s.mark, PROBER_MARK);
	assert_int_equal(s.n_home + s.n_exclude, 0);
	assert_int_equal(s.any_target, 0);
	assert_int_equal(s.probe_rate, 100);
	assert_int_equal(s.trace_rate, 5);
	assert_int_equal(s.prefix_budget, 32);
	assert_int_equal(s.traces, 64);
	assert_int_equal(s.verbose, LOG_L_INFO);
}

static void
test_all(void **state)
{
	(void)state;
	assert_int_equal(read_string("verbose=3\nversion=0.1 x=y\nsend=tcp4 7\nsend=tcp6 8\nsend=udp4 9\nsend=udp6 10\n"
				     "send=icmp4 11\nsend=icmp6 12\nsend=tcpx4 13\nsend=tcpx6 14\nroute=15\nnflog=104 16\n"
				     "\nlisten=17\nmark=4294967295\nhome=10.0.0.0/8\nhome=fd00::/8\nexclude=192.0.2.7\n"
				     "any-target=yes\nprobe-rate=1000\ntrace-rate=1000000\nprefix-budget=1000000\n"
				     "traces=4096\nfrom-a-newer-parent=x\n"), 0);
	for (int k = 0; k < SETTINGS_KINDS; k++)
		assert_int_equal(s.send_fd[k], 7 + k);
	assert_int_equal(s.route_fd, 15);
	assert_int_equal(s.nflog_group, 104);
	assert_int_equal(s.nflog_fd, 16);
	assert_int_equal(s.listen_fd, 17);
	assert_int_equal(s.mark, 4294967295);
	assert_int_equal(s.n_home, 2);
	assert_int_equal(s.home[1].ipv, 6);
	assert_int_equal(s.n_exclude, 1);
	assert_int_equal(s.exclude[0].len, 32);
	assert_int_equal(s.any_target, 1);
	assert_int_equal(s.probe_rate, 1000);
	assert_int_equal(s.trace_rate, 1000000);
	assert_int_equal(s.prefix_budget, 1000000);
	assert_int_equal(s.traces, 4096);
	assert_int_equal(s.verbose, LOG_L_DEBUG);
}

static void
test_refused(void **state)
{
	static const char *const lines[] = {
		"send=tcp4", "send=tcp4 ", "send=tcp5 7", "send=tcp4 6", "send=tcp4 1024", "send=tcp4 9x", "send=tcp4 9 ",
		"send=tcp4  9", "send=tcp4 -9", "send=tcp4 9\nsend=tcp4 10", "send=tcp49", "route=9", "route=9 9", "route=",
		"nflog=9", "nflog=65536 9", "nflog=1 9 9", "nflog=-1 9", "nflog=1 9\nnflog=2 10", "listen=x", "listen= 9",
		"mark=0x4e000000", "mark=4294967296", "mark=-1", "mark=+1", "home=10.0.0.1/8", "home=x", "home=",
		"exclude=::/129", "any-target=1", "any-target=", "probe-rate=0", "probe-rate=1000001", "trace-rate=0",
		"prefix-budget=0", "prefix-budget=1000001", "traces=0", "traces=4097", "traces=1 ", "traces=99999999999999999999",
		"verbose=4", "verbose=-1", "traces", NULL,
	};
	char text[200];

	(void)state;
	for (int i = 0; lines[i]; i++) {
		snprintf(text, sizeof text, "send=icmp4 7\nroute=8\n%s\n", lines[i]);
		if (!read_string(text))
			fail_msg("taken: %s", lines[i]);
		assert_non_null(strstr(err, "settings: cannot use "));
	}
	/* Each line is right, and together they are not. */
	assert_int_equal(read_string("send=icmp4 7\nroute=7"), -1);
	assert_string_equal(err, "settings: descriptor 7 is named twice");
	assert_int_equal(read_string("send=icmp4 7\nsend=icmp6 7\nroute=8"), -1);
	assert_int_equal(read_string("send=icmp4 7\nroute=8\nnflog=1 9\nlisten=9"), -1);
	assert_int_equal(read_string("route=8"), -1);
	assert_string_equal(err, "settings: a send= and a route= are needed");
	assert_int_equal(read_string("send=icmp4 7"), -1);
	assert_int_equal(read_string(""), -1);
}

static void
test_too_much(void **state)
{
	static char text[SETTINGS_MAX + 10];
	size_t n = (size_t)snprintf(text, sizeof text, "send=icmp4 7\nroute=8\n"), start = n;

	(void)state;
	for (int i = 0; i < SETTINGS_PREFIXES_MAX; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "home=10.0.%d.0/24\n", i);
	assert_int_equal(read_text(text, n), 0);
	assert_int_equal(s.n_home, SETTINGS_PREFIXES_MAX);
	n += (size_t)snprintf(text + n, sizeof text - n, "home=fd00::/8\n");
	assert_int_equal(read_text(text, n), -1);
	assert_string_equal(err, "settings: cannot use home=fd00::/8");
	memset(text + start, '\n', sizeof text - start);
	assert_int_equal(read_text(text, SETTINGS_MAX - 1), 0);
	assert_int_equal(read_text(text, SETTINGS_MAX), -1);
	assert_non_null(strstr(err, "no usable settings"));
	text[100] = 0;
	assert_int_equal(read_text(text, 200), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_much),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
