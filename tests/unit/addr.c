/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * addr.c: parsing, printing, containing; random prefixes against a bit-by-bit copy.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/lib/addr.c"

static void
test_print_and_parse(void **state)
{
	static const char *const texts[] = {
		"0.0.0.0", "255.255.255.255", "10.0.0.1", "192.168.100.99", "1.22.200.3", "::", "::1",
		"2001:db8::1", "fe80::1:2:3:4", "1:2:3:4:5:6:7:8", "2001:db8:0:1:1:1:1:1", "::ffff:192.0.2.1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		uint8_t ipv, addr[16];
		char out[ADDR_TEXT];

		assert_int_equal(addr_parse(&ipv, addr, texts[i]), 0);
		assert_int_equal(ipv, strchr(texts[i], ':') ? 6 : 4);
		assert_int_equal(addr_print(out, ipv, addr), strlen(texts[i]));
		assert_string_equal(out, texts[i]);
	}
}

static void
test_every_octet(void **state)
{
	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		uint8_t addr[16] = { (uint8_t)v, 0, (uint8_t)(255 - v), (uint8_t)v };
		char out[ADDR_TEXT], want[ADDR_TEXT];

		snprintf(want, sizeof want, "%u.0.%u.%u", v, 255 - v, v);
		addr_print(out, 4, addr);
		assert_string_equal(out, want);
	}
}

static void
test_not_addresses(void **state)
{
	static const char *const texts[] = { "", "x", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", ":::", "1.2.3.4 ",
					     " ::1", "fe80::1%eth0", "12345::", "10.0.0.0/8" };
	uint8_t ipv, addr[16];

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_int_equal(addr_parse(&ipv, addr, texts[i]), -EINVAL);
}

static void
test_prefixes(void **state)
{
	static const struct { const char *text; int r; unsigned len; } cases[] = {
		{ "10.0.0.0/8", 0, 8 }, { "0.0.0.0/0", 0, 0 }, { "10.1.2.3", 0, 32 }, { "10.1.2.3/32", 0, 32 },
		{ "::/0", 0, 0 }, { "fd00::/8", 0, 8 }, { "fe80::/10", 0, 10 }, { "::1", 0, 128 },
		{ "192.0.2.128/25", 0, 25 }, { "2001:db8:8000::/33", 0, 33 },
		{ "10.0.0.1/8", -EDOM, 0 }, { "192.0.2.128/24", -EDOM, 0 }, { "fd00::1/127", -EDOM, 0 },
		{ "::1/0", -EDOM, 0 }, { "128.0.0.0/0", -EDOM, 0 },
		{ "10.0.0.0/33", -EINVAL, 0 }, { "::/129", -EINVAL, 0 }, { "10.0.0.0/", -EINVAL, 0 },
		{ "10.0.0.0/8x", -EINVAL, 0 }, { "10.0.0.0/-1", -EINVAL, 0 }, { "10.0.0.0/+8", -EINVAL, 0 },
		{ "10.0.0.0/ 8", -EINVAL, 0 }, { "/8", -EINVAL, 0 }, { "", -EINVAL, 0 }, { "lan", -EINVAL, 0 },
		{ "10.0.0.0/8/8", -EINVAL, 0 },
		{ "1111111111111111111111111111111111111111111111111111111111111111111111111", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct addr_prefix p;

		assert_int_equal(addr_prefix_parse(&p, cases[i].text), cases[i].r);
		if (!cases[i].r)
			assert_int_equal(p.len, cases[i].len);
	}
}

static void
test_home_default(void **state)
{
	char copy[] = ADDR_HOME_DEFAULT, *rest = copy, *word;
	unsigned n = 0;

	(void)state;
	while ((word = strsep(&rest, ","))) {
		struct addr_prefix p;

		assert_int_equal(addr_prefix_parse(&p, word), 0);
		n++;
	}
	assert_int_equal(n, 7);
}

static int
bit(const uint8_t *addr, unsigned i)
{
	return addr[i / 8] >> (7 - i % 8) & 1;
}

static void
test_in(void **state)
{
	unsigned seed = (unsigned)time(NULL), inside = 0;

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 100000; round++) {
		struct addr_prefix p = { .ipv = rand() % 2 ? 4 : 6 };
		unsigned bits = p.ipv == 4 ? 32 : 128;
		uint8_t addr[16] = { 0 };
		int want = 1;

		p.len = (uint8_t)((unsigned)rand() % (bits + 1));
		for (unsigned i = 0; i < bits / 8; i++)
			p.addr[i] = (uint8_t)rand();
		addr_mask(p.addr, p.len);
		memcpy(addr, p.addr, 16);
		/* Near: one bit away, most of the time. */
		for (int flips = rand() % 3; flips > 0; flips--) {
			unsigned i = (unsigned)rand() % bits;

			addr[i / 8] ^= (uint8_t)(0x80 >> i % 8);
		}
		for (unsigned i = 0; i < bits; i++) {
			if (i < p.len)
				want = want && bit(addr, i) == bit(p.addr, i);
			else
				assert_int_equal(bit(p.addr, i), 0);
		}
		assert_int_equal(addr_in(&p, p.ipv, addr), want);
		assert_int_equal(addr_in(&p, p.ipv == 4 ? 6 : 4, addr), 0);
		inside += (unsigned)want;
	}
	assert_in_range(inside, 1000, 99000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_print_and_parse), cmocka_unit_test(test_every_octet),
		cmocka_unit_test(test_not_addresses), cmocka_unit_test(test_prefixes),
		cmocka_unit_test(test_home_default), cmocka_unit_test(test_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
