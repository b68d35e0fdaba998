/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * top.h - who is busy right now, in a page of fixed size that `net-gazerctl top` sees (struct worker_top):
 * destinations of handshakes, and who knocks from outside.  Not reports: nothing here is exact when there are
 * more than there are rows.
 */
#ifndef TOP_H
#define TOP_H

#include <stdint.h>

#include "plugin.h"
#include "worker.h"

/* The page's rows are emptied, its totals go on.  NULL: nobody wants to know. */
void top_start(struct worker_top *);

/* A handshake at its end.  attempts: inbound SYNs come to top_attempt(), so this one is known there. */
void top_conn(const struct ng_conn *, int attempts, int64_t now_us);

/* A SYN from outside, whatever became of it. */
void top_attempt(const struct ng_packet *, int64_t now_us);

#endif
