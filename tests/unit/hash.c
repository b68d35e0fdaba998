/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * SipHash-2-4, SHA-1 and Community ID against what their authors published.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "../../src/lib/hash.c"
#include "../../src/analyzer/community.c"
#include "guard.h"

/* Key 00..0f, message 00, 01, ... of each length from 0 to 63; the value of length 15 is the example
 * of the paper (Aumasson, Bernstein: SipHash, appendix A). */
static const uint64_t sip_vectors[64] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
	0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
	0x3f2acc7f57c29bdb, 0x699ae9f52cbe4794, 0x4bc1b3f0968dd39c, 0xbb6dc91da77961bd,
	0xbed65cf21aa2ee98, 0xd0f2cbb02e3b67c7, 0x93536795e3a33e88, 0xa80c038ccd5ccec8,
	0xb8ad50c6f649af94, 0xbce192de8a85b8ea, 0x17d835b85bbb15f3, 0x2f2e6163076bcfad,
	0xde4daaaca71dc9a5, 0xa6a2506687956571, 0xad87a3535c49ef28, 0x32d892fad841c342,
	0x7127512f72f27cce, 0xa7f32346f95978e3, 0x12e0b01abb051238, 0x15e034d40fa197ae,
	0x314dffbe0815a3b4, 0x027990f029623981, 0xcadcd4e59ef40c4d, 0x9abfd8766a33735c,
	0x0e3ea96b5304a7d0, 0xad0c42d6fc585992, 0x187306c89bc215a9, 0xd4a60abcf3792b95,
	0xf935451de4f21df2, 0xa9538f0419755787, 0xdb9acddff56ca510, 0xd06c98cd5c0975eb,
	0xe612a3cb9ecba951, 0xc766e62cfcadaf96, 0xee64435a9752fe72, 0xa192d576b245165a,
	0x0a8787bf8ecb74b2, 0x81b3e73d20b49b6f, 0x7fa8220ba3b2ecea, 0x245731c13ca42499,
	0xb78dbfaf3a8d83bd, 0xea1ad565322a1a0b, 0x60e61c23a3795013, 0x6606d7e446282b93,
	0x6ca4ecb15c5f91e1, 0x9f626da15c9625f3, 0xe51b38608ef25f57, 0x958a324ceb064572,
};

static void
test_siphash(void **state)
{
	uint8_t key[16], message[64];

	(void)state;
	for (int i = 0; i < 16; i++)
		key[i] = (uint8_t)i;
	for (int i = 0; i < 64; i++)
		message[i] = (uint8_t)i;
	for (size_t n = 0; n < 64; n++)
		assert_int_equal(hash_sip(key, guard_copy(message, n), n), sip_vectors[n]);
	assert_int_equal(sip_vectors[15], 0xa129ca6149be45e5);
}

/* Of CPython 3.11, whose hash of bytes is SipHash-1-3: PYTHONHASHSEED=1 gives this key. */
static void
test_siphash13(void **state)
{
	static const uint8_t zero[16] = { 0 }, key[16] = { 41, 35, 190, 132, 225, 108, 214, 174, 82, 144, 73,
							   241, 241, 187, 233, 235 };
	static const struct {
		uint64_t zero;
		uint64_t key;
	} vectors[] = {
		{ 0xead411e67ebe2eea, 0xc0b5739e7e28dd01 }, { 0x72e64addc9e68459, 0xc80ae7e29631ec0a },
		{ 0xe626fcd5ff7c8fac, 0x7d11666584967efc }, { 0xef458089c7896986, 0xace75dbef8aa7278 },
		{ 0xf044b8ed207ec3fe, 0xf12a012a55a4f8d7 }, { 0xb8619b6569bd225f, 0xa54be867fc772dde },
	};
	uint64_t words[6];

	(void)state;
	for (size_t n = 1; n <= 6; n++) {
		words[n - 1] = 0x0706050403020100 + 0x0101010101010101 * (n - 1);
		assert_int_equal(hash_sip13(zero, words, n), vectors[n - 1].zero);
		assert_int_equal(hash_sip13(key, words, n), vectors[n - 1].key);
	}
}

static void
hex(char *out, const uint8_t *digest)
{
	for (int i = 0; i < 20; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void
test_sha1(void **state)
{
	/* RFC 3174 section 7.3 (what fits), FIPS 180, and runs of one letter around the block sizes
	 * (sha1sum). */
	static const struct {
		const char *text;
		size_t repeat;
		const char *digest;
	} cases[] = {
		{ "", 1, "da39a3ee5e6b4b0d3255bfef95601890afd80709" },
		{ "abc", 1, "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 1,
		  "84983e441c3bd26ebaae4aa1f95129e5e54670f1" },
		{ "0123456701234567012345670123456701234567012345670123456701234567", 1,
		  "e0c094e867ef46c350ef54a7f59dd60bed92ae83" },
		{ "a", 1, "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8" },
		{ "x", 54, "31045e7bb077ff8d188a776b196b980388735dbb" },
		{ "x", 55, "cef734ba81a024479e09eb5a75b6ddae62e6abf1" },
		{ "x", 56, "901305367c259952f4e7af8323f480d59f81335b" },
		{ "x", 57, "025ecbd5d70f8fb3c5457cd96bab13fda305dc59" },
		{ "x", 63, "0ddc4e0cccd9a12850deb5abb0853a4425559fec" },
		{ "x", 64, "bb2fa3ee7afb9f54c6dfb5d021f14b1ffe40c163" },
		{ "x", 65, "78c741ddc482e4cdf8c474a0876347a0905b6233" },
		{ "x", 118, "46e01fe9785dc90804798b79cd399c6e90d1d382" },
		{ "x", 119, "4300320394f7ee239bcdce7d3b8bcee173a0cd5c" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char message[128], text[41];
		uint8_t digest[20];
		size_t n = 0;

		for (size_t k = 0; k < cases[i].repeat; k++) {
			memcpy(message + n, cases[i].text, strlen(cases[i].text));
			n += strlen(cases[i].text);
		}
		hash_sha1_short(guard_copy(message, n), n, digest);
		hex(text, digest);
		assert_string_equal(text, cases[i].digest);
	}
}

static void
test_random_differs(void **state)
{
	uint8_t a[16] = { 0 }, b[16] = { 0 };

	(void)state;
	hash_random(a, sizeof a);
	hash_random(b, sizeof b);
	assert_memory_not_equal(a, b, sizeof a);
}

static void
test_community(void **state)
{
	static const struct {
		uint8_t proto;
		const char *src, *dst;
		uint16_t sport, dport;
		const char *id;
	} cases[] = {
		/* github.com/corelight/community-id-spec, baseline of seed 0 */
		{ 6, "128.232.110.120", "66.35.250.204", 34855, 80, "1:LQU9qZlK+B5F3KDmev6m5PMibrg=" },
		{ 6, "2001:470:e5bf:dead:4957:2174:e82c:4887", "2607:f8b0:400c:c03::1a", 63943, 25,
		  "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=" },
		{ 17, "192.168.1.52", "8.8.8.8", 54585, 53, "1:d/FP5EW3wiY1vCndhwleRRKHowQ=" },
		{ 132, "192.168.170.8", "192.168.170.56", 7, 7, "1:MP2EtRCAUIZvTw6MxJHLV7N7JDs=" },
		/* docs/schema/examples.ndjson */
		{ 6, "192.168.1.23", "93.184.216.34", 51234, 443, "1:Wu70JkaUkDMnsuOe3ZJ2x6w5XNY=" },
		{ 6, "2001:db8:1::23", "2606:2800:220:1::1", 51234, 443, "1:3+A2+UW1QyLG1EWsyDKb18EAR1Y=" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int six = strchr(cases[i].src, ':') != NULL;
		uint8_t src[16] = { 0 }, dst[16] = { 0 };
		char id[COMMUNITY_LEN + 1];

		assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, cases[i].src, src), 1);
		assert_int_equal(inet_pton(six ? AF_INET6 : AF_INET, cases[i].dst, dst), 1);
		memset(id, 'x', sizeof id);
		community_id(id, six ? 6 : 4, src, dst, cases[i].proto, cases[i].sport, cases[i].dport);
		assert_string_equal(id, cases[i].id);
		community_id(id, six ? 6 : 4, dst, src, cases[i].proto, cases[i].dport, cases[i].sport);
		assert_string_equal(id, cases[i].id);
	}
}

/* With one address at both ends the ports decide. */
static void
test_community_of_one_address(void **state)
{
	static const uint8_t lo[16] = { 127, 0, 0, 1 };
	char a[COMMUNITY_LEN + 1], b[COMMUNITY_LEN + 1], c[COMMUNITY_LEN + 1];

	(void)state;
	community_id(a, 4, lo, lo, 6, 40000, 80);
	community_id(b, 4, lo, lo, 6, 80, 40000);
	community_id(c, 4, lo, lo, 6, 81, 40000);
	assert_string_equal(a, b);
	assert_string_not_equal(a, c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_siphash), cmocka_unit_test(test_siphash13),
		cmocka_unit_test(test_sha1),
		cmocka_unit_test(test_random_differs),
		cmocka_unit_test(test_community),
		cmocka_unit_test(test_community_of_one_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
