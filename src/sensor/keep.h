/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * keep.h - sees to it that the rules stay what they shall be: puts them back in own mode, says what is
 * missing and who took it in include mode.
 */
#ifndef KEEP_H
#define KEEP_H

#include <stdint.h>

#include "lib/loop.h"

struct run;
struct watch_change;

struct keep {
	struct loop_timer timer; /* looks at the rules */
	char missing[512];       /* what; "": nothing */
	char who[40];            /* did the last change that we did not make: "nft (pid 812)" */
	uint64_t changes;        /* of our table, by others */
	int rules;               /* there were, when all was well */
	int doubt;               /* they seemed incomplete when last looked at */
	int tries;               /* of putting the rules back, the last at tried_us */
	int64_t tried_us;
	int64_t said_us;         /* that there was a change */
};

/* From watch.h, with a struct run. */
void keep_changed(void *, const struct watch_change *);

/* Now and then, in case that a change was not told of. */
void keep_look(struct run *);

/* The rules are now as they shall be: own ones were just installed, included ones looked at. */
void keep_installed(struct run *);

#endif
