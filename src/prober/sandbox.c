/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.c - no capability, no_new_privs, Landlock that allows nothing, and a list of the system
 * calls that are left.
 */
#include "sandbox.h"

#include "lib/priv.h"

/* A union over glibc and musl, 32 and 64 bits.  No socket(), connect(), bind(), open(): what it can
 * send goes through the raw sockets, whose mark and source address the kernel sees to.  getsockopt
 * asks who connected; accept is what musl tries when accept4 says EINVAL; mmap to futex are the C
 * library's; the rest is our loop, and dying in good order. */
static const char allowed[] =
	"read write writev recv recvfrom recvmsg send sendto sendmsg accept4 accept getsockopt epoll_wait "
	"epoll_pwait epoll_ctl clock_gettime clock_gettime64 gettimeofday mmap mmap2 munmap mremap brk "
	"madvise futex futex_time64 close rt_sigreturn sigreturn rt_sigprocmask rt_sigaction "
	"restart_syscall getpid gettid getppid tgkill:self exit exit_group";

uint64_t
sandbox_close(void)
{
	return priv_cage(allowed);
}
