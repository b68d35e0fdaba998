/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * demogeo.h - where the made-up addresses of the command `demo` are: made up, too.
 */
#ifndef DEMOGEO_H
#define DEMOGEO_H

#include "store.h"

/* Of all addresses that the rollups and the traces name.  0 or an SQLite code. */
int demogeo_fill(struct store *, int64_t now_us);

#endif
