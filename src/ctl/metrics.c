/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * metrics.c - one table of what is told.  Labels are our own words (classes, processes) and plugins' names, of
 * which there are 16 at most: never an address.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/words.h"
#include "lib/log.h"

enum kind { GAUGE, COUNTER };

/* A number; with `list`, one for each of its elements, under the label `label` = the element's field `by`. */
static const struct metric {
	const char *name;
	enum kind kind;
	const char *help;
	const char *path;
	const char *list, *label, *by;
	const char *is; /* the path holds a word: 1 when it is this */
} metrics[] = {
	{ "uptime_seconds", GAUGE, "since net-gazer was started", "up_s", NULL, NULL, NULL, NULL },
	{ "reloads_total", COUNTER, "configurations that were read again", "reloads", NULL, NULL, NULL, NULL },
	{ "rules_gone", GAUGE, "1: the firewall's rules are not there", "rules_gone", NULL, NULL, NULL, NULL },
	{ "packets_seen_total", COUNTER, "packets that the rules matched", "ledger.seen", NULL, NULL, NULL, NULL },
	{ "packets_logged_total", COUNTER, "of these, within the limits", "ledger.logged", NULL, NULL, NULL, NULL },
	{ "packets_received_total", COUNTER, "of these, received", "ledger.received", NULL, NULL, NULL, NULL },
	{ "packets_lost_total", COUNTER, "logged, and lost on the way", "ledger.gap", NULL, NULL, NULL, NULL },
	{ "packets_parsed_total", COUNTER, "of the received, understood", "ledger.parsed", NULL, NULL, NULL, NULL },
	{ "packets_truncated_total", COUNTER, "of the received, cut short", "ledger.truncated", NULL, NULL, NULL, NULL },
	{ "packets_malformed_total", COUNTER, "of the received, malformed", "ledger.malformed", NULL, NULL, NULL, NULL },
	{ "packets_unsupported_total", COUNTER, "of the received, of other kinds", "ledger.unsupported", NULL, NULL, NULL,
	  NULL },
	{ "packets_crashed_total", COUNTER, "of the received, lost with an analyzer", "ledger.in_hand", NULL, NULL, NULL,
	  NULL },
	{ "reports_total", COUNTER, "reports made", "ledger.reports", NULL, NULL, NULL, NULL },
	{ "reports_dropped_total", COUNTER, "reports that nobody took", "ledger.reports_dropped", NULL, NULL, NULL, NULL },
	{ "class_seen_total", COUNTER, "packets that the rules of a class matched", "seen", "groups", "class", "class",
	  NULL },
	{ "class_logged_total", COUNTER, "of these, within the limits", "logged", "groups", "class", "class", NULL },
	{ "process_up", GAUGE, "1: it runs", "state", "processes", "process", "name", "running" },
	{ "process_starts_total", COUNTER, "how often it was started", "starts", "processes", "process", "name", NULL },
	{ "plugin_up", GAUGE, "1: it runs", "state", "plugins", "plugin", "name", "running" },
	{ "plugins_refused", GAUGE, "plugins that cannot be loaded", "plugins_refused", NULL, NULL, NULL, NULL },
	{ "traces_total", COUNTER, "paths traced by this prober", "prober.traces", NULL, NULL, NULL, NULL },
	{ "traces_refused_total", COUNTER, "requests that it refused", "prober.refused", NULL, NULL, NULL, NULL },
	{ "probes_total", COUNTER, "probes that it sent", "prober.probes", NULL, NULL, NULL, NULL },
	{ "probe_answers_total", COUNTER, "answers to them", "prober.answers", NULL, NULL, NULL, NULL },
	{ "delivery_up", GAUGE, "1: the collector takes reports", "delivery.state", NULL, NULL, NULL, "ok" },
	{ "delivery_received_total", COUNTER, "reports that the forwarder got", "delivery.received", NULL, NULL, NULL,
	  NULL },
	{ "delivery_recovered_total", COUNTER, "reports found in the spool", "delivery.recovered", NULL, NULL, NULL, NULL },
	{ "delivery_acknowledged_total", COUNTER, "reports that the collector has", "delivery.acknowledged", NULL, NULL,
	  NULL, NULL },
	{ "delivery_rejected_total", COUNTER, "reports that it refused to store", "delivery.rejected", NULL, NULL, NULL,
	  NULL },
	{ "delivery_quarantined_total", COUNTER, "reports that were given up", "delivery.quarantined", NULL, NULL, NULL,
	  NULL },
	{ "delivery_dropped_total", COUNTER, "reports that made room for newer ones", "delivery.dropped", NULL, NULL, NULL,
	  NULL },
	{ "delivery_waiting", GAUGE, "reports that wait", "delivery.waiting", NULL, NULL, NULL, NULL },
	{ "delivery_queue_bytes", GAUGE, "bytes that wait in memory", "delivery.queue_bytes", NULL, NULL, NULL, NULL },
	{ "delivery_spool_bytes", GAUGE, "bytes that wait in files", "delivery.spool_bytes", NULL, NULL, NULL, NULL },
	{ "delivery_sent_bytes_total", COUNTER, "bytes of requests", "delivery.sent_bytes", NULL, NULL, NULL, NULL },
	{ "flash_written_bytes_total", COUNTER, "bytes written to a disk", "delivery.flash_written_bytes", NULL, NULL, NULL,
	  NULL },
};

/* Of a label: what the format would take for its own, or a terminal, is left out. */
static void
put_label(const char *text)
{
	for (; *text; text++) {
		if (*text >= ' ' && *text <= '~' && *text != '"' && *text != '\\')
			putchar(*text);
	}
}

static void
put(const struct metric *m, yajl_val at)
{
	yajl_val v = ask_get(at, m->path);
	int64_t n = m->is ? !strcmp(ask_str(at, m->path), m->is) : YAJL_IS_TRUE(v) ? 1 : ask_int(at, m->path);

	printf("net_gazer_%s", m->name);
	if (m->label) {
		printf("{%s=\"", m->label);
		put_label(ask_str(at, m->by));
		fputs("\"}", stdout);
	}
	printf(" %" PRId64 "\n", n);
}

static void
head(const char *name, enum kind kind, const char *help)
{
	printf("# HELP net_gazer_%s %s\n# TYPE net_gazer_%s %s\n", name, help, name, kind == COUNTER ? "counter" : "gauge");
}

static void
put_all(yajl_val t)
{
	head("info", GAUGE, "always 1; the version");
	fputs("net_gazer_info{version=\"", stdout);
	put_label(ask_str(t, "version"));
	fputs("\"} 1\n", stdout);
	for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++) {
		const struct metric *m = &metrics[i];
		size_t n = m->list ? ask_n(t, m->list) : ask_get(t, m->path) != NULL;

		if (n)
			head(m->name, m->kind, m->help);
		for (size_t k = 0; k < n; k++) {
			yajl_val at = m->list ? ask_at(t, m->list, k) : t;

			if (!m->list || strcmp(ask_str(at, "state"), "off")) /* a prober that nobody wants */
				put(m, at);
		}
	}
}

int
metrics_main(int argc, char **argv)
{
	struct words w;
	char err[400];
	yajl_val t;
	int r = words_parse(&w, 0, "Numbers of a running net-gazer in Prometheus' text format.", argc, argv), e;

	if (r)
		return r - 1;
	t = ask_tree(w.connect ? w.connect : ASK_DEFAULT, CONTROL_STATUS, &e, err, sizeof err);
	/* For a textfile collector: that it does not run is a number too. */
	head("up", GAUGE, "1: net-gazer answers");
	printf("net_gazer_up %d\n", t != NULL);
	if (t)
		put_all(t);
	else
		log_error("%s", err);
	yajl_tree_free(t);
	return e ? 2 : fflush(stdout) ? 1 : 0;
}
