/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * resolve.h - the process that asks the DNS for names.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include "geo.h"

/* Opens its sockets, gives up all rights, answers on fd, and ends with the process. */
_Noreturn void resolve_run(int fd, const struct geo_server *servers, unsigned n);

#endif
