/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * delay.c - point-to-point links between network namespaces that take a fixed time.
 *
 * Not every kernel has netem.  A delayed link is a pair of TAP devices, one in each namespace, and this
 * process moves the frames: what is read from one end is written to the other end DELAY_US later.
 *
 *   delay CONFIG        lines: link NS_A IF_A NS_B IF_B DELAY_US      (NS_*: names under /run/netns)
 *
 * Says "ready" once every device is there, then runs until SIGTERM; the devices go with it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 2048
#define BATCH 64

struct end {
	int fd;
	uint32_t peer;          /* index of the other end */
	uint64_t delay_ns;
};

struct frame {
	uint64_t due_ns;
	uint64_t seq;           /* frames due at one time keep their order */
	uint32_t out;           /* index of the end to write to */
	uint32_t len;
	unsigned char data[FRAME_MAX];
};

static struct end *ends;
static uint32_t n_ends;
static struct frame **heap, **pool;
static size_t heap_n, heap_room, pool_n, pool_room;
static uint64_t seq;
static volatile sig_atomic_t stop;

static void
die(const char *what)
{
	fprintf(stderr, "delay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Room for one more. */
static struct frame **
grown(struct frame **list, size_t n, size_t *room)
{
	if (n < *room)
		return list;
	*room = *room ? *room * 2 : 1024;
	list = realloc(list, *room * sizeof(*list));
	if (!list)
		die("memory");
	return list;
}

static struct frame *
frame_get(void)
{
	struct frame *f = pool_n ? pool[--pool_n] : malloc(sizeof(*f));

	if (!f)
		die("memory");
	return f;
}

static void
frame_put(struct frame *f)
{
	pool = grown(pool, pool_n, &pool_room);
	pool[pool_n++] = f;
}

static int
later(const struct frame *a, const struct frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns > b->due_ns : a->seq > b->seq;
}

static void
heap_push(struct frame *f)
{
	size_t i;

	heap = grown(heap, heap_n, &heap_room);
	for (i = heap_n++; i && later(heap[(i - 1) / 2], f); i = (i - 1) / 2)
		heap[i] = heap[(i - 1) / 2];
	heap[i] = f;
}

static struct frame *
heap_pop(void)
{
	struct frame *top = heap[0], *last = heap[--heap_n];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < heap_n) {
		if (child + 1 < heap_n && later(heap[child], heap[child + 1]))
			child++;
		if (!later(last, heap[child]))
			break;
		heap[i] = heap[child];
		i = child;
	}
	if (heap_n)
		heap[i] = last;
	return top;
}

/* A device that is going down loses the frame, like a cable. */
static void
deliver(struct frame *f)
{
	if (write(ends[f->out].fd, f->data, f->len) < 0 && errno == EBADF)
		die("write");
	frame_put(f);
}

static void
drain(const struct end *in)
{
	for (int k = 0; k < BATCH; k++) {
		struct frame *f = frame_get();
		ssize_t n = read(in->fd, f->data, sizeof(f->data));

		if (n <= 0) {
			frame_put(f);
			return;
		}
		f->len = (uint32_t)n;
		f->out = in->peer;
		if (!in->delay_ns) {
			deliver(f);
			continue;
		}
		f->due_ns = now_ns() + in->delay_ns;
		f->seq = seq++;
		heap_push(f);
	}
}

static int
tap_open(const char *ns, const char *ifname, int home)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI };
	char path[256];
	int ns_fd, fd;

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ns_fd < 0 || setns(ns_fd, CLONE_NEWNET) < 0)
		die(path);
	close(ns_fd);
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		die("/dev/net/tun");
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", ifname);
	if (ioctl(fd, TUNSETIFF, &ifr) < 0)
		die(ifname);
	if (setns(home, CLONE_NEWNET) < 0)
		die("setns");
	return fd;
}

static void
load(const char *file)
{
	FILE *f = fopen(file, "r");
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char line[512], ns_a[64], ns_b[64], if_a[32], if_b[32];
	unsigned long delay_us;

	if (!f || home < 0)
		die(file);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "link %63s %31s %63s %31s %lu", ns_a, if_a, ns_b, if_b, &delay_us) != 5) {
			fprintf(stderr, "delay: bad line: %s", line);
			exit(1);
		}
		ends = realloc(ends, (n_ends + 2) * sizeof(*ends));
		if (!ends)
			die("memory");
		ends[n_ends] = (struct end){ tap_open(ns_a, if_a, home), n_ends + 1, delay_us * 1000 };
		ends[n_ends + 1] = (struct end){ tap_open(ns_b, if_b, home), n_ends, delay_us * 1000 };
		n_ends += 2;
	}
	fclose(f);
	close(home);
}

static void
on_signal(int signum)
{
	(void)signum;
	stop = 1;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct sched_param first = { .sched_priority = 10 };
	struct epoll_event got[BATCH];
	int ep;

	if (argc != 2) {
		fprintf(stderr, "usage: delay CONFIG\n");
		return 2;
	}
	load(argv[1]);

	/* Wake on time: no timer slack, and ahead of ordinary processes. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	if (sched_setscheduler(0, SCHED_FIFO, &first) < 0)
		fprintf(stderr, "delay: no SCHED_FIFO: delays will be less exact\n");
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);

	ep = epoll_create1(EPOLL_CLOEXEC);
	for (uint32_t i = 0; i < n_ends; i++) {
		struct epoll_event ev = { .events = EPOLLIN, .data.u32 = i };

		if (epoll_ctl(ep, EPOLL_CTL_ADD, ends[i].fd, &ev) < 0)
			die("epoll_ctl");
	}
	puts("ready");
	fflush(stdout);

	while (!stop) {
		struct timespec wait, *until = NULL;
		uint64_t t = now_ns();
		int n;

		while (heap_n && heap[0]->due_ns <= t) {
			deliver(heap_pop());
			t = now_ns();
		}
		if (heap_n) {
			wait.tv_sec = (time_t)((heap[0]->due_ns - t) / 1000000000u);
			wait.tv_nsec = (long)((heap[0]->due_ns - t) % 1000000000u);
			until = &wait;
		}
		n = epoll_pwait2(ep, got, BATCH, until, NULL);
		if (n < 0 && errno != EINTR)
			die("epoll_pwait2");
		for (int i = 0; i < n; i++)
			drain(&ends[got[i].data.u32]);
	}
	return 0;
}
