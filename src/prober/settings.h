/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * settings.h - what the parent wrote into the settings memfd (src/prober.h), as a struct.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdint.h>

#include "lib/addr.h"

#define SETTINGS_PREFIXES_MAX 64 /* home, exclude: as many as the configuration takes (lib/conf.c) */
#define SETTINGS_TRACES_MAX 4096

enum settings_kind {
	SETTINGS_TCP4, SETTINGS_TCP6,
	SETTINGS_UDP4, SETTINGS_UDP6,
	SETTINGS_ICMP4, SETTINGS_ICMP6,
	SETTINGS_TCPX4, SETTINGS_TCPX6,
	SETTINGS_KINDS,
};

struct settings {
	int verbose;
	int send_fd[SETTINGS_KINDS]; /* -1: none */
	int route_fd;
	int nflog_fd;                /* -1: answers come from the raw sockets */
	uint16_t nflog_group;
	int listen_fd;               /* -1: nobody but descriptor 6 asks */
	uint32_t mark;
	struct addr_prefix home[SETTINGS_PREFIXES_MAX];
	unsigned n_home;
	struct addr_prefix exclude[SETTINGS_PREFIXES_MAX];
	unsigned n_exclude;
	int any_target;
	uint32_t probe_rate;         /* a second */
	uint32_t trace_rate;         /* a second */
	uint32_t prefix_budget;      /* a day */
	uint32_t traces;             /* at a time */
};

/* Reads fd to its end and closes it.  0, or -1 with what is wrong in err.  Lines of other keys
 * are passed over: a newer parent may send more. */
int settings_read(struct settings *, int fd, char *err, unsigned err_size);

#endif
