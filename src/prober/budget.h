/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * budget.h - how many traces a day went into each IPv4 /24 and IPv6 /48, in a file that outlives us.
 *
 * The file is mapped, and each count is one 32-bit store: whatever instruction a crash comes at, what
 * it leaves is a table that can be gone on with, and no count is lower than it was.
 */
#ifndef BUDGET_H
#define BUDGET_H

#include <stdint.h>

#define BUDGET_COUNT_MAX 1000000
#define BUDGET_SLOTS 8192 /* 96 KiB; a day's prefixes beyond some 8,000 are refused */

struct budget;

/* Takes descriptor fd: a regular file is mapped and goes on where it ended (what is none of ours, or
 * damaged, is begun anew, with a warning); anything else: kept in memory.  NULL: out of memory. */
struct budget *budget_open(int fd, uint32_t per_day, int64_t wall_us);
void budget_close(struct budget *);

/* 1: another trace to this address may begin; 0: its prefix had its traces today, or the table is full. */
int budget_left(struct budget *, uint8_t ipv, const uint8_t addr[16], int64_t wall_us);

/* Counts one.  1; 0: there was none left, nothing is counted. */
int budget_take(struct budget *, uint8_t ipv, const uint8_t addr[16], int64_t wall_us);

/* Refused because the table was full, since budget_open(). */
uint64_t budget_full(const struct budget *);

#endif
