/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace - `net-gazerctl trace`: asks a prober for one path, or for those of several flows, and shows
 * what it finds.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>

#include "ctl.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "sensor/child.h"
#include "trace/link.h"
#include "trace/options.h"
#include "trace/path.h"
#include "trace/show.h"
#include "trace/view.h"

/* Of several flows; the prober queues 16 of one asker. */
#define AT_A_TIME 8
/* No word for so long: a trace ends in a good ten seconds, and may have waited for others. */
#define SILENCE_US 60000000
#define QUANTUM 64

enum { REACHED = 0, NOT_REACHED = 1, NOT_TRACED = 2 };

struct trace {
	struct trace_options o;
	struct prober_request request; /* of flow 0; `id` of a flow is its number + 1 */
	struct link link;
	struct loop *loop;
	struct loop_fd watch;
	struct loop_timer silence;
	unsigned asked;
	unsigned ended;
	struct trace_path paths[TRACE_PATHS_MAX];
};

/* 0; or -errno and it was said why. */
static int
find_prober(struct trace *t)
{
	char err[600], own_err[600];
	int r = -ENOENT;

	if (!t->o.own)
		r = link_connect(&t->link, t->o.connect ? t->o.connect : LINK_DEFAULT, err, sizeof err);
	if (!r)
		return 0;
	if (t->o.connect) {
		log_error("%s", err);
		return r;
	}
	/* Ours to start: there is none, or none for us. */
	r = link_own(&t->link, t->o.libexec_dir, own_err, sizeof own_err);
	if (!r)
		return 0;
	if (t->o.own)
		log_error("%s", own_err);
	else if (r == -EPERM)
		log_error("no prober runs that we may ask (%s), and to start one, %s: run as root, or start net-gazer with "
			  "prober = yes", err, own_err);
	else
		log_error("no prober runs that we may ask (%s); %s", err, own_err);
	return r;
}

/* Asks for flows that nobody was asked for yet, a few at a time. */
static int
ask(struct trace *t)
{
	while (t->asked < t->o.paths && t->asked - t->ended < AT_A_TIME) {
		struct prober_request q = t->request;
		int r;

		q.flow = (uint16_t)t->asked;
		q.id = t->asked + 1;
		r = link_ask(&t->link, &q);
		if (r == -EAGAIN && t->asked > t->ended)
			return 0; /* it reads when it can; an end of one asks again */
		if (r) {
			log_error("the prober does not listen: %s", strerror(-r));
			return -1;
		}
		path_begin(&t->paths[t->asked++], &q);
	}
	return 0;
}

static void
on_signal(void *arg, int signo)
{
	struct trace *t = arg;

	(void)signo;
	loop_stop(t->loop, 0); /* what is known is shown */
}

static void
on_silence(struct loop_timer *timer)
{
	struct trace *t = timer->arg;

	log_error("the prober has said nothing for %d s", SILENCE_US / 1000000);
	loop_stop(t->loop, -1);
}

/* A message about path i. */
static void
on_message(struct trace *t, const union link_msg *m, unsigned i)
{
	struct trace_path *p = &t->paths[i];

	if (p->ended)
		return;
	if (m->type == PROBER_MSG_HOP) {
		path_hop(p, &m->progress.hop);
	} else {
		path_result(p, &m->result);
		t->ended++;
	}
	if (p->result.status < PROBER_REFUSED)
		show_update(t->paths, t->asked, i);
}

static void
on_link(struct loop_fd *w, uint32_t events)
{
	struct trace *t = w->arg;
	union link_msg m;
	int type = 0;

	(void)events;
	loop_timer_set(t->loop, &t->silence, SILENCE_US, on_silence, t);
	for (int n = 0; n < QUANTUM && (type = link_read(&t->link, &m)) > 0; n++) {
		uint32_t id = m.type == PROBER_MSG_HOP ? m.progress.id : m.result.id;

		if (id >= 1 && id <= t->asked)
			on_message(t, &m, id - 1);
	}
	if (type < 0) {
		log_error(type == -EPROTO ? "what answers is no prober of this version" : "the prober has ended");
		loop_stop(t->loop, -1);
	} else if (ask(t)) {
		loop_stop(t->loop, -1);
	} else if (t->ended == t->o.paths) {
		loop_stop(t->loop, 0);
	}
}

/* Until all flows are traced, or it is cut short.  0; or -1 and it was said why. */
static int
run(struct trace *t)
{
	static const int signos[] = { SIGINT, SIGTERM, SIGHUP, 0 };
	int r;

	t->loop = loop_new();
	r = t->loop ? loop_signals(t->loop, signos, on_signal, t) : -errno;
	if (!r)
		r = loop_fd_add(t->loop, &t->watch, t->link.fd, EPOLLIN, on_link, t);
	if (r) {
		log_error("cannot wait for the prober: %s", strerror(-r));
		r = -1;
	} else {
		loop_timer_set(t->loop, &t->silence, SILENCE_US, on_silence, t);
		r = ask(t);
		if (!r)
			r = loop_run(t->loop);
	}
	loop_timer_clear(&t->silence);
	loop_fd_del(&t->watch);
	loop_free(t->loop);
	return r;
}

/* Each reason once. */
static void
say_refusals(const struct trace *t)
{
	unsigned count[256] = { 0 };

	for (unsigned i = 0; i < t->asked; i++)
		count[t->paths[i].result.status]++;
	for (unsigned s = PROBER_REFUSED; s < 256; s++) {
		if (count[s] && t->o.paths > 1)
			log_error("%s: %u of %u flows not traced: %s", t->o.target.host, count[s], t->o.paths, view_refusal(s));
		else if (count[s])
			log_error("%s: not traced: %s", t->o.target.host, view_refusal(s));
	}
}

static int
verdict(const struct trace *t)
{
	int came = NOT_TRACED;

	for (unsigned i = 0; i < t->asked; i++) {
		const struct prober_result *r = &t->paths[i].result;

		if (r->reached)
			return REACHED;
		if (r->status < PROBER_REFUSED && (t->paths[i].ended || r->n_hops))
			came = NOT_REACHED;
	}
	return came;
}

int
main(int argc, char **argv)
{
	static struct trace t; /* too large for a router's stack */
	char err[600], how[80];
	int failed, status = 0;

	log_init(CTL_NAME, LOG_L_INFO);
	if (options_parse(&t.o, argc, argv, err, sizeof err)) {
		log_error("%s", err);
		return NOT_TRACED;
	}
	if (t.o.help || t.o.list) {
		if (t.o.help)
			options_help();
		else
			options_list();
		return fflush(stdout) ? NOT_TRACED : 0;
	}
	if (target_resolve(&t.o.target, t.o.ipv, err, sizeof err)) {
		log_error("%s", err);
		return NOT_TRACED;
	}
	if (find_prober(&t))
		return NOT_TRACED;
	t.request = (struct prober_request){ .type = PROBER_MSG_TRACE, .ipv = t.o.target.ipv, .method = t.o.method,
					     .trigger = PROBER_ON_MANUAL, .max_ttl = t.o.max_ttl, .probes = t.o.probes,
					     .dport = t.o.port,
					     .flags = PROBER_REQ_PROGRESS | (t.o.cached ? 0 : PROBER_REQ_FRESH) };
	memcpy(t.request.dst, t.o.target.addr, 16);
	show_begin(&t.o, &t.request);
	failed = run(&t);
	link_close(&t.link, &status);
	if (failed && status)
		log_error("the prober: %s", child_status_text(status, how, sizeof how));
	if (show_end(t.paths, t.asked)) {
		log_error("stdout: %s", strerror(errno));
		return NOT_TRACED;
	}
	say_refusals(&t);
	return failed ? NOT_TRACED : verdict(&t);
}
