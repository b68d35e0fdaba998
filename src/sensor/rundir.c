/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rundir.c - a folder that nobody else can write to, a lock on it, a file and a socket in it.
 */
#include "rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "prober.h"

#define RUNDIR_BUDGETS "budgets"
#define RUNDIR_BACKLOG 8

void
rundir_init(struct rundir *r)
{
	*r = (struct rundir){ .dir = -1, .budgets = -1, .listen = -1 };
}

int
rundir_make(const char *dir, char *err, size_t size)
{
	struct stat st;
	int made = !mkdir(dir, 0755), fd, e;

	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st)) {
		e = -errno;
		snprintf(err, size, "runtime-dir %s: %s", dir, strerror(-e));
		goto fail;
	}
	if ((st.st_uid != 0 && st.st_uid != geteuid()) || st.st_mode & (S_IWGRP | S_IWOTH)) {
		snprintf(err, size, "runtime-dir %s can be written by others; run: chown root %s && chmod 755 %s", dir,
			 dir, dir);
		e = -EPERM;
		goto fail;
	}
	/* Whatever our umask is: people have to get to the socket. */
	if (!made || !fchmod(fd, 0755))
		return fd;
	e = -errno;
	snprintf(err, size, "runtime-dir %s: %s", dir, strerror(-e));
fail:
	if (fd >= 0)
		close(fd);
	return e;
}

/* 0 or -errno with a message. */
static int
open_dir(struct rundir *r, const char *dir, char *err, size_t size)
{
	int e;

	r->dir = rundir_make(dir, err, size);
	if (r->dir < 0)
		return r->dir;
	if (flock(r->dir, LOCK_EX | LOCK_NB)) {
		e = -errno;
		snprintf(err, size, "runtime-dir %s: %s", dir, e == -EWOULDBLOCK ?
			 "another net-gazer uses it, set another one" : strerror(-e));
		return e;
	}
	return 0;
}

int
rundir_open(struct rundir *r, const char *dir, char *err, size_t size)
{
	struct stat st;
	int e;

	rundir_init(r);
	e = open_dir(r, dir, err, size);
	if (e)
		goto fail;
	snprintf(r->path, sizeof r->path, "%s/%s", dir, PROBER_SOCKET_PATH);
	r->budgets = openat(r->dir, RUNDIR_BUDGETS, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	e = r->budgets < 0 || fstat(r->budgets, &st) ? -errno : S_ISREG(st.st_mode) ? 0 : -EINVAL;
	if (!e)
		return 0;
	snprintf(err, size, "%s/" RUNDIR_BUDGETS ": %s", dir, e == -EINVAL ? "no regular file" : strerror(-e));
fail:
	rundir_close(r);
	return e;
}

int
rundir_socket(const char *path, gid_t gid, char *err, size_t size)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	gid_t was;
	mode_t mask;
	int fd, e, death = 0;

	snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		e = -errno;
		goto fail;
	}
	unlink(path);
	/* Born with its group and mode: there is no moment in which somebody else could connect, and no
	 * right to change owners is needed.  Another group clears the signal that whoever started us may have
	 * tied our life to his with (prctl(2)). */
	prctl(PR_GET_PDEATHSIG, &death);
	mask = umask(0117);
	was = (gid_t)setfsgid(gid);
	e = bind(fd, (const struct sockaddr *)&at, sizeof at) || listen(fd, RUNDIR_BACKLOG) ? -errno : 0;
	setfsgid(was);
	prctl(PR_SET_PDEATHSIG, death);
	umask(mask);
	if (!e)
		return fd;
	close(fd);
fail:
	snprintf(err, size, "%s: %s", path, strerror(-e));
	return e;
}

int
rundir_listen(struct rundir *r, gid_t gid, char *err, size_t size)
{
	int fd;

	if (r->listen >= 0)
		return 0;
	/* The lock is ours: whoever made the socket that is there has ended. */
	fd = rundir_socket(r->path, gid, err, size);
	if (fd < 0)
		return fd;
	r->listen = fd;
	return 0;
}

void
rundir_unlisten(struct rundir *r)
{
	if (r->listen < 0)
		return;
	unlink(r->path);
	close(r->listen);
	r->listen = -1;
}

void
rundir_close(struct rundir *r)
{
	rundir_unlisten(r);
	if (r->budgets >= 0)
		close(r->budgets);
	if (r->dir >= 0)
		close(r->dir);
	rundir_init(r);
}
