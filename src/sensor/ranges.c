/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ranges.c - prefixes to sorted, merged ranges.
 */
#include "ranges.h"

#include <stdlib.h>
#include <string.h>

static size_t
addr_size(uint8_t ipv)
{
	return ipv == 4 ? 4 : 16;
}

static int
by_first(const void *a, const void *b)
{
	return memcmp(((const struct range *)a)->first, ((const struct range *)b)->first, 16);
}

static void
range_of(struct range *r, const struct addr_prefix *p)
{
	size_t size = addr_size(p->ipv);

	memset(r, 0, sizeof *r);
	memcpy(r->first, p->addr, size);
	memcpy(r->last, p->addr, size);
	for (size_t bit = p->len; bit < 8 * size; bit++)
		r->last[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

int
ranges_end(uint8_t end[16], uint8_t ipv, const struct range *r)
{
	memcpy(end, r->last, 16);
	for (size_t i = addr_size(ipv); i-- > 0;) {
		if (++end[i])
			return 1;
	}
	return 0;
}

size_t
ranges_merge(struct range *out, uint8_t ipv, const struct addr_prefix *prefixes, size_t n)
{
	size_t count = 0, kept = 0;
	uint8_t end[16];

	for (size_t i = 0; i < n; i++) {
		if (prefixes[i].ipv == ipv)
			range_of(&out[count++], &prefixes[i]);
	}
	qsort(out, count, sizeof *out, by_first);
	for (size_t i = 0; i < count; i++) {
		struct range *before = kept ? &out[kept - 1] : NULL;

		if (!before || (ranges_end(end, ipv, before) && memcmp(out[i].first, end, 16) > 0))
			out[kept++] = out[i];
		else if (memcmp(out[i].last, before->last, 16) > 0)
			memcpy(before->last, out[i].last, 16);
	}
	return kept;
}
