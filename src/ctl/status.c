/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * status.c - see status.h.  All text goes through print_text(): words in the answer may be a collector's
 * or a file's name, and must not drive a terminal.
 */
#include "status.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/ask.h"
#include "ctl/print.h"
#include "ctl/words.h"
#include "lib/log.h"

static void
say_time(int64_t s)
{
	if (s >= 86400)
		printf("%" PRId64 " d %" PRId64 " h", s / 86400, s / 3600 % 24);
	else if (s >= 3600)
		printf("%" PRId64 " h %" PRId64 " min", s / 3600, s / 60 % 60);
	else if (s >= 60)
		printf("%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
	else
		printf("%" PRId64 " s", s);
}

static void
say_ledger(yajl_val t)
{
	printf("packets    %" PRId64 " seen = %" PRId64 " logged + %" PRId64 " sampled out\n", ask_int(t, "ledger.seen"),
	       ask_int(t, "ledger.logged"), ask_int(t, "ledger.sampled_out"));
	printf("           logged = %" PRId64 " received + %" PRId64 " lost + %" PRId64 " on the way\n",
	       ask_int(t, "ledger.received"), ask_int(t, "ledger.gap"), ask_int(t, "ledger.tail"));
	printf("           received = %" PRId64 " parsed + %" PRId64 " cut short + %" PRId64 " malformed + %" PRId64
	       " other + %" PRId64 " lost in a crash\n", ask_int(t, "ledger.parsed"), ask_int(t, "ledger.truncated"),
	       ask_int(t, "ledger.malformed"), ask_int(t, "ledger.unsupported"), ask_int(t, "ledger.in_hand"));
	printf("reports    %" PRId64 " made, %" PRId64 " dropped because nobody took them\n", ask_int(t, "ledger.reports"),
	       ask_int(t, "ledger.reports_dropped"));
}

static void
say_groups(yajl_val t)
{
	puts("\nGROUP  CLASS           SEEN      LOGGED    RECEIVED        LOST");
	for (size_t i = 0; i < ask_n(t, "groups"); i++) {
		yajl_val g = ask_at(t, "groups", i);

		printf("%5" PRId64 "  ", ask_int(g, "group"));
		print_text(ask_str(g, "class"), 9);
		printf(" %10" PRId64 "  %10" PRId64, ask_int(g, "seen"), ask_int(g, "logged"));
		if (ask_get(g, "received"))
			printf("  %10" PRId64 "  %10" PRId64, ask_int(g, "received"), ask_int(g, "gap"));
		puts(ask_is(g, "wanted") ? "" : "  no plugin wants it any more");
	}
}

static void
say_processes(yajl_val t)
{
	static const char *const steps[] = { "no_caps", "no_new_privs", "seccomp", "landlock" };

	puts("\nPROCESS        PID  STATE     STARTS  SANDBOX");
	for (size_t i = 0; i < ask_n(t, "processes"); i++) {
		yajl_val p = ask_at(t, "processes", i);

		print_text(ask_str(p, "name"), 10);
		printf(" %7" PRId64 "  ", ask_int(p, "pid"));
		print_text(ask_str(p, "state"), 9);
		printf(" %6" PRId64 " ", ask_int(p, "starts"));
		for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
			yajl_val sandbox = ask_get(p, "sandbox");

			if (ask_get(sandbox, steps[k]))
				printf(" %s%s", ask_is(sandbox, steps[k]) ? "" : "NO-", steps[k]);
		}
		if (*ask_str(p, "last_end")) {
			fputs("  last one: ", stdout);
			print_text(ask_str(p, "last_end"), 0);
		}
		putchar('\n');
	}
}

static void
say_complaints(yajl_val t)
{
	if (ask_n(t, "complaints"))
		puts("\nLAST COMPLAINTS");
	for (size_t i = 0; i < ask_n(t, "complaints"); i++) {
		yajl_val c = ask_at(t, "complaints", i);

		print_text(ask_str(c, "ts"), 0);
		putchar(' ');
		print_text(ask_str(c, "level"), 0);
		fputs(": ", stdout);
		print_text(ask_str(c, "text"), 0);
		putchar('\n');
	}
}

static void
say(yajl_val t)
{
	fputs("net-gazer ", stdout);
	print_text(ask_str(t, "version"), 0);
	printf(", pid %" PRId64 ", ", ask_int(t, "pid"));
	print_text(ask_str(t, "state"), 0);
	fputs(" for ", stdout);
	say_time(ask_int(t, "up_s"));
	fputs("\nsensor     ", stdout);
	print_text(ask_str(t, "sensor"), 0);
	fputs("\nconfig     ", stdout);
	print_text(*ask_str(t, "config") ? ask_str(t, "config") : "no file, all defaults", 0);
	printf(", reloaded %" PRId64 " times\nrules      ", ask_int(t, "reloads"));
	print_text(ask_str(t, "rules"), 0);
	fputs(ask_is(t, "rules_gone") ? ", GONE\noutput     " : "\noutput     ", stdout);
	print_text(ask_str(t, "output"), 0);
	putchar('\n');
	say_ledger(t);
	say_groups(t);
	say_processes(t);
	putchar('\n');
	print_plugins(t);
	if (ask_is(t, "prober.wanted"))
		printf("\ntraces     %" PRId64 " begun, %" PRId64 " refused; %" PRId64 " probes, %" PRId64 " answers, %" PRId64
		       " hops from the cache\n", ask_int(t, "prober.traces"), ask_int(t, "prober.refused"),
		       ask_int(t, "prober.probes"), ask_int(t, "prober.answers"), ask_int(t, "prober.cached"));
	if (ask_get(t, "delivery")) {
		fputs("\ndelivery   ", stdout);
		print_text(ask_str(t, "delivery.state"), 0);
		if (*ask_str(t, "delivery.why")) {
			fputs(": ", stdout);
			print_text(ask_str(t, "delivery.why"), 0);
		}
		if (*ask_str(t, "delivery.renamed"))
			printf("; under the name with %s behind it, another machine has it too", ask_str(t, "delivery.renamed"));
		printf("\n           %" PRId64 " received + %" PRId64 " recovered = %" PRId64 " acknowledged + %" PRId64
		       " rejected + %" PRId64 " quarantined + %" PRId64 " dropped + %" PRId64 " waiting\n"
		       "           %" PRId64 " bytes sent, %" PRId64 " wait in memory, %" PRId64 " in the spool; %" PRId64
		       " written to a disk\n",
		       ask_int(t, "delivery.received"), ask_int(t, "delivery.recovered"), ask_int(t, "delivery.acknowledged"),
		       ask_int(t, "delivery.rejected"), ask_int(t, "delivery.quarantined"), ask_int(t, "delivery.dropped"),
		       ask_int(t, "delivery.waiting"), ask_int(t, "delivery.sent_bytes"), ask_int(t, "delivery.queue_bytes"),
		       ask_int(t, "delivery.spool_bytes"), ask_int(t, "delivery.flash_written_bytes"));
	}
	say_complaints(t);
}

int
status_main(int argc, char **argv)
{
	struct words w;
	char err[400], *text;
	yajl_val tree;
	int r = words_parse(&w, WORDS_JSON, "What a running net-gazer says of itself.", argc, argv), e;

	if (r)
		return r - 1;
	if (w.json) {
		text = ask_text(w.connect ? w.connect : ASK_DEFAULT, CONTROL_STATUS, &e, err, sizeof err);
		if (text)
			puts(text);
		free(text);
	} else {
		tree = ask_tree(w.connect ? w.connect : ASK_DEFAULT, CONTROL_STATUS, &e, err, sizeof err);
		if (tree)
			say(tree);
		yajl_tree_free(tree);
	}
	if (e)
		log_error("%s", err);
	return e ? 2 : fflush(stdout) ? 1 : 0;
}
