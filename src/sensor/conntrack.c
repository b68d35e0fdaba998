/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conntrack.c - IPCTNL_MSG_CT_GET by original tuple, over one netlink socket.
 */
#include "conntrack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdlib.h>
#include <string.h>

#define CONNTRACK_ANSWERS 16 /* read for one question: late ones of questions before it go first */

struct conntrack {
	struct mnl_socket *socket;
	uint32_t seq;
	char buf[8192];
};

/* What is read of an answer. */
struct entry {
	struct prober_tuple reply;
	unsigned have;       /* bit for each attribute */
	uint8_t state;       /* enum tcp_conntrack */
};

enum { HAVE_SRC = 1, HAVE_DST = 2, HAVE_SPORT = 4, HAVE_DPORT = 8, HAVE_STATE = 16, HAVE_ALL = 31 };

int
conntrack_open(struct conntrack **out)
{
	struct conntrack *c = calloc(1, sizeof *c);
	int e;

	if (!c)
		return -ENOMEM;
	c->socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!c->socket || mnl_socket_bind(c->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		e = -errno;
		conntrack_close(c);
		return e;
	}
	*out = c;
	return 0;
}

void
conntrack_close(struct conntrack *c)
{
	if (!c)
		return;
	if (c->socket)
		mnl_socket_close(c->socket);
	free(c);
}

static void
put_question(struct conntrack *c, const struct prober_tuple *t)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(c->buf);
	struct nfgenmsg *g;
	struct nlattr *tuple, *part;
	int v4 = t->ipv == 4;

	h->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET;
	h->nlmsg_flags = NLM_F_REQUEST;
	h->nlmsg_seq = ++c->seq;
	g = mnl_nlmsg_put_extra_header(h, sizeof *g);
	g->nfgen_family = v4 ? AF_INET : AF_INET6;
	g->version = NFNETLINK_V0;
	g->res_id = 0;
	tuple = mnl_attr_nest_start(h, CTA_TUPLE_ORIG);
	part = mnl_attr_nest_start(h, CTA_TUPLE_IP);
	mnl_attr_put(h, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, v4 ? 4 : 16, t->src);
	mnl_attr_put(h, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, v4 ? 4 : 16, t->dst);
	mnl_attr_nest_end(h, part);
	part = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, IPPROTO_TCP);
	mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(t->sport));
	mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(t->dport));
	mnl_attr_nest_end(h, part);
	mnl_attr_nest_end(h, tuple);
}

static int
on_address(const struct nlattr *a, void *arg)
{
	struct entry *e = arg;
	uint16_t type = mnl_attr_get_type(a), size = mnl_attr_get_payload_len(a);
	int src = type == CTA_IP_V4_SRC || type == CTA_IP_V6_SRC;

	if ((type <= CTA_IP_V4_DST) != (e->reply.ipv == 4) || size != (e->reply.ipv == 4 ? 4 : 16))
		return MNL_CB_OK;
	memcpy(src ? e->reply.src : e->reply.dst, mnl_attr_get_payload(a), size);
	e->have |= src ? HAVE_SRC : HAVE_DST;
	return MNL_CB_OK;
}

static int
on_port(const struct nlattr *a, void *arg)
{
	struct entry *e = arg;
	uint16_t type = mnl_attr_get_type(a);

	if (mnl_attr_get_payload_len(a) != sizeof(uint16_t))
		return MNL_CB_OK;
	if (type == CTA_PROTO_SRC_PORT) {
		e->reply.sport = ntohs(mnl_attr_get_u16(a));
		e->have |= HAVE_SPORT;
	} else if (type == CTA_PROTO_DST_PORT) {
		e->reply.dport = ntohs(mnl_attr_get_u16(a));
		e->have |= HAVE_DPORT;
	}
	return MNL_CB_OK;
}

static int
on_tcp(const struct nlattr *a, void *arg)
{
	struct entry *e = arg;

	if (mnl_attr_get_type(a) == CTA_PROTOINFO_TCP_STATE && mnl_attr_get_payload_len(a) == 1) {
		e->state = mnl_attr_get_u8(a);
		e->have |= HAVE_STATE;
	}
	return MNL_CB_OK;
}

static int
on_part(const struct nlattr *a, void *arg)
{
	switch (mnl_attr_get_type(a)) {
	case CTA_TUPLE_IP:
		return mnl_attr_parse_nested(a, on_address, arg);
	case CTA_TUPLE_PROTO:
		return mnl_attr_parse_nested(a, on_port, arg);
	default:
		return MNL_CB_OK;
	}
}

static int
on_protoinfo(const struct nlattr *a, void *arg)
{
	return mnl_attr_get_type(a) == CTA_PROTOINFO_TCP ? mnl_attr_parse_nested(a, on_tcp, arg) : MNL_CB_OK;
}

static int
on_entry(const struct nlattr *a, void *arg)
{
	switch (mnl_attr_get_type(a)) {
	case CTA_TUPLE_REPLY:
		return mnl_attr_parse_nested(a, on_part, arg);
	case CTA_PROTOINFO:
		return mnl_attr_parse_nested(a, on_protoinfo, arg);
	default:
		return MNL_CB_OK;
	}
}

/* The initiator's packets are the reply's, turned round: both are as they are outside. */
static int
read_entry(const struct nlmsghdr *h, const struct prober_tuple *original, struct prober_tuple *wan)
{
	struct entry e = { .reply.ipv = original->ipv };

	mnl_attr_parse(h, sizeof(struct nfgenmsg), on_entry, &e);
	if (e.have != HAVE_ALL || e.state != TCP_CONNTRACK_ESTABLISHED)
		return 0;
	*wan = (struct prober_tuple){ .ipv = original->ipv, .sport = e.reply.dport, .dport = e.reply.sport };
	memcpy(wan->src, e.reply.dst, sizeof wan->src);
	memcpy(wan->dst, e.reply.src, sizeof wan->dst);
	return 1;
}

int
conntrack_find(struct conntrack *c, const struct prober_tuple *original, struct prober_tuple *wan)
{
	const struct nlmsghdr *h = (const void *)c->buf;
	const struct nlmsgerr *e;

	put_question(c, original);
	if (mnl_socket_sendto(c->socket, c->buf, h->nlmsg_len) < 0)
		return -errno;
	/* The kernel has answered when send() returns. */
	for (int i = 0; i < CONNTRACK_ANSWERS; i++) {
		ssize_t n = mnl_socket_recvfrom(c->socket, c->buf, sizeof c->buf);

		if (n < 0)
			return -errno;
		if (!mnl_nlmsg_ok(h, (int)n) || h->nlmsg_seq != c->seq)
			continue;
		if (h->nlmsg_type == NLMSG_ERROR) {
			e = mnl_nlmsg_get_payload(h);
			return mnl_nlmsg_get_payload_len(h) < sizeof *e ? -EBADMSG : e->error == -ENOENT ? 0 : e->error;
		}
		return read_entry(h, original, wan);
	}
	return -EBADMSG;
}
