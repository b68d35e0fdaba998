/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * few.h - a small set of numbers that rollups keep of a source: the ports it knocked at, the addresses (by a
 * hash).  Merging two is adding one to the other; beyond FEW_MAX the greatest go, and what is left says
 * "at least so many".
 */
#ifndef FEW_H
#define FEW_H

#include <stddef.h>
#include <stdint.h>

#define FEW_MAX 64
#define FEW_PACKED (FEW_MAX * 4)

struct few {
	unsigned n;
	uint32_t v[FEW_MAX]; /* ascending, none twice */
};

void few_add(struct few *, uint32_t);

/* As kept in the store: each number as 4 bytes, little endian.  Returns the length. */
size_t few_pack(const struct few *, uint8_t out[FEW_PACKED]);
/* Adds what few_pack() made. */
void few_unpack(struct few *, const uint8_t *packed, size_t n);

/* A number for an address, so that a set can hold it. */
uint32_t few_hash(const char *text);

#endif
