/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * become.h - another of our programs instead of this one.
 */
#ifndef BECOME_H
#define BECOME_H

#include <limits.h>

/* The one that is installed, else the one beside us: in the tree that both were built in.  Returns only
 * when that failed: -errno, and in path which was tried last. */
int become(const char *name, char *const *argv, char path[PATH_MAX]);

#endif
