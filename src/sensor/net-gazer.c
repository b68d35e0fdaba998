/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * net-gazer - the privileged parent.  Binds NFLOG groups, owns or verifies the firewall's rules and
 * reads their counters, starts and restarts the others.  Parses nothing that a stranger wrote.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"
#include "lib/lean.h"
#include "lib/log.h"
#include "plugin.h"
#include "sensor/become.h"
#include "sensor/child.h"
#include "sensor/look.h"
#include "sensor/observe.h"
#include "sensor/rulestext.h"
#include "sensor/run.h"
#include "sensor/status.h"
#include "worker.h"

/* -r: no root, no kernel; we become `replay`.  Returns when that failed. */
static int
replay(const struct plan *p)
{
	static char *const argv[] = { (char *)"replay", NULL };
	struct settings s = { 0 };
	struct child c;

	child_init(&c, p->uid, p->gid);
	c.exec_fd = p->replay_fd;
	c.argv = argv;
	c.fd[1] = STDOUT_FILENO;
	while (c.n_fds < WORKER_FD_FIRST)
		child_give(&c, -1);
	plan_settings(p, &s);
	for (size_t i = 0; i < p->plugins.n; i++)
		settings_add(&s, "plugin", "%d %s", child_give(&c, p->plugins.item[i]->fd),
			     p->plugins.item[i]->path);
	settings_add(&s, "replay", "%d %s", child_give(&c, p->capture_fd), conf_str(p->conf, "replay"));
	c.fd[WORKER_FD_SETTINGS] = settings_seal(&s);
	if (c.fd[WORKER_FD_SETTINGS] < 0)
		log_error("replay: settings: %s", strerror(-c.fd[WORKER_FD_SETTINGS]));
	else
		log_error("replay: %s", strerror(-child_become(&c)));
	return 1;
}

static int
checked(const struct plan *p)
{
	char err[PATH_MAX + 400];

	if (look_files(p, err, sizeof err)) {
		log_error("%s", err);
		return 1;
	}
	if (p->plugins.refused) {
		log_error("configuration: %zu plugin%s cannot be loaded", p->plugins.refused,
			  p->plugins.refused > 1 ? "s" : "");
		return 1;
	}
	printf("configuration OK: %s\n", p->file ? p->file : "no file, all defaults");
	return fflush(stdout) ? 1 : 0;
}

static int
print_rules(struct plan *p)
{
	static char text[RULESTEXT_MAX];
	struct ruleset *r;
	ssize_t n;

	/* Who may not look at the rules gets none that asks conntrack. */
	if (p->acks && !ruleset_open(&r, text, sizeof text)) {
		p->rules.acks = observe_tracked(ruleset_nft(r)) > 0;
		ruleset_close(r);
	}
	n = rulestext_write(&p->rules, text, sizeof text);
	if (n < 0)
		fatal("rules: %s", strerror((int)-n));
	return fwrite(text, 1, (size_t)n, stdout) != (size_t)n || fflush(stdout) ? 1 : 0;
}

static void
say_hello(const struct plan *p)
{
	const char *url = conf_str(p->conf, "collector-url");
	char list[300] = "";

	for (size_t i = 0; i < p->plugins.n; i++) {
		size_t n = strlen(list);

		snprintf(list + n, sizeof list - n, "%s%s", n ? ", " : "", p->plugins.item[i]->name);
	}
	log_info("%s runs: sensor %s, %s rules, groups from %u, plugins %s, reports to %s", VERSION, p->sensor,
		 p->own_rules ? "own" : "included", p->rules.group, list,
		 url ? url : !strcmp(conf_str(p->conf, "output"), "-") ? "stdout" : conf_str(p->conf, "output"));
}

/* `net-gazer enroll ...`: the forwarder alone speaks HTTP. */
static void
become_forwarder(char **argv)
{
	char path[PATH_MAX];
	int r;

	argv[0] = (char *)"forwarder";
	argv[1] = (char *)"--enroll";
	/* Where the configuration is not a file of ours (OpenWrt's UCI) the package has a script that asks the forwarder. */
	execv(LIBEXECDIR "/enroll", argv);
	r = become("forwarder", argv, path);
	fatal("%s: %s", path, strerror(-r));
}

int
main(int argc, char **argv)
{
	struct run run = { .argc = argc, .argv = argv, .result = 1 };
	char err[2048];

	if (!strcmp(program_invocation_short_name, CTL_NAME) || (argc > 1 && !strcmp(argv[1], "trace")))
		return ctl_main(argc, argv);
	lean_start();
	log_init("net-gazer", LOG_L_INFO);
	status_remember();
	if (argc > 1 && !strcmp(argv[1], "enroll"))
		become_forwarder(argv);
	run.plan = plan_load(argc, argv, err, sizeof err);
	if (!run.plan)
		fatal("%s", err);
	if (run.plan->flags.usual.help)
		options_print_help();
	else if (run.plan->flags.usual.version)
		printf("net-gazer %s (report schema 1, plugin ABI %d.%d)\n", VERSION, NG_PLUGIN_ABI_MAJOR,
		       NG_PLUGIN_ABI_MINOR);
	else if (run.plan->flags.usual.list)
		options_print_table();
	if (run.plan->flags.usual.help || run.plan->flags.usual.version || run.plan->flags.usual.list)
		return fflush(stdout) ? 1 : 0;
	if (run.plan->flags.rules)
		return print_rules(run.plan);
	if (run.plan->flags.usual.check)
		return checked(run.plan);
	if (run.plan->capture_fd >= 0)
		return replay(run.plan);

	if (run_open(&run) || run_start_output(&run))
		goto out;
	status_answer(&run);
	run_start_prober(&run);
	if (run_start_analyzer(&run) || run_install_rules(&run) || run_drop(&run))
		goto out;
	say_hello(run.plan);
	run.result = run_loop(&run);
out:
	run_close(&run);
	return run.result;
}
