/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A configuration file of any bytes: both passes, as at start.  What was taken must be within the
 * table's ranges; a second reading must give the same.
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/conf.h"
#include "sensor/options.h"

static const struct conf_option plugin_options[] = {
	{ "max-rate", CONF_INT, 0, 1000000, "5000", NULL, NULL, 0, 0, "a number", NULL },
	{ "local", CONF_BOOL, 0, 0, "yes", NULL, NULL, 0, 0, "a switch", NULL },
	{ "ignore", CONF_STR, 0, 150, "igmp", NULL, NULL, 0, 0, "text", NULL },
};
static const struct conf_section sections[] = { { "handshake", plugin_options, 3 } };

static struct conf *
read_file(const char *path, int lenient, int *r)
{
	struct conf *c = conf_new(options_table, options_n, sections, lenient ? 0 : 1);
	char err[300];

	memset(err, 'x', sizeof err);
	*r = conf_file(c, path, lenient, err, sizeof err);
	/* An error is a line that names the file. */
	if (*r)
		assert(memchr(err, 0, sizeof err) && !strncmp(err, path, strlen(path)));
	return c;
}

static int
same(const char *a, const char *b)
{
	return a && b ? !strcmp(a, b) : a == b;
}

static void
check(const struct conf *c, const struct conf *again)
{
	for (size_t i = 0; i < options_n; i++) {
		const struct conf_option *o = &options_table[i];

		if (o->type == CONF_INT)
			assert(conf_int(c, o->name) >= o->min && conf_int(c, o->name) <= o->max);
		assert(conf_list_n(c, o->name) == conf_list_n(again, o->name));
		for (size_t k = 0; k < conf_list_n(c, o->name); k++) {
			const char *v = conf_list(c, o->name, k);

			assert(same(v, conf_list(again, o->name, k)));
			for (const char *p = v; *p; p++)
				assert((unsigned char)*p >= 0x20 && *p != 0x7f);
		}
		assert(!conf_str(c, "replay") && !conf_str(c, "config"));
	}
	assert(strlen(conf_section_str(c, "handshake", "ignore")) <= 150);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	char path[40];
	struct conf *lenient, *strict, *again;
	int r[3];

	if (fd < 0)
		fd = memfd_create("config", MFD_CLOEXEC);
	if (ftruncate(fd, 0) || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	lenient = read_file(path, 1, &r[0]);
	strict = read_file(path, 0, &r[1]);
	again = read_file(path, 0, &r[2]);
	assert(r[1] == r[2]);
	/* What the strict pass takes the lenient one takes, too. */
	assert(r[1] || !r[0]);
	if (!r[1])
		check(strict, again);
	conf_free(lenient);
	conf_free(strict);
	conf_free(again);
	return 0;
}
