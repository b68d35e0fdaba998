/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * run.h - the running sensor: what is open, which state it is in, and the steps that main() puts
 * in order.
 */
#ifndef RUN_H
#define RUN_H

#include "lib/loop.h"
#include "sensor/bind.h"
#include "sensor/control.h"
#include "sensor/ledger.h"
#include "sensor/output.h"
#include "sensor/plan.h"
#include "sensor/probing.h"
#include "sensor/ruleset.h"
#include "sensor/supervise.h"
#include "sensor/watch.h"

enum run_state { RUN_STARTING, RUN_RUNNING, RUN_RELOADING, RUN_STOPPING };

/* What keep.c knows of the rules. */
struct run_keep {
	struct loop_timer timer; /* looks at the rules */
	char missing[512];       /* what; "": nothing */
	char who[40];            /* did the last change that we did not make: "nft (pid 812)" */
	uint64_t changes;        /* of our table, by others */
	int rules;               /* there were, when all was well; of included ones */
	uint32_t sum;            /* of own ones: observe_sum() */
	int summed;              /* it could be read */
	int others;              /* rules of other tables changed since they were last looked at */
	int doubt;               /* they seemed incomplete when last looked at */
	int tries;               /* of putting the rules back, the last at tried_us */
	int64_t tried_us;
	int64_t said_us;         /* that there was a change */
};

struct run {
	int argc; /* for SIGHUP: the command line wins over the file again */
	char **argv;
	struct plan *plan;
	struct plan *next;            /* while reloading */
	enum run_state state;
	int result;                   /* exit status */
	uint64_t posture;             /* our own, WORKER_POSTURE_*; 0 until run_drop() */
	int reload_again;             /* another SIGHUP came meanwhile */
	struct loop *loop;
	struct ruleset *ruleset;
	struct bind_group groups[CLASSES_ROWS];
	struct ledger ledger;
	struct watch *watch;
	struct run_keep keep;
	struct output *output;
	struct supervise *analyzer;
	struct probing_sockets sockets; /* for the prober, opened at the start if ever */
	struct probing *prober;
	struct control *control;      /* NULL: nobody can ask */
	unsigned reloads;             /* that were carried out */
	char reload_why[2048];        /* the last one was refused for this; "": it was not */
	int64_t counters_us;          /* when they were last read */
	struct loop_timer counters;
	struct loop_timer deadline;   /* of the start */
};

/* Each gives 0, or -1 after it has said why. */
int run_open(struct run *);           /* netlink sockets, groups bound; include mode: rules verified */
int run_start_output(struct run *);
void run_start_prober(struct run *);  /* does not wait for it */
int run_start_analyzer(struct run *); /* the loop runs until it reads */
int run_install_rules(struct run *);
int run_drop(struct run *);
int run_loop(struct run *);           /* until everything has ended; the exit status */
void run_close(struct run *);

/* Ends in order: rules, groups, analyzer, output. */
void run_stop(struct run *, int result);

/* reload.c */
void run_reload(struct run *);
void run_reload_ended(struct run *);  /* the old analyzer has */
void run_reload_ready(struct run *);  /* the new one reads */

/* keep.c: the rules stay what they shall be; included ones are watched, own ones put back. */
void keep_changed(void *run, const struct watch_change *); /* of watch.h */
void keep_look(struct run *);      /* now and then, in case that a change was not told of */
void keep_installed(struct run *); /* they are now as they shall be */

/* For both: binds what `plan` wants and `groups` has not; 0, or -1 with a message and nothing new. */
int run_bind(struct bind_group groups[CLASSES_ROWS], const struct plan *, char *err, size_t size);
void run_read_counters(struct run *);
/* Reads them without a word to the analyzer. */
void run_look(struct run *);

/* Included rules are what the plan needs, and *seen; into the plan, whether they copy the ACKs of handshakes, or as own ones
 * may.  0 or -errno with a message. */
int run_fit(struct run *, struct plan *, struct observe_included *seen, char *err, size_t size);

/* Of own ones alone; what cannot be told now stays as it was, and is looked at again. */
void run_acks(struct run *, struct plan *);

/* Where the plan wants a prober and there can be none: says why, and the plan wants none. */
void run_check_prober(struct run *, struct plan *, const struct observe_included *seen);

#endif
