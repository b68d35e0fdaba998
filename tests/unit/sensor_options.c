/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.c: the checks of its own, and which origin wins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../src/sensor/options.c"

static char err[600];
static struct options_flags flags;
static const char *path;

static struct conf *
load(const char *line)
{
	char *copy = strdup(line), *argv[80] = { (char *)"net-gazer" }, *p = copy;
	struct conf *c;
	int argc = 1;

	while (*line && (argv[argc] = strsep(&p, " ")))
		argc++;
	c = options_load(argc, argv, NULL, 0, 0, &flags, &path, err, sizeof err);
	free(copy);
	return c;
}

static void
good(const char *option, const char *value)
{
	struct conf *c = conf_new(options_table, options_n, NULL, 0);

	if (conf_set(c, option, value, "test", err, sizeof err))
		fail_msg("%s", err);
	conf_free(c);
}

static void
bad(const char *option, const char *value, const char *want)
{
	struct conf *c = conf_new(options_table, options_n, NULL, 0);

	err[0] = 0;
	if (!conf_set(c, option, value, "test", err, sizeof err))
		fail_msg("%s = %s was taken", option, value);
	if (!strstr(err, want))
		fail_msg("\"%s\" does not say \"%s\"", err, want);
	conf_free(c);
}

static void
test_checks(void **state)
{
	(void)state;
	good("sensor", "a");
	good("sensor", "Gate-1.lan_x");
	bad("sensor", "-a", "a letter or digit first");
	bad("sensor", ".a", "a letter or digit first");
	bad("sensor", "a b", "a letter or digit first");
	bad("sensor", "g\xc3\xa4", "a letter or digit first");
	bad("sensor", "", "1 to 64");
	good("home", "10.0.0.0/8,::/0,192.0.2.1");
	bad("home", "10.0.0.1/8", "bits behind the length are zero");
	bad("home", "lan", "a prefix such as");
	good("iface", "eth0.5,br-lan");
	bad("iface", "a/b", "the name of an interface");
	bad("iface", "a b", "the name of an interface");
	bad("iface", "aaaaaaaaaaaaaaaa", "1 to 15 characters");
	good("plugins", "handshake,/opt/x y.so,a-b_9");
	bad("plugins", "../x", "absolute path");
	bad("plugins", "x.so", "absolute path");
	bad("plugins", "Handshake", "absolute path");
	bad("plugins", "/x\n/y", "absolute path");
	bad("plugins", "a2345678901234567890123456789012", "absolute path");
	good("collector-url", "http://[::1]:8080/");
	good("collector-url", "https://c");
	bad("collector-url", "ftp://c/", "a URL such as");
	bad("collector-url", "https://", "a URL such as");
	bad("collector-url", "https:///x", "a URL such as");
	bad("collector-url", "https://a b/", "a URL such as");
	bad("collector-url", "https://a\n/", "a URL such as");
	bad("collector-url", "http://127.0.0.1:99999/", "without user, password and #");
	bad("output", "a\nb", "control characters");
	bad("output", "", "1 to");
	bad("user", "a\x7f", "control characters");
	bad("rules", "both", "own|include");
	bad("nflog-group", "65532", "0 to 65531");
	good("prober", "auto");
	bad("prober", "on", "auto|yes|no");
	bad("probe-rate", "0", "1 to 100000");
	bad("trace-rate", "10001", "1 to 10000");
	bad("trace-limit", "1025", "1 to 1024");
	bad("prefix-budget", "0", "1 to 65535");
	bad("prefix-budget", "65536", "1 to 65535");
	good("trace-exclude", "192.0.2.0/24,2001:db8::/32,203.0.113.9");
	bad("trace-exclude", "192.0.2.1/24", "bits behind the length are zero");
	bad("trace-exclude", "example.org", "a prefix such as");
	good("probe-mark", "0x4e000000");
	good("probe-mark", "0XFFFFFFFF");
	good("probe-mark", "010");
	bad("probe-mark", "0x", "1 to 4294967295");
	bad("probe-mark", "4e000000", "1 to 4294967295");
	bad("probe-mark", "0x0", "1 to 4294967295");
	bad("probe-mark", "0x100000000", "1 to 4294967295");
	good("runtime-dir", "/run/net-gazer");
	bad("runtime-dir", "run", "an absolute path");
	bad("runtime-dir", "/run\n", "control characters");
	bad("flows", "1023", "1024 to 1048576");
	bad("receive-buffer", "67108865", "212992 to 67108864");
}

static void
test_mark(void **state)
{
	static const struct { const char *text; int64_t value; } cases[] = {
		{ "0x4e000000", 0x4e000000 }, { "1308622848", 0x4e000000 }, { "0XfF", 255 }, { "010", 10 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct conf *c = conf_new(options_table, options_n, NULL, 0);

		assert_int_equal(conf_set(c, "probe-mark", cases[i].text, "test", err, sizeof err), 0);
		assert_int_equal(conf_int(c, "probe-mark"), cases[i].value);
		conf_free(c);
	}
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < options_n; i++) {
		const struct conf_option *o = &options_table[i];

		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(o->name, options_table[k].name);
		/* What goes into a line of settings is checked for what would end the line. */
		if (o->type == CONF_STR || o->type == CONF_LIST)
			assert_true(o->check || o->values);
		assert_true(strlen(o->help) > 5);
		assert_null(strchr(o->help, '\t'));
	}
}

static void
test_sensor_name(void **state)
{
	static const struct { const char *host, *name; } cases[] = {
		{ "router", "router" }, { "my router.lan", "my-router.lan" }, { "-.x", "x" }, { "", "sensor" },
		{ "---", "sensor" }, { "\xc3\xa4" "b\n", "b-" }, { "a_b", "a_b" },
		{ "0123456789012345678901234567890123456789012345678901234567890123456789",
		  "0123456789012345678901234567890123456789012345678901234567890123" },
	};
	char out[65];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		options_sensor_name(out, cases[i].host);
		assert_string_equal(out, cases[i].name);
	}
}

static void
test_load(void **state)
{
	char file[] = "/tmp/ng-unit-options-XXXXXX", line[200];
	int fd = mkstemp(file);
	struct conf *c;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "flows = 2048\niface = {\"file\"}\nverbose = 1\n", 42), 42);
	close(fd);
	unsetenv("NG_IFACE");
	setenv("NG_CONFIG", file, 1);
	c = load("");
	assert_non_null(c);
	assert_string_equal(path, file);
	assert_int_equal(conf_int(c, "flows"), 2048);
	assert_int_equal(conf_int(c, "verbose"), 1);
	conf_free(c);
	setenv("NG_IFACE", "env1,env2", 1);
	c = load("-v --flows 4096");
	assert_int_equal(conf_list_n(c, "iface"), 2);
	assert_int_equal(conf_int(c, "flows"), 4096);
	assert_int_equal(conf_int(c, "verbose"), 3);
	conf_free(c);
	setenv("NG_CONFIG", "/nonexistent/file", 1);
	assert_null(load(""));
	assert_string_equal(err, "/nonexistent/file: No such file or directory");
	snprintf(line, sizeof line, "-c %s -i cli -nv", file);
	c = load(line);
	assert_non_null(c);
	assert_int_equal(flags.usual.check, 1);
	assert_string_equal(conf_list(c, "iface", 0), "cli");
	conf_free(c);
	snprintf(line, sizeof line, "-c %s stray", file);
	assert_null(load(line));
	assert_non_null(strstr(err, "stray: net-gazer takes no arguments"));
	/* Help is given even where the rest is wrong. */
	c = load("-h");
	assert_non_null(c);
	assert_int_equal(flags.usual.help, 1);
	conf_free(c);
	unsetenv("NG_CONFIG");
	unsetenv("NG_IFACE");
	unlink(file);
}

static void
test_too_many(void **state)
{
	char line[600] = "-c /dev/null --plugins a0";
	struct conf *c;

	(void)state;
	for (int i = 1; i < WORKER_PLUGINS_MAX; i++)
		snprintf(line + strlen(line), sizeof line - strlen(line), ",a%d", i);
	c = load(line);
	assert_non_null(c);
	conf_free(c);
	strcat(line, ",b");
	assert_null(load(line));
	assert_string_equal(err, "command line --plugins: plugins has 17 entries, at most 16 are allowed");
	strcpy(line, "-c /dev/null");
	for (int i = 0; i < 17; i++)
		snprintf(line + strlen(line), sizeof line - strlen(line), " -i e%d", i);
	assert_null(load(line));
	assert_string_equal(err, "command line -i: iface has 17 entries, at most 16 are allowed");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checks), cmocka_unit_test(test_table), cmocka_unit_test(test_sensor_name),
		cmocka_unit_test(test_load), cmocka_unit_test(test_too_many), cmocka_unit_test(test_mark),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
