/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * control.c - struct prober_ctl in and out of descriptor 5.
 */
#include "control.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/log.h"
#include "lib/loop.h"

#define BUSY_US 1000000
#define IDLE_US 10000000

/* Packets in one turn. */
#define QUANTUM 64

static struct loop *loop;
static struct loop_fd watch;
static struct loop_timer timer;
static struct control_calls calls;
static void *calls_arg;

static int
tell(const struct prober_ctl *m)
{
	if (!watch.loop)
		return -ENOTCONN;
	if (send(watch.fd, m, sizeof *m, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	log_debug("the parent does not listen: %s", strerror(errno));
	return -errno;
}

static void
on_timer(struct loop_timer *t)
{
	struct prober_ctl m = { .type = PROBER_CTL_STATS };

	calls.stats(calls_arg, m.stat);
	tell(&m);
	loop_timer_set(loop, t, calls.busy(calls_arg) ? BUSY_US : IDLE_US, on_timer, NULL);
}

static void
on_control(struct loop_fd *w, uint32_t events)
{
	for (int i = 0; i < QUANTUM; i++) {
		struct prober_ctl m;
		ssize_t n = recv(w->fd, &m, sizeof m, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n < 0 || (!n && events & EPOLLHUP)) {
			loop_stop(loop, 0); /* the parent is gone */
			break;
		}
		if (n == (ssize_t)sizeof m && m.type == PROBER_CTL_FOUND)
			calls.found(calls_arg, &m);
	}
}

int
control_start(struct loop *l, int fd, const struct control_calls *c, void *arg)
{
	loop = l;
	calls = *c;
	calls_arg = arg;
	return fd < 0 ? 0 : loop_fd_add(loop, &watch, fd, EPOLLIN, on_control, NULL);
}

void
control_ready(uint64_t posture)
{
	struct prober_ctl m = { .type = PROBER_CTL_READY, .value = posture };

	tell(&m);
	if (watch.loop)
		loop_timer_set(loop, &timer, 0, on_timer, NULL);
}

void
control_hurry(void)
{
	if (timer.loop && timer.at_us > loop_now_us(loop) + BUSY_US)
		loop_timer_set(loop, &timer, BUSY_US, on_timer, NULL);
}

int
control_lookup(void *arg, uint32_t id, const struct prober_tuple *t)
{
	struct prober_ctl m = { .type = PROBER_CTL_LOOKUP, .id = id, .tuple = *t };

	(void)arg;
	return tell(&m);
}
