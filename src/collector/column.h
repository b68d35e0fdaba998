/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * column.h - values that several tables hold, to and from the columns of a statement: a number that
 * may be unknown, a histogram of round trip times with its minimum and maximum beside it; and what SQL needs to
 * add them up.
 */
#ifndef COLUMN_H
#define COLUMN_H

#include <sqlite3.h>
#include <stdint.h>

#include "rtt.h"

/* Port i of an attempt's: each takes 2 bytes, little endian. */
static inline uint16_t
column_port(const uint8_t *list, unsigned i)
{
	return (uint16_t)(list[2 * i] | list[2 * i + 1] << 8);
}

/* Text that stays until the statement is reset. */
void column_bind_text(sqlite3_stmt *, int i, const char *text);

/* NULL for what is below 0. */
void column_bind_known(sqlite3_stmt *, int i, int64_t v);

/* Min and max at i and i + 1, the histogram at `blob`; NULLs when it is empty.  `packed` must stay as
 * long as the binding. */
void column_bind_rtt(sqlite3_stmt *, int i, int blob, const struct rtt *, uint8_t packed[RTT_PACKED]);

/* Adds the histogram of result columns i (min), i + 1 (max) and `blob`. */
void column_add_rtt(struct rtt *, sqlite3_stmt *, int i, int blob);

/* SQL: rtt_sum(hist) and few_sum(set) add up a group, rtt_plus(a, b) and few_plus(a, b) two (NULL: none);
 * few_ports(b) makes a set of an attempt's ports, few_of(text) one of an address.  An SQLite code. */
int column_functions(sqlite3 *);

#endif
