/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * control.h - the channel to the parent: ready, statistics as a heartbeat, look-ups of connections.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <stdint.h>

#include "prober.h"

struct loop;

struct control_calls {
	void (*found)(void *arg, const struct prober_ctl *);
	void (*stats)(void *arg, uint64_t stat[16]);
	/* Does anything run or wait? */
	int (*busy)(void *arg);
};

/* fd -1: there is no parent to talk to (whoever started us has descriptor 6 alone).
 * 0 or -errno. */
int control_start(struct loop *, int fd, const struct control_calls *, void *arg);

/* Ready: statistics go out from now on. */
void control_ready(uint64_t posture);

/* Work has come: statistics each second. */
void control_hurry(void);

/* 0; -errno: nobody will answer. */
int control_lookup(void *arg, uint32_t id, const struct prober_tuple *);

#endif
