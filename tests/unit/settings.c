/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The settings that the parent writes for the analyzer.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../src/analyzer/settings.c"
#include "settings_read.h"

static void
test_defaults(void **state)
{
	(void)state;
	assert_int_equal(read_string(""), 0);
	assert_string_equal(s.sensor, "unnamed");
	assert_string_equal(s.boot, "00000000");
	assert_int_equal(s.flows, 16384);
	assert_int_equal(s.syn_timeout_us, 30000000);
	assert_int_equal(s.n_home + s.n_ifaces + s.n_groups + s.n_plugins + s.n_disabled + s.n_options, 0);
	assert_int_equal(s.replay_fd, -1);
	assert_int_equal(s.prober_fd, -1);
	settings_free(&s);
	settings_free(&s);
}

static void
test_all(void **state)
{
	(void)state;
	assert_int_equal(read_string("sensor=r 1=2\nboot=9f1c2ab0\nverbose=3\n\nflows=16\nsyn-timeout-ms=1500\n"
				     "version=1\nfrom-a-newer-parent=x\nhome=10.0.0.0/8\nhome=fd00::/8\n"
				     "iface=wan\niface=br-lan\nreplay=9 /tmp/a b.pcap\nprober=11\ngroup=100 1 7\n"
				     "group=65535 255 1023\nplugin=8 /usr/lib/x y.so\ndisabled=demo\n"
				     "option=demo greeting hello  world=1\noption=demo interval\n"
				     "option=demo empty "), 0);
	assert_string_equal(s.sensor, "r 1=2");
	assert_string_equal(s.boot, "9f1c2ab0");
	assert_int_equal(s.verbose, 3);
	assert_int_equal(s.flows, 16);
	assert_int_equal(s.syn_timeout_us, 1500000);
	assert_int_equal(s.n_home, 2);
	assert_int_equal(s.home[0].ipv, 4);
	assert_int_equal(s.home[0].len, 8);
	assert_int_equal(s.home[1].ipv, 6);
	assert_int_equal(s.n_ifaces, 2);
	assert_string_equal(s.ifaces[0], "wan");
	assert_string_equal(s.ifaces[1], "br-lan");
	assert_int_equal(s.replay_fd, 9);
	assert_int_equal(s.prober_fd, 11);
	assert_string_equal(s.replay_path, "/tmp/a b.pcap");
	assert_int_equal(s.n_groups, 2);
	assert_int_equal(s.groups[0].group, 100);
	assert_int_equal(s.groups[0].classes, 1);
	assert_int_equal(s.groups[0].fd, 7);
	assert_int_equal(s.groups[1].group, 65535);
	assert_int_equal(s.groups[1].fd, 1023);
	assert_int_equal(s.n_plugins, 1);
	assert_int_equal(s.plugins[0].fd, 8);
	assert_string_equal(s.plugins[0].path, "/usr/lib/x y.so");
	assert_int_equal(s.n_disabled, 1);
	assert_string_equal(s.disabled[0], "demo");
	assert_int_equal(s.n_options, 3);
	assert_string_equal(s.options[0].plugin, "demo");
	assert_string_equal(s.options[0].name, "greeting");
	assert_string_equal(s.options[0].value, "hello  world=1");
	assert_string_equal(s.options[1].name, "interval");
	assert_string_equal(s.options[1].value, "");
	assert_string_equal(s.options[2].value, "");
	settings_free(&s);
}

static void
test_errors(void **state)
{
	static const char *const bad[] = {
		"sensor",	      "=x=",		    "flows=15",		"flows=16777217",
		"flows=",	      "flows=x",	    "flows=99999999999999999999", "flows=16x",
		"verbose=4",	      "verbose=-1",	    "syn-timeout-ms=0", "syn-timeout-ms=3600001",
		"home=10.0.0.1/8",    "home=",		    "home=10.0.0.0/33", "group=65536 1 7",
		"group=1 1 6",	      "group=1 1",	    "group=1",		"group=-1 1 7",
		"group=1 256 7",      "group=1 1 1024",	    "plugin=x /y",	"plugin=1024 /y",
		"option=demo",	      "replay=x /y",	    "replay=-2 /y",		"prober=6",
		"prober=1024",	      "prober=",	    "prober=7 8",
	};
	static const char *const key_only[] = { "=x=" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		int unknown = 0;

		for (size_t k = 0; k < sizeof key_only / sizeof *key_only; k++)
			unknown |= !strcmp(bad[i], key_only[k]); /* an unknown key is passed over */
		if (read_string(bad[i]) != (unknown ? 0 : -1))
			fail_msg("%s", bad[i]);
		if (!unknown)
			assert_memory_equal(err, "settings: cannot use ", 21);
		settings_free(&s);
	}
}

static void
test_too_many(void **state)
{
	static const struct {
		const char *line;
		unsigned max;
	} lists[] = {
		{ "home=10.0.0.0/8\n", SETTINGS_HOME_MAX },	{ "iface=wan\n", SETTINGS_IFACES_MAX },
		{ "group=1 1 7\n", WORKER_GROUPS_MAX },		{ "plugin=8 /x\n", WORKER_PLUGINS_MAX },
		{ "disabled=demo\n", WORKER_PLUGINS_MAX },	{ "option=a b c\n", SETTINGS_OPTIONS_MAX },
	};

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		for (unsigned n = lists[i].max; n <= lists[i].max + 1; n++) {
			static char text[8192];

			text[0] = 0;
			for (unsigned k = 0; k < n; k++)
				strcat(text, lists[i].line);
			assert_int_equal(read_string(text), n <= lists[i].max ? 0 : -1);
			settings_free(&s);
		}
	}
}

static void
test_no_descriptor(void **state)
{
	(void)state;
	assert_int_equal(settings_read(&s, -1, err, sizeof err), -1);
	assert_non_null(strstr(err, "net-gazer(8)"));
	settings_free(&s);
}

/* What is cut off is not half a setting. */
static void
test_too_long(void **state)
{
	size_t n = SETTINGS_MAX + 10;
	char *text = malloc(n);

	(void)state;
	assert_non_null(text);
	memset(text, '\n', n);
	memcpy(text + SETTINGS_MAX - 8, "flows=160\n", 10);
	assert_int_equal(read_text(text, n), -1);
	settings_free(&s);
	assert_int_equal(read_text(text, SETTINGS_MAX - 8), 0);
	settings_free(&s);
	free(text);
}

static void
test_nul(void **state)
{
	(void)state;
	/* It ends a text in C: what stands behind it must not get lost in silence. */
	assert_int_equal(read_text("sensor=a\0b\nflows=99\n", 20), -1);
	settings_free(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_all),
		cmocka_unit_test(test_errors),	 cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_no_descriptor), cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_nul),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
