/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What may be traced: each field of a request out of its range, and each special-purpose block from
 * its first to its last address.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "../../src/prober/admit.c"
#include "guard.h"

static struct addr_prefix home[2], exclude[2];
static struct admit all, any;

static int
setup(void **state)
{
	(void)state;
	assert_int_equal(addr_prefix_parse(&home[0], "10.0.0.0/8"), 0);
	assert_int_equal(addr_prefix_parse(&home[1], "2a00:1::/48"), 0);
	assert_int_equal(addr_prefix_parse(&exclude[0], "8.8.8.8"), 0);
	assert_int_equal(addr_prefix_parse(&exclude[1], "2620:fe::/48"), 0);
	all = (struct admit){ .home = home, .exclude = exclude, .n_home = 2, .n_exclude = 2 };
	memset(all.sockets, 1, sizeof all.sockets);
	any = all;
	any.any_target = 1;
	return 0;
}

static struct prober_request
request(const char *dst)
{
	struct prober_request q = { .type = PROBER_MSG_TRACE, .id = 77, .dport = 443 };

	assert_int_equal(addr_parse(&q.ipv, q.dst, dst), 0);
	return q;
}

static int
ask(const struct admit *a, const struct prober_request *q)
{
	struct prober_request out;

	return admit_request(a, guard_copy(q, sizeof *q), sizeof *q, &out);
}

static int
to(const struct admit *a, const char *dst)
{
	struct prober_request q = request(dst);

	return ask(a, &q);
}

static void
test_defaults(void **state)
{
	struct prober_request q = request("1.1.1.1"), out;

	(void)state;
	q.flow = 9;
	q.trigger = PROBER_ON_SLOW;
	q.flags = PROBER_REQ_FRESH;
	q.pad = 0xffff;
	assert_int_equal(admit_request(&all, &q, sizeof q, &out), PROBER_DONE);
	assert_int_equal(out.id, 77);
	assert_int_equal(out.max_ttl, PROBER_TTL_DEFAULT);
	assert_int_equal(out.tries, 2);
	assert_int_equal(out.probes, 1);
	assert_int_equal(out.dport, 443);
	assert_int_equal(out.flow, 9);
	assert_int_equal(out.trigger, PROBER_ON_SLOW);
	assert_int_equal(out.flags, PROBER_REQ_FRESH);
	assert_int_equal(out.pad, 0);
	q.max_ttl = 64;
	q.tries = q.probes = 3;
	q.method = PROBER_ICMP;
	assert_int_equal(admit_request(&all, &q, sizeof q, &out), PROBER_DONE);
	assert_int_equal(out.max_ttl, 64);
	assert_int_equal(out.tries, 3);
	assert_int_equal(out.probes, 3);
	assert_int_equal(out.dport, 0);
}

static void
test_not_a_request(void **state)
{
	struct prober_request q[2] = { request("1.1.1.1"), request("1.1.1.1") }, out;

	(void)state;
	for (size_t n = 0; n <= sizeof q; n++)
		assert_int_equal(admit_request(&all, guard_copy(q, n), n, &out), n == sizeof *q ? PROBER_DONE : -1);
	for (uint32_t type = 0; type < 10; type++) {
		q->type = type;
		assert_int_equal(ask(&all, q), type == PROBER_MSG_TRACE ? PROBER_DONE : -1);
	}
}

#define EACH(field, from, upto, good) \
	for (unsigned v = from; v <= upto; v++) { \
		q = request("1.1.1.1"); \
		q.field = (__typeof__(q.field))v; \
		if (ask(&all, &q) != ((good) ? PROBER_DONE : PROBER_BAD_REQUEST)) \
			fail_msg(#field " = %u: %d", v, ask(&all, &q)); \
	}

static void
test_ranges(void **state)
{
	struct prober_request q;

	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		q = request("1.1.1.1"); /* as IPv6: 101:101::, which nobody has */
		q.ipv = (uint8_t)v;
		assert_int_equal(ask(&all, &q), v == 4 ? PROBER_DONE : v == 6 ? PROBER_BOGON : PROBER_BAD_REQUEST);
	}
	EACH(method, 0, 255, v < PROBER_TCP_ACK); /* in-band: a source port is missing */
	EACH(trigger, 0, 255, v < PROBER_TRIGGERS);
	EACH(flags, 0, 255, v < 4);
	EACH(max_ttl, 0, 255, v <= 64);
	EACH(tries, 0, 255, v <= 3);
	EACH(probes, 0, 255, v <= 3);
	EACH(reply_ttl, 0, 255, 1);
	EACH(dport, 0, 65535, v != 0);
	EACH(flow, 0, 65535, 1);
	for (int i = 4; i < 16; i++) {
		q = request("1.1.1.1");
		q.dst[i] = 1;
		assert_int_equal(ask(&all, &q), PROBER_BAD_REQUEST);
	}
	q = request("1.1.1.1");
	q.method = PROBER_UDP;
	assert_int_equal(ask(&all, &q), PROBER_DONE);
	q.dport = 0;
	assert_int_equal(ask(&all, &q), PROBER_BAD_REQUEST);
}

static void
test_in_band(void **state)
{
	struct prober_request q = request("1.1.1.1");

	(void)state;
	q.method = PROBER_TCP_ACK;
	q.sport = 40000;
	assert_int_equal(ask(&all, &q), PROBER_BAD_REQUEST); /* from 0.0.0.0 */
	memcpy(q.src, (uint8_t[]){ 10, 0, 0, 7 }, 4);
	assert_int_equal(ask(&all, &q), PROBER_DONE);
	q.src[9] = 1;
	assert_int_equal(ask(&all, &q), PROBER_BAD_REQUEST);
	q.src[9] = 0;
	q.src[0] = 224;
	assert_int_equal(ask(&all, &q), PROBER_BAD_REQUEST);
	q.src[0] = 10;
	q.sport = 0;
	assert_int_equal(ask(&all, &q), PROBER_BAD_REQUEST);
	q.sport = 1;
	assert_int_equal(ask(&all, &q), PROBER_DONE);
	q.dst[0] = 10;
	assert_int_equal(ask(&all, &q), PROBER_HOME);
}

static void
test_sockets(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (uint8_t m = 0; m < PROBER_METHODS; m++) {
			struct prober_request q = request(v6 ? "2a00::1" : "1.1.1.1");
			struct admit a = all;

			q.method = m;
			q.sport = 1;
			q.src[0] = 0x20;
			assert_int_equal(ask(&a, &q), PROBER_DONE);
			a.sockets[v6][m] = 0;
			assert_int_equal(ask(&a, &q), PROBER_BAD_REQUEST);
			memset(a.sockets, 0, sizeof a.sockets);
			a.sockets[v6][m] = 1;
			assert_int_equal(ask(&a, &q), PROBER_DONE);
		}
	}
}

/* First and last of each block, and the neighbours that are none. */
static void
test_bogons(void **state)
{
	static const char *const bad[] = {
		"0.0.0.0", "0.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255", "169.254.0.0",
		"169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.0", "192.0.2.255",
		"192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.0",
		"198.51.100.255", "203.0.113.0", "203.0.113.255", "224.0.0.0", "239.255.255.255", "240.0.0.0",
		"255.255.255.255", "::", "::1", "::ffff:1.1.1.1", "::1.1.1.1", "64:ff9b::1.1.1.1", "64:ff9b:1::1", "100::",
		"1fff:ffff::", "2001::", "2001:0:1::1", "2001:2::1", "2001:10::1", "2001:1ff:ffff::", "2001:db8::",
		"2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "2002::1", "2002:ffff::", "3fff::", "3fff:fff:ffff::", "4000::",
		"5f00::1", "fc00::", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "ffff::", NULL,
	};
	static const char *const good[] = {
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0",
		"192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0",
		"198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "2000::1", "2001:200::1",
		"2001:db7:ffff::", "2001:db9::", "2003::1", "2a00::1", "3ffe:ffff::", "3fff:1000::", NULL,
	};

	(void)state;
	for (int i = 0; bad[i]; i++) {
		if (to(&all, bad[i]) != PROBER_BOGON)
			fail_msg("%s: %d", bad[i], to(&all, bad[i]));
	}
	for (int i = 0; good[i]; i++) {
		if (to(&all, good[i]) != PROBER_DONE)
			fail_msg("%s: %d", good[i], to(&all, good[i]));
	}
}

static void
test_any_target(void **state)
{
	static const char *const lifted[] = { "127.0.0.1", "169.254.1.1", "172.16.0.1", "192.168.1.1", "198.18.0.1",
					      "203.0.113.1", "2001:db8::1", "fd00::1", "64:ff9b::1.1.1.1", NULL };
	static const char *const never_any[] = { "0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::",
						 "::1", "::ffff:1.1.1.1", "ff02::1", "fe80::1", NULL };

	(void)state;
	for (int i = 0; lifted[i]; i++)
		assert_int_equal(to(&any, lifted[i]), PROBER_DONE);
	for (int i = 0; never_any[i]; i++)
		assert_int_equal(to(&any, never_any[i]), PROBER_BOGON);
	assert_int_equal(to(&any, "10.1.2.3"), PROBER_HOME);
	assert_int_equal(to(&any, "8.8.8.8"), PROBER_EXCLUDED);
}

static void
test_home_and_excluded(void **state)
{
	(void)state;
	assert_int_equal(to(&all, "10.0.0.0"), PROBER_HOME);
	assert_int_equal(to(&all, "10.255.255.255"), PROBER_HOME);
	assert_int_equal(to(&all, "2a00:1::ffff"), PROBER_HOME);
	assert_int_equal(to(&all, "2a00:1:1::"), PROBER_DONE);
	assert_int_equal(to(&all, "8.8.8.8"), PROBER_EXCLUDED);
	assert_int_equal(to(&all, "8.8.8.9"), PROBER_DONE);
	assert_int_equal(to(&all, "2620:fe::fe"), PROBER_EXCLUDED);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),  cmocka_unit_test(test_not_a_request), cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_in_band),   cmocka_unit_test(test_sockets),       cmocka_unit_test(test_bogons),
		cmocka_unit_test(test_any_target), cmocka_unit_test(test_home_and_excluded),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
