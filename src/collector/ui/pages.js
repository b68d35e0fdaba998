// SPDX-License-Identifier: GPL-2.0-or-later
// The table of pages.  A page is a module with `resources` (what it asks the collector for) and `View` (what
// it shows); all but the first are files of their own that are loaded when they are first looked at.
// `keys` are what the page keeps in the address, `steps` those of them that lead on, so that the browser's Back leads back
// from there (how a list is filtered or sorted does not); `window`: it follows the time window and the sensor chosen
// (`sensor`: only the sensor); `without_sensors`: it has something to show before the first one reported.
export const PAGES = [
	{ id: 'now', name: 'Now', keys: ['q'], window: true },
	{ id: 'destinations', name: 'Destinations', keys: ['by', 'asn', 'cc', 'q', 'sort', 'dst', 'port'], window: true, load: () => import('./destinations.js') },
	{ id: 'paths', name: 'Paths', keys: ['path', 'dst', 'hop', 'at', 'vs', 'span', 'by', 'lanes', 'n', 'draw', 'cy'], steps: ['dst', 'hop'], window: false, sensor: true, load: () => import('./paths.js') },
	{ id: 'map', name: 'Map', keys: ['by', 'cc'], steps: ['cc'], window: true, load: () => import('./map.js') },
	{ id: 'inbound', name: 'Inbound', keys: ['q', 'port'], steps: ['port'], window: true, load: () => import('./inbound.js') },
	{ id: 'explore', name: 'Explore', keys: ['q', 'cols', 'sort'], steps: ['q'], window: true, load: () => import('./explore.js') },
	{ id: 'sensors', name: 'Sensors', keys: [], window: false, without_sensors: true, load: () => import('./sensors.js') },
];

export function page_of(id)
{
	return PAGES.find((p) => p.id === id);
}
