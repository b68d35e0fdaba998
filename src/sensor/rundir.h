/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rundir.h - the folder runtime-dir, in use by one net-gazer at a time: the file that the prober keeps
 * its daily budgets in, and the socket that people ask for traces at.
 */
#ifndef RUNDIR_H
#define RUNDIR_H

#include <stddef.h>
#include <sys/types.h>

struct rundir {
	int dir;        /* locked; -1: not open */
	int budgets;    /* the file, for reading and writing */
	int listen;     /* listening; -1: not (yet) */
	char path[108]; /* the socket's */
};

/* Closed. */
void rundir_init(struct rundir *);

/* Makes the folder if it is not there, takes it, opens the budgets.  0; or -errno with what is wrong and what
 * to do, nothing open. */
int rundir_open(struct rundir *, const char *dir, char *err, size_t size);

/* The socket: only root and members of `gid` can connect.  0 or -errno with a message. */
int rundir_listen(struct rundir *, gid_t gid, char *err, size_t size);

/* Nobody can connect any more. */
void rundir_unlisten(struct rundir *);

/* For others that live there.  Makes the folder if it is not there, and sees to it that nobody else can write
 * to it.  A descriptor, not locked; or -errno with a message. */
int rundir_make(const char *dir, char *err, size_t size);

/* A listening socket (SOCK_SEQPACKET) at a path in such a folder, in place of what is there: only root and
 * members of `gid` can connect.  A descriptor, or -errno with a message. */
int rundir_socket(const char *path, gid_t gid, char *err, size_t size);

/* Removes the socket; the budgets stay for the next one. */
void rundir_close(struct rundir *);

#endif
