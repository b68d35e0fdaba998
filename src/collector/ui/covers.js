// SPDX-License-Identifier: GPL-2.0-or-later
// Says which time the numbers are of, where that is more than was asked for.
import { covered, day_clock } from './format.js';
import { html } from './parts.js';

export function Covers({ v, window_s, until_s })
{
	const c = covered(v, window_s, until_s);

	return c.wider && html`<section class="covers" aria-label="Which time is counted"><p class="quiet small">Minutes are kept for a day only: what is counted here is from ${day_clock(c.from_s)}${until_s ? ` to ${day_clock(c.until_s)}` : ''}.</p></section>`;
}
