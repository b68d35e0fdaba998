/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hash.h - SipHash-2-4 (Aumasson, Bernstein 2012) for tables whose keys come from the network,
 * and SHA-1 (RFC 3174) for Community ID, which names no other.
 */
#ifndef HASH_H
#define HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t hash_sip(const uint8_t key[16], const void *data, size_t len);

/* len <= 119 bytes (two blocks), all that a Community ID takes. */
void hash_sha1_short(const void *data, size_t len, uint8_t digest[20]);

/* Fills with getrandom(2); exits when there is none: start-up only. */
void hash_random(void *buf, size_t len);

#endif
