/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.c - no capability, no_new_privs, Landlock that allows nothing, and a list of the system
 * calls that are left.
 */
#include "sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/log.h"
#include "lib/priv.h"
#include "worker.h"

/* A union over glibc and musl, 32 and 64 bits.  mmap, munmap, brk, mremap, madvise and futex are
 * malloc's, on behalf of plugins; the rest is our loop, and dying in good order.  sendto is the
 * control socket, rtnetlink and the prober; without a capability neither can change anything. */
static const char *const allowed[] = {
	"read", "write", "writev", "recvfrom", "recvmsg", "recv", "send", "sendto", "epoll_wait",
	"epoll_pwait", "epoll_ctl", "poll", "ppoll", "ppoll_time64", "clock_gettime", "clock_gettime64", "gettimeofday", "time",
	"getrusage", "mmap", "mmap2", "munmap", "mremap", "brk", "madvise", "futex", "futex_time64",
	"close", "rt_sigreturn", "sigreturn", "rt_sigprocmask", "rt_sigaction", "restart_syscall",
	"getpid", "gettid", "getppid", "tgkill:self", "getrandom", "exit", "exit_group", "lseek", "fstat", "newfstatat",
	NULL,
};

void
sandbox_limit(uint64_t bytes)
{
	struct rlimit r = { bytes, bytes };

	if (setrlimit(RLIMIT_DATA, &r))
		log_info("no limit for memory: %s", strerror(errno));
}

uint64_t
sandbox_close(void)
{
	uint64_t posture = 0;
	int r;

	r = priv_keep_caps(0);
	if (r || priv_caps())
		fatal("cannot give up capabilities: %s", strerror(-r));
	posture |= WORKER_POSTURE_NO_CAPS;
	r = priv_no_new_privs();
	if (r)
		fatal("cannot set no_new_privs: %s", strerror(-r));
	posture |= WORKER_POSTURE_NO_NEW_PRIVS;
	r = priv_no_dump();
	if (r)
		fatal("cannot forbid core files: %s", strerror(-r));
	(void)priv_no_new_code(); /* the rest holds without it */
	r = priv_landlock_deny_all();
	if (r)
		log_info("this kernel has no Landlock (%s): files are denied by seccomp alone", strerror(-r));
	else
		posture |= WORKER_POSTURE_LANDLOCK;
	r = priv_seccomp(allowed);
	if (r)
		log_warn("no seccomp filter (%s): going on without one", strerror(-r));
	else
		posture |= WORKER_POSTURE_SECCOMP;
	return posture;
}
