/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * metrics.c - see metrics.h.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>

size_t
metrics_write(const struct metrics *m, char *out)
{
	const struct {
		const char *name, *type, *help;
		int64_t value;
	} rows[] = {
		{ "uptime_seconds", "gauge", "since the collector was started", m->up_s },
		{ "reports_accepted_total", "counter", "reports stored", (int64_t)m->accepted },
		{ "reports_duplicate_total", "counter", "reports that were there already", (int64_t)m->duplicate },
		{ "reports_rejected_total", "counter", "reports that do not follow the schema", (int64_t)m->rejected },
		{ "rows", "gauge", "reports in the database", m->rows },
		{ "database_bytes", "gauge", "bytes of the database in use", m->bytes },
		{ "last_id", "gauge", "number of the newest report", m->last_id },
		{ "connections", "gauge", "open connections", m->connections },
		{ "streams", "gauge", "pages that follow live", m->streams },
	};
	size_t n = (size_t)snprintf(out, METRICS_MAX, "# HELP net_gazer_collector_info always 1; the version\n"
				    "# TYPE net_gazer_collector_info gauge\n"
				    "net_gazer_collector_info{version=\"" VERSION "\"} 1\n");

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		n += (size_t)snprintf(out + n, METRICS_MAX - n, "# HELP net_gazer_collector_%s %s\n"
				      "# TYPE net_gazer_collector_%s %s\nnet_gazer_collector_%s %" PRId64 "\n",
				      rows[i].name, rows[i].help, rows[i].name, rows[i].type, rows[i].name, rows[i].value);
	return n;
}
