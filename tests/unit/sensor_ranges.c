/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ranges.c: random prefixes, and each address near a border looked up in the prefixes and in the
 * merged ranges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "../../src/sensor/ranges.c"

static struct addr_prefix prefixes[64];
static struct range merged[64];
static size_t n;

static size_t
merge(uint8_t ipv, const char *text)
{
	char copy[500], *rest = copy, *word;

	snprintf(copy, sizeof copy, "%s", text);
	for (n = 0; (word = strsep(&rest, ",")); n++)
		assert_int_equal(addr_prefix_parse(&prefixes[n], word), 0);
	return ranges_merge(merged, ipv, prefixes, n);
}

static void
is(size_t i, uint8_t ipv, const char *first, const char *last)
{
	char text[ADDR_TEXT];

	addr_print(text, ipv, merged[i].first);
	assert_string_equal(text, first);
	addr_print(text, ipv, merged[i].last);
	assert_string_equal(text, last);
}

static void
test_cases(void **state)
{
	uint8_t end[16];

	(void)state;
	assert_int_equal(merge(4, "10.0.0.0/8,fd00::/8,10.1.0.0/16"), 1);
	is(0, 4, "10.0.0.0", "10.255.255.255");
	assert_int_equal(merge(6, "10.0.0.0/8,fd00::/8"), 1);
	is(0, 6, "fd00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_int_equal(merge(4, "192.0.2.128/25,192.0.2.0/25,192.0.2.7"), 1);
	is(0, 4, "192.0.2.0", "192.0.2.255");
	assert_int_equal(merge(4, "192.0.2.2,192.0.2.0"), 2);
	is(1, 4, "192.0.2.2", "192.0.2.2");
	assert_int_equal(merge(4, "0.0.0.0/0,10.0.0.0/8,255.255.255.255"), 1);
	is(0, 4, "0.0.0.0", "255.255.255.255");
	assert_int_equal(ranges_end(end, 4, &merged[0]), 0);
	assert_int_equal(merge(6, "::/0,ffff::/16"), 1);
	assert_int_equal(ranges_end(end, 6, &merged[0]), 0);
	assert_int_equal(merge(4, ADDR_HOME_DEFAULT), 5);
	is(0, 4, "10.0.0.0", "10.255.255.255");
	assert_int_equal(ranges_end(end, 4, &merged[0]), 1);
	assert_int_equal(end[0], 11);
	assert_int_equal(merge(6, ADDR_HOME_DEFAULT), 2);
	assert_int_equal(ranges_merge(merged, 4, NULL, 0), 0);
}

static int
in_ranges(uint8_t ipv, const uint8_t *addr, size_t count)
{
	size_t size = ipv == 4 ? 4 : 16;

	for (size_t i = 0; i < count; i++) {
		if (memcmp(addr, merged[i].first, size) >= 0 && memcmp(addr, merged[i].last, size) <= 0)
			return 1;
	}
	return 0;
}

static int
in_prefixes(uint8_t ipv, const uint8_t *addr)
{
	for (size_t i = 0; i < n; i++) {
		if (addr_in(&prefixes[i], ipv, addr))
			return 1;
	}
	return 0;
}

static void
test_random(void **state)
{
	unsigned seed = (unsigned)time(NULL), inside = 0, outside = 0;

	(void)state;
	printf("seed %u\n", seed);
	srand(seed);
	for (int round = 0; round < 3000; round++) {
		uint8_t ipv = rand() % 2 ? 4 : 6;
		size_t size = ipv == 4 ? 4 : 16, count;

		n = (size_t)rand() % 20;
		for (size_t i = 0; i < n; i++) {
			struct addr_prefix *p = &prefixes[i];

			*p = (struct addr_prefix){ .ipv = rand() % 4 ? ipv : (ipv == 4 ? 6 : 4) };
			p->len = (uint8_t)((unsigned)rand() % (p->ipv == 4 ? 33 : 129));
			/* Few distinct bits, so that prefixes meet. */
			for (unsigned bit = 0; bit < p->len; bit++) {
				if (rand() % 3 == 0)
					p->addr[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
			}
		}
		count = ranges_merge(merged, ipv, prefixes, n);
		for (size_t i = 0; i < count; i++) {
			uint8_t end[16];

			assert_true(memcmp(merged[i].first, merged[i].last, size) <= 0);
			if (i + 1 == count)
				break;
			assert_int_equal(ranges_end(end, ipv, &merged[i]), 1);
			assert_true(memcmp(end, merged[i + 1].first, size) < 0);
		}
		for (size_t i = 0; i < n; i++) {
			for (int k = 0; k < 20; k++) {
				uint8_t addr[16];
				unsigned bit = (unsigned)rand() % (unsigned)(8 * size);
				int in;

				memcpy(addr, prefixes[i].addr, 16);
				addr[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
				in = in_prefixes(ipv, addr);
				assert_int_equal(in_ranges(ipv, addr, count), in);
				inside += (unsigned)in;
				outside += (unsigned)!in;
			}
		}
	}
	assert_true(inside > 1000 && outside > 1000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_cases), cmocka_unit_test(test_random) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
