/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ctl.c - what a person at the router asks net-gazer.  A command is a file: this one only finds it.
 */
#include "ctl.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "ctl/doctor.h"
#include "ctl/metrics.h"
#include "ctl/plugins.h"
#include "ctl/reload.h"
#include "ctl/rules.h"
#include "ctl/status.h"
#include "ctl/top.h"
#include "lib/log.h"
#include "sensor/become.h"

/* A program of its own, which is there where the prober is.  Its exit status for "not traced". */
static int
trace(int argc, char **argv)
{
	char path[PATH_MAX];
	int r = become("trace", argv, path);

	(void)argc;
	if (r == -ENOENT)
		log_error("the prober and trace are not installed (on OpenWrt: package net-gazer-plugin-traceroute)");
	else
		log_error("%s: %s", path, strerror(-r));
	return 2;
}

static const struct {
	const char *name;
	int (*fn)(int argc, char **argv); /* the exit status */
	const char *help;
} commands[] = {
	{ "status", status_main, "say how a running net-gazer is doing" },
	{ "doctor", doctor_main, "say why there is no data" },
	{ "top", top_main, "show who is busy now" },
	{ "plugins", plugins_main, "list its plugins, and how each is doing" },
	{ "reload", reload_main, "have it read its configuration again" },
	{ "rules", rules_main, "print the firewall rules that it needs, for nft -f" },
	{ "metrics", metrics_main, "print its numbers for Prometheus" },
	{ "trace", trace, "show the path to a host" },
};

static int
help(void)
{
	puts("usage: net-gazerctl COMMAND [ARGUMENT]...\n"
	     "Asks a running net-gazer, or does without.\n");
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	puts("\n`net-gazerctl COMMAND --help' says more.");
	return fflush(stdout) ? 1 : 0;
}

int
ctl_main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";

	log_init(CTL_NAME, LOG_L_INFO);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (!strcmp(word, commands[i].name))
			return commands[i].fn(argc - 1, argv + 1);
	}
	if (!strcmp(word, "-h") || !strcmp(word, "--help"))
		return help();
	if (!strcmp(word, "-V") || !strcmp(word, "--version")) {
		printf("net-gazerctl %s\n", VERSION);
		return fflush(stdout) ? 1 : 0;
	}
	log_error("%s%s; see net-gazerctl --help", *word ? word : "a command is missing", *word ? ": no such command" : "");
	return 2;
}
