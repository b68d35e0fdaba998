/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * community.c - Community ID v1.
 */
#include "community.h"

#include <string.h>

#include "lib/hash.h"

static void
base64(char *out, const uint8_t *in, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (; n >= 3; n -= 3, in += 3) {
		*out++ = digits[in[0] >> 2];
		*out++ = digits[(in[0] & 3) << 4 | in[1] >> 4];
		*out++ = digits[(in[1] & 15) << 2 | in[2] >> 6];
		*out++ = digits[in[2] & 63];
	}
	if (n == 2) { /* 20 bytes leave two */
		*out++ = digits[in[0] >> 2];
		*out++ = digits[(in[0] & 3) << 4 | in[1] >> 4];
		*out++ = digits[(in[1] & 15) << 2];
		*out++ = '=';
	}
	*out = 0;
}

void
community_id(char out[COMMUNITY_LEN + 1], uint8_t ipv, const uint8_t *src, const uint8_t *dst,
	     uint8_t proto, uint16_t sport, uint16_t dport)
{
	size_t n = ipv == 4 ? 4 : 16, k = 2;
	uint8_t data[40] = { 0 }, digest[20];
	int order = memcmp(src, dst, n);

	if (order > 0 || (order == 0 && sport > dport)) {
		const uint8_t *a = src;
		uint16_t p = sport;

		src = dst;
		dst = a;
		sport = dport;
		dport = p;
	}
	memcpy(data + k, src, n);
	memcpy(data + k + n, dst, n);
	k += 2 * n;
	data[k++] = proto;
	data[k++] = 0;
	data[k++] = (uint8_t)(sport >> 8);
	data[k++] = (uint8_t)sport;
	data[k++] = (uint8_t)(dport >> 8);
	data[k++] = (uint8_t)dport;
	hash_sha1_short(data, k, digest);
	out[0] = '1';
	out[1] = ':';
	base64(out + 2, digest, sizeof digest);
}
