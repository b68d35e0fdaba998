/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * client.c - SOCK_SEQPACKET connections.
 */
#include "client.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/loop.h"

/* Packets of one client in one turn. */
#define QUANTUM 16

struct client {
	struct loop_fd watch;
	int open;
	int gave_up; /* to be dropped by client_reap() */
};

static struct client clients[CLIENT_MAX];
static struct loop_fd listen_watch;
static struct loop *loop;
static struct client_calls calls;
static void *calls_arg;
static struct log_limit lost_limit;

static void
drop(unsigned n, const char *why)
{
	struct client *c = &clients[n];

	if (!c->open)
		return;
	log_debug("client %u: %s", n, why);
	loop_fd_del(&c->watch);
	close(c->watch.fd);
	*c = (struct client){ 0 };
	calls.gone(calls_arg, n);
	/* Descriptor 6 is the analyzer's channel, whose other end the parent holds; or the one person's
	 * who started us.  Either is the end of us. */
	if (n == CLIENT_FIRST)
		loop_stop(loop, 0);
}

static void
on_client(struct loop_fd *w, uint32_t events)
{
	struct client *c = w->arg;
	unsigned n = (unsigned)(c - clients);
	uint64_t bytes[256 / sizeof(uint64_t)];

	for (int i = 0; i < QUANTUM && c->open && !c->gave_up; i++) {
		ssize_t len = recv(w->fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC);

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		/* An empty packet looks like the end, and is none while the other end is open. */
		if (len < 0 || (!len && events & EPOLLHUP)) {
			drop(n, "gone");
			break;
		}
		/* A packet that is too long has its length and not its bytes: nothing we know is that long. */
		if (len > (ssize_t)sizeof bytes || calls.packet(calls_arg, n, bytes, (size_t)len)) {
			if (n == CLIENT_FIRST)
				log_debug("a packet of %zd bytes that is no request", len);
			else
				drop(n, "sent what is no request");
		}
	}
	calls.turn(calls_arg);
}

static void
on_connect(struct loop_fd *w, uint32_t events)
{
	struct ucred who = { 0, (uid_t)-1, (gid_t)-1 };
	socklen_t size = sizeof who;
	int fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	unsigned n = CLIENT_FIRST + 1;

	(void)events;
	if (fd < 0)
		return;
	while (n < CLIENT_MAX && clients[n].open)
		n++;
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size);
	if (n == CLIENT_MAX || loop_fd_add(loop, &clients[n].watch, fd, EPOLLIN, on_client, &clients[n])) {
		log_debug("uid %u pid %d turned away: %d ask already", who.uid, (int)who.pid, CLIENT_PEOPLE);
		close(fd);
		return;
	}
	clients[n].open = 1;
	log_debug("client %u: uid %u pid %d", n, who.uid, (int)who.pid);
}

int
client_start(struct loop *l, int first_fd, int listen_fd, const struct client_calls *c, void *arg)
{
	int r;

	loop = l;
	calls = *c;
	calls_arg = arg;
	r = loop_fd_add(loop, &clients[CLIENT_FIRST].watch, first_fd, EPOLLIN, on_client, &clients[CLIENT_FIRST]);
	if (!r)
		clients[CLIENT_FIRST].open = 1;
	if (!r && listen_fd >= 0)
		r = loop_fd_add(loop, &listen_watch, listen_fd, EPOLLIN, on_connect, NULL);
	return r;
}

void
client_send(unsigned n, const void *bytes, size_t len)
{
	struct client *c = &clients[n];
	unsigned more;

	if (!c->open || c->gave_up || send(c->watch.fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return;
	if (n != CLIENT_FIRST)
		c->gave_up = 1;
	/* EPIPE: it has ended, and our parent knows. */
	else if (errno != EPIPE && log_allowed(&lost_limit, loop_now_us(loop), 60000000, &more))
		log_warn("a result for the analyzer is lost (%s), %u more since the last message", strerror(errno), more);
}

void
client_reap(void)
{
	for (unsigned n = 0; n < CLIENT_MAX; n++) {
		if (clients[n].gave_up)
			drop(n, "does not read what it asked for");
	}
}
