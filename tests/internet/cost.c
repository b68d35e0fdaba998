/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * cost.c - runs a command in a network namespace and says what it took.
 *
 *   cost NS OUT COMMAND...
 *
 * Waits for the command and for every process that it leaves behind, then writes to OUT: wall seconds,
 * CPU seconds of all of them, and the largest resident size of any one in KiB.  Small and in C, for a
 * child begins with its parent's size.  SIGTERM kills the command and what it started.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void
on_term(int signum)
{
	(void)signum;
	if (child > 0)
		kill(-child, SIGKILL);
}

static double
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int
main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_term };
	double begin, end = 0, cpu = 0;
	struct rusage used;
	char path[256];
	long rss_kb = 0;
	pid_t ended;
	FILE *out;
	int fd;

	if (argc < 4) {
		fprintf(stderr, "usage: cost NS OUT COMMAND...\n");
		return 2;
	}
	snprintf(path, sizeof(path), "/run/netns/%s", argv[1]);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) {
		fprintf(stderr, "cost: %s: %s\n", path, strerror(errno));
		return 1;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1UL, 0UL, 0UL, 0UL);
	sigaction(SIGTERM, &sa, NULL);

	begin = seconds();
	child = fork();
	if (child == 0) {
		setpgid(0, 0);
		execvp(argv[3], argv + 3);
		_exit(127);
	}
	setpgid(child, child);
	while ((ended = wait4(-1, NULL, 0, &used)) > 0 || errno == EINTR) {
		if (ended < 0)
			continue;
		if (ended == child)
			end = seconds();
		cpu += (double)used.ru_utime.tv_sec + (double)used.ru_utime.tv_usec / 1e6;
		cpu += (double)used.ru_stime.tv_sec + (double)used.ru_stime.tv_usec / 1e6;
		if (used.ru_maxrss > rss_kb)
			rss_kb = used.ru_maxrss;
	}
	out = fopen(argv[2], "w");
	if (!out)
		return 1;
	fprintf(out, "{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"rss_kb\": %ld}\n", end - begin, cpu, rss_kb);
	return fclose(out) ? 1 : 0;
}
