/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Link layers of captures: where the IP packet begins, at every cut, before an unreadable page.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "../../src/replay/frame.c"
#include "guard.h"

#define IP4 0x45, 0, 0, 20
#define IP6 0x60, 0, 0, 0
#define MACS 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12
#define NO_IP 1000

struct example {
	const char *name;
	int dlt;
	uint8_t b[48];
	size_t n;
	size_t ip; /* where it begins, or NO_IP */
	uint16_t vlan;
};

static const struct example examples[] = {
	{ "ethernet, IPv4", DLT_EN10MB, { MACS, 0x08, 0x00, IP4 }, 18, 14, 0 },
	{ "ethernet, IPv6", DLT_EN10MB, { MACS, 0x86, 0xdd, IP6 }, 18, 14, 0 },
	{ "ethernet, ARP", DLT_EN10MB, { MACS, 0x08, 0x06, IP4 }, 18, NO_IP, 0 },
	{ "ethernet, 802.3 length", DLT_EN10MB, { MACS, 0x00, 0x20, 0xaa, 0xaa, 3 }, 18, NO_IP, 0 },
	{ "802.1Q", DLT_EN10MB, { MACS, 0x81, 0x00, 0x6f, 0xff, 0x08, 0x00, IP4 }, 22, 18, 0xfff },
	{ "priority tag", DLT_EN10MB, { MACS, 0x81, 0x00, 0xe0, 0x00, 0x08, 0x00, IP4 }, 22, 18, 0 },
	{ "QinQ", DLT_EN10MB, { MACS, 0x88, 0xa8, 0, 7, 0x81, 0x00, 0, 42, 0x86, 0xdd, IP6 }, 26, 22, 42 },
	{ "old QinQ", DLT_EN10MB, { MACS, 0x91, 0x00, 0, 7, 0x81, 0x00, 0, 42, 0x08, 0x00, IP4 }, 26, 22, 42 },
	{ "four tags", DLT_EN10MB,
	  { MACS, 0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 0x81, 0, 0, 4, 0x08, 0x00, IP4 }, 34, 30, 4 },
	{ "five tags", DLT_EN10MB,
	  { MACS, 0x81, 0, 0, 1, 0x81, 0, 0, 2, 0x81, 0, 0, 3, 0x81, 0, 0, 4, 0x81, 0, 0, 5, 0x08, 0x00, IP4 },
	  38, NO_IP, 4 },
	{ "PPPoE, IPv4", DLT_EN10MB, { MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0x00, 0x21, IP4 }, 26, 22, 0 },
	{ "PPPoE, IPv6", DLT_EN10MB, { MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0x00, 0x57, IP6 }, 26, 22, 0 },
	{ "PPPoE, LCP", DLT_EN10MB, { MACS, 0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0xc0, 0x21, IP4 }, 26, NO_IP, 0 },
	{ "PPPoE discovery", DLT_EN10MB, { MACS, 0x88, 0x63, 0x11, 9, 0, 0, 0, 0, 0x00, 0x21, IP4 }, 26, NO_IP, 0 },
	{ "PPPoE in a VLAN", DLT_EN10MB,
	  { MACS, 0x81, 0x00, 0, 7, 0x88, 0x64, 0x11, 0, 0, 1, 0, 6, 0x00, 0x21, IP4 }, 30, 26, 7 },
	{ "cooked", DLT_LINUX_SLL, { 0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x08, 0x00, IP4 }, 20, 16, 0 },
	{ "cooked, VLAN", DLT_LINUX_SLL,
	  { 0, 0, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, 0x81, 0x00, 0, 5, 0x86, 0xdd, IP6 }, 24, 20, 5 },
	{ "cooked 2", DLT_LINUX_SLL2,
	  { 0x86, 0xdd, 0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 1, 2, 3, 4, 5, 6, 0, 0, IP6 }, 24, 20, 0 },
	{ "cooked 2, ARP", DLT_LINUX_SLL2, { 0x08, 0x06, [20] = 0x45 }, 24, NO_IP, 0 },
	{ "BSD loopback", DLT_NULL, { 2, 0, 0, 0, IP4 }, 8, 4, 0 },
	{ "OpenBSD loopback", DLT_LOOP, { 0, 0, 0, 24, IP6 }, 8, 4, 0 },
	{ "raw", DLT_RAW, { IP4 }, 4, 0, 0 },
	{ "raw IPv4", DLT_IPV4, { IP4 }, 4, 0, 0 },
	{ "raw IPv6", DLT_IPV6, { IP6 }, 4, 0, 0 },
};

static void
test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
		const struct example *e = &examples[i];

		for (size_t cut = 0; cut <= e->n; cut++) {
			const uint8_t *p = guard_copy(e->b, cut);
			struct frame f;

			memset(&f, 0x55, sizeof f);
			assert_int_equal(frame_decode(&f, e->dlt, p, cut), 0);
			if (e->ip == NO_IP || cut <= e->ip) {
				if (f.ip)
					fail_msg("%s, %zu bytes: IP where there is none", e->name, cut);
				assert_int_equal(f.len, 0);
			} else if (f.ip != p + e->ip || f.len != cut - e->ip || f.vlan != e->vlan) {
				fail_msg("%s, %zu bytes: IP at %td, %zu bytes, VLAN %d", e->name, cut, f.ip - p,
					 f.len, f.vlan);
			}
		}
	}
}

static void
test_unknown_link_type(void **state)
{
	static const int unknown[] = { -1, 9999, DLT_IEEE802_11, DLT_NFLOG, DLT_USB };
	struct frame f;

	(void)state;
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
		f.ip = (const uint8_t *)"";
		assert_int_equal(frame_decode(&f, unknown[i], "abcd", 4), -ENOTSUP);
		assert_null(f.ip);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_unknown_link_type),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
