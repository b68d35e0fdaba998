// SPDX-License-Identifier: GPL-2.0-or-later
// The page "Paths": the graph of what was traced, the path to one destination with the one before it,
// and the same as tables.
import { Component } from 'preact';
import { BigGraph } from './biggraph.js';
import { Cypher } from './cypher.js';
import { count, ms, percent, UNKNOWN } from './format.js';
import { Graph, Legend } from './graph.js';
import { Hop, HopPanel } from './hop.js';
import { added_us, dst_label, lanes_known, light, loss, SCALES, union } from './layout.js';
import { choose, question } from './link.js';
import { Age, Count, Empty, Host, html, memo, Ms, Panel, Shape } from './parts.js';
import { address, filter_by, set, state } from './store.js';
import { Timeline, moment_s, span_of } from './timeline.js';
import { WORDS } from './words.js';

const ROWS_FEW = 12, LINKS_MAX = 500;
const SVG_NODES_MAX = 400;   // more hops are painted: elements of the document would be too slow
const TARGETS = [50, 200, 1000];   // destinations shown, those traced last

const EVERY = { min_ms: 3000, max_ms: 60000 };

const targets_n = (view) => TARGETS.find((n) => String(n) === view.n) ?? TARGETS[0];

// The graph as it was at a moment of the address; '': now.
function graph_at(at)
{
	const { view } = state;

	return question('api/graph', { limit: targets_n(view), sensor: state.sensor, at: moment_s(at) ? at : '', window_s: span_of(view)[1] });
}

export const resources = {
	graph: { path: () => graph_at(state.view.at), on: ['trace'], every: EVERY },
	graph_then: { path: () => moment_s(state.view.vs) ? graph_at(state.view.vs) : '', every: EVERY },
	path: { path: () => address(state.view.dst) && question('api/paths', { dst: state.view.dst }), on: ['trace'], every: EVERY },
	hop: { path: () => address(state.view.hop) && question('api/hop', { ip: state.view.hop, sensor: state.sensor, window_s: span_of(state.view)[1] }), on: ['trace'], every: EVERY },
};

function on_filter(e)
{
	choose({ path: e.currentTarget.value });
}

function path_text(graph, p)
{
	const hops = p.nodes.map((n) => `${graph.nodes[n].ip ?? ''} ${graph.nodes[n].name ?? ''}`).join(' ');

	return `${p.sensor} ${p.dst_name ?? ''} ${p.dst_ip}:${p.dst_port} [${p.dst_ip}]:${p.dst_port} ${hops} ${p.reached ? 'reached' : 'unreached'} ${p.changed_ts ? 'changed' : ''} ${p.method}`.toLowerCase();
}

export function NoPaths()
{
	return html`<section class="panel start" aria-labelledby="start-h"><header><h2 id="start-h">No path has been traced yet</h2></header>
		<p>The plugin <code>traceroute</code> traces the way to the destinations that your network really talks to, a few probes each. Turn it on in <code>net-gazer.conf</code> on the router:</p>
		<pre tabindex="0"><code>${'plugins = {"handshake", "attempts", "traceroute"}'}</code></pre>
		<p>Then reload it: <code>kill -HUP</code>, or <code>systemctl reload net-gazer</code>. Paths appear here as soon as the first trace has ended.</p></section>`;
}

function Changed({ p })
{
	return p.changed_ts ? html`<span class="mark warn" title=${WORDS.path_changed}><${Shape} name="diamond" />changed <${Age} ts=${p.changed_ts} /> ago${p.changes > 1 && html`, ${count(p.changes)} times`}</span>` : html`<span class="quiet steady">no</span>`;
}

class Table extends Component {
	constructor()
	{
		super();
		this.state = { all: false };
	}

	shouldComponentUpdate(next, next_state)
	{
		return ['graph', 'paths', 'dst', 'hop'].some((k) => next[k] !== this.props[k]) || next_state !== this.state;
	}

	render({ graph, paths, dst, hop, sensors }, { all })
	{
		const lit = light(graph, paths, { dst: '', hop, found: null });
		const list = lit ? paths.filter((p) => lit.paths.has(p)) : paths;
		const shown = all ? list : list.slice(0, ROWS_FEW);

		return html`<${Panel} id="targets" title="Destinations" note=${hop ? html`${count(list.length)} through <bdi>${hop}</bdi>` : `${count(list.length)} traced, the latest first`}
			actions=${hop && html`<button type="button" onclick=${() => choose({ hop: '' })}>Show all</button>`}>
		<div class="wide" tabindex="0" role="group" aria-label="Table of traced destinations"><table class="rows paths"><thead><tr><th scope="col">Destination</th>${sensors && html`<th scope="col">Sensor</th>`}
			<th scope="col">Reached</th><th scope="col" class="num rare" title=${WORDS.hops}>Hops</th><th scope="col" class="num rare" title=${WORDS.silent}>Silent</th><th scope="col" class="num">RTT ms</th>
			<th scope="col" class="num rare">Traces</th><th scope="col">Path changed</th><th scope="col" class="num last">Last</th></tr></thead>
		<tbody>${shown.map((p) => html`<tr key=${`${p.sensor} ${p.dst_ip} ${p.diff ?? ''}`} class=${p.dst_ip === dst ? 'open' : ''}>
			<td class="dst"><button type="button" class="row" aria-expanded=${p.dst_ip === dst} onclick=${() => choose({ dst: p.dst_ip === dst ? '' : p.dst_ip })}><${Host} ip=${p.dst_ip} port=${p.dst_port} name=${p.dst_name} /></button></td>
			${sensors && html`<td><bdi>${p.sensor}</bdi></td>`}
			<td class="reached">${p.reached ? html`<span class="mark good"><${Shape} name="disc" />yes</span>` : html`<span class="mark warn"><${Shape} name="cross" />no</span>`}</td>
			<td class="num rare">${count(p.hops_n)}</td><td class="num rare"><${Count} n=${p.silent_n} /></td><td class="num rtt"><${Ms} us=${p.rtt_us} /></td><td class="num rare">${count(p.traces)}</td>
			<td><${Changed} p=${p} /></td><td class="num last"><${Age} ts=${p.last_ts} /></td></tr>`)}</tbody></table></div>
		${list.length > ROWS_FEW && html`<button type="button" class="more" aria-expanded=${all} onclick=${() => this.setState({ all: !all })}>${all ? 'Show fewer' : `Show all ${count(list.length)}`}</button>`}
		</${Panel}>`;
	}
}

// [ttl, hop now, hop before]; a ttl that one of the two has not is undefined there.
export function beside(now, before)
{
	const rows = new Map();

	[now, before].forEach((hops, side) => (hops ?? []).forEach((h) => {
		if (!rows.has(h.ttl))
			rows.set(h.ttl, [h.ttl, undefined, undefined]);
		rows.get(h.ttl)[side + 1] ??= h;
	}));
	return [...rows.values()].sort((a, b) => a[0] - b[0]);
}

function least_us(h)
{
	return h?.rtt_us?.length ? Math.min(...h.rtt_us) : undefined;
}

function Notes({ h })
{
	if (!h)
		return null;
	return html`<span class="ports">${h.cached && html`<span class="chip" title=${WORDS.cached}>from the cache</span>`}${h.nat && html`<span class="chip" title=${WORDS.nat}>NAT</span>`}${
		h.mpls?.map((m, i) => html`<span class="chip" key=${i} title=${WORDS.mpls}>MPLS ${m.label}</span>`)}${h.icmp !== undefined && h.icmp !== '11/0' && html`<span class="chip">ICMP <bdi>${h.icmp}</bdi></span>`}</span>`;
}

function OnePath({ s, many })
{
	const now = s.latest, before = s.previous;
	const rows = beside(now?.hops, before?.hops);
	let last_us = 0;

	return html`<article aria-label=${`Path from ${s.sensor}`}>
		<header class="onepath"><h3>${many ? html`from <bdi>${s.sensor}</bdi>` : 'Path'}</h3>
			${now ? html`<span class="about"><span>${now.reached ? `reached at hop ${now.hops_n}` : `not reached; the last answer came from hop ${now.hops_n}`}</span><span>${now.method}</span>
				<span>${count(s.traces)} trace${s.traces === 1 ? '' : 's'}, the last <${Age} ts=${s.last_ts} /> ago</span></span>` : html`<span class="note">This path was not kept.</span>`}
			${s.changed_ts && html`<${Changed} p=${s} />`}</header>
		${rows.length > 0 && html`<div class="wide" tabindex="0" role="group" aria-label=${`Hops from ${s.sensor}`}><table class="rows hops"><thead><tr><th scope="col" class="num">TTL</th><th scope="col">${before ? 'Now' : 'Hop'}</th>
			<th scope="col" class="num">RTT ms</th><th scope="col" class="num" title=${WORDS.added}>Added ms</th><th scope="col" class="num">Probes</th><th scope="col">Notes</th>${before && html`<th scope="col">Before</th>`}</tr></thead>
		<tbody>${rows.map(([ttl, h, old]) => {
		const us = least_us(h);
		const added = us === undefined ? undefined : Math.max(0, us - last_us);
		const other = before && h?.ip !== old?.ip;
		last_us = us ?? last_us;
		return html`<tr key=${ttl} class=${other ? 'differs' : ''}><th scope="row" class="num">${ttl}</th><td class="hop"><${Hop} h=${h} /></td><td class="num"><${Ms} us=${us} /></td><td class="num"><${Ms} us=${added} /></td>
			<td class="num">${h?.sent === undefined ? UNKNOWN : count(h.sent)}</td><td><${Notes} h=${h} /></td>${before && html`<td class="hop before">${other ? html`<span class="mark warn"><${Shape} name="diamond" /><span class="vh">was </span></span> <${Hop} h=${old} />` : html`<span class="quiet">the same</span>`}</td>`}</tr>`;
	})}</tbody></table></div>`}
		${s.changed.length > 0 && html`<p class="note changes">Changed: ${s.changed.slice(0, 10).map((c, i) => html`<span key=${i}>${i > 0 && ', '}<${Age} ts=${c.ts} /> ago</span>`)}${s.changed.length > 10 && ` and ${count(s.changed.length - 10)} times before`}</p>`}
	</article>`;
}

const Details = memo(({ d, dst }) => {
	const value = d?.value?.dst_ip === dst ? d.value : null;
	const name = value?.sensors.find((s) => s.dst_name !== undefined)?.dst_name;

	return html`<${Panel} id="route" title=${html`To <bdi>${name ?? dst}</bdi>`} note=${name !== undefined && html`<bdi class="addr">${dst}</bdi>`}
		actions=${html`<button type="button" onclick=${() => choose({ dst: '' })}>Close</button>`}>
		${value ? value.sensors.length ? value.sensors.map((s) => html`<${OnePath} key=${s.sensor} s=${s} many=${value.sensors.length > 1} />`)
		: html`<${Empty}>Nothing is stored about <bdi>${dst}</bdi>.</${Empty}>` : html`<${Empty}>${d?.error ? html`No answer for <bdi>${dst}</bdi>.` : 'Asking the collector.'}</${Empty}>`}
	</${Panel}>`;
});

const DIFFS = { __proto__: null, added: ['diamond', 'good', 'added'], gone: ['cross', 'bad', 'gone'] };

const Twin = memo(({ graph, paths, compare }) => {
	const used = new Set();

	for (const p of paths)
		p.nodes.forEach((n, i) => i && used.add(`${p.nodes[i - 1]} ${n}`));
	const list = graph.links.filter((x) => used.has(`${x.a} ${x.b}`)).sort((a, b) => (compare ? (b.diff ? 1 : 0) - (a.diff ? 1 : 0) : 0) || b.traces - a.traces);
	const end = (n) => graph.nodes[n].ttl ? html`<${Host} ip=${graph.nodes[n].ip} name=${graph.nodes[n].name} />` : html`<bdi>${graph.sensors[graph.nodes[n].sensor]}</bdi>`;
	const lost = (x) => loss(graph, x);
	const as = graph.nodes.some((x) => x.asn);

	return html`<details class="more"><summary>The graph as a table</summary>
		<div class="scroll" tabindex="0" role="group" aria-label="Links of the graph, most used first"><table class="rows links"><thead><tr><th scope="col" class="num">TTL</th><th scope="col">From</th><th scope="col">To</th>
			<th scope="col" class="num" title=${WORDS.silent}>Silent between</th><th scope="col" class="num" title=${WORDS.added}>Added ms</th><th scope="col" class="num">Traces</th><th scope="col" class="num">Answered</th>${as && html`<th scope="col">AS</th>`}${compare && html`<th scope="col">Change</th>`}</tr></thead>
		<tbody>${list.slice(0, LINKS_MAX).map((x) => html`<tr key=${`${x.a} ${x.b}`}><td class="num">${graph.nodes[x.b].ttl}</td><td>${end(x.a)}</td><td>${end(x.b)}</td><td class="num"><${Count} n=${x.gap ?? 0} /></td>
			<td class="num"><${Ms} us=${added_us(graph, x)} /></td><td class="num">${count(x.traces)}</td><td class="num">${lost(x) === undefined ? UNKNOWN : `${percent(1 - lost(x), 1)} %`}</td>${
		as && html`<td>${graph.nodes[x.b].asn ? html`AS${graph.nodes[x.b].asn} <bdi>${graph.nodes[x.b].as_org}</bdi>` : UNKNOWN}</td>`}${
		compare && html`<td>${x.diff ? html`<span class=${`mark ${DIFFS[x.diff][1]}`}><${Shape} name=${DIFFS[x.diff][0]} />${DIFFS[x.diff][2]}</span>` : html`<span class="quiet">in both</span>`}</td>`}</tr>`)}</tbody></table></div>
		${list.length > LINKS_MAX && html`<p class="note">The first ${count(LINKS_MAX)} of ${count(list.length)}.</p>`}</details>`;
});

// The same objects while nothing changed: the graph is laid out anew only then.
let last = {}, laid = {};

function both(now, then)
{
	if (laid.now !== now || laid.then !== then)
		laid = { now, then, graph: then ? union(now, then) : now };
	return laid.graph;
}

function filtered(graph, filter)
{
	if (last.graph !== graph || last.filter !== filter)
		last = { graph, filter, list: filter_by(graph.paths, filter, (p) => path_text(graph, p)) };
	return last.list;
}

// A destination leads to its path, another hop to all that goes through it.
function picker(graph, paths, hop)
{
	return (n) => {
		const x = graph.nodes[n];
		const ends = paths.find((p) => p.reached && p.nodes[p.nodes.length - 1] === n);

		if (ends)
			choose({ dst: ends.dst_ip, hop: '' });
		else if (x.ip)
			choose({ hop: hop === x.ip ? '' : x.ip, dst: '' });
		else
			choose({ hop: '', dst: '' });
	};
}

let found = null;   // addresses that the last Cypher question found

function found_put(addresses)
{
	found = addresses;
	set({});
}

const DIFF_COUNTS = (list) => ['added', 'gone'].map((k) => list.filter((x) => x.diff === k).length);

function Compared({ graph, at, vs })
{
	const [links_new, links_gone] = DIFF_COUNTS(graph.links), [nodes_new, nodes_gone] = DIFF_COUNTS(graph.nodes);

	return html`<p class="compared" role="status">${links_new + links_gone === 0 ? 'The two pictures are the same.'
		: html`<span class="mark good"><${Shape} name="diamond" />${count(nodes_new)} hop${nodes_new === 1 ? '' : 's'} and ${count(links_new)} link${links_new === 1 ? '' : 's'} added</span> <span class="mark bad"><${Shape} name="cross" />${count(nodes_gone)} hop${nodes_gone === 1 ? '' : 's'} and ${count(links_gone)} link${links_gone === 1 ? '' : 's'} gone</span>`}
		${vs > at && ' (the time compared with is the later one)'}</p>`;
}

// Most used of the hops near the sensors: a place to begin with for a question.
function a_hop(graph)
{
	let best;

	for (const x of graph.nodes)
		if (x.ttl && x.ttl < 4 && (x.traces ?? 0) > (best?.traces ?? -1))
			best = x;
	return best?.ip ?? '192.0.2.1';
}

function Switches({ view, scale_id, has_lanes, lanes })
{
	return html`<label class="choice"><span class="vh">Destinations shown</span><select value=${targets_n(view)} onchange=${(e) => choose({ n: e.currentTarget.value === String(TARGETS[0]) ? '' : e.currentTarget.value })}>${TARGETS.map((n) => html`<option key=${n} value=${n}>latest ${count(n)}</option>`)}</select></label>
		<div class="segments" role="group" aria-label="Colour of the links">${Object.keys(SCALES).map((id) => html`<button type="button" key=${id} aria-pressed=${id === scale_id} onclick=${() => choose({ by: id === 'rtt' ? '' : id })}>${SCALES[id].name}</button>`)}</div>
		${has_lanes && html`<button type="button" class="lanes" aria-pressed=${lanes} onclick=${() => choose({ lanes: lanes ? 'off' : 'on' })}>AS lanes</button>`}`;
}

// The graph that is there, while another moment of it is asked for: what is being dragged must not vanish.
const keeps = {};

function kept(which, d)
{
	if (d?.value || d?.error)
		keeps[which] = d.value;
	return keeps[which];
}

export function View({ state: { view }, of })
{
	const { d, stale } = of('graph');
	const one = of('path').d, then = moment_s(view.vs) ? kept('then', of('graph_then').d) : null;
	const dst = address(view.dst), hop = address(view.hop), filter = view.path ?? '';
	const now = kept('now', d);

	if (!now)
		return html`<${Panel} id="graph" title="Paths"><${Empty}>${d?.error ? html`The collector says: <bdi>${d.error}</bdi>` : 'Waiting for the collector.'}</${Empty}></${Panel}>`;
	if (!now.paths.length && !view.at && !now.stored.destinations)
		return html`<${NoPaths} />`;
	const swapped = then && moment_s(view.vs) > (moment_s(view.at) || Infinity);
	const graph = then ? swapped ? both(then, now) : both(now, then) : now;
	const paths = filtered(graph, filter);
	const silent = now.evicted.paths + now.evicted.hops + now.evicted.links;
	const has_lanes = lanes_known(graph);
	// Paths of several sensors would cross each other between lanes: there it is a choice.
	const lanes = has_lanes && (view.lanes ? view.lanes === 'on' : graph.sensors.length === 1);
	const scale_id = SCALES[view.by] ? view.by : 'rtt';
	const big = view.draw ? view.draw !== 'svg' : graph.nodes.length > SVG_NODES_MAX;
	const props = { graph, paths, dst, hop, found, scale: SCALES[scale_id], compare: Boolean(then), lanes, choose, pick: picker(graph, paths, hop) };

	return html`<${Panel} id="graph" title="Paths" stale=${stale} note=${`to ${count(paths.length)} of ${count(now.destinations_n)} destinations`}
		actions=${html`<${Switches} view=${view} scale_id=${scale_id} has_lanes=${has_lanes} lanes=${props.lanes} /><label class="filter"><span class="vh">Filter: words that a path must contain; a minus before a word excludes</span>
			<input type="search" value=${filter} oninput=${on_filter} placeholder="Filter: changed -reached 10.0.0" spellcheck="false" autocomplete="off" maxlength="200" /></label>`}>
		<${Timeline} view=${view} changes=${now.changes ?? []} partial=${now.changes_cut} />
		${now.cut && now.paths.length < targets_n(view) && html`<p class="hint" role="status">The graph shows the ${count(now.paths.length)} destinations traced last, of ${count(now.destinations_n)}: more would be too long an answer.</p>`}
		${silent > 0 && html`<p class="hint">The oldest ${count(now.evicted.hops)} hops, ${count(now.evicted.links)} links and ${count(now.evicted.paths)} paths had to make room.</p>`}
		${then && html`<${Compared} graph=${graph} at=${moment_s(view.at) || Infinity} vs=${moment_s(view.vs)} />`}
		${!paths.length ? filter ? html`<${Empty}>No path matches <q><bdi>${filter}</bdi></q>. <button type="button" onclick=${() => choose({ path: '' })}>Clear the filter</button></${Empty}>` : html`<${Empty}>${now.destinations_n ? 'No path was known at that time. Choose a later one.' : html`Sensor <bdi>${state.sensor}</bdi> has traced no path.`}</${Empty}>`
		: html`${big ? html`<${BigGraph} key=${view.draw} draw=${view.draw} ...${props} />` : html`<${Graph} ...${props} />`}<${Legend} scale=${props.scale} compare=${props.compare} /><${Twin} graph=${graph} paths=${paths} compare=${props.compare} />`}
	</${Panel}>
	${dst && html`<${Details} d=${one} dst=${dst} />`}
	${hop && html`<${HopPanel} d=${of('hop').d} hop=${hop} />`}
	${paths.length > 0 && html`<${Table} graph=${graph} paths=${paths} dst=${dst} hop=${hop} sensors=${graph.sensors.length > 1} />`}
	<${Cypher} ip=${hop || a_hop(now)} query=${view.cy} found=${found_put} />`;
}
