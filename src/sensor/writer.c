/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * writer.c - a copy loop.  What it has read it writes, however long that takes: a full disk is
 * waited for, and what finds no room in the pipe meanwhile the analyzer counts as dropped.
 *
 * It has no right to rename anything: when the file is full it ends, and output.c starts the next one on another.
 */
#include "writer.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/priv.h"
#include "worker.h"

static volatile sig_atomic_t ending;

static void
on_term(int signo)
{
	(void)signo;
	ending = 1;
}

static void
write_all(const char *buf, size_t n)
{
	const struct timespec second = { 1, 0 };
	int told = 0;

	while (n) {
		ssize_t done = write(1, buf, n);

		if (done >= 0) {
			buf += done;
			n -= (size_t)done;
			continue;
		}
		switch (errno) {
		case EINTR:
			break;
		case EAGAIN: { /* somebody else's O_NONBLOCK on our stdout */
			struct pollfd p = { 1, POLLOUT, 0 };

			poll(&p, 1, 1000);
			break;
		}
		case EPIPE:
			_exit(WRITER_CLOSED);
		default:
			if (!told)
				log_warn("reports cannot be written: %s; trying again each second", strerror(errno));
			told = 1;
			nanosleep(&second, NULL);
		}
	}
	if (told)
		log_info("reports are written again");
}

/* How much may be read for the file: it ends at a line's end, so near its limit the rest of a line comes byte by byte. */
static size_t
room(int64_t limit, size_t most, int whole)
{
	/* busybox's `tail -F` looks once a second, and leaves an old file where it was then. */
	const struct timespec look = { 1, 200000000 };
	int64_t n = limit - WORKER_REPORT_MAX - lseek(1, 0, SEEK_END);

	if (!limit || n >= (int64_t)most)
		return most;
	if (n > 0)
		return (size_t)n;
	if (!whole)
		return 1;
	nanosleep(&look, NULL);
	_exit(WRITER_FULL);
}

void
writer_main(void *limit)
{
	/* munmap: musl's free() of what the list itself was made of */
	static const char calls[] =
		"read write poll ppoll nanosleep clock_nanosleep clock_nanosleep_time64 ppoll_time64 "
		"lseek _llseek restart_syscall rt_sigreturn sigreturn exit_group exit getpid munmap";
	const struct sigaction act = { .sa_handler = on_term }; /* no SA_RESTART: read() shall end */
	char buf[65536], last = '\n';
	int r;

	sigaction(SIGTERM, &act, NULL);
	priv_landlock_deny_all(); /* where the kernel has it; our two descriptors stay */
	r = priv_seccomp(calls);
	if (r)
		log_debug("writer: no seccomp: %s", strerror(-r));
	while (!ending || last != '\n') {
		ssize_t n = read(0, buf, room(*(const int64_t *)limit, sizeof buf, last == '\n'));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(n < 0);
		write_all(buf, (size_t)n);
		last = buf[n - 1];
	}
	_exit(0);
}
