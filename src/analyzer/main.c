/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * analyzer - reads NFLOG sockets that the parent bound, writes report lines to a pipe.  Started by
 * net-gazer(8) with the descriptors of src/worker.h; holds no privilege.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"
#include "engine.h"
#include "iface.h"
#include "ledger.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "plugins.h"
#include "report.h"
#include "sandbox.h"
#include "settings.h"
#include "worker.h"

/* The kernel rounds nlbufsiz 8192 up to 16 KiB; four times that leaves room for a parent that asks
 * for more (facts: less than two times truncates, and what is cut off is lost). */
#define DATAGRAM 65536

/* Datagrams of one socket in one turn: others wait meanwhile. */
#define QUANTUM 32

/* A datagram longer than this was full: the kernel did not wait for its flush timer. */
#define FULL 6000

/* While full datagrams come, a socket rests between two turns, so that one wake-up serves many: it finds
 * the caches cold, and a CPU that had gone idle (measured at 100,000 packets/s: no rest 1,100 ns a packet,
 * 5 ms 620, 20 ms 460, 50 ms 380).  The kernel's timestamps do not mind, and its own flush timer waits
 * 100 ms.  Meanwhile the socket's buffer must hold the worst flood: 700,000 packets/s is what one core
 * forwards and logs, each takes 260 bytes, and half as much again. */
#define REST_MAX_US 50000
#define FLOOD_BYTES_PER_US 273

#define HEARTBEAT_US 500000
/* At the end the reader of reports gets this: SUPERVISE_STOP_US is twice that. */
#define LAST_US 4000000

/* Many times what the first-party plugins take, and a flow's slot. */
#define DATA_BYTES (64 << 20)
#define DATA_FLOW 512

struct source {
	struct loop_fd watch;
	struct loop_timer rest;
	unsigned index;
	int may_rest; /* its packets carry the kernel's timestamp */
	int64_t rest_us;
};

static struct settings settings;
static struct worker_page *page;
static struct loop *loop;
static struct source sources[WORKER_GROUPS_MAX];
static struct loop_fd control_watch, iface_watch, pipe_watch, prober_watch;
static struct loop_timer expire_timer, heartbeat_timer;
static uint64_t posture;
static uint8_t datagram[DATAGRAM];

static void on_pipe(struct loop_fd *, uint32_t);
static void on_expire(struct loop_timer *);

/* After whatever made reports: hand them on, and come back when something is due. */
static void
end_of_turn(int64_t next_us)
{
	int r = report_flush();

	if (r == -EAGAIN && !pipe_watch.loop)
		loop_fd_add(loop, &pipe_watch, WORKER_FD_REPORTS, EPOLLOUT, on_pipe, NULL);
	else if (r == 0 && pipe_watch.loop)
		loop_fd_del(&pipe_watch);
	if (next_us == INT64_MAX)
		return;
	/* A packet every microsecond must not mean a timer every microsecond. */
	if (!expire_timer.loop || expire_timer.at_us > next_us + 50000)
		loop_timer_set(loop, &expire_timer, next_us - loop_now_us(loop), on_expire, NULL);
}

static void
on_pipe(struct loop_fd *w, uint32_t events)
{
	(void)w;
	(void)events;
	end_of_turn(INT64_MAX);
}

static void
on_expire(struct loop_timer *t)
{
	(void)t;
	engine_turn(loop_now_us(loop), loop_wall_us(loop));
	end_of_turn(engine_expire());
}

static void
on_heartbeat(struct loop_timer *t)
{
	page->heartbeat++;
	loop_timer_set(loop, t, HEARTBEAT_US, on_heartbeat, NULL);
}

static int64_t
rest_us(int fd)
{
	int bytes = 0;
	socklen_t len = sizeof bytes;

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, &len))
		return 0;
	return bytes / FLOOD_BYTES_PER_US < REST_MAX_US ? bytes / FLOOD_BYTES_PER_US : REST_MAX_US;
}

static void
on_rested(struct loop_timer *t)
{
	struct source *s = t->arg;

	loop_fd_events(&s->watch, EPOLLIN);
}

/* One datagram; its length, 0 when there is none. */
static ssize_t
read_datagram(int fd, unsigned index)
{
	ssize_t n = recv(fd, datagram, sizeof datagram, MSG_DONTWAIT | MSG_TRUNC);
	struct batch_msg m = { 0 };
	struct cur c;
	int r;

	if (n < 0) {
		if (errno != ENOBUFS)
			return 0;
		ledger_enobufs();
		return FULL + 1; /* there is more */
	}
	if (n > DATAGRAM) { /* its rest shows as a gap with the next message */
		ledger_bad_message();
		n = DATAGRAM;
	}
	c = cur_of(datagram, (size_t)n);
	while ((r = batch_next(&c, &m))) {
		if (r > 0)
			engine_message(index, &m);
		else
			ledger_bad_message();
	}
	sources[index].may_rest = m.has_ts;
	return n;
}

static void
on_packets(struct loop_fd *w, uint32_t events)
{
	struct source *s = w->arg;
	int n = 0;

	(void)events;
	engine_turn(loop_now_us(loop), loop_wall_us(loop));
	page->heartbeat++;
	/* A datagram that is not full is the last one, most of the time: do not ask again. */
	while (n < QUANTUM && read_datagram(w->fd, s->index) > FULL)
		n++;
	if (n && n < QUANTUM && s->may_rest && s->rest_us) {
		loop_fd_events(w, 0);
		loop_timer_set(loop, &s->rest, s->rest_us, on_rested, s);
	}
	/* Also when the timer is set: a packet may have begun something that ends before that. */
	end_of_turn(engine_expire());
}

static void
on_control(struct loop_fd *w, uint32_t events)
{
	struct worker_msg m;
	ssize_t n = recv(w->fd, &m, sizeof m, MSG_DONTWAIT);

	(void)events;
	if (n == 0) { /* the parent is gone; PDEATHSIG is on its way */
		loop_stop(loop, 0);
		return;
	}
	if (n == (ssize_t)sizeof m && m.type == WORKER_MSG_FORWARD)
		ledger_forward(m.value);
	if (n != (ssize_t)sizeof m || m.type != WORKER_MSG_COUNTERS || m.n > 2 * WORKER_GROUPS_MAX)
		return;
	engine_turn(loop_now_us(loop), loop_wall_us(loop));
	engine_counters(m.value, m.n / 2, posture);
	end_of_turn(engine_expire());
}

static void
on_paths(struct loop_fd *w, uint32_t events)
{
	int r;

	(void)events;
	engine_turn(loop_now_us(loop), loop_wall_us(loop));
	r = engine_paths();
	if (r) {
		/* The parent keeps both ends as long as there is a prober: a closed one is its word that we end. */
		log_at(r == -EPIPE ? LOG_L_DEBUG : LOG_L_WARN, "the prober's socket: %s; nothing is traced from here on",
		       strerror(-r));
		loop_fd_del(w);
	}
	end_of_turn(engine_expire());
}

static void
on_iface(struct loop_fd *w, uint32_t events)
{
	(void)w;
	(void)events;
	iface_update();
}

static void
on_signal(void *arg, int signo)
{
	(void)arg;
	(void)signo;
	loop_stop(loop, 0);
}

static void
tell_parent(enum worker_msg_type type, uint64_t value)
{
	struct worker_msg m = { .type = type, .n = 1, .value = { value } };

	if (send(WORKER_FD_CONTROL, &m, sizeof m, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_debug("the parent does not listen");
}

static void
plugin_failed(unsigned index)
{
	tell_parent(WORKER_MSG_PLUGIN_BAD, index);
}

static int
describe(void)
{
	static struct worker_page scratch;
	struct host_env env = { &settings, &scratch, NULL, 0 };

	plugins_load(&env);
	plugins_describe(stdout);
	return fflush(stdout) ? 1 : 0;
}

/* NULL: the page ends before it. */
static struct worker_top *
map_top(void)
{
	struct stat st;
	void *p;

	if (fstat(WORKER_FD_PAGE, &st) || st.st_size < (off_t)(WORKER_TOP_OFFSET + sizeof(struct worker_top)))
		return NULL;
	p = mmap(NULL, sizeof(struct worker_top), PROT_READ | PROT_WRITE, MAP_SHARED, WORKER_FD_PAGE, WORKER_TOP_OFFSET);
	return p == MAP_FAILED ? NULL : p;
}

/* What is in the sockets when the rules are gone is still ours to report. */
static void
drain(void)
{
	struct worker_msg m;

	page->stage = WORKER_STAGE_DRAIN;
	engine_turn(clock_mono_us(), clock_wall_us());
	for (unsigned i = 0; i < settings.n_groups; i++) {
		for (int n = 0; n < 100000 && read_datagram(settings.groups[i].fd, i); n++)
			page->heartbeat++;
	}
	/* The parent's last counters come just in front of its SIGTERM. */
	while (recv(WORKER_FD_CONTROL, &m, sizeof m, MSG_DONTWAIT) == (ssize_t)sizeof m) {
		if (m.type == WORKER_MSG_FORWARD)
			ledger_forward(m.value);
		if (m.type == WORKER_MSG_COUNTERS && m.n <= 2 * WORKER_GROUPS_MAX)
			engine_counters(m.value, m.n / 2, posture);
	}
	engine_expire();
}

int
main(int argc, char **argv)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, 0 };
	int describing = argc == 2 && !strcmp(argv[1], "--describe");
	uint32_t open;
	char err[300];
	int fd;

	log_init("net-gazer: analyzer", LOG_L_INFO);
	if (argc > 1 && !describing)
		fatal("this program is started by net-gazer(8)");
	if (settings_read(&settings, WORKER_FD_SETTINGS, err, sizeof err))
		fatal("%s", err);
	log_set_level((enum log_level)settings.verbose);
	if (describing)
		return describe();
	page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, WORKER_FD_PAGE, 0);
	if (page == MAP_FAILED)
		fatal("no shared page on descriptor %d: this program is started by net-gazer(8)",
		      WORKER_FD_PAGE);
	page->stage = WORKER_STAGE_START;
	page->plugin = 0;

	/* In the order that data flows. */
	loop = loop_new();
	if (!loop || loop_signals(loop, signals, on_signal, NULL))
		fatal("epoll, signalfd: %s", strerror(errno));
	iface_select(settings.ifaces, settings.n_ifaces);
	fd = iface_open();
	if (fd < 0)
		log_warn("no names of interfaces: %s", strerror(-fd));
	else
		loop_fd_add(loop, &iface_watch, fd, EPOLLIN, on_iface, NULL);
	engine_load(&(struct engine_conf){ &settings, page, map_top(), 0, WORKER_FD_REPORTS });

	for (unsigned i = 0; i < settings.n_groups; i++)
		sources[i] = (struct source){ .index = i, .rest_us = rest_us(settings.groups[i].fd) };

	sandbox_limit(DATA_BYTES + (uint64_t)settings.flows * DATA_FLOW);
	posture = sandbox_close();

	engine_start(loop_now_us(loop), loop_wall_us(loop), plugin_failed);
	if (settings.take_fd >= 0) {
		engine_take_over(settings.take_fd);
		close(settings.take_fd);
	}
	for (unsigned i = 0; i < settings.n_groups; i++) {
		if (loop_fd_add(loop, &sources[i].watch, settings.groups[i].fd, EPOLLIN, on_packets,
				&sources[i]))
			fatal("descriptor %d of group %u is no socket", settings.groups[i].fd,
			      settings.groups[i].group);
	}
	if (settings.prober_fd >= 0 &&
	    loop_fd_add(loop, &prober_watch, settings.prober_fd, EPOLLIN, on_paths, NULL))
		fatal("descriptor %d, the prober's, is no socket", settings.prober_fd);
	loop_fd_add(loop, &control_watch, WORKER_FD_CONTROL, EPOLLIN, on_control, NULL);
	loop_timer_set(loop, &heartbeat_timer, 0, on_heartbeat, NULL);
	end_of_turn(engine_expire());
	tell_parent(WORKER_MSG_READY, posture);

	loop_run(loop);

	report_last(clock_mono_us() + LAST_US);
	drain();
	if (settings.hand_fd >= 0)
		engine_hand_over(settings.hand_fd);
	engine_stop(posture, &open);
	report_flush();
	if (open)
		log_debug("%u handshakes had neither answer nor timeout yet", open);
	return 0;
}
