/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * watch.h - hears of every change to the firewall's rules (NFNLGRP_NFTABLES), and hands on those to our
 * table that we did not make, with who it was; of others, that rules of theirs changed.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stddef.h>
#include <stdint.h>

#include "lib/loop.h"

struct watch;

/* One transaction; or, with `lost`, what may have been any number of them. */
struct watch_change {
	int ours;       /* our table was changed */
	int others;     /* so were rules of another */
	int lost;       /* the kernel had more to tell than the socket holds */
	uint32_t pid;   /* of who did it; 0: not known */
	char name[17];  /* its program, printable; "": not known */
};

typedef void watch_fn(void *arg, const struct watch_change *);

/* 0 or -errno with a message.  Transactions of the socket with netlink port `own` are passed over. */
int watch_open(struct watch **, uint32_t own, char *err, size_t size);
void watch_close(struct watch *);

/* Tells `fn` from now on; 0 or -errno. */
int watch_start(struct watch *, struct loop *, watch_fn *fn, void *arg);

#endif
