/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * busy.h - the analyzer's table of who is busy (struct worker_top), as JSON.
 */
#ifndef BUSY_H
#define BUSY_H

#include <stdint.h>

#include "lib/json.h"
#include "worker.h"

/* Into the open map.  What the table holds is a stranger's: numbers stay numbers. */
void busy_write(struct json *, const struct worker_top *, int64_t now_us);

#endif
