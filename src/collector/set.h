/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * set.h - a growing list of things of one size, found again by the bytes of their keys.  What query.c and
 * pathquery.c add up with.
 */
#ifndef SET_H
#define SET_H

#include <stddef.h>
#include <stdint.h>

/* Begins with its width, all else 0. */
struct set {
	char *items;
	size_t n, size, width;
	uint32_t *slots; /* 1 + place; 0: free */
	size_t n_slots;  /* a power of two, at least twice n */
};

void set_free(struct set *);
/* Its place, or -ENOMEM.  Every byte of an item counts: padding is zero. */
int64_t set_put(struct set *, const uint8_t secret[16], const void *item);

/* Its place, or -1. */
int64_t set_find(const struct set *, const uint8_t secret[16], const void *item);

#endif
