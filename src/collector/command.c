/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * command.c - the table of commands.
 */
#include "command.h"

#include <limits.h>
#include <string.h>

static const struct command table[] = {
	{ "import", import_command, 0, INT_MAX, 1, "FILE...|-: NDJSON into the database" },
	{ "export", export_command, 0, 0, 0, "out of the database, to stdout" },
	{ "geo", geo_command, 1, INT_MAX, 0, "import FILE... | status | lookup IP...: countries, cities, systems, names" },
	{ "demo", demo_command, 0, 0, 1, "reports made up, into an empty database" },
};

const struct command *
command_row(size_t i)
{
	return i < sizeof table / sizeof *table ? &table[i] : NULL;
}

const struct command *
command_find(const char *name)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (!strcmp(table[i].name, name))
			return &table[i];
	}
	return NULL;
}
