/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * iface.c - a table of links, from RTM_GETLINK and the RTMGRP_LINK multicast.  Its messages come
 * from the kernel, so libmnl may parse them.
 */
#include "iface.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct link {
	uint32_t index;
	uint8_t selected;
	char name[IFACE_NAME];
};

static struct link links[IFACE_MAX]; /* index 0: free */
static unsigned n_links;
static const char *const *wanted;
static unsigned n_wanted;
static struct mnl_socket *sock;

static int
is_wanted(const char *name)
{
	for (unsigned i = 0; i < n_wanted; i++) {
		if (!strcmp(wanted[i], name))
			return 1;
	}
	return 0;
}

static struct link *
link_find(uint32_t index)
{
	for (unsigned i = 0; i < n_links; i++) {
		if (links[i].index == index)
			return &links[i];
	}
	return NULL;
}

static void
link_set(uint32_t index, const char *name)
{
	struct link *l = link_find(index);
	int selected = is_wanted(name);

	if (!l)
		l = link_find(0);
	if (!l && n_links < IFACE_MAX)
		l = &links[n_links++];
	/* It counts more than another's name; there are fewer of them than places. */
	for (unsigned i = 0; !l && selected && i < n_links; i++) {
		if (!links[i].selected)
			l = &links[i];
	}
	if (!l)
		return; /* its name stays unknown */
	l->index = index;
	strncpy(l->name, name, sizeof l->name - 1);
	l->name[sizeof l->name - 1] = 0;
	l->selected = (uint8_t)selected;
}

static int
on_attribute(const struct nlattr *attr, void *arg)
{
	const char **name = arg;

	if (mnl_attr_get_type(attr) == IFLA_IFNAME && mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) >= 0)
		*name = mnl_attr_get_str(attr);
	return MNL_CB_OK;
}

static int
on_message(const struct nlmsghdr *nh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nh);
	const char *name = NULL;

	(void)arg;
	if (nh->nlmsg_type == RTM_DELLINK) {
		struct link *l = link_find((uint32_t)ifi->ifi_index);

		/* AF_BRIDGE: it only left its bridge. */
		if (l && ifi->ifi_family == AF_UNSPEC)
			l->index = 0;
		return MNL_CB_OK;
	}
	if (nh->nlmsg_type != RTM_NEWLINK)
		return MNL_CB_OK;
	mnl_attr_parse(nh, sizeof *ifi, on_attribute, &name);
	if (name)
		link_set((uint32_t)ifi->ifi_index, name);
	return MNL_CB_OK;
}

static int
ask_for_all(void)
{
	char buf[64];
	struct nlmsghdr *nh;
	struct ifinfomsg *ifi;

	memset(buf, 0, sizeof buf);
	nh = mnl_nlmsg_put_header(buf);
	nh->nlmsg_type = RTM_GETLINK;
	nh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	ifi = mnl_nlmsg_put_extra_header(nh, sizeof *ifi);
	ifi->ifi_family = AF_UNSPEC;
	return mnl_socket_sendto(sock, nh, nh->nlmsg_len) < 0 ? -errno : 0;
}

int
iface_open(void)
{
	int err;

	sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!sock)
		return -errno;
	if (mnl_socket_bind(sock, RTMGRP_LINK, MNL_SOCKET_AUTOPID) < 0) {
		err = -errno;
		iface_close();
		return err;
	}
	err = ask_for_all();
	if (err) {
		iface_close();
		return err;
	}
	iface_update(); /* the kernel answers within the send */
	return mnl_socket_get_fd(sock);
}

void
iface_close(void)
{
	if (sock)
		mnl_socket_close(sock);
	sock = NULL;
	n_links = 0;
	memset(links, 0, sizeof links);
}

void
iface_update(void)
{
	static char buf[32768]; /* a link message with its statistics is about 1.4 kB */
	static int missed;      /* a link may be: messages were lost, or an answer was interrupted by a change */

	for (int i = 0; sock && i < 64; i++) {
		ssize_t n = recv(mnl_socket_get_fd(sock), buf, sizeof buf, MSG_DONTWAIT);

		if (n > 0) {
			missed |= mnl_cb_run(buf, (size_t)n, 0, 0, on_message, NULL) < 0 && errno == EINTR;
		} else if (n < 0 && errno == ENOBUFS) {
			missed = 1;
		} else if (missed) {
			/* Not before the last answer is at its end: it would be refused (EBUSY). */
			missed = 0;
			ask_for_all();
		} else {
			return;
		}
	}
}

void
iface_select(const char *const *names, unsigned n)
{
	wanted = names;
	n_wanted = n;
}

static int
is_selected(uint32_t index)
{
	const struct link *l = index ? link_find(index) : NULL;

	return l && l->selected;
}

int
iface_passes(uint32_t iif, uint32_t oif)
{
	return !n_wanted || is_selected(iif) || is_selected(oif);
}

const char *
iface_name(uint32_t index)
{
	const struct link *l = index ? link_find(index) : NULL;

	return l ? l->name : NULL;
}
