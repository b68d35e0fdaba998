/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ranges.h - prefixes as sorted, merged address ranges: an interval set of the kernel refuses
 * elements that overlap.
 */
#ifndef RANGES_H
#define RANGES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

struct range {
	uint8_t first[16];
	uint8_t last[16];
};

/* The ranges of one family, lowest first, none touching the next; out has room for n.  Returns
 * how many. */
size_t ranges_merge(struct range *out, uint8_t ipv, const struct addr_prefix *, size_t n);

/* The address behind a range; 0 when there is none (the range ends with the last address). */
int ranges_end(uint8_t end[16], uint8_t ipv, const struct range *);

#endif
