/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * holder.c - group to netlink port to socket to process, each from a file of /proc.
 */
#include "holder.h"

#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint32_t
holder_port(const char *text, uint16_t group)
{
	unsigned g, port;

	/* group, portid, ... */
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		if (sscanf(text, "%u %u", &g, &port) == 2 && g == group)
			return port;
	}
	return 0;
}

uint64_t
holder_inode(const char *text, uint32_t portid)
{
	unsigned protocol, port;
	uint64_t inode;

	/* sk Eth Pid Groups Rmem Wmem Dump Locks Drops Inode */
	for (; *text; text += strcspn(text, "\n"), text += *text == '\n') {
		if (sscanf(text, "%*s %u %u %*s %*s %*s %*s %*s %*s %" SCNu64, &protocol, &port, &inode) == 3 &&
		    protocol == NETLINK_NETFILTER && port == portid)
			return inode;
	}
	return 0;
}

/* A whole file of /proc, or NULL; free(). */
static char *
slurp(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t size = 0;

	if (!f)
		return NULL;
	if (getdelim(&text, &size, 0, f) < 0) {
		free(text);
		text = NULL;
	}
	fclose(f);
	return text;
}

/* The first process that has the socket open; 0: not to be seen. */
static pid_t
find_process(uint64_t inode)
{
	char want[40], path[300], have[40];
	DIR *proc = opendir("/proc"), *fds;
	struct dirent *p, *f;
	pid_t found = 0;

	snprintf(want, sizeof want, "socket:[%" PRIu64 "]", inode);
	while (proc && !found && (p = readdir(proc))) {
		if (!isdigit((unsigned char)p->d_name[0]))
			continue;
		snprintf(path, sizeof path, "/proc/%s/fd", p->d_name);
		fds = opendir(path);
		while (fds && !found && (f = readdir(fds))) {
			ssize_t n = readlinkat(dirfd(fds), f->d_name, have, sizeof have - 1);

			if (n > 0 && (have[n] = 0, !strcmp(have, want)))
				found = (pid_t)atoi(p->d_name);
		}
		if (fds)
			closedir(fds);
	}
	if (proc)
		closedir(proc);
	return found;
}

uint32_t
holder_find(uint16_t group, pid_t *pid, char *name, size_t size)
{
	char *log = slurp("/proc/net/netfilter/nfnetlink_log");
	char *sockets = slurp("/proc/net/netlink");
	uint32_t port = log ? holder_port(log, group) : 0;
	uint64_t inode = port && sockets ? holder_inode(sockets, port) : 0;
	char path[64], *comm = NULL;

	*pid = inode ? find_process(inode) : 0;
	if (*pid) {
		snprintf(path, sizeof path, "/proc/%d/comm", *pid);
		comm = slurp(path);
		if (comm)
			comm[strcspn(comm, "\n")] = 0;
	}
	snprintf(name, size, "%s", comm ? comm : "?");
	free(comm);
	free(log);
	free(sockets);
	return port;
}
