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

/* A union over glibc and musl, 32 and 64 bits.  mmap, munmap, brk, mremap, madvise and futex are
 * malloc's, on behalf of plugins; the rest is our loop, and dying in good order.  sendto is the
 * control socket, rtnetlink and the prober; without a capability neither can change anything. */
static const char allowed[] =
	"read write writev recvfrom recvmsg recv send sendto epoll_wait epoll_pwait epoll_ctl poll ppoll "
	"ppoll_time64 clock_gettime clock_gettime64 gettimeofday time getrusage mmap mmap2 munmap mremap "
	"brk madvise futex futex_time64 close rt_sigreturn sigreturn rt_sigprocmask rt_sigaction "
	"restart_syscall getpid gettid getppid tgkill:self getrandom exit exit_group lseek fstat newfstatat";

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
	return priv_cage(allowed);
}
