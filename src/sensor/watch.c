/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch.c - the kernel multicasts each transaction as the list of what it changed, and then a message
 * with the new generation's number and the process that asked for it.  The names of tables stand first in
 * all of them (NFTA_*_TABLE and NFTA_TABLE_NAME are 1).
 */
#include "watch.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "sensor/classes.h"

/* A fw4 reload is 200 kB of messages; more than fits is told as `lost`, and everything is looked at. */
#define WATCH_BUFFER (1 << 20)
#define WATCH_TURN 256 /* datagrams: somebody who changes rules all the time is not read all the time */

struct watch {
	struct mnl_socket *socket;
	uint32_t own;
	struct watch_change change;  /* the transaction that is being told */
	watch_fn *fn;
	void *arg;
	struct loop_fd fd_watch;
};

int
watch_open(struct watch **out, uint32_t own, char *err, size_t size)
{
	struct watch *w = calloc(1, sizeof *w);
	int group = NFNLGRP_NFTABLES, room = WATCH_BUFFER, r;

	snprintf(err, size, "out of memory");
	if (!w)
		return -ENOMEM;
	w->own = own;
	w->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!w->socket || mnl_socket_bind(w->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(w->socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0) {
		r = -errno;
		snprintf(err, size, "cannot watch the firewall's rules for changes: %s%s", strerror(-r),
			 r == -EPERM ? ": no privilege (CAP_NET_ADMIN; run as root)" : "");
		watch_close(w);
		return r;
	}
	(void)setsockopt(mnl_socket_get_fd(w->socket), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room);
	*out = w;
	return 0;
}

void
watch_close(struct watch *w)
{
	if (!w)
		return;
	loop_fd_del(&w->fd_watch);
	if (w->socket)
		mnl_socket_close(w->socket);
	free(w);
}

static const struct nlattr *
find(const struct nlmsghdr *h, uint16_t type)
{
	const struct nlattr *a = mnl_nlmsg_get_payload_offset(h, sizeof(struct nfgenmsg));
	const char *end = mnl_nlmsg_get_payload_tail(h);

	for (; mnl_attr_ok(a, (int)(end - (const char *)a)); a = mnl_attr_next(a)) {
		if (mnl_attr_get_type(a) == type)
			return a;
	}
	return NULL;
}

static int
is_ours(const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *a = find(h, NFTA_TABLE_NAME);

	return g->nfgen_family == NFPROTO_INET && a && mnl_attr_get_payload_len(a) == sizeof CLASSES_TABLE &&
	       !memcmp(mnl_attr_get_payload(a), CLASSES_TABLE, sizeof CLASSES_TABLE);
}

/* Any process may call itself what it likes. */
static void
put_name(char out[17], const struct nlattr *a)
{
	const char *name = mnl_attr_get_payload(a);
	size_t n = 0, len = mnl_attr_get_payload_len(a);

	for (; n < len && n < 16 && name[n]; n++)
		out[n] = isgraph((unsigned char)name[n]) ? name[n] : '?';
	out[n] = 0;
}

static void
tell(struct watch *w)
{
	w->fn(w->arg, &w->change);
	w->change = (struct watch_change){ 0 };
}

/* The end of a transaction. */
static void
on_generation(struct watch *w, const struct nlmsghdr *h)
{
	const struct nlattr *pid = find(h, NFTA_GEN_PROC_PID), *name = find(h, NFTA_GEN_PROC_NAME);

	if (!w->change.ours && !w->change.others)
		return;
	if (pid && mnl_attr_get_payload_len(pid) == sizeof w->change.pid)
		w->change.pid = ntohl(mnl_attr_get_u32(pid));
	if (name)
		put_name(w->change.name, name);
	tell(w);
}

static void
on_message(struct watch *w, const struct nlmsghdr *h)
{
	unsigned type = h->nlmsg_type & 0xff;

	if (h->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES || h->nlmsg_pid == w->own ||
	    h->nlmsg_len < NLMSG_HDRLEN + sizeof(struct nfgenmsg))
		return;
	if (type == NFT_MSG_NEWGEN)
		on_generation(w, h);
	else if (is_ours(h))
		w->change.ours = 1;
	else if (type == NFT_MSG_NEWRULE || type == NFT_MSG_DELRULE)
		w->change.others = 1;
}

static void
on_readable(struct loop_fd *fd, uint32_t events)
{
	struct watch *w = fd->arg;
	char buf[16384];

	(void)events;
	for (int turn = 0; turn < WATCH_TURN; turn++) {
		ssize_t got = recv(mnl_socket_get_fd(w->socket), buf, sizeof buf, MSG_DONTWAIT);
		int left = (int)got;

		if (got < 0 && errno == ENOBUFS) {
			w->change.lost = w->change.ours = w->change.others = 1;
			tell(w);
			continue;
		}
		if (got <= 0)
			return;
		for (struct nlmsghdr *h = (void *)buf; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			on_message(w, h);
	}
}

int
watch_start(struct watch *w, struct loop *loop, watch_fn *fn, void *arg)
{
	w->fn = fn;
	w->arg = arg;
	return loop_fd_add(loop, &w->fd_watch, mnl_socket_get_fd(w->socket), EPOLLIN, on_readable, w);
}
