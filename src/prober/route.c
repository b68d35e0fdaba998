/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * route.c - one RTM_GETROUTE and its answer.  The answer comes from the kernel, so libmnl may parse it.
 */
#include "route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/log.h"

static int route_fd = -1;
static uint32_t route_mark;
static uint32_t serial;

struct answer {
	uint8_t ipv;
	uint8_t type;   /* RTN_* */
	uint8_t has_src;
	uint8_t src[16];
};

void
route_start(int fd, uint32_t mark)
{
	route_fd = fd;
	route_mark = mark;
}

static int
ask(uint8_t ipv, const uint8_t dst[16])
{
	_Alignas(struct nlmsghdr) char buf[128] = { 0 };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct nlmsghdr *nh = mnl_nlmsg_put_header(buf);
	struct rtmsg *rt;

	nh->nlmsg_type = RTM_GETROUTE;
	nh->nlmsg_flags = NLM_F_REQUEST;
	nh->nlmsg_seq = ++serial;
	rt = mnl_nlmsg_put_extra_header(nh, sizeof *rt);
	rt->rtm_family = ipv == 4 ? AF_INET : AF_INET6;
	rt->rtm_dst_len = ipv == 4 ? 32 : 128;
	mnl_attr_put(nh, RTA_DST, ipv == 4 ? 4 : 16, dst);
	mnl_attr_put_u32(nh, RTA_MARK, route_mark);
	return sendto(route_fd, nh, nh->nlmsg_len, MSG_DONTWAIT, (struct sockaddr *)&kernel, sizeof kernel) < 0 ?
		       -errno : 0;
}

static int
on_attribute(const struct nlattr *attr, void *arg)
{
	struct answer *a = arg;

	if (mnl_attr_get_type(attr) == RTA_PREFSRC && mnl_attr_get_payload_len(attr) == (a->ipv == 4 ? 4 : 16)) {
		memcpy(a->src, mnl_attr_get_payload(attr), mnl_attr_get_payload_len(attr));
		a->has_src = 1;
	}
	return MNL_CB_OK;
}

static int
on_route(const struct nlmsghdr *nh, void *arg)
{
	const struct rtmsg *rt = mnl_nlmsg_get_payload(nh);
	struct answer *a = arg;

	if (nh->nlmsg_type != RTM_NEWROUTE || nh->nlmsg_len < MNL_NLMSG_HDRLEN + sizeof *rt)
		return MNL_CB_OK;
	a->type = rt->rtm_type;
	mnl_attr_parse(nh, sizeof *rt, on_attribute, a);
	return MNL_CB_STOP;
}

enum prober_status
route_source(uint8_t ipv, const uint8_t dst[16], uint8_t src[16])
{
	struct answer a = { .ipv = ipv, .type = RTN_UNSPEC };
	_Alignas(struct nlmsghdr) char buf[4096];
	int r = ask(ipv, dst);

	memset(src, 0, 16);
	/* What lies there from before, if anything, has an older number and is passed over. */
	for (int i = 0; !r && i < 16 && a.type == RTN_UNSPEC; i++) {
		ssize_t n = recv(route_fd, buf, sizeof buf, MSG_DONTWAIT);

		/* The kernel's errors: ENETUNREACH, EACCES (prohibit), EINVAL (blackhole). */
		if (n < 0 || (mnl_cb_run(buf, (size_t)n, serial, 0, on_route, &a) < 0 && errno != ESRCH))
			r = -errno;
	}
	if (r) {
		log_debug("no route: %s", strerror(-r));
		return PROBER_NO_ROUTE;
	}
	switch (a.type) {
	case RTN_UNICAST:
		memcpy(src, a.src, 16);
		return a.has_src ? PROBER_DONE : PROBER_NO_ROUTE;
	case RTN_LOCAL:
	case RTN_ANYCAST:
		return PROBER_OWN;
	case RTN_BROADCAST:
	case RTN_MULTICAST:
		return PROBER_BOGON;
	default:
		return PROBER_NO_ROUTE;
	}
}
