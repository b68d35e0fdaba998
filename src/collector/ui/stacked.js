// SPDX-License-Identifier: GPL-2.0-or-later
// Bars over time, one part upon the other.
import { html, memo } from './parts.js';
import { axis_style, count_mark, PlotBox, time_axis, uPlot } from './plot.js';
import { colour } from './theme.js';

// `parts`: [colour's name, values], the lowest first.
export const Stacked = memo(({ t, step, parts, label, on_index, sync, shape }) => {
	const tops = parts.map((_, i) => t.map((_t, k) => parts.slice(0, i + 1).reduce((sum, [, values]) => sum + values[k], 0)));
	const make = (width, height) => ({
		width, height,
		legend: { show: false },
		cursor: { sync: { key: sync }, drag: { x: false, y: false }, y: false, points: { show: false } },
		padding: [8, 20, 0, 0],
		scales: {
			x: { time: true, range: (u) => [u.data[0][0] - step / 2, u.data[0][u.data[0].length - 1] + step / 2] },
			y: { range: (u, lo, hi) => [0, Math.max(hi * 1.08, 4)] },
		},
		axes: [time_axis(t[t.length - 1] - t[0], step), { ...axis_style(), size: 58, space: 28, values: (u, ticks) => ticks.map(count_mark) }],
		// The whole first, the lowest part last; each is painted down to the next, so that no edge shows what lies under it.
		bands: parts.slice(1).map((_, i) => ({ series: [i + 1, i + 2] })),
		series: [{}, ...parts.slice().reverse().map(([tone]) => ({ fill: colour(tone), stroke: colour(tone), width: 0,
			paths: uPlot.paths.bars({ size: [0.82, 48] }), points: { show: false } }))],
		hooks: { setCursor: [(u) => on_index?.(u.cursor.left >= 0 ? u.cursor.idx : null)] },
	});

	return html`<${PlotBox} make=${make} data=${[t, ...tops.reverse()]} shape=${shape} label=${label} />`;
});
