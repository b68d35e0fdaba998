// SPDX-License-Identifier: GPL-2.0-or-later
// Where everything of the path graph lies, whoever draws it: x is the TTL, the sensors stand left, the
// destinations right.  Each path has a row of its own, where its label stands; paths that begin alike
// have rows beside each other and share their hops.  With lanes, what belongs to one AS lies together.
// Also what is lit, what a link's colour means, and two graphs laid over each other.  Pure functions.
import { age, count, ms, percent, span, unix_s } from './format.js';
import { now_ms } from './store.js';

export const TOP = 34, LEFT = 26, LABEL_WIDTH = 250;
const COLUMN_MIN = 46, NODE_SPACE = 12, LANE_HEAD = 17, LANE_GAP = 6;

// ---- what a link's colour says ----

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

// Probes to the link's far end that got no answer, of those sent; 0 to 1.
export function loss(graph, link)
{
	const b = graph.nodes[link.b];

	if (link.loss !== undefined)
		return link.loss;
	return b.sent > 0 ? 1 - Math.min(1, b.answered / b.sent) : undefined;
}

// Each scale: its name, what is measured, [less than, words] for five steps.
export const SCALES = {
	__proto__: null,
	rtt: { name: 'RTT added', what: 'round trip time that they add', value: (graph, link) => added_us(graph, link),
		steps: [[1000, 'under 1 ms'], [5000, '1 to 5 ms'], [20000, '5 to 20 ms'], [60000, '20 to 60 ms'], [Infinity, '60 ms and more']] },
	loss: { name: 'Loss', what: 'probes that their far end left unanswered', value: loss,
		steps: [[0.005, 'none'], [0.05, 'under 5 %'], [0.2, '5 to 20 %'], [0.5, '20 to 50 %'], [Infinity, 'half and more']] },
};

export const UNKNOWN_STEP = 5;

export function step_of(scale, graph, link)
{
	const v = scale.value(graph, link);

	return v === undefined ? UNKNOWN_STEP : scale.steps.findIndex(([less]) => v < less);
}

// ---- words ----

export function dst_label(p)
{
	return p.dst_name ?? p.dst_ip;
}

export function cut_label(text, max = 30)
{
	const letters = [...text];

	return letters.length > max ? `${letters.slice(0, max - 1).join('')}…` : text;
}

const DIFF_WORDS = { __proto__: null, added: ', only in the later picture', gone: ', only in the earlier picture' };

const as_words = (x) => x.asn ? `, AS${x.asn}${x.as_org ? ` ${x.as_org}` : ''}${x.cc ? `, ${x.cc}` : ''}` : '';

export function node_words(graph, n)
{
	const x = graph.nodes[n];

	if (!x.ttl)
		return `sensor ${graph.sensors[x.sensor]}`;
	const rtt = span(x.rtt_p50_us);
	return `${x.name ? `${x.name}, ` : ''}${x.ip}, hop ${x.ttl}: ${x.rtt_p50_us === undefined ? 'no time known' : `median ${rtt.text} ${rtt.unit}`}${x.traces === undefined ? '' : `, in ${count(x.traces)} trace${x.traces === 1 ? '' : 's'}`}${
		x.sent > x.answered ? `, ${count(x.sent - x.answered)} of ${count(x.sent)} probes unanswered` : ''}${x.cached ? `, ${count(x.cached)} times taken from the cache` : ''}${as_words(x)}${DIFF_WORDS[x.diff] ?? ''}`;
}

export function link_words(graph, link)
{
	const us = added_us(graph, link), lost = loss(graph, link);
	const end = (n) => graph.nodes[n].ttl ? graph.nodes[n].ip : 'the sensor';

	return `${end(link.a)} to ${end(link.b)}: ${us === undefined ? 'no time known' : `adds ${ms(us).text} ms`}${link.traces === undefined ? '' : `, ${count(link.traces)} trace${link.traces === 1 ? '' : 's'}`}${
		lost > 0 ? `, ${percent(lost, 1)} % of the probes to its far end unanswered` : ''}${
		link.gap ? `, over ${link.gap} silent hop${link.gap === 1 ? '' : 's'}` : ''}${DIFF_WORDS[link.diff] ?? ''}`;
}

export function path_words(p)
{
	return `${dst_label(p)}: ${p.reached ? `${p.hops_n} hops` : 'not reached'}${p.changed_ts ? `, path changed ${age((now_ms() - unix_s(p.changed_ts) * 1000) / 1000)} ago` : ''}${DIFF_WORDS[p.diff] ?? ''}`;
}

// ---- two pictures as one ----

const node_key = (g, n) => `${g.sensors[g.nodes[n].sensor]} ${g.nodes[n].ttl} ${g.nodes[n].ip ?? ''}`;

// The graph of `now` with what `before` had besides; nodes, links and paths that only one of them has
// say so in `diff`: added (now only) or gone (before only).
export function union(now, before)
{
	const sensors = [...new Set([...now.sensors, ...before.sensors])];
	const nodes = [], links = [], paths = [];
	const at = new Map(), link_at = new Map();

	for (const [g, diff] of [[before, 'gone'], [now, 'added']]) {
		const place = g.nodes.map((x, n) => {
			const key = node_key(g, n);
			const seen = at.get(key);

			if (seen === undefined) {
				at.set(key, nodes.length);
				nodes.push({ ...x, sensor: sensors.indexOf(g.sensors[x.sensor]), diff });
				return nodes.length - 1;
			}
			nodes[seen] = { ...x, sensor: nodes[seen].sensor, diff: undefined };
			return seen;
		});
		for (const x of g.links) {
			const a = place[x.a], b = place[x.b], key = `${a} ${b}`;
			const seen = link_at.get(key);

			if (seen === undefined) {
				link_at.set(key, links.length);
				links.push({ ...x, a, b, diff });
			} else {
				links[seen] = { ...x, a, b, diff: undefined };
			}
		}
		for (const p of g.paths) {
			const mine = { ...p, nodes: p.nodes.map((n) => place[n]), diff };
			const same = paths.findIndex((o) => o.sensor === p.sensor && o.dst_ip === p.dst_ip && o.nodes.join() === mine.nodes.join() && o.reached === p.reached);

			if (same < 0)
				paths.push(mine);
			else
				paths[same] = { ...mine, diff: undefined };
		}
	}
	return { ...now, sensors, nodes, links, paths };
}

// ---- lanes ----

const PRIVATE = /^(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7])\.|169\.254\.|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/i;

// [key, label] of the lane that a hop lies in.
function lane_of(node)
{
	if (node.asn)
		return [`as${node.asn}`, `AS${node.asn}${node.as_org ? ` ${node.as_org}` : ''}`];
	return PRIVATE.test(node.ip) ? ['private', 'Private addresses'] : ['unknown', 'AS not known'];
}

export function lanes_known(graph)
{
	return graph.nodes.some((x) => x.asn);
}

// ---- the layout ----

function compare(a, b)
{
	for (let i = 0; i < Math.min(a.length, b.length); i++)
		if (a[i] !== b[i])
			return a[i] - b[i];
	return a.length - b.length;
}

const mean = (list) => list.reduce((a, b) => a + b, 0) / list.length;
const last_of = (p) => p.nodes[p.nodes.length - 1];

// Apart by `space` where the column has room for it, within [top, bottom].
function spread(list, top, bottom)
{
	const space = Math.min(NODE_SPACE, (bottom - top) / list.length);

	list.sort((a, b) => a.y - b.y || a.n - b.n);
	list[0].y = Math.max(list[0].y, top);
	for (let i = 1; i < list.length; i++)
		list[i].y = Math.max(list[i].y, list[i - 1].y + space);
	for (let i = list.length - 1, max = bottom; i >= 0; i--) {
		list[i].y = Math.min(list[i].y, max);
		max = list[i].y - space;
	}
}

function grouped(list, key)
{
	const groups = new Map();

	for (const x of list) {
		const k = key(x);
		if (!groups.has(k))
			groups.set(k, []);
		groups.get(k).push(x);
	}
	return groups;
}

// Lanes in the order of the paths through them, each as high as what ends or stands above each other in it.
function make_lanes(graph, nodes, sorted, row)
{
	const lanes = new Map();
	const of = new Map();

	for (const x of nodes) {
		const [key, label] = lane_of(graph.nodes[x.n]);
		if (!lanes.has(key))
			lanes.set(key, { key, label, nodes: [], paths: [] });
		lanes.get(key).nodes.push(x);
		of.set(x.n, lanes.get(key));
	}
	for (const p of sorted)
		of.get(last_of(p))?.paths.push(p);
	for (const lane of lanes.values())
		lane.rank = mean(lane.nodes.map((x) => mean(x.rows)));
	let y = TOP;
	const list = [...lanes.values()].sort((a, b) => a.rank - b.rank || a.label.localeCompare(b.label));
	for (const lane of list) {
		const high = Math.max(...[...grouped(lane.nodes, (x) => x.ttl).values()].map((column) => column.length));
		lane.top = y;
		lane.first = y + LANE_HEAD;
		lane.bottom = lane.first + Math.max(lane.paths.length * row, high * NODE_SPACE, NODE_SPACE);
		y = lane.bottom + LANE_GAP;
	}
	return { list, of, bottom: y - LANE_GAP };
}

// width: of the place to draw in; lanes: group by AS.  Paths are sorted by their y.
export function layout(graph, paths, width, { lanes = false, label_width = LABEL_WIDTH } = {})
{
	let sorted = paths.slice().sort((a, b) => compare(a.nodes, b.nodes) || a.dst_ip.localeCompare(b.dst_ip));
	const row = sorted.length <= 40 ? 24 : sorted.length <= 100 ? 19 : 16;
	const through = new Map();
	let ttl_max = 1;

	sorted.forEach((p, i) => p.nodes.forEach((n) => {
		if (!through.has(n))
			through.set(n, []);
		through.get(n).push(i);
	}));
	for (const p of sorted)
		ttl_max = Math.max(ttl_max, graph.nodes[last_of(p)].ttl + (p.reached ? 0 : 1));
	const column = Math.max(COLUMN_MIN, (width - LEFT - label_width) / ttl_max);
	const nodes = [...through].map(([n, rows]) => ({ n, rows, ttl: graph.nodes[n].ttl, x: LEFT + graph.nodes[n].ttl * column, y: 0 }));
	const made = lanes ? make_lanes(graph, nodes.filter((x) => x.ttl), sorted, row) : null;
	const bottom = made ? made.bottom : TOP + sorted.length * row;
	const row_y = new Map();

	if (made) {
		sorted = [];
		for (const lane of made.list)
			lane.paths.forEach((p, i) => {
				row_y.set(p, lane.first + (i + 0.5) * row);
				sorted.push(p);
			});
		// Traces that nobody answered end at the sensor.
		for (const p of paths)
			if (!row_y.has(p)) {
				row_y.set(p, bottom);
				sorted.push(p);
			}
		for (const x of nodes)
			through.get(x.n).length = 0;
		sorted.forEach((p, i) => p.nodes.forEach((n) => through.get(n).push(i)));
	} else {
		sorted.forEach((p, i) => row_y.set(p, TOP + (i + 0.5) * row));
	}
	const ys = sorted.map((p) => row_y.get(p));
	for (const x of nodes)
		x.y = mean(x.rows.map((i) => ys[i]));

	// A destination in a lane stays at its own row; the other hops make room.
	for (const [, list] of grouped(nodes, (x) => `${x.ttl} ${made && x.ttl ? made.of.get(x.n).key : ''}`)) {
		const lane = made && list[0].ttl ? made.of.get(list[0].n) : null;
		spread(list, lane ? lane.first + 4 : TOP, lane ? lane.bottom - 4 : bottom);
	}
	const ends = new Set(sorted.filter((p) => p.reached).map(last_of));
	const at = new Map();
	for (const list of grouped(nodes, (x) => x.ttl).values()) {
		list.sort((a, b) => a.y - b.y || a.n - b.n);
		list.forEach((x, i) => {
			const above = i ? x.y - list[i - 1].y : Infinity;
			// A destination has its label at the right.
			x.room = above >= 22 && !ends.has(x.n) ? column - 6 : 0;
			at.set(x.n, x);
		});
	}
	// Of all links between two hops, only those that a shown path has one behind the other.
	const used = new Map();
	for (const p of sorted)
		for (let i = 1; i < p.nodes.length; i++) {
			const key = `${p.nodes[i - 1]} ${p.nodes[i]}`;
			used.set(key, (used.get(key) ?? 0) + 1);
		}
	const links = [];
	let most = 1;
	graph.links.forEach((link, i) => {
		const n = used.get(`${link.a} ${link.b}`);

		if (!n)
			return;
		links.push({ link, i, n, a: at.get(link.a), b: at.get(link.b) });
		most = Math.max(most, link.traces ?? 0);
	});
	for (const x of links)
		x.width = 1.5 + 7 * Math.sqrt((x.link.traces ?? 0) / most);
	nodes.sort((a, b) => a.ttl - b.ttl || a.y - b.y);
	return { sorted, row, column, ttl_max, at, row_y, lanes: made?.list ?? [], ends,
		nodes, columns: grouped(nodes, (x) => x.ttl), links: links.sort((a, b) => a.width - b.width),
		label_x: LEFT + ttl_max * column + 16, bottom, height: bottom + 10, width: LEFT + ttl_max * column + label_width };
}

// ---- what is lit ----

// What goes through the chosen hop, or to the chosen destination, or is among the hops found; null: all.
export function light(graph, paths, { dst, hop, found })
{
	const links = new Set(), nodes = new Set();

	if (!dst && !hop && found) {
		graph.nodes.forEach((x, n) => found.has(x.ip) && nodes.add(n));
		for (const x of graph.links)
			if (nodes.has(x.a) && nodes.has(x.b))
				links.add(`${x.a} ${x.b}`);
		return { paths: new Set(paths.filter((p) => nodes.has(last_of(p)))), links, nodes };
	}
	if (!dst && !hop)
		return null;
	const mine = paths.filter((p) => dst ? p.dst_ip === dst : p.nodes.some((n) => graph.nodes[n].ip === hop));
	for (const p of mine)
		p.nodes.forEach((n, i) => {
			nodes.add(n);
			if (i)
				links.add(`${p.nodes[i - 1]} ${n}`);
		});
	return { paths: new Set(mine), links, nodes };
}

// ---- keys ----

// Where an arrow leads from the i-th of made.nodes; -1: nowhere.
export function step_to(made, i, key)
{
	const me = made.nodes[i];

	if (key === 'ArrowUp' || key === 'ArrowDown') {
		const to = i + (key === 'ArrowUp' ? -1 : 1);
		return made.nodes[to]?.ttl === me.ttl ? to : -1;
	}
	if (key === 'ArrowLeft' || key === 'ArrowRight') {
		const path = made.sorted[me.rows[0]].nodes;
		const next = path[path.indexOf(me.n) + (key === 'ArrowLeft' ? -1 : 1)];
		return next === undefined ? -1 : made.nodes.findIndex((x) => x.n === next);
	}
	return -1;
}
