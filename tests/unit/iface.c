/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Interface names from rtnetlink messages, made by libmnl, and the selection by name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <errno.h>
#include <libmnl/libmnl.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* What the kernel says instead of itself, while there is something: an errno, or a message. */
static struct {
	int error;
	size_t len;
	char bytes[256];
} said[8];
static unsigned n_said, n_heard, n_asked;

static ssize_t
kernel_says(int fd, void *buf, size_t size, int flags)
{
	if (!n_said)
		return recv(fd, buf, size, flags);
	assert_true(n_heard < n_said);
	errno = said[n_heard].error;
	memcpy(buf, said[n_heard].bytes, said[n_heard].len);
	return errno ? n_heard++, -1 : (ssize_t)said[n_heard++].len;
}

static ssize_t
kernel_is_asked(const struct mnl_socket *s, const void *bytes, size_t len)
{
	n_asked++;
	return n_said ? (ssize_t)len : mnl_socket_sendto(s, bytes, len);
}

#define recv kernel_says
#define mnl_socket_sendto kernel_is_asked
#include "../../src/analyzer/iface.c"

static int
setup(void **state)
{
	(void)state;
	iface_close();
	iface_select(NULL, 0);
	n_said = n_heard = n_asked = 0;
	return 0;
}

static struct nlmsghdr *
put(char buf[256], uint16_t type, int index, const char *name)
{
	struct nlmsghdr *nh;
	struct ifinfomsg *ifi;

	memset(buf, 0, 256);
	nh = mnl_nlmsg_put_header(buf);
	nh->nlmsg_type = type;
	ifi = mnl_nlmsg_put_extra_header(nh, sizeof *ifi);
	ifi->ifi_index = index;
	mnl_attr_put_u32(nh, IFLA_MTU, 1500);
	if (name)
		mnl_attr_put_strz(nh, IFLA_IFNAME, name);
	return nh;
}

static void
message(uint16_t type, int index, const char *name)
{
	char buf[256];
	struct nlmsghdr *nh = put(buf, type, index, name);

	assert_int_equal(mnl_cb_run(buf, nh->nlmsg_len, 0, 0, on_message, NULL), MNL_CB_OK);
}

static void
test_names(void **state)
{
	(void)state;
	assert_null(iface_name(0));
	assert_null(iface_name(1));
	message(RTM_NEWLINK, 1, "lo");
	message(RTM_NEWLINK, 7, "br-lan");
	assert_string_equal(iface_name(1), "lo");
	assert_string_equal(iface_name(7), "br-lan");
	assert_null(iface_name(0));
	message(RTM_NEWLINK, 7, NULL); /* says nothing of its name */
	assert_string_equal(iface_name(7), "br-lan");
	message(RTM_NEWLINK, 7, "br-guest"); /* renamed */
	assert_string_equal(iface_name(7), "br-guest");
	message(RTM_DELLINK, 7, "br-guest");
	assert_null(iface_name(7));
	message(RTM_DELLINK, 4242, "nobody");
	message(RTM_NEWADDR, 9, "other");
	assert_null(iface_name(9));
	message(RTM_NEWLINK, 8, "wg0"); /* takes the free place */
	assert_int_equal(n_links, 2);
	message(RTM_NEWLINK, 10, "a-name-longer-than-fits");
	assert_int_equal(strlen(iface_name(10)), IFACE_NAME - 1);
}

static void
test_more_than_fit(void **state)
{
	char name[16];

	(void)state;
	for (int i = 1; i <= IFACE_MAX + 10; i++) {
		snprintf(name, sizeof name, "if%d", i);
		message(RTM_NEWLINK, i, name);
	}
	assert_string_equal(iface_name(IFACE_MAX), "if256");
	assert_null(iface_name(IFACE_MAX + 1));
	message(RTM_DELLINK, 5, "if5");
	message(RTM_NEWLINK, IFACE_MAX + 1, "late");
	assert_string_equal(iface_name(IFACE_MAX + 1), "late");
}

static void
test_selection(void **state)
{
	static const char *const names[] = { "wan", "wg0" };

	(void)state;
	assert_true(iface_passes(0, 0)); /* none named: all pass */
	assert_true(iface_passes(4242, 0));
	iface_select(names, 2);
	message(RTM_NEWLINK, 1, "wan");
	message(RTM_NEWLINK, 2, "br-lan");
	assert_true(iface_passes(1, 2));
	assert_true(iface_passes(2, 1));
	assert_true(iface_passes(0, 1));
	assert_false(iface_passes(2, 0));
	assert_false(iface_passes(0, 0));
	assert_false(iface_passes(4242, 0));
	message(RTM_NEWLINK, 3, "wg0"); /* comes later */
	assert_true(iface_passes(3, 2));
	message(RTM_NEWLINK, 3, "wg1");
	assert_false(iface_passes(3, 2));
	message(RTM_DELLINK, 1, "wan");
	assert_false(iface_passes(1, 2));
}

/* A chosen one has a place, also when it comes last. */
static void
test_selection_of_many(void **state)
{
	static const char *const names[] = { "ppp299", "late" };
	char name[16];

	(void)state;
	iface_select(names, 2);
	for (int i = 1; i <= 300; i++) {
		snprintf(name, sizeof name, "ppp%d", i);
		message(RTM_NEWLINK, i, name);
	}
	assert_true(iface_passes(299, 0));
	assert_false(iface_passes(298, 300));
	message(RTM_NEWLINK, 301, "another");
	message(RTM_NEWLINK, 302, "late");
	assert_true(iface_passes(0, 302));
	assert_true(iface_passes(299, 0));
	assert_string_equal(iface_name(302), "late");
	message(RTM_NEWLINK, 301, "ppp299"); /* the name goes to another */
	message(RTM_NEWLINK, 299, "ppp400");
	assert_true(iface_passes(301, 0));
	assert_false(iface_passes(299, 0));
}

/* The kernel tells who looks at bridges that a port left, and then that it is there. */
static void
test_bridge(void **state)
{
	char buf[256];
	struct nlmsghdr *nh = put(buf, RTM_DELLINK, 3, "lan1");

	(void)state;
	message(RTM_NEWLINK, 3, "lan1");
	((struct ifinfomsg *)mnl_nlmsg_get_payload(nh))->ifi_family = AF_BRIDGE;
	assert_int_equal(mnl_cb_run(buf, nh->nlmsg_len, 0, 0, on_message, NULL), MNL_CB_OK);
	assert_string_equal(iface_name(3), "lan1");
}

static void
kernel_sends(uint16_t flags, int index, const char *name)
{
	struct nlmsghdr *nh = put(said[n_said].bytes, RTM_NEWLINK, index, name);

	nh->nlmsg_flags = flags;
	said[n_said].error = 0;
	said[n_said++].len = nh->nlmsg_len;
}

static void
kernel_fails(int error)
{
	said[n_said].len = 0;
	said[n_said++].error = error;
}

/* Links come and go while all are asked for, as when a router starts: it is asked again, when that answer is at its end. */
static void
test_interrupted(void **state)
{
	(void)state;
	assert_true(iface_open() >= 0);
	n_asked = 0;
	kernel_sends(NLM_F_MULTI, 4001, "first");
	kernel_sends(NLM_F_MULTI | NLM_F_DUMP_INTR, 4002, "second");
	kernel_fails(ENOBUFS);
	kernel_sends(NLM_F_MULTI | NLM_F_DUMP_INTR, 4003, "third");
	kernel_fails(EAGAIN);
	kernel_sends(NLM_F_MULTI, 4002, "second");
	kernel_sends(NLM_F_MULTI, 4003, "third");
	kernel_fails(EAGAIN);
	iface_update();
	assert_int_equal(n_heard, 8);
	assert_int_equal(n_asked, 1);
	assert_string_equal(iface_name(4001), "first");
	assert_string_equal(iface_name(4002), "second");
	assert_string_equal(iface_name(4003), "third");
}

/* The links of this machine. */
static void
test_kernel(void **state)
{
	(void)state;
	assert_true(iface_open() >= 0);
	assert_non_null(iface_name(if_nametoindex("lo")));
	assert_string_equal(iface_name(if_nametoindex("lo")), "lo");
	iface_update();
	iface_close();
	assert_null(iface_name(1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names, setup),
		cmocka_unit_test_setup(test_more_than_fit, setup),
		cmocka_unit_test_setup(test_selection, setup),
		cmocka_unit_test_setup(test_selection_of_many, setup),
		cmocka_unit_test_setup(test_bridge, setup),
		cmocka_unit_test_setup(test_interrupted, setup),
		cmocka_unit_test_setup(test_kernel, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
