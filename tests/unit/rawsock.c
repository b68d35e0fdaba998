/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Raw sockets on the loopback of a network namespace of our own: what they let through, what they
 * send, which rights they miss.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>

/* A kernel that refuses a family, or a socket's option.  (seccomp sees no arguments in i386's socketcall.) */
static int refused_family = -1, refused_option = -1;

static int
maybe_socket(int family, int type, int protocol)
{
	if (family != refused_family)
		return socket(family, type, protocol);
	errno = EAFNOSUPPORT;
	return -1;
}

static int
maybe_setsockopt(int fd, int level, int option, const void *value, socklen_t len)
{
	if (level != SOL_SOCKET || option != refused_option)
		return setsockopt(fd, level, option, value, len);
	errno = EPERM;
	return -1;
}

#define socket maybe_socket
#define setsockopt maybe_setsockopt
#include "../../src/lib/rawsock.c"
#undef socket
#undef setsockopt

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#include "lib/priv.h"

#define FIRST 64512
#define LAST 65000
#define MARK 0x4e000000

static const struct rawsock_conf conf = { .mark = MARK, .port_first = FIRST, .port_last = LAST, .transparent = 1 };

static struct rawsock_set
open_all(const struct rawsock_conf *c)
{
	struct rawsock_set set;
	char err[200] = "";
	int r = rawsock_open(&set, c, err, sizeof err);

	if (r)
		fail_msg("%d: %s", r, err);
	return set;
}

/* A namespace with its loopback up. */
static int
own_network(void **state)
{
	struct ifreq lo = { .ifr_name = "lo" };
	int s;

	(void)state;
	if (unshare(CLONE_NEWNET) && unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return -1;
	s = socket(AF_INET, SOCK_DGRAM, 0);
	if (s < 0 || ioctl(s, SIOCGIFFLAGS, &lo))
		return -1;
	lo.ifr_flags |= IFF_UP;
	if (ioctl(s, SIOCSIFFLAGS, &lo))
		return -1;
	close(s);
	return 0;
}

static int
get_int(int fd, int level, int option)
{
	int value = -1;
	socklen_t len = sizeof value;

	assert_int_equal(getsockopt(fd, level, option, &value, &len), 0);
	return value;
}

static void
test_options(void **state)
{
	struct rawsock_set set = open_all(&conf);
	struct rawsock_conf plain = conf;

	(void)state;
	for (int k = 0; k < RAWSOCK_KINDS; k++) {
		int fd = set.fd[k];

		assert_true(fd >= 0);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_MARK), MARK);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_TYPE), SOCK_RAW);
		assert_int_equal(get_int(fd, SOL_SOCKET, SO_DOMAIN), k % 2 ? AF_INET6 : AF_INET);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_true(get_int(fd, SOL_SOCKET, SO_RCVBUF) <= 2 * RECEIVE_BYTES);
		/* Whoever takes over the process cannot hear more. */
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &(int){ 0 }, sizeof(int)), -1);
		assert_int_equal(errno, EPERM);
		if (k % 2 == 0)
			assert_int_equal(get_int(fd, IPPROTO_IP, IP_TRANSPARENT), k >= RAWSOCK_TCPX4);
	}
	rawsock_close(&set);
	for (int k = 0; k < RAWSOCK_KINDS; k++)
		assert_int_equal(set.fd[k], -1);
	plain.transparent = 0;
	set = open_all(&plain);
	assert_int_equal(set.fd[RAWSOCK_TCPX4], -1);
	assert_int_equal(set.fd[RAWSOCK_TCPX6], -1);
	assert_true(set.fd[RAWSOCK_TCP4] >= 0);
	rawsock_close(&set);
}

static void
test_names(void **state)
{
	static const char *const names[] = { "tcp4", "tcp6", "udp4", "udp6", "icmp4", "icmp6", "tcpx4", "tcpx6" };

	(void)state;
	for (int k = 0; k < RAWSOCK_KINDS; k++)
		assert_string_equal(rawsock_name((enum rawsock_kind)k), names[k]);
}

/* Sends a transport header over the loopback, from ::1 or 127.0.0.1 to itself. */
static void
inject(int family, int proto, const uint8_t *bytes, size_t len)
{
	int s = socket(family, SOCK_RAW, proto);
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	const struct sockaddr *to = family == AF_INET ? (void *)&to4 : (void *)&to6;

	assert_true(s >= 0);
	assert_int_equal(sendto(s, bytes, len, 0, to, family == AF_INET ? sizeof to4 : sizeof to6), len);
	close(s);
}

/* What arrived, if anything: 1 or 0. */
static int
arrived(int fd, uint8_t *ttl, int *stamped)
{
	uint8_t bytes[256], control[256];
	struct iovec iov = { bytes, sizeof bytes };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control };
	ssize_t n = recvmsg(fd, &m, 0);

	*ttl = 0;
	*stamped = 0;
	if (n < 0)
		return 0;
	if (get_int(fd, SOL_SOCKET, SO_DOMAIN) == AF_INET)
		*ttl = bytes[8];
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			struct timespec ts, now;

			memcpy(&ts, CMSG_DATA(c), sizeof ts);
			clock_gettime(CLOCK_REALTIME, &now);
			*stamped += now.tv_sec - ts.tv_sec < 60;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_HOPLIMIT) {
			int limit;

			memcpy(&limit, CMSG_DATA(c), sizeof limit);
			*ttl = (uint8_t)limit;
		}
		if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo info;

			memcpy(&info, CMSG_DATA(c), sizeof info);
			assert_true(IN6_IS_ADDR_LOOPBACK(&info.ipi6_addr));
			*stamped += 1;
		}
	}
	assert_true(recv(fd, bytes, 1, 0) < 0); /* one, not more */
	return 1;
}

static void
expect(const struct rawsock_set *set, int kind, int want, const char *what, unsigned a, unsigned b)
{
	/* The loopback delivers in order, mostly at once: what should not come and is late fails the next. */
	if (want) {
		struct pollfd p = { set->fd[kind], POLLIN, 0 };

		assert_int_equal(poll(&p, 1, 20000), 1);
	}
	for (int k = 0; k < RAWSOCK_KINDS; k++) {
		uint8_t ttl;
		int stamped, came = arrived(set->fd[k], &ttl, &stamped);

		if (came != (k == kind && want))
			fail_msg("%s %#x %u: %s by %s", what, a, b, came ? "received" : "not received",
				 rawsock_name((enum rawsock_kind)k));
		if (came) {
			assert_int_equal(ttl, 64);
			assert_int_equal(stamped, k % 2 ? 2 : 1); /* and the address, where it is asked for */
		}
	}
}

static void
test_tcp_filter(void **state)
{
	static const unsigned ports[] = { 0, 80, FIRST - 1, FIRST, FIRST + 200, LAST, LAST + 1, 65535 };
	struct rawsock_set set = open_all(&conf);

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (unsigned flags = 0; flags < 256; flags++) {
			for (size_t i = 0; i < sizeof ports / sizeof ports[0]; i++) {
				unsigned kind = flags & 0x17, port = ports[i];
				uint8_t tcp[20] = { 0, 9, (uint8_t)(port >> 8), (uint8_t)port, [12] = 0x50, [13] = (uint8_t)flags };
				int want = port >= FIRST && port <= LAST && (kind == 0x12 || kind == 0x14 || kind == 4);

				inject(v6 ? AF_INET6 : AF_INET, IPPROTO_TCP, tcp, sizeof tcp);
				expect(&set, v6 ? RAWSOCK_TCP6 : RAWSOCK_TCP4, want, "flags", flags, port);
			}
		}
	}
	rawsock_close(&set);
}

static void
test_icmp_filter(void **state)
{
	static const unsigned ids[] = { 0, FIRST - 1, FIRST, LAST, LAST + 1 };
	struct rawsock_set set = open_all(&conf);

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		for (unsigned type = 0; type < 256; type++) {
			/* The kernel's answers to these would come in too. */
			if (type == (v6 ? 128U : 8U))
				continue;
			for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++) {
				uint8_t icmp[10] = { (uint8_t)type, 0, 0, 0, (uint8_t)(ids[i] >> 8), (uint8_t)ids[i] };
				int error = type == (v6 ? 1U : 3U) || type == (v6 ? 3U : 11U);
				int echo = type == (v6 ? 129U : 0U) && ids[i] >= FIRST && ids[i] <= LAST;

				inject(v6 ? AF_INET6 : AF_INET, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP, icmp, sizeof icmp);
				expect(&set, v6 ? RAWSOCK_ICMP6 : RAWSOCK_ICMP4, error || echo, "type", type, ids[i]);
			}
		}
	}
	rawsock_close(&set);
}

static void
test_deaf(void **state)
{
	static const uint8_t synack[20] = { 0, 9, FIRST >> 8, FIRST & 255, [12] = 0x50, [13] = 0x12 };
	static const uint8_t exceeded4[8] = { 11 }, exceeded6[8] = { 3 };
	struct rawsock_conf c = conf;
	struct rawsock_set set;

	(void)state;
	c.deaf = 1;
	set = open_all(&c);
	inject(AF_INET, IPPROTO_TCP, synack, sizeof synack);
	inject(AF_INET6, IPPROTO_TCP, synack, sizeof synack);
	inject(AF_INET, IPPROTO_ICMP, exceeded4, sizeof exceeded4);
	inject(AF_INET6, IPPROTO_ICMPV6, exceeded6, sizeof exceeded6);
	expect(&set, -1, 0, "deaf", 0, 0);
	rawsock_close(&set);
}

/* Sends ten bytes with a source and a TTL of their own.  0 or -errno. */
static int
send_as(int fd, int v6, const char *src, int ttl)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct in6_pktinfo))];
		struct cmsghdr align;
	} control = { .bytes = { 0 } };
	uint8_t bytes[20] = { FIRST >> 8, FIRST & 255, 0, 9, [12] = 0x50, [13] = 0x04 };
	struct iovec iov = { bytes, sizeof bytes };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	struct in_pktinfo info4 = { 0 };
	struct in6_pktinfo info6 = { 0 };
	struct msghdr m = { .msg_name = v6 ? (void *)&to6 : (void *)&to4, .msg_namelen = v6 ? sizeof to6 : sizeof to4,
			    .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes,
			    .msg_controllen = CMSG_SPACE(sizeof ttl) + (v6 ? CMSG_SPACE(sizeof info6) : CMSG_SPACE(sizeof info4)) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, src, v6 ? (void *)&info6.ipi6_addr : (void *)&info4.ipi_spec_dst), 1);
	*c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof ttl), .cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP,
			       .cmsg_type = v6 ? IPV6_HOPLIMIT : IP_TTL };
	memcpy(CMSG_DATA(c), &ttl, sizeof ttl);
	c = CMSG_NXTHDR(&m, c);
	*c = (struct cmsghdr){ .cmsg_len = v6 ? CMSG_LEN(sizeof info6) : CMSG_LEN(sizeof info4),
			       .cmsg_level = v6 ? IPPROTO_IPV6 : IPPROTO_IP, .cmsg_type = v6 ? IPV6_PKTINFO : IP_PKTINFO };
	memcpy(CMSG_DATA(c), v6 ? (void *)&info6 : (void *)&info4, v6 ? sizeof info6 : sizeof info4);
	return sendmsg(fd, &m, 0) < 0 ? -errno : 0;
}

/* The next TCP packet on the loopback, from its IP header on. */
static void
capture(int packets, uint8_t bytes[128], size_t len)
{
	struct pollfd p = { packets, POLLIN, 0 };

	for (;;) {
		ssize_t n;

		assert_int_equal(poll(&p, 1, 20000), 1);
		n = recv(packets, bytes, 128, 0);
		if (n == (ssize_t)len && bytes[bytes[0] >> 4 == 4 ? 9 : 6] == IPPROTO_TCP)
			return;
	}
}

/* The kernel writes the IP header; only the transparent sockets may use another's address. */
static void
test_sending(void **state)
{
	struct rawsock_set set = open_all(&conf);
	struct sockaddr_ll lo = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = 1 };
	int packets = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL));
	uint8_t b[128];

	(void)state;
	assert_true(packets >= 0);
	assert_int_equal(bind(packets, (struct sockaddr *)&lo, sizeof lo), 0);

	assert_int_equal(send_as(set.fd[RAWSOCK_TCP4], 0, "127.0.0.7", 3), 0);
	capture(packets, b, 40);
	assert_int_equal(b[0], 0x45);
	assert_int_equal(b[8], 3);
	assert_memory_equal(b + 12, "\177\0\0\7", 4);
	assert_memory_equal(b + 16, "\177\0\0\1", 4);
	assert_int_not_equal(send_as(set.fd[RAWSOCK_TCP4], 0, "192.0.2.77", 4), 0);
	assert_int_equal(send_as(set.fd[RAWSOCK_TCPX4], 0, "192.0.2.77", 5), 0);
	do
		capture(packets, b, 40);
	while (b[8] == 3); /* the loopback shows each packet twice */
	assert_int_equal(b[8], 5);
	assert_memory_equal(b + 12, "\300\0\2\115", 4);

	assert_int_equal(send_as(set.fd[RAWSOCK_TCP6], 1, "::1", 6), 0);
	capture(packets, b, 60);
	assert_memory_equal(b, "\x60\0\0\0\0\x14", 6); /* flow label 0 */
	assert_int_equal(b[7], 6);
	assert_int_not_equal(send_as(set.fd[RAWSOCK_TCP6], 1, "2001:db8::77", 7), 0);
	assert_int_equal(send_as(set.fd[RAWSOCK_TCPX6], 1, "2001:db8::77", 8), 0);
	do
		capture(packets, b, 60);
	while (b[7] == 6);
	assert_int_equal(b[7], 8);
	assert_memory_equal(b + 8, "\x20\1\xd\xb8\0\0\0\0\0\0\0\0\0\0\0\x77", 16);
	close(packets);
	rawsock_close(&set);
}

static int
open_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* In a process of its own: gives up rights, then opens.  Its exit status is 0 when all was well. */
static void
in_child(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid)
		_exit(fn());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int
without_rights(void)
{
	struct rawsock_set set;
	char err[200] = "";
	int before = open_fds();

	if (priv_keep_caps(0))
		return 1;
	if (rawsock_open(&set, &conf, err, sizeof err) != -EPERM)
		return 2;
	if (strcmp(err, "raw sockets need CAP_NET_RAW"))
		return 3;
	for (int k = 0; k < RAWSOCK_KINDS; k++) {
		if (set.fd[k] != -1)
			return 4;
	}
	return open_fds() == before ? 0 : 5;
}

static void
test_no_rights(void **state)
{
	(void)state;
	in_child(without_rights);
}

/* A kernel that says so of AF_INET6 sockets. */
static int
without_ipv6(void)
{
	struct rawsock_set set;
	char err[200];

	refused_family = AF_INET6;
	if (rawsock_open(&set, &conf, err, sizeof err))
		return 2;
	for (int k = 0; k < RAWSOCK_KINDS; k++) {
		if ((set.fd[k] < 0) != (k % 2))
			return 3;
	}
	rawsock_close(&set);
	return 0;
}

static void
test_no_ipv6(void **state)
{
	(void)state;
	in_child(without_ipv6);
}

/* An old kernel refuses the mark to who has CAP_NET_RAW alone: nothing stays open, the words say why. */
static int
without_mark(void)
{
	struct rawsock_set set;
	char err[200];
	int before = open_fds();

	refused_option = SO_MARK;
	if (rawsock_open(&set, &conf, err, sizeof err) != -EPERM)
		return 2;
	if (strcmp(err, "raw socket tcp4: SO_MARK needs CAP_NET_ADMIN or, since Linux 5.17, CAP_NET_RAW"))
		return 3;
	return open_fds() == before ? 0 : 4;
}

static void
test_no_mark(void **state)
{
	(void)state;
	in_child(without_mark);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_tcp_filter),
		cmocka_unit_test(test_icmp_filter),
		cmocka_unit_test(test_deaf),
		cmocka_unit_test(test_sending),
		cmocka_unit_test(test_no_rights),
		cmocka_unit_test(test_no_ipv6),
		cmocka_unit_test(test_no_mark),
	};

	return cmocka_run_group_tests(tests, own_network, NULL);
}
