/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * conntrack.h - asks the kernel for one tracked TCP connection: what its packets look like behind our
 * NAT.  For probes inside of a connection (trace-inband), and for nothing else.
 */
#ifndef CONNTRACK_H
#define CONNTRACK_H

#include <stddef.h>

#include "prober.h"

struct conntrack;

/* 0 or -errno. */
int conntrack_open(struct conntrack **);
void conntrack_close(struct conntrack *);

/* 1: the TCP connection with this original tuple is established, *wan is how the outside sees its
 * initiator's packets; 0: there is none, or not in that state; -errno. */
int conntrack_find(struct conntrack *, const struct prober_tuple *original, struct prober_tuple *wan);

#endif
