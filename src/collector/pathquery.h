/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pathquery.h - what the API tells about traced paths, read from the tables of paths.h and written as
 * JSON (docs/API.md).  Results as in query.h.
 */
#ifndef PATHQUERY_H
#define PATHQUERY_H

#include <stdint.h>

#include "lib/json.h"
#include "store.h"

/* Changes of one destination that are listed, newest first. */
#define PATHQUERY_CHANGES_MAX 50
/* Sensors of one destination. */
#define PATHQUERY_SENSORS_MAX 100

/* Of a graph's window, newest first. */
#define PATHQUERY_MARKS_MAX 1000
/* Of one hop: destinations, links in and out each, and times. */
#define PATHQUERY_USERS_MAX 200
#define PATHQUERY_NEIGHBOURS_MAX 100
#define PATHQUERY_TIMES_MAX 500

struct pathquery {
	int64_t limit;
	const char *sensor;          /* "": all */
	int64_t at_us;               /* the graph as it was then; -1: as it is */
	int64_t window_s, until_us;  /* of changes, and of a hop's times */
};

/* The destinations, the latest traced first. */
int pathquery_list(struct store *, struct json *, int64_t limit);
/* One destination: latest and previous path, changes; of each sensor that traced it. */
int pathquery_one(struct store *, struct json *, const char *dst_ip);
/* The latest paths of the `limit` destinations traced last, or those of a moment, as nodes and links.  It says
 * when it left some out: there were more, or the answer, or its time, would have been too long. */
int pathquery_graph(struct store *, struct json *, const struct pathquery *);
/* Who uses a hop, since when, its times, and the links in and out. */
int pathquery_hop(struct store *, struct json *, const char *ip, const struct pathquery *);

#endif
