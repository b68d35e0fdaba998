/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * denied.c - who reads the message wants to know which folder is closed, or what to run.
 */
#include "denied.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
denied_say(const char *option, const char *path, char *err, size_t size)
{
	int n = snprintf(err, size, "%s %s: %s", option, path, strerror(errno));
	char folder[PATH_MAX] = "";
	const char *p = path;

	if (errno != EACCES || n < 0 || (size_t)n >= size)
		return;
	while ((p = strchr(p + 1, '/'))) {
		snprintf(folder, sizeof folder, "%.*s", (int)(p - path), path);
		if (access(folder, X_OK))
			break;
	}
	if (!p && !access(path, F_OK))
		snprintf(err + n, size - (size_t)n, "; run: chown %u %s", geteuid(), path);
	else
		snprintf(err + n, size - (size_t)n, ": uid %u may not %s %s; choose another folder", geteuid(),
			 p ? "enter" : "write to", *folder ? folder : *path == '/' ? "/" : ".");
}
