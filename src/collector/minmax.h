/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * minmax.h - of two numbers.
 */
#ifndef MINMAX_H
#define MINMAX_H

#include <stdint.h>

static inline int64_t
least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static inline int64_t
greatest(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

#endif
