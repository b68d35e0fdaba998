/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * run.c - start and stop, step by step, and what happens in between: signals, children that end,
 * counters that are read.
 */
#include "run.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/lean.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "prober.h"
#include "sensor/sandbox.h"
#include "sensor/spooldir.h"

#define RUN_COUNTERS_US 10000000
#define RUN_START_US 60000000

static void on_ready(void *);
static void on_analyzer_ended(void *);
static int on_hopeless(void *, const char *);

static const struct supervise_calls calls = { on_ready, on_analyzer_ended, on_hopeless };

int
run_bind(struct bind_group groups[CLASSES_ROWS], const struct plan *p, char *err, size_t size)
{
	int fresh[CLASSES_ROWS] = { 0 };

	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		if (!(classes[row].ng_class & p->rules.classes) || groups[row].socket)
			continue;
		if (bind_open(&groups[row], (uint16_t)(p->rules.group + row), p->rules.snaplen[row],
			      classes[row].queue_threshold,
			      (uint32_t)conf_int(p->conf, "receive-buffer"), err, size)) {
			while (row-- > 0) {
				if (fresh[row])
					bind_close(&groups[row]);
			}
			return -1;
		}
		fresh[row] = 1;
	}
	return 0;
}

/* Linux gives a connection of its own a port in this range. */
static void
check_ports(void)
{
	FILE *f = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	char line[40] = "", *end;
	unsigned long last;

	if (!f)
		return;
	if (fgets(line, sizeof line, f)) {
		(void)strtoul(line, &end, 10);
		last = strtoul(end, NULL, 10);
		if (last >= PROBER_PORT_FIRST)
			log_warn("net.ipv4.ip_local_port_range goes up to %lu: this machine's own connections from ports %d "
				 "and up are taken for probes and not reported; end it at %d or below", last,
				 PROBER_PORT_FIRST, PROBER_PORT_FIRST - 1);
	}
	fclose(f);
}

/* Before there is known to be any need: the right to open them goes with run_drop(). */
static void
open_sockets(struct run *r, const struct observe_included *seen)
{
	char err[512];

	if (!strcmp(conf_str(r->plan->conf, "prober"), "no"))
		return;
	if (probing_sockets_open(&r->sockets, r->plan, !*seen->no_prober, err, sizeof err) && r->plan->prober)
		log_warn("no prober, paths are not traced: %s", err);
	if (!r->sockets.open)
		plan_without_prober(r->plan);
}

void
run_check_prober(struct run *r, struct plan *p, const struct observe_included *seen)
{
	if (!p->prober)
		return;
	if (!r->sockets.open) {
		log_warn("no prober, paths are not traced: its sockets can only be opened at the start; restart net-gazer");
		plan_without_prober(p);
		return;
	}
	if (p->inband && !r->sockets.transparent) {
		log_warn("trace-inband: its sockets can only be opened at the start; restart net-gazer");
		p->inband = 0;
	}
	if (!*seen->no_prober)
		return;
	if (r->sockets.deaf) {
		log_warn("no prober, paths are not traced: %s; load the file of this version and send SIGHUP, or restart "
			 "net-gazer", seen->no_prober);
		plan_without_prober(p);
		return;
	}
	log_warn("%s; its own sockets hear what the firewall lets in, and its probes may be mirrored and tracked: load "
		 DATADIR "/net-gazer.nft of this version", seen->no_prober);
	p->rules.classes &= ~CLASSES_TO_PROBER;
}

void
run_acks(struct run *r, struct plan *p)
{
	int tracked = p->acks ? observe_tracked(ruleset_nft(r->ruleset)) : 0;

	r->keep.others |= tracked < 0;
	p->rules.acks = tracked < 0 ? r->plan->rules.acks : tracked;
}

int
run_fit(struct run *r, struct plan *p, struct observe_included *seen, char *err, size_t size)
{
	int e;

	*seen = (struct observe_included){ 0 };
	if (p->own_rules) {
		run_acks(r, p);
		return 0;
	}
	e = observe_verify(ruleset_nft(r->ruleset), &p->rules, seen, err, size);
	p->rules.acks = p->acks = seen->acks && conf_bool(p->conf, "handshake-ack");
	return e;
}

int
run_open(struct run *r)
{
	struct observe_counters now = { 0 };
	struct observe_included seen;
	char err[512];

	/* The first netlink socket of a process has its pid as port: nft shows us as the owner. */
	if (ruleset_open(&r->ruleset, err, sizeof err))
		goto fail;
	if (watch_open(&r->watch, nft_portid(ruleset_nft(r->ruleset)), err, sizeof err))
		goto fail;
	if (run_fit(r, r->plan, &seen, err, sizeof err))
		goto fail;
	if (!r->plan->own_rules)
		observe_counters(ruleset_nft(r->ruleset), &now);
	check_ports();
	open_sockets(r, &seen);
	run_check_prober(r, r->plan, &seen);
	/* Before the groups are bound: then no packet is received that was not counted as logged. */
	ledger_begin(&r->ledger, &now);
	if (run_bind(r->groups, r->plan, err, sizeof err))
		goto fail;
	if (!r->plan->own_rules || !observe_owner(ruleset_nft(r->ruleset), err, sizeof err))
		return 0;
fail:
	log_error("%s", err);
	return -1;
}

static void
on_closed(void *arg)
{
	struct run *r = arg;

	log_info("nobody reads the output any more; ending");
	run_stop(r, 0);
}

static void
on_output_ended(void *arg)
{
	struct run *r = arg;

	loop_stop(r->loop, r->result);
}

static void
on_signal(void *arg, int signo)
{
	struct run *r = arg;
	int status;
	pid_t pid;

	if (signo == SIGHUP) {
		run_reload(r);
	} else if (signo == SIGCHLD) {
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (!supervise_exited(r->analyzer, pid, status) && !probing_exited(r->prober, pid, status))
				output_exited(r->output, pid, status);
		}
	} else {
		log_info("%s: ending", signo == SIGINT ? "SIGINT" : "SIGTERM");
		run_stop(r, 0);
	}
}

int
run_start_output(struct run *r)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD, 0 };
	char err[512];
	int e;

	signal(SIGPIPE, SIG_IGN);
	r->loop = loop_new();
	if (!r->loop || loop_signals(r->loop, signals, on_signal, r)) {
		log_error("epoll, signalfd: %s", strerror(errno));
		return -1;
	}
	r->output = output_new(r->loop, on_closed, on_output_ended, r);
	r->analyzer = supervise_new(r->loop, &calls, r);
	r->prober = probing_new(r->loop, &r->sockets);
	if (!r->output || !r->analyzer || !r->prober) {
		log_error("pipe, shared page: %s", strerror(errno));
		return -1;
	}
	if (conf_str(r->plan->conf, "spool-dir")) {
		e = spooldir_open(conf_str(r->plan->conf, "spool-dir"), r->plan->uid, r->plan->gid, err, sizeof err);
		if (e < 0) {
			log_error("%s", err);
			return -1;
		}
		output_spool(r->output, e);
	}
	e = output_start(r->output, r->plan);
	if (e)
		log_error("cannot start the %s: %s", r->plan->forwarder_fd >= 0 ? "forwarder" : "writer",
			  strerror(-e));
	return e ? -1 : 0;
}

void
run_start_prober(struct run *r)
{
	probing_plan(r->prober, r->plan, &r->groups[CLASSES_PROBE]);
}

static void
on_deadline(struct loop_timer *t)
{
	log_error("the analyzer was not ready within %d seconds", RUN_START_US / 1000000);
	run_stop(t->arg, 1);
}

int
run_start_analyzer(struct run *r)
{
	char err[200];

	supervise_plan(r->analyzer, r->plan, r->groups, output_fd(r->output), probing_fd(r->prober));
	if (supervise_start(r->analyzer, err, sizeof err)) {
		log_error("%s", err);
		return -1;
	}
	loop_timer_set(r->loop, &r->deadline, RUN_START_US, on_deadline, r);
	/* on_ready() ends this; a stop, with its own result, ends it with everything stopped. */
	loop_run(r->loop);
	loop_timer_clear(&r->deadline);
	return r->state == RUN_STOPPING ? -1 : 0;
}

static void
on_ready(void *arg)
{
	struct run *r = arg;

	if (r->state == RUN_STARTING)
		loop_stop(r->loop, 0);
	else if (r->state == RUN_RELOADING)
		run_reload_ready(r);
	else
		run_read_counters(r); /* started again: it knows none yet */
}

static int
on_hopeless(void *arg, const char *why)
{
	struct run *r = arg;

	log_error("%s", why);
	if (r->state != RUN_STARTING)
		return 0;
	run_stop(r, 1);
	return 1;
}

void
run_look(struct run *r)
{
	struct observe_counters now;
	struct supervise_status analyzer;
	uint64_t known[CLASSES_ROWS] = { 0 };
	int e;

	/* Its page first: it has seen no packet then that the counters have not. */
	supervise_status(r->analyzer, &analyzer);
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		if (analyzer.line[row] >= 0)
			known[row] = analyzer.page->group_received[analyzer.line[row]] +
				     analyzer.page->group_gap[analyzer.line[row]];
	}
	e = observe_counters(ruleset_nft(r->ruleset), &now);
	r->counters_us = loop_now_us(r->loop);
	if (e)
		log_debug("counters: %s", strerror(-e));
	else
		ledger_add(&r->ledger, &now);
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++)
		ledger_witness(&r->ledger, row, known[row]);
}

void
run_read_counters(struct run *r)
{
	run_look(r);
	/* The counters set off the stat report that these go into. */
	if (r->plan->forwarder_fd >= 0)
		supervise_forward(r->analyzer, output_page(r->output));
	supervise_counters(r->analyzer, r->ledger.total.seen, r->ledger.total.logged);
}

static void
on_counters(struct loop_timer *t)
{
	struct run *r = t->arg;

	run_read_counters(r);
	keep_look(r);
	loop_timer_set(r->loop, t, RUN_COUNTERS_US, on_counters, r);
}

int
run_install_rules(struct run *r)
{
	char err[512];

	if (r->plan->own_rules && ruleset_install(r->ruleset, &r->plan->rules, err, sizeof err)) {
		log_error("%s", err);
		return -1;
	}
	keep_installed(r);
	r->state = RUN_RUNNING;
	r->keep.timer.arg = r;
	if (watch_start(r->watch, r->loop, keep_changed, r)) {
		log_error("epoll: %s", strerror(errno));
		return -1;
	}
	r->counters.arg = r;
	on_counters(&r->counters);
	return 0;
}

int
run_drop(struct run *r)
{
	/* To bind and to write rules; to start children as another user, and to end them. */
	uint64_t keep = 1ULL << CAP_NET_ADMIN | 1ULL << CAP_SETUID | 1ULL << CAP_SETGID | 1ULL << CAP_KILL;
	int e = priv_keep_caps(keep);

	if (!e)
		e = priv_no_new_privs();
	if (e) {
		log_error("cannot give up privileges: %s", strerror(-e));
		return -1;
	}
	r->posture = WORKER_POSTURE_NO_NEW_PRIVS;
	e = sandbox_close();
	if (e)
		log_warn("no seccomp filter for the parent (%s): going on without one", strerror(-e));
	else
		r->posture |= WORKER_POSTURE_SECCOMP;
	return 0;
}

int
run_loop(struct run *r)
{
	/* What starting took: configuration, seccomp's filter, and what names users (NSS). */
	lean_trim();
	if (r->reload_again)
		run_reload(r);
	return loop_run(r->loop);
}

static void
on_analyzer_ended(void *arg)
{
	struct run *r = arg;

	if (r->state == RUN_STOPPING)
		output_stop(r->output);
	else
		run_reload_ended(r);
}

void
run_stop(struct run *r, int result)
{
	if (r->state == RUN_STOPPING)
		return;
	r->state = RUN_STOPPING;
	r->result = result;
	loop_timer_clear(&r->counters);
	loop_timer_clear(&r->keep.timer);
	loop_timer_clear(&r->deadline);
	/* Rules first, so that nothing is logged without a reader; letting go of the groups hands out
	 * what the kernel still held back; now the counters are final. */
	ruleset_silence(r->ruleset);
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		if (r->groups[row].socket)
			bind_unbind(&r->groups[row]);
	}
	run_read_counters(r);
	ruleset_close(r->ruleset);
	r->ruleset = NULL;
	probing_stop(r->prober);
	supervise_stop(r->analyzer);
}

void
run_close(struct run *r)
{
	control_free(r->control);
	watch_close(r->watch);
	ruleset_close(r->ruleset);
	probing_free(r->prober);
	probing_sockets_close(&r->sockets);
	supervise_free(r->analyzer);
	output_free(r->output);
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++)
		bind_close(&r->groups[row]);
	loop_free(r->loop);
	plan_free(r->next);
	plan_free(r->plan);
}
