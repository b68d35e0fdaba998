/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ui.S - the page (bundled by esbuild from src/collector/ui/) and the schema, as they are, inside the
 * program.  asset.c serves them.
 */
	.section .rodata
#define FILE(symbol, path) \
	.balign 16; .globl symbol; .hidden symbol; symbol: .incbin path; \
	.globl symbol##_end; .hidden symbol##_end; symbol##_end: .byte 0

/* As it is, and packed for the browsers that take it so: all of them. */
#define BOTH(symbol, path, packed) FILE(symbol, path); FILE(symbol##_gz, packed)

BOTH(asset_index_html, "index.html", "index.html.gz")
BOTH(asset_app_js, "app.js", "app.js.gz")
BOTH(asset_destinations_js, "destinations.js", "destinations.js.gz")
BOTH(asset_inbound_js, "inbound.js", "inbound.js.gz")
BOTH(asset_paths_js, "paths.js", "paths.js.gz")
BOTH(asset_map_js, "map.js", "map.js.gz")
BOTH(asset_explore_js, "explore.js", "explore.js.gz")
BOTH(asset_sensors_js, "sensors.js", "sensors.js.gz")
BOTH(asset_app_css, "app.css", "app.css.gz")
FILE(asset_icon_svg, "icon.svg")
FILE(asset_schema_json, "net-gazer-report-1.schema.json")

	.section .note.GNU-stack, "", %progbits
