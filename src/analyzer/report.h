/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * report.h - report lines: the envelope, one line at a time, and the pipe they leave by.
 *
 * Never blocks before report_last(): what finds neither room in the pipe nor in our 64 KiB is dropped
 * and counted; its seq is used up, so that the collector sees the gap too.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

#include "lib/json.h"

struct worker_page;

struct report_conf {
	int fd;               /* the pipe (O_NONBLOCK); a replay's stdout, which may block */
	const char *sensor;
	const char *boot;
	struct worker_page *page; /* seq, reports, reports_dropped; lent */
};

/* Start-up only; exits when there is no memory. */
void report_start(const struct report_conf *);
void report_stop(void);

/* CLOCK_BOOTTIME - CLOCK_REALTIME, for `up_us`; INT64_MIN: not known (replay). */
void report_set_boot_offset(int64_t offset_us);

/* The open line, after v, type, ts, up_us, sensor, boot, seq.  NULL when one is open already. */
struct json *report_open(const char *type, int64_t ts_us);
/* 0, -EMSGSIZE (too long: dropped and counted) or -EPROTO. */
int report_close(void);
/* Gives the line up, as if it had never been opened. */
void report_cancel(void);

/* Hands the pipe what it takes.  Call at the end of a turn.  0, or -EAGAIN when something is left
 * (wait for POLLOUT), or another -errno: the reader is gone. */
int report_flush(void);

/* From here on a full pipe is waited for, until then (clock_mono_us()) and no longer: after the last
 * turn nobody comes again. */
void report_last(int64_t until_us);

#endif
