/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * plugins.h - loads plugins, hands them events, times each call, and keeps track of who is running
 * so that a crash has a name.
 */
#ifndef PLUGINS_H
#define PLUGINS_H

#include <stdio.h>

#include "host.h"
#include "plugin.h"

struct json;

/* dlopen()s every plugin of the settings and checks its ABI.  One that cannot be used is left out;
 * the parent learned why from plugins_describe(), and said it.  The number that can. */
unsigned plugins_load(const struct host_env *);

/* For `--describe`: the lines that src/worker.h defines. */
void plugins_describe(FILE *);

/* start() of each that is not disabled; one that fails is disabled, and fn is told its index. */
void plugins_start(int64_t now_us, int64_t wall_us, void (*fn)(unsigned index));
void plugins_stop(int64_t now_us, int64_t wall_us);
void plugins_unload(void);

/* ORed over those that run. */
uint32_t plugins_events(void);
uint32_t plugins_classes(void);

/* Hands the event to each plugin that asked for it (packets: for one of its classes). */
void plugins_event(const struct ng_event *);

/* Hands it to the plugin of this index alone, when it asked for such events. */
void plugins_event_for(uint32_t index, const struct ng_event *);

/* Runs timers that are due; when the next one is (INT64_MAX: none). */
int64_t plugins_timers(int64_t now_us, int64_t wall_us);

/* The `plugins` list of a stat report. */
void plugins_stat(struct json *);

#endif
