/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * sandbox.c - system calls of the parent, and of its children: they inherit the filter, load themselves
 * under it and then put on a tighter one of their own.  What is missing is what takes over a machine: other
 * processes' memory, modules, mounts, namespaces, bpf, keys, the clock, io_uring.
 */
#include "sandbox.h"

#include "lib/priv.h"

/* A union over glibc and musl, 32 and 64 bits, of the parent, ld.so, libcurl, its resolver and TLS library. */
static const char allowed[] =
	/* files: configuration, plugins, programs, runtime directory, spool */
	"open openat openat2 close close_range read readv pread64 preadv write writev pwrite64 pwritev "
	"lseek _llseek stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 "
	"fstatfs fstatfs64 access faccessat faccessat2 readlink readlinkat getdents getdents64 getcwd chdir "
	"fchdir mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2 link linkat truncate "
	"truncate64 ftruncate ftruncate64 fallocate fsync fdatasync sync_file_range syncfs chmod fchmod "
	"fchmodat chown fchown fchownat chown32 fchown32 umask utimensat fcntl fcntl64 flock ioctl dup dup2 "
	"dup3 pipe pipe2 memfd_create fadvise64 fadvise64_64 "
	/* memory */
	"brk mmap mmap2 munmap mremap mprotect madvise msync futex futex_time64 membarrier "
	/* time and chance */
	"clock_gettime clock_gettime64 clock_getres clock_getres_time64 clock_nanosleep "
	"clock_nanosleep_time64 nanosleep gettimeofday time times timerfd_create timerfd_settime getrandom "
	/* processes */
	"fork vfork clone clone3 execve execveat exit exit_group wait4 waitid waitpid kill tgkill tkill "
	"getpid getppid gettid getpgrp getpgid getsid setsid setpgid sched_yield sched_getaffinity "
	"sched_getparam sched_getscheduler set_tid_address set_robust_list rseq arch_prctl set_thread_area "
	"set_tls cacheflush riscv_flush_icache riscv_hwprobe prctl prlimit64 getrlimit ugetrlimit setrlimit "
	"getrusage getpriority uname sysinfo getcpu "
	/* who they are, and giving it up */
	"getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 "
	"getresgid getresgid32 getgroups getgroups32 setresuid setresuid32 setresgid setresgid32 setgroups "
	"setgroups32 capget capset seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self "
	/* signals */
	"rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait rt_sigpending rt_sigsuspend sigaction "
	"sigprocmask sigreturn sigaltstack signalfd4 pause restart_syscall "
	/* sockets and waiting */
	"socket socketpair socketcall bind connect listen accept accept4 getsockname getpeername getsockopt "
	"setsockopt shutdown send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64 "
	"epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 poll ppoll ppoll_time64 "
	"select _newselect pselect6 pselect6_time64 eventfd2 inotify_init1 inotify_add_watch "
	"inotify_rm_watch";

int
sandbox_close(void)
{
	return priv_seccomp(allowed);
}
