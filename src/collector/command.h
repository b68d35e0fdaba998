/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * command.h - what net-gazer-collector does with its database beside serving it: import, export, demo.
 * main.c calls one of them, and ends with what it gives.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include "lib/conf.h"
#include "settings.h"

/* NDJSON of the files, "-" is stdin, into the database.  0; 1 when lines were refused; 2 when it could not. */
int import_command(const struct conf *, char *const *files, int n);
/* Out of the database, to stdout, beside a collector that runs or not.  0, or 2 when it could not. */
int export_command(const struct conf *);
/* Reports made up from a seed, into an empty database.  0, or 2 when it could not. */
int demo_command(const struct conf *);

#endif
