/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as the prober's settings.  What was taken lies within its limits; what was not has a message.
 */
#include <string.h>
#include <sys/mman.h>

#include "../../src/prober/settings.c"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
is_descriptor(int fd)
{
	return fd >= PROBER_FD_FIRST && fd < 1024;
}

static void
prefixes(const struct addr_prefix *p, unsigned n)
{
	must(n <= SETTINGS_PREFIXES_MAX, "too many");
	for (unsigned i = 0; i < n; i++)
		must((p[i].ipv == 4 && p[i].len <= 32) || (p[i].ipv == 6 && p[i].len <= 128), "a prefix");
}

static void
taken(const struct settings *s)
{
	int sockets = 0;

	must(s->verbose >= 0 && s->verbose <= LOG_L_DEBUG, "verbose");
	for (int k = 0; k < SETTINGS_KINDS; k++) {
		must(s->send_fd[k] == -1 || is_descriptor(s->send_fd[k]), "send");
		sockets += s->send_fd[k] >= 0;
	}
	must(sockets && is_descriptor(s->route_fd), "what is needed");
	must(s->nflog_fd == -1 || is_descriptor(s->nflog_fd), "nflog");
	must(s->listen_fd == -1 || is_descriptor(s->listen_fd), "listen");
	prefixes(s->home, s->n_home);
	prefixes(s->exclude, s->n_exclude);
	must(s->any_target == 0 || s->any_target == 1, "any-target");
	must(s->probe_rate && s->probe_rate <= 1000000 && s->trace_rate && s->trace_rate <= 1000000, "rates");
	must(s->prefix_budget && s->prefix_budget <= BUDGET_COUNT_MAX, "prefix-budget");
	must(s->traces && s->traces <= SETTINGS_TRACES_MAX, "traces");
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
		taken(&s);
	else
		must(memchr(err, 0, sizeof err) && *err, "no message");
	return 0;
}
