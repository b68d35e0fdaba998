/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * link.c - connects, or opens raw sockets and starts a prober that gets them and no right.
 */
#include "link.h"

#include <errno.h>
#include <limits.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/priv.h"
#include "lib/rawsock.h"
#include "sensor/child.h"
#include "sensor/settings.h"

#define NOBODY 65534
#define END_TRIES 100
#define END_WAIT_US 10000

/* A person's own prober: 32 flows of 30 hops within seconds; budgets are the daemon's business. */
#define OWN_PROBE_RATE 500
#define OWN_TRACE_RATE 50
#define OWN_BUDGET 1000
#define OWN_TRACES 32

int
link_connect(struct link *l, const char *where, char *err, size_t size)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat st;
	int dir = !stat(where, &st) && S_ISDIR(st.st_mode), n, r;

	*l = (struct link){ -1, -1, 0 };
	n = snprintf(at.sun_path, sizeof at.sun_path, "%s%s", where, dir ? "/" PROBER_SOCKET_PATH : "");
	if (n < 0 || (size_t)n >= sizeof at.sun_path) {
		snprintf(err, size, "%s: the path of a socket has at most %zu bytes", where, sizeof at.sun_path - 1);
		return -ENAMETOOLONG;
	}
	l->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (l->fd >= 0 && !connect(l->fd, (const struct sockaddr *)&at, sizeof at))
		return 0;
	r = -errno;
	snprintf(err, size, "%s: %s", at.sun_path, r == -ECONNREFUSED ? "nobody listens there" : strerror(-r));
	link_close(l, NULL);
	return r == -ECONNREFUSED ? -ENOENT : r;
}

/* The program: in dir; or beside us, as in a build folder; or where it is installed. */
static int
open_prober(const char *dir, char *err, size_t size)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
	char *slash;
	int fd;

	if (dir)
		return child_open(dir, "prober", err, size);
	self[n > 0 ? n : 0] = 0;
	slash = strrchr(self, '/');
	if (slash) {
		*slash = 0;
		fd = child_open(self, "prober", err, size);
		if (fd >= 0)
			return fd;
	}
	return child_open(LIBEXECDIR, "prober", err, size);
}

static int
open_route(void)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), r;

	if (fd >= 0 && !bind(fd, (const struct sockaddr *)&any, sizeof any))
		return fd;
	r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

/* Executes it with its descriptors; 0 or -errno. */
static int
start(struct link *l, int program, const struct rawsock_set *raw, int route)
{
	static char *const argv[] = { (char *)"prober", NULL };
	struct settings s = { 0 };
	struct child c;
	uid_t uid = NOBODY;
	gid_t gid = NOBODY;
	int requests[2] = { -1, -1 }, control[2] = { -1, -1 }, settings = -1, r;

	if (priv_user("net-gazer", &uid, &gid))
		priv_user("nobody", &uid, &gid);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, requests) ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, control)) {
		r = -errno;
		goto out;
	}
	child_init(&c, uid, gid);
	c.exec_fd = program;
	c.argv = argv;
	c.n_fds = PROBER_FD_FIRST;
	c.fd[PROBER_FD_BUDGETS] = -1;
	c.fd[PROBER_FD_CONTROL] = control[1];
	c.fd[PROBER_FD_REQUESTS] = requests[1];
	settings_add(&s, "version", "%s", VERSION);
	settings_add(&s, "verbose", "%d", 1);
	for (int k = 0; k < RAWSOCK_KINDS; k++) {
		if (raw->fd[k] >= 0)
			settings_add(&s, "send", "%s %d", rawsock_name((enum rawsock_kind)k), child_give(&c, raw->fd[k]));
	}
	settings_add(&s, "route", "%d", child_give(&c, route));
	settings_add(&s, "mark", "%d", 0);
	settings_add(&s, "any-target", "yes");
	settings_add(&s, "probe-rate", "%d", OWN_PROBE_RATE);
	settings_add(&s, "trace-rate", "%d", OWN_TRACE_RATE);
	settings_add(&s, "prefix-budget", "%d", OWN_BUDGET);
	settings_add(&s, "traces", "%d", OWN_TRACES);
	r = settings = settings_seal(&s);
	if (r < 0)
		goto out;
	c.fd[PROBER_FD_SETTINGS] = settings;
	r = l->pid = child_start(&c);
	if (r < 0) {
		l->pid = 0;
		goto out;
	}
	l->fd = requests[0];
	l->control = control[0];
	requests[0] = control[0] = -1;
	r = 0;
out:
	for (int i = 0; i < 2; i++) {
		if (requests[i] >= 0)
			close(requests[i]);
		if (control[i] >= 0)
			close(control[i]);
	}
	if (settings >= 0)
		close(settings);
	return r;
}

int
link_own(struct link *l, const char *dir, char *err, size_t size)
{
	/* Without a mark: a firewall that knows net-gazer's would not track these, and then, with no
	 * prober at its NFLOG group, drop their answers. */
	struct rawsock_conf conf = { .port_first = PROBER_PORT_FIRST, .port_last = PROBER_PORT_LAST };
	struct rawsock_set raw;
	int program = -1, route = -1, r;

	*l = (struct link){ -1, -1, 0 };
	r = rawsock_open(&raw, &conf, err, size);
	if (r)
		return r;
	r = program = open_prober(dir, err, size);
	if (r < 0)
		goto out;
	r = route = open_route();
	if (r >= 0)
		r = start(l, program, &raw, route);
	if (r < 0)
		snprintf(err, size, "cannot start a prober: %s", strerror(-r));
out:
	rawsock_close(&raw);
	if (program >= 0)
		close(program);
	if (route >= 0)
		close(route);
	return r;
}

int
link_ask(const struct link *l, const struct prober_request *q)
{
	return send(l->fd, q, sizeof *q, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int
hop_ok(const struct prober_hop *h)
{
	return h->ttl >= 1 && h->ttl <= PROBER_HOPS_MAX && h->n_rtt <= PROBER_RTTS_MAX && h->n_mpls <= PROBER_MPLS_MAX;
}

static int
result_ok(const struct prober_result *r, size_t len)
{
	if (len < PROBER_RESULT_SIZE(0) || r->n_hops > PROBER_HOPS_MAX ||
	    len != PROBER_RESULT_SIZE((size_t)r->n_hops) || (r->ipv != 4 && r->ipv != 6) || r->method >= PROBER_METHODS)
		return 0;
	for (unsigned i = 0; i < r->n_hops; i++) {
		if (!hop_ok(&r->hop[i]) || r->hop[i].ttl != i + 1)
			return 0;
	}
	return 1;
}

int
link_check(const union link_msg *m, size_t len)
{
	if (len < sizeof m->type)
		return -EPROTO;
	switch (m->type) {
	case PROBER_MSG_HOP:
		return len == sizeof m->progress && hop_ok(&m->progress.hop) ? 0 : -EPROTO;
	case PROBER_MSG_RESULT:
		return result_ok(&m->result, len) ? 0 : -EPROTO;
	default:
		return -EPROTO;
	}
}

int
link_read(const struct link *l, union link_msg *m)
{
	ssize_t n;

	memset(m, 0, sizeof *m);
	n = recv(l->fd, m, sizeof *m, MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0)
		return -EPIPE;
	if ((size_t)n > sizeof *m || link_check(m, (size_t)n))
		return -EPROTO;
	return (int)m->type;
}

void
link_close(struct link *l, int *status)
{
	struct timespec wait = { 0, END_WAIT_US * 1000 };

	if (l->fd >= 0)
		close(l->fd);
	if (l->control >= 0)
		close(l->control); /* tells it to end */
	for (int i = 0; l->pid > 0; i++) {
		if (waitpid(l->pid, status, WNOHANG))
			break;
		if (i == END_TRIES)
			kill(l->pid, SIGKILL);
		nanosleep(&wait, NULL);
	}
	*l = (struct link){ -1, -1, 0 };
}
