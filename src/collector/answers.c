/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * answers.c - a small table, looked through from end to end.
 */
#include "answers.h"

#include <stdlib.h>
#include <string.h>

const char *
answers_find(const struct answers *a, const char *key, int64_t last_id, int64_t now_us, size_t *n)
{
	for (size_t i = 0; i < ANSWERS_MAX; i++) {
		const struct answers_entry *e = &a->entry[i];

		if (!e->bytes || e->last_id != last_id || now_us - e->at_us > ANSWERS_US || strcmp(e->key, key))
			continue;
		*n = e->n;
		return e->bytes;
	}
	return NULL;
}

/* Of this key, or else the one that was made longest ago. */
static struct answers_entry *
place(struct answers *a, const char *key)
{
	struct answers_entry *oldest = &a->entry[0];

	for (size_t i = 0; i < ANSWERS_MAX; i++) {
		struct answers_entry *e = &a->entry[i];

		if (e->bytes && !strcmp(e->key, key))
			return e;
		if (!e->bytes || (oldest->bytes && e->at_us < oldest->at_us))
			oldest = e;
	}
	return oldest;
}

void
answers_put(struct answers *a, const char *key, int64_t last_id, int64_t now_us, const char *bytes, size_t n)
{
	struct answers_entry *e;
	char *copy;

	if (n > ANSWERS_BYTES_MAX || strlen(key) >= sizeof e->key)
		return;
	copy = malloc(n + 1);
	if (!copy)
		return;
	memcpy(copy, bytes, n);
	e = place(a, key);
	free(e->bytes);
	e->bytes = copy;
	e->n = n;
	e->last_id = last_id;
	e->at_us = now_us;
	memcpy(e->key, key, strlen(key) + 1);
}

void
answers_clear(struct answers *a)
{
	for (size_t i = 0; i < ANSWERS_MAX; i++) {
		free(a->entry[i].bytes);
		a->entry[i].bytes = NULL;
	}
}
