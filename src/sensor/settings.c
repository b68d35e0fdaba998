/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.c - lines into a memfd.
 */
#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "worker.h"

void
settings_add(struct settings *s, const char *key, const char *fmt, ...)
{
	char line[WORKER_LINE_MAX + 1];
	int n = snprintf(line, sizeof line, "%s=", key), v;
	char *text;
	va_list ap;

	va_start(ap, fmt);
	v = vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
	va_end(ap);
	if (s->error)
		return;
	if (v < 0 || n + v + 1 > WORKER_LINE_MAX) {
		s->error = -EMSGSIZE;
		return;
	}
	n += v;
	for (int i = 0; i < n; i++) {
		if (iscntrl((unsigned char)line[i])) {
			s->error = -EINVAL;
			return;
		}
	}
	line[n++] = '\n';
	text = realloc(s->text, s->len + (size_t)n);
	if (!text) {
		s->error = -ENOMEM;
		return;
	}
	memcpy(text + s->len, line, (size_t)n);
	s->text = text;
	s->len += (size_t)n;
}

int
settings_seal(struct settings *s)
{
	int fd = -1, r = s->error;

	if (r)
		goto out;
	fd = memfd_create("net-gazer settings", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0) {
		r = -errno;
		goto out;
	}
	if (write(fd, s->text, s->len) != (ssize_t)s->len || lseek(fd, 0, SEEK_SET) ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)) {
		r = errno ? -errno : -EIO;
		close(fd);
	}
out:
	settings_free(s);
	return r ? r : fd;
}

void
settings_free(struct settings *s)
{
	free(s->text);
	*s = (struct settings){ 0 };
}
