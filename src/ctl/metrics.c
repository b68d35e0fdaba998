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

/* A number a line: its name (a counter's ends with "_total"), where it stands, what it is.  Where: a path into the status;
 * LIST/LABEL/FIELD/PATH for each element of a list, LABEL being its FIELD; behind = the word for which the number is 1.
 * One text: a table of pointers takes more room, and the loader's time at each start. */
static const char metrics[] =
	"uptime_seconds up_s since net-gazer was started\n"
	"reloads_total reloads configurations that were read again\n"
	"rules_gone rules_gone 1: the firewall's rules are not there\n"
	"packets_seen_total ledger.seen packets that the rules matched\n"
	"packets_logged_total ledger.logged of these, within the limits\n"
	"packets_received_total ledger.received of these, received\n"
	"packets_lost_total ledger.gap logged, and lost on the way\n"
	"packets_parsed_total ledger.parsed of the received, understood\n"
	"packets_truncated_total ledger.truncated of the received, cut short\n"
	"packets_malformed_total ledger.malformed of the received, malformed\n"
	"packets_unsupported_total ledger.unsupported of the received, of other kinds\n"
	"packets_crashed_total ledger.in_hand of the received, lost with an analyzer\n"
	"reports_total ledger.reports reports made\n"
	"reports_dropped_total ledger.reports_dropped reports that nobody took\n"
	"class_seen_total groups/class/class/seen packets that the rules of a class matched\n"
	"class_logged_total groups/class/class/logged of these, within the limits\n"
	"process_up processes/process/name/state=running 1: it runs\n"
	"process_starts_total processes/process/name/starts how often it was started\n"
	"plugin_up plugins/plugin/name/state=running 1: it runs\n"
	"plugins_refused plugins_refused plugins that cannot be loaded\n"
	"traces_total prober.traces paths traced by this prober\n"
	"traces_refused_total prober.refused requests that it refused\n"
	"probes_total prober.probes probes that it sent\n"
	"probe_answers_total prober.answers answers to them\n"
	"delivery_up delivery.state=ok 1: the collector takes reports\n"
	"delivery_received_total delivery.received reports that the forwarder got\n"
	"delivery_recovered_total delivery.recovered reports found in the spool\n"
	"delivery_acknowledged_total delivery.acknowledged reports that the collector has\n"
	"delivery_rejected_total delivery.rejected reports that it refused to store\n"
	"delivery_quarantined_total delivery.quarantined reports that were given up\n"
	"delivery_dropped_total delivery.dropped reports that made room for newer ones\n"
	"delivery_waiting delivery.waiting reports that wait\n"
	"delivery_queue_bytes delivery.queue_bytes bytes that wait in memory\n"
	"delivery_spool_bytes delivery.spool_bytes bytes that wait in files\n"
	"delivery_sent_bytes_total delivery.sent_bytes bytes of requests\n"
	"flash_written_bytes_total delivery.flash_written_bytes bytes written to a disk\n";

struct metric {
	char name[40], where[56], help[56];
	const char *list, *label, *by, *path, *is; /* parts of where, NULL: there is none */
};

/* The line, and where the next one is. */
static const char *
read_metric(struct metric *m, const char *line)
{
	char *at = m->where;

	if (sscanf(line, "%39s %55s %55[^\n]", m->name, m->where, m->help) != 3)
		fatal("metrics: %s", line);
	m->list = m->label = m->by = NULL;
	if (strchr(at, '/')) {
		m->list = strsep(&at, "/");
		m->label = strsep(&at, "/");
		m->by = strsep(&at, "/");
	}
	m->path = strsep(&at, "=");
	m->is = at;
	return strchr(line, '\n') + 1;
}

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
head(const char *name, const char *help)
{
	const char *last = strrchr(name, '_');
	int counter = last && !strcmp(last, "_total");

	printf("# HELP net_gazer_%s %s\n# TYPE net_gazer_%s %s\n", name, help, name, counter ? "counter" : "gauge");
}

static void
put_all(yajl_val t)
{
	struct metric metric, *m = &metric;

	head("info", "always 1; the version");
	fputs("net_gazer_info{version=\"", stdout);
	put_label(ask_str(t, "version"));
	fputs("\"} 1\n", stdout);
	for (const char *line = metrics; *line;) {
		size_t n;

		line = read_metric(m, line);
		n = m->list ? ask_n(t, m->list) : ask_get(t, m->path) != NULL;
		if (n)
			head(m->name, m->help);
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
	head("up", "1: net-gazer answers");
	printf("net_gazer_up %d\n", t != NULL);
	if (t)
		put_all(t);
	else
		log_error("%s", err);
	yajl_tree_free(t);
	return e ? 2 : fflush(stdout) ? 1 : 0;
}
