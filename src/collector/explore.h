/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * explore.h - reports that a filter (filter.h) matches, newest first, as a table, CSV or NDJSON; and what such a
 * question can be made of.
 */
#ifndef EXPLORE_H
#define EXPLORE_H

#include "lib/json.h"
#include "params.h"
#include "store.h"

/* What was written. */
struct explore_sent {
	int wrong;            /* not what was asked for, but what is wrong with the question */
	const char *type;     /* NULL: JSON */
	const char *download; /* the name of a file, or NULL */
	int64_t next;         /* of a download that was cut: `before` of the rest */
};

/* Of params: q, cols, window, until, sensor, limit, before, format.  0 or as in query.h. */
int explore_write(struct store *, struct json *, const struct params *, struct explore_sent *);
void explore_fields(struct json *);

#endif
