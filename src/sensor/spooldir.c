/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * spooldir.c - opened here, while there is a right to make it; the forwarder gets the descriptor.
 */
#include "spooldir.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sensor/denied.h"

/* `look`: nothing is made; 0 when it could be. */
static int
find(const char *dir, int look, uid_t uid, gid_t gid, char *err, size_t size)
{
	int made, fd, e;
	char in[4096];
	struct stat st;

	if (geteuid()) {
		uid = geteuid();
		gid = getegid();
	}
	snprintf(in, sizeof in, "%s", dir);
	made = look ? !access(dirname(in), W_OK | X_OK) : !mkdir(dir, 0700);
	e = -errno;
	/* Not through a link: it would be somebody else's choice where we write. */
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		if (errno != ENOENT)
			e = -errno;
		else if (made && look)
			return 0;
		errno = -e;
		if (e == -EACCES)
			denied_say("spool-dir", dir, err, size);
		else
			snprintf(err, size, "spool-dir %s: %s%s", dir,
				 e == -ENOTDIR || e == -ELOOP ? "no directory (or a link to one)" : strerror(-e),
				 e == -ENOENT ? "; the directory that it is in has to be there" : "");
		return e;
	}
	if (made && !look && ((!geteuid() && fchown(fd, uid, gid)) || fchmod(fd, 0700))) {
		e = -errno;
		rmdir(dir);
		snprintf(err, size, "spool-dir %s: it cannot be given to uid %u: %s", dir, uid, strerror(-e));
		goto fail;
	}
	if (fstat(fd, &st)) {
		e = -errno;
		snprintf(err, size, "spool-dir %s: %s", dir, strerror(-e));
		goto fail;
	}
	if (st.st_uid == uid && !(st.st_mode & 077))
		return fd;
	e = -EPERM;
	snprintf(err, size, "spool-dir %s belongs to uid %u with mode %04o, others could read or change what is in it; "
		 "run: chown %u:%u %s && chmod 700 %s", dir, st.st_uid, st.st_mode & 07777, uid, gid, dir, dir);
fail:
	close(fd);
	return e;
}

int
spooldir_open(const char *dir, uid_t uid, gid_t gid, char *err, size_t size)
{
	return find(dir, 0, uid, gid, err, size);
}

int
spooldir_look(const char *dir, uid_t uid, gid_t gid, char *err, size_t size)
{
	int fd = find(dir, 1, uid, gid, err, size);

	if (fd > 0)
		close(fd);
	return fd < 0 ? fd : 0;
}
