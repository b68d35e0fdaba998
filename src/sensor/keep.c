/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keep.c - somebody flushed, reloaded or edited the rules.  Own ones with the owner flag nobody can; without
 * it they are put back, once a second and five times, lest two programs replace one another's table for
 * ever.  Of included ones it says what is missing, and who took it.  Of anybody else's it only matters
 * whether they use connection tracking.
 */
#include <stdio.h>
#include <string.h>

#include "lib/log.h"
#include "sensor/run.h"
#include "sensor/watch.h"

/* One look for the transactions of one script; what it finds in the middle would be none's news. */
#define KEEP_SETTLE_US 50000
#define KEEP_OTHERS_US 3000000
#define KEEP_RETRY_US 1000000
#define KEEP_TRIES 5
#define KEEP_SAY_US 60000000   /* somebody's script may do it all the time */
#define KEEP_PEACE_US 60000000 /* after which the tries begin anew */

/* What own rules are now is what they shall be; where others' changes do not let us read them, when we next look. */
static void
remember(struct run *r)
{
	r->keep.summed = r->plan->own_rules && !observe_sum(ruleset_nft(r->ruleset), &r->keep.sum);
}

/* 0, or -1 with what is missing. */
static int
verify(struct run *r, char *err, size_t size)
{
	struct nft *nft = ruleset_nft(r->ruleset);
	struct run_keep *k = &r->keep;
	struct observe_included seen;
	uint32_t sum;

	if (r->plan->own_rules && !k->summed) {
		remember(r);
		return 0;
	}
	if (r->plan->own_rules) {
		if (observe_sum(nft, &sum) || sum == k->sum)
			return 0;
		snprintf(err, size, "table inet " CLASSES_TABLE " is not what net-gazer made");
		return -1;
	}
	if (observe_verify(nft, &r->plan->rules, &seen, err, size))
		return -1;
	if (seen.rules >= k->rules) {
		k->rules = seen.rules;
		return 0;
	}
	snprintf(err, size, "table inet " CLASSES_TABLE " has %d rules that log, it had %d; if that is meant, send SIGHUP",
		 seen.rules, k->rules);
	return -1;
}

/* Others began to use connection tracking, or ended it: our rule that asks it comes and goes with theirs. */
static void
follow(struct run *r)
{
	int had = r->plan->rules.acks;
	char err[512];

	r->keep.others = 0;
	if (!r->plan->own_rules || !r->plan->acks)
		return;
	run_acks(r, r->plan);
	if (r->plan->rules.acks == had)
		return;
	if (ruleset_install(r->ruleset, &r->plan->rules, err, sizeof err)) {
		log_error("%s", err);
		r->plan->rules.acks = had;
		return;
	}
	log_info("connection tracking is %s by other rules: the client's half of handshakes is %s", had ? "not used any more" :
		 "used", had ? "not measured" : "measured");
	remember(r);
}

static void
say_missing(struct run *r, const char *what)
{
	struct run_keep *k = &r->keep;

	if (!strcmp(k->missing, what))
		return;
	snprintf(k->missing, sizeof k->missing, "%s", what);
	log_warn("the rules are not complete any more, changed by %s: %s", *k->who ? k->who : "an unknown process", what);
}

static void
say_complete(struct run *r)
{
	struct run_keep *k = &r->keep;

	if (*k->missing)
		log_info("the rules are complete again, changed by %s", *k->who ? k->who : "an unknown process");
	k->missing[0] = 0;
}

static void
on_look(struct loop_timer *t)
{
	struct run *r = t->arg;
	struct run_keep *k = &r->keep;
	int64_t now_us = loop_now_us(r->loop);
	char err[512];

	if (r->state == RUN_STOPPING)
		return;
	if (!verify(r, err, sizeof err)) {
		k->doubt = 0;
		if (k->others)
			follow(r);
		say_complete(r);
	} else if (!k->doubt) {
		/* Perhaps only replaced while we looked. */
		k->doubt = 1;
		loop_timer_set(r->loop, t, KEEP_SETTLE_US, on_look, r);
	} else if (!r->plan->own_rules) {
		say_missing(r, err);
	} else if (k->tries < KEEP_TRIES && k->tries && now_us - k->tried_us < KEEP_RETRY_US) {
		loop_timer_set(r->loop, t, KEEP_RETRY_US - (now_us - k->tried_us), on_look, r);
		return;
	} else if (k->tries < KEEP_TRIES || now_us - k->tried_us > KEEP_PEACE_US) {
		k->tries = k->tries < KEEP_TRIES ? k->tries + 1 : 1;
		k->tried_us = now_us;
		log_warn("the rules were changed by %s; installing them again", *k->who ? k->who : "an unknown process");
		run_look(r);
		if (ruleset_replace(r->ruleset, &r->plan->rules, err, sizeof err))
			say_missing(r, err);
		else
			remember(r);
	} else if (!*k->missing) {
		snprintf(k->missing, sizeof k->missing,
			 "the rules were changed by %s %d times in a row: given up; stop that program, then send SIGHUP", *k->who ? k->who : "an unknown process", KEEP_TRIES + 1);
		log_error("%s", k->missing);
	}
}

void
keep_look(struct run *r)
{
	if (!r->keep.timer.loop)
		on_look(&r->keep.timer);
}

void
keep_changed(void *arg, const struct watch_change *c)
{
	struct run *r = arg;
	struct run_keep *k = &r->keep;

	if (r->state == RUN_STOPPING)
		return;
	k->others |= c->others;
	if (!c->ours) {
		/* A reload of a firewall may be many transactions; the state between them is none's wish. */
		if (!k->timer.loop && r->plan->own_rules && r->plan->acks)
			loop_timer_set(r->loop, &k->timer, KEEP_OTHERS_US, on_look, r);
		return;
	}
	k->changes++;
	k->who[0] = 0;
	if (c->pid || *c->name)
		snprintf(k->who, sizeof k->who, "%s (pid %u)", *c->name ? c->name : "?", c->pid);
	if (!k->said_us || loop_now_us(r->loop) - k->said_us > KEEP_SAY_US) {
		k->said_us = loop_now_us(r->loop);
		log_info("table inet " CLASSES_TABLE " was changed by %s", *k->who ? k->who : "an unknown process");
	}
	if (!k->timer.loop || k->timer.at_us > loop_now_us(r->loop) + KEEP_SETTLE_US)
		loop_timer_set(r->loop, &k->timer, KEEP_SETTLE_US, on_look, r);
}

void
keep_installed(struct run *r)
{
	r->keep.rules = r->keep.tries = 0;
	r->keep.missing[0] = 0;
	remember(r);
}
