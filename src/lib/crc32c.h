/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * crc32c.h - CRC-32C (Castagnoli), RFC 3720 section 12.1: polynomial 0x1EDC6F41, reflected, all ones
 * in and out.  "123456789" gives 0xe3069283.
 */
#ifndef CRC32C_H
#define CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0, or what the bytes before these gave. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
