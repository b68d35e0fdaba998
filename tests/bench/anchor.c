/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * anchor - the least that a process can do with an NFLOG group, to measure others against: binds it
 * and counts messages (count), or also walks the attributes with libmnl and reads IP, TCP and the
 * TCP options (parse).  It blocks in recv(), so that each datagram wakes it up; with a third argument
 * it empties the socket and then sleeps so many microseconds.  On SIGTERM prints "received=N".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop;
static uint64_t received, sink;
static int parsing;

static void
on_signal(int signo)
{
	(void)signo;
	stop = 1;
}

static void
parse(const uint8_t *p, size_t n)
{
	size_t l3 = (size_t)(p[0] & 15) * 4, l4;
	const uint8_t *t = p + l3;

	if (n < 40 || p[0] >> 4 != 4 || p[9] != 6 || n < l3 + 20)
		return;
	l4 = (size_t)(t[12] >> 4) * 4;
	if (l4 < 20 || n < l3 + l4)
		return;
	sink += p[12] + p[16] + t[0] + t[2] + t[13];
	for (size_t k = 20; k < l4;) {
		if (t[k] == 0)
			break;
		if (t[k] == 1) {
			k++;
			continue;
		}
		if (k + 2 > l4 || t[k + 1] < 2)
			break;
		sink += t[k];
		k += t[k + 1];
	}
}

static int
on_attribute(const struct nlattr *a, void *arg)
{
	(void)arg;
	if (mnl_attr_get_type(a) == NFULA_PAYLOAD)
		parse(mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	else
		sink += mnl_attr_get_type(a);
	return MNL_CB_OK;
}

int
main(int argc, char **argv)
{
	static char buf[65536];
	struct sigaction sa = { .sa_handler = on_signal };
	struct mnl_socket *s;
	struct nlmsghdr *nh;
	int one = 1, bytes = 8 << 20;
	unsigned rest_us;

	if (argc != 3 && argc != 4)
		return 2;
	rest_us = argc == 4 ? (unsigned)atoi(argv[3]) : 0;
	parsing = !strcmp(argv[1], "parse");
	sigaction(SIGTERM, &sa, NULL);
	s = mnl_socket_open(NETLINK_NETFILTER);
	if (!s || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
		perror("anchor: netlink");
		return 1;
	}
	setsockopt(mnl_socket_get_fd(s), SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
	mnl_socket_setsockopt(s, NETLINK_NO_ENOBUFS, &one, sizeof one);
	nh = nflog_nlmsg_put_header(buf, NFULNL_MSG_CONFIG, AF_UNSPEC, (uint16_t)atoi(argv[2]));
	nflog_attr_put_cfg_cmd(nh, NFULNL_CFG_CMD_BIND);
	nflog_attr_put_cfg_mode(nh, NFULNL_COPY_PACKET, 128);
	mnl_attr_put_u32(nh, NFULA_CFG_QTHRESH, htonl(64));
	mnl_attr_put_u32(nh, NFULA_CFG_TIMEOUT, htonl(10));
	mnl_attr_put_u32(nh, NFULA_CFG_NLBUFSIZ, htonl(8192));
	mnl_attr_put_u16(nh, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
	if (mnl_socket_sendto(s, nh, nh->nlmsg_len) < 0) {
		perror("anchor: bind");
		return 1;
	}
	while (!stop) {
		ssize_t got = recv(mnl_socket_get_fd(s), buf, sizeof buf, rest_us ? MSG_DONTWAIT : 0);
		int n = (int)got;

		if (got < 0 && errno == EAGAIN) {
			usleep(rest_us);
			continue;
		}
		if (got < 0 && errno != EINTR && errno != ENOBUFS) {
			perror("anchor: recv");
			return 1;
		}
		for (nh = (struct nlmsghdr *)(void *)buf; mnl_nlmsg_ok(nh, n); nh = mnl_nlmsg_next(nh, &n)) {
			if (nh->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET))
				continue;
			received++;
			if (parsing)
				mnl_attr_parse(nh, sizeof(struct nfgenmsg), on_attribute, NULL);
		}
	}
	printf("received=%llu sink=%llu\n", (unsigned long long)received, (unsigned long long)(sink & 1));
	return 0;
}
