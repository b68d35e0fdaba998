// SPDX-License-Identifier: GPL-2.0-or-later
// The path graph: x is the TTL, the sensors stand left, the destinations right.  A link is as wide as it
// was used and has the colour of the round trip time that it adds; one over silent hops is dashed,
// because nobody knows what lies there.
import { Component } from 'preact';
import { age, count, ms, span, unix_s } from './format.js';
import { html, memo } from './parts.js';
import { now_ms } from './store.js';

const TOP = 34, LEFT = 26, LABEL_WIDTH = 250, COLUMN_MIN = 46, NODE_SPACE = 12;

// Steps of the colour scale: ms that a link adds.
export const STEPS = [[1, 'under 1 ms'], [5, '1 to 5 ms'], [20, '5 to 20 ms'], [60, '20 to 60 ms'], [Infinity, '60 ms and more']];

export function step_of(us)
{
	return us === undefined ? 'u' : STEPS.findIndex(([ms_max]) => us / 1000 < ms_max);
}

// What a link adds.  Where no trace measured both ends, the difference of their medians stands in.
export function added_us(graph, link)
{
	const a = graph.nodes[link.a], b = graph.nodes[link.b];

	if (link.added_p50_us !== undefined)
		return link.added_p50_us;
	if (a.rtt_p50_us === undefined || b.rtt_p50_us === undefined)
		return undefined;
	return Math.max(0, b.rtt_p50_us - a.rtt_p50_us);
}

export function dst_label(p)
{
	return p.dst_name ?? p.dst_ip;
}

function compare(a, b)
{
	for (let i = 0; i < Math.min(a.length, b.length); i++)
		if (a[i] !== b[i])
			return a[i] - b[i];
	return a.length - b.length;
}

// Each path has a row of its own, where its label stands; paths that begin alike have rows beside each
// other.  A hop lies at the mean of the rows of its paths, as far as its column has room.
export function layout(graph, paths, width)
{
	const sorted = paths.slice().sort((a, b) => compare(a.nodes, b.nodes) || a.dst_ip.localeCompare(b.dst_ip));
	const row = sorted.length <= 40 ? 24 : sorted.length <= 100 ? 19 : 16;
	const through = new Map();
	let ttl_max = 1;

	sorted.forEach((p, i) => p.nodes.forEach((n) => {
		if (!through.has(n))
			through.set(n, []);
		through.get(n).push(i);
	}));
	for (const p of sorted)
		ttl_max = Math.max(ttl_max, graph.nodes[p.nodes[p.nodes.length - 1]].ttl + (p.reached ? 0 : 1));
	const column = Math.max(COLUMN_MIN, (width - LEFT - LABEL_WIDTH) / ttl_max);
	const columns = new Map();

	for (const [n, rows] of through) {
		const { ttl } = graph.nodes[n];
		const node = { n, rows, x: LEFT + ttl * column, y: TOP + (rows.reduce((a, b) => a + b, 0) / rows.length + 0.5) * row };
		if (!columns.has(ttl))
			columns.set(ttl, []);
		columns.get(ttl).push(node);
	}
	const ends = new Set(sorted.filter((p) => p.reached).map((p) => p.nodes[p.nodes.length - 1]));
	const at = new Map();
	const bottom = TOP + sorted.length * row;
	for (const list of columns.values()) {
		list.sort((a, b) => a.y - b.y || a.n - b.n);
		const space = Math.min(NODE_SPACE, (bottom - TOP) / list.length);
		for (let i = 1; i < list.length; i++)
			list[i].y = Math.max(list[i].y, list[i - 1].y + space);
		for (let i = list.length - 1, max = bottom; i >= 0; i--) {
			list[i].y = Math.min(list[i].y, max);
			max = list[i].y - space;
		}
		list.forEach((node, i) => {
			const above = i ? node.y - list[i - 1].y : Infinity;
			// A destination has its label at the right.
			node.room = above >= 22 && !ends.has(node.n) ? column - 6 : 0;
			at.set(node.n, node);
		});
	}
	const links = graph.links.map((link, i) => ({ link, i, a: at.get(link.a), b: at.get(link.b) })).filter((x) => x.a && x.b);
	// Of all nodes of a link's two ends, only those that a shown path has one behind the other.
	const used = new Map();
	sorted.forEach((p) => {
		for (let i = 1; i < p.nodes.length; i++) {
			const key = `${p.nodes[i - 1]} ${p.nodes[i]}`;
			used.set(key, (used.get(key) ?? 0) + 1);
		}
	});
	const shown = links.filter((x) => used.has(`${x.link.a} ${x.link.b}`))
		.map((x) => ({ ...x, n: used.get(`${x.link.a} ${x.link.b}`) }));
	const most = Math.max(1, ...shown.map((x) => x.link.traces ?? 0));
	for (const x of shown)
		x.width = 1.5 + 7 * Math.sqrt((x.link.traces ?? 0) / most);
	return { sorted, row, column, ttl_max, nodes: [...at.values()].sort((a, b) => graph.nodes[a.n].ttl - graph.nodes[b.n].ttl || a.y - b.y),
		at, links: shown.sort((a, b) => a.width - b.width), height: bottom + 10, width: LEFT + ttl_max * column + LABEL_WIDTH };
}

export function node_words(graph, n)
{
	const x = graph.nodes[n];

	if (!x.ttl)
		return `sensor ${graph.sensors[x.sensor]}`;
	const rtt = span(x.rtt_p50_us);
	return `${x.name ? `${x.name}, ` : ''}${x.ip}, hop ${x.ttl}: ${x.rtt_p50_us === undefined ? 'no time known' : `median ${rtt.text} ${rtt.unit}`}, in ${count(x.traces)} trace${x.traces === 1 ? '' : 's'}${
		x.sent > x.answered ? `, ${count(x.sent - x.answered)} of ${count(x.sent)} probes unanswered` : ''}${x.cached ? `, ${count(x.cached)} times taken from the cache` : ''}`;
}

export function link_words(graph, link)
{
	const us = added_us(graph, link);
	const end = (n) => graph.nodes[n].ttl ? graph.nodes[n].ip : 'the sensor';

	return `${end(link.a)} to ${end(link.b)}: ${us === undefined ? 'no time known' : `adds ${ms(us).text} ms`}, ${count(link.traces)} trace${link.traces === 1 ? '' : 's'}${
		link.gap ? `, over ${link.gap} silent hop${link.gap === 1 ? '' : 's'}` : ''}`;
}

function path_words(graph, p)
{
	return `${dst_label(p)}: ${p.reached ? `${p.hops_n} hops` : 'not reached'}${p.changed_ts ? `, path changed ${age((now_ms() - unix_s(p.changed_ts) * 1000) / 1000)} ago` : ''}`;
}

const curve = (x1, y1, x2, y2) => `M${x1.toFixed(1)} ${y1.toFixed(1)}C${((x1 + x2) / 2).toFixed(1)} ${y1.toFixed(1)} ${((x1 + x2) / 2).toFixed(1)} ${y2.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;

const Links = memo(({ graph, made, lit, read }) => html`<g>${made.links.map((x) => html`<path key=${x.i} d=${curve(x.a.x, x.a.y, x.b.x, x.b.y)} stroke-width=${x.width.toFixed(1)}
	class=${`lk r${step_of(added_us(graph, x.link))} ${x.link.gap ? 'gap' : ''} ${lit && !lit.links.has(`${x.link.a} ${x.link.b}`) ? 'off' : ''}`}
	onmouseenter=${() => read(link_words(graph, x.link))} />`)}</g>`);

// What goes through the chosen hop, or to the chosen destination.
export function light(graph, paths, { dst, hop })
{
	if (!dst && !hop)
		return null;
	const mine = paths.filter((p) => dst ? p.dst_ip === dst : p.nodes.some((n) => graph.nodes[n].ip === hop));
	const links = new Set(), nodes = new Set();

	for (const p of mine)
		p.nodes.forEach((n, i) => {
			nodes.add(n);
			if (i)
				links.add(`${p.nodes[i - 1]} ${n}`);
		});
	return { paths: new Set(mine), links, nodes };
}

export class Graph extends Component {
	constructor()
	{
		super();
		this.state = { width: 0, said: '', focus: 0 };
		this.read = (said) => this.setState({ said });
		this.on_key = (e) => this.key(e);
	}

	componentDidMount()
	{
		this.resized = new ResizeObserver(() => this.setState({ width: this.box.clientWidth }));
		this.resized.observe(this.box);
		this.setState({ width: this.box.clientWidth });
	}

	componentWillUnmount()
	{
		this.resized.disconnect();
	}

	shouldComponentUpdate(next, next_state)
	{
		return ['graph', 'paths', 'dst', 'hop'].some((k) => next[k] !== this.props[k]) || next_state !== this.state;
	}

	// The layout is made anew only when what is drawn changed: not on each hover.
	made()
	{
		const { graph, paths } = this.props;
		const width = Math.max(this.state.width, 320);

		if (this.for_graph !== graph || this.for_paths !== paths || this.for_width !== width) {
			[this.for_graph, this.for_paths, this.for_width] = [graph, paths, width];
			this.was_made = layout(graph, paths, width);
		}
		return this.was_made;
	}

	// One hop at a time is in the order of the Tab key; arrows go from hop to hop.
	key(e)
	{
		const { graph } = this.props;
		const { nodes, sorted } = this.was_made;
		const i = Math.min(this.state.focus, nodes.length - 1);
		const me = nodes[i];
		let to = -1;

		if (e.key === 'ArrowUp' || e.key === 'ArrowDown') {
			to = i + (e.key === 'ArrowUp' ? -1 : 1);
			if (!nodes[to] || graph.nodes[nodes[to].n].ttl !== graph.nodes[me.n].ttl)
				return;
		} else if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') {
			const path = sorted[me.rows[0]].nodes;
			const next = path[path.indexOf(me.n) + (e.key === 'ArrowLeft' ? -1 : 1)];
			to = nodes.findIndex((x) => x.n === next);
		} else if (e.key === 'Enter' || e.key === ' ') {
			e.preventDefault();
			this.pick(me.n);
			return;
		} else if (e.key === 'Escape') {
			this.props.choose({ hop: '', dst: '' });
			return;
		}
		if (to < 0)
			return;
		e.preventDefault();
		this.setState({ focus: to }, () => this.box.querySelector('.nd[tabindex="0"]')?.focus());
	}

	pick(n)
	{
		const { graph, paths, hop, choose } = this.props;
		const x = graph.nodes[n];
		const ends = paths.find((p) => p.reached && p.nodes[p.nodes.length - 1] === n);

		if (ends)
			choose({ dst: ends.dst_ip, hop: '' });
		else if (x.ip)
			choose({ hop: hop === x.ip ? '' : x.ip, dst: '' });
		else
			choose({ hop: '', dst: '' });
	}

	render({ graph, paths, dst, hop, choose }, { said, focus })
	{
		const made = this.made();
		const lit = light(graph, paths, { dst, hop });
		const { at, row, sorted, column, ttl_max } = made;
		const label_x = LEFT + ttl_max * column + 16;
		const tab = Math.min(focus, made.nodes.length - 1);

		return html`<div class="pathgraph"><p class="readout">${said || 'Point at a hop or a link for its numbers; choose a hop to follow everything through it.'}</p>
		<div class="wide" ref=${(e) => { this.box = e; }} onmouseleave=${() => this.read('')}>
		<svg class="pg" width=${made.width} height=${made.height} viewBox=${`0 0 ${made.width} ${made.height}`} role="group" aria-label="Path graph. Arrow keys go from hop to hop, Enter follows what goes through one. The same numbers: the tables below.">
			<g class="ttls" aria-hidden="true"><text x=${LEFT} y="14">TTL</text>${Array.from({ length: ttl_max }, (_, i) => html`<g key=${i}><path class="rail" d=${`M${LEFT + (i + 1) * column} 20V${made.height}`} /><text x=${LEFT + (i + 1) * column} y="14">${i + 1}</text></g>`)}</g>
			<g aria-hidden="true">${sorted.map((p, i) => {
		const end = at.get(p.nodes[p.nodes.length - 1]);
		const y = TOP + (i + 0.5) * row;
		const off = lit && !lit.paths.has(p) ? 'off' : '';
		return html`<g key=${`${p.sensor} ${p.dst_ip}`} class=${`to ${off} ${p.dst_ip === dst ? 'on' : ''}`} onclick=${() => choose({ dst: dst === p.dst_ip ? '' : p.dst_ip, hop: '' })} onmouseenter=${() => this.read(path_words(graph, p))}>
				${p.reached ? html`<path class="lead" d=${curve(end.x, end.y, label_x - 6, y)} />`
		: html`<path class="lost" d=${curve(end.x, end.y, end.x + column, y)} /><path class="lead" d=${`M${end.x + column + 5} ${y}H${label_x - 6}`} /><path class="no" d=${`M${end.x + column - 4} ${y - 4}l8 8m0 -8l-8 8`} />`}
				<text class="dst" x=${label_x} y=${y}>${p.changed_ts && html`<tspan class="turned">◆ </tspan>`}${cut_label(dst_label(p))}</text></g>`;
	})}</g>
			<${Links} graph=${graph} made=${made} lit=${lit} read=${this.read} />
			<g>${made.nodes.map((x, i) => {
		const node = graph.nodes[x.n];
		const text = node.ttl ? node.name ?? node.ip : graph.sensors[node.sensor];
		const words = node_words(graph, x.n);
		const fits = x.room > 0 && text.length * 6.4 <= x.room;
		return html`<g key=${`${node.sensor} ${node.ttl} ${node.ip}`} class=${`nd ${node.ttl ? '' : 'self'} ${lit && !lit.nodes.has(x.n) ? 'off' : ''} ${hop && node.ip === hop ? 'on' : ''}`} transform=${`translate(${x.x.toFixed(1)} ${x.y.toFixed(1)})`}
				role="button" tabindex=${i === tab ? 0 : -1} aria-label=${words} aria-pressed=${hop !== '' && node.ip === hop} onclick=${() => { this.setState({ focus: i }); this.pick(x.n); }} onkeydown=${this.on_key}
				onfocus=${() => this.read(words)} onblur=${() => this.read('')} onmouseenter=${() => this.read(words)}><circle r="9" class="touch" />${node.ttl ? html`<circle r="4" />` : html`<rect x="-6" y="-6" width="12" height="12" rx="2" />`}${
			(fits || !node.ttl) && html`<text y="-9" text-anchor=${node.ttl ? 'middle' : 'start'} x=${node.ttl ? 0 : -6}>${text}</text>`}</g>`;
	})}</g>
		</svg></div></div>`;
	}
}

function cut_label(text)
{
	const letters = [...text];

	return letters.length > 30 ? `${letters.slice(0, 29).join('')}…` : text;
}

export const Legend = () => html`<ul class="legend" aria-label="Colours of the links: round trip time that they add">${STEPS.map(([, words], i) => html`<li key=${i}><svg viewBox="0 0 22 8" aria-hidden="true"><path class=${`lk r${i}`} d="M0 4h22" stroke-width="4" /></svg>${words}</li>`)}
	<li><svg viewBox="0 0 22 8" aria-hidden="true"><path class="lk ru" d="M0 4h22" stroke-width="4" /></svg>not known</li>
	<li><svg viewBox="0 0 22 8" aria-hidden="true"><path class="lk ru gap" d="M0 4h22" stroke-width="3" /></svg>silent hops between</li>
	<li><span class="turned" aria-hidden="true">◆</span>path changed</li></ul>`;
