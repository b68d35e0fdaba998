// SPDX-License-Identifier: GPL-2.0-or-later
// Small pieces that every part of the page uses: marks with a shape and a word, ages that tick,
// addresses, numbers that line up, bars, sparklines, panels.  Strings from the network only ever
// become text nodes.
import { Component, h } from 'preact';
import htm from 'htm';
import { age, count, exact, ms, service, UNKNOWN } from './format.js';
import { now_ms, watch } from './store.js';
import { WAYS, WORDS } from './words.js';

// Every element is made anew (3: htm keeps none that never changes).  One that is used again points to where it
// was last, and so would keep each row that the page ever showed.
export const html = htm.bind(function (...args) {
	this[0] = 3;
	return h(...args);
});

// Whether two objects' values are not the same ones.
export function differ(a, b)
{
	for (const k of new Set([...Object.keys(a), ...Object.keys(b)]))
		if (a[k] !== b[k])
			return true;
	return false;
}

// Draws again only when a property changed.
export function memo(fn)
{
	return class extends Component {
		shouldComponentUpdate(next)
		{
			return differ(next, this.props);
		}

		render(props)
		{
			return fn(props);
		}
	};
}

// The whole page follows the store; memo() stops the redraw where nothing changed.
export class Follow extends Component {
	componentDidMount()
	{
		this.unwatch = watch(() => this.forceUpdate());
	}

	componentWillUnmount()
	{
		this.unwatch();
	}
}

const SHAPES = {
	__proto__: null,
	disc: () => html`<circle cx="6" cy="6" r="4.5" class="fill" />`,
	ring: () => html`<circle cx="6" cy="6" r="3.8" class="line" />`,
	half: () => html`<g><circle cx="6" cy="6" r="3.8" class="line" /><path d="M6 2.2a3.8 3.8 0 0 1 0 7.6z" class="fill" /></g>`,
	cross: () => html`<path d="M2.2 2.2l7.6 7.6M9.8 2.2l-7.6 7.6" class="line thick" />`,
	clock: () => html`<g><circle cx="6" cy="6" r="4.6" class="line" /><path d="M6 3.2V6l2 1.6" class="line" /></g>`,
	triangle: () => html`<path d="M6 1.6 11 10.4H1z" class="line" />`,
	square: () => html`<rect x="2" y="2" width="8" height="8" class="line" />`,
	diamond: () => html`<path d="M6 1 11 6 6 11 1 6z" class="line" />`,
	check: () => html`<path d="M1.8 6.4 4.8 9.6 10.4 2.8" class="line thick" />`,
	bars: () => html`<path d="M3.6 2v8M8.4 2v8" class="line thick" />`,
	dash: () => html`<path d="M2 6h8" class="line thick" />`,
	out: () => html`<path d="M2.4 9.6 9.4 2.6M4.4 2.4h5.2v5.2" class="line" />`,
	in: () => html`<path d="M9.6 2.4 2.6 9.4M7.6 9.6H2.4V4.4" class="line" />`,
	both: () => html`<path d="M1 6h10M3.6 3.2 1 6l2.6 2.8M8.4 3.2 11 6 8.4 8.8" class="line" />`,
	up: () => html`<path d="M6 10V2.4M2.8 5.4 6 2.2l3.2 3.2" class="line" />`,
	down: () => html`<path d="M6 2v7.6M2.8 6.6 6 9.8l3.2-3.2" class="line" />`,
	left: () => html`<path d="M7.6 2.2 3.8 6l3.8 3.8" class="line thick" />`,
	right: () => html`<path d="M4.4 2.2 8.2 6 4.4 9.8" class="line thick" />`,
	loop: () => html`<path d="M10 6a4 4 0 1 1-1.4-3M10.2 1v2.4H7.8" class="line" />`,
};

export function Shape({ name })
{
	return html`<svg class="shape" viewBox="0 0 12 12" aria-hidden="true">${(SHAPES[name] ?? SHAPES.dash)()}</svg>`;
}

// word -> [shape, tone].  The tone is colour only; shape and word say the same without it.
const STATES = {
	__proto__: null,
	established: ['disc', 'good'], answered: ['half', 'good'], refused: ['cross', 'bad'],
	timeout: ['clock', 'warn'], unreachable: ['triangle', 'bad'], aborted: ['square', 'dim'],
	orphan: ['diamond', 'dim'], other: ['triangle', 'bad'], untold: ['ring', 'bad'],
	accepted: ['disc', 'warn'], dropped: ['cross', 'good'], rejected: ['square', 'good'],
	unknown: ['ring', 'dim'],
	ok: ['disc', 'good'], degraded: ['triangle', 'warn'], disabled: ['cross', 'bad'],
	on: ['check', 'good'], off: ['cross', 'bad'],
};

export function Mark({ word, text, title })
{
	const [shape, tone] = STATES[word] ?? ['ring', 'dim'];

	return html`<span class=${`mark ${tone}`} title=${title ?? WORDS[word]}><${Shape} name=${shape} /><bdi>${text ?? word}</bdi></span>`;
}

const DIRS = { __proto__: null, outbound: 'out', inbound: 'in', internal: 'both', external: 'both', local: 'loop' };

export function Dir({ dir })
{
	return html`<span class="way" title=${WORDS[dir]}><${Shape} name=${DIRS[dir] ?? 'ring'} />${WAYS[dir] ?? WAYS.unknown}</span>`;
}

const tickers = new Set();

setInterval(() => {
	if (!document.hidden)
		for (const t of tickers)
			t.tick();
}, 1000);

// How long ago, counted by the collector's clock; the exact time on hover.
export class Age extends Component {
	label()
	{
		const t = Date.parse(this.props.ts);

		return Number.isFinite(t) ? age((now_ms() - t) / 1000) : UNKNOWN;
	}

	tick()
	{
		if (this.label() !== this.shown)
			this.forceUpdate();
	}

	componentDidMount()
	{
		tickers.add(this);
	}

	componentWillUnmount()
	{
		tickers.delete(this);
	}

	shouldComponentUpdate(next)
	{
		return next.ts !== this.props.ts;
	}

	render({ ts })
	{
		this.shown = this.label();
		return html`<time datetime=${ts} title=${exact(ts)}>${this.shown}</time>`;
	}
}

let regions = null;

// "DE" -> "Germany", as this browser calls it.
export function country(cc)
{
	try {
		regions ??= new Intl.DisplayNames(['en'], { type: 'region' });
		return regions.of(cc) ?? cc;
	} catch {
		return cc;
	}
}

// Where an address is, as far as the collector knows: fields with a prefix like `dst_`.
export function Place({ x, prefix })
{
	const cc = x[`${prefix}cc`], asn = x[`${prefix}asn`], org = x[`${prefix}as_org`], city = x[`${prefix}city`];

	if (cc === undefined && asn === undefined)
		return null;
	return html`<span class="place">${cc !== undefined && html`<span class="cc" title=${country(cc)}>${cc}</span>`}${city !== undefined && html`<bdi>${city}</bdi>`}${
		asn !== undefined && html`<span class="as" title=${`AS${asn}`}><bdi>${org ?? `AS${asn}`}</bdi></span>`}</span>`;
}

export function Ms({ us, hint })
{
	const { text, decimals } = ms(us);

	return html`<span class=${text === UNKNOWN ? 'unknown' : `ms d${decimals}`} title=${hint}>${text}</span>`;
}

// Name above the numbers where a name is known; bdi keeps a hostile name from turning its neighbours around.
export function Host({ ip, port, name })
{
	const svc = service(port);

	return html`<span class="host" title=${name ? `${name} (${ip})` : ip}
		>${name ? html`<bdi class="name">${name}</bdi><bdi class="addr second">${ip}</bdi>` : html`<bdi class="addr">${ip}</bdi>`
		}${port === undefined ? null : html`<span class="port">:${port}</span>${svc && html`<span class="svc">${svc}</span>`}`
	}</span>`;
}

// min to p95 as a line, the median as a tick, on the table's common scale.
export function Range({ min, p50, p95, max })
{
	if (!Number.isFinite(p50) || !(max > 0))
		return html`<span class="unknown">${UNKNOWN}</span>`;
	const x = (us) => `${Math.min(98.5, Math.max(0.5, Math.sqrt((us ?? p50) / max) * 98.5)).toFixed(2)}%`;

	return html`<svg class="range" aria-hidden="true">
		<line x1="0.5%" x2="99%" y1="50%" y2="50%" class="rail" />
		<line x1=${x(min)} x2=${x(p95)} y1="50%" y2="50%" class="reach" />
		<line x1=${x(p50)} x2=${x(p50)} y1="10%" y2="90%" class="tick" />
	</svg>`;
}

export function Share({ part, whole, tone })
{
	const w = whole > 0 ? Math.min(100, part / whole * 100) : 0;

	return html`<svg class=${`share ${tone ?? ''}`} aria-hidden="true"><rect class="rail" width="100%" height="100%" rx="1.5" /><rect
		class="part" width=${`${part > 0 ? Math.max(2, w) : 0}%`} height="100%" rx="1.5" /></svg>`;
}

export const Spark = memo(({ values, tone }) => {
	const known = values.filter(Number.isFinite);
	const max = Math.max(...known, 0);

	if (known.length < 4 || max <= 0)
		return html`<svg class="spark" aria-hidden="true"></svg>`;
	let d = '', pen = 'M';
	values.forEach((v, i) => {
		if (!Number.isFinite(v)) {
			pen = 'M';
			return;
		}
		d += `${pen}${(i / (values.length - 1) * 100).toFixed(1)} ${(23 - v / max * 21).toFixed(1)}`;
		pen = 'L';
	});
	return html`<svg class=${`spark ${tone ?? ''}`} viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true"><path d=${d} /></svg>`;
});

// A word with its explanation: by pointer, by keyboard, and read out by screen readers.
let term_n = 0;

export class Term extends Component {
	constructor()
	{
		super();
		this.id = `term${++term_n}`;
	}

	render({ word, children })
	{
		if (!WORDS[word])
			return html`<span class="term-plain">${children ?? word}</span>`;
		return html`<span class="term" tabindex="0" aria-describedby=${this.id}
			onkeydown=${(e) => e.key === 'Escape' && e.currentTarget.blur()}
			>${children ?? word}<span class="tip" role="tooltip" id=${this.id}>${WORDS[word]}</span></span>`;
	}
}

export function Panel({ id, title, note, actions, stale, children })
{
	return html`<section class=${`panel ${id} ${stale ? 'stale' : ''}`} aria-labelledby=${`${id}-h`}>
		<header><h2 id=${`${id}-h`}>${title}</h2>${note && html`<span class="note">${note}</span>`}${
			stale && html`<span class="mark warn old" role="status"><${Shape} name="clock" />${stale}</span>`}${
			actions && html`<div class="actions">${actions}</div>`}</header>
		${children}
	</section>`;
}

export function Empty({ good, children })
{
	return html`<p class="empty">${good && html`<span class="mark good"><${Shape} name="check" /></span>`}${children}</p>`;
}

// In the place of what is not here yet, or will not come.
export function Unready({ d })
{
	if (d?.error)
		return html`<p class="empty" role="status"><span class="mark warn"><${Shape} name="triangle" /></span>The collector gave no answer to this question: <bdi>${d.error}</bdi></p>`;
	return html`<p class="empty">Asking the collector.</p>`;
}

export function Count({ n, loud })
{
	return html`<span class=${n === undefined ? 'unknown' : loud && n > 0 ? loud : n === 0 ? 'zero' : ''}>${count(n)}</span>`;
}
