// SPDX-License-Identifier: GPL-2.0-or-later
// From one page to another, as links: their address works in a new tab, and Back comes back.
import { choose_all } from './link.js';
import { html } from './parts.js';
import { page_of } from './pages.js';
import { url_of } from './store.js';

export function go(page, view)
{
	history.pushState(null, '', url_of(page, view));
	choose_all({ page, view: view ?? {}, open: null });
	scrollTo(0, 0);
}

// What a link does when it is clicked; with another button or key, the browser's own way.
export function follow(e, page, view)
{
	if (e.button || e.ctrlKey || e.metaKey || e.shiftKey || e.altKey)
		return;
	e.preventDefault();
	e.stopPropagation();
	go(page, view);
}

export function Go({ page, view, tone, title, children })
{
	if (!page_of(page))
		return children;
	return html`<a class=${`go ${tone ?? ''}`} href=${url_of(page, view)} title=${title} onclick=${(e) => follow(e, page, view)}>${children}</a>`;
}
