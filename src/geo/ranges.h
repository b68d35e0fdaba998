/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ranges.h - ranges of addresses and the autonomous system of each, in one file that is mapped and searched where it
 * lies.  compile.c writes it, base.c reads it.  All numbers are big-endian:
 *
 *   header, 64 bytes:
 *     8  "NGRANGE1"
 *     4  v4_n, 4  v6_n      ranges
 *     4  as_n               systems
 *     4  text_n             bytes of text
 *     8  built              seconds since 1970
 *     4  attribution        place in the text, 0: none
 *     28 zero
 *   v4_n  ranges of 12 bytes: first, last (4 each), index of the system
 *   v6_n  ranges of 36 bytes: first, last (16 each), index of the system
 *   as_n  systems of 8 bytes: number, place of its name in the text
 *   text_n bytes: UTF-8 strings, each with a NUL; the first is empty
 *
 * Ranges are sorted and do not overlap; first <= last.
 */
#ifndef RANGES_H
#define RANGES_H

#include <stddef.h>
#include <stdint.h>

#define RANGES_MAGIC "NGRANGE1"
#define RANGES_HEADER 64
#define RANGES_V4 12
#define RANGES_V6 36
#define RANGES_AS 8

struct ranges {
	const uint8_t *v4, *v6, *as;
	const char *text;
	uint32_t v4_n, v6_n, as_n, text_n;
	int64_t built_s;
	const char *attribution; /* "" when there is none */
};

/* Looks at every byte that a search will use.  `bytes` are lent.  NULL, or what is wrong. */
const char *ranges_open(struct ranges *, const void *bytes, size_t n);

/* The system of an address and its name, or 0. */
uint32_t ranges_find(const struct ranges *, uint8_t ipv, const uint8_t addr[16], const char **name);

#endif
