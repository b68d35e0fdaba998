/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * base.h - a file that knows something of addresses: a MaxMind DB of any maker, or a range file (ranges.h).
 */
#ifndef BASE_H
#define BASE_H

#include <maxminddb.h>
#include <stddef.h>
#include <stdint.h>

#include "geo.h"
#include "ranges.h"

struct base {
	int is_ranges;
	MMDB_s mmdb;
	struct ranges ranges;
	void *map;
	size_t size;
	int64_t built_s;
	char type[GEO_ABOUT_MAX];
	char attribution[GEO_ABOUT_MAX];
};

/* Of a descriptor of a regular file, which is not needed afterwards.  0, or -1 and what is wrong. */
int base_open(struct base *, int fd, char *why, size_t why_size);
void base_close(struct base *);

/* Fills what is still unknown in the place. */
void base_find(const struct base *, const struct geo_addr *, struct geo_place *);
/* The same of one entry of a MaxMind DB. */
void base_read(MMDB_entry_s *, struct geo_place *);

void base_place_init(struct geo_place *);

#endif
