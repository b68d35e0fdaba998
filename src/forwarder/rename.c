/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * rename.c - a search for the first "sensor":"NAME" of each line, as the analyzer writes it.  Receives
 * from and hands to upload.
 */
#include "rename.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
rename_name(char *out, size_t size, const char *name, uint16_t number)
{
	snprintf(out, size + 1, "%.*s-%04x", (int)(size - RENAME_SUFFIX), name, number);
}

/* What is left of the line at p; with its newline. */
static size_t
line_length(const char *p, const char *end)
{
	const char *newline = memchr(p, '\n', (size_t)(end - p));

	return (size_t)((newline ? newline + 1 : end) - p);
}

char *
rename_lines(const char *lines, size_t len, const char *from, const char *to, size_t *out_len)
{
	char field[128];
	size_t field_n = (size_t)snprintf(field, sizeof field, "\"sensor\":\"%s\"", from), name_at = field_n - 1 - strlen(from);
	size_t more = strlen(to) > strlen(from) ? strlen(to) - strlen(from) : 0, n;
	const char *end = lines + len;
	size_t count = 0;
	char *out, *at;

	for (const char *p = lines; p < end; p += line_length(p, end))
		count++;
	out = at = malloc(len + count * more + 1);
	if (!out)
		return NULL;
	for (const char *p = lines; p < end; p += n) {
		/* Inside a string the quotes would be escaped. */
		const char *found, *rest = p;

		n = line_length(p, end);
		found = memmem(p, n, field, field_n);
		if (found) {
			at = mempcpy(at, p, (size_t)(found - p) + name_at);
			at = mempcpy(at, to, strlen(to));
			rest = found + field_n - 1;
		}
		at = mempcpy(at, rest, (size_t)(p + n - rest));
	}
	*out_len = (size_t)(at - out);
	return out;
}
