/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * must.h - what a fuzz target says of a thing that has to hold whatever the bytes are.
 */
#ifndef MUST_H
#define MUST_H

#include <stdio.h>
#include <stdlib.h>

static void
must(int ok, const char *what)
{
	if (!ok) {
		fprintf(stderr, "%s\n", what);
		abort();
	}
}

#endif
