/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ledger.c - see ledger.h.
 */
#include "ledger.h"

#include <string.h>

void
ledger_begin(struct ledger *l, const struct ruleset_counters *now)
{
	memset(&l->total, 0, sizeof l->total);
	l->last = *now;
}

static void
add(uint64_t *total, uint64_t *last, uint64_t now)
{
	*total += now >= *last ? now - *last : now; /* smaller: it was reset, and began at 0 */
	*last = now;
}

void
ledger_add(struct ledger *l, const struct ruleset_counters *now)
{
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		if (!(now->have >> row & 1))
			continue;
		add(&l->total.seen[row], &l->last.seen[row], now->seen[row]);
		add(&l->total.logged[row], &l->last.logged[row], now->logged[row]);
	}
	l->total.have |= now->have;
}
