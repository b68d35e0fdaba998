/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * host.h - struct ng_host's functions, and what the host keeps of each plugin.
 */
#ifndef HOST_H
#define HOST_H

#include <stdint.h>

#include "plugin.h"
#include "settings.h"
#include "worker.h"

#define HOST_TIMERS 8
#define HOST_COUNTERS 16
#define HOST_SLOW_NS 50000000 /* one call; said once */

enum host_state { HOST_LOADED, HOST_RUNS, HOST_DISABLED };

struct ng_ctx {
	unsigned index; /* of the plugin= lines */
	const char *path;
	void *dl;
	const struct ng_plugin *plugin; /* NULL: could not be loaded, `why` says it */
	const char *why;
	char why_text[300];
	enum host_state state;
	void *self;
	int64_t timer_us[HOST_TIMERS]; /* 0: not set */
	struct {
		char name[WORKER_NAME_MAX];
		uint64_t value;
	} counters[HOST_COUNTERS];
	unsigned n_counters;
	uint64_t calls;
	uint64_t errors;
	uint64_t cpu_ns;
	int64_t max_ns;
	int64_t began_ns;
	int slow_said;
};

/* What the host services need from the rest; lent. */
struct host_env {
	const struct settings *settings;
	struct worker_page *page;
	enum ng_dir (*direction)(uint8_t ipv, const uint8_t *src, const uint8_t *dst);
	int replay;
};

void host_init(const struct host_env *);
const struct ng_host *host_table(void);

/* The times that the services use until the next call. */
void host_turn(int64_t now_us, int64_t wall_us);

/* A report that the plugin left open is dropped, and that is its error. */
void host_close_report(struct ng_ctx *);

/* Its classes and those that its events imply. */
uint32_t host_classes(const struct ng_plugin *);

#endif
