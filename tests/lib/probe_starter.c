/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * probe_starter PROGRAM UID MARK IN-BAND FD... - does what the parent does for the prober: opens the raw
 * sockets and a route socket in this network namespace, gives up its user, and becomes PROGRAM.
 *
 * The FDs become 3, 4, ...; the raw sockets 20 to 27 in the order of enum rawsock_kind, the route socket 28.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/priv.h"
#include "lib/rawsock.h"
#include "prober.h"

#define FIRST_FD 20
#define LAST_FD (FIRST_FD + RAWSOCK_KINDS)
#define HIGH_FD 200

/* Out of the way of the numbers that they are to have. */
static int
high(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
}

int
main(int argc, char **argv)
{
	struct rawsock_conf conf = { .port_first = PROBER_PORT_FIRST, .port_last = PROBER_PORT_LAST };
	int fds[LAST_FD + 1];
	struct rawsock_set set;
	char err[300] = "";
	int program;

	if (argc < 6 || argc > 5 + FIRST_FD - PROBER_FD_SETTINGS)
		return 2;
	conf.mark = (uint32_t)strtoul(argv[3], NULL, 0);
	conf.transparent = atoi(argv[4]);
	if (rawsock_open(&set, &conf, err, sizeof err)) {
		fprintf(stderr, "probe_starter: %s\n", err);
		return 1;
	}
	for (int fd = 0; fd <= LAST_FD; fd++)
		fds[fd] = -1;
	for (int i = 5; i < argc; i++)
		fds[PROBER_FD_SETTINGS + i - 5] = high(atoi(argv[i]));
	for (int k = 0; k < RAWSOCK_KINDS; k++)
		fds[FIRST_FD + k] = high(set.fd[k]);
	fds[LAST_FD] = high(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
	/* The user need not be let into the folder. */
	program = high(open(argv[1], O_RDONLY | O_CLOEXEC));
	if (program < 0) {
		perror(argv[1]);
		return 1;
	}
	for (int fd = 3; fd < HIGH_FD; fd++)
		close(fd);
	for (int fd = 3; fd <= LAST_FD; fd++) {
		if (fds[fd] >= 0 && dup2(fds[fd], fd) < 0)
			return 1;
	}
	if (priv_drop((uid_t)atoi(argv[2]), (gid_t)atoi(argv[2])))
		return 1;
	fexecve(program, (char *[]){ (char *)"prober", NULL }, environ);
	perror(argv[1]);
	return 1;
}
