/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.c - see status.h.  docs/man/net-gazerctl.8 says what each field means.
 */
#include "status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/json.h"
#include "lib/log.h"
#include "lib/priv.h"
#include "prober.h"
#include "sensor/busy.h"
#include "sensor/control.h"
#include "sensor/rulestext.h"
#include "sensor/run.h"
#include "worker.h"

#define STATUS_COMPLAINTS 8
#define STATUS_LOOK_US 1000000 /* the kernel is asked for its counters only so often */

struct complaint {
	int64_t wall_us; /* 0: none */
	enum log_level level;
	char text[300];
};

static struct complaint complaints[STATUS_COMPLAINTS];
static unsigned n_complaints;

static void
on_log(enum log_level level, const char *text)
{
	struct complaint *c;

	if (level > LOG_L_WARN)
		return;
	c = &complaints[n_complaints++ % STATUS_COMPLAINTS];
	*c = (struct complaint){ .wall_us = clock_wall_us(), .level = level };
	snprintf(c->text, sizeof c->text, "%s", text);
}

void
status_remember(void)
{
	log_listen(on_log);
}

static void
put_str(struct json *j, const char *name, const char *text)
{
	json_str(j, name, text, strlen(text));
}

/* The oldest first. */
static void
put_complaints(struct json *j)
{
	unsigned n = n_complaints < STATUS_COMPLAINTS ? n_complaints : STATUS_COMPLAINTS;

	json_list(j, "complaints");
	for (unsigned i = n_complaints - n; i != n_complaints; i++) {
		const struct complaint *c = &complaints[i % STATUS_COMPLAINTS];

		json_map(j, NULL);
		json_time(j, "ts", c->wall_us);
		put_str(j, "level", c->level == LOG_L_ERROR ? "error" : "warning");
		put_str(j, "text", c->text);
		json_close(j);
	}
	json_close(j);
}

/* `posture` and the steps that were meant. */
static void
put_sandbox(struct json *j, uint64_t posture, uint64_t meant)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} steps[] = {
		{ WORKER_POSTURE_NO_CAPS, "no_caps" },
		{ WORKER_POSTURE_NO_NEW_PRIVS, "no_new_privs" },
		{ WORKER_POSTURE_SECCOMP, "seccomp" },
		{ WORKER_POSTURE_LANDLOCK, "landlock" },
	};

	json_map(j, "sandbox");
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		if (meant & steps[i].bit)
			json_bool(j, steps[i].name, !!(posture & steps[i].bit));
	}
	json_close(j);
}

static void
put_child(struct json *j, const char *name, const struct child_status *s)
{
	json_map(j, NULL);
	put_str(j, "name", name);
	put_str(j, "state", s->state);
	if (s->pid)
		json_int(j, "pid", s->pid);
	json_uint(j, "starts", s->starts);
	if (*s->ended)
		put_str(j, "last_end", s->ended);
	if (s->posture)
		put_sandbox(j, s->posture, UINT64_MAX);
	json_close(j);
}

/* since_us: CLOCK_BOOTTIME, as a child wrote it: any number. */
static int64_t
ago_s(int64_t since_us)
{
	return (int64_t)((uint64_t)clock_boot_us() - (uint64_t)since_us) / 1000000;
}

/* As one more of the processes: it keeps some capabilities and the whole file system. */
static void
put_self(struct json *j, const struct run *r)
{
	json_map(j, NULL);
	put_str(j, "name", "net-gazer");
	put_str(j, "state", "running");
	json_int(j, "pid", getpid());
	json_uint(j, "starts", 1);
	if (r->posture)
		put_sandbox(j, r->posture, WORKER_POSTURE_NO_NEW_PRIVS | WORKER_POSTURE_SECCOMP);
	json_close(j);
}

static void
put_ledger(struct json *j, const struct run *r, const struct worker_page *page)
{
	uint64_t seen = 0, logged = 0, arrived = page->received + page->gap;

	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		if (row == CLASSES_PROBE) /* the prober's, who counts for himself */
			continue;
		seen += r->ledger.total.seen[row];
		logged += r->ledger.total.logged[row];
	}
	json_map(j, "ledger");
	json_uint(j, "seen", seen);
	json_uint(j, "logged", logged);
	json_uint(j, "sampled_out", seen > logged ? seen - logged : 0);
	json_uint(j, "received", page->received);
	json_uint(j, "gap", page->gap);
	json_uint(j, "tail", logged > arrived ? logged - arrived : 0);
	json_uint(j, "parsed", page->parsed);
	json_uint(j, "truncated", page->truncated);
	json_uint(j, "malformed", page->malformed);
	json_uint(j, "unsupported", page->unsupported);
	json_uint(j, "in_hand", page->in_hand);
	json_uint(j, "filtered", page->filtered);
	json_uint(j, "reports", page->reports);
	json_uint(j, "reports_dropped", page->reports_dropped);
	json_close(j);
}

static void
put_groups(struct json *j, const struct run *r, const struct supervise_status *s)
{
	json_list(j, "groups");
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		const struct bind_group *b = &r->groups[row];

		if (!b->socket)
			continue;
		json_map(j, NULL);
		json_uint(j, "group", b->group);
		put_str(j, "class", classes[row].name);
		json_bool(j, "wanted", !!(classes[row].ng_class & r->plan->rules.classes));
		json_uint(j, "receive_buffer", b->receive_buffer);
		json_uint(j, "limit", r->plan->rules.limit[row]);
		json_uint(j, "seen", r->ledger.total.seen[row]);
		json_uint(j, "logged", r->ledger.total.logged[row]);
		if (s->line[row] >= 0) {
			json_uint(j, "received", s->page->group_received[s->line[row]]);
			json_uint(j, "gap", s->page->group_gap[s->line[row]]);
		}
		json_close(j);
	}
	json_close(j);
}

static void
put_plugins(struct json *j, const struct run *r, const struct supervise_status *s)
{
	static const char *const class_names[] = { "handshake", "attempt", "sample" };
	const struct plugins *ps = &r->plan->plugins;

	json_list(j, "plugins");
	for (size_t i = 0; i < ps->n; i++) {
		const struct plugin *p = ps->item[i];

		json_map(j, NULL);
		put_str(j, "name", p->name);
		put_str(j, "version", p->version);
		put_str(j, "path", p->path);
		put_str(j, "state", s->disabled >> i & 1 ? "disabled" : s->failed >> i & 1 ? "not started" : "running");
		json_list(j, "classes");
		for (size_t k = 0; k < sizeof class_names / sizeof *class_names; k++) {
			if (p->classes >> k & 1)
				put_str(j, NULL, class_names[k]);
		}
		json_close(j);
		json_bool(j, "traces", !!(p->events & NG_EVENT_TRACE));
		json_close(j);
	}
	json_close(j);
	json_uint(j, "plugins_refused", ps->refused);
}

static void
put_prober(struct json *j, const struct run *r, const struct probing_status *s)
{
	static const char *const names[PROBER_STATS] = {
		[PROBER_STAT_REQUESTS] = "requests",
		[PROBER_STAT_TRACES] = "traces",
		[PROBER_STAT_REFUSED] = "refused",
		[PROBER_STAT_PROBES] = "probes",
		[PROBER_STAT_ANSWERS] = "answers",
		[PROBER_STAT_FOREIGN] = "foreign",
		[PROBER_STAT_CACHED] = "cached",
		[PROBER_STAT_RESETS] = "resets",
		[PROBER_STAT_SEND_ERRORS] = "send_errors",
	};
	const char *word = conf_str(r->plan->conf, "prober");
	int wanted = !strcmp(word, "yes");

	for (size_t i = 0; !strcmp(word, "auto") && i < r->plan->plugins.n; i++)
		wanted |= !!(r->plan->plugins.item[i]->events & NG_EVENT_TRACE);
	json_map(j, "prober");
	json_bool(j, "wanted", wanted);
	json_bool(j, "possible", r->sockets.open);
	for (size_t i = 0; i < PROBER_STATS; i++)
		json_uint(j, names[i], s->stat[i]);
	json_close(j);
}

static void
put_delivery(struct json *j, const struct worker_forward_page *page)
{
	static const char *const states[] = { "starting", "ok", "retrying", "held", "clock" };
	uint32_t state = page->state, error = page->spool_error;
	int64_t ack_us = page->ack_us;

	json_map(j, "delivery");
	put_str(j, "state", state < sizeof states / sizeof *states ? states[state] : "unknown");
	json_str(j, "why", page->why, strnlen(page->why, sizeof page->why));
	json_uint(j, "tries", page->tries);
	if (page->renamed) {
		char suffix[8];

		snprintf(suffix, sizeof suffix, "-%04x", page->renamed_to);
		put_str(j, "renamed", suffix);
	}
	if (ack_us)
		json_int(j, "acknowledged_ago_s", ago_s(ack_us));
	json_uint(j, "received", page->now.received);
	json_uint(j, "recovered", page->now.recovered);
	json_uint(j, "acknowledged", page->now.acknowledged);
	json_uint(j, "rejected", page->now.rejected);
	json_uint(j, "quarantined", page->now.quarantined);
	json_uint(j, "dropped", page->now.dropped);
	json_uint(j, "waiting", page->waiting);
	json_uint(j, "queue_bytes", page->queue_bytes);
	json_uint(j, "queue_limit_bytes", page->queue_limit_bytes);
	json_uint(j, "spool_bytes", page->spool_bytes);
	json_uint(j, "spool_limit_bytes", page->spool_limit_bytes);
	json_uint(j, "spool_damaged", page->spool_damaged);
	if (error)
		put_str(j, "spool_error", error < 4096 ? strerror((int)error) : "unknown error");
	json_uint(j, "flash_written_bytes", page->flash_written_bytes);
	json_uint(j, "sent_bytes", page->sent_bytes);
	json_uint(j, "posts", page->posts);
	json_uint(j, "http_2xx", page->http_2xx);
	json_uint(j, "http_4xx", page->http_4xx);
	json_uint(j, "http_5xx", page->http_5xx);
	json_close(j);
}

static void
put_status(struct json *j, const struct run *r)
{
	static const char *const states[] = { "starting", "running", "reloading", "stopping" };
	const char *url = conf_str(r->plan->conf, "collector-url");
	struct supervise_status analyzer;
	struct probing_status prober;
	struct child_status output;

	supervise_status(r->analyzer, &analyzer);
	probing_status(r->prober, &prober);
	output_status(r->output, &output);
	if (url)
		output.posture = output_page(r->output)->posture;
	json_map(j, NULL);
	put_str(j, "version", VERSION);
	put_str(j, "state", states[r->state]);
	json_int(j, "pid", getpid());
	put_str(j, "sensor", r->plan->sensor);
	put_str(j, "boot", r->plan->boot);
	json_int(j, "up_s", ago_s((int64_t)analyzer.page->seq_first));
	if (r->plan->file)
		put_str(j, "config", r->plan->file);
	json_uint(j, "reloads", r->reloads);
	if (*r->reload_why)
		put_str(j, "reload_refused", r->reload_why);
	put_str(j, "rules", r->plan->own_rules ? "own" : "include");
	json_bool(j, "rules_gone", *r->keep.missing != 0);
	json_bool(j, "acks", r->plan->rules.acks);
	put_str(j, "output", url ? url : conf_str(r->plan->conf, "output"));
	put_ledger(j, r, analyzer.page);
	put_groups(j, r, &analyzer);
	json_list(j, "processes");
	put_child(j, "analyzer", &analyzer.child);
	put_child(j, url ? "forwarder" : "writer", &output);
	put_child(j, "prober", &prober.child);
	put_self(j, r);
	json_close(j);
	put_plugins(j, r, &analyzer);
	put_prober(j, r, &prober);
	if (url)
		put_delivery(j, output_page(r->output));
	put_complaints(j);
	json_close(j);
}

/* Rates are the asker's: he asks twice. */
static void
put_top(struct json *j, const struct run *r)
{
	struct supervise_status analyzer;

	supervise_status(r->analyzer, &analyzer);
	json_map(j, NULL);
	put_str(j, "sensor", r->plan->sensor);
	json_int(j, "now_us", loop_now_us(r->loop));
	put_ledger(j, r, analyzer.page);
	put_groups(j, r, &analyzer);
	busy_write(j, analyzer.top, loop_now_us(r->loop));
	json_close(j);
}

static void
reload(struct json *j, struct run *r)
{
	unsigned before = r->reloads;

	run_reload(r);
	json_map(j, NULL);
	/* The number of reloads when this one is done: another one may be under way. */
	if (*r->reload_why && r->state != RUN_RELOADING)
		put_str(j, "refused", r->reload_why);
	else
		json_uint(j, "begun", before + 1 + (r->state == RUN_RELOADING && r->reload_again));
	json_close(j);
}

static ssize_t
on_request(void *arg, enum control_word word, char *out, size_t size)
{
	struct run *r = arg;
	struct json j;
	int e;

	if (word == CONTROL_RULES) {
		struct ruleset_spec rules = r->plan->rules;

		/* Also those of a prober that goes without them, for want of a newer file. */
		rules.classes |= r->plan->prober ? CLASSES_TO_PROBER : 0;
		return rulestext_write(&rules, out, size);
	}
	if (r->state != RUN_STOPPING && r->state != RUN_STARTING &&
	    loop_now_us(r->loop) - r->counters_us > STATUS_LOOK_US)
		run_look(r);
	json_begin(&j, out, size);
	if (word == CONTROL_RELOAD)
		reload(&j, r);
	else if (word == CONTROL_TOP)
		put_top(&j, r);
	else
		put_status(&j, r);
	e = json_end(&j);
	return e ? e : (ssize_t)j.len;
}

void
status_answer(struct run *r)
{
	gid_t gid = 0;
	uid_t uid;
	char err[400];

	/* The group of the user that is configured; that of nobody, who stands in for him, is no one's. */
	if (geteuid())
		gid = getegid();
	else if (priv_user(conf_str(r->plan->conf, "user"), &uid, &gid))
		gid = 0;
	r->control = control_new(r->loop, conf_str(r->plan->conf, "runtime-dir"), gid, on_request, r, err,
				 sizeof err);
	if (!r->control)
		log_warn("%s; net-gazerctl cannot ask", err);
}
