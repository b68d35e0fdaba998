/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * projection.h - the graph of graphdb.h in a FalkorDB, kept up to date by a process of its own that reads the
 * database and cannot write it.  Whatever becomes of the server, or of that process, the collector goes on.
 *
 * How far it is stands beside the graph, in the server (GRAPH:cursor, "ID/REV/GONE"): ID is this database's, REV the
 * number of the last link (paths.c, link_rev) that is in it, GONE of the last eviction (graph_gone) that was evicted there
 * too.  A server that lost the graph has lost that as well, and gets all of it again; so does one that has another
 * database's, and one that was away for longer than evictions are remembered.
 */
#ifndef PROJECTION_H
#define PROJECTION_H

#include <sqlite3.h>
#include <stdint.h>

#include "lib/conf.h"
#include "lib/json.h"

struct falkor;
struct projection;

#define PROJECTION_BATCH 500 /* links */

/* Starts the process; before the database is opened and the sandbox is closed.  NULL: no graph-url, or it could not
 * be started, which is said. */
struct projection *projection_start(const struct conf *);
void projection_stop(struct projection *);

/* Of the process; since it was started, where they add up. */
struct projection_counts {
	int connected;         /* the server answers, and takes what it is given */
	const char *state;     /* a word */
	int64_t cursor, newest; /* of changes of links */
	int64_t lag;            /* changes and evictions that the graph lacks */
	uint64_t batches, edges, failures, starts;
};

/* `db`: the collector's own.  0: no graph is fed, nothing is filled in. */
int projection_counts(const struct projection *, sqlite3 *db, struct projection_counts *);
/* "graph": {...} of them into an open map, or nothing. */
void projection_put(const struct projection *, sqlite3 *db, struct json *);

/* The first line of graph-password-file; "" when there is none.  0, or -1, which is said. */
int projection_password(const struct conf *, char *out, size_t size);

/* The parts, for the command graph. */
struct projection_work {
	sqlite3 *db;
	struct falkor *falkor;
	int64_t id, cursor, gone; /* of the database; as above */
	int64_t newest;          /* link that there is */
	uint64_t edges, batches; /* written */
	char err[200];
};

/* A connection that can read alone.  0 or -1 and err. */
int projection_open_db(sqlite3 **, const char *path, char *err, size_t size);
/* Finds where to go on.  0 or -1 and err. */
int projection_begin(struct projection_work *);
/* One batch.  1: there may be more; 0: all is there; -1 and err. */
int projection_step(struct projection_work *);

#endif
