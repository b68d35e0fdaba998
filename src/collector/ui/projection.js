// SPDX-License-Identifier: GPL-2.0-or-later
// Natural Earth projection: degrees to the plane of the world map.  world.mjs draws the countries with
// it when the page is built, map.js the places when they are known; so both agree.

export const WIDTH = 2000, HEIGHT = 866, TOP_LAT = 83.7;

export const SCALE = WIDTH / (2 * Math.PI * 0.8707);   // the equator is as long as the plane is wide

function raw(lambda, phi)
{
	const p2 = phi * phi, p4 = p2 * p2;

	return [lambda * (0.8707 - 0.131979 * p2 + p4 * (-0.013791 + p4 * (0.003971 * p2 - 0.001529 * p4))),
		phi * (1.007226 + p2 * (0.015085 + p4 * (-0.044475 + 0.028874 * p2 - 0.005916 * p4)))];
}

const radians = (degrees) => degrees * Math.PI / 180;
const TOP = raw(0, radians(TOP_LAT))[1];

// [x, y] on a plane of WIDTH x HEIGHT, y downwards.
export function project(lon, lat)
{
	const [x, y] = raw(radians(lon), radians(lat));

	return [WIDTH / 2 + x * SCALE, (TOP - y) * SCALE];
}
