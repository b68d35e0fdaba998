// SPDX-License-Identifier: GPL-2.0-or-later
// RTT over time as smoke: each step of time is a column of the histogram's buckets, the stronger in colour the more
// handshakes took that long, with the median as a line over it.
import { count, ms, unix_s } from './format.js';
import { html, memo } from './parts.js';
import { axis_style, log_marks, ms_mark, PlotBox, step_clock, steps, time_axis, Twin, uPlot } from './plot.js';
import { colour } from './theme.js';

const DARKEST = 0.95, LIGHTEST = 0.08;

// Where a bucket ends: there are four of equal width for each power of two (docs/API.md).
export function end_us(lower_us)
{
	return lower_us < 4 ? lower_us + 1 : lower_us + 2 ** Math.floor(Math.log2(lower_us)) / 4;
}

// The time that a share of the handshakes stayed below, as near as its bucket is wide.
export function quantile_us(hist, share)
{
	const n = hist.reduce((sum, [, k]) => sum + k, 0);
	let seen = 0;

	for (const [lower_us, k] of hist) {
		seen += k;
		if (seen >= share * n && k > 0)
			return (lower_us + end_us(lower_us)) / 2;
	}
	return undefined;
}

function count_of(hist)
{
	return hist.reduce((sum, [, n]) => sum + n, 0);
}

// The series of one half (`hist` or `src_hist`) in steps.
export function smoke(series, name, long_s)
{
	const { step, t, points } = steps((series ?? []).map((p) => ({ t: unix_s(p.t), hist: p[name] ?? [] })).sort((a, b) => a.t - b.t), long_s);
	const hists = points.map((p) => p?.hist ?? []);

	return { step, t, hists, p50: hists.map((h) => h.length ? quantile_us(h, 0.5) / 1000 : null), p95: hists.map((h) => h.length ? quantile_us(h, 0.95) / 1000 : null),
		n: hists.map(count_of) };
}

// The least and the greatest bucket of several halves, in ms: they are compared on one axis.
export function reach(halves)
{
	let lo = Infinity, hi = 0;

	for (const h of halves)
		for (const hist of h.hists)
			for (const [lower_us, n] of hist)
				if (n > 0) {
					lo = Math.min(lo, Math.max(1, lower_us) / 1000);
					hi = Math.max(hi, end_us(lower_us) / 1000);
				}
	return hi ? [lo / 1.3, hi * 1.3] : [0.1, 100];
}

function draw(u, half, tone)
{
	const { ctx } = u;
	const most = Math.max(1, ...half.hists.map((h) => Math.max(0, ...h.map(([, n]) => n))));

	ctx.save();
	ctx.beginPath();
	ctx.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
	ctx.clip();
	ctx.fillStyle = colour(tone);
	half.hists.forEach((hist, i) => {
		const x1 = Math.round(u.valToPos(half.t[i] - half.step / 2, 'x', true)), x2 = Math.round(u.valToPos(half.t[i] + half.step / 2, 'x', true));
		for (const [lower_us, n] of hist) {
			if (!n)
				continue;
			const low = Math.max(1, lower_us) / 1000;
			const y1 = Math.round(u.valToPos(end_us(lower_us) / 1000, 'y', true)), y2 = Math.round(u.valToPos(low, 'y', true));
			ctx.globalAlpha = LIGHTEST + (DARKEST - LIGHTEST) * Math.sqrt(n / most);
			ctx.fillRect(x1, y1, Math.max(1, x2 - x1), Math.max(1, y2 - y1));
		}
	});
	ctx.restore();
}

export const Smoke = memo(({ half, range, tone, label, on_index, shape }) => {
	const make = (width, height) => ({
		width, height,
		legend: { show: false },
		cursor: { sync: { key: 'destination' }, drag: { x: false, y: false }, y: false, points: { size: 7 } },
		padding: [8, 20, 0, 0],
		scales: {
			x: { time: true, range: () => [half.t[0] - half.step / 2, half.t[half.t.length - 1] + half.step / 2] },
			y: { distr: 3, range: () => range },
		},
		axes: [time_axis(half.t[half.t.length - 1] - half.t[0], half.step),
			{ ...axis_style(), size: 58, space: 28, values: (u, ticks) => ticks.map(ms_mark), splits: log_marks, filter: (u, marks) => marks }],
		series: [{}, { stroke: colour('ink'), width: 1.5, spanGaps: false, points: { show: half.t.length <= 15 ? true : undefined, size: 4, fill: colour('ink') },
			paths: uPlot.paths.stepped({ align: 0 }) }],
		hooks: { drawAxes: [(u) => draw(u, half, tone)], setCursor: [(u) => on_index(u.cursor.left >= 0 ? u.cursor.idx : null)] },
	});

	// What is drawn lies in the options, so new data are a new chart.
	return html`<${PlotBox} make=${make} data=${[half.t, half.p50]} shape=${shape} label=${label} tall />`;
});

export function SmokeTwin({ wan, lan, series })
{
	const span_s = wan.t[wan.t.length - 1] - wan.t[0];
	const text = (v) => ms(v === null || v === undefined ? undefined : v * 1000).text;
	const failed = new Map(series.map((p) => [Math.round(unix_s(p.t)), p]));

	return html`<${Twin} label="RTT over time as a table" head=${['From', 'Handshakes', 'Failed', 'Timed', 'WAN median ms', 'WAN p95 ms', 'LAN median ms', 'LAN p95 ms']}
		rows=${wan.t.map((t, i) => {
		const p = failed.get(Math.round(t - wan.step / 2));
		return [step_clock(t - wan.step / 2, span_s, wan.step), count(p?.conns ?? 0), count(p?.failed ?? 0), count(wan.n[i]), text(wan.p50[i]), text(wan.p95[i]), text(lan.p50[i]), text(lan.p95[i])];
	}).reverse()} />`;
}
