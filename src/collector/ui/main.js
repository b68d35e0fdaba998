// SPDX-License-Identifier: GPL-2.0-or-later
// The collector's page: reads the address, starts the line to the collector, draws.
import { render } from 'preact';
import { refresh_changed, start } from './link.js';
import { Page } from './page.js';
import { html } from './parts.js';
import { url_read } from './store.js';

url_read();
for (const what of ['hashchange', 'popstate'])
	window.addEventListener(what, () => {
		url_read();
		refresh_changed();
	});
start();
render(html`<${Page} />`, document.getElementById('app'));
