/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as the analyzer's settings.  What was taken lies in the text and within its limits; what
 * was not has a message.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../../src/analyzer/settings.c"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
inside(const struct settings *s, size_t size, const char *text)
{
	must(text >= s->text && text <= s->text + size, "a string that is not of the text");
	must(strlen(text) <= (size_t)(s->text + size - text), "a string without an end");
}

static void
check(const struct settings *s, size_t size)
{
	must(s->flows >= 16 && s->flows <= 1 << 24, "flows");
	must(s->syn_timeout_us >= 1000 && s->syn_timeout_us <= 3600000000, "syn-timeout-ms");
	must(s->verbose >= 0 && s->verbose <= 3, "verbose");
	must(s->n_home <= SETTINGS_HOME_MAX && s->n_ifaces <= SETTINGS_IFACES_MAX &&
	     s->n_groups <= WORKER_GROUPS_MAX && s->n_plugins <= WORKER_PLUGINS_MAX &&
	     s->n_disabled <= WORKER_PLUGINS_MAX && s->n_options <= SETTINGS_OPTIONS_MAX, "too many");
	if (strcmp(s->sensor, "unnamed"))
		inside(s, size, s->sensor);
	if (strcmp(s->boot, "00000000"))
		inside(s, size, s->boot);
	for (unsigned i = 0; i < s->n_home; i++)
		must((s->home[i].ipv == 4 && s->home[i].len <= 32) ||
		     (s->home[i].ipv == 6 && s->home[i].len <= 128), "home");
	for (unsigned i = 0; i < s->n_ifaces; i++)
		inside(s, size, s->ifaces[i]);
	for (unsigned i = 0; i < s->n_groups; i++)
		must(s->groups[i].fd >= WORKER_FD_FIRST && s->groups[i].fd < 1024 && s->groups[i].classes < 256,
		     "group");
	must(s->prober_fd == -1 || (s->prober_fd >= WORKER_FD_FIRST && s->prober_fd < 1024), "prober");
	for (unsigned i = 0; i < s->n_plugins; i++) {
		must(s->plugins[i].fd >= 0 && s->plugins[i].fd < 1024, "plugin");
		inside(s, size, s->plugins[i].path);
	}
	for (unsigned i = 0; i < s->n_disabled; i++)
		inside(s, size, s->disabled[i]);
	for (unsigned i = 0; i < s->n_options; i++) {
		inside(s, size, s->options[i].plugin);
		inside(s, size, s->options[i].name);
		if (*s->options[i].value)
			inside(s, size, s->options[i].value);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct settings s;
	int fd = memfd_create("settings", MFD_CLOEXEC);
	char err[300];

	must(fd >= 0 && write(fd, data, size) == (ssize_t)size, "memfd");
	memset(err, 'x', sizeof err);
	if (!settings_read(&s, fd, err, sizeof err))
		check(&s, size);
	else
		must(memchr(err, 0, sizeof err) && *err, "no message");
	settings_free(&s);
	return 0;
}
