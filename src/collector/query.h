/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * query.h - what the API tells, read from the store and written as JSON (docs/API.md).  Nothing here
 * changes anything.  Results: 0, -EBUSY when it took longer than QUESTION_US (question.h), or as in store.h.
 */
#ifndef QUERY_H
#define QUERY_H

#include <stdint.h>

#include "lib/json.h"
#include "question.h"
#include "store.h"

/* Rows of failures and of sources that are looked at. */
#define QUERY_ROWS_MAX 100000

/* Each writes one object.  The buffer has room for a report more than is asked, or the list ends
 * early: `before` goes on. */
int query_conns(struct store *, struct json *, int64_t limit, int64_t before);
int query_failures(struct store *, struct json *, const struct ask *);
int query_summary(struct store *, struct json *, const struct ask *);
/* "sensors", a list, into an open map. */
int query_sensors(struct store *, struct json *, int64_t now_us);
/* Limits, sizes, files, and how many days fit. */
int query_storage(struct store *, struct json *); /* into an open map */
/* Of its members: what was found damaged, and what had no room.  Into an open map. */
void query_removed(const struct store_sizes *, struct json *);

#endif
