/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace.h - the channel to the prober (src/prober.h): what plugins ask goes out, paths come in.  What
 * comes in is checked like a stranger's packet: the prober reads strangers' packets.
 */
#ifndef TRACE_H
#define TRACE_H

#include <stddef.h>
#include <stdint.h>

#include "plugin.h"
#include "prober.h"

#define TRACE_WAITING_MAX 1024 /* requests without their answer yet */

/* A prober that has not answered by then has died with the request. */
#define TRACE_WAIT_US 600000000

#define TRACE_EVERYONE UINT32_MAX

/* A checked path, lent for the call, and the index of the plugin that asked for it; TRACE_EVERYONE: a
 * person did.  It may ask again from within. */
typedef void trace_fn(const struct ng_trace *, uint32_t plugin);

/* fd: the channel, -1: there is none. */
void trace_start(int fd, trace_fn *);

/* 0: asked, fn will be called; -EINVAL: no request; -ENOSYS: no prober; -EAGAIN: too many wait. */
int trace_ask(uint32_t plugin, const struct ng_trace_request *, int64_t now_us);

/* Reads one message.  1: there may be more; 0: nothing there; -errno: the channel has ended. */
int trace_read(void);

/* Ends requests that nobody will answer, as NG_TRACE_STOPPED; when to call again (INT64_MAX: after
 * the next request). */
int64_t trace_expire(int64_t now_us);

/* The bytes of a message as a path whose hops lie in `hops`.  0; -1: it is none. */
int trace_check(const struct prober_result *, size_t len, struct ng_trace *out,
		struct ng_trace_hop hops[PROBER_HOPS_MAX]);

#endif
