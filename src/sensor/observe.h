/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * observe.h - looks at the table in the kernel, whoever made it: whose it is, whether it logs what we
 * need, what its counters say.
 */
#ifndef OBSERVE_H
#define OBSERVE_H

#include "sensor/nft.h"
#include "sensor/ruleset.h"

struct observe_counters {
	uint32_t have;                    /* bit for each row whose counters there are */
	uint64_t seen[CLASSES_ROWS];
	uint64_t logged[CLASSES_ROWS];
	uint64_t table;                   /* its handle: another one when it was loaded again */
};

/* 0, or -EPERM with a message when the table belongs to another running process. */
int observe_owner(struct nft *, char *err, size_t size);

/* What else included rules do. */
struct observe_included {
	int rules;                        /* so many log, or jump to such */
	int acks;                         /* the ACKs that end handshakes are copied too */
	char no_prober[200];              /* why answers to probes do not come over their group; "": they do, and probes with our
					   * mark are not tracked */
};

/* Do the rules log to each group of the analyzer, at each hook that classes.c has for it, whole headers?  0 or -errno with a
 * message. */
int observe_verify(struct nft *, const struct ruleset_spec *, struct observe_included *, char *err, size_t size);

/* A sum over what the table does, whoever made it: hooks, rules, home networks; no counts, no handles.  0; or -errno, *sum is as it was. */
int observe_sum(struct nft *, uint32_t *sum);

/* Whether somebody else's rules use connection tracking, for IPv4 and for IPv6: 1, 0, or -errno when that cannot be told now (they
 * are being changed).  One of ours, in a table for both, would begin it otherwise: with it come defragmentation, and a table that
 * can be full. */
int observe_tracked(struct nft *);

/* 0 or -errno; -ENOENT when the table or its counters are gone. */
int observe_counters(struct nft *, struct observe_counters *);

#endif
