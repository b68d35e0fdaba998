/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * metrics.h - the collector's numbers in Prometheus' text format: a fixed and small set, no labels but the
 * version.  Those of the graph are there when one is fed.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "geolink.h"
#include "projection.h"

#define METRICS_MAX 8192
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

struct metrics {
	int64_t up_s;
	uint64_t accepted;  /* reports */
	uint64_t duplicate;
	uint64_t rejected;
	uint64_t not_stored; /* batches */
	int64_t removed, rollups_removed, rollups_merged; /* store.h */
	int64_t rows;
	int64_t bytes;
	int64_t last_id;
	unsigned connections;
	unsigned streams;
	struct geolink_counts geo;
	int has_graph;
	struct projection_counts graph;
};

/* The length of the text; out has room for METRICS_MAX. */
size_t metrics_write(const struct metrics *, char *out);

#endif
