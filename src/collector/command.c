/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * command.c - the table of commands.
 */
#include "command.h"

#include <limits.h>
#include <string.h>

static const struct command table[] = {
	{ "import", import_command, 0, INT_MAX, 1, "FILE...|-: NDJSON or CSV into the database" },
	{ "export", export_command, 0, 0, 0, "out of the database, to stdout" },
	{ "geo", geo_command, 1, INT_MAX, 0, "import FILE... | status | lookup IP...: countries, cities, systems, names" },
	{ "graph", graph_command, 1, 2, 0, "query 'MATCH ...' | rebuild: the graph of hops, and its copy in FalkorDB" },
	{ "demo", demo_command, 0, 0, 1, "reports made up, into an empty database" },
	{ "enroll", enroll_command, 1, 1, 1, "NAME: the line to paste on the router that becomes this sensor" },
	{ "sensors", sensors_command, 0, 0, 1, "who was enrolled" },
	{ "revoke", revoke_command, 1, 1, 1, "NAME: nothing is taken from this sensor any more" },
	{ "user", user_command, 1, 2, 1, "add NAME|remove NAME|list: who may log in; the password comes from stdin" },
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
