/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * view.h - paths as a person reads them.
 */
#ifndef TRACE_VIEW_H
#define TRACE_VIEW_H

#include <stdio.h>

#include "trace/path.h"

/* "trace to example.org (192.0.2.1), TCP port 443, at most 30 hops" */
void view_title(FILE *, const char *host, const struct prober_request *, unsigned flows);

/* One line for a hop. */
void view_hop(FILE *, const struct trace_path *, unsigned i);

/* One line on how it ended. */
void view_end(FILE *, const struct trace_path *);

/* All hops of n flows (at most 32), each once, with the paths that it is on; then the paths, and who took them. */
void view_branches(FILE *, const struct trace_path *, unsigned n);

/* Why nothing was traced. */
const char *view_refusal(unsigned status);

#endif
