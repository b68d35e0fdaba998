// SPDX-License-Identifier: GPL-2.0-or-later
// Which moment the path graph shows, and which it is compared with: sliders over the last hours or days,
// with a mark where a path changed.
import { Component } from 'preact';
import { count, day_clock, iso_s, unix_s } from './format.js';
import { choose } from './link.js';
import { html, memo, Shape } from './parts.js';
import { now_ms } from './store.js';

export const SPANS = [['1h', 3600, '1 hour'], ['24h', 86400, '24 hours'], ['7d', 7 * 86400, '7 days'], ['30d', 30 * 86400, '30 days']];
const SPAN_FIRST = '24h', BINS = 160, SETTLE_MS = 200;

export function span_of(view)
{
	return SPANS.find(([id]) => id === view.span) ?? SPANS.find(([id]) => id === SPAN_FIRST);
}

// Unix time of a choice in the address; 0: now.
export function moment_s(text)
{
	const t = Date.parse(text ?? '') / 1000;

	return t > 0 ? t : 0;
}

// Marks that would lie on each other are one, and higher.
const Marks = memo(({ changes, from_s, to_s }) => {
	const bins = new Array(BINS).fill(0);

	for (const c of changes) {
		const i = Math.floor((unix_s(c.ts) - from_s) / (to_s - from_s) * BINS);
		if (i >= 0 && i < BINS)
			bins[i]++;
	}
	const most = Math.max(1, ...bins);
	return html`<svg class="marks" height="20" aria-hidden="true">${bins.map((n, i) => n > 0 && html`<svg key=${i} x=${`${(i + 0.5) / BINS * 100}%`} y="20" width="1" height="1" overflow="visible"><path d=${`M0 0V${-(6 + 5 * n / most).toFixed(1)}`} /><path class="turned" d=${`M0 ${-(14 + 5 * n / most).toFixed(1)}l3.5 4l-3.5 4l-3.5-4z`} /></svg>`)}</svg>`;
});

class Slider extends Component {
	constructor()
	{
		super();
		this.state = { held_s: 0 };
	}

	componentWillUnmount()
	{
		clearTimeout(this.timer);
	}

	// What is dragged over is not asked for; where it rests is.
	drag(e)
	{
		const s = Number(e.currentTarget.value);

		this.setState({ held_s: s });
		clearTimeout(this.timer);
		this.timer = setTimeout(() => {
			this.setState({ held_s: 0 });
			this.props.put(s);
		}, SETTLE_MS);
	}

	render({ label, id, value_s, from_s, to_s, step_s }, { held_s })
	{
		const s = Math.min(to_s, Math.max(from_s, held_s || value_s));
		const words = s >= to_s ? 'now' : day_clock(s);

		return html`<label class=${`when ${id}`}><span class="what">${label}</span><input type="range" min=${from_s} max=${to_s} step=${step_s} value=${s} aria-valuetext=${words} oninput=${(e) => this.drag(e)} /><output>${words}</output></label>`;
	}
}

export function Timeline({ view, changes, partial })
{
	const [span, span_s, span_words] = span_of(view);
	const to_s = Math.ceil(now_ms() / 60000) * 60, from_s = to_s - span_s;
	const at_s = moment_s(view.at) || to_s, vs_s = moment_s(view.vs);
	const put = (key) => (s) => choose({ [key]: s >= to_s ? key === 'at' ? '' : iso_s(to_s) : iso_s(s) });
	const times = changes.map((c) => Math.floor(unix_s(c.ts)) + 1).sort((a, b) => a - b);
	const before = times.filter((t) => t < at_s).pop(), after = times.find((t) => t > at_s);
	const slider = { from_s, to_s, step_s: span_s / 240 };

	return html`<div class="timeline" role="group" aria-label="Time of the graph">
		<div class="controls">
			<label class="choice">Time <select value=${span} onchange=${(e) => choose({ span: e.currentTarget.value === SPAN_FIRST ? '' : e.currentTarget.value })}>${SPANS.map(([id, , words]) => html`<option key=${id} value=${id}>last ${words}</option>`)}</select></label>
			<button type="button" class="step" disabled=${before === undefined} onclick=${() => choose({ at: iso_s(before) })}><${Shape} name="left" />Change before</button>
			<button type="button" class="step" disabled=${after === undefined} onclick=${() => choose({ at: iso_s(after) })}>Change after<${Shape} name="right" /></button>
			${view.at && html`<button type="button" class="now" onclick=${() => choose({ at: '' })}>Back to now</button>`}
			<button type="button" class="compare" aria-pressed=${vs_s > 0} onclick=${() => choose({ vs: vs_s ? '' : iso_s(before === undefined ? from_s : before - 2) })}>Compare</button>
			<span class="note">${changes.length ? `${partial ? 'more than ' : ''}${count(changes.length)} path change${changes.length === 1 ? '' : 's'} in the last ${span_words}` : `no path change in the last ${span_words}`}</span>
		</div>
		<div class="slide">${changes.length > 0 && html`<${Marks} changes=${changes} from_s=${from_s} to_s=${to_s} />`}
		<${Slider} id="at" label="Shown" value_s=${at_s} put=${put('at')} ...${slider} />
		${vs_s > 0 && html`<${Slider} id="vs" label="Compared with" value_s=${vs_s} put=${put('vs')} ...${slider} />`}</div>
	</div>`;
}
