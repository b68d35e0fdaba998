/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * live-peer.c - people and servers of a machine that has nothing but busybox (live-guest.sh).
 *
 *	live-peer serve PORT...                 listens on any address, takes connections until it is killed
 *	live-peer connect ADDRESS PORT TIMES    tells each: "SOURCE SPORT ADDRESS PORT ok|refused|timeout SYNS"
 *	live-peer knock ADDRESS PORT TIMES      the same, with one SYN (on a machine that stands still, with more: so SYNS)
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 30000
#define KNOCK_MS 100    /* Linux sends the second SYN after a second */

static int
fail(const char *what)
{
	fprintf(stderr, "live-peer: %s: %s\n", what, strerror(errno));
	return 1;
}

static int
serve(int n, char **ports)
{
	struct pollfd fds[16];

	for (int i = 0; i < n; i++) {
		struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)atoi(ports[i])) };
		int on = 1;

		fds[i].fd = socket(AF_INET6, SOCK_STREAM, 0);
		fds[i].events = POLLIN;
		setsockopt(fds[i].fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
		if (fds[i].fd < 0 || bind(fds[i].fd, (struct sockaddr *)&any, sizeof any) || listen(fds[i].fd, 64))
			return fail(ports[i]);
	}
	puts("serving");
	fflush(stdout);
	for (;;) {
		if (poll(fds, (nfds_t)n, -1) < 0)
			return fail("poll");
		for (int i = 0; i < n; i++) {
			/* The client resets: nothing is left of it here but this descriptor. */
			if (fds[i].revents)
				close(accept(fds[i].fd, NULL, NULL));
		}
	}
}

static int
connect_once(const char *address, uint16_t port, int wait_ms)
{
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to = { 0 }, from;
	struct linger reset = { 1, 0 };
	struct tcp_info info = { 0 };
	socklen_t size = sizeof from, len = sizeof(int), info_size = sizeof info;
	int v6 = strchr(address, ':') != NULL, error = 0, fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct pollfd p = { fd, POLLOUT, 0 };
	char source[INET6_ADDRSTRLEN];
	const char *came = "timeout";

	to.sa.sa_family = v6 ? AF_INET6 : AF_INET;
	if (fd < 0 || inet_pton(to.sa.sa_family, address, v6 ? (void *)&to.v6.sin6_addr : (void *)&to.v4.sin_addr) != 1)
		return fail(address);
	if (v6)
		to.v6.sin6_port = htons(port);
	else
		to.v4.sin_port = htons(port);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
	if (connect(fd, &to.sa, v6 ? sizeof to.v6 : sizeof to.v4) && errno != EINPROGRESS)
		return fail("connect");
	if (getsockname(fd, &from.sa, &size))
		return fail("getsockname");
	if (poll(&p, 1, wait_ms) == 1) {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		came = !error ? "ok" : error == ECONNREFUSED ? "refused" : strerror(error);
	}
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &info_size))
		return fail("TCP_INFO");
	close(fd);
	inet_ntop(to.sa.sa_family, v6 ? (void *)&from.v6.sin6_addr : (void *)&from.v4.sin_addr, source, sizeof source);
	printf("%s %u %s %u %s %u\n", source, ntohs(v6 ? from.v6.sin6_port : from.v4.sin_port), address, port, came,
	       info.tcpi_total_retrans + 1);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc > 2 && argc < 18 && !strcmp(argv[1], "serve"))
		return serve(argc - 2, argv + 2);
	if (argc == 5 && (!strcmp(argv[1], "connect") || !strcmp(argv[1], "knock"))) {
		for (int i = 0; i < atoi(argv[4]); i++) {
			if (connect_once(argv[2], (uint16_t)atoi(argv[3]), argv[1][0] == 'k' ? KNOCK_MS : WAIT_MS))
				return 1;
		}
		return 0;
	}
	fprintf(stderr, "usage: live-peer serve PORT... | live-peer connect|knock ADDRESS PORT TIMES\n");
	return 2;
}
