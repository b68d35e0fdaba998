/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * metrics.c - see metrics.h.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>

struct row {
	const char *name, *type, *help;
	int64_t value;
};

static size_t
put(char *out, size_t n, const struct row *rows, size_t n_rows)
{
	for (size_t i = 0; i < n_rows; i++)
		n += (size_t)snprintf(out + n, METRICS_MAX - n, "# HELP net_gazer_collector_%s %s\n"
				      "# TYPE net_gazer_collector_%s %s\nnet_gazer_collector_%s %" PRId64 "\n",
				      rows[i].name, rows[i].help, rows[i].name, rows[i].type, rows[i].name, rows[i].value);
	return n;
}

size_t
metrics_write(const struct metrics *m, char *out)
{
	const struct row always[] = {
		{ "uptime_seconds", "gauge", "since the collector was started", m->up_s },
		{ "reports_accepted_total", "counter", "reports stored", (int64_t)m->accepted },
		{ "reports_duplicate_total", "counter", "reports that were there already", (int64_t)m->duplicate },
		{ "reports_rejected_total", "counter", "reports that do not follow the schema", (int64_t)m->rejected },
		{ "batches_not_stored_total", "counter", "batches refused since the disk or the database was full, or failed",
		  (int64_t)m->not_stored },
		{ "reports_removed_total", "counter", "reports that made room for others", m->removed },
		{ "rollups_removed_total", "counter", "rows of numbers that made room before their time", m->rollups_removed },
		{ "rollups_merged_total", "counter", "rows of numbers that count with the rest for want of room", m->rollups_merged },
		{ "rows", "gauge", "reports in the database", m->rows },
		{ "database_bytes", "gauge", "bytes of the database in use", m->bytes },
		{ "last_id", "gauge", "number of the newest report", m->last_id },
		{ "connections", "gauge", "open connections", m->connections },
		{ "streams", "gauge", "pages that follow live", m->streams },
		{ "geo_lookups_total", "counter", "addresses looked up in geo files", (int64_t)m->geo.lookups },
		{ "geo_cached", "gauge", "addresses that are known", m->geo.cached },
		{ "geo_evicted_total", "counter", "known addresses that made room for others", (int64_t)m->geo.evicted },
		{ "geo_waiting", "gauge", "addresses to be looked up", (int64_t)m->geo.waiting },
		{ "dns_lookups_total", "counter", "addresses whose name was asked for", (int64_t)m->geo.dns_lookups },
		{ "dns_waiting", "gauge", "addresses whose name is to be asked for", (int64_t)m->geo.dns_waiting },
	};
	const struct row graph[] = {
		{ "graph_connected", "gauge", "1: FalkorDB answers and takes what it is given", m->graph.connected },
		{ "graph_cursor", "gauge", "newest change of a link that is in FalkorDB", m->graph.cursor },
		{ "graph_lag", "gauge", "changes of links that are not in FalkorDB yet", m->graph.lag },
		{ "graph_batches_total", "counter", "batches written to FalkorDB", (int64_t)m->graph.batches },
		{ "graph_edges_total", "counter", "relations written to FalkorDB", (int64_t)m->graph.edges },
		{ "graph_failures_total", "counter", "times that FalkorDB was away or refused something", (int64_t)m->graph.failures },
		{ "graph_starts_total", "counter", "starts of the process that feeds FalkorDB", (int64_t)m->graph.starts },
	};
	size_t n = (size_t)snprintf(out, METRICS_MAX, "# HELP net_gazer_collector_info always 1; the version\n"
				    "# TYPE net_gazer_collector_info gauge\n"
				    "net_gazer_collector_info{version=\"" VERSION "\"} 1\n");

	n = put(out, n, always, sizeof always / sizeof *always);
	return m->has_graph ? put(out, n, graph, sizeof graph / sizeof *graph) : n;
}
