/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * options.h - the command line of `net-gazerctl trace`, from one table.
 */
#ifndef TRACE_OPTIONS_H
#define TRACE_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "trace/target.h"

#define TRACE_PATHS_MAX 32

struct trace_options {
	struct target target;
	uint8_t method;         /* enum prober_method */
	uint8_t ipv;            /* 4, 6, or 0: whichever the name has */
	uint8_t max_ttl;
	uint8_t probes;
	uint16_t port;          /* of -p, of HOST:PORT, or the method's; ICMP: 0 */
	unsigned paths;         /* flows; 1: no branches are looked for */
	int json;
	int cached;
	int own;
	const char *connect;    /* NULL: the usual place */
	const char *libexec_dir; /* NULL: beside us, or where it is installed */
	int help;               /* --help: nothing else is set */
	int list;               /* --options */
};

/* 0; or -1 with what would be right in err. */
int options_parse(struct trace_options *, int argc, char **argv, char *err, size_t size);

void options_help(void);

/* One option a line: name, type, default, help; tab-separated. */
void options_list(void);

#endif
