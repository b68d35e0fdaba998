/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * trace.h - `net-gazerctl trace`: the path to a host.
 */
#ifndef CTL_TRACE_H
#define CTL_TRACE_H

/* argv[0] is "trace".  The exit status: 0 reached, 1 not reached, 2 not traced. */
int trace_main(int argc, char **argv);

#endif
