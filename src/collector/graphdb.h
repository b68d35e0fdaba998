/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * graphdb.h - the hops of all sensors as one graph, and the answers to questions about it (cypher.h), from the
 * tables of paths.h.  What is projected to FalkorDB (projection.h) is made of the same parts.
 *
 * A router is one node whoever saw it at whatever distance, (:hop {ip}), each sensor is one, (:sensor {name}); two
 * of them that some trace saw one behind the other are joined by one [:next], whose numbers are those of all
 * traces.  gap: so many silent routers lie between, at least.
 */
#ifndef GRAPHDB_H
#define GRAPHDB_H

#include <sqlite3.h>
#include <stdint.h>

#include "cypher.h"
#include "lib/addr.h"
#include "lib/json.h"

/* One question may take so long, go so many steps, and find so many rows; beyond, it is partial. */
#define GRAPHDB_US 500000
#define GRAPHDB_STEPS_MAX 2000000
#define GRAPHDB_ROWS_MAX 10000
/* Rows that an answer has when no LIMIT is given. */
#define GRAPHDB_LIMIT 1000

#define GRAPHDB_KEY 72

struct graphdb_key {
	uint64_t is_sensor;
	char name[GRAPHDB_KEY]; /* ip or the sensor's name; zeros behind it */
};

enum graphdb_stmt { GRAPHDB_NODE, GRAPHDB_OUT, GRAPHDB_OUT_SENSOR, GRAPHDB_IN, GRAPHDB_EDGE, GRAPHDB_EDGE_SENSOR,
		    GRAPHDB_HOPS, GRAPHDB_SENSORS, GRAPHDB_STMTS };

struct graphdb {
	sqlite3 *db;
	sqlite3_stmt *stmt[GRAPHDB_STMTS];
	int code;   /* the first error of SQLite's */
};

struct graphdb_node {
	int64_t first_us, last_us; /* 0: not known */
	char name[1024];           /* UTF-8; "": has none */
};

struct graphdb_edge {
	int64_t rtt_us;            /* median of what it adds; -1: not known */
	int64_t count, gap;
	int64_t first_us, last_us;
};

/* Statements are made when they are first needed; rtt_sum() must be known to db. */
void graphdb_open(struct graphdb *, sqlite3 *db);
/* 0 or an SQLite code: the first that there was. */
int graphdb_close(struct graphdb *);

/* 1: it is there. */
int graphdb_node(struct graphdb *, const struct graphdb_key *, struct graphdb_node *);
int graphdb_edge(struct graphdb *, const struct graphdb_key *a, const struct graphdb_key *b, struct graphdb_edge *);

/* "columns", "rows", "partial" and "engine" into an open map.  0, or an error of store.h. */
int graphdb_answer(sqlite3 *db, struct cypher *, struct json *);

#endif
