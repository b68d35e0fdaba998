/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * output.h - where reports go: the pipe that the analyzer writes to, and the process behind it
 * (forwarder or writer), started again when it ends.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/loop.h"
#include "sensor/child.h"
#include "sensor/plan.h"
#include "worker.h"

struct output;

/* closed: nobody reads stdout any more.  ended: it has ended after output_stop(). */
struct output *output_new(struct loop *, void (*closed)(void *), void (*ended)(void *), void *arg);
void output_free(struct output *);

/* The pipe's writing end, not blocking, for the analyzer. */
int output_fd(const struct output *);

/* The directory of the spool, taken over; for each forwarder from here on.  None is given: there is none. */
void output_spool(struct output *, int dirfd);

/* What the forwarder says; what it writes there is a stranger's.  All zero when there was none. */
const struct worker_forward_page *output_page(const struct output *);

/* For -n: has a forwarder look at its settings, token, certificates and key, as it would at its start.  0, or -1 with what it
 * says. */
int output_check(const struct plan *, char *err, size_t size);

/* 0 or -errno. */
int output_start(struct output *, const struct plan *);

/* Another plan: the process ends in its own time, the next one starts with the plan.  A forwarder for
 * which nothing changed goes on. */
void output_restart(struct output *, const struct plan *);

/* No more reports will come: `ended` is called when those in the pipe are out, or at a deadline. */
void output_stop(struct output *);

/* A writer has no posture: it is a copy of the parent. */
void output_status(const struct output *, struct child_status *);

/* True when it was this child. */
int output_exited(struct output *, pid_t, int status);

#endif
