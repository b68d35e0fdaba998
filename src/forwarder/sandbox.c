/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.c - what libcurl, its resolver thread and the TLS library need, and no more.  Files can
 * still be opened: the resolver reads /etc/resolv.conf and /etc/hosts again when they change, TLS
 * reads the authorities at each connection.  What can be read is what the uid can; what can be written
 * is the spool.
 */
#include "sandbox.h"

#include "lib/log.h"
#include "lib/priv.h"
#include "worker.h"

#include <string.h>

/* A union over architectures and over glibc and musl: names that this one lacks are passed over. */
static const char sandbox_calls[] =
	/* the loop and the pipe */
	"read readv write writev close epoll_wait epoll_pwait epoll_ctl poll ppoll ppoll_time64 select "
	"_newselect pselect6 restart_syscall fcntl fcntl64 ioctl dup pipe2 eventfd2 "
	/* memory */
	"brk mmap mmap2 munmap mremap mprotect madvise "
	/* time and chance */
	"clock_gettime clock_gettime64 clock_nanosleep clock_nanosleep_time64 nanosleep gettimeofday time "
	"getrandom "
	/* connections */
	"socket socketpair connect bind getsockname getpeername getsockopt setsockopt shutdown send sendto "
	"sendmsg sendmmsg recv recvfrom recvmsg recvmmsg socketcall "
	/* the resolver's thread */
	"clone clone3 futex futex_time64 set_robust_list rseq exit gettid tgkill sched_yield "
	"sched_getaffinity rt_sigprocmask rt_sigaction rt_sigreturn sigreturn sigaltstack membarrier "
	/* its files, and the authorities */
	"open openat stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs fstatfs "
	"access faccessat faccessat2 lseek _llseek pread64 readlink readlinkat getdents64 getcwd "
	/* the spool, in a directory that the parent opened */
	"fsync fdatasync renameat renameat2 unlinkat "
	/* who are we */
	"getpid getppid getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 uname sysinfo "
	"prlimit64 ugetrlimit exit_group";

int
sandbox_close(int spool_fd, uint32_t *posture)
{
	int r = priv_no_dump(); /* of a process that holds a token */

	*posture = priv_caps() ? 0 : WORKER_POSTURE_NO_CAPS;
	if (!r)
		r = priv_no_new_privs();
	if (r)
		return r;
	*posture |= WORKER_POSTURE_NO_NEW_PRIVS;
	r = priv_landlock_read_only(spool_fd);
	if (r)
		log_info("this kernel has no Landlock (%s): what the user may write can be written", strerror(-r));
	else
		*posture |= WORKER_POSTURE_LANDLOCK;
	r = priv_seccomp(sandbox_calls);
	if (!r)
		*posture |= WORKER_POSTURE_SECCOMP;
	return r;
}
