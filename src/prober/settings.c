/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.c - "key=value" lines to struct settings.
 */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "lib/log.h"
#include "lib/pairs.h"
#include "prober.h"

#define SETTINGS_MAX (32 * 1024)

/* "NUMBER": digits only, in the range, then a blank or the end; *rest behind it. */
static int
number(const char *s, uint32_t min, uint32_t max, uint32_t *out, const char **rest)
{
	char *end;
	unsigned long long v;

	if (*s < '0' || *s > '9')
		return -1;
	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || v < min || v > max || (*end && *end != ' '))
		return -1;
	*out = (uint32_t)v;
	*rest = *end ? end + 1 : end;
	return 0;
}

static int
only_number(const char *s, uint32_t min, uint32_t max, uint32_t *out)
{
	const char *rest;

	return number(s, min, max, out, &rest) || rest[-1] == ' ' || *rest ? -1 : 0;
}

static int
descriptor(const char *s, int *out)
{
	uint32_t fd;

	if (*out >= 0 || only_number(s, PROBER_FD_FIRST, 1023, &fd))
		return -1;
	*out = (int)fd;
	return 0;
}

/* "KIND FD" */
static int
set_send(struct settings *s, const char *v)
{
	static const char *const name[SETTINGS_KINDS] = { "tcp4", "tcp6", "udp4", "udp6",
							  "icmp4", "icmp6", "tcpx4", "tcpx6" };

	for (int k = 0; k < SETTINGS_KINDS; k++) {
		size_t n = strlen(name[k]);

		if (!strncmp(v, name[k], n) && v[n] == ' ')
			return descriptor(v + n + 1, &s->send_fd[k]);
	}
	return -1;
}

/* "GROUP FD" */
static int
set_nflog(struct settings *s, const char *v)
{
	uint32_t group;

	if (number(v, 0, 65535, &group, &v) || descriptor(v, &s->nflog_fd))
		return -1;
	s->nflog_group = (uint16_t)group;
	return 0;
}

static int
add_prefix(struct addr_prefix *list, unsigned *n, const char *v)
{
	if (*n == SETTINGS_PREFIXES_MAX || addr_prefix_parse(&list[*n], v))
		return -1;
	(*n)++;
	return 0;
}

static int
set_bool(int *out, const char *v)
{
	if (strcmp(v, "yes") && strcmp(v, "no"))
		return -1;
	*out = !strcmp(v, "yes");
	return 0;
}

static int
set(void *settings, const char *key, char *v)
{
	struct settings *s = settings;
	uint32_t n;

	if (!strcmp(key, "verbose")) {
		if (only_number(v, 0, LOG_L_DEBUG, &n))
			return -1;
		s->verbose = (int)n;
		return 0;
	}
	if (!strcmp(key, "send"))
		return set_send(s, v);
	if (!strcmp(key, "route"))
		return descriptor(v, &s->route_fd);
	if (!strcmp(key, "nflog"))
		return set_nflog(s, v);
	if (!strcmp(key, "listen"))
		return descriptor(v, &s->listen_fd);
	if (!strcmp(key, "mark"))
		return only_number(v, 0, UINT32_MAX, &s->mark);
	if (!strcmp(key, "home"))
		return add_prefix(s->home, &s->n_home, v);
	if (!strcmp(key, "exclude"))
		return add_prefix(s->exclude, &s->n_exclude, v);
	if (!strcmp(key, "any-target"))
		return set_bool(&s->any_target, v);
	if (!strcmp(key, "probe-rate"))
		return only_number(v, 1, 1000000, &s->probe_rate);
	if (!strcmp(key, "trace-rate"))
		return only_number(v, 1, 1000000, &s->trace_rate);
	if (!strcmp(key, "prefix-budget"))
		return only_number(v, 1, BUDGET_COUNT_MAX, &s->prefix_budget);
	if (!strcmp(key, "traces"))
		return only_number(v, 1, SETTINGS_TRACES_MAX, &s->traces);
	return 0;
}

/* What must be there, and no descriptor twice. */
static int
check(const struct settings *s, char *err, unsigned err_size)
{
	int fds[SETTINGS_KINDS + 3] = { s->route_fd, s->nflog_fd, s->listen_fd }, sockets = 0;

	for (int k = 0; k < SETTINGS_KINDS; k++) {
		fds[3 + k] = s->send_fd[k];
		sockets += s->send_fd[k] >= 0;
	}
	if (!sockets || s->route_fd < 0) {
		snprintf(err, err_size, "settings: a send= and a route= are needed");
		return -1;
	}
	for (int i = 0; i < SETTINGS_KINDS + 3; i++) {
		for (int j = 0; j < i; j++) {
			if (fds[i] >= 0 && fds[i] == fds[j]) {
				snprintf(err, err_size, "settings: descriptor %d is named twice", fds[i]);
				return -1;
			}
		}
	}
	return 0;
}

int
settings_read(struct settings *s, int fd, char *err, unsigned err_size)
{
	char *text = pairs_read(fd, SETTINGS_MAX, err, err_size);
	int r;

	*s = (struct settings){ .verbose = LOG_L_INFO, .route_fd = -1, .nflog_fd = -1, .listen_fd = -1,
				.mark = PROBER_MARK, .probe_rate = 100, .trace_rate = 5, .prefix_budget = 32,
				.traces = 64 };
	for (int k = 0; k < SETTINGS_KINDS; k++)
		s->send_fd[k] = -1;
	r = text ? pairs_take(text, set, s, err, err_size) : -1;
	free(text);
	return r ? r : check(s, err, err_size);
}
