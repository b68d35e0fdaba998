/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hash.h - SipHash-2-4 and 1-3 (Aumasson, Bernstein 2012) for tables whose keys come from the
 * network, and SHA-1 (RFC 3174) for Community ID, which names no other.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_sip(const uint8_t key[16], const void *data, size_t len);

/* SipHash-1-3 of words, for a table that is asked for each packet: half the rounds, and still nobody who
 * does not know the key can choose where his entries go (what Linux, Python and Rust use for that). */
uint64_t hash_sip13(const uint8_t key[16], const uint64_t *words, size_t n);

/* len <= 119 bytes (two blocks), all that a Community ID takes. */
void hash_sha1_short(const void *data, size_t len, uint8_t digest[20]);

/* Fills with getrandom(2); exits when there is none: start-up only. */
void hash_random(void *buf, size_t len);

#endif
