// SPDX-License-Identifier: GPL-2.0-or-later
// Two charts over the window on one time axis: handshakes with the failed ones inside, and the RTT's
// median and p95.  Each has a table twin with the same numbers.
import { Component } from 'preact';
import uPlot from 'uplot';
import { clock, count, day_clock, ms, percent, unix_s, window_words } from './format.js';
import { Empty, html, memo, Panel } from './parts.js';
import { colour, theme_watch } from './theme.js';

const STEPS_MAX = 1500;

// In steps of one width from the first point to the last; a step that is not told is 0 handshakes
// and an unknown RTT.  Times are the middles of the steps.
export function columns(series, window_s)
{
	const points = (series ?? []).map((p) => ({ ...p, t: unix_s(p.t) })).filter((p) => Number.isFinite(p.t))
		.sort((a, b) => a.t - b.t);
	let step = Infinity;

	for (let i = 1; i < points.length; i++)
		if (points[i].t > points[i - 1].t)
			step = Math.min(step, points[i].t - points[i - 1].t);
	if (!Number.isFinite(step))
		step = Math.max(60, window_s / 60);
	const first = points[0]?.t ?? 0;
	const at = new Map(points.map((p) => [Math.round((p.t - first) / step), p]));
	const n = points.length ? Math.min(STEPS_MAX, Math.round((points[points.length - 1].t - first) / step) + 1) : 0;
	const t = [], conns = [], failed = [], p50 = [], p95 = [];

	for (let i = 0; i < n; i++) {
		const p = at.get(i);
		t.push(first + (i + 0.5) * step);
		conns.push(p?.conns ?? 0);
		failed.push(p?.failed ?? 0);
		p50.push(p?.rtt_p50_us === undefined ? null : p.rtt_p50_us / 1000);
		p95.push(p?.rtt_p95_us === undefined ? null : p.rtt_p95_us / 1000);
	}
	return { step, cols: [t, conns, failed, p50, p95] };
}

// A log axis is marked at its decades; over a short range also at 2 and 5.
function log_marks(u, axis, min, max)
{
	const marks = [];

	for (let d = 10 ** Math.floor(Math.log10(min)); d <= max; d *= 10)
		for (const m of max / min > 30 ? [1] : [1, 2, 5])
			if (d * m >= min && d * m <= max)
				marks.push(Number((d * m).toPrecision(3)));
	return marks;
}

const tick_time = (u, ticks) => ticks.map((v) => clock(v).slice(0, 5));
const tick_time_s = (u, ticks) => ticks.map((v) => clock(v));

class Plot extends Component {
	options(width, height)
	{
		const grid = { stroke: colour('grid'), width: 1 };
		const font = `${Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.78)}px ${getComputedStyle(document.body).fontFamily}`;
		const axis = { stroke: colour('ink2'), font, grid, ticks: { show: false }, gap: 6 };
		const { kind, step, on_index } = this.props;
		const bars = uPlot.paths.bars({ size: [0.82, 48] });
		// A few points, or one between two gaps, would be no line to see.
		const dots = { show: this.props.t.length <= 15 ? true : undefined, size: 5, fill: colour('panel') };
		const y = kind === 'conns'
			? (v) => v >= 10000 ? `${v / 1000}k` : Number.isInteger(v) ? count(v) : ''
			: (v) => v === null ? '' : v >= 1000 ? `${v / 1000} s` : v < 1 ? `${Math.round(v * 1000)} µs` : `${v} ms`;
		const y_range = kind === 'conns' ? (u, lo, hi) => [0, Math.max(hi * 1.08, 4)]
			: (u, lo, hi) => [lo > 0 ? lo / 1.4 : 0.1, hi > 0 ? hi * 1.4 : 100];

		return {
			width, height,
			legend: { show: false },
			cursor: { sync: { key: 'now' }, drag: { x: false, y: false }, y: false, points: { show: kind !== 'conns', size: 7 } },
			padding: [8, 20, 0, 0],
			scales: {
				x: { time: true, range: () => this.range() },
				// A median of 15 ms and a p95 of 500 ms both show their shape only on a log scale.
				y: { distr: kind === 'conns' ? 1 : 3, range: y_range },
			},
			axes: [
				{ ...axis, grid: { show: false }, size: 26, space: 70, values: step < 60 ? tick_time_s : tick_time },
				{ ...axis, size: 58, space: 28, values: (u, ticks) => ticks.map(y),
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
	}

	range()
	{
		const { t } = this.props;
		return [t[0] - this.props.step / 2, t[t.length - 1] + this.props.step / 2];
	}

	data()
	{
		const { t, a, b } = this.props;
		return [t, a, b];
	}

	build()
	{
		this.plot?.destroy();
		const box = this.box;
		this.plot = new uPlot(this.options(box.clientWidth || 300, box.clientHeight || 150), this.data(), box);
	}

	componentDidMount()
	{
		this.build();
		this.resized = new ResizeObserver(() => {
			if (this.box.clientWidth > 0)
				this.plot.setSize({ width: this.box.clientWidth, height: this.box.clientHeight });
		});
		this.resized.observe(this.box);
		this.unwatch = theme_watch(() => this.build());
	}

	componentDidUpdate(old)
	{
		if (old.window_s !== this.props.window_s || old.step !== this.props.step || (old.t.length <= 15) !== (this.props.t.length <= 15))
			this.build();
		else if (old.t !== this.props.t)
			this.plot.setData(this.data());
	}

	componentWillUnmount()
	{
		this.unwatch();
		this.resized.disconnect();
		this.plot.destroy();
	}

	render({ label })
	{
		return html`<div class="plot" role="img" aria-label=${label} ref=${(e) => { this.box = e; }}></div>`;
	}
}

const Twin = memo(({ cols, step }) => {
	const [t, conns, failed, p50, p95] = cols;
	const rows = [];

	for (let i = t.length - 1; i >= 0; i--)
		rows.push(html`<tr key=${t[i]}><th scope="row">${clock(t[i] - step / 2)}</th><td>${count(conns[i])}</td><td>${count(failed[i])}</td>
			<td>${ms(p50[i] === null ? undefined : p50[i] * 1000).text}</td><td>${ms(p95[i] === null ? undefined : p95[i] * 1000).text}</td></tr>`);
	return html`<div class="scroll twin" tabindex="0" role="group" aria-label="Chart as a table">
		<table class="numbers"><thead><tr><th scope="col">From, ${step < 60 ? `${Math.round(step)} s` : `${Math.round(step / 60)} min`} each</th>
			<th scope="col">Handshakes</th><th scope="col">Failed</th><th scope="col">Median ms</th><th scope="col">p95 ms</th></tr></thead>
		<tbody>${rows}</tbody></table></div>`;
});

const Key = ({ kind, children }) => html`<span class="key"><svg viewBox="0 0 18 10" aria-hidden="true" class=${kind}>${
	kind === 'bar' || kind === 'failed' ? html`<rect x="5" y="0" width="8" height="10" rx="1" />` : html`<path d="M0 5h18" />`}</svg>${children}</span>`;

export class Chart extends Component {
	constructor()
	{
		super();
		this.state = { table: false, i: null };
		this.on_index = (i) => {
			if (i !== this.state.i)
				this.setState({ i: i ?? null });
		};
	}

	shouldComponentUpdate(next, next_state)
	{
		return next.d !== this.props.d || next.window_s !== this.props.window_s || next.stale !== this.props.stale
			|| next_state.table !== this.state.table || next_state.i !== this.state.i;
	}

	columns()
	{
		const { d } = this.props;

		if (this.for_d !== d) {
			this.for_d = d;
			this.made = columns(d.value.series, this.props.window_s);
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
		const words = window_words(window_s, until_s);
		const props = { t, step, window_s, on_index: this.on_index };

		return html`<${Panel} id="chart" title="Over time" stale=${stale}
			note=${this.readout(cols, step) ?? `last ${words}`}
			actions=${html`<button type="button" aria-pressed=${table} onclick=${() => this.setState({ table: !table })}>As a table</button>`}>
			${!t.length ? html`<${Empty}>Nothing was counted in the last ${words}.</${Empty}>` : table ? html`<${Twin} cols=${cols} step=${step} />` : html`<div class="plots">
				<figure><figcaption><${Key} kind="bar">handshakes</${Key}><${Key} kind="failed">of them failed</${Key}></figcaption>
					<${Plot} kind="conns" a=${conns} b=${failed} ...${props}
						label=${`Handshakes over the last ${words}: ${count(v.conns)} in all. The same numbers: button "As a table".`} /></figure>
				<figure><figcaption><${Key} kind="p50">median RTT</${Key}><${Key} kind="p95">p95 RTT</${Key}><span>log scale</span></figcaption>
					${p50.some((x) => x !== null)
		? html`<${Plot} kind="rtt" a=${p50} b=${p95} ...${props}
						label=${`RTT over the last ${words}: median ${ms(v.rtt_p50_us).text} ms, p95 ${ms(v.rtt_p95_us).text} ms. The same numbers: button "As a table".`} />`
		: html`<div class="plot"><${Empty}>No handshake with a clear RTT in the last ${words}.</${Empty}></div>`}</figure>
			</div>`}
		</${Panel}>`;
	}
}
