// SPDX-License-Identifier: GPL-2.0-or-later
// The world as a small file of paths, made when the page is built: from world-atlas (Natural Earth,
// public domain) with d3-geo and topojson-client, which the page itself then does not need.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { project, SCALE } from './projection.js';

// Without a number in ISO 3166-1.
const UNNUMBERED = { __proto__: null, Kosovo: 'XK' };

// 276 -> DE
function country_code(feature)
{
	if (feature.id === undefined)
		return UNNUMBERED[feature.properties.name];
	const { region } = new Intl.Locale(`und-${feature.id}`);
	return /^[A-Z]{2}$/.test(region) ? region : undefined;
}

// M and relative l: whole numbers, so that the file is small; a ring that shrinks to a line is left out.
function path_of(feature, path_generator)
{
	let d = '';

	path_generator.context({
		beginPath() {},
		moveTo(x, y) { this.ring = [[Math.round(x), Math.round(y)]]; },
		lineTo(x, y) {
			const [px, py] = this.ring[this.ring.length - 1], p = [Math.round(x), Math.round(y)];
			if (p[0] !== px || p[1] !== py)
				this.ring.push(p);
		},
		closePath() {
			if (this.ring.length < 3)
				return;
			d += `M${this.ring[0][0]} ${this.ring[0][1]}l`;
			d += this.ring.slice(1).map(([x, y], i) => `${x - this.ring[i][0]} ${y - this.ring[i][1]}`).join(' ').replaceAll(' -', '-');
			d += 'z';
		},
	})(feature);
	return d;
}

// The middle of a country's largest part: France is not in the Atlantic.
function middle(feature, d3)
{
	const parts = feature.geometry.type === 'Polygon' ? [feature.geometry.coordinates] : feature.geometry.coordinates;
	const shapes = parts.map((coordinates) => ({ type: 'Polygon', coordinates }));
	const largest = shapes.reduce((a, b) => d3.geoArea(b) > d3.geoArea(a) ? b : a);

	return project(...d3.geoCentroid(largest)).map(Math.round);
}

// { cc: [x, y, path] }; one that is too small for a shape has a place only.
export async function world(modules)
{
	const resolve = createRequire(path.join(modules, 'package.json')).resolve;
	const [d3, topojson] = await Promise.all(['d3-geo', 'topojson-client'].map((name) => import(resolve(name))));
	const read = (name) => {
		const topology = JSON.parse(readFileSync(path.join(modules, 'node_modules/world-atlas', name), 'utf8'));
		return topojson.feature(topology, topology.objects.countries).features;
	};
	const [center_x, center_y] = project(0, 0);
	// Cuts where the world is cut open; precision 0: no points in between.
	const projection = d3.geoNaturalEarth1().scale(SCALE).translate([center_x, center_y]).precision(0);
	const generator = d3.geoPath(projection);
	const countries = {};

	// The fine file has the small countries too.
	for (const f of read('countries-50m.json')) {
		const cc = country_code(f);
		if (cc && cc !== 'AQ' && !countries[cc])
			countries[cc] = middle(f, d3);
	}
	let unnamed = '';
	for (const f of read('countries-110m.json')) {
		const cc = country_code(f);
		if (cc === 'AQ')
			continue;
		if (cc && countries[cc])
			countries[cc][2] = path_of(f, generator);
		else
			unnamed += path_of(f, generator);
	}
	for (const at of [[0, 0], [13.4, 52.5], [-122.4, 37.8], [174.8, -41.3]])
		if (Math.hypot(...projection(at).map((v, i) => v - project(...at)[i])) > 0.01)
			throw new Error(`the page and d3-geo put ${at} at different places`);
	const n = Object.values(countries).filter((c) => c[2]).length;
	if (n < 170 || Object.keys(countries).length < 230)
		throw new Error(`world-atlas gave ${n} shapes of ${Object.keys(countries).length} countries`);
	return { countries, unnamed };
}
