// SPDX-License-Identifier: GPL-2.0-or-later
// The sensors in one line: a mark for each, and the way to their page.
import { age, percent } from './format.js';
import { Go } from './go.js';
import { html, memo, Shape } from './parts.js';
import { latest_runs, sensor_silent } from './runs.js';

const SHOWN = 12;

export const Strip = memo(({ d, stale }) => {
	const { latest } = latest_runs(d?.value?.sensors ?? []);
	const ill = latest.filter(sensor_silent);
	// Those that need a look come first.
	const list = [...ill, ...latest.filter((s) => !sensor_silent(s))];

	if (!list.length)
		return null;
	return html`<section class=${`strip-of ${stale ? 'stale' : ''}`} aria-label="Sensors"><ul>${list.slice(0, SHOWN).map((s) => html`<li key=${s.sensor}><${Go} page="sensors">${sensor_silent(s)
		? html`<span class="mark warn"><${Shape} name="clock" /><bdi>${s.sensor}</bdi> <span class="quiet">${s.stat ? `silent for ${age(s.stat_age_s)}` : 'no ledger yet'}</span></span>`
		: html`<span class="mark"><span class="good"><${Shape} name="disc" /></span><bdi>${s.sensor}</bdi>${s.stat.seen > 0 && html` <span class="quiet">${percent(s.stat.parsed, s.stat.seen)} %</span>`}</span>`}</${Go}></li>`)}${
		list.length > SHOWN && html`<li><${Go} page="sensors">${list.length - SHOWN} more</${Go}></li>`}</ul></section>`;
});
