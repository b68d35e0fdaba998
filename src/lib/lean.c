/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * lean.c - linking a library touches its symbol tables, starting runs code that never runs again, and the
 * kernel maps 16 pages where one is touched.  Of the forwarder's 5.5 MB after start (Debian's libcurl
 * brings 30 libraries) 3 are pages that are never read again.  They are clean and come from files, so
 * they can go.
 */
#include "lean.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

void
lean_start(void)
{
#ifdef __GLIBC__
	/* The resolver's thread would get its own arena. */
	mallopt(M_ARENA_MAX, 1);
	/* Batches come and go as mappings of their own: the heap keeps no holes of 64 KiB. */
	mallopt(M_MMAP_THRESHOLD, 32768);
	mallopt(M_TRIM_THRESHOLD, 65536);
#endif
}

static int
lean_object(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = *(const uintptr_t *)arg;

	(void)size;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t at = info->dlpi_addr + p->p_vaddr;

		/* Never a segment that is or was writable: what relocation wrote there is in no file.
		 * A position-independent object has no relocations elsewhere (no DT_TEXTREL). */
		if (p->p_type != PT_LOAD || (p->p_flags & PF_W))
			continue;
		madvise((void *)(at & ~(page - 1)), (p->p_memsz + (at & (page - 1)) + page - 1) & ~(page - 1),
			MADV_DONTNEED);
	}
	return 0;
}

void
lean_trim(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

#ifdef __GLIBC__
	malloc_trim(0);
#endif
	dl_iterate_phdr(lean_object, &page);
}
