/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * asset.c - finds what ui.S holds.
 */
#include "asset.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/hash.h"

#define SCRIPT "text/javascript; charset=utf-8"

#define BYTES(name) extern const char asset_##name[], asset_##name##_end[]
#define BOTH(name) \
	BYTES(name);   \
	BYTES(name##_gz)
BOTH(index_html);
BOTH(app_js);
BOTH(destinations_js);
BOTH(inbound_js);
BOTH(paths_js);
BOTH(map_js);
BOTH(explore_js);
BOTH(sensors_js);
BOTH(app_css);
BYTES(icon_svg);
BYTES(schema_json);

#define PLAIN(path, type, name)                                                   \
	{                                                                         \
		{ path, type, asset_##name, NULL, 0, 0, "" }, asset_##name##_end, NULL \
	}
#define ZIPPED(path, type, name)                                                                         \
	{                                                                                                \
		{ path, type, asset_##name, asset_##name##_gz, 0, 0, "" }, asset_##name##_end, asset_##name##_gz_end \
	}

static struct {
	struct asset asset;
	const char *end, *gz_end;
} assets[] = {
	ZIPPED("/", "text/html; charset=utf-8", index_html),
	ZIPPED("/index.html", "text/html; charset=utf-8", index_html),
	ZIPPED("/app.js", SCRIPT, app_js),
	ZIPPED("/destinations.js", SCRIPT, destinations_js),
	ZIPPED("/inbound.js", SCRIPT, inbound_js),
	ZIPPED("/paths.js", SCRIPT, paths_js),
	ZIPPED("/map.js", SCRIPT, map_js),
	ZIPPED("/explore.js", SCRIPT, explore_js),
	ZIPPED("/sensors.js", SCRIPT, sensors_js),
	ZIPPED("/app.css", "text/css; charset=utf-8", app_css),
	PLAIN("/icon.svg", "image/svg+xml", icon_svg),
	PLAIN("/schema/report-1.json", "application/schema+json", schema_json),
};

const struct asset *
asset_find(const char *path)
{
	static const uint8_t key[16]; /* the same file, the same tag, in every process */

	for (size_t i = 0; i < sizeof assets / sizeof *assets; i++) {
		struct asset *a = &assets[i].asset;

		if (strcmp(a->path, path))
			continue;
		if (!a->etag[0]) {
			a->n = (size_t)(assets[i].end - a->bytes);
			if (a->gz)
				a->gz_n = (size_t)(assets[i].gz_end - a->gz);
			snprintf(a->etag, sizeof a->etag, "\"%016llx\"",
				 (unsigned long long)hash_sip(key, a->bytes, a->n));
		}
		return a;
	}
	return NULL;
}
