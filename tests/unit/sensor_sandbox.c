/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The parent's cage, from inside: what it still needs works, what takes over a machine ends it or fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../src/sensor/sandbox.c"

static int
result_of(long r)
{
	return r < 0 ? errno : 0;
}

static int
try_ptrace(void)
{
	return result_of(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
try_mount(void)
{
	return result_of(syscall(SYS_mount, "none", "/nowhere", "tmpfs", 0, NULL));
}

static int
try_unshare(void)
{
	return result_of(syscall(SYS_unshare, 0));
}

static int
try_bpf(void)
{
	return result_of(syscall(SYS_bpf, 0, NULL, 0));
}

static int
try_module(void)
{
	return result_of(syscall(SYS_init_module, NULL, 0, ""));
}

static int
try_clock(void)
{
	return result_of(syscall(SYS_settimeofday, NULL, NULL));
}

static int
try_chroot(void)
{
	return result_of(chroot("/"));
}

static int
try_swap(void)
{
	return result_of(swapoff("/nowhere"));
}

static int
try_perf(void)
{
	return result_of(syscall(SYS_perf_event_open, NULL, 0, 0, 0, 0));
}

static int
try_uring(void)
{
	return result_of(syscall(425, 1, NULL));
}

/* A new process with all that the C library, ld.so and a shell do. */
static int
try_program(void)
{
	char *const argv[] = { (char *)"/bin/sh", (char *)"-c", (char *)"test -r /proc/self/status | cat", NULL };
	int status;
	pid_t pid = fork();

	if (!pid) {
		execv(argv[0], argv);
		for (;;)
			syscall(SYS_exit_group, 99);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
}

static int
try_file(void)
{
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	char c;

	return fd >= 0 && read(fd, &c, 1) == 1 && !close(fd) ? 0 : errno;
}

static const struct {
	const char *name;
	int (*fn)(void);
	int want; /* errno, 0, or a signal below 0 */
} tries[] = {
	{ "ptrace", try_ptrace, -SIGSYS },
	{ "mount", try_mount, -SIGSYS },
	{ "unshare", try_unshare, -SIGSYS },
	{ "bpf", try_bpf, -SIGSYS },
	{ "init_module", try_module, -SIGSYS },
	{ "settimeofday", try_clock, EPERM },
	{ "chroot", try_chroot, EPERM },
	{ "swapoff", try_swap, EPERM },
	{ "perf_event_open", try_perf, EPERM },
	{ "io_uring_setup", try_uring, EPERM },
	{ "a program", try_program, 0 },
	{ "a file", try_file, 0 },
};

static void
test_tries(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof tries / sizeof *tries; i++) {
		pid_t pid = fork();
		int status, got;

		if (!pid) {
			int r = priv_no_new_privs();

			if (!r)
				r = sandbox_close();
			errno = 0;
			/* Not _exit(): the sanitizer would do things first that the cage does not allow. */
			for (;;)
				syscall(SYS_exit_group, r ? 97 : tries[i].fn());
		}
		assert_true(pid > 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		got = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
		if (got != tries[i].want)
			fail_msg("%s: %d, not %d", tries[i].name, got, tries[i].want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_tries) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
