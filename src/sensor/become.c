/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * become.c - a command that is a program of its own, because not every router has use for it.
 */
#include "become.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int
become(const char *name, char *const *argv, char path[PATH_MAX])
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	snprintf(path, PATH_MAX, "%s/%s", LIBEXECDIR, name);
	execv(path, argv);
	if (errno != ENOENT || n <= 0)
		return -errno;
	self[n] = 0;
	/* Where we are installed, what stands beside us is anybody's. */
	if (!strcmp(dirname(self), SBINDIR))
		return -ENOENT;
	if (snprintf(path, PATH_MAX, "%s/%s", self, name) >= PATH_MAX)
		return -ENAMETOOLONG;
	execv(path, argv);
	return -errno;
}
