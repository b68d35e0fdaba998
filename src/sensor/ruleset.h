/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ruleset.h - the kernel's rules: builds them in own mode, looks for them in include mode, reads
 * their counters in both.  Never a verdict, never a jump.
 */
#ifndef RULESET_H
#define RULESET_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "sensor/classes.h"

struct ruleset;

/* What the rules shall be. */
struct ruleset_spec {
	uint32_t classes;                 /* enum ng_class, ORed: what plugins subscribe to */
	uint16_t group;                   /* base */
	int loopback;                     /* packets over lo too */
	uint32_t limit[CLASSES_ROWS];     /* packets a second */
	uint32_t snaplen[CLASSES_ROWS];
	const struct addr_prefix *home;
	size_t n_home;
};

struct ruleset_counters {
	uint32_t have;                    /* bit for each row whose counters there are */
	uint64_t seen[CLASSES_ROWS];
	uint64_t logged[CLASSES_ROWS];
	uint64_t table;                   /* its handle: another one when it was loaded again */
};

/* 0 or -errno with a message. */
int ruleset_open(struct ruleset **, char *err, size_t size);

/* Own mode: 0, or -EPERM with a message when the table belongs to another running process. */
int ruleset_check(struct ruleset *, char *err, size_t size);

/* Own mode.  The first time makes the table, with the owner flag where the kernel knows it; later
 * replaces the rules in one step and leaves the counters as they are. */
int ruleset_install(struct ruleset *, const struct ruleset_spec *, char *err, size_t size);

/* Takes the rules away and leaves the counters, to be read a last time. */
int ruleset_silence(struct ruleset *);

/* Include mode: is there a rule that logs to each group? */
int ruleset_verify(struct ruleset *, const struct ruleset_spec *, char *err, size_t size);

/* 0 or -errno; -ENOENT when the table or its counters are gone. */
int ruleset_counters(struct ruleset *, struct ruleset_counters *);

/* Removes the table when it is ours, and closes. */
void ruleset_close(struct ruleset *);

#endif
