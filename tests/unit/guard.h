/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * guard.h - bytes that end at an unreadable page: a reader that goes one byte too far dies of
 * SIGSEGV, also where no sanitizer looks.
 */
#ifndef GUARD_H
#define GUARD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define GUARD_MAX (128 * 1024)

/* A copy of bytes[0..len), writable, valid until the next call. */
static inline uint8_t *
guard_copy(const void *bytes, size_t len)
{
	static uint8_t *end;

	if (!end) {
		size_t page = (size_t)sysconf(_SC_PAGESIZE);
		uint8_t *p = mmap(NULL, GUARD_MAX + page, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED || mprotect(p + GUARD_MAX, page, PROT_NONE))
			abort();
		end = p + GUARD_MAX;
	}
	if (len > GUARD_MAX)
		abort();
	if (len)
		memcpy(end - len, bytes, len);
	return end - len;
}

#endif
