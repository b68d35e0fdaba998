/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.c - three lists of system calls, each a part of the one before.
 *
 * libmaxminddb opens its file by name and reads its head before we can take that right away: for this moment
 * it can read files, and has no way to tell anybody but the collector.
 */
#include "sandbox.h"

#include <string.h>

#include "lib/log.h"
#include "lib/priv.h"

#define WORKING \
	"read write writev recv recvfrom recvmsg send sendto sendmsg poll ppoll ppoll_time64 clock_gettime " \
	"clock_gettime64 gettimeofday time mmap mmap2 munmap mremap brk madvise futex futex_time64 close " \
	"lseek _llseek pread64 fstat fstat64 getrandom rt_sigreturn sigreturn rt_sigprocmask rt_sigaction " \
	"restart_syscall getpid gettid getppid tgkill:self exit exit_group"
#define OPENING \
	WORKING " open openat newfstatat fstatat64 stat stat64 statx fcntl fcntl64 mprotect ioctl prctl seccomp " \
	"landlock_create_ruleset landlock_restrict_self capget capset prlimit64 setrlimit ugetrlimit uname"

static const char keeper[] =
	OPENING " clone clone3 fork vfork wait4 waitid kill tgkill epoll_create1 epoll_wait epoll_pwait epoll_ctl "
	"signalfd4 socket connect bind getsockname setsockopt set_robust_list set_tid_address rseq "
	"gettimeofday dup dup2 dup3 landlock_add_rule setsid";
static const char opening[] = OPENING;
static const char working[] = WORKING;

static void
restrict_to(const char *names)
{
#ifndef __SANITIZE_ADDRESS__ /* its runtime opens and starts what it likes */
	int r = priv_no_new_privs();

	(void)priv_landlock_read_only(-1); /* where there is none, no call is left that writes */
	if (!r)
		r = priv_seccomp(names);
	if (r)
		log_warn("geo: no seccomp filter (%s): going on without one", strerror(-r));
#else
	(void)names;
#endif
}

void
sandbox_keeper(void)
{
	/* It stays dumpable, or its children could not open what is in /proc/self/fd. */
	(void)priv_keep_caps(0);
	(void)priv_no_new_code();
	restrict_to(keeper);
}

void
sandbox_opening(void)
{
	restrict_to(opening);
}

void
sandbox_close(void)
{
#ifndef __SANITIZE_ADDRESS__
	(void)priv_cage(working);
#else
	(void)working;
#endif
}
