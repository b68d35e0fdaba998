/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ruleset.h - the kernel's rules in own mode: builds, replaces and removes them.  Never a verdict;
 * jumps lead to chains that end, and come back.
 */
#ifndef RULESET_H
#define RULESET_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "sensor/classes.h"

struct nft;
struct ruleset;

/* What the rules shall be. */
struct ruleset_spec {
	uint32_t classes;                 /* enum ng_class, ORed: what plugins subscribe to; CLASSES_TO_PROBER */
	int owner;                        /* nobody else may change them */
	uint16_t group;                   /* base */
	int loopback;                     /* packets over lo too */
	int acks;                         /* the ACKs of forwarded handshakes too: conntrack runs anyway, and counts packets */
	uint32_t mark;                    /* of our own probes: never mirrored, not tracked */
	uint32_t limit[CLASSES_ROWS];     /* packets a second */
	uint32_t snaplen[CLASSES_ROWS];
	const struct addr_prefix *home;
	size_t n_home;
};

/* 0 or -errno with a message. */
int ruleset_open(struct ruleset **, char *err, size_t size);

/* Own mode.  The first time makes the table, with the owner flag if wanted and known to the kernel; later
 * replaces the rules in one step and leaves the counters as they are. */
int ruleset_install(struct ruleset *, const struct ruleset_spec *, char *err, size_t size);

/* The same with a new table: whatever somebody put into ours goes.  Counters begin at 0. */
int ruleset_replace(struct ruleset *, const struct ruleset_spec *, char *err, size_t size);

/* Takes the rules away and leaves the counters, to be read a last time. */
int ruleset_silence(struct ruleset *);

/* Removes the table when it is ours, and closes. */
void ruleset_close(struct ruleset *);

/* The socket, for observe.h. */
struct nft *ruleset_nft(const struct ruleset *);

/* "cannot VERB: WHAT: reason", and what to do. */
void ruleset_explain(const char *verb, int error, const char *what, char *err, size_t size);

#endif
