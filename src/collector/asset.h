/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * asset.h - the files inside the program: page, script, style, icon, schema.
 */
#ifndef ASSET_H
#define ASSET_H

#include <stddef.h>

struct asset {
	const char *path;       /* of the URL */
	const char *type;       /* Content-Type */
	const char *bytes, *gz; /* gz: the same, packed; NULL: there is none */
	size_t n, gz_n;
	char etag[20];          /* with its quotes */
};

/* NULL: no such path. */
const struct asset *asset_find(const char *path);

#endif
