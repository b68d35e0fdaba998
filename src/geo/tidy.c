/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * tidy.c - see tidy.h.
 */
#include "tidy.h"

#include <stdint.h>
#include <string.h>

/* One character of UTF-8 (RFC 3629), its length in *len; -1: there is none, *len is 1. */
static int32_t
character(const unsigned char *p, size_t n, size_t *len)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t want = *p < 0x80 ? 1 : *p >= 0xf0 && *p < 0xf5 ? 4 : *p >= 0xe0 && *p < 0xf0 ? 3 : *p >= 0xc2 && *p < 0xe0 ? 2 : 0;
	uint32_t c;

	*len = 1;
	if (!want || want > n)
		return -1;
	c = want == 1 ? *p : *p & (0x7fU >> want);
	for (size_t i = 1; i < want; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return -1;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[want] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return -1;
	*len = want;
	return (int32_t)c;
}

static int
fit(int32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return 0;
	/* Marks and overrides of direction, line and paragraph separators, the BOM. */
	return !((c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff ||
		 c == 0x61c);
}

void
tidy_text(char *out, size_t size, const char *text, size_t n)
{
	size_t used = 0, len;

	for (size_t i = 0; i < n; i += len) {
		int32_t c = character((const unsigned char *)text + i, n - i, &len);

		if (c >= 0 && !fit(c))
			continue;
		if (used + len >= size)
			break;
		if (c < 0)
			out[used] = '?';
		else
			memcpy(out + used, text + i, len);
		used += len;
	}
	out[used] = 0;
}

static char
upper(char c)
{
	return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

void
tidy_cc(char out[3], const char *text, size_t n)
{
	char a = n == 2 ? upper(text[0]) : 0, b = n == 2 ? upper(text[1]) : 0;
	int good = a >= 'A' && a <= 'Z' && b >= 'A' && b <= 'Z';

	out[0] = good ? a : 0;
	out[1] = good ? b : 0;
	out[2] = 0;
}
