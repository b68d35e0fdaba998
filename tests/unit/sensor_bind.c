/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bind.c: what it says when a group cannot be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "../../src/sensor/bind.c"

static void
says(int error, uint16_t group, const char *want)
{
	char err[300];

	explain(error, group, err, sizeof err);
	if (!strstr(err, want))
		fail_msg("\"%s\" does not say \"%s\"", err, want);
	assert_null(strchr(err, '\n'));
}

static void
test_messages(void **state)
{
	/* 64999: nobody's on the machine that runs the tests. */
	(void)state;
	says(-EPERM, 64999, "no privilege to bind NFLOG group 64999 (CAP_NET_ADMIN): run net-gazer as root");
	says(-EINVAL, 64999, "modprobe nfnetlink_log");
	says(-EOPNOTSUPP, 64999, "modprobe nfnetlink_log");
	says(-EPROTONOSUPPORT, 64999, "modprobe nfnetlink_log");
	says(-EACCES, 64999, "cannot bind NFLOG group 64999: Permission denied");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
