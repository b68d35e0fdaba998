/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * loop.c - epoll, a sorted list of timers (we have a dozen), and a signalfd.
 */
#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define LOOP_FDS 64

struct loop {
	int epfd;
	int sigfd;
	int running;
	int firing; /* timers run */
	int result;
	int64_t now_us;
	int64_t wall_us;
	struct loop_fd *fds[LOOP_FDS]; /* epoll's data is the slot: a removed watcher leaves NULL */
	uint32_t generation[LOOP_FDS];
	struct loop_timer *timers;     /* soonest first */
	struct loop_fd signal_watch;
	loop_signal_fn *signal_fn;
	void *signal_arg;
};

static int64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_mono_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t
clock_wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}

int64_t
clock_boot_us(void)
{
	return clock_us(CLOCK_BOOTTIME);
}

static void
loop_tick(struct loop *loop)
{
	loop->now_us = clock_mono_us();
	loop->wall_us = clock_wall_us();
}

struct loop *
loop_new(void)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return NULL;
	loop->sigfd = -1;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd < 0) {
		free(loop);
		return NULL;
	}
	loop_tick(loop);
	return loop;
}

void
loop_free(struct loop *loop)
{
	if (!loop)
		return;
	if (loop->sigfd >= 0)
		close(loop->sigfd);
	close(loop->epfd);
	free(loop);
}

static uint64_t
loop_data(const struct loop *loop, int slot)
{
	return (uint64_t)loop->generation[slot] << 32 | (uint32_t)slot;
}

int
loop_fd_add(struct loop *loop, struct loop_fd *w, int fd, uint32_t events, loop_fd_fn *fn, void *arg)
{
	struct epoll_event ev = { .events = events };
	int slot = 0;

	while (slot < LOOP_FDS && loop->fds[slot])
		slot++;
	if (slot == LOOP_FDS)
		return -EMFILE;
	loop->generation[slot]++;
	ev.data.u64 = loop_data(loop, slot);
	if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev))
		return -errno;
	*w = (struct loop_fd){ fd, events, fn, arg, loop, slot };
	loop->fds[slot] = w;
	return 0;
}

int
loop_fd_events(struct loop_fd *w, uint32_t events)
{
	struct epoll_event ev = { .events = events };

	if (!w->loop)
		return -EINVAL;
	if (events == w->events)
		return 0;
	ev.data.u64 = loop_data(w->loop, w->slot);
	if (epoll_ctl(w->loop->epfd, EPOLL_CTL_MOD, w->fd, &ev))
		return -errno;
	w->events = events;
	return 0;
}

void
loop_fd_del(struct loop_fd *w)
{
	if (!w->loop)
		return;
	epoll_ctl(w->loop->epfd, EPOLL_CTL_DEL, w->fd, NULL);
	w->loop->fds[w->slot] = NULL;
	w->loop = NULL;
}

void
loop_timer_clear(struct loop_timer *t)
{
	struct loop_timer **p;

	if (!t->loop)
		return;
	for (p = &t->loop->timers; *p; p = &(*p)->next) {
		if (*p == t) {
			*p = t->next;
			break;
		}
	}
	t->loop = NULL;
}

void
loop_timer_set(struct loop *loop, struct loop_timer *t, int64_t after_us, loop_timer_fn *fn, void *arg)
{
	struct loop_timer **p = &loop->timers;

	loop_timer_clear(t);
	t->at_us = loop->now_us + after_us;
	/* A callback that sets its timer for "now" runs again in the next turn, not in this one. */
	if (loop->firing && t->at_us <= loop->now_us)
		t->at_us = loop->now_us + 1;
	t->fn = fn;
	t->arg = arg;
	t->loop = loop;
	while (*p && (*p)->at_us <= t->at_us)
		p = &(*p)->next;
	t->next = *p;
	*p = t;
}

static void
loop_on_signal(struct loop_fd *w, uint32_t events)
{
	struct loop *loop = w->arg;
	struct signalfd_siginfo si;

	(void)events;
	if (read(w->fd, &si, sizeof si) == (ssize_t)sizeof si)
		loop->signal_fn(loop->signal_arg, (int)si.ssi_signo);
}

int
loop_signals(struct loop *loop, const int *signos, loop_signal_fn *fn, void *arg)
{
	sigset_t set;

	sigemptyset(&set);
	while (*signos)
		sigaddset(&set, *signos++);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return -errno;
	loop->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (loop->sigfd < 0)
		return -errno;
	loop->signal_fn = fn;
	loop->signal_arg = arg;
	return loop_fd_add(loop, &loop->signal_watch, loop->sigfd, EPOLLIN, loop_on_signal, loop);
}

static void
loop_run_timers(struct loop *loop)
{
	loop->firing = 1;
	while (loop->running && loop->timers && loop->timers->at_us <= loop->now_us) {
		struct loop_timer *t = loop->timers;

		loop->timers = t->next;
		t->loop = NULL;
		t->fn(t);
	}
	loop->firing = 0;
}

int
loop_run(struct loop *loop)
{
	struct epoll_event ev[16];

	loop->running = 1;
	while (loop->running) {
		int wait_ms = -1;
		int n;

		if (loop->timers) {
			int64_t left = loop->timers->at_us - clock_mono_us();

			wait_ms = left <= 0 ? 0 : left > 3600000000 ? 3600000 : (int)((left + 999) / 1000);
		}
		n = epoll_wait(loop->epfd, ev, 16, wait_ms);
		if (n < 0 && errno != EINTR) {
			loop->result = -errno;
			break;
		}
		loop_tick(loop);
		for (int i = 0; i < n && loop->running; i++) {
			uint32_t slot = (uint32_t)ev[i].data.u64;
			struct loop_fd *w = slot < LOOP_FDS ? loop->fds[slot] : NULL;

			if (w && loop_data(loop, (int)slot) == ev[i].data.u64)
				w->fn(w, ev[i].events);
		}
		loop_run_timers(loop);
	}
	return loop->result;
}

void
loop_stop(struct loop *loop, int result)
{
	loop->running = 0;
	loop->result = result;
}

int64_t
loop_now_us(const struct loop *loop)
{
	return loop->now_us;
}

int64_t
loop_wall_us(const struct loop *loop)
{
	return loop->wall_us;
}
