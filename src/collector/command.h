/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * command.h - what net-gazer-collector does beside serving: `net-gazer-collector NAME [ARGUMENTS]`.  A new
 * command is a row in command.c and a file with its function.  main.c calls it, and ends with what it gives.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "lib/conf.h"

/* What the process ends with: 0; 1 when a part was refused; 2 when it could not. */
typedef int command_fn(const struct conf *, char *const *arguments, int n);

struct command {
	const char *name;
	command_fn *run;
	int least, most;  /* arguments */
	int makes;        /* the database's folder, if it is missing */
	const char *help; /* behind the name */
};

/* NULL: there is none of that name.  command_row(): NULL behind the last. */
const struct command *command_find(const char *name);
const struct command *command_row(size_t i);

/* NDJSON of the files, "-" is stdin, into the database. */
command_fn import_command;
/* Out of the database, to stdout, beside a collector that runs or not. */
command_fn export_command;
/* Files that say where addresses are, and what they say. */
command_fn geo_command;
/* Questions about the graph of hops, and its projection. */
command_fn graph_command;
/* Reports made up from a seed, into an empty database. */
command_fn demo_command;
/* Sensors and users, beside a collector that runs or not. */
command_fn enroll_command;
command_fn sensors_command;
command_fn revoke_command;
command_fn user_command;

#endif
