/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hash.c - SipHash-2-4, SipHash-1-3 and a SHA-1 for short strings.
 */
#include "hash.h"

#include <endian.h>
#include <string.h>
#include <sys/random.h>

#include "log.h"

static uint64_t
rotl64(uint64_t x, int b)
{
	return x << b | x >> (64 - b);
}

static uint64_t
load_le64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof v);
	return le64toh(v);
}

#define SIPROUND \
	do { \
		v0 += v1; v1 = rotl64(v1, 13); v1 ^= v0; v0 = rotl64(v0, 32); \
		v2 += v3; v3 = rotl64(v3, 16); v3 ^= v2; \
		v0 += v3; v3 = rotl64(v3, 21); v3 ^= v0; \
		v2 += v1; v1 = rotl64(v1, 17); v1 ^= v2; v2 = rotl64(v2, 32); \
	} while (0)

uint64_t
hash_sip(const uint8_t key[16], const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	uint64_t v0 = 0x736f6d6570736575ULL ^ k0;
	uint64_t v1 = 0x646f72616e646f6dULL ^ k1;
	uint64_t v2 = 0x6c7967656e657261ULL ^ k0;
	uint64_t v3 = 0x7465646279746573ULL ^ k1;
	uint64_t last = (uint64_t)len << 56;
	uint8_t tail[8] = { 0 };
	size_t left = len;

	for (; left >= 8; p += 8, left -= 8) {
		uint64_t m = load_le64(p);

		v3 ^= m;
		SIPROUND;
		SIPROUND;
		v0 ^= m;
	}
	memcpy(tail, p, left);
	last |= load_le64(tail);
	v3 ^= last;
	SIPROUND;
	SIPROUND;
	v0 ^= last;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

uint64_t
hash_sip13(const uint8_t key[16], const uint64_t *words, size_t n)
{
	uint64_t k0 = load_le64(key), k1 = load_le64(key + 8);
	uint64_t v0 = 0x736f6d6570736575ULL ^ k0;
	uint64_t v1 = 0x646f72616e646f6dULL ^ k1;
	uint64_t v2 = 0x6c7967656e657261ULL ^ k0;
	uint64_t v3 = 0x7465646279746573ULL ^ k1;
	uint64_t last = (uint64_t)n << 59; /* the length in bytes, in the top one */

	for (size_t i = 0; i < n; i++) {
		v3 ^= words[i];
		SIPROUND;
		v0 ^= words[i];
	}
	v3 ^= last;
	SIPROUND;
	v0 ^= last;
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return v0 ^ v1 ^ v2 ^ v3;
}

static uint32_t
rotl32(uint32_t x, int b)
{
	return x << b | x >> (32 - b);
}

/* Five rounds at a time: the names of the variables turn, the values stay where they are. */
#define SHA1_ROUND(a, b, c, d, e, f, k, i) \
	e += rotl32(a, 5) + (f) + (k) + w[i]; \
	b = rotl32(b, 30);
#define SHA1_ROUNDS(from, F, k) \
	for (int i = from; i < (from) + 20; i += 5) { \
		SHA1_ROUND(a, b, c, d, e, F(b, c, d), k, i) \
		SHA1_ROUND(e, a, b, c, d, F(a, b, c), k, i + 1) \
		SHA1_ROUND(d, e, a, b, c, F(e, a, b), k, i + 2) \
		SHA1_ROUND(c, d, e, a, b, F(d, e, a), k, i + 3) \
		SHA1_ROUND(b, c, d, e, a, F(c, d, e), k, i + 4) \
	}
#define SHA1_CHOOSE(b, c, d) (d ^ (b & (c ^ d)))
#define SHA1_PARITY(b, c, d) (b ^ c ^ d)
#define SHA1_MAJORITY(b, c, d) ((b & c) | (d & (b | c)))

static void
sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	/* Written before it is read; the build would zero 320 bytes for each handshake. */
	uint32_t w[80] __attribute__((uninitialized));

	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 |
		       (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rotl32(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	SHA1_ROUNDS(0, SHA1_CHOOSE, 0x5a827999U)
	SHA1_ROUNDS(20, SHA1_PARITY, 0x6ed9eba1U)
	SHA1_ROUNDS(40, SHA1_MAJORITY, 0x8f1bbcdcU)
	SHA1_ROUNDS(60, SHA1_PARITY, 0xca62c1d6U)
	h[0] += a;
	h[1] += b;
	h[2] += c;
	h[3] += d;
	h[4] += e;
}

void
hash_sha1_short(const void *data, size_t len, uint8_t digest[20])
{
	uint32_t h[5] = { 0x67452301U, 0xefcdab89U, 0x98badcfeU, 0x10325476U, 0xc3d2e1f0U };
	uint8_t block[128] = { 0 };
	size_t blocks = len < 56 ? 1 : 2;
	uint64_t bits = (uint64_t)len * 8;

	if (len > 119)
		len = 119;
	memcpy(block, data, len);
	block[len] = 0x80;
	for (int i = 0; i < 8; i++)
		block[64 * blocks - 1 - (size_t)i] = (uint8_t)(bits >> (8 * i));
	for (size_t i = 0; i < blocks; i++)
		sha1_block(h, block + 64 * i);
	for (int i = 0; i < 20; i++)
		digest[i] = (uint8_t)(h[i / 4] >> (24 - 8 * (i % 4)));
}

void
hash_random(void *buf, size_t len)
{
	if (getrandom(buf, len, 0) != (ssize_t)len)
		fatal("getrandom gave no random bytes");
}
