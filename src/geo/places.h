/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * places.h - the process that looks addresses up in files.
 */
#ifndef PLACES_H
#define PLACES_H

#include "geo.h"

/* Files by kind, -1: none.  `hello` says what is known of them; built_s, type and attribution are added.  Gives up
 * all rights, answers on fd, and ends with the process. */
_Noreturn void places_run(int fd, const int files[GEO_KINDS], struct geo_hello *hello);

#endif
