/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hosts.c - the TCP servers of every leaf network, in one process.
 *
 *   hosts CONFIG        lines: listen NS PORT      (NS: a name under /run/netns)
 *
 * A socket stays in the namespace it was made in, so one process serves them all.  A connection is
 * held, and what arrives is echoed, until the peer closes.  Says "ready", then runs until SIGTERM.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define LISTENER (1ull << 32) /* in epoll's data, above the descriptor */

static volatile sig_atomic_t stop;

static void
die(const char *what)
{
	fprintf(stderr, "hosts: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
on_signal(int signum)
{
	(void)signum;
	stop = 1;
}

static int
listen_in(const char *ns, unsigned port, int home)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	int one = 1, zero = 0, ns_fd, fd;
	char path[256];

	snprintf(path, sizeof(path), "/run/netns/%s", ns);
	ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (ns_fd < 0 || setns(ns_fd, CLONE_NEWNET) < 0)
		die(path);
	close(ns_fd);
	fd = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	if (bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 || listen(fd, 1024) < 0)
		die("listen");
	if (setns(home, CLONE_NEWNET) < 0)
		die("setns");
	return fd;
}

static void
add(int ep, int fd, uint64_t tag)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u64 = tag | (uint32_t)fd };

	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) < 0)
		close(fd);
}

static void
load(const char *file, int ep)
{
	FILE *f = fopen(file, "r");
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	char line[256], ns[64];
	unsigned port;

	if (!f || home < 0)
		die(file);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "listen %63s %u", ns, &port) != 2) {
			fprintf(stderr, "hosts: bad line: %s", line);
			exit(1);
		}
		add(ep, listen_in(ns, port, home), LISTENER);
	}
	fclose(f);
	close(home);
}

static void
echo(int fd)
{
	char buf[16384];
	ssize_t n = read(fd, buf, sizeof(buf));

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || (write(fd, buf, (size_t)n) < 0 && errno != EAGAIN))
		close(fd);
}

int
main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };
	struct sigaction sa = { .sa_handler = on_signal };
	struct epoll_event got[64];
	int ep = epoll_create1(EPOLL_CLOEXEC);

	if (argc != 2) {
		fprintf(stderr, "usage: hosts CONFIG\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_NOFILE, &files);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	load(argv[1], ep);
	puts("ready");
	fflush(stdout);

	while (!stop) {
		int n = epoll_wait(ep, got, 64, -1);

		for (int i = 0; i < n; i++) {
			int fd = (int)(uint32_t)got[i].data.u64, c;

			if (!(got[i].data.u64 & LISTENER)) {
				echo(fd);
				continue;
			}
			while ((c = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
				add(ep, c, 0);
		}
	}
	return 0;
}
