/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * holder.c: who holds a group, from what /proc says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <libmnl/libmnl.h>

#include "../../src/sensor/holder.c"

/* group, portid, pending, copy mode, range, timeout, refs */
static const char groups[] = "    1   812     0 2 65531   100  1\n"
			     "  100 4294963200     3 2   128    10  1\n"
			     "65535 99999     0 2   128    10  2\n";

static const char sockets[] =
	"sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n"
	"0000000000000000 0   812        00000111 0        0        0     2        0        111\n"
	"0000000000000000 12  812        00000000 0        0        0     2        17       222\n"
	"00000000b8fc1c7d 12  4294963200 00000000 768      0        1     3        0        18446744073709551\n";

static void
test_holder(void **state)
{
	(void)state;
	assert_int_equal(holder_port(groups, 1), 812);
	assert_int_equal(holder_port(groups, 100), 4294963200u);
	assert_int_equal(holder_port(groups, 65535), 99999);
	assert_int_equal(holder_port(groups, 2), 0);
	assert_int_equal(holder_port("", 1), 0);
	assert_int_equal(holder_port("nonsense\n1", 1), 0);
}

static void
test_inode(void **state)
{
	(void)state;
	assert_int_equal(holder_inode(sockets, 812), 222); /* NETLINK_NETFILTER, not routing */
	assert_int_equal(holder_inode(sockets, 4294963200u), 18446744073709551u);
	assert_int_equal(holder_inode(sockets, 5), 0);
	assert_int_equal(holder_inode("", 5), 0);
}

static void
test_this_process(void **state)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	char *text = slurp("/proc/net/netlink");

	(void)state;
	assert_non_null(s);
	free(text);
	assert_int_equal(mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID), 0);
	text = slurp("/proc/net/netlink");
	assert_non_null(text);
	assert_int_equal(find_process(holder_inode(text, mnl_socket_get_portid(s))), getpid());
	free(text);
	mnl_socket_close(s);
	assert_null(slurp("/proc/nonexistent"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_holder), cmocka_unit_test(test_inode), cmocka_unit_test(test_this_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
