/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rawsock.c - opens raw sockets and bars them from all that is no answer to a probe.
 */
#include "rawsock.h"

#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Of newer libc headers. */
#ifndef IPV6_TRANSPARENT
#define IPV6_TRANSPARENT 75
#endif
#ifndef IPV6_AUTOFLOWLABEL
#define IPV6_AUTOFLOWLABEL 70
#endif

/* About 200 answers: a fifth of a second at 1000 a second. */
#define RECEIVE_BYTES (128 * 1024)

/* What a filter takes of a packet: all or nothing. */
#define TAKE BPF_STMT(BPF_RET | BPF_K, 0xffffffff)
#define LEAVE BPF_STMT(BPF_RET | BPF_K, 0)

#define UNUSED4 0x7ffffffe /* 127.255.255.254 */

#define TCP_FLAGS_ASKED 0x17 /* FIN, SYN, RST, ACK */

static const struct {
	const char *name;
	int family;
	int proto;
	int transparent;
} kinds[RAWSOCK_KINDS] = {
	[RAWSOCK_TCP4] = { "tcp4", AF_INET, IPPROTO_TCP, 0 },
	[RAWSOCK_TCP6] = { "tcp6", AF_INET6, IPPROTO_TCP, 0 },
	[RAWSOCK_UDP4] = { "udp4", AF_INET, IPPROTO_UDP, 0 },
	[RAWSOCK_UDP6] = { "udp6", AF_INET6, IPPROTO_UDP, 0 },
	[RAWSOCK_ICMP4] = { "icmp4", AF_INET, IPPROTO_ICMP, 0 },
	[RAWSOCK_ICMP6] = { "icmp6", AF_INET6, IPPROTO_ICMPV6, 0 },
	[RAWSOCK_TCPX4] = { "tcpx4", AF_INET, IPPROTO_TCP, 1 },
	[RAWSOCK_TCPX6] = { "tcpx6", AF_INET6, IPPROTO_TCP, 1 },
};

const char *
rawsock_name(enum rawsock_kind kind)
{
	return kinds[kind].name;
}

static int
set_int(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof value) ? -errno : 0;
}

static int
attach(int fd, struct sock_filter *code, unsigned short n)
{
	struct sock_fprog program = { n, code };

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) ? -errno : 0;
}

/* X gets the transport header's place: a raw IPv4 socket sees the IP header, an IPv6 one does not. */
#define TO_TRANSPORT(v4) \
	(v4) ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0) : \
	       (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0)

/* SYN-ACK, RST, RST-ACK to one of our ports. */
static int
filter_tcp(int fd, int v4, const struct rawsock_conf *conf)
{
	struct sock_filter code[] = {
		TO_TRANSPORT(v4),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, conf->port_first, 0, 7),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, conf->port_last, 6, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, TCP_FLAGS_ASKED),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x12, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x14, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x04, 0, 1),
		TAKE,
		LEAVE,
	};

	return attach(fd, code, sizeof code / sizeof code[0]);
}

/* Unreachable, time exceeded, and echo replies with one of our identifiers. */
static int
filter_icmp(int fd, int v4, const struct rawsock_conf *conf)
{
	struct sock_filter code[] = {
		TO_TRANSPORT(v4),
		BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v4 ? 3 : 1, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v4 ? 11 : 3, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, v4 ? 0 : 129, 0, 4),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, conf->port_first, 0, 2),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, conf->port_last, 1, 0),
		TAKE,
		LEAVE,
	};

	return attach(fd, code, sizeof code / sizeof code[0]);
}

static int
hears_nothing(enum rawsock_kind kind, const struct rawsock_conf *conf)
{
	return conf->deaf || kinds[kind].transparent || kinds[kind].proto == IPPROTO_UDP;
}

static int
filter(int fd, enum rawsock_kind kind, const struct rawsock_conf *conf)
{
	struct sock_filter none[] = { LEAVE };
	int v4 = kinds[kind].family == AF_INET, proto = kinds[kind].proto, r;
	uint8_t drain[1];

	if (hears_nothing(kind, conf))
		r = attach(fd, none, 1);
	else if (proto == IPPROTO_TCP)
		r = filter_tcp(fd, v4, conf);
	else
		r = filter_icmp(fd, v4, conf);
	if (!r)
		r = set_int(fd, SOL_SOCKET, SO_LOCK_FILTER, 1);
	/* What came in before the filter was there. */
	while (!r && recv(fd, drain, sizeof drain, MSG_DONTWAIT | MSG_TRUNC) >= 0)
		continue;
	return r;
}

/* 0, or -errno with the name of what failed. */
static int
set_up(int fd, enum rawsock_kind kind, const struct rawsock_conf *conf, const char **what)
{
	int v4 = kinds[kind].family == AF_INET, r;

	*what = "SO_ATTACH_FILTER";
	r = filter(fd, kind, conf);
	if (!r) {
		*what = "SO_MARK";
		r = set_int(fd, SOL_SOCKET, SO_MARK, (int)conf->mark);
	}
	if (!r) {
		*what = "SO_RCVBUF";
		r = set_int(fd, SOL_SOCKET, SO_RCVBUF, conf->deaf ? 0 : RECEIVE_BYTES);
	}
	if (!r) {
		*what = "SO_TIMESTAMPNS";
		r = set_int(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
	}
	if (!r && !v4) {
		*what = "IPV6_RECVPKTINFO";
		if (!(r = set_int(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)))
			r = set_int(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	}
	if (!r && !v4) {
		*what = "IPV6_AUTOFLOWLABEL";
		r = set_int(fd, IPPROTO_IPV6, IPV6_AUTOFLOWLABEL, 0);
	}
	if (!r && kinds[kind].transparent) {
		*what = v4 ? "IP_TRANSPARENT" : "IPV6_TRANSPARENT";
		r = v4 ? set_int(fd, IPPROTO_IP, IP_TRANSPARENT, 1) :
			 set_int(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, 1);
	}
	return r;
}

/* The kernel copies each packet for this machine to each raw socket of its protocol before it asks the
 * filter; an address that no packet comes to spares it that.  Senders name their source with each packet.
 * Where it cannot be had (lo is down) the filter alone will do. */
static void
turn_away(int fd, int family)
{
	struct sockaddr_in a4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(UNUSED4) };
	struct sockaddr_in6 a6 = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };

	(void)!bind(fd, family == AF_INET ? (struct sockaddr *)&a4 : (struct sockaddr *)&a6,
		    family == AF_INET ? sizeof a4 : sizeof a6);
}

static int
open_one(enum rawsock_kind kind, const struct rawsock_conf *conf, char *err, size_t size)
{
	const char *what = "socket";
	int fd = socket(kinds[kind].family, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, kinds[kind].proto), r;

	if (fd < 0)
		r = -errno;
	else
		r = set_up(fd, kind, conf, &what);
	if (!r && hears_nothing(kind, conf))
		turn_away(fd, kinds[kind].family);
	if (!r)
		return fd;
	if (fd >= 0)
		close(fd);
	if (r == -EPERM && fd < 0)
		snprintf(err, size, "raw sockets need CAP_NET_RAW");
	else if (r == -EPERM)
		snprintf(err, size, "raw socket %s: %s needs CAP_NET_ADMIN or, since Linux 5.17, CAP_NET_RAW",
			 kinds[kind].name, what);
	else
		snprintf(err, size, "raw socket %s: %s: %s", kinds[kind].name, what, strerror(-r));
	return r;
}

int
rawsock_open(struct rawsock_set *set, const struct rawsock_conf *conf, char *err, size_t size)
{
	int r;

	for (int k = 0; k < RAWSOCK_KINDS; k++)
		set->fd[k] = -1;
	for (int k = 0; k < RAWSOCK_KINDS; k++) {
		if (kinds[k].transparent && !conf->transparent)
			continue;
		r = open_one((enum rawsock_kind)k, conf, err, size);
		/* A kernel without IPv6, or with ipv6.disable=1. */
		if (r == -EAFNOSUPPORT && kinds[k].family == AF_INET6)
			continue;
		if (r < 0) {
			rawsock_close(set);
			return r;
		}
		set->fd[k] = r;
	}
	return 0;
}

void
rawsock_close(struct rawsock_set *set)
{
	for (int k = 0; k < RAWSOCK_KINDS; k++) {
		if (set->fd[k] >= 0)
			close(set->fd[k]);
		set->fd[k] = -1;
	}
}
