// SPDX-License-Identifier: GPL-2.0-or-later
// The table of pages.  A page is a module with `resources` (what it asks the collector for) and `View` (what
// it shows); all but the first are files of their own that are loaded when they are first looked at.
// `keys` are what the page keeps in the address; `window`: it follows the time window and the sensor chosen.
export const PAGES = [
	{ id: 'now', name: 'Now', keys: ['q'], window: true },
	{ id: 'paths', name: 'Paths', keys: ['path', 'dst', 'hop'], window: false, load: () => import('./paths.js') },
];

export function page_of(id)
{
	return PAGES.find((p) => p.id === id);
}
