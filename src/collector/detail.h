/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * detail.h - all about one destination: how its connections went over time, both halves of their round trips, its
 * ports, who saw it, and who spoke to it.
 */
#ifndef DETAIL_H
#define DETAIL_H

#include "lib/json.h"
#include "params.h"
#include "store.h"

/* Of params: dst, which must be there, port, window, until, sensor.  Writes one object: 0 or as in query.h. */
int detail_write(struct store *, struct json *, const struct params *);

#endif
