/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reload.c - SIGHUP.  The new configuration is read and everything that can fail is done first; then
 * the old analyzer drains and ends, the new one starts on the same sockets (what comes meanwhile
 * waits in the kernel), and rules for what it newly wants come last.
 */
#include <stdio.h>
#include <string.h>

#include "lib/lean.h"
#include "lib/log.h"
#include "sensor/run.h"

static const char *
dir_of(const struct plan *p)
{
	const char *dir = conf_str(p->conf, "spool-dir");

	return dir ? dir : "";
}

/* What cannot change under a running sensor; NULL: nothing did. */
static const char *
fixed(const struct plan *old, const struct plan *next)
{
	if (old->own_rules != next->own_rules)
		return "rules";
	if (old->rules.owner != next->rules.owner)
		return "rules-owner";
	if (old->rules.group != next->rules.group)
		return "nflog-group";
	if (old->uid != next->uid || old->gid != next->gid)
		return "user";
	if (old->rules.mark != next->rules.mark)
		return "probe-mark";
	if (strcmp(conf_str(old->conf, "runtime-dir"), conf_str(next->conf, "runtime-dir")))
		return "runtime-dir";
	if (strcmp(dir_of(old), dir_of(next)))
		return "spool-dir";
	return NULL;
}

/* NULL, after it has said why, with everything as it was. */
static struct plan *
prepare(struct run *r)
{
	enum log_level level = log_get_level();
	struct observe_included seen;
	struct plan *next;
	const char *name;
	char err[2048];

	next = plan_load(r->argc, r->argv, err, sizeof err);
	if (!next)
		goto fail;
	name = fixed(r->plan, next);
	if (name) {
		snprintf(err, sizeof err, "%s cannot be changed while net-gazer runs; restart it", name);
		goto fail;
	}
	if (run_fit(r, next, &seen, err, sizeof err))
		goto fail;
	run_check_prober(r, next, &seen);
	/* The one that runs would be replaced by one that ends again and again. */
	if (next->forwarder_fd >= 0 && output_check(next, err, sizeof err))
		goto fail;
	if (run_bind(r->groups, next, err, sizeof err))
		goto fail;
	return next;
fail:
	plan_free(next);
	log_set_level(level);
	log_error("configuration not reloaded, the old one stays: %s", err);
	snprintf(r->reload_why, sizeof r->reload_why, "%s", err);
	return NULL;
}

void
run_reload(struct run *r)
{
	if (r->state != RUN_RUNNING) {
		r->reload_again = r->state != RUN_STOPPING;
		return;
	}
	r->reload_again = 0;
	r->reload_why[0] = 0;
	r->next = prepare(r);
	if (!r->next)
		return;
	r->state = RUN_RELOADING;
	supervise_stop(r->analyzer);
}

void
run_reload_ended(struct run *r)
{
	struct plan *old = r->plan;
	char err[512];

	r->plan = r->next;
	r->next = NULL;
	/* A group that nobody wants any more stays bound, without rules: what came over it is in the
	 * ledger's totals, and so its counters must be. */
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		struct bind_group *b = &r->groups[row];

		if (b->socket && bind_configure(b, r->plan->rules.snaplen[row], classes[row].queue_threshold,
						(uint32_t)conf_int(r->plan->conf, "receive-buffer")))
			log_warn("group %u keeps its old settings", b->group);
	}
	output_restart(r->output, r->plan);
	probing_plan(r->prober, r->plan, &r->groups[CLASSES_PROBE]);
	supervise_plan(r->analyzer, r->plan, r->groups, output_fd(r->output), probing_fd(r->prober));
	plan_free(old);
	if (supervise_start(r->analyzer, err, sizeof err)) {
		log_error("%s", err);
		supervise_retry(r->analyzer);
	}
}

void
run_reload_ready(struct run *r)
{
	char err[512];

	if (r->plan->own_rules && ruleset_install(r->ruleset, &r->plan->rules, err, sizeof err))
		log_error("the old rules stay: %s", err);
	else
		keep_installed(r);
	r->state = RUN_RUNNING;
	r->reloads++;
	run_read_counters(r);
	lean_trim();
	log_info("configuration reloaded%s%s", r->plan->file ? " from " : "", r->plan->file ? r->plan->file : "");
	if (r->reload_again)
		run_reload(r);
}
