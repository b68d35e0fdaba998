/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The loop: watchers and timers that remove themselves and each other, and signals.  No test depends
 * on how long anything took: the order is what counts, and a turn's time is what the loop says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>

#include "../../src/lib/loop.c"

#define GUARD_US 30000000 /* a loop that does not end by itself is a failure */

static struct loop *loop;
static char said[256];

static void
say(const char *s)
{
	assert_true(strlen(said) + strlen(s) < sizeof said);
	strcat(said, s);
}

static struct loop_timer guard;

static void
on_guard(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop, -1);
}

static int
setup(void **state)
{
	(void)state;
	loop = loop_new();
	said[0] = 0;
	memset(&guard, 0, sizeof guard);
	if (!loop)
		return -1;
	loop_timer_set(loop, &guard, GUARD_US, on_guard, NULL);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	loop_free(loop);
	loop = NULL;
	return 0;
}

/* A pipe whose reading end is watched. */
struct end {
	struct loop_fd w;
	int fd[2];
	const char *name;
	struct end *removes;
	int rest; /* calls until it stops the loop; 0: never */
};

static void
on_end(struct loop_fd *w, uint32_t events)
{
	struct end *e = w->arg;

	assert_true(events & EPOLLIN);
	say(e->name);
	if (e->removes)
		loop_fd_del(&e->removes->w);
	if (e->rest && !--e->rest)
		loop_stop(loop, 7);
}

static void
end_open(struct end *e, const char *name, int write_now)
{
	memset(e, 0, sizeof *e);
	e->name = name;
	assert_int_equal(pipe(e->fd), 0);
	assert_int_equal(loop_fd_add(loop, &e->w, e->fd[0], EPOLLIN, on_end, e), 0);
	if (write_now)
		assert_int_equal(write(e->fd[1], "x", 1), 1);
}

static void
end_close(struct end *e)
{
	loop_fd_del(&e->w);
	close(e->fd[0]);
	close(e->fd[1]);
}

/* Stops the loop at its turn's end. */
static struct loop_timer stop_timer;

static void
on_stop(struct loop_timer *t)
{
	(void)t;
	loop_stop(loop, 0);
}

static void
one_turn(void)
{
	memset(&stop_timer, 0, sizeof stop_timer);
	loop_timer_set(loop, &stop_timer, 0, on_stop, NULL);
	assert_int_equal(loop_run(loop), 0);
}

/* ---- descriptors -------------------------------------------------------------------------- */

static void
test_result(void **state)
{
	struct end a;

	(void)state;
	end_open(&a, "a", 1);
	a.rest = 3;
	assert_int_equal(loop_run(loop), 7);
	assert_string_equal(said, "aaa"); /* level-triggered: nobody reads */
	end_close(&a);
}

static void
test_removes_itself(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, "a", 1);
	end_open(&b, "b", 1);
	a.removes = &a;
	b.rest = 5;
	assert_int_equal(loop_run(loop), 7);
	assert_int_equal(strlen(said), 6);
	assert_ptr_equal(strrchr(said, 'a'), strchr(said, 'a')); /* once */
	assert_null(a.w.loop);
	end_close(&a);
	end_close(&b);
}

/* Both are ready in one turn; whoever is first removes the other. */
static void
test_removes_the_other(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, "a", 1);
	end_open(&b, "b", 1);
	a.removes = &b;
	b.removes = &a;
	one_turn();
	assert_int_equal(strlen(said), 1);
	end_close(&a);
	end_close(&b);
}

/* A new watcher takes the place of one that was ready in the same turn: its event is not the new
 * one's. */
static struct end replaced, replacement;

static void
on_replace(struct loop_fd *w, uint32_t events)
{
	(void)events;
	say("r");
	loop_fd_del(w);
	loop_fd_del(&replaced.w);
	end_open(&replacement, "n", 0);
}

static void
test_slot_is_used_again(void **state)
{
	struct end a, b;

	(void)state;
	end_open(&a, "a", 1);
	end_open(&b, "b", 1);
	/* Whichever comes first replaces both. */
	replaced = b;
	loop_fd_del(&a.w);
	loop_fd_del(&b.w);
	assert_int_equal(loop_fd_add(loop, &a.w, a.fd[0], EPOLLIN, on_replace, &a), 0);
	assert_int_equal(loop_fd_add(loop, &replaced.w, b.fd[0], EPOLLIN, on_end, &replaced), 0);
	one_turn();
	assert_null(strchr(said, 'n'));
	assert_non_null(strchr(said, 'r'));
	one_turn();
	assert_null(strchr(said, 'n'));
	end_close(&replacement);
	end_close(&a);
	close(b.fd[0]);
	close(b.fd[1]);
}

static void
test_events(void **state)
{
	struct end a;

	(void)state;
	end_open(&a, "a", 1);
	assert_int_equal(loop_fd_events(&a.w, 0), 0); /* rest */
	one_turn();
	assert_string_equal(said, "");
	assert_int_equal(loop_fd_events(&a.w, EPOLLIN), 0);
	assert_int_equal(loop_fd_events(&a.w, EPOLLIN), 0);
	one_turn();
	assert_string_equal(said, "a");
	loop_fd_del(&a.w);
	loop_fd_del(&a.w); /* nothing */
	assert_int_equal(loop_fd_events(&a.w, EPOLLIN), -EINVAL);
	end_close(&a);
}

static void
test_errors(void **state)
{
	static struct loop_fd w[LOOP_FDS + 1];
	int fd[LOOP_FDS + 1], file;

	(void)state;
	assert_int_equal(loop_fd_add(loop, &w[0], -1, EPOLLIN, on_end, NULL), -EBADF);
	file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(loop_fd_add(loop, &w[0], file, EPOLLIN, on_end, NULL), -EPERM);
	close(file);
	for (int i = 0; i <= LOOP_FDS; i++) {
		fd[i] = dup(loop->epfd); /* an epoll descriptor may be watched by another */
		assert_true(fd[i] >= 0);
	}
	for (int i = 0; i <= LOOP_FDS; i++) {
		int p[2];

		close(fd[i]);
		assert_int_equal(pipe(p), 0);
		close(p[1]);
		fd[i] = p[0];
		assert_int_equal(loop_fd_add(loop, &w[i], fd[i], EPOLLIN, on_end, NULL),
				 i < LOOP_FDS ? 0 : -EMFILE);
	}
	loop_fd_del(&w[5]);
	assert_int_equal(loop_fd_add(loop, &w[5], fd[LOOP_FDS], EPOLLIN, on_end, NULL), 0);
	for (int i = 0; i <= LOOP_FDS; i++) {
		if (i < LOOP_FDS)
			loop_fd_del(&w[i]);
		close(fd[i]);
	}
}

/* ---- timers ------------------------------------------------------------------------------- */

struct tick {
	struct loop_timer t;
	const char *name;
	struct tick *clears;
	int again; /* times that it sets itself, for now */
	int64_t again_us;
};

static void
on_tick(struct loop_timer *t)
{
	struct tick *k = t->arg;

	assert_null(t->loop); /* it may be set again, or freed */
	say(k->name);
	if (k->clears)
		loop_timer_clear(&k->clears->t);
	if (k->again) {
		k->again--;
		loop_timer_set(loop, t, k->again_us, on_tick, k);
	}
}

static void
tick(struct tick *k, const char *name, int64_t after_us)
{
	memset(k, 0, sizeof *k);
	k->name = name;
	loop_timer_set(loop, &k->t, after_us, on_tick, k);
}

static void
test_timers_in_order(void **state)
{
	struct tick k[6];

	(void)state;
	tick(&k[0], "c", 300);
	tick(&k[1], "a", 100);
	tick(&k[2], "d", 300); /* the same time: in the order in which they were set */
	tick(&k[3], "b", 200);
	tick(&k[4], "z", -5);
	tick(&k[5], "x", 50);
	loop_timer_clear(&k[5].t);
	loop_timer_clear(&k[5].t);
	loop_timer_set(loop, &stop_timer, 400, on_stop, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "zabcd");
}

static void
test_timer_moves(void **state)
{
	struct tick a, b;

	(void)state;
	tick(&a, "a", 100);
	tick(&b, "b", 200);
	loop_timer_set(loop, &a.t, 300, on_tick, &a);
	loop_timer_set(loop, &stop_timer, 400, on_stop, NULL);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "ba");
}

static void
test_timer_clears_others(void **state)
{
	struct tick a, b, c;

	(void)state;
	tick(&a, "a", 0);
	tick(&b, "b", 0);
	tick(&c, "c", 0);
	a.clears = &b; /* due in the same turn */
	c.clears = &c; /* itself: it is not set any more */
	one_turn();
	assert_string_equal(said, "ac");
}

/* All five ran, never two in one turn. */
static void
check_turns(void)
{
	int n = 0;

	assert_null(strstr(said, "aa"));
	for (const char *p = said; *p; p++)
		n += *p == 'a';
	assert_int_equal(n, 5);
}

/* One that sets itself for now runs in the next turn: descriptors have their turn in between. */
static void
test_timer_again(void **state)
{
	struct tick a;
	struct end e;

	(void)state;
	end_open(&e, "e", 1);
	tick(&a, "a", 0);
	a.again = 4;
	e.rest = 200;
	assert_int_equal(loop_run(loop), 7);
	check_turns();
	end_close(&e);
}

/* Nor does one in the past keep the loop to itself. */
static void
test_timer_again_in_the_past(void **state)
{
	struct tick a;
	struct end e;

	(void)state;
	end_open(&e, "e", 1);
	tick(&a, "a", 0);
	a.again = 4;
	a.again_us = -1000000;
	e.rest = 200;
	assert_int_equal(loop_run(loop), 7);
	check_turns();
	end_close(&e);
}

static void
test_stop_ends_the_turn(void **state)
{
	struct tick a;

	(void)state;
	memset(&stop_timer, 0, sizeof stop_timer);
	loop_timer_set(loop, &stop_timer, 0, on_stop, NULL);
	tick(&a, "a", 0);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "");
	one_turn(); /* it is not lost */
	assert_string_equal(said, "a");
}

static void
test_many_timers(void **state)
{
	static struct tick k[200];
	uint64_t x = 88172645463325252ULL;
	int64_t last_us = INT64_MIN;
	int n = 0;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		struct tick *t = &k[(x >> 8) % 200];

		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		if (x >> 40 & 1)
			loop_timer_set(loop, &t->t, (int64_t)(x >> 41) % 1000000, on_tick, t);
		else
			loop_timer_clear(&t->t);
	}
	for (int i = 0; i < 200; i++)
		n += k[i].t.loop != NULL;
	for (struct loop_timer *t = loop->timers; t; t = t->next) {
		assert_true(t->at_us >= last_us);
		last_us = t->at_us;
		n--;
	}
	assert_int_equal(n, -1); /* the guard */
}

static void
test_clocks(void **state)
{
	int64_t mono_us = clock_mono_us(), before_us = loop_now_us(loop);

	(void)state;
	assert_true(before_us <= mono_us && before_us > 0);
	one_turn();
	assert_true(loop_now_us(loop) >= mono_us);
	assert_true(loop_wall_us(loop) > 1600000000000000);
	assert_true(clock_boot_us() >= loop_now_us(loop));
	assert_true(clock_wall_us() > 1600000000000000);
}

/* ---- signals ------------------------------------------------------------------------------ */

static void
on_signal(void *arg, int signo)
{
	assert_ptr_equal(arg, said);
	say(signo == SIGUSR1 ? "1" : signo == SIGUSR2 ? "2" : "?");
	if (strlen(said) == 2)
		loop_stop(loop, 0);
}

static void
test_signals(void **state)
{
	static const int signos[] = { SIGUSR1, SIGUSR2, 0 };

	(void)state;
	assert_int_equal(loop_signals(loop, signos, on_signal, said), 0);
	assert_int_equal(kill(getpid(), SIGUSR1), 0); /* blocked: they wait for the loop */
	assert_int_equal(kill(getpid(), SIGUSR1), 0); /* the same one twice is one */
	assert_int_equal(kill(getpid(), SIGUSR2), 0);
	assert_int_equal(loop_run(loop), 0);
	assert_string_equal(said, "12");
}

static void
test_free_of_nothing(void **state)
{
	(void)state;
	loop_free(NULL);
}

#define WITH_LOOP(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_LOOP(test_result),
		WITH_LOOP(test_removes_itself),
		WITH_LOOP(test_removes_the_other),
		WITH_LOOP(test_slot_is_used_again),
		WITH_LOOP(test_events),
		WITH_LOOP(test_errors),
		WITH_LOOP(test_timers_in_order),
		WITH_LOOP(test_timer_moves),
		WITH_LOOP(test_timer_clears_others),
		WITH_LOOP(test_timer_again),
		WITH_LOOP(test_timer_again_in_the_past),
		WITH_LOOP(test_stop_ends_the_turn),
		WITH_LOOP(test_many_timers),
		WITH_LOOP(test_clocks),
		WITH_LOOP(test_signals),
		cmocka_unit_test(test_free_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
