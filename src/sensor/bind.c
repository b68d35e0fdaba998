/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * bind.c - binds NFLOG groups.  Never PF_BIND or PF_UNBIND: they change the logger of the whole
 * network namespace.
 *
 * No request asks for an acknowledgement: in include mode packets may already be in front of it,
 * and they are the analyzer's.  The kernel does what it is asked inside send(), so an error is the
 * first message in the socket when send() returns, and nothing else can be.
 */
#include "bind.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnetfilter_log/libnetfilter_log.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "sensor/holder.h"

/* A batch of 64 SYNs is 12.4 kB; the kernel rounds 8192 up to 16 K. */
#define BIND_NLBUFSIZ 8192
#define BIND_TIMEOUT 10 /* hundredths of a second: how long a batch may wait */

#ifndef NETLINK_NO_ENOBUFS
#define NETLINK_NO_ENOBUFS 5
#endif

int
bind_fd(const struct bind_group *b)
{
	return mnl_socket_get_fd(b->socket);
}

static int
ask(const struct bind_group *b, const struct nlmsghdr *h)
{
	char answer[256];
	const struct nlmsghdr *a = (const void *)answer;
	ssize_t n;

	if (mnl_socket_sendto(b->socket, h, h->nlmsg_len) < 0)
		return -errno;
	n = recv(bind_fd(b), answer, sizeof answer, MSG_PEEK | MSG_DONTWAIT);
	if (n < (ssize_t)(sizeof *a + sizeof(struct nlmsgerr)) || a->nlmsg_type != NLMSG_ERROR)
		return 0;
	(void)!recv(bind_fd(b), answer, sizeof answer, MSG_DONTWAIT);
	return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(a))->error;
}

static struct nlmsghdr *
request(char *buf, uint16_t group)
{
	return nflog_nlmsg_put_header(buf, NFULNL_MSG_CONFIG, AF_UNSPEC, group);
}

static void
put_settings(struct nlmsghdr *h, uint32_t copy, uint32_t queue_threshold)
{
	nflog_attr_put_cfg_mode(h, NFULNL_COPY_PACKET, copy);
	mnl_attr_put_u32(h, NFULA_CFG_NLBUFSIZ, htonl(BIND_NLBUFSIZ));
	mnl_attr_put_u32(h, NFULA_CFG_TIMEOUT, htonl(BIND_TIMEOUT));
	mnl_attr_put_u32(h, NFULA_CFG_QTHRESH, htonl(queue_threshold));
	mnl_attr_put_u16(h, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
}

static void
set_buffer(struct bind_group *b, uint32_t wanted)
{
	int value = (int)wanted, got = 0, fd = bind_fd(b);
	socklen_t len = sizeof got;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &value, sizeof value))
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &value, sizeof value);
	if (!getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &got, &len))
		b->receive_buffer = (uint32_t)got / 2;
	if (b->receive_buffer < wanted)
		log_warn("group %u: the kernel grants a receive buffer of %u bytes, not %u; more needs "
			 "CAP_NET_ADMIN or a larger net.core.rmem_max", b->group, b->receive_buffer, wanted);
}

/* EPERM means "taken" as well as "not allowed": /proc knows which. */
static void
explain(int e, uint16_t group, char *err, size_t size)
{
	char name[64];
	pid_t pid;
	uint32_t port = holder_find(group, &pid, name, sizeof name);

	if (port && pid) {
		snprintf(err, size, "group %u is taken by pid %d (%s); choose another with nflog-group, or "
			 "stop that program", group, pid, name);
	} else if (port) {
		snprintf(err, size, "group %u is taken (netlink port %u); choose another with nflog-group",
			 group, port);
	} else if (e == -EPERM) {
		snprintf(err, size, "no privilege to bind NFLOG group %u (CAP_NET_ADMIN): run net-gazer as root",
			 group);
	} else if (e == -EINVAL || e == -EOPNOTSUPP || e == -EPROTONOSUPPORT) {
		snprintf(err, size, "the kernel has no NFLOG (%s); try: modprobe nfnetlink_log", strerror(-e));
	} else {
		snprintf(err, size, "cannot bind NFLOG group %u: %s", group, strerror(-e));
	}
}

int
bind_open(struct bind_group *b, uint16_t group, uint32_t copy, uint32_t queue_threshold,
	  uint32_t receive_buffer, char *err, size_t size)
{
	static unsigned serial = 1;
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *h;
	int one = 1, r;

	*b = (struct bind_group){ .group = group, .serial = serial++ };
	b->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!b->socket || mnl_socket_bind(b->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		goto fail;
	}
	set_buffer(b, receive_buffer);
	/* Without it one overrun makes the kernel drop everything until the queue is empty. */
	if (setsockopt(bind_fd(b), SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one))
		log_warn("group %u: no NETLINK_NO_ENOBUFS: %s", group, strerror(errno));

	/* One message, so that not one packet comes without a sequence number. */
	h = request(buf, group);
	nflog_attr_put_cfg_cmd(h, NFULNL_CFG_CMD_BIND);
	put_settings(h, copy, queue_threshold);
	r = ask(b, h);
	if (!r)
		return 0;
fail:
	explain(r, group, err, size);
	bind_close(b);
	return r;
}

int
bind_configure(struct bind_group *b, uint32_t copy, uint32_t queue_threshold, uint32_t receive_buffer)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *h = request(buf, b->group);

	if (b->receive_buffer != receive_buffer)
		set_buffer(b, receive_buffer);
	put_settings(h, copy, queue_threshold);
	return ask(b, h);
}

void
bind_unbind(struct bind_group *b)
{
	char buf[MNL_NLMSG_HDRLEN + 256];
	struct nlmsghdr *h = request(buf, b->group);

	nflog_attr_put_cfg_cmd(h, NFULNL_CFG_CMD_UNBIND);
	if (mnl_socket_sendto(b->socket, h, h->nlmsg_len) < 0)
		log_debug("group %u: unbind: %s", b->group, strerror(errno));
}

void
bind_close(struct bind_group *b)
{
	if (b->socket)
		mnl_socket_close(b->socket);
	b->socket = NULL;
}
