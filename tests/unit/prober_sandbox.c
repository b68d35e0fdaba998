/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The closed sandbox, from inside: what a prober that somebody took over could still do.  Each try is a
 * process of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../src/prober/sandbox.c"
#include "worker.h"

static int pair[2], bound;

/* 0: it worked; else errno. */
static int
result_of(long r)
{
	return r < 0 ? errno : 0;
}

static int
try_socket(void)
{
	return result_of(socket(AF_INET, SOCK_STREAM, 0));
}

static int
try_raw_socket(void)
{
	return result_of(socket(AF_INET, SOCK_RAW, IPPROTO_RAW));
}

static int
try_socketpair(void)
{
	int s[2];

	return result_of(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
}

static int
try_connect(void)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	return result_of(connect(bound, (struct sockaddr *)&to, sizeof to));
}

static int
try_bind(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET };

	return result_of(bind(bound, (struct sockaddr *)&any, sizeof any));
}

static int
try_listen(void)
{
	return result_of(listen(bound, 1));
}

static int
try_setsockopt(void)
{
	int mark = 1;

	return result_of(setsockopt(bound, SOL_SOCKET, SO_MARK, &mark, sizeof mark));
}

static int
try_open(void)
{
	return result_of(open("/etc/passwd", O_RDONLY));
}

static int
try_open_write(void)
{
	return result_of(open("/tmp/prober-sandbox", O_WRONLY | O_CREAT, 0600));
}

static int
try_unlink(void)
{
	return result_of(unlink("/tmp/prober-sandbox"));
}

static int
try_fork(void)
{
	long r = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	while (!r)
		syscall(SYS_exit_group, 0);
	return result_of(r);
}

static int
try_setuid(void)
{
	return result_of(setresuid(0, 0, 0));
}

static int
try_kill(void)
{
	return result_of(kill(getppid(), 0));
}

static int
try_dumpable(void)
{
	return result_of(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int
try_execve(void)
{
	char *argv[] = { (char *)"true", NULL };

	return result_of(execve("/bin/true", argv, argv + 1));
}

static int
try_ptrace(void)
{
	return result_of(ptrace(PTRACE_TRACEME, 0, 0, 0));
}

/* What its work needs. */
static int
try_work(void)
{
	struct sockaddr_un from;
	struct epoll_event ev;
	struct timespec ts;
	struct ucred who;
	socklen_t len = sizeof from, size = sizeof who;
	char c = 'x';
	struct iovec iov = { &c, 1 };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (sendmsg(pair[0], &m, MSG_NOSIGNAL) != 1 || recvmsg(pair[1], &m, MSG_DONTWAIT) != 1 ||
	    send(pair[0], &c, 1, 0) != 1 || recv(pair[1], &c, 1, 0) != 1 || clock_gettime(CLOCK_REALTIME, &ts) ||
	    getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &who, &size) || write(2, "", 0))
		return errno ? errno : EIO;
	if (accept4(pair[0], (struct sockaddr *)&from, &len, SOCK_CLOEXEC) >= 0 || errno == EPERM)
		return EIO; /* no listener: another error than the sandbox's */
	return epoll_wait(-1, &ev, 1, 0) < 0 && errno == EBADF ? 0 : EIO;
}

static const struct {
	const char *name;
	int (*fn)(void);
	int want; /* errno; negative: the signal that ends it */
} tries[] = {
	{ "work", try_work, 0 },           { "socket", try_socket, EPERM },   { "raw socket", try_raw_socket, EPERM },
	{ "socketpair", try_socketpair, EPERM }, { "connect", try_connect, EPERM }, { "bind", try_bind, EPERM },
	{ "listen", try_listen, EPERM },   { "setsockopt", try_setsockopt, EPERM }, { "open", try_open, EPERM },
	{ "create", try_open_write, EPERM }, { "unlink", try_unlink, EPERM }, { "fork", try_fork, EPERM },
	{ "setuid", try_setuid, EPERM },   { "kill", try_kill, EPERM },       { "dumpable", try_dumpable, EPERM },
	{ "execve", try_execve, -SIGSYS }, { "ptrace", try_ptrace, -SIGSYS },
};

/* Not _exit(): the sanitizer would do things first that the sandbox does not allow. */
static void
end(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

static int
in_sandbox(int (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		sandbox_close();
		errno = 0;
		end(fn());
	}
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

static void
test_tries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		int got = in_sandbox(tries[i].fn);

		if (got != tries[i].want)
			fail_msg("%s: %d, not %d", tries[i].name, got, tries[i].want);
	}
}

static void
test_posture(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (!pid) {
		uint64_t p = sandbox_close(), must = WORKER_POSTURE_NO_CAPS | WORKER_POSTURE_NO_NEW_PRIVS |
						     WORKER_POSTURE_SECCOMP;

		end((p & must) == must && !priv_caps() ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tries),
		cmocka_unit_test(test_posture),
	};

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return 1;
	bound = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
