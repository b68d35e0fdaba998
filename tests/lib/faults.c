/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Preloaded: the FAULT_AT-th call of FAULT_CALL fails with FAULT_ERRNO, and, with FAULT_ON, all that
 * follow.  Says so on stderr: a run that does not say it was a clean one.
 *
 * Of malloc, calloc and realloc only the program's own calls count, and those of the libraries named in
 * FAULT_LIBRARIES (a part of a file's name; "/": all).  By default none: libyajl 2.1.0 does not look at what
 * malloc gave it, yajl_alloc() and the lexer's and parser's buffers write to NULL (SIGSEGV; gdb showed no other
 * place in the first 2,400 calls of a forwarder, those of ld.so, libcurl, OpenSSL and Kerberos among them).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static char call[32];
static long at;
static int number, on, counted;
static struct { uintptr_t start, end; } ours[64];
static unsigned n_ours;

/* The program itself has no name here. */
static int
find_ours(struct dl_phdr_info *info, size_t size, void *arg)
{
	const char *libraries = arg;

	(void)size;
	if (n_ours == 64 || (*info->dlpi_name && (!libraries || !strstr(info->dlpi_name, libraries))) ||
	    strstr(info->dlpi_name, "faults.so"))
		return 0;
	ours[n_ours].start = UINTPTR_MAX;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD)
			continue;
		if (info->dlpi_addr + p->p_vaddr < ours[n_ours].start)
			ours[n_ours].start = info->dlpi_addr + p->p_vaddr;
		if (info->dlpi_addr + p->p_vaddr + p->p_memsz > ours[n_ours].end)
			ours[n_ours].end = info->dlpi_addr + p->p_vaddr + p->p_memsz;
	}
	n_ours++;
	return 0;
}

__attribute__((constructor)) static void
start(void)
{
	const char *name = getenv("FAULT_CALL"), *n = getenv("FAULT_AT"), *e = getenv("FAULT_ERRNO");

	snprintf(call, sizeof call, "%s", name ? name : "");
	number = e ? atoi(e) : EIO;
	on = getenv("FAULT_ON") != NULL;
	dl_iterate_phdr(find_ours, getenv("FAULT_LIBRARIES"));
	at = n ? atol(n) : 0;
}

/* True when this one fails.  Standard streams do not count. */
static int
fails(const char *name, int fd)
{
	static const char said[] = "fault: injected\n";
	int n;

	if (!at || (fd >= 0 && fd <= 2) || strcmp(name, call))
		return 0;
	n = __atomic_add_fetch(&counted, 1, __ATOMIC_RELAXED);
	if (n != at && !(on && n > at))
		return 0;
	if (n == at && syscall(SYS_write, 2, said, sizeof said - 1) < 0)
		_exit(99);
	errno = number;
	return 1;
}

#define REAL(name) \
	static __typeof__(name) *real; \
	if (!real) \
		real = (__typeof__(name) *)dlsym(RTLD_NEXT, #name)

ssize_t
write(int fd, const void *p, size_t n)
{
	struct stat st;

	REAL(write);
	/* Files alone: pipes and sockets are another matter. */
	if (!strcmp(call, "write") && !fstat(fd, &st) && S_ISREG(st.st_mode) && fails("write", fd))
		return -1;
	return real(fd, p, n);
}

ssize_t
pwrite64(int fd, const void *p, size_t n, off64_t offset)
{
	REAL(pwrite64);
	return fails("pwrite", fd) ? -1 : real(fd, p, n, offset);
}

int
fsync(int fd)
{
	REAL(fsync);
	return fails("fsync", fd) ? -1 : real(fd);
}

int
fdatasync(int fd)
{
	REAL(fdatasync);
	return fails("fsync", fd) ? -1 : real(fd);
}

int
openat64(int dirfd, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	REAL(openat64);
	va_start(ap, flags);
	mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	return fails("openat", -1) ? -1 : real(dirfd, path, flags, mode);
}

int
renameat(int from, const char *a, int to, const char *b)
{
	REAL(renameat);
	return fails("renameat", -1) ? -1 : real(from, a, to, b);
}

int
unlinkat(int dirfd, const char *path, int flags)
{
	REAL(unlinkat);
	return fails("unlinkat", -1) ? -1 : real(dirfd, path, flags);
}

static int
is_ours(void *caller)
{
	for (unsigned i = 0; i < n_ours; i++) {
		if ((uintptr_t)caller >= ours[i].start && (uintptr_t)caller < ours[i].end)
			return 1;
	}
	return 0;
}

#define FAILS() (is_ours(__builtin_return_address(0)) && fails("malloc", -1))

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

void *
malloc(size_t n)
{
	return FAILS() ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return FAILS() ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return FAILS() ? NULL : __libc_realloc(p, n);
}
