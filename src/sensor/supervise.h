/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * supervise.h - the analyzer as the parent sees it: starts it with its descriptors, watches its
 * heart, says which plugin it died of, starts it again.  src/worker.h is what both agree on.
 */
#ifndef SUPERVISE_H
#define SUPERVISE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/loop.h"
#include "sensor/bind.h"
#include "sensor/child.h"
#include "sensor/classes.h"
#include "sensor/plan.h"

struct supervise;
struct worker_page;
struct worker_top;

struct supervise_calls {
	void (*ready)(void *arg);                    /* it reads; each time it was started */
	void (*ended)(void *arg);                    /* after supervise_stop() */
	/* It never came up, and ends by itself: 1 to give up, 0 to go on trying. */
	int (*hopeless)(void *arg, const char *why);
};

/* The page's first sequence number is of now. */
struct supervise *supervise_new(struct loop *, const struct supervise_calls *, void *arg);
void supervise_free(struct supervise *);

/* What the next start gets.  groups: one for each row, unbound ones have no socket; lent.  prober_fd:
 * its end of their socket, -1: none.  Disabled plugins get another chance. */
void supervise_plan(struct supervise *, const struct plan *, const struct bind_group *groups, int report_fd,
		    int prober_fd);

/* 0 or -errno with a message. */
int supervise_start(struct supervise *, char *err, size_t size);

/* After a start that failed: tries again, with back-off. */
void supervise_retry(struct supervise *);

/* Asks it to drain and end; kills it when it does not.  `ended` is called. */
void supervise_stop(struct supervise *);

/* The rules' counters, by row. */
void supervise_counters(struct supervise *, const uint64_t *seen, const uint64_t *logged);

struct supervise_status {
	struct child_status child;
	const struct worker_page *page;
	const struct worker_top *top;
	uint32_t disabled;           /* bit for each plugin of the plan */
	uint32_t failed;             /* the same: it did not start */
	int line[CLASSES_ROWS];      /* of the row's group in the page; -1: none */
};
void supervise_status(const struct supervise *, struct supervise_status *);

/* What goes into its stat report of the forwarder's page; in front of the counters. */
void supervise_forward(struct supervise *, const struct worker_forward_page *);

/* True when it was this child. */
int supervise_exited(struct supervise *, pid_t, int status);

#endif
