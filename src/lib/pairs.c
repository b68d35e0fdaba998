/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pairs.c - a file read to its end, and cut into names and values.
 */
#include "pairs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int
read_all(int fd, char *text, size_t max)
{
	size_t n = 0;

	lseek(fd, 0, SEEK_SET);
	while (n < max) {
		ssize_t r = read(fd, text + n, max - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return -1;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	if (n == max || memchr(text, 0, n)) /* its rest would get lost */
		return -1;
	text[n] = 0;
	return 0;
}

char *
pairs_read(int fd, size_t max, char *err, size_t err_size)
{
	char *text = malloc(max);
	int r = text ? read_all(fd, text, max) : -1;

	close(fd);
	if (!r)
		return text;
	free(text);
	snprintf(err, err_size, "no usable settings on descriptor %d: this program is started by net-gazer(8)", fd);
	return NULL;
}

int
pairs_take(char *text, int (*take)(void *, const char *, char *), void *arg, char *err, size_t err_size)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		char *value = strchr(line, '=');

		if (!*line)
			continue;
		if (value)
			*value++ = 0;
		if (!value || take(arg, line, value)) {
			snprintf(err, err_size, "settings: cannot use %s=%s", line, value ? value : "");
			return -1;
		}
	}
	return 0;
}
