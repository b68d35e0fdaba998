/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings_read.h - settings as the parent gives them, for the analyzer's and the prober's settings_read(); the test has
 * included the settings.c.
 */
#ifndef SETTINGS_READ_H
#define SETTINGS_READ_H

#include <sys/mman.h>
#include <unistd.h>

static struct settings s;
static char err[300];

static int
read_text(const char *text, size_t n)
{
	int fd = memfd_create("settings", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n); /* the position is at the end: it is read from the start */
	memset(&s, 0x55, sizeof s);
	err[0] = 0;
	return settings_read(&s, fd, err, sizeof err);
}

static int
read_string(const char *text)
{
	return read_text(text, strlen(text));
}

#endif
