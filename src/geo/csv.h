/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * csv.h - one line of a table of autonomous systems: first address, last address, number, name.  Pure.
 */
#ifndef CSV_H
#define CSV_H

#include <stddef.h>
#include <stdint.h>

#include "geo.h"

#define CSV_LINE_MAX 4096

struct csv_range {
	uint8_t ipv;
	uint8_t first[16], last[16];
	uint32_t asn;
	char name[GEO_ORG_MAX];
};

/* n bytes without the newline.  NULL, or what is wrong with it. */
const char *csv_line(struct csv_range *, const char *line, size_t n);

#endif
