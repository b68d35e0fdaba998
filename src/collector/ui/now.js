// SPDX-License-Identifier: GPL-2.0-or-later
// The page "Now", in the order in which a network engineer wants to know things.
import { count } from './format.js';
import { Chart } from './chart.js';
import { question_in_window } from './link.js';
import { Attempts, Destinations, Failures } from './lists.js';
import { Live, Others } from './live.js';
import { Empty, html } from './parts.js';
import { Tiles } from './tiles.js';
import { sensor_silent } from './runs.js';
import { Strip } from './strip.js';
import { held, SKIPPED_SHOWN_MS } from './store.js';

export const resources = {
	summary: { path: () => question_in_window('api/summary'), on: ['conn', 'attempt'] },
	destinations: { path: () => question_in_window('api/destinations', { limit: 50 }), on: ['conn'] },
	failures: { path: () => question_in_window('api/failures', { limit: 50 }), on: ['conn'] },
	attempts: { path: () => question_in_window('api/attempts', { limit: 50 }), on: ['attempt'] },
};

function no_rows(sensors)
{
	const s = sensors?.find((x) => !sensor_silent(x));

	if (!sensors)
		return html`<${Empty}>Waiting for the collector.</${Empty}>`;
	if (!s)
		return html`<${Empty}>No handshake is stored, and no sensor is reporting. Is <code>net-gazer</code> still running there?</${Empty}>`;
	if (!s.stat.seen)
		return html`<${Empty}>Sensor <bdi>${s.sensor}</bdi> reports, but its rules have matched no packet. Does traffic pass through that machine? Open a connection, or look at the counters: <code>nft list table inet net_gazer</code></${Empty}>`;
	return html`<${Empty}>Sensor <bdi>${s.sensor}</bdi> has seen ${count(s.stat.seen)} packets, but no handshake has ended yet.</${Empty}>`;
}

export function View({ state, of })
{
	const { rows } = state;
	const sensors = of('sensors').d;

	return html`
		<${Tiles} summary=${of('summary').d} attempts=${of('attempts').d} sensors=${sensors} sensor=${state.sensor} window_s=${state.window_s} until_s=${state.until_s} stale=${of('summary').stale} />
		<${Strip} d=${sensors} stale=${of('sensors').stale} />
		<${Chart} ...${of('summary')} />
		<${Live} rows=${rows} sensor=${state.sensor} until_s=${state.until_s} filter=${state.view.q ?? ''} open=${state.open} waiting=${state.waiting} waiting_lost=${state.waiting_lost}
			skipped=${Date.now() - state.skipped_at < SKIPPED_SHOWN_MS ? state.skipped : 0} is_held=${held()} paused=${state.paused_at > 0} empty=${rows.length ? null : no_rows(sensors?.value?.sensors)} />
		<div class="side"><${Failures} ...${of('failures')} /><${Attempts} ...${of('attempts')} /></div>
		<${Destinations} ...${of('destinations')} />
		<${Others} others=${state.others} />`;
}
