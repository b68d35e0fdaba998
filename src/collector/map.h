/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * map.h - where the other ends of a window's connections and attempts are, by country and by place, written as
 * JSON (docs/API.md).  Results as in query.h.
 */
#ifndef MAP_H
#define MAP_H

#include "lib/json.h"
#include "question.h"
#include "store.h"

/* Places listed, those with most connections. */
#define MAP_PLACES_MAX 1000

/* The members of the answer into the open map. */
int map_write(struct store *, struct json *, const struct ask *);

#endif
