/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ranges.c - a range file: checked as a whole once, then searched by halves.
 */
#include "ranges.h"

#include <string.h>

#include "lib/cur.h"

/* `half` is 4 or 16 bytes, one address; a range is two of them and an index. */
static const char *
check(const uint8_t *p, uint32_t n, size_t half, uint32_t as_n)
{
	const uint8_t *last = NULL;

	for (; n; n--, p += 2 * half + 4) {
		if (memcmp(p, p + half, half) > 0)
			return "a range ends before it begins";
		if (last && memcmp(last, p, half) >= 0)
			return "ranges are not in order";
		if (be32_at(p + 2 * half) >= as_n)
			return "a range of no system";
		last = p + half;
	}
	return NULL;
}

static const char *
check_systems(const struct ranges *r)
{
	for (uint32_t i = 0; i < r->as_n; i++) {
		if (be32_at(r->as + (size_t)i * RANGES_AS + 4) >= r->text_n)
			return "a name outside of the text";
	}
	return NULL;
}

const char *
ranges_open(struct ranges *r, const void *bytes, size_t n)
{
	struct cur c = cur_of(bytes, n);
	const uint8_t *magic = cur_take(&c, 8);
	uint32_t attribution;
	const char *wrong;

	*r = (struct ranges){ .v4_n = cur_be32(&c), .v6_n = 0 };
	r->v6_n = cur_be32(&c);
	r->as_n = cur_be32(&c);
	r->text_n = cur_be32(&c);
	r->built_s = (int64_t)(cur_be64(&c) & INT64_MAX);
	attribution = cur_be32(&c);
	cur_skip(&c, 28);
	if (c.bad || memcmp(magic, RANGES_MAGIC, 8))
		return "no range file";
	r->v4 = cur_take(&c, (size_t)r->v4_n * RANGES_V4);
	r->v6 = cur_take(&c, (size_t)r->v6_n * RANGES_V6);
	r->as = cur_take(&c, (size_t)r->as_n * RANGES_AS);
	r->text = (const char *)cur_take(&c, r->text_n);
	if (c.bad || cur_left(&c))
		return "its length is not what its header says";
	if (!r->text_n || r->text[0] || r->text[r->text_n - 1] || attribution >= r->text_n)
		return "its text has no end";
	r->attribution = r->text + attribution;
	wrong = check(r->v4, r->v4_n, 4, r->as_n);
	if (!wrong)
		wrong = check(r->v6, r->v6_n, 16, r->as_n);
	return wrong ? wrong : check_systems(r);
}

uint32_t
ranges_find(const struct ranges *r, uint8_t ipv, const uint8_t addr[16], const char **name)
{
	const uint8_t *base = ipv == 4 ? r->v4 : r->v6, *p;
	size_t half = ipv == 4 ? 4 : 16, size = 2 * half + 4;
	uint32_t low = 0, high = ipv == 4 ? r->v4_n : r->v6_n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		p = base + mid * size;
		if (memcmp(addr, p, half) < 0) {
			high = mid;
		} else if (memcmp(addr, p + half, half) > 0) {
			low = mid + 1;
		} else {
			p = r->as + (size_t)be32_at(p + 2 * half) * RANGES_AS;
			*name = r->text + be32_at(p + 4);
			return be32_at(p);
		}
	}
	return 0;
}
