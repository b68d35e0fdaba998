/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * few.c - small sets of numbers.
 */
#include "few.h"

#include <string.h>

void
few_add(struct few *f, uint32_t v)
{
	unsigned at = f->n;

	/* Most come in order. */
	while (at && f->v[at - 1] > v)
		at--;
	if ((at && f->v[at - 1] == v) || at == FEW_MAX)
		return;
	if (f->n == FEW_MAX)
		f->n--;
	memmove(&f->v[at + 1], &f->v[at], (f->n - at) * sizeof *f->v);
	f->v[at] = v;
	f->n++;
}

size_t
few_pack(const struct few *f, uint8_t out[FEW_PACKED])
{
	size_t n = 0;

	for (unsigned i = 0; i < f->n; i++) {
		for (unsigned b = 0; b < 32; b += 8)
			out[n++] = (uint8_t)(f->v[i] >> b);
	}
	return n;
}

void
few_unpack(struct few *f, const uint8_t *packed, size_t n)
{
	for (; n >= 4; n -= 4, packed += 4)
		few_add(f, packed[0] | (uint32_t)packed[1] << 8 | (uint32_t)packed[2] << 16 | (uint32_t)packed[3] << 24);
}

uint32_t
few_hash(const char *text)
{
	uint32_t h = 2166136261u; /* FNV-1a: who makes two collide is counted once, that is all */

	for (; *text; text++)
		h = (h ^ (uint8_t)*text) * 16777619u;
	return h;
}
