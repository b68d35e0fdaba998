/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ledger.h - the rules' counters as totals since this program started, whoever reset or reloaded
 * the table in between.
 */
#ifndef LEDGER_H
#define LEDGER_H

#include "sensor/observe.h"

struct ledger {
	struct observe_counters last;  /* as the kernel had them */
	struct observe_counters total;
};

/* What the kernel has now is where we begin: packets before us are not ours. */
void ledger_begin(struct ledger *, const struct observe_counters *);

/* Adds what came since. */
void ledger_add(struct ledger *, const struct observe_counters *);

/* The analyzer knew of so many of a row's packets, received or missing among their numbers, before the counters
 * were read.  More than they say: a table went, and with it what they had counted since the last reading.
 * What was sampled out meanwhile nobody knows. */
void ledger_witness(struct ledger *, enum classes_row, uint64_t known);

#endif
