/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * What a prober may say, and what nobody believes; sockets that are not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "../../src/trace/link.c"

static union link_msg
a_result(unsigned n_hops)
{
	union link_msg m = { .result = { .type = PROBER_MSG_RESULT, .id = 7, .ipv = 4, .n_hops = (uint8_t)n_hops } };

	for (unsigned i = 0; i < n_hops && i < PROBER_HOPS_MAX; i++)
		m.result.hop[i].ttl = (uint8_t)(i + 1);
	return m;
}

static void
test_result(void **state)
{
	union link_msg m;

	(void)state;
	for (unsigned n = 0; n < 256; n++) {
		m = a_result(n);
		for (size_t len = 0; len <= sizeof m; len++)
			assert_int_equal(link_check(&m, len),
					 n <= PROBER_HOPS_MAX && len == PROBER_RESULT_SIZE((size_t)n) ? 0 : -EPROTO);
	}
	for (unsigned v = 0; v < 256; v++) {
		m = a_result(3);
		m.result.ipv = (uint8_t)v;
		assert_int_equal(link_check(&m, PROBER_RESULT_SIZE(3)), v == 4 || v == 6 ? 0 : -EPROTO);
		m = a_result(3);
		m.result.method = (uint8_t)v;
		assert_int_equal(link_check(&m, PROBER_RESULT_SIZE(3)), v < PROBER_METHODS ? 0 : -EPROTO);
		for (unsigned i = 0; i < 3; i++) {
			m = a_result(3);
			m.result.hop[i].ttl = (uint8_t)v;
			assert_int_equal(link_check(&m, PROBER_RESULT_SIZE(3)), v == i + 1 ? 0 : -EPROTO);
			m = a_result(3);
			m.result.hop[i].n_rtt = (uint8_t)v;
			assert_int_equal(link_check(&m, PROBER_RESULT_SIZE(3)), v <= PROBER_RTTS_MAX ? 0 : -EPROTO);
			m = a_result(3);
			m.result.hop[i].n_mpls = (uint8_t)v;
			assert_int_equal(link_check(&m, PROBER_RESULT_SIZE(3)), v <= PROBER_MPLS_MAX ? 0 : -EPROTO);
		}
	}
}

static void
test_progress(void **state)
{
	union link_msg m = { .progress = { .type = PROBER_MSG_HOP, .hop.ttl = 1 } };

	(void)state;
	for (size_t len = 0; len <= sizeof m; len++)
		assert_int_equal(link_check(&m, len), len == sizeof m.progress ? 0 : -EPROTO);
	for (unsigned v = 0; v < 256; v++) {
		m.progress.hop.ttl = (uint8_t)v;
		assert_int_equal(link_check(&m, sizeof m.progress), v >= 1 && v <= 64 ? 0 : -EPROTO);
	}
	m.progress.hop.ttl = 1;
	m.type = PROBER_MSG_TRACE;
	assert_int_equal(link_check(&m, sizeof m.progress), -EPROTO);
	m.type = 0;
	assert_int_equal(link_check(&m, sizeof m.progress), -EPROTO);
}

static void
test_read(void **state)
{
	struct link l = { -1, -1, 0 };
	union link_msg m, good = a_result(2), got;
	uint8_t big[sizeof m + 1] = { PROBER_MSG_RESULT };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
	l.fd = pair[0];
	assert_int_equal(link_read(&l, &m), 0);
	assert_int_equal(send(pair[1], &good, PROBER_RESULT_SIZE(2), 0), PROBER_RESULT_SIZE(2));
	memset(&got, 0xff, sizeof got);
	assert_int_equal(link_read(&l, &got), PROBER_MSG_RESULT);
	assert_memory_equal(&got, &good, sizeof got); /* and nothing of before behind it */
	send(pair[1], &good, PROBER_RESULT_SIZE(2) - 1, 0);
	assert_int_equal(link_read(&l, &m), -EPROTO);
	send(pair[1], big, sizeof big, 0);
	assert_int_equal(link_read(&l, &m), -EPROTO);
	send(pair[1], "x", 1, 0);
	assert_int_equal(link_read(&l, &m), -EPROTO);
	close(pair[1]);
	assert_int_equal(link_read(&l, &m), -EPIPE);
	assert_true(link_ask(&l, &(struct prober_request){ 0 }) < 0);
	link_close(&l, NULL);
	assert_int_equal(l.fd, -1);
}

/* By its own name, by its folder's; a stale one; none; a path that is too long. */
static void
test_connect(void **state)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char dir[] = "/tmp/ng-unit-link-XXXXXX", path[sizeof at.sun_path], longer[200], err[400];
	struct link l;
	int s = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/%s", dir, PROBER_SOCKET_PATH);
	assert_int_equal(link_connect(&l, dir, err, sizeof err), -ENOENT);
	assert_non_null(strstr(err, path));
	memcpy(at.sun_path, path, sizeof path);
	assert_int_equal(bind(s, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(link_connect(&l, dir, err, sizeof err), -ENOENT);
	assert_non_null(strstr(err, "nobody listens there"));
	assert_int_equal(listen(s, 4), 0);
	assert_int_equal(link_connect(&l, dir, err, sizeof err), 0);
	link_close(&l, NULL);
	assert_int_equal(link_connect(&l, path, err, sizeof err), 0);
	link_close(&l, NULL);
	memset(longer, '/', sizeof longer);
	longer[sizeof longer - 1] = 0;
	assert_int_equal(link_connect(&l, longer, err, sizeof err), -ENAMETOOLONG);
	assert_int_equal(l.fd, -1);
	close(s);
	unlink(path);
	rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_connect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
