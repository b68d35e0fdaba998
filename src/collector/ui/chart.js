// SPDX-License-Identifier: GPL-2.0-or-later
// Two charts over the window on one time axis: handshakes with the failed ones inside, and the RTT's
// median and p95.  Each has a table twin with the same numbers.
import { clock, count, covered, ms, percent, unix_s, window_words } from './format.js';
import { Empty, html, memo, Panel } from './parts.js';
import { axis_style, Charted, count_mark, Key, log_marks, ms_mark, PlotBox, step_clock, steps, time_axis, Twin, uPlot } from './plot.js';
import { colour } from './theme.js';

// A step that is not told is 0 handshakes and an unknown RTT.
export function columns(series, long_s)
{
	const { step, t, points } = steps((series ?? []).map((p) => ({ ...p, t: unix_s(p.t) })).filter((p) => Number.isFinite(p.t))
		.sort((a, b) => a.t - b.t), long_s);
	const in_ms = (us) => us === undefined ? null : us / 1000;

	return { step, cols: [t, points.map((p) => p?.conns ?? 0), points.map((p) => p?.failed ?? 0),
		points.map((p) => in_ms(p?.rtt_p50_us)), points.map((p) => in_ms(p?.rtt_p95_us))] };
}

const Plot = memo(({ kind, t, a, b, step, window_s, on_index, label }) => {
	const few = t.length <= 15;
	const make = (width, height) => {
		const bars = uPlot.paths.bars({ size: [0.82, 48] });
		// A few points, or one between two gaps, would be no line to see.
		const dots = { show: few ? true : undefined, size: 5, fill: colour('panel') };
		const y_range = kind === 'conns' ? (u, lo, hi) => [0, Math.max(hi * 1.08, 4)]
			: (u, lo, hi) => [lo > 0 ? lo / 1.4 : 0.1, hi > 0 ? hi * 1.4 : 100];

		return {
			width, height,
			legend: { show: false },
			cursor: { sync: { key: 'now' }, drag: { x: false, y: false }, y: false, points: { show: kind !== 'conns', size: 7 } },
			padding: [8, 20, 0, 0],
			scales: {
				x: { time: true, range: (u) => [u.data[0][0] - step / 2, u.data[0][u.data[0].length - 1] + step / 2] },
				// A median of 15 ms and a p95 of 500 ms both show their shape only on a log scale.
				y: { distr: kind === 'conns' ? 1 : 3, range: y_range },
			},
			axes: [
				time_axis(t[t.length - 1] - t[0], step),
				{ ...axis_style(), size: 58, space: 28, values: (u, ticks) => ticks.map(kind === 'conns' ? count_mark : ms_mark),
					...kind === 'rtt' && { splits: log_marks, filter: (plot, marks) => marks } },
			],
			series: kind === 'conns' ? [{},
				{ fill: colour('bar'), stroke: colour('bar'), width: 0, paths: bars, points: { show: false } },
				{ fill: colour('bad'), stroke: colour('bad'), width: 0, paths: bars, points: { show: false } },
			] : [{},
				{ stroke: colour('accent'), width: 2, points: dots, spanGaps: false },
				{ stroke: colour('p95'), width: 2, dash: [5, 4], points: dots, spanGaps: false },
			],
			hooks: { setCursor: [(u) => on_index(u.cursor.left >= 0 ? u.cursor.idx : null)] },
		};
	};

	return html`<${PlotBox} make=${make} data=${[t, a, b]} shape=${`${window_s} ${step} ${few} ${t[0] > 0}`} label=${label} />`;
});

const Table = memo(({ cols, step }) => {
	const [t, conns, failed, p50, p95] = cols;
	const span_s = t[t.length - 1] - t[0];
	const rtt = (v) => ms(v === null ? undefined : v * 1000).text;

	return html`<${Twin} head=${[`From, ${step < 60 ? `${Math.round(step)} s` : `${Math.round(step / 60)} min`} each`, 'Handshakes', 'Failed', 'Median ms', 'p95 ms']}
		rows=${t.map((x, i) => [span_s < 2 * 86400 ? clock(x - step / 2) : step_clock(x - step / 2, span_s, step), count(conns[i]), count(failed[i]), rtt(p50[i]), rtt(p95[i])]).reverse()} />`;
});

export class Chart extends Charted {
	columns()
	{
		const { d } = this.props;

		if (this.for_d !== d) {
			this.for_d = d;
			this.made = columns(d.value.series, covered(d.value, this.props.window_s).long_s);
		}
		return this.made;
	}

	readout(cols, step)
	{
		const i = this.state.i;
		const t = cols[0][i];

		if (t === undefined)
			return null;
		const rtt = (v) => v === null ? '–' : `${ms(v * 1000).text} ms`;
		return html`<span class="readout">${clock(t - step / 2)} – ${clock(t + step / 2)}${i === cols[0].length - 1 ? ' so far' : ''} <b>${count(cols[1][i])}</b> handshakes
			<b>${count(cols[2][i])}</b> failed (${percent(cols[2][i], cols[1][i])} %) median <b>${rtt(cols[3][i])}</b> p95 <b>${rtt(cols[4][i])}</b></span>`;
	}

	render({ d, window_s, until_s, stale }, { table })
	{
		if (!d?.value)
			return html`<${Panel} id="chart" title="Over time"><div class="plot loading"></div></${Panel}>`;
		const { cols, step } = this.columns();
		const [t, conns, failed, p50, p95] = cols;
		const v = d.value;
		const words = window_words(window_s, until_s, v);
		const props = { t, step, window_s, on_index: this.on_index };

		return html`<${Panel} id="chart" title="Over time" stale=${stale}
			note=${this.readout(cols, step) ?? `last ${words}`}
			actions=${this.table_button()}>
			${!t.length ? html`<${Empty}>Nothing was counted in the last ${words}.</${Empty}>` : table ? html`<${Table} cols=${cols} step=${step} />` : html`<div class="plots">
				<figure><figcaption><${Key} kind="bar">handshakes</${Key}><${Key} kind="failed">of them failed</${Key}></figcaption>
					<${Plot} kind="conns" a=${conns} b=${failed} ...${props}
						label=${`Handshakes over the last ${words}: ${count(v.conns)} in all. The same numbers: button "As a table".`} /></figure>
				<figure><figcaption><${Key} kind="line p50">median RTT</${Key}><${Key} kind="line p95">p95 RTT</${Key}><span>log scale</span></figcaption>
					${p50.some((x) => x !== null)
		? html`<${Plot} kind="rtt" a=${p50} b=${p95} ...${props}
						label=${`RTT over the last ${words}: median ${ms(v.rtt_p50_us).text} ms, p95 ${ms(v.rtt_p95_us).text} ms. The same numbers: button "As a table".`} />`
		: html`<div class="plot"><${Empty}>No handshake with a clear RTT in the last ${words}.</${Empty}></div>`}</figure>
			</div>`}
		</${Panel}>`;
	}
}
