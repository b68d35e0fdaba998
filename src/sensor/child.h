/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * child.h - starts a process with no privilege and with exactly the descriptors that it is given.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/loop.h"

#define CHILD_FDS_MAX 48

struct child {
	int exec_fd;              /* the program; -1: call fn, which ends with _exit() */
	char *const *argv;
	void (*fn)(void *arg);
	void *arg;
	/* What the child has open, by its number there; 2 is our own.  -1: /dev/null. */
	int fd[CHILD_FDS_MAX];
	size_t n_fds;
	uid_t uid;                /* taken when we are root; else it stays who we are */
	gid_t gid;
};

/* 0, 1 and 2 as said above, nothing else. */
void child_init(struct child *, uid_t uid, gid_t gid);

/* Gives the child one more descriptor; its number there. */
int child_give(struct child *, int fd);

/* What is known of one, for a person who asks. */
struct child_status {
	pid_t pid;                /* 0: none */
	const char *state;
	unsigned starts;
	uint64_t posture;         /* WORKER_POSTURE_*; 0: it did not say */
	const char *ended;        /* how the last one did, if nobody told it to; "": none did */
};

/* The pid, or -errno when any step failed in the child: nothing is left then. */
pid_t child_start(const struct child *);

/* The same without a new process: does not return but with -errno. */
int child_become(const struct child *);

/* Opens a program to be executed.  A descriptor or -errno with a message. */
int child_open(const char *dir, const char *name, char *err, size_t size);

/* What a child says that it gave up (WORKER_POSTURE_*): to the log, and what this kernel does not have. */
void child_posture(const char *name, pid_t, uint64_t posture);

/* One packet of `size` bytes from a child's control socket: 1; 0: nothing.  At the stream's end it is watched no
 * more (SIGCHLD will say how it ended); a packet of another size is the end of the child. */
int child_receive(struct loop_fd *, pid_t, const char *name, void *packet, size_t size);

/* Memory for both of us, of that size for ever: one that a child could cut short would kill us with SIGBUS, one that grows takes all
 * there is.  A descriptor, or -1. */
int child_memory(const char *name, uint64_t bytes);

/* Its control socket is watched no more, and closed; -1 then. */
void child_hang_up(struct loop_fd *, int *fd);

/* Ends it at once and waits for that; 0: there is none. */
void child_kill(pid_t);

/* "signal 11 (Segmentation fault)", "exit status 1". */
const char *child_status_text(int status, char *buf, size_t size);

#endif
