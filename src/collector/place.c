/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * place.c - places out of rows, and their order.
 */
#include "place.h"

#include <stdlib.h>
#include <string.h>

int
place_get(struct place *p, sqlite3_stmt *stmt, int i, int parts)
{
	const char *ip = (const char *)sqlite3_column_text(stmt, i);
	size_t n = (size_t)sqlite3_column_bytes(stmt, i);

	if (!ip || n >= sizeof p->ip)
		return 0;
	memset(p, 0, sizeof *p);
	memcpy(p->ip, ip, n);
	if (parts > 1) {
		p->port = (uint16_t)sqlite3_column_int(stmt, i + 1);
		p->what = (uint8_t)sqlite3_column_int(stmt, i + 2);
	}
	return 1;
}

static int
by_rank(const void *x, const void *y)
{
	const struct place_ranked *a = x, *b = y;
	int r;

	if (a->n != b->n)
		return a->n < b->n ? 1 : -1;
	r = strcmp(a->place->ip, b->place->ip);
	if (r)
		return r;
	return a->place->port != b->place->port ? a->place->port - b->place->port : a->place->what - b->place->what;
}

struct place_ranked *
place_rank(const struct set *places, const int64_t *n, size_t stride)
{
	struct place_ranked *list = calloc(places->n + 1, sizeof *list);

	if (!list)
		return NULL;
	for (size_t i = 0; n && i < places->n; i++)
		list[i] = (struct place_ranked){
			(const struct place *)(const void *)(places->items + i * places->width), n[i * stride], i };
	qsort(list, places->n, sizeof *list, by_rank);
	return list;
}

void *
place_values(void *values, size_t *size, const struct set *set, size_t width)
{
	char *more;

	if (set->n <= *size)
		return values;
	more = realloc(values, set->size * width);
	if (!more) {
		free(values);
		return NULL;
	}
	memset(more + *size * width, 0, (set->size - *size) * width);
	*size = set->size;
	return more;
}
