/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * asset.c - finds what ui.S holds.
 */
#include "asset.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/hash.h"

extern const char asset_index_html[], asset_index_html_end[];
extern const char asset_app_js[], asset_app_js_end[];
extern const char asset_paths_js[], asset_paths_js_end[];
extern const char asset_destinations_js[], asset_destinations_js_end[];
extern const char asset_inbound_js[], asset_inbound_js_end[];
extern const char asset_sensors_js[], asset_sensors_js_end[];
extern const char asset_app_css[], asset_app_css_end[];
extern const char asset_icon_svg[], asset_icon_svg_end[];
extern const char asset_schema_json[], asset_schema_json_end[];

static struct {
	struct asset asset;
	const char *end;
} assets[] = {
	{ { "/", "text/html; charset=utf-8", asset_index_html, 0, "" }, asset_index_html_end },
	{ { "/index.html", "text/html; charset=utf-8", asset_index_html, 0, "" }, asset_index_html_end },
	{ { "/app.js", "text/javascript; charset=utf-8", asset_app_js, 0, "" }, asset_app_js_end },
	{ { "/paths.js", "text/javascript; charset=utf-8", asset_paths_js, 0, "" }, asset_paths_js_end },
	{ { "/destinations.js", "text/javascript; charset=utf-8", asset_destinations_js, 0, "" }, asset_destinations_js_end },
	{ { "/inbound.js", "text/javascript; charset=utf-8", asset_inbound_js, 0, "" }, asset_inbound_js_end },
	{ { "/sensors.js", "text/javascript; charset=utf-8", asset_sensors_js, 0, "" }, asset_sensors_js_end },
	{ { "/app.css", "text/css; charset=utf-8", asset_app_css, 0, "" }, asset_app_css_end },
	{ { "/icon.svg", "image/svg+xml", asset_icon_svg, 0, "" }, asset_icon_svg_end },
	{ { "/schema/report-1.json", "application/schema+json", asset_schema_json, 0, "" },
	  asset_schema_json_end },
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
			snprintf(a->etag, sizeof a->etag, "\"%016llx\"",
				 (unsigned long long)hash_sip(key, a->bytes, a->n));
		}
		return a;
	}
	return NULL;
}
