// SPDX-License-Identifier: GPL-2.0-or-later
// What all charts over time share: a box that a uPlot lives in, in the page's colours, as wide as it is,
// with the cursors of all of them in one place; its axes.
import { Component } from 'preact';
import uPlot from 'uplot';
import { clock, count, day_clock } from './format.js';
import { differ, html } from './parts.js';
import { colour, theme_watch } from './theme.js';

export { uPlot };

const STEPS_MAX = 1500;
const DAYS_FROM_S = 2 * 86400; // a span that wants days on its axis

// A log axis is marked at its decades; over a short range at steps between them too.
export function log_marks(u, axis, min, max)
{
	const within = max / min > 30 ? [1] : max / min > 5 ? [1, 2, 5] : [1, 1.5, 2, 3, 4, 5, 7];
	const marks = [];

	for (let d = 10 ** Math.floor(Math.log10(min)); d <= max; d *= 10)
		for (const m of within)
			if (d * m >= min && d * m <= max)
				marks.push(Number((d * m).toPrecision(3)));
	return marks;
}

export function ms_mark(v)
{
	return v === null ? '' : v >= 1000 ? `${v / 1000} s` : v < 1 ? `${Math.round(v * 1000)} µs` : `${v} ms`;
}

export function count_mark(v)
{
	return v >= 10000 ? `${v / 1000}k` : Number.isInteger(v) ? count(v) : '';
}

function font()
{
	return `${Math.round(parseFloat(getComputedStyle(document.documentElement).fontSize) * 0.78)}px ${getComputedStyle(document.body).fontFamily}`;
}

export function axis_style()
{
	return { stroke: colour('ink2'), font: font(), grid: { stroke: colour('grid'), width: 1 }, ticks: { show: false }, gap: 6 };
}

// Of a step at t: its time; with the day where one is not enough.
export function step_clock(t, span_s, step_s)
{
	return span_s >= DAYS_FROM_S ? day_clock(t) : step_s < 60 ? clock(t) : clock(t).slice(0, 5);
}

export function time_axis(span_s, step_s)
{
	const mark = (v) => {
		if (span_s < DAYS_FROM_S)
			return step_s < 60 ? clock(v) : clock(v).slice(0, 5);
		const [day, month, time] = day_clock(v).split(' ');
		return time === '00:00' ? `${day} ${month}` : time;
	};

	return { ...axis_style(), grid: { show: false }, size: 26, space: 70,
		values: (u, ticks) => ticks.map(mark).map((m, i, all) => (m === all[i - 1] ? '' : m)) };
}

// Points in steps of one width, from the first to the last: { step, t: middles, points }, a point of a step that
// was not told is undefined.  A single one takes the whole time, `long_s`.
export function steps(points, long_s)
{
	let step = Infinity;

	for (let i = 1; i < points.length; i++)
		if (points[i].t > points[i - 1].t)
			step = Math.min(step, points[i].t - points[i - 1].t);
	if (!Number.isFinite(step))
		step = Math.max(60, long_s);
	const first = points[0]?.t ?? 0;
	const at = new Map(points.map((p) => [Math.round((p.t - first) / step), p]));
	const n = points.length ? Math.min(STEPS_MAX, Math.round((points[points.length - 1].t - first) / step) + 1) : 0;

	return { step, t: Array.from({ length: n }, (_, i) => first + (i + 0.5) * step), points: Array.from({ length: n }, (_, i) => at.get(i)) };
}

// `make(width, height)` gives uPlot's options, `data` its columns; built anew when `shape` changed.
export class PlotBox extends Component {
	build()
	{
		this.plot?.destroy();
		const { make, data } = this.props;
		this.plot = new uPlot(make(this.box.clientWidth || 300, this.box.clientHeight || 150), data, this.box);
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

	shouldComponentUpdate(next)
	{
		return next.shape !== this.props.shape || next.data !== this.props.data || next.label !== this.props.label;
	}

	componentDidUpdate(old)
	{
		if (old.shape !== this.props.shape)
			this.build();
		else if (old.data !== this.props.data)
			this.plot.setData(this.props.data);
	}

	componentWillUnmount()
	{
		this.unwatch();
		this.resized.disconnect();
		this.plot.destroy();
	}

	render({ label, tall })
	{
		return html`<div class=${`plot ${tall ? 'tall' : ''}`} role="img" aria-label=${label} ref=${(e) => { this.box = e; }}></div>`;
	}
}

// What a part with charts over time is: the step under the cursor, the same for all of its charts, and whether its
// table is shown instead.
export class Charted extends Component {
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
		return differ(next, this.props) || differ(next_state, this.state);
	}

	table_button(name = 'table')
	{
		return html`<button type="button" aria-pressed=${!!this.state[name]} onclick=${() => this.setState({ [name]: !this.state[name] })}>As a table</button>`;
	}
}

// Rows of a table that says what a chart shows.
export function Twin({ head, rows, label })
{
	return html`<div class="scroll twin" tabindex="0" role="group" aria-label=${label ?? 'Chart as a table'}>
		<table class="numbers"><thead><tr>${head.map((h) => html`<th scope="col" key=${h}>${h}</th>`)}</tr></thead>
		<tbody>${rows.map(([first, ...rest]) => html`<tr key=${first}><th scope="row">${first}</th>${rest.map((v, i) => html`<td key=${i}>${v}</td>`)}</tr>`)}</tbody></table></div>`;
}

export const Key = ({ kind, children }) => html`<span class="key"><svg viewBox="0 0 18 10" aria-hidden="true" class=${kind}>${
	kind.startsWith('line') ? html`<path d="M0 5h18" />` : html`<rect x="5" y="0" width="8" height="10" rx="1" />`}</svg>${children}</span>`;
