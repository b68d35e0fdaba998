/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * loop.h - one epoll loop, one clock: descriptors, timers and signals (signalfd).  A callback
 * does a quantum and returns.  Watchers are embedded in their owners and may remove themselves
 * or any other watcher from a callback.
 */
#ifndef LOOP_H
#define LOOP_H

#include <stdint.h>
#include <sys/types.h>

struct loop;
struct loop_fd;
struct loop_timer;

typedef void loop_fd_fn(struct loop_fd *, uint32_t events); /* EPOLLIN, ... */
typedef void loop_timer_fn(struct loop_timer *);
typedef void loop_signal_fn(void *arg, int signo);

struct loop_fd {
	int fd;
	uint32_t events;
	loop_fd_fn *fn;
	void *arg;
	struct loop *loop; /* NULL: not added */
	int slot;
};

struct loop_timer {
	int64_t at_us;     /* CLOCK_MONOTONIC */
	loop_timer_fn *fn;
	void *arg;
	struct loop *loop; /* NULL: not set */
	struct loop_timer *next;
};

/* NULL with errno.  At most 64 descriptors. */
struct loop *loop_new(void);
void loop_free(struct loop *);

/* 0 or -errno.  The caller keeps fd. */
int loop_fd_add(struct loop *, struct loop_fd *, int fd, uint32_t events, loop_fd_fn *, void *arg);
int loop_fd_events(struct loop_fd *, uint32_t events);
void loop_fd_del(struct loop_fd *);

/* Runs fn once, after_us from the turn's time; setting it again moves it. */
void loop_timer_set(struct loop *, struct loop_timer *, int64_t after_us, loop_timer_fn *, void *arg);
void loop_timer_clear(struct loop_timer *);

/* Blocks the signals (a zero-ended list) and hands them to fn.  0 or -errno. */
int loop_signals(struct loop *, const int *signos, loop_signal_fn *, void *arg);

/* Until loop_stop(), whose argument it returns. */
int loop_run(struct loop *);
void loop_stop(struct loop *, int result);

/* The time of this turn, microseconds: CLOCK_MONOTONIC and CLOCK_REALTIME. */
int64_t loop_now_us(const struct loop *);
int64_t loop_wall_us(const struct loop *);

int64_t clock_mono_us(void);
int64_t clock_wall_us(void);
int64_t clock_boot_us(void);

#endif
