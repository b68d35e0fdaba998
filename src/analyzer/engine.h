/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * engine.h - the stages in a row: message -> packet -> flow -> plugins -> report.  The live analyzer
 * and the replay drive the same engine; one of them in a process.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include <stdint.h>

#include "plugin.h"
#include "settings.h"

struct batch_msg;
struct worker_page;

struct engine_conf {
	const struct settings *settings;
	struct worker_page *page;
	struct worker_top *top; /* NULL: none */
	int replay;       /* time comes with the packets; ACKs come too */
	int report_fd;
};

/* Loads and starts everything; exits with a message when there is no memory.  The plugins are
 * loaded by engine_load(), which may still open files, and started by engine_start(). */
void engine_load(const struct engine_conf *);
void engine_start(int64_t now_us, int64_t wall_us, void (*plugin_failed)(unsigned index));

/* From the analyzer that was there before, right behind the start; to the one that comes, just before the end: flow.h. */
void engine_take_over(int fd);
void engine_hand_over(int fd);

/* The time of this turn. */
void engine_turn(int64_t now_us, int64_t wall_us);

/* One NFLOG message of group `index` of the settings. */
void engine_message(unsigned index, const struct batch_msg *);

/* The enum ng_hook of a message. */
uint8_t engine_hook(const struct batch_msg *);

/* One packet of a capture, its metadata filled in. */
void engine_packet(struct ng_packet *);

/* Hands paths that the prober found to the plugins that asked for them.  0, or -errno: it will send no
 * more. */
int engine_paths(void);

/* Ends what is overdue and runs timers; returns the time at which to call again. */
int64_t engine_expire(void);

/* The parent read the counters: value[2 i], value[2 i + 1].  Makes a stat report. */
void engine_counters(const uint64_t *value, unsigned n, uint64_t posture);

/* Reports what is known, a last stat, and stops the plugins.  *open: handshakes left without an
 * end. */
void engine_stop(uint64_t posture, uint32_t *open);

#endif
