/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * doctor.c - judges the facts (facts.h).  A check is a function and a row in the table; each prints one line or
 * more, or none when it has nothing to go by.
 */
#include "doctor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "ctl/facts.h"
#include "ctl/print.h"
#include "ctl/words.h"
#include "prober.h"

#define DOCTOR_QUIET_S 30 /* so long a rule that was never hit says nothing yet */

enum verdict { OK, WARN, FAIL };

static enum verdict worst;

static void __attribute__((format(printf, 3, 4)))
say(enum verdict v, const char *what, const char *fmt, ...)
{
	static const char *const words[] = { "ok  ", "warn", "FAIL" };
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (v > worst)
		worst = v;
	printf("%s  %-14s ", words[v], what);
	print_text(text, 0);
	putchar('\n');
}

static void
check_daemon(const struct facts *f)
{
	if (f->status)
		say(OK, "daemon", "net-gazer %s, pid %" PRId64 ", %s, up for %" PRId64 " s", ask_str(f->status, "version"),
		    ask_int(f->status, "pid"), ask_str(f->status, "state"), ask_int(f->status, "up_s"));
	else
		say(FAIL, "daemon", "%s", f->status_why);
}

static void
check_configuration(const struct facts *f)
{
	const char *file = *f->conf_file ? f->conf_file : "no file, all defaults";

	if (f->status && *ask_str(f->status, "reload_refused"))
		say(WARN, "configuration", "the last reload was refused, net-gazer goes on with the old one: %s",
		    ask_str(f->status, "reload_refused"));
	else if (f->status)
		say(OK, "configuration", "%s", *ask_str(f->status, "config") ? ask_str(f->status, "config") : file);
	else if (f->check > 0)
		say(FAIL, "configuration", "net-gazer does not start with it: %s", f->check_why);
	else if (f->check == 0)
		say(OK, "configuration", "%s: net-gazer would start with it", file);
}

static void
check_kernel(const struct facts *f)
{
	if (f->nflog)
		say(OK, "kernel", "NFLOG is there");
	else
		say(FAIL, "kernel", "it has no NFLOG; try: modprobe nfnetlink_log (kmod-nft-core and kmod-nfnetlink-log on "
		    "OpenWrt)");
}

static void
check_groups(const struct facts *f)
{
	int taken = 0;

	if (f->status) {
		say(ask_n(f->status, "groups") ? OK : FAIL, "groups", "%zu NFLOG groups are bound by net-gazer",
		    ask_n(f->status, "groups"));
		return;
	}
	if (f->check < 0)
		return;
	for (unsigned i = 0; i < FACTS_GROUPS; i++) {
		if (!f->holder[i].port)
			continue;
		taken = 1;
		if (f->holder[i].pid)
			say(FAIL, "groups", "NFLOG group %u is taken by pid %d (%s): stop that program, or choose others with "
			    "nflog-group", f->group + i, f->holder[i].pid, f->holder[i].name);
		else
			say(FAIL, "groups", "NFLOG group %u is taken (netlink port %u, as a rule its pid): choose others with "
			    "nflog-group", f->group + i, f->holder[i].port);
	}
	if (!taken && f->nflog)
		say(OK, "groups", "NFLOG groups %u to %u are free", f->group, f->group + FACTS_GROUPS - 1);
}

static void
check_rules(const struct facts *f)
{
	yajl_val t = f->status;

	if (t && ask_is(t, "rules_gone"))
		say(FAIL, "rules", "table inet net_gazer is gone or incomplete, somebody changed the ruleset: %s",
		    !strcmp(ask_str(t, "rules"), "own") ? "net-gazer installs it again" :
		    "load it again: nft -f " DATADIR "/net-gazer.nft");
	else if (t)
		say(OK, "rules", "they are there (%s)", ask_str(t, "rules"));
	else if (f->check >= 0 && f->conf_ok && f->include && f->table == 0)
		say(FAIL, "rules", "there is no table inet net_gazer, and rules = include waits for it: nft -f "
		    DATADIR "/net-gazer.nft");
	else if (f->check >= 0 && f->conf_ok && f->include && f->table == 1)
		say(OK, "rules", "table inet net_gazer is there");
	else if (f->check >= 0 && f->conf_ok && f->include)
		say(WARN, "rules", "cannot look: %s; ask as root", strerror(-f->table));
}

static void
check_traffic(const struct facts *f)
{
	int64_t seen = ask_int(f->status, "ledger.seen"), up_s = ask_int(f->status, "up_s");
	int64_t filtered = ask_int(f->status, "ledger.filtered");

	if (!f->status)
		return;
	if (filtered && filtered >= ask_int(f->status, "ledger.received"))
		say(WARN, "traffic", "%" PRId64 " packets were received, none of them over an interface that iface names: are the "
		    "names right?", filtered);
	else if (seen)
		say(OK, "traffic", "the rules have matched %" PRId64 " packets", seen);
	else if (up_s < DOCTOR_QUIET_S)
		say(OK, "traffic", "no rule was hit yet, in %" PRId64 " s", up_s);
	else
		say(WARN, "traffic", "no rule was ever hit, in %" PRId64 " s: open a connection through this machine; if "
		    "nothing comes then, it is not routed here (a bridge, another network namespace), or home and iface "
		    "leave it out", up_s);
}

static void
check_losses(const struct facts *f)
{
	int64_t gap = ask_int(f->status, "ledger.gap"), logged = ask_int(f->status, "ledger.logged");
	int64_t out = ask_int(f->status, "ledger.sampled_out"), hand = ask_int(f->status, "ledger.in_hand");

	if (!f->status)
		return;
	if (gap)
		say(WARN, "losses", "%" PRId64 " of %" PRId64 " packets were lost between kernel and net-gazer: raise "
		    "receive-buffer, or lower the limits", gap, logged);
	if (hand)
		say(WARN, "losses", "%" PRId64 " packets were lost with an analyzer that crashed", hand);
	if (out)
		say(WARN, "losses", "%" PRId64 " packets were over the limits and not looked at; handshake-limit, "
		    "attempt-limit and sample-limit set them", out);
	if (!gap && !out && !hand)
		say(OK, "losses", "every packet that the rules matched was received");
}

static void
check_halves(const struct facts *f)
{
	if (!f->status)
		return;
	if (ask_is(f->status, "acks"))
		say(OK, "halves", "both halves of forwarded handshakes are measured");
	else
		say(OK, "halves", "of handshakes only the half behind this machine is measured; for the client's too: "
		    "net.netfilter.nf_conntrack_acct = 1, handshake-ack = yes, rules of your firewall that use ct or nat for IPv4 and IPv6, and "
		    "a reload (included rules: see net-gazer.nft)");
}

static void
check_processes(const struct facts *f)
{
	for (size_t i = 0; i < ask_n(f->status, "processes"); i++) {
		yajl_val p = ask_at(f->status, "processes", i);
		const char *name = ask_str(p, "name"), *state = ask_str(p, "state"), *end = ask_str(p, "last_end");

		if (!strcmp(name, "prober"))
			continue; /* has a line of its own */
		if (!strcmp(state, "starting") || !strcmp(state, "changing"))
			say(OK, name, "is being started");
		else if (strcmp(state, "running"))
			say(FAIL, name, "is %s%s%s; net-gazer's log says more", state, *end ? ", ended with " : "", end);
		else if (*end)
			say(WARN, name, "runs, and was started %" PRId64 " times; the last one ended with %s",
			    ask_int(p, "starts"), end);
		else
			say(OK, name, "runs");
	}
}

static void
check_plugins(const struct facts *f)
{
	int64_t refused = ask_int(f->status, "plugins_refused");
	size_t n = ask_n(f->status, "plugins"), bad = 0;

	if (!f->status)
		return;
	for (size_t i = 0; i < n; i++) {
		yajl_val p = ask_at(f->status, "plugins", i);
		const char *state = ask_str(p, "state");

		if (!strcmp(state, "disabled"))
			say(FAIL, "plugins", "%s crashed again and again and is disabled; `net-gazerctl reload' gives it another "
			    "chance", ask_str(p, "name"));
		else if (strcmp(state, "running"))
			say(FAIL, "plugins", "%s: %s; net-gazer's log says why", ask_str(p, "name"), state);
		bad += strcmp(state, "running") != 0;
	}
	if (refused)
		say(FAIL, "plugins", "%" PRId64 " cannot be loaded; `net-gazer -n' says why", refused);
	if (!bad && !refused)
		say(OK, "plugins", "%zu run", n);
}

static void
check_sandbox(const struct facts *f)
{
	static const struct {
		const char *field, *name;
	} steps[] = {
		{ "sandbox.no_caps", "dropped capabilities" },
		{ "sandbox.no_new_privs", "no_new_privs" },
		{ "sandbox.seccomp", "seccomp" },
		{ "sandbox.landlock", "Landlock" },
	};
	int closed = 1, known = 0;

	for (size_t i = 0; i < ask_n(f->status, "processes"); i++) {
		yajl_val p = ask_at(f->status, "processes", i);

		if (!ask_get(p, "sandbox"))
			continue;
		known = 1;
		for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
			if (!ask_get(p, steps[k].field) || ask_is(p, steps[k].field))
				continue;
			closed = 0;
			say(WARN, "sandbox", "%s runs without %s: this kernel does not have it", ask_str(p, "name"),
			    steps[k].name);
		}
	}
	if (known && closed)
		say(OK, "sandbox", "closed");
}

static void
check_output(const struct facts *f)
{
	int64_t dropped = ask_int(f->status, "ledger.reports_dropped");

	if (!f->status)
		return;
	if (dropped)
		say(WARN, "output", "%" PRId64 " of %" PRId64 " reports were dropped: who takes them (%s) is too slow or stands "
		    "still", dropped, ask_int(f->status, "ledger.reports"), ask_str(f->status, "output"));
	else
		say(OK, "output", "%" PRId64 " reports were handed on (%s)", ask_int(f->status, "ledger.reports"),
		    ask_str(f->status, "output"));
}

static void
check_collector(const struct facts *f)
{
	yajl_val t = f->status;
	const char *state = ask_str(t, "delivery.state"), *why = ask_str(t, "delivery.why");
	int64_t waiting = ask_int(t, "delivery.waiting");

	if (!ask_get(t, "delivery"))
		return;
	if (!strcmp(state, "held"))
		say(FAIL, "collector", "%s refuses (%s): %" PRId64 " reports wait; look at collector-token-file and the "
		    "collector's token-file", ask_str(t, "output"), why, waiting);
	else if (!strcmp(state, "clock"))
		say(FAIL, "collector", "this machine's clock is wrong, so no certificate can be checked: %" PRId64 " reports wait",
		    waiting);
	else if (!strcmp(state, "retrying"))
		say(FAIL, "collector", "%s cannot be reached or does not accept (%s), %" PRId64 " tries: %" PRId64 " reports wait",
		    ask_str(t, "output"), why, ask_int(t, "delivery.tries"), waiting);
	else if (*ask_str(t, "delivery.renamed"))
		say(WARN, "collector", "another machine sends under this one's name in the same boot (a copy of it, or a snapshot that was "
		    "put back?): reports go out under the name with \"%s\" behind it; set `sensor' on one of them",
		    ask_str(t, "delivery.renamed"));
	else if (ask_int(t, "delivery.rejected") || ask_int(t, "delivery.quarantined"))
		say(WARN, "collector", "has not stored %" PRId64 " reports, which it calls wrong; is it older than this net-gazer? "
		    "It acknowledged %" PRId64, ask_int(t, "delivery.rejected") + ask_int(t, "delivery.quarantined"),
		    ask_int(t, "delivery.acknowledged"));
	else
		say(OK, "collector", "%s has acknowledged %" PRId64 " reports, %" PRId64 " wait", ask_str(t, "output"),
		    ask_int(t, "delivery.acknowledged"), waiting);
}

static void
check_spool(const struct facts *f)
{
	yajl_val t = f->status;
	int64_t bytes = ask_int(t, "delivery.spool_bytes"), limit = ask_int(t, "delivery.spool_limit_bytes");
	int64_t dropped = ask_int(t, "delivery.dropped");

	if (!ask_get(t, "delivery"))
		return;
	if (*ask_str(t, "delivery.spool_error"))
		say(FAIL, "spool", "cannot write to spool-dir: %s", ask_str(t, "delivery.spool_error"));
	else if (limit && bytes > limit - limit / 10)
		say(WARN, "spool", "is full, %" PRId64 " of %" PRId64 " bytes: once memory is too, the oldest reports make room, %" PRId64
		    " so far; spool-bytes raises it", bytes, limit, dropped);
	else if (dropped)
		say(WARN, "spool", "%" PRId64 " reports were dropped for room; queue-bytes, spool-dir and spool-bytes give more",
		    dropped);
	else
		say(OK, "spool", "%" PRId64 " bytes wait in memory, %" PRId64 " in files; %" PRId64 " bytes were written to a disk",
		    ask_int(t, "delivery.queue_bytes"), bytes, ask_int(t, "delivery.flash_written_bytes"));
}

static void
check_prober(const struct facts *f)
{
	yajl_val t = f->status, p = ask_named(t, "processes", "prober");
	int64_t probes = ask_int(t, "prober.probes"), errors = ask_int(t, "prober.send_errors");

	if (!t || !ask_is(t, "prober.wanted"))
		return;
	if (!ask_is(t, "prober.possible"))
		say(FAIL, "prober", "it has no right to send (CAP_NET_RAW), or its sockets could not be opened: paths are not "
		    "traced; restart net-gazer as root");
	else if (!strcmp(ask_str(p, "state"), "starting") || !strcmp(ask_str(p, "state"), "changing"))
		say(OK, "prober", "is being started");
	else if (strcmp(ask_str(p, "state"), "running"))
		say(FAIL, "prober", "is %s%s%s; net-gazer's log says more", ask_str(p, "state"),
		    *ask_str(p, "last_end") ? ", ended with " : "", ask_str(p, "last_end"));
	else if (errors > probes / 2)
		say(WARN, "prober", "%" PRId64 " probes could not be sent, %" PRId64 " could: is there a route?", errors, probes);
	else
		say(OK, "prober", "runs: %" PRId64 " traces, %" PRId64 " refused", ask_int(t, "prober.traces"),
		    ask_int(t, "prober.refused"));
}

static void
check_clock(const struct facts *f)
{
	char text[40] = "?";
	struct tm tm;
	time_t now = (time_t)f->now_s;

	if (gmtime_r(&now, &tm))
		strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &tm);
	if (f->now_s < f->built_s)
		say(FAIL, "clock", "it says %s, before this program was installed: certificates look expired and reports "
		    "carry wrong times; set it, or run an NTP client", text);
	else
		say(OK, "clock", "%s", text);
}

static void
check_ports(const struct facts *f)
{
	if (f->port_last >= PROBER_PORT_FIRST)
		say(WARN, "ports", "net.ipv4.ip_local_port_range goes up to %u: this machine's own connections from ports %d and "
		    "up are taken for probes; run: sysctl net.ipv4.ip_local_port_range='32768 %d'", f->port_last,
		    PROBER_PORT_FIRST, PROBER_PORT_FIRST - 1);
	else if (f->port_last)
		say(OK, "ports", "this machine's own connections and probes have different ports");
}

static void (*const checks[])(const struct facts *) = {
	check_daemon, check_configuration, check_kernel, check_groups, check_rules, check_traffic, check_losses, check_halves,
	check_processes, check_plugins, check_sandbox, check_output, check_collector, check_spool,
	check_prober, check_clock, check_ports,
};

int
doctor_main(int argc, char **argv)
{
	struct words w;
	struct facts f;
	int r = words_parse(&w, WORDS_FILE, "Why there is no data: one line for each thing that can be wrong.", argc, argv);

	if (r)
		return r - 1;
	facts_gather(&f, w.connect, w.file);
	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
		checks[i](&f);
	facts_free(&f);
	return fflush(stdout) ? 2 : worst == FAIL;
}
