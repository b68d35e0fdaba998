// SPDX-License-Identifier: GPL-2.0-or-later
// The path graph as elements of the document, each hop one that the keyboard reaches.  A link is as wide
// as it was used and has the colour of what the chosen scale says; one over silent hops is dashed,
// because nobody knows what lies there.  Beyond a few hundred hops biggraph.js draws instead.
import { Component } from 'preact';
import { html, memo } from './parts.js';
import { cut_label, dst_label, layout, LEFT, light, link_words, node_words, path_words, step_of, step_to, UNKNOWN_STEP } from './layout.js';

const curve = (x1, y1, x2, y2) => `M${x1.toFixed(1)} ${y1.toFixed(1)}C${((x1 + x2) / 2).toFixed(1)} ${y1.toFixed(1)} ${((x1 + x2) / 2).toFixed(1)} ${y2.toFixed(1)} ${x2.toFixed(1)} ${y2.toFixed(1)}`;

const Links = memo(({ graph, made, lit, scale, compare, read }) => html`<g>${made.links.map((x) => html`<path key=${x.i} d=${curve(x.a.x, x.a.y, x.b.x, x.b.y)} stroke-width=${x.width.toFixed(1)}
	class=${`lk ${compare ? x.link.diff ?? 'same' : `r${step_of(scale, graph, x.link)}`} ${x.link.gap ? 'gap' : ''} ${lit && !lit.links.has(`${x.link.a} ${x.link.b}`) ? 'off' : ''}`}
	onmouseenter=${() => read(link_words(graph, x.link))} />`)}</g>`);

const Lanes = memo(({ made }) => html`<g aria-hidden="true">${made.lanes.map((lane, i) => html`<g key=${lane.key} class="lane">
	${i % 2 === 0 && html`<rect x="0" y=${lane.top} width=${made.width} height=${lane.bottom - lane.top} />`}<text x=${made.label_x} y=${lane.top + 9}>${cut_label(lane.label, 36)}</text></g>`)}</g>`);

// A hop's own shape; what only one of two pictures has differs by shape too.
function Dot({ node, compare })
{
	if (!node.ttl)
		return html`<rect x="-6" y="-6" width="12" height="12" rx="2" />`;
	if (compare && node.diff)
		return html`<path class=${node.diff} d=${node.diff === 'added' ? 'M0-6L6 0L0 6L-6 0z' : 'M-4-4L4 4M4-4L-4 4'} />`;
	return html`<circle r="4" />`;
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
		return ['graph', 'paths', 'dst', 'hop', 'found', 'scale', 'compare', 'lanes'].some((k) => next[k] !== this.props[k]) || next_state !== this.state;
	}

	// The layout is made anew only when what is drawn changed: not on each hover.
	made()
	{
		const { graph, paths, lanes } = this.props;
		const of = [graph, paths, lanes, Math.max(this.state.width, 320)];

		if (!this.made_of || of.some((x, i) => x !== this.made_of[i])) {
			this.made_of = of;
			this.was_made = layout(graph, paths, of[3], { lanes });
		}
		return this.was_made;
	}

	// One hop at a time is in the order of the Tab key; arrows go from hop to hop.
	key(e)
	{
		const { nodes } = this.was_made;
		const i = Math.min(this.state.focus, nodes.length - 1);

		if (e.key === 'Enter' || e.key === ' ') {
			e.preventDefault();
			this.props.pick(nodes[i].n);
			return;
		}
		if (e.key === 'Escape') {
			this.props.choose({ hop: '', dst: '' });
			return;
		}
		const to = step_to(this.was_made, i, e.key);
		if (to < 0)
			return;
		e.preventDefault();
		this.setState({ focus: to }, () => this.box.querySelector('.nd[tabindex="0"]')?.focus());
	}

	render({ graph, paths, dst, hop, found, scale, compare, choose, pick }, { said, focus })
	{
		const made = this.made();
		const lit = light(graph, paths, { dst, hop, found });
		const { at, row_y, sorted, column, ttl_max, label_x } = made;
		const tab = Math.min(focus, made.nodes.length - 1);

		return html`<div class="pathgraph" data-draw="svg"><p class="readout">${said || 'Point at a hop or a link for its numbers; choose a hop to follow everything through it.'}</p>
		<div class="wide" ref=${(e) => { this.box = e; }} onmouseleave=${() => this.read('')}>
		<svg class="pg" width=${made.width} height=${made.height} viewBox=${`0 0 ${made.width} ${made.height}`} role="group" aria-label="Path graph. Arrow keys go from hop to hop, Enter follows what goes through one. The same numbers: the tables below.">
			<${Lanes} made=${made} />
			<g class="ttls" aria-hidden="true"><text x=${LEFT} y="14">TTL</text>${Array.from({ length: ttl_max }, (_, i) => html`<g key=${i}><path class="rail" d=${`M${LEFT + (i + 1) * column} 20V${made.height}`} /><text x=${LEFT + (i + 1) * column} y="14">${i + 1}</text></g>`)}</g>
			<g aria-hidden="true">${sorted.map((p) => {
		const end = at.get(p.nodes[p.nodes.length - 1]);
		const y = row_y.get(p);
		const off = lit && !lit.paths.has(p) ? 'off' : '';
		const diff = compare && p.diff ? p.diff : '';
		return html`<g key=${`${p.sensor} ${p.dst_ip} ${diff}`} class=${`to ${off} ${diff} ${p.dst_ip === dst ? 'on' : ''}`} onclick=${() => choose({ dst: dst === p.dst_ip ? '' : p.dst_ip, hop: '' })} onmouseenter=${() => this.read(path_words(p))}>
				${p.reached ? html`<path class="lead" d=${curve(end.x, end.y, label_x - 6, y)} />`
		: html`<path class="lost" d=${curve(end.x, end.y, end.x + column, y)} /><path class="lead" d=${`M${end.x + column + 5} ${y}H${label_x - 6}`} /><path class="no" d=${`M${end.x + column - 4} ${y - 4}l8 8m0 -8l-8 8`} />`}
				<text class="dst" x=${label_x} y=${y}>${diff ? html`<tspan class="mark">${diff === 'added' ? '+ ' : '× '}</tspan>` : p.changed_ts && html`<tspan class="turned">◆ </tspan>`}${cut_label(dst_label(p))}</text></g>`;
	})}</g>
			<${Links} graph=${graph} made=${made} lit=${lit} scale=${scale} compare=${compare} read=${this.read} />
			<g>${made.nodes.map((x, i) => {
		const node = graph.nodes[x.n];
		const text = node.ttl ? node.name ?? node.ip : graph.sensors[node.sensor];
		const words = node_words(graph, x.n);
		const fits = x.room > 0 && text.length * 6.4 <= x.room;
		return html`<g key=${`${node.sensor} ${node.ttl} ${node.ip}`} class=${`nd ${node.ttl ? '' : 'self'} ${lit && !lit.nodes.has(x.n) ? 'off' : ''} ${hop && node.ip === hop ? 'on' : ''}`} transform=${`translate(${x.x.toFixed(1)} ${x.y.toFixed(1)})`}
				role="button" tabindex=${i === tab ? 0 : -1} aria-label=${words} aria-pressed=${hop !== '' && node.ip === hop} onclick=${() => { this.setState({ focus: i }); pick(x.n); }} onkeydown=${this.on_key}
				onfocus=${() => this.read(words)} onblur=${() => this.read('')} onmouseenter=${() => this.read(words)}><circle r="9" class="touch" /><${Dot} node=${node} compare=${compare} />${
			(fits || !node.ttl) && html`<text y="-9" text-anchor=${node.ttl ? 'middle' : 'start'} x=${node.ttl ? 0 : -6}>${text}</text>`}</g>`;
	})}</g>
		</svg></div></div>`;
	}
}

const Line = ({ kind }) => html`<svg viewBox="0 0 22 8" aria-hidden="true"><path class=${`lk ${kind}`} d="M0 4h22" stroke-width="4" /></svg>`;

export const Legend = memo(({ scale, compare }) => compare ? html`<ul class="legend" aria-label="What the colours of the links mean">
	<li><${Line} kind="same" />in both</li>
	<li><${Line} kind="added" /><svg class="sign" viewBox="-7 -7 14 14" aria-hidden="true"><path class="added" d="M0-6L6 0L0 6L-6 0z" /></svg>only later: added</li>
	<li><${Line} kind="gone" /><svg class="sign" viewBox="-7 -7 14 14" aria-hidden="true"><path class="gone" d="M-4-4L4 4M4-4L-4 4" /></svg>only earlier: gone</li></ul>`
	: html`<ul class="legend" aria-label=${`Colours of the links: ${scale.what}`}>${scale.steps.map(([, words], i) => html`<li key=${i}><${Line} kind=${`r${i}`} />${words}</li>`)}
	<li><${Line} kind=${`r${UNKNOWN_STEP}`} />not known</li>
	<li><svg viewBox="0 0 22 8" aria-hidden="true"><path class="lk r5 gap" d="M0 4h22" stroke-width="3" /></svg>silent hops between</li>
	<li><span class="turned" aria-hidden="true">◆</span>path changed</li></ul>`);
