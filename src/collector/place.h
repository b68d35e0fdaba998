/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * place.h - what lists are made by: an address, with a port and something small if they matter; and which of
 * many have the greatest numbers.
 */
#ifndef PLACE_H
#define PLACE_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "set.h"

/* All bytes of it are compared. */
struct place {
	char ip[ADDR_TEXT];
	uint16_t port;
	uint8_t what; /* proto, or state */
};

/* One out of columns i (address), i + 1 and i + 2; `parts` 1: the address alone.  0: its address is none. */
int place_get(struct place *, sqlite3_stmt *, int i, int parts);

struct place_ranked {
	const struct place *place;
	int64_t n;
	size_t at; /* in the set */
};

/* A list of the set's places and their numbers (`stride` of them apart), most first; to be freed.  NULL: out of
 * memory. */
struct place_ranked *place_rank(const struct set *places, const int64_t *n, size_t stride);

/* Room for as many values as the set has keys; NULL: out of memory, and the old ones are gone. */
void *place_values(void *values, size_t *size, const struct set *, size_t width);

#endif
