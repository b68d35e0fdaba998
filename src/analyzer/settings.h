/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.h - what the parent wrote into the settings memfd (src/worker.h), as a struct.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdint.h>

#include "lib/addr.h"
#include "worker.h"

#define SETTINGS_HOME_MAX 64
#define SETTINGS_IFACES_MAX 16
#define SETTINGS_OPTIONS_MAX 128

struct settings_group {
	uint16_t group;
	uint32_t classes; /* enum ng_class, ORed */
	int fd;
};

struct settings_plugin {
	int fd;
	const char *path;
};

struct settings_option {
	const char *plugin, *name, *value;
};

struct settings {
	char *text; /* everything below points into it */
	const char *sensor;
	const char *boot;
	int verbose;
	uint32_t flows;
	int64_t syn_timeout_us;
	int acks; /* those of forwarded handshakes are copied too */
	struct addr_prefix home[SETTINGS_HOME_MAX];
	unsigned n_home;
	const char *ifaces[SETTINGS_IFACES_MAX];
	unsigned n_ifaces;
	struct settings_group groups[WORKER_GROUPS_MAX];
	unsigned n_groups;
	struct settings_plugin plugins[WORKER_PLUGINS_MAX];
	unsigned n_plugins;
	const char *disabled[WORKER_PLUGINS_MAX];
	unsigned n_disabled;
	struct settings_option options[SETTINGS_OPTIONS_MAX];
	unsigned n_options;
	int prober_fd; /* -1: none, as of the next */
	int hand_fd;   /* for the next analyzer */
	int take_fd;   /* from the last one */
	int replay_fd; /* -1: none */
	const char *replay_path;
};

/* Reads fd to its end and closes it.  0, or -1 with what is wrong in err.  Lines of other keys
 * are passed over: a newer parent may send more. */
int settings_read(struct settings *, int fd, char *err, unsigned err_size);
void settings_free(struct settings *);

#endif
