/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * checker.c - the process that looks at passwords, and the end of the socket that it is asked through.  It
 * answers in the order in which it was asked.
 */
#include "checker.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "access.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/priv.h"
#include "password.h"

struct question {
	char hash[ACCESS_PASSWORD_MAX];
	char password[PASSWORD_MOST + 1];
};

struct checker {
	struct loop_fd watch;
	int fd; /* -1: it is gone */
	unsigned n;
	struct {
		checker_fn *fn;
		void *arg;
	} waiting[CHECKER_WAITING];
};

static void __attribute__((noreturn))
serve(int fd)
{
	static const char calls[] =
		"read write recvfrom sendto mmap mmap2 munmap mremap mprotect madvise brk futex "
		"futex_time64 clock_gettime clock_gettime64 rt_sigreturn sigreturn exit exit_group";
	static struct question q;
	char answer;

	if (dup2(fd, 0) < 0 || close_range(3, ~0u, 0))
		_exit(1);
	/* Else the allocator, having seen 19 MiB once, keeps them. */
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	priv_cage(calls);
	while (recv(0, &q, sizeof q, 0) == (ssize_t)sizeof q) {
		answer = (char)password_right(q.hash, q.password);
		explicit_bzero(&q, sizeof q);
		if (send(0, &answer, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	_exit(0);
}

static void
give(struct checker *c, int result)
{
	checker_fn *fn = c->waiting[0].fn;
	void *arg = c->waiting[0].arg;

	memmove(c->waiting, c->waiting + 1, --c->n * sizeof *c->waiting);
	fn(arg, result);
}

static void
on_answer(struct loop_fd *f, uint32_t events)
{
	struct checker *c = f->arg;
	char answer;
	ssize_t n;

	(void)events;
	while ((n = recv(c->fd, &answer, 1, MSG_DONTWAIT)) == 1) {
		if (c->n)
			give(c, answer);
	}
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	log_error("the process that checks passwords is gone: nobody can log in until the collector is started again");
	loop_fd_del(&c->watch);
	close(c->fd);
	c->fd = -1;
	while (c->n)
		give(c, -EIO);
}

struct checker *
checker_start(struct loop *loop)
{
	struct checker *c = calloc(1, sizeof *c);
	int pair[2] = { -1, -1 };
	pid_t pid = -1;

	if (c && !socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		pid = fork();
	if (!pid)
		serve(pair[1]);
	if (pair[1] >= 0)
		close(pair[1]);
	if (pid > 0 && !loop_fd_add(loop, &c->watch, pair[0], EPOLLIN, on_answer, c)) {
		c->fd = pair[0];
		return c;
	}
	log_error("cannot start the process that checks passwords: %s", strerror(errno));
	if (pair[0] >= 0)
		close(pair[0]);
	free(c);
	return NULL;
}

void
checker_stop(struct checker *c)
{
	if (!c)
		return;
	loop_fd_del(&c->watch);
	if (c->fd >= 0)
		close(c->fd);
	free(c);
}

int
checker_ask(struct checker *c, const char *hash, const char *password, checker_fn *fn, void *arg)
{
	struct question q = { 0 };
	ssize_t n;

	if (c->fd < 0)
		return -EIO;
	if (c->n == CHECKER_WAITING || strlen(hash) >= sizeof q.hash || strlen(password) >= sizeof q.password)
		return -EBUSY;
	memcpy(q.hash, hash, strlen(hash));
	memcpy(q.password, password, strlen(password));
	n = send(c->fd, &q, sizeof q, MSG_DONTWAIT | MSG_NOSIGNAL);
	explicit_bzero(&q, sizeof q);
	if (n != (ssize_t)sizeof q)
		return -EBUSY;
	c->waiting[c->n].fn = fn;
	c->waiting[c->n++].arg = arg;
	return 0;
}
