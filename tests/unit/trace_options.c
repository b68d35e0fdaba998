/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The command line of `net-gazerctl trace`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/trace/options.c"

/* Words, separated by blanks, as a command line. */
static int
parse(struct trace_options *o, const char *line, char err[600])
{
	static char words[600];
	char *argv[32] = { (char *)"trace" }, *p = words, *word;
	int argc = 1;

	snprintf(words, sizeof words, "%s", line);
	while ((word = strsep(&p, " "))) {
		if (*word)
			argv[argc++] = word;
	}
	argv[argc] = NULL;
	err[0] = 0;
	return options_parse(o, argc, argv, err, 600);
}

static struct trace_options
good(const char *line)
{
	struct trace_options o;
	char err[600];

	if (parse(&o, line, err))
		fail_msg("%s: %s", line, err);
	return o;
}

static void
bad(const char *line, const char *says)
{
	struct trace_options o;
	char err[600];

	assert_int_equal(parse(&o, line, err), -1);
	if (!strstr(err, says))
		fail_msg("%s: \"%s\", not \"%s\"", line, err, says);
}

static void
test_defaults(void **state)
{
	struct trace_options o = good("example.org");

	(void)state;
	assert_string_equal(o.target.host, "example.org");
	assert_int_equal(o.method, PROBER_TCP_SYN);
	assert_int_equal(o.port, 443);
	assert_int_equal(o.max_ttl, 30);
	assert_int_equal(o.probes, 3);
	assert_int_equal(o.paths, 1);
	assert_int_equal(o.ipv | o.json | o.cached | o.own | o.help | o.list, 0);
	assert_null(o.connect);
	assert_null(o.libexec_dir);
}

static void
test_each(void **state)
{
	(void)state;
	assert_int_equal(good("h -U").method, PROBER_UDP);
	assert_int_equal(good("h --udp").port, 33434);
	assert_int_equal(good("-I h").method, PROBER_ICMP);
	assert_int_equal(good("--icmp h").port, 0);
	assert_int_equal(good("-U --tcp h").method, PROBER_TCP_SYN);
	assert_int_equal(good("-4 h").ipv, 4);
	assert_int_equal(good("--ipv6 h").ipv, 6);
	assert_int_equal(good("h:80").port, 80);
	assert_int_equal(good("h -p 81").port, 81);
	assert_int_equal(good("h:81 --port=81").port, 81);
	assert_int_equal(good("[::1]:22 -U").port, 22);
	assert_int_equal(good("h -m 64").max_ttl, 64);
	assert_int_equal(good("h -q 1").probes, 1);
	assert_int_equal(good("h --paths 32").paths, 32);
	assert_int_equal(good("h --paths 32").probes, 1);
	assert_int_equal(good("h --paths 2 -q 2").probes, 2);
	assert_int_equal(good("h -C").cached, 1);
	assert_int_equal(good("h --json").json, 1);
	assert_int_equal(good("h --own").own, 1);
	assert_string_equal(good("h -c /x/y").connect, "/x/y");
	assert_string_equal(good("--libexec-dir=/z h").libexec_dir, "/z");
	assert_int_equal(good("--help").help, 1);
	assert_int_equal(good("--options").list, 1);
}

static void
test_wrong(void **state)
{
	(void)state;
	bad("", "a HOST is missing");
	bad("a b", "one HOST at a time");
	bad("--frob h", "--frob: unknown option");
	bad("-x h", "unknown option");
	bad("h -p", "-p: needs a value");
	bad("h -p 0", "--port 0: a number from 1 to 65535");
	bad("h -p 65536", "--port 65536: a number from 1 to 65535");
	bad("h -p 80x", "--port 80x");
	bad("h -p -1", "--port -1");
	bad("h -m 65", "--max-ttl 65: a number from 1 to 64");
	bad("h -q 4", "--probes 4: a number from 1 to 3");
	bad("h --paths 33", "--paths 33: a number from 1 to 32");
	bad("h --paths 99999999999999999999", "a number from 1 to 32");
	bad("h:80 -p 81", "which port?");
	bad("-I h:80", "port 80: ICMP has no ports");
	bad("-I h -p 80", "port 80: ICMP has no ports");
	bad("--own -c /x h", "an own prober, or the one that runs?");
	bad("h:x", "port x: a number");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_wrong),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
