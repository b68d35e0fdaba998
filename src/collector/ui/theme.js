// SPDX-License-Identifier: GPL-2.0-or-later
// Light or dark: as the system says, unless the reader chose; the choice stays in this browser.
const system = matchMedia('(prefers-color-scheme: dark)');
const watchers = new Set();

export const THEMES = ['auto', 'light', 'dark'];

function kept()
{
	try {
		return THEMES.find((t) => t === localStorage.getItem('theme')) ?? 'auto';
	} catch {
		return 'auto'; // a browser that keeps nothing
	}
}

export const theme = { choice: kept() };

function apply()
{
	const dark = theme.choice === 'auto' ? system.matches : theme.choice === 'dark';

	document.documentElement.dataset.theme = dark ? 'dark' : 'light';
	for (const fn of watchers)
		fn();
}

export function theme_set(choice)
{
	theme.choice = choice;
	try {
		localStorage.setItem('theme', choice);
	} catch {
		// It holds until the page is left.
	}
	apply();
}

// For what is painted rather than styled; returns how to stop.
export function theme_watch(fn)
{
	watchers.add(fn);
	return () => watchers.delete(fn);
}

export function colour(name)
{
	return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

system.addEventListener('change', apply);
apply();
