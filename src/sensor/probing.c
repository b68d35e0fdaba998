/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * probing.c - one prober, its sockets and its heart.  What it sends is a stranger's: it reads the
 * internet's answers.  All it gets for it is a tuple of a connection that it could name.
 */
#include "probing.h"

#include <errno.h>
#include <linux/netlink.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"
#include "prober.h"
#include "sensor/backoff.h"
#include "sensor/conntrack.h"
#include "sensor/rundir.h"
#include "sensor/settings.h"

#define PROBING_BEAT_US 1000000
/* Counted, not timed: the parent may have been stopped itself.  An idle prober beats every 10 s. */
#define PROBING_BEATS_MISSED 25
#define PROBING_STOP_US 3000000
#define PROBING_LOOKUPS 500 /* a second */

enum probing_state {
	PROBING_OFF,      /* none is wanted */
	PROBING_DOWN,     /* waits for its next start */
	PROBING_STARTING,
	PROBING_READY,
	PROBING_CHANGING, /* ends, to start with another plan */
	PROBING_STOPPING,
};

struct probing {
	struct loop *loop;
	const struct probing_sockets *sockets;
	const struct plan *plan;
	const struct bind_group *answers;
	enum probing_state state;
	pid_t pid;                /* 0: none */
	int pair[2];              /* the analyzer's end, the prober's end */
	int control;
	char *print;              /* what the plan makes of it */
	struct rundir dir;
	struct conntrack *conntrack;
	struct loop_fd control_watch;
	struct loop_timer beat;
	struct loop_timer timer;  /* start again, or kill */
	int64_t started_us;
	int missed;
	int hung;                 /* we killed it for that */
	int lookups;              /* in this second */
	struct backoff backoff;
	uint64_t stat[PROBER_STATS];
	unsigned starts;
	uint64_t posture;
	char ended[80];           /* how the last one did, unasked */
};

static void start(struct probing *);

int
probing_sockets_open(struct probing_sockets *s, const struct plan *p, int deaf, char *err, size_t size)
{
	struct rawsock_conf conf = { .mark = p->rules.mark, .port_first = PROBER_PORT_FIRST,
				     .port_last = PROBER_PORT_LAST, .deaf = deaf, .transparent = p->inband };
	int e;

	*s = (struct probing_sockets){ .deaf = deaf, .transparent = p->inband };
	e = rawsock_open(&s->raw, &conf, err, size);
	s->open = !e;
	return e;
}

void
probing_sockets_close(struct probing_sockets *s)
{
	if (!s->open)
		return;
	rawsock_close(&s->raw);
	s->open = 0;
}

struct probing *
probing_new(struct loop *loop, const struct probing_sockets *sockets)
{
	struct probing *p = calloc(1, sizeof *p);

	if (!p)
		return NULL;
	p->loop = loop;
	p->sockets = sockets;
	p->pair[0] = p->pair[1] = p->control = -1;
	rundir_init(&p->dir);
	return p;
}

static void
close_pair(struct probing *p)
{
	for (int i = 0; i < 2; i++) {
		if (p->pair[i] >= 0)
			close(p->pair[i]);
		p->pair[i] = -1;
	}
}

void
probing_free(struct probing *p)
{
	if (!p)
		return;
	loop_timer_clear(&p->beat);
	loop_timer_clear(&p->timer);
	child_hang_up(&p->control_watch, &p->control);
	child_kill(p->pid);
	close_pair(p);
	rundir_close(&p->dir);
	conntrack_close(p->conntrack);
	free(p->print);
	free(p);
}

int
probing_fd(const struct probing *p)
{
	return p->pair[0];
}

/* Each prober has its own, which needs no right: an answer that one was killed over would be the next
 * one's first.  A descriptor or -errno. */
static int
open_route(void)
{
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE), e;

	if (fd >= 0 && !bind(fd, (const struct sockaddr *)&any, sizeof any))
		return fd;
	e = -errno;
	if (fd >= 0)
		close(fd);
	return e;
}

/* The settings lines; the descriptors that they name go to the child. */
static void
add_settings(const struct probing *p, int route, struct settings *s, struct child *c)
{
	const struct conf *conf = p->plan->conf;

	settings_add(s, "version", "%s", VERSION);
	settings_add(s, "verbose", "%s", conf_str(conf, "verbose"));
	for (int kind = 0; kind < RAWSOCK_KINDS; kind++) {
		int fd = p->sockets->raw.fd[kind], inband = kind == RAWSOCK_TCPX4 || kind == RAWSOCK_TCPX6;

		if (fd >= 0 && (!inband || p->plan->inband))
			settings_add(s, "send", "%s %d", rawsock_name((enum rawsock_kind)kind), child_give(c, fd));
	}
	settings_add(s, "route", "%d", child_give(c, route));
	if (p->answers->socket && p->plan->rules.classes & CLASSES_TO_PROBER)
		settings_add(s, "nflog", "%u %d", p->answers->group, child_give(c, bind_fd(p->answers)));
	if (p->dir.listen >= 0)
		settings_add(s, "listen", "%d", child_give(c, p->dir.listen));
	settings_add(s, "mark", "%u", p->plan->rules.mark);
	for (size_t i = 0; i < conf_list_n(conf, "home"); i++)
		settings_add(s, "home", "%s", conf_list(conf, "home", i));
	for (size_t i = 0; i < conf_list_n(conf, "trace-exclude"); i++)
		settings_add(s, "exclude", "%s", conf_list(conf, "trace-exclude", i));
	settings_add(s, "probe-rate", "%s", conf_str(conf, "probe-rate"));
	settings_add(s, "trace-rate", "%s", conf_str(conf, "trace-rate"));
	settings_add(s, "prefix-budget", "%s", conf_str(conf, "prefix-budget"));
	settings_add(s, "traces", "%s", conf_str(conf, "trace-limit"));
}

static void
child_begin(const struct probing *p, struct child *c)
{
	child_init(c, p->plan->uid, p->plan->gid);
	c->n_fds = PROBER_FD_FIRST;
	for (int i = PROBER_FD_SETTINGS; i < PROBER_FD_FIRST; i++)
		c->fd[i] = -1;
	c->fd[PROBER_FD_BUDGETS] = p->dir.budgets;
	c->fd[PROBER_FD_REQUESTS] = p->pair[1];
}

/* Everything that makes one prober another than the next.  free(). */
static char *
print_of(const struct probing *p)
{
	struct settings s = { 0 };
	struct child c;
	struct stat st;
	char *print = NULL;

	child_begin(p, &c);
	add_settings(p, -1, &s, &c);
	if (!fstat(p->plan->prober_fd, &st))
		settings_add(&s, "program", "%llu %llu %lld", (unsigned long long)st.st_dev,
			     (unsigned long long)st.st_ino, (long long)st.st_mtim.tv_sec);
	if (!s.error)
		print = strndup(s.text, s.len);
	settings_free(&s);
	return print;
}

static void
kill_hung(struct probing *p)
{
	p->hung = 1;
	kill(p->pid, SIGKILL);
}

static void
on_beat(struct loop_timer *t)
{
	struct probing *p = t->arg;

	p->lookups = 0;
	if (++p->missed < PROBING_BEATS_MISSED)
		loop_timer_set(p->loop, t, PROBING_BEAT_US, on_beat, p);
	else
		kill_hung(p);
}

static void
on_lookup(struct probing *p, const struct prober_ctl *m)
{
	struct prober_ctl answer = { .type = PROBER_CTL_FOUND, .id = m->id };
	int r = 0;

	if (!p->plan->inband || (m->tuple.ipv != 4 && m->tuple.ipv != 6) || ++p->lookups > PROBING_LOOKUPS)
		return;
	if (!p->conntrack)
		r = conntrack_open(&p->conntrack);
	if (!r)
		r = conntrack_find(p->conntrack, &m->tuple, &answer.tuple);
	if (r < 0)
		log_debug("connection of an in-band trace: %s", strerror(-r));
	answer.value = r == 1;
	if (send(p->control, &answer, sizeof answer, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		log_debug("prober does not take an answer: %s", strerror(errno));
}

static void
on_control(struct loop_fd *watch, uint32_t events)
{
	struct probing *p = watch->arg;
	struct prober_ctl m;

	(void)events;
	if (!child_receive(watch, p->pid, "prober", &m, sizeof m))
		return;
	if (m.type == PROBER_CTL_READY && p->state == PROBING_STARTING) {
		p->state = PROBING_READY;
		p->missed = 0;
		p->posture = m.value;
		child_posture("prober", p->pid, m.value);
	} else if (m.type == PROBER_CTL_STATS && p->state == PROBING_READY) {
		p->missed = 0;
		memcpy(p->stat, m.stat, sizeof p->stat);
	} else if (m.type == PROBER_CTL_LOOKUP && p->state == PROBING_READY) {
		on_lookup(p, &m);
	}
}

static void
on_again(struct loop_timer *t)
{
	start(t->arg);
}

static void
start_later(struct probing *p, int64_t wait_us)
{
	p->state = PROBING_DOWN;
	loop_timer_set(p->loop, &p->timer, wait_us, on_again, p);
}

/* Its descriptors are arranged and it runs; 0 or -errno. */
static int
execute(struct probing *p)
{
	static char *const argv[] = { (char *)"prober", NULL };
	struct settings s = { 0 };
	struct child c;
	int control[2] = { -1, -1 }, settings = -1, route = -1, r;
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, control))
		return -errno;
	child_begin(p, &c);
	c.exec_fd = p->plan->prober_fd;
	c.argv = argv;
	c.fd[PROBER_FD_CONTROL] = control[1];
	r = route = open_route();
	if (r < 0)
		goto out;
	add_settings(p, route, &s, &c);
	r = settings = settings_seal(&s);
	if (r < 0)
		goto out;
	c.fd[PROBER_FD_SETTINGS] = settings;
	pid = child_start(&c);
	r = pid < 0 ? (int)pid : 0;
	if (r)
		goto out;
	p->pid = pid;
	p->control = control[0];
	control[0] = -1;
out:
	for (int i = 0; i < 2; i++) {
		if (control[i] >= 0)
			close(control[i]);
	}
	if (settings >= 0)
		close(settings);
	if (route >= 0)
		close(route);
	return r;
}

static void
start(struct probing *p)
{
	int r = execute(p);

	if (r) {
		log_error("cannot start the prober: %s", strerror(-r));
		start_later(p, backoff_next(&p->backoff, 0));
		return;
	}
	p->state = PROBING_STARTING;
	p->starts++;
	p->started_us = loop_now_us(p->loop);
	p->missed = p->hung = p->lookups = 0;
	memset(p->stat, 0, sizeof p->stat);
	loop_fd_add(p->loop, &p->control_watch, p->control, EPOLLIN, on_control, p);
	loop_timer_set(p->loop, &p->beat, PROBING_BEAT_US, on_beat, p);
}

static void
on_kill(struct loop_timer *t)
{
	struct probing *p = t->arg;

	log_warn("prober does not end; killed");
	kill(p->pid, SIGKILL);
}

/* Asks it to end; what comes after that is the state's. */
static void
end(struct probing *p, enum probing_state state)
{
	p->state = state;
	kill(p->pid, SIGTERM);
	loop_timer_clear(&p->beat);
	loop_timer_set(p->loop, &p->timer, PROBING_STOP_US, on_kill, p);
}

void
probing_stop(struct probing *p)
{
	loop_timer_clear(&p->timer);
	rundir_unlisten(&p->dir);
	close_pair(p);
	if (p->pid)
		end(p, PROBING_STOPPING);
	else
		p->state = PROBING_OFF;
}

/* What is not there is said, and gone without. */
static void
open_dir(struct probing *p)
{
	gid_t gid = geteuid() ? getegid() : p->plan->gid;
	char err[400];

	if (p->dir.dir < 0 && rundir_open(&p->dir, conf_str(p->plan->conf, "runtime-dir"), err, sizeof err))
		log_warn("%s; budgets begin anew with each start, and nobody can ask for a trace", err);
	else if (rundir_listen(&p->dir, gid, err, sizeof err))
		log_warn("%s; nobody can ask for a trace", err);
}

void
probing_plan(struct probing *p, const struct plan *plan, const struct bind_group *answers)
{
	char *print;
	int same;

	p->plan = plan;
	p->answers = answers;
	if (!plan->prober) {
		if (p->state != PROBING_OFF)
			probing_stop(p);
		return;
	}
	if (p->pair[0] < 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, p->pair)) {
		log_error("no prober: %s", strerror(errno));
		return;
	}
	open_dir(p);
	print = print_of(p);
	same = print && p->print && !strcmp(print, p->print);
	free(p->print);
	p->print = print;
	if (same && (p->state == PROBING_STARTING || p->state == PROBING_READY))
		return;
	p->backoff = (struct backoff){ 0 };
	if (p->pid)
		end(p, PROBING_CHANGING);
	else
		start_later(p, 0);
}

int
probing_exited(struct probing *p, pid_t pid, int status)
{
	enum probing_state state = p->state;
	int64_t wait_us;

	if (!p->pid || pid != p->pid)
		return 0;
	p->pid = 0;
	loop_timer_clear(&p->beat);
	loop_timer_clear(&p->timer);
	child_hang_up(&p->control_watch, &p->control);
	log_debug("prober: %llu requests, %llu traces, %llu refused, %llu probes, %llu answers, %llu foreign",
		  (unsigned long long)p->stat[PROBER_STAT_REQUESTS], (unsigned long long)p->stat[PROBER_STAT_TRACES],
		  (unsigned long long)p->stat[PROBER_STAT_REFUSED], (unsigned long long)p->stat[PROBER_STAT_PROBES],
		  (unsigned long long)p->stat[PROBER_STAT_ANSWERS],
		  (unsigned long long)p->stat[PROBER_STAT_FOREIGN]);
	if (state == PROBING_STOPPING) {
		p->state = PROBING_OFF;
		return 1;
	}
	if (state == PROBING_CHANGING) {
		start_later(p, 0);
		return 1;
	}
	wait_us = backoff_next(&p->backoff, loop_now_us(p->loop) - p->started_us);
	log_warn("prober %s (%s); restarting in %lld ms", p->hung ? "hung" : "ended",
		 child_status_text(status, p->ended, sizeof p->ended), (long long)wait_us / 1000);
	start_later(p, wait_us);
	return 1;
}

void
probing_status(const struct probing *p, struct probing_status *s)
{
	static const char *const names[] = { "off", "down", "starting", "running", "changing", "stopping" };

	*s = (struct probing_status){ .stat = p->stat };
	s->child = (struct child_status){ p->pid, names[p->state], p->starts, p->posture, p->ended };
}
