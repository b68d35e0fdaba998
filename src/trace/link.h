/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * link.h - the way to a prober: the one that net-gazer runs, or one of our own.  What comes back is
 * checked before anyone sees it.
 */
#ifndef LINK_H
#define LINK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "prober.h"

struct link {
	int fd;       /* SOCK_SEQPACKET */
	int control;  /* of our own prober, else -1 */
	pid_t pid;    /* the same, else 0 */
};

#define LINK_DEFAULT "/run/net-gazer" /* runtime-dir */

/* To the prober that runs.  `where`: its socket, or the folder that it is in.  0; -ENOENT: there is
 * none; another -errno.  err says which socket, and why not. */
int link_connect(struct link *, const char *where, char *err, size_t size);

/* Starts one; dir NULL: beside this program, or where it is installed.  0; or -errno with err. */
int link_own(struct link *, const char *dir, char *err, size_t size);

/* 0 or -errno. */
int link_ask(const struct link *, const struct prober_request *);

union link_msg {
	uint32_t type;
	struct prober_progress progress;
	struct prober_result result;
};

/* Does not wait.  A PROBER_MSG_*; 0: nothing is there; -EPIPE: the other end is gone; -EPROTO: what
 * came is no message. */
int link_read(const struct link *, union link_msg *);

/* 0 when the bytes are a message that the prober may send; or -EPROTO. */
int link_check(const union link_msg *, size_t len);

/* Ends our own prober; what became of it goes to *status if that is not NULL. */
void link_close(struct link *, int *status);

#endif
