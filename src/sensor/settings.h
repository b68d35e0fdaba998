/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.h - the "key=value" lines that a child reads from descriptor 3 (src/worker.h).
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stddef.h>

struct settings {
	char *text;
	size_t len;
	int error; /* the first, -errno */
};

/* One line.  Text with control characters is refused: it would forge another line. */
void settings_add(struct settings *, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* A sealed memfd at its start, or -errno; the text is freed. */
int settings_seal(struct settings *);
void settings_free(struct settings *);

#endif
