/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * set.c - a list with a hash table beside it.
 */
#include "set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/hash.h"

void
set_free(struct set *t)
{
	free(t->items);
	free(t->slots);
}

static int
set_grow(struct set *t)
{
	size_t size = t->size ? 2 * t->size : 64;
	char *items = realloc(t->items, size * t->width);

	if (!items)
		return -ENOMEM;
	t->items = items;
	free(t->slots);
	t->slots = calloc(2 * size, sizeof *t->slots);
	if (!t->slots)
		return -ENOMEM;
	t->size = size;
	t->n_slots = 2 * size;
	return 0;
}

static uint32_t *
set_slot(const struct set *t, const uint8_t secret[16], const void *item)
{
	size_t i = (size_t)hash_sip(secret, item, t->width) & (t->n_slots - 1);

	while (t->slots[i] && memcmp(t->items + (t->slots[i] - 1) * t->width, item, t->width))
		i = (i + 1) & (t->n_slots - 1);
	return &t->slots[i];
}

int64_t
set_put(struct set *t, const uint8_t secret[16], const void *item)
{
	uint32_t *slot;

	if (t->n == t->size) {
		if (set_grow(t))
			return -ENOMEM;
		for (size_t i = 0; i < t->n; i++)
			*set_slot(t, secret, t->items + i * t->width) = (uint32_t)i + 1;
	}
	slot = set_slot(t, secret, item);
	if (!*slot) {
		memcpy(t->items + t->n * t->width, item, t->width);
		*slot = (uint32_t)++t->n;
	}
	return *slot - 1;
}

int64_t
set_find(const struct set *t, const uint8_t secret[16], const void *item)
{
	return t->n_slots ? (int64_t)*set_slot(t, secret, item) - 1 : -1;
}
