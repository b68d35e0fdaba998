/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ledger.c - see ledger.h.
 */
#include "ledger.h"

#include <string.h>

/* 71 years of a million packets a second: the page is a stranger's. */
#define LEDGER_KNOWN_MAX (1ULL << 51)

void
ledger_begin(struct ledger *l, const struct observe_counters *now)
{
	memset(&l->total, 0, sizeof l->total);
	l->last = *now;
}

void
ledger_add(struct ledger *l, const struct observe_counters *now)
{
	for (enum classes_row row = 0; row < CLASSES_ROWS; row++) {
		struct observe_counters *last = &l->last;

		if (!(now->have >> row & 1))
			continue;
		/* Another table, or a counter that somebody reset: it began at 0. */
		if (now->table != last->table || now->seen[row] < last->seen[row] ||
		    now->logged[row] < last->logged[row])
			last->seen[row] = last->logged[row] = 0;
		l->total.seen[row] += now->seen[row] - last->seen[row];
		l->total.logged[row] += now->logged[row] - last->logged[row];
		last->seen[row] = now->seen[row];
		last->logged[row] = now->logged[row];
	}
	l->last.table = now->table;
	l->total.have |= now->have;
}

void
ledger_witness(struct ledger *l, enum classes_row row, uint64_t known)
{
	uint64_t missing = known > l->total.logged[row] ? known - l->total.logged[row] : 0;

	if (known > LEDGER_KNOWN_MAX)
		return;
	l->total.seen[row] += missing;
	l->total.logged[row] += missing;
}
