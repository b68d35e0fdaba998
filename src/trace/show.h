/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * show.h - puts paths on stdout while they grow: on a terminal a table that is drawn again in
 * place, elsewhere each line once, when nothing will change it any more.
 */
#ifndef TRACE_SHOW_H
#define TRACE_SHOW_H

#include "trace/options.h"
#include "trace/path.h"

/* Both are lent until show_end(). */
void show_begin(const struct trace_options *, const struct prober_request *);

/* Something is known that was not: of path i of n. */
void show_update(const struct trace_path *paths, unsigned n, unsigned i);

/* All that will be known.  0; or -1 when it could not be written. */
int show_end(const struct trace_path *paths, unsigned n);

#endif
