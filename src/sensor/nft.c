/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * nft.c - one nf_tables netlink socket.  The kernel works through a request inside send(), so
 * what it has to say is in the socket when send() returns: nothing here waits.
 */
#include "nft.h"

#include <errno.h>
#include <libnftnl/common.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NFT_ROOM (128 << 10)
#define NFT_MESSAGE_MAX (32 << 10) /* the largest: 64 home prefixes, 6 KiB */
#define NFT_MESSAGES_MAX 128

struct nft {
	struct mnl_socket *socket;
	uint32_t seq;
	/* The batch. */
	uint32_t first_seq;
	size_t len;
	int full;
	char label[NFT_MESSAGES_MAX][64];
	char buf[NFT_ROOM];
};

int
nft_open(struct nft **out, char *err, size_t size)
{
	struct nft *n = calloc(1, sizeof *n);
	int r;

	if (!n)
		return -ENOMEM;
	n->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	if (!n->socket || mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		r = -errno;
		snprintf(err, size, "netlink socket: %s%s", strerror(-r),
			 r == -EPROTONOSUPPORT ? ": the kernel has no nfnetlink; try: modprobe nfnetlink"
					       : "");
		nft_close(n);
		return r;
	}
	n->seq = 1;
	*out = n;
	return 0;
}

void
nft_close(struct nft *n)
{
	if (n && n->socket)
		mnl_socket_close(n->socket);
	free(n);
}

uint32_t
nft_portid(const struct nft *n)
{
	return mnl_socket_get_portid(n->socket);
}

void
nft_begin(struct nft *n)
{
	n->full = 0;
	n->len = 0;
	n->len += nftnl_batch_begin(n->buf, n->seq++)->nlmsg_len;
	n->first_seq = n->seq;
}

/* Payloads are added to the last message after nft_next() gave it: its length counts now. */
static void
settle(struct nft *n)
{
	if (n->seq > n->first_seq)
		n->len += MNL_ALIGN(((struct nlmsghdr *)(n->buf + n->len))->nlmsg_len);
}

struct nlmsghdr *
nft_next(struct nft *n, uint16_t type, uint16_t flags, const char *label, ...)
{
	uint32_t index;
	va_list ap;

	settle(n);
	index = n->seq - n->first_seq;
	if (index >= NFT_MESSAGES_MAX || n->len + NFT_MESSAGE_MAX + 64 > sizeof n->buf) {
		n->full = 1; /* goes on over the last message; send will refuse */
		n->len = 0;
		n->seq = n->first_seq;
		index = 0;
	}
	va_start(ap, label);
	vsnprintf(n->label[index], sizeof n->label[index], label, ap);
	va_end(ap);
	return nftnl_nlmsg_build_hdr(n->buf + n->len, type, NFPROTO_INET, flags, n->seq++);
}

int
nft_send(struct nft *n, char *err, size_t size)
{
	char answer[8192];
	ssize_t got;
	int r = 0;

	err[0] = 0;
	settle(n);
	if (n->full)
		return -EMSGSIZE;
	n->len += nftnl_batch_end(n->buf + n->len, n->seq++)->nlmsg_len;
	if (mnl_socket_sendto(n->socket, n->buf, n->len) < 0)
		return -errno;
	/* Only errors are answered; the first is the one that counts. */
	while ((got = recv(mnl_socket_get_fd(n->socket), answer, sizeof answer, MSG_DONTWAIT)) > 0) {
		int left = (int)got;

		for (struct nlmsghdr *h = (void *)answer; mnl_nlmsg_ok(h, left);
		     h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
			uint32_t index = h->nlmsg_seq - n->first_seq;

			if (h->nlmsg_type != NLMSG_ERROR || !e->error || r)
				continue;
			r = e->error;
			if (index < NFT_MESSAGES_MAX && h->nlmsg_seq < n->seq - 1)
				snprintf(err, size, "%s", n->label[index]);
		}
	}
	return r;
}

struct nlmsghdr *
nft_get(struct nft *n, uint16_t type, uint16_t flags)
{
	return nftnl_nlmsg_build_hdr(n->buf, type, NFPROTO_INET, flags, n->seq++);
}

struct dump {
	int (*fn)(const struct nlmsghdr *, void *);
	void *arg;
	int error;
};

static int
on_message(const struct nlmsghdr *h, void *arg)
{
	struct dump *d = arg;
	int r = d->fn(h, d->arg);

	if (r < 0)
		d->error = r;
	return r < 0 ? MNL_CB_ERROR : MNL_CB_OK;
}

int
nft_dump(struct nft *n, struct nlmsghdr *request, int (*fn)(const struct nlmsghdr *, void *), void *arg)
{
	struct dump d = { fn, arg, 0 };
	uint32_t seq = request->nlmsg_seq;
	char buf[16384];

	if (mnl_socket_sendto(n->socket, request, request->nlmsg_len) < 0)
		return -errno;
	for (;;) {
		ssize_t got = recv(mnl_socket_get_fd(n->socket), buf, sizeof buf, MSG_DONTWAIT);
		int r;

		if (got < 0)
			return d.error ? d.error : errno == EAGAIN ? -EIO : -errno;
		/* One that is given up is read to its end all the same: the kernel begins no other before (EBUSY). */
		if (d.error)
			continue;
		r = mnl_cb_run(buf, (size_t)got, seq, nft_portid(n), on_message, &d);
		if (r < 0 && !d.error)
			d.error = -errno;
		if (r == 0 || (r > 0 && !(request->nlmsg_flags & NLM_F_DUMP)))
			return 0;
	}
}
