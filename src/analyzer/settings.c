/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.c - "key=value" lines to struct settings.
 */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/log.h"
#include "lib/pairs.h"

#define SETTINGS_MAX (256 * 1024)

/* "NUMBER rest": 0 and *rest behind the blank (or at the end). */
static int
number(const char *s, int64_t min, int64_t max, int64_t *out, char **rest)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(s, &end, 10);
	if (end == s || errno || v < min || v > max || (*end && *end != ' '))
		return -1;
	*out = v;
	*rest = *end ? end + 1 : end;
	return 0;
}

static int
set_group(struct settings *s, char *v)
{
	int64_t group, classes, fd;

	if (s->n_groups == WORKER_GROUPS_MAX || number(v, 0, 65535, &group, &v) ||
	    number(v, 0, 255, &classes, &v) || number(v, WORKER_FD_FIRST, 1023, &fd, &v) || *v)
		return -1;
	s->groups[s->n_groups++] =
		(struct settings_group){ (uint16_t)group, (uint32_t)classes, (int)fd };
	return 0;
}

static int
set_option(struct settings *s, char *v)
{
	char *name = strchr(v, ' '), *value = name ? strchr(name + 1, ' ') : NULL;

	if (!name || s->n_options == SETTINGS_OPTIONS_MAX)
		return -1;
	*name++ = 0;
	if (value)
		*value++ = 0;
	s->options[s->n_options++] = (struct settings_option){ v, name, value ? value : "" };
	return 0;
}

/* Appends to one of the lists of words; -1 when it is full. */
static int
add(const char **list, unsigned *n, unsigned max, const char *v)
{
	if (*n == max)
		return -1;
	list[(*n)++] = v;
	return 0;
}

static int
set(void *settings, const char *key, char *v)
{
	struct settings *s = settings;
	int64_t n;
	char *rest;

	if (!strcmp(key, "sensor")) {
		s->sensor = v;
	} else if (!strcmp(key, "boot")) {
		s->boot = v;
	} else if (!strcmp(key, "verbose")) {
		if (number(v, 0, 3, &n, &rest) || *rest)
			return -1;
		s->verbose = (int)n;
	} else if (!strcmp(key, "flows")) {
		if (number(v, 16, 1 << 24, &n, &rest) || *rest)
			return -1;
		s->flows = (uint32_t)n;
	} else if (!strcmp(key, "syn-timeout-ms")) {
		if (number(v, 1, 3600000, &n, &rest) || *rest)
			return -1;
		s->syn_timeout_us = n * 1000;
	} else if (!strcmp(key, "acks")) {
		if (number(v, 0, 1, &n, &rest) || *rest)
			return -1;
		s->acks = (int)n;
	} else if (!strcmp(key, "home")) {
		if (s->n_home == SETTINGS_HOME_MAX || addr_prefix_parse(&s->home[s->n_home], v))
			return -1;
		s->n_home++;
	} else if (!strcmp(key, "iface")) {
		return add(s->ifaces, &s->n_ifaces, SETTINGS_IFACES_MAX, v);
	} else if (!strcmp(key, "group")) {
		return set_group(s, v);
	} else if (!strcmp(key, "prober") || !strcmp(key, "hand") || !strcmp(key, "take")) {
		if (number(v, WORKER_FD_FIRST, 1023, &n, &rest) || *rest)
			return -1;
		*(*key == 'p' ? &s->prober_fd : *key == 'h' ? &s->hand_fd : &s->take_fd) = (int)n;
	} else if (!strcmp(key, "plugin")) {
		if (s->n_plugins == WORKER_PLUGINS_MAX || number(v, 0, 1023, &n, &rest))
			return -1;
		s->plugins[s->n_plugins++] = (struct settings_plugin){ (int)n, rest };
	} else if (!strcmp(key, "disabled")) {
		return add(s->disabled, &s->n_disabled, WORKER_PLUGINS_MAX, v);
	} else if (!strcmp(key, "option")) {
		return set_option(s, v);
	} else if (!strcmp(key, "replay")) {
		if (number(v, 0, 1023, &n, &rest))
			return -1;
		s->replay_fd = (int)n;
		s->replay_path = rest;
	}
	return 0;
}

int
settings_read(struct settings *s, int fd, char *err, unsigned err_size)
{
	*s = (struct settings){ .sensor = "unnamed", .boot = "00000000", .flows = 16384, .verbose = LOG_L_INFO,
				.syn_timeout_us = 30000000, .prober_fd = -1, .hand_fd = -1, .take_fd = -1, .replay_fd = -1,
				.replay_path = "" };
	s->text = pairs_read(fd, SETTINGS_MAX, err, err_size);
	return s->text ? pairs_take(s->text, set, s, err, err_size) : -1;
}

void
settings_free(struct settings *s)
{
	free(s->text);
	s->text = NULL;
}
