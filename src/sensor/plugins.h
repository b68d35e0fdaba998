/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plugins.h - the plugins of the configuration: finds and checks their files, and asks
 * `analyzer --describe` what each is.  The parent itself never loads one.
 */
#ifndef PLUGINS_H
#define PLUGINS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/conf.h"
#include "worker.h"

#define PLUGINS_OPTIONS_MAX 32 /* of one plugin */
#define PLUGINS_OPTIONS_ALL 128 /* of all: what the analyzer takes */

struct plugin {
	int fd;             /* the file, checked */
	char path[900];
	char name[WORKER_NAME_MAX];
	char version[32];
	uint32_t events;    /* enum ng_event_type, ORed */
	uint32_t classes;   /* enum ng_class, ORed */
	uint32_t snaplen;
	struct conf_option options[PLUGINS_OPTIONS_MAX];
	size_t n_options;
};

struct plugins {
	struct plugin *item[WORKER_PLUGINS_MAX];
	size_t n;
	size_t refused;     /* those that the configuration names and that are not here */
	struct conf_section section[WORKER_PLUGINS_MAX]; /* for conf_new() */
};

/* Opens the files that the configuration names.  One that must not be loaded is left out, with a
 * warning that says what to do. */
void plugins_find(struct plugins *, const struct conf *);

/* Learns name, classes and options of each; those that cannot say are left out in the same way. */
void plugins_describe(struct plugins *, int analyzer_fd, uid_t uid, gid_t gid);

void plugins_free(struct plugins *);

/* What `analyzer --describe` printed for one plugin.  0, or -1 with the reason. */
int plugins_parse(struct plugin *, char *text, char *err, size_t size);

/* Opens a file if nobody but root and we could have written it.  A descriptor, or -1 with the
 * reason and the command that mends it. */
int plugins_open(const char *path, char *err, size_t size);

#endif
