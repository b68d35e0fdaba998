/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.h - the collector's options: one table for command line, environment, file, --help,
 * --options and the tests that compare the manual and the sample file with it.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>

#include "hosts.h"
#include "lib/conf.h"
#include "store.h"

struct command;

struct settings_flags {
	struct conf_flags usual;
	int validate;
	const struct command *command; /* NULL: the collector itself */
	int first;           /* place in argv of what the command is given */
};

/* Everything read and checked, or NULL with a message in err.  *path: the file, NULL if none.  For
 * --help, --version, --options and --validate it is read no further than the command line. */
struct conf *settings_load(int argc, char **argv, struct settings_flags *, const char **path,
			   char *err, size_t err_size);

struct store_limits settings_limits(const struct conf *);
void settings_hosts(const struct conf *, struct hosts *, unsigned port);

void settings_print_help(void);
void settings_print_table(void);

#endif
