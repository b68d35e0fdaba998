/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * ui.S - the page (bundled by esbuild from src/collector/ui/) and the schema, as they are, inside the
 * program.  asset.c serves them.
 */
	.section .rodata
#define FILE(symbol, path) \
	.balign 16; .globl symbol; .hidden symbol; symbol: .incbin path; \
	.globl symbol##_end; .hidden symbol##_end; symbol##_end: .byte 0

FILE(asset_index_html, "index.html")
FILE(asset_app_js, "app.js")
FILE(asset_paths_js, "paths.js")
FILE(asset_destinations_js, "destinations.js")
FILE(asset_inbound_js, "inbound.js")
FILE(asset_sensors_js, "sensors.js")
FILE(asset_app_css, "app.css")
FILE(asset_icon_svg, "icon.svg")
FILE(asset_schema_json, "net-gazer-report-1.schema.json")

	.section .note.GNU-stack, "", %progbits
