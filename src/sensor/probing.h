/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * probing.h - the prober as the parent sees it: opens what it needs while there is the right to, starts
 * it, watches its heart, starts it again.  src/prober.h is what both agree on.
 */
#ifndef PROBING_H
#define PROBING_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/loop.h"
#include "lib/rawsock.h"
#include "sensor/bind.h"
#include "sensor/child.h"
#include "sensor/plan.h"

/* Opened once, at the start: later there is no right to. */
struct probing_sockets {
	struct rawsock_set raw;
	int open;
	int deaf;           /* they receive nothing: answers come over the NFLOG group */
	int transparent;    /* with those for probes inside of connections */
};

/* 0; or -errno with what is missing, nothing open. */
int probing_sockets_open(struct probing_sockets *, const struct plan *, int deaf, char *err, size_t size);
void probing_sockets_close(struct probing_sockets *);

struct probing;

/* NULL: out of memory. */
struct probing *probing_new(struct loop *, const struct probing_sockets *);
void probing_free(struct probing *);

/* Starts, changes or ends it, as the plan says; one for which nothing changed goes on.  answers: its NFLOG
 * group; not bound: it reads its own sockets.  Both are lent until the next call. */
void probing_plan(struct probing *, const struct plan *, const struct bind_group *answers);

/* The analyzer's end of the socket between it and the prober; -1: there is no prober.  It stays the same
 * whoever of the two is started again. */
int probing_fd(const struct probing *);

struct probing_status {
	struct child_status child;
	const uint64_t *stat;        /* by enum prober_stat, of this process */
};
void probing_status(const struct probing *, struct probing_status *);

/* Ends it; it is not started again. */
void probing_stop(struct probing *);

/* True when it was this child. */
int probing_exited(struct probing *, pid_t, int status);

#endif
