/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * pick.h - random numbers that a seed, told when a test fails, gives again.
 */
#ifndef PICK_H
#define PICK_H

#include <stdint.h>

static uint64_t rng = 1; /* not 0 */

/* Below n. */
static uint32_t
pick(uint32_t n)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return (uint32_t)(rng >> 20) % n;
}

#endif
