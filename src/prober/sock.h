/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sock.h - probes leave through raw sockets, answers come in through them or through NFLOG.  It holds
 * no socket open itself: all were opened by the parent.
 */
#ifndef SOCK_H
#define SOCK_H

#include <stdint.h>

#include "prober/settings.h"
#include "prober/wire.h"

struct loop;

struct sock_calls {
	/* A packet that says something about some probe; ts_us: CLOCK_REALTIME of its arrival. */
	void (*answer)(void *arg, const struct wire_answer *, int64_t ts_us);
	/* The packets of this turn were handed over. */
	void (*turn)(void *arg);
};

/* Begins to listen.  0 or -errno. */
int sock_start(struct loop *, const struct settings *, const struct sock_calls *, void *arg);

/* Sends one probe: CLOCK_REALTIME in us just before it left, or -errno. */
int64_t sock_send(const struct wire_probe *);

#endif
