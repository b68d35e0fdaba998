/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * musl_fortify.c - the names that Debian's libraries, built with glibc's _FORTIFY_SOURCE, want of their C library,
 * over musl.  With them they run under musl's loader; all else that they call musl has under the same name.
 */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
__vsnprintf_chk(char *to, size_t n, int flag, size_t size, const char *format, va_list ap)
{
	(void)flag;
	if (n > size)
		abort();
	return vsnprintf(to, n, format, ap);
}

int
__vfprintf_chk(FILE *f, int flag, const char *format, va_list ap)
{
	(void)flag;
	return vfprintf(f, format, ap);
}

int
__snprintf_chk(char *to, size_t n, int flag, size_t size, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = __vsnprintf_chk(to, n, flag, size, format, ap);
	va_end(ap);
	return r;
}

int
__sprintf_chk(char *to, int flag, size_t size, const char *format, ...)
{
	va_list ap;
	int r;

	(void)flag;
	va_start(ap, format);
	r = vsnprintf(to, size > INT_MAX ? INT_MAX : size, format, ap); /* SIZE_MAX: unknown */
	va_end(ap);
	if (r >= 0 && (size_t)r >= size)
		abort();
	return r;
}

int
__fprintf_chk(FILE *f, int flag, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = __vfprintf_chk(f, flag, format, ap);
	va_end(ap);
	return r;
}

int
__printf_chk(int flag, const char *format, ...)
{
	va_list ap;
	int r;

	va_start(ap, format);
	r = __vfprintf_chk(stdout, flag, format, ap);
	va_end(ap);
	return r;
}

void *
__memcpy_chk(void *to, const void *from, size_t n, size_t size)
{
	if (n > size)
		abort();
	return memcpy(to, from, n);
}

void
__longjmp_chk(jmp_buf env, int value)
{
	longjmp(env, value);
}
