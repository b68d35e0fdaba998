/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * HOST[:PORT] as people write it, right and wrong; and what the resolver is not asked.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/trace/target.c"

static void
test_right(void **state)
{
	static const struct {
		const char *text, *host;
		unsigned port;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1", 0 },
		{ "192.0.2.1:1", "192.0.2.1", 1 },
		{ "192.0.2.1:65535", "192.0.2.1", 65535 },
		{ "example.org", "example.org", 0 },
		{ "example.org:443", "example.org", 443 },
		{ "example.org:0443", "example.org", 443 },
		{ "2001:db8::1", "2001:db8::1", 0 },
		{ "::1", "::1", 0 },
		{ "[2001:db8::1]", "2001:db8::1", 0 },
		{ "[2001:db8::1]:80", "2001:db8::1", 80 },
		{ "[::ffff:192.0.2.1]:80", "::ffff:192.0.2.1", 80 },
		{ "a", "a", 0 },
		{ "1:443", "1", 443 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct target t;
		char err[300] = "";

		if (target_parse(&t, cases[i].text, err, sizeof err))
			fail_msg("%s: %s", cases[i].text, err);
		assert_string_equal(t.host, cases[i].host);
		assert_int_equal(t.port, cases[i].port);
	}
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *text, *says;
	} cases[] = {
		{ "", "a host's name or address is wanted" },
		{ ":443", "a host's name or address is wanted" },
		{ "[]", "a host's name or address is wanted" },
		{ "example.org:", "port (none): a number from 1 to 65535" },
		{ "example.org:0", "port 0: a number from 1 to 65535" },
		{ "example.org:65536", "port 65536: a number from 1 to 65535" },
		{ "example.org:99999999999999999999", "a number from 1 to 65535" },
		{ "example.org:+1", "port +1: a number from 1 to 65535" },
		{ "example.org:https", "port https: a number from 1 to 65535" },
		{ "example.org:44 3", "port 44 3: a number from 1 to 65535" },
		{ "[2001:db8::1", "[ADDRESS] or [ADDRESS]:PORT" },
		{ "[2001:db8::1]80", "[ADDRESS] or [ADDRESS]:PORT" },
		{ "[2001:db8::1]:", "port (none)" },
		{ "[192.0.2.1]:80", "only an IPv6 address is written in brackets" },
		{ "[example.org]", "only an IPv6 address is written in brackets" },
		{ "two words", "has no such letters" },
		{ "http://example.org", "port //example.org: a number" },
		{ "example.org/x", "has no such letters" },
		{ "a\nb", "has no such letters" },
	};
	char longest[TARGET_HOST_MAX + 1], err[600];
	struct target t;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		err[0] = 0;
		assert_int_equal(target_parse(&t, cases[i].text, err, sizeof err), -1);
		if (!strstr(err, cases[i].says) || strncmp(err, cases[i].text, strlen(cases[i].text)))
			fail_msg("\"%s\": \"%s\", not \"%s\"", cases[i].text, err, cases[i].says);
	}
	memset(longest, 'a', sizeof longest);
	longest[TARGET_HOST_MAX] = 0;
	assert_int_equal(target_parse(&t, longest, err, sizeof err), -1);
	longest[TARGET_HOST_MAX - 1] = 0;
	assert_int_equal(target_parse(&t, longest, err, sizeof err), 0);
	assert_string_equal(t.host, longest);
}

static void
test_resolve_address(void **state)
{
	static const uint8_t v4[16] = { 192, 0, 2, 1 };
	struct target t;
	char err[300];

	(void)state;
	for (int ipv = 0; ipv <= 6; ipv += ipv ? 2 : 4) {
		assert_int_equal(target_parse(&t, "192.0.2.1:80", err, sizeof err), 0);
		assert_int_equal(target_resolve(&t, ipv, err, sizeof err), ipv == 6 ? -1 : 0);
		if (ipv == 6) {
			assert_string_equal(err, "192.0.2.1 is an IPv4 address, and -6 was given");
			continue;
		}
		assert_int_equal(t.ipv, 4);
		assert_memory_equal(t.addr, v4, 16);
	}
	assert_int_equal(target_parse(&t, "2001:db8::1", err, sizeof err), 0);
	assert_int_equal(target_resolve(&t, 4, err, sizeof err), -1);
	assert_string_equal(err, "2001:db8::1 is an IPv6 address, and -4 was given");
	assert_int_equal(target_resolve(&t, 0, err, sizeof err), 0);
	assert_int_equal(t.ipv, 6);
}

/* Of /etc/hosts. */
static void
test_resolve_name(void **state)
{
	static const uint8_t loopback[16] = { 127, 0, 0, 1 };
	struct target t;
	char err[300];

	(void)state;
	assert_int_equal(target_parse(&t, "localhost:80", err, sizeof err), 0);
	assert_int_equal(target_resolve(&t, 4, err, sizeof err), 0);
	assert_int_equal(t.ipv, 4);
	assert_int_equal(t.port, 80);
	assert_memory_equal(t.addr, loopback, 16);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_resolve_address),
		cmocka_unit_test(test_resolve_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
