// SPDX-License-Identifier: GPL-2.0-or-later
// The path graph when it has more hops than a document should have elements: drawn on a canvas
// (draw_gl.js, else draw_2d.js), moved and zoomed, with names over it for as many as there is room.
import { Component } from 'preact';
import { draw_2d } from './draw_2d.js';
import { draw_gl, LINK_FLOATS, LOOK, NODE_FLOATS } from './draw_gl.js';
import { html } from './parts.js';
import { theme_watch } from './theme.js';
import { cut_label, dst_label, layout, light, link_words, node_words, path_words, step_of, step_to, UNKNOWN_STEP } from './layout.js';

const INK = 6, WARN = 7;
const NAME_SPACE = 13, NAMES_MAX = 160, PICK_PX = 10, LETTER_PX = 6.6;
const COLUMN_MAX = 240, ZOOM_MAX = 1.6, ROW_READABLE = 0.6;
const DIFF_COLOUR = { __proto__: null, added: 1, gone: 2 };

// ---- the picture ----

function link_look(graph, x, scale, compare)
{
	if (compare)
		return (DIFF_COLOUR[x.link.diff] ?? 0) | (x.link.gap || x.link.diff === 'gone' ? LOOK.DASHED : 0);
	return step_of(scale, graph, x.link) | (x.link.gap ? LOOK.DASHED : 0);
}

function node_look(node, compare)
{
	if (!node.ttl)
		return INK | LOOK.SQUARE | LOOK.FULL;
	if (compare && node.diff)
		return DIFF_COLOUR[node.diff] | LOOK.DIAMOND | (node.diff === 'added' ? LOOK.FULL : 0);
	return INK;
}

// Looks at what is lit last: the same list again when only that changed.
function picture_of({ graph, scale, compare, hop }, made, lit)
{
	const faint = compare ? 0 : UNKNOWN_STEP;
	const links = new Float32Array((made.links.length + made.sorted.length * 2) * LINK_FLOATS);
	const lost = made.sorted.filter((p) => !p.reached).length;
	const nodes = new Float32Array((made.nodes.length + lost) * NODE_FLOATS);
	let n = 0, m = 0;
	const put = (...v) => links.set(v, LINK_FLOATS * n++);
	const off = (is_lit) => lit && !is_lit ? LOOK.OFF : 0;

	for (const p of made.sorted) {
		const end = made.at.get(p.nodes[p.nodes.length - 1]), y = made.row_y.get(p);
		const from_x = p.reached ? end.x : end.x + made.column;

		if (!p.reached) {
			put(end.x, end.y, from_x, y, 2, WARN | LOOK.DASHED | off(lit?.paths.has(p)));
			nodes.set([from_x, y, 4.5, WARN | LOOK.DIAMOND | LOOK.FULL | off(lit?.paths.has(p))], NODE_FLOATS * m++);
		}
		put(from_x, p.reached ? end.y : y, made.label_x - 6, y, 0.5, faint | LOOK.OFF);
	}
	for (const x of made.links)
		put(x.a.x, x.a.y, x.b.x, x.b.y, x.width, link_look(graph, x, scale, compare) | off(lit?.links.has(`${x.link.a} ${x.link.b}`)));
	for (const x of made.nodes) {
		const node = graph.nodes[x.n];
		const chosen = hop && node.ip === hop ? LOOK.FULL : 0;
		nodes.set([x.x, x.y, node.ttl ? 4.5 : 6, node_look(node, compare) | chosen | off(lit?.nodes.has(x.n))], NODE_FLOATS * m++);
	}
	return { links: links.subarray(0, n * LINK_FLOATS), nodes };
}

function colour_of(style, name)
{
	const hex = style.getPropertyValue(name).trim().slice(1);
	const two = hex.length === 3 ? [...hex].map((c) => c + c) : hex.match(/../g) ?? ['0', '0', '0'];

	return two.slice(0, 3).map((c) => parseInt(c, 16) / 255);
}

const COLOURS = ['--r0', '--r1', '--r2', '--r3', '--r4', '--ru', '--ink', '--warn'];
const COLOURS_COMPARED = ['--ru', '--good', '--bad', '--ru', '--ru', '--ru', '--ink', '--warn'];

// ---- names ----

// As many as there is room for, from the top: [x, y, text, kind].
function names_of({ graph, compare }, made, view, size, lanes)
{
	const list = [];
	// A lane's name stands at the right, and what would run into it stays away.
	const free = (x, y, text) => !lanes.some(([at, name]) => Math.abs(at - y) < NAME_SPACE - 1 && x + text.length * LETTER_PX > size.w - 14 - name.length * LETTER_PX);
	const place = (items, x, kind, text) => {
		let last = -Infinity;
		for (const item of items) {
			const y = (item.y ?? made.row_y.get(item)) * view.ky + view.y;
			if (y < 8 || y > size.h - 4 || y - last < NAME_SPACE || list.length >= NAMES_MAX)
				continue;
			const said = text(item);
			if (!said || !free(x(item), y, said))
				continue;
			last = y;
			list.push([x(item), y, said, kind]);
		}
	};
	const column_px = made.column * view.kx;
	const label_x = made.label_x * view.kx + view.x;

	if (label_x < size.w)
		place(made.sorted, () => label_x, 'dst', (p) => `${compare && p.diff === 'gone' ? '× ' : compare && p.diff ? '+ ' : p.changed_ts ? '◆ ' : ''}${cut_label(dst_label(p), 26)}`);
	for (const [ttl, nodes] of made.columns) {
		// Where hops are too dense, a name would cover others.
		const seen = nodes.filter((x) => x.y * view.ky + view.y > 0 && x.y * view.ky + view.y < size.h).length;
		if (ttl && seen > size.h / NAME_SPACE)
			continue;
		place(nodes, (x) => x.x * view.kx + view.x + (ttl ? 7 : 9), ttl ? 'hop' : 'self', (x) => {
			const node = graph.nodes[x.n], text = ttl ? node.name ?? node.ip : graph.sensors[node.sensor];
			return made.ends.has(x.n) || (ttl && text.length * 6.4 > column_px - 16) ? '' : text;
		});
	}
	return list;
}

// ---- the component ----

export class BigGraph extends Component {
	constructor()
	{
		super();
		this.state = { said: '', focus: -1, view: null, kind: '' };
		this.pointers = new Map();
		for (const name of ['on_key', 'on_wheel', 'on_down', 'on_move', 'on_up', 'repaint'])
			this[name] = this[name].bind(this);
	}

	componentDidMount()
	{
		const way = this.props.draw;

		this.pen = (way !== '2d' && draw_gl(this.canvas)) || draw_2d(this.canvas);
		this.setState({ kind: this.pen.kind });
		// A lost drawing context is made anew with the whole part.
		this.canvas.addEventListener('webglcontextlost', (e) => { e.preventDefault(); this.props.again?.(); });
		this.canvas.addEventListener('wheel', this.on_wheel, { passive: false });
		this.resized = new ResizeObserver(() => this.resize());
		this.resized.observe(this.canvas);
		this.unwatch_theme = theme_watch(this.repaint);
		this.resize();
	}

	componentWillUnmount()
	{
		this.resized.disconnect();
		this.unwatch_theme();
		cancelAnimationFrame(this.frame);
		this.pen.free();
	}

	shouldComponentUpdate(next, next_state)
	{
		return ['graph', 'paths', 'dst', 'hop', 'found', 'scale', 'compare', 'lanes'].some((k) => next[k] !== this.props[k]) || next_state !== this.state;
	}

	resize()
	{
		const w = this.canvas.clientWidth, h = this.canvas.clientHeight;

		if (!w || (this.size?.w === w && this.size.h === h))
			return;
		this.pixel = Math.min(devicePixelRatio || 1, 2);
		this.canvas.width = Math.round(w * this.pixel);
		this.canvas.height = Math.round(h * this.pixel);
		this.size = { w, h };
		this.made = null;
		this.sent = null;
		this.setState({ view: null });
	}

	// Layout and picture, each only when what it is made of changed.
	prepare()
	{
		const { graph, paths, dst, hop, found, scale, compare, lanes } = this.props;
		const of = [graph, paths, lanes];

		if (!this.made || of.some((x, i) => x !== this.made_of[i])) {
			this.made = layout(graph, paths, this.size.w, { lanes, label_width: Math.min(250, this.size.w * 0.3) });
			this.made_of = of;
			this.sent = null;
		}
		const lit_of = [dst, hop, found, scale, compare];
		if (!this.sent || lit_of.some((x, i) => x !== this.sent[i])) {
			this.pen.set(picture_of(this.props, this.made, light(graph, paths, { dst, hop, found })));
			this.sent = lit_of;
		}
	}

	fit()
	{
		return { kx: this.size.w / this.made.width, ky: Math.min(this.size.h / this.made.height, 1), x: 0, y: 0, z: 1 };
	}

	// Inside its bounds: nobody loses the graph.
	bounded(v)
	{
		const x_min = Math.min(0, this.size.w - this.made.width * v.kx), y_min = Math.min(0, this.size.h - this.made.height * v.ky);

		return { ...v, x: Math.max(x_min, Math.min(0, v.x)), y: Math.max(y_min, Math.min(0, v.y)) };
	}

	look_at(view)
	{
		this.setState({ view: this.bounded(view) });
	}

	// Nearer by a factor, around a place of the canvas.
	zoom(factor, x = this.size.w / 2, y = this.size.h / 2)
	{
		const v = this.view(), fit = this.fit();
		const z = Math.max(1, Math.min(v.z * factor, ZOOM_MAX / fit.ky));
		// Columns grow only once rows can be told apart.
		const ky = fit.ky * z, kx = fit.kx * Math.max(1, Math.min(ky / ROW_READABLE, COLUMN_MAX / this.made.column / fit.kx));

		this.look_at({ z, kx, ky, x: x - (x - v.x) * kx / v.kx, y: y - (y - v.y) * ky / v.ky });
	}

	view()
	{
		return this.state.view ?? this.fit();
	}

	paint()
	{
		const v = this.view();
		const style = getComputedStyle(this.canvas);
		const names = this.props.compare ? COLOURS_COMPARED : COLOURS;
		const look = { pixel: this.pixel, paper: new Float32Array(colour_of(style, '--panel')), palette: new Float32Array(names.flatMap((n) => colour_of(style, n))) };

		this.pen.draw({ ...v, thin: Math.min(1, Math.max(0.12, Math.sqrt(v.ky))), bend: v.kx * this.made.column >= 16 }, look);
	}

	repaint()
	{
		cancelAnimationFrame(this.frame);
		this.frame = requestAnimationFrame(() => {
			if (!this.size)
				return;
			this.prepare();
			this.paint();
		});
	}

	componentDidUpdate()
	{
		this.repaint();
	}

	// ---- what is under a place ----

	node_at(x, y)
	{
		const v = this.view();
		let best = -1, least = PICK_PX * PICK_PX;

		this.made.nodes.forEach((node, i) => {
			const dx = node.x * v.kx + v.x - x, dy = node.y * v.ky + v.y - y, d = dx * dx + dy * dy;
			if (d < least) {
				least = d;
				best = i;
			}
		});
		return best;
	}

	link_at(x, y)
	{
		const v = this.view();
		const lx = (x - v.x) / v.kx;
		let best = null, least = 5;

		for (const link of this.made.links) {
			const { a, b } = link;
			if (lx < a.x || lx > b.x)
				continue;
			let low = 0, high = 1;
			for (let i = 0; i < 8; i++) {
				const t = (low + high) / 2, u = 1 - t;
				if (u * u * u * a.x + 1.5 * u * t * (a.x + b.x) + t * t * t * b.x < lx)
					low = t;
				else
					high = t;
			}
			const ly = a.y + (b.y - a.y) * low * low * (3 - 2 * low);
			const d = Math.abs(ly * v.ky + v.y - y);
			if (d < least) {
				least = d;
				best = link.link;
			}
		}
		return best;
	}

	path_at(x, y)
	{
		const v = this.view();

		if (x < this.made.label_x * v.kx + v.x - 4)
			return null;
		const ly = (y - v.y) / v.ky;
		const near = Math.max(this.made.row, NAME_SPACE / v.ky) / 2;
		return this.made.sorted.find((p) => Math.abs(this.made.row_y.get(p) - ly) <= near) ?? null;
	}

	// ---- hands ----

	place(e)
	{
		const box = this.canvas.getBoundingClientRect();

		return [e.clientX - box.left, e.clientY - box.top];
	}

	on_wheel(e)
	{
		// The page scrolls past a graph that nobody chose to work with.
		if (!this.made || (!e.ctrlKey && !e.metaKey && document.activeElement !== this.canvas))
			return;
		e.preventDefault();
		this.zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0018)), ...this.place(e));
	}

	on_down(e)
	{
		this.canvas.setPointerCapture(e.pointerId);
		this.pointers.set(e.pointerId, this.place(e));
		this.moved_px = 0;
	}

	on_move(e)
	{
		const [x, y] = this.place(e), before = this.pointers.get(e.pointerId);
		const { graph } = this.props;

		if (!this.made)
			return;
		if (before) {
			const other = [...this.pointers].find(([id]) => id !== e.pointerId)?.[1];
			const v = this.view();
			if (other) {
				const apart = (p) => Math.max(10, Math.hypot(p[0] - other[0], p[1] - other[1]));
				this.zoom(apart([x, y]) / apart(before), (x + other[0]) / 2, (y + other[1]) / 2);
			} else {
				this.look_at({ ...v, x: v.x + x - before[0], y: v.y + y - before[1] });
			}
			this.moved_px += Math.abs(x - before[0]) + Math.abs(y - before[1]);
			this.pointers.set(e.pointerId, [x, y]);
			return;
		}
		const i = this.node_at(x, y);
		const link = i < 0 && this.link_at(x, y);
		const path = i < 0 && !link && this.path_at(x, y);
		const said = i >= 0 ? node_words(graph, this.made.nodes[i].n) : link ? link_words(graph, link) : path ? path_words(path) : '';
		this.canvas.classList.toggle('hot', i >= 0 || Boolean(path));
		if (said !== this.state.said)
			this.setState({ said });
	}

	on_up(e)
	{
		const known = this.pointers.delete(e.pointerId);

		if (!known || this.moved_px > 4 || e.type === 'pointercancel')
			return;
		const at = this.place(e);
		const i = this.node_at(...at), path = i < 0 && this.path_at(...at);
		if (i >= 0)
			this.pick(i);
		else if (path)
			this.props.choose({ dst: this.props.dst === path.dst_ip ? '' : path.dst_ip, hop: '' });
	}

	pick(i)
	{
		this.setState({ focus: i });
		this.props.pick(this.made.nodes[i].n);
	}

	on_key(e)
	{
		const step = 60, v = this.view(), { focus } = this.state;

		if (e.ctrlKey || e.metaKey || e.altKey)
			return;
		if (e.key === '+' || e.key === '=') {
			this.zoom(1.5);
		} else if (e.key === '-') {
			this.zoom(1 / 1.5);
		} else if (e.key === '0') {
			this.look_at(this.fit());
		} else if (e.key === 'PageDown' || e.key === 'PageUp') {
			this.look_at({ ...v, y: v.y + (e.key === 'PageUp' ? step : -step) * 4 });
		} else if (e.key === 'Escape') {
			this.props.choose({ hop: '', dst: '' });
		} else if ((e.key === 'Enter' || e.key === ' ') && focus >= 0) {
			this.pick(focus);
		} else if (e.key.startsWith('Arrow')) {
			this.focus_on(focus < 0 ? 0 : step_to(this.made, focus, e.key));
		} else {
			return;
		}
		e.preventDefault();
	}

	focus_on(i)
	{
		if (i < 0)
			return;
		const v = this.view(), node = this.made.nodes[i];
		const x = node.x * v.kx + v.x, y = node.y * v.ky + v.y;
		const seen = x > 10 && x < this.size.w - 10 && y > 10 && y < this.size.h - 10;

		this.setState({ focus: i, said: node_words(this.props.graph, node.n),
			view: seen ? v : this.bounded({ ...v, x: this.size.w / 2 - node.x * v.kx, y: this.size.h / 2 - node.y * v.ky }) });
	}

	overlay()
	{
		const v = this.view(), { made, size } = this;
		const ring = made.nodes[this.state.focus];
		const lane_names = [];
		let last = -Infinity;

		for (const lane of made.lanes) {
			const y = (lane.top + 9) * v.ky + v.y, high = (lane.bottom - lane.top) * v.ky;
			if (y < 6 || y > size.h || y - last < NAME_SPACE || high < 14)
				continue;
			last = y;
			lane_names.push([y, cut_label(lane.label, 30)]);
		}
		return html`<svg class="names" width=${size.w} height=${size.h} aria-hidden="true">
			${made.lanes.map((lane, i) => i % 2 === 0 && html`<rect key=${lane.key} class="lane" x="0" width=${size.w} y=${(lane.top * v.ky + v.y).toFixed(1)} height=${((lane.bottom - lane.top) * v.ky).toFixed(1)} />`)}
			${Array.from({ length: made.ttl_max }, (_, i) => i + 1).filter((t) => t * made.column * v.kx + v.x > -20 && (made.column * v.kx > 22 || t % 5 === 0)).map((t) => html`<text key=${t} class="ttl" x=${(made.label_x - 16 - (made.ttl_max - t) * made.column) * v.kx + v.x} y="12">${t}</text>`)}
			${lane_names.map(([y, text]) => html`<text key=${`l${y}`} class="lanename" x=${size.w - 6} y=${y}>${text}</text>`)}
			${names_of(this.props, made, v, size, lane_names).map(([x, y, text, kind], i) => html`<text key=${i} class=${kind} x=${x.toFixed(1)} y=${y.toFixed(1)}>${text}</text>`)}
			${ring && html`<circle class="focus" r="10" cx=${ring.x * v.kx + v.x} cy=${ring.y * v.ky + v.y} />`}</svg>`;
	}

	render({ graph }, { said, kind })
	{
		if (this.size)
			this.prepare();
		return html`<div class="pathgraph painted" data-draw=${kind}><p class="readout" role="status">${said || 'Drag to move; the wheel zooms once the graph is chosen, or with Ctrl. Choose a hop to follow everything through it.'}</p>
		<div class="canvas"><canvas ref=${(e) => { this.canvas = e; }} tabindex="0" role="application" aria-label=${`Path graph of ${graph.nodes.length} hops. Arrow keys go from hop to hop, Enter follows what goes through one, plus and minus zoom, 0 shows all. The same numbers: the tables below.`}
			onkeydown=${this.on_key} onpointerdown=${this.on_down} onpointermove=${this.on_move} onpointerup=${this.on_up} onpointercancel=${this.on_up}
			onpointerleave=${() => this.setState({ said: '' })}></canvas>${this.size && this.overlay()}
			<div class="zoom" role="group" aria-label="Zoom"><button type="button" onclick=${() => this.zoom(1.6)} aria-label="Nearer">+</button><button type="button" onclick=${() => this.zoom(1 / 1.6)} aria-label="Farther">−</button><button type="button" onclick=${() => this.look_at(this.fit())}>All</button></div></div></div>`;
	}
}
