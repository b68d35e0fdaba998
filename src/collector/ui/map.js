// SPDX-License-Identifier: GPL-2.0-or-later
// The page "Map": where the network's connections go.  Countries in the colour of what is chosen, arcs from
// home to the places, dots where a city or at least a country is known; and the same as tables.
import { Component } from 'preact';
import world from 'world-data';
import { count, percent, span, UNKNOWN } from './format.js';
import { choose, question_in_window } from './link.js';
import { Empty, html, memo, Ms, Panel } from './parts.js';
import { HEIGHT, project, WIDTH } from './projection.js';
import { url_of } from './store.js';

export const resources = {
	map: { path: () => question_in_window('api/map'), on: ['conn', 'attempt'] },
	geo: { path: () => 'api/geo', every: { min_ms: 10000, max_ms: 60000 } },
};

const ROWS_FEW = 15, ARCS_MAX = 200;

const names = new Intl.DisplayNames(['en'], { type: 'region', fallback: 'none' });

function country_name(cc)
{
	try {
		return names.of(cc) ?? cc;
	} catch {
		return cc; // no such code
	}
}

// What a country's colour says: the value, its words, the steps that the colours stand for.
const VIEWS = {
	__proto__: null,
	conns: { name: 'Connections', value: (x) => x.conns || undefined, words: (v) => count(v), tone: 'c' },
	rtt: { name: 'Median RTT', value: (x) => x.rtt_p50_us, words: (v) => `${span(v).text} ${span(v).unit}`, tone: 'c',
		steps: [[20000, 'under 20 ms'], [50000, '20 to 50 ms'], [100000, '50 to 100 ms'], [200000, '100 to 200 ms'], [Infinity, '200 ms and more']] },
	failures: { name: 'Failures', value: (x) => x.conns ? x.failed / x.conns : undefined, words: (v) => `${percent(v, 1)} %`, tone: 'f',
		steps: [[0.001, 'none'], [0.01, 'under 1 %'], [0.05, '1 to 5 %'], [0.2, '5 to 20 %'], [Infinity, '20 % and more']] },
	attempts: { name: 'Knocks from there', value: (x) => x.attempts || undefined, words: (v) => count(v), tone: 'f' },
};

const STEPS_N = 5;

// Without steps of its own, a scale of powers of ten below the largest value.
function steps_of(view, list)
{
	if (view.steps)
		return view.steps;
	const most = Math.max(1, ...list.map((x) => view.value(x) ?? 0));
	const top = Math.ceil(Math.log10(most + 1)), first = Math.max(0, top - STEPS_N);
	const less = Array.from({ length: STEPS_N }, (_, i) => i === STEPS_N - 1 ? Infinity : 10 ** (first + i + 1));

	return less.map((v, i) => [v, v === Infinity ? `${count(10 ** (first + i))} and more` : `under ${count(v)}`]);
}

function words_of(x, place)
{
	const rtt = span(x.rtt_p50_us);

	return `${place}: ${count(x.conns ?? 0)} connections${x.rtt_p50_us === undefined ? '' : `, median ${rtt.text} ${rtt.unit}`}${x.failed > 0 ? `, ${percent(x.failed, x.conns)} % failed` : ''}${
		x.attempts > 0 ? `, ${count(x.attempts)} knocks from there` : ''}${x.hosts_n ? `, ${count(x.hosts_n)} hosts` : ''}`;
}

// ---- the drawing ----

// A bow between two places, the higher the farther.
function arc(from, to)
{
	const dx = to[0] - from[0], dy = to[1] - from[1];
	const high = Math.hypot(dx, dy) * 0.22;

	return `M${from[0].toFixed(1)} ${from[1].toFixed(1)}Q${(from[0] + dx / 2).toFixed(1)} ${(from[1] + dy / 2 - high).toFixed(1)} ${to[0].toFixed(1)} ${to[1].toFixed(1)}`;
}

// Places to draw dots at: cities, or the middle of a country that has none.
function dots_of(v)
{
	if (v.places?.length)
		return v.places.map((p) => ({ ...p, at: project(p.lon, p.lat), name: `${p.city ? `${p.city}, ` : ''}${country_name(p.cc ?? '')}` }));
	return v.countries.filter((c) => world.countries[c.cc] && c.conns > 0).map((c) => ({ ...c, at: world.countries[c.cc].slice(0, 2), name: country_name(c.cc) }));
}

// From each sensor's home to where its connections go; without cities from home to the countries.
function arcs_of(v, dots)
{
	if (v.arcs?.length)
		return v.arcs.slice(0, ARCS_MAX).filter((a) => dots[a.to]).map((a) => ({ from: project(a.from.lon, a.from.lat), dot: dots[a.to], conns: a.conns }));
	if (!v.home)
		return [];
	const from = project(v.home.lon, v.home.lat);
	return [...dots].sort((a, b) => b.conns - a.conns).slice(0, ARCS_MAX).map((dot) => ({ from, dot }));
}

// Each place of a sensor once.
function homes_of(v)
{
	const list = [...v.home ? [v.home] : [], ...(v.arcs ?? []).map((a) => a.from)];

	return [...new Map(list.map((p) => project(p.lon, p.lat).map((n) => n.toFixed(1))).map((p) => [p.join(), p])).values()];
}

const Land = memo(() => html`<g class="land" aria-hidden="true">${Object.entries(world.countries).map(([cc, [, , d]]) => d && html`<path key=${cc} d=${d} />`)}<path d=${world.unnamed} /></g>`);

const RTT_STEPS = VIEWS.rtt.steps;

class Drawing extends Component {
	constructor()
	{
		super();
		this.state = { said: '', focus: 0 };
		this.on_key = (e) => this.key(e);
	}

	shouldComponentUpdate(next, next_state)
	{
		return next.v !== this.props.v || next.view_id !== this.props.view_id || next.cc !== this.props.cc || next_state !== this.state;
	}

	// Countries with something in them, the most used first: the order of the arrows.
	list()
	{
		return this.props.v.countries.filter((c) => world.countries[c.cc]).sort((a, b) => (b.conns ?? 0) - (a.conns ?? 0));
	}

	key(e)
	{
		const list = this.list(), i = Math.min(this.state.focus, list.length - 1);
		const to = { ArrowRight: i + 1, ArrowDown: i + 1, ArrowLeft: i - 1, ArrowUp: i - 1, Home: 0, End: list.length - 1 }[e.key];

		if (e.key === 'Enter' || e.key === ' ')
			choose({ cc: this.props.cc === list[i].cc ? '' : list[i].cc });
		else if (e.key === 'Escape')
			choose({ cc: '' });
		else if (to === undefined)
			return;
		e.preventDefault();
		if (list[to])
			this.setState({ focus: to }, () => this.box.querySelector('[tabindex="0"]')?.focus());
	}

	render({ v, view_id, cc }, { said, focus })
	{
		const view = VIEWS[view_id], steps = steps_of(view, v.countries);
		const list = this.list(), dots = dots_of(v), arcs = arcs_of(v, dots);
		const most = Math.max(1, ...dots.map((d) => d.conns ?? 0)), tab = Math.min(focus, list.length - 1);
		const read = (text) => this.setState({ said: text });
		const step = (x) => {
			const value = view.value(x);
			return value === undefined ? 'none' : `${view.tone}${steps.findIndex(([less]) => value < less)}`;
		};

		return html`<p class="readout" role="status">${said || 'Point at a country or a dot for its numbers; arrow keys go through the countries, Enter chooses one.'}</p>
		<div class="wide world" ref=${(e) => { this.box = e; }} onmouseleave=${() => read('')}>
		<svg viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label=${`World map, coloured by ${view.name.toLowerCase()}. The same numbers: the tables below.`}>
			<${Land} />
			<g class="countries">${list.map((c, i) => {
		const [x, y, d] = world.countries[c.cc];
		const props = { key: c.cc, class: `${step(c)} ${c.cc === cc ? 'on' : ''}`, role: 'button', tabindex: i === tab ? 0 : -1, 'aria-label': words_of(c, country_name(c.cc)), 'aria-pressed': c.cc === cc,
			onclick: () => { this.setState({ focus: i }); choose({ cc: c.cc === cc ? '' : c.cc }); }, onkeydown: this.on_key, onfocus: () => read(words_of(c, country_name(c.cc))), onblur: () => read(''), onmouseenter: () => read(words_of(c, country_name(c.cc))) };
		return d ? html`<path ...${props} d=${d} />` : html`<circle ...${props} cx=${x} cy=${y} r="7" />`;
	})}</g>
			<g class="arcs" aria-hidden="true">${arcs.map((a, i) => html`<path key=${i} d=${arc(a.from, a.dot.at)} class=${`a${a.dot.rtt_p50_us === undefined ? 'u' : RTT_STEPS.findIndex(([less]) => a.dot.rtt_p50_us < less)} ${cc && a.dot.cc !== cc ? 'off' : ''}`} stroke-width=${(0.9 + 3 * Math.sqrt((a.conns ?? a.dot.conns ?? 0) / most)).toFixed(1)} />`)}</g>
			<g class="dots-at" aria-hidden="true">${dots.map((d, i) => html`<circle key=${i} cx=${d.at[0].toFixed(1)} cy=${d.at[1].toFixed(1)} r=${(4 + 13 * Math.sqrt((d.conns ?? 0) / most)).toFixed(1)} class=${cc && d.cc !== cc ? 'off' : ''} onmouseenter=${() => read(words_of(d, d.name))} />`)}</g>
			${homes_of(v).map(([x, y]) => html`<g key=${`${x} ${y}`} class="home" transform=${`translate(${x} ${y})`} onmouseenter=${() => read('Where a sensor is')}><path d="M0-11L11-1H7V10H-7V-1H-11z" /></g>`)}
		</svg></div>
		<ul class="legend" aria-label=${`Colours of the countries: ${view.name.toLowerCase()}`}>${steps.map(([, words], i) => html`<li key=${i}><svg class=${`swatch ${view.tone}${i}`} viewBox="0 0 16 12" aria-hidden="true"><rect width="16" height="12" rx="2" /></svg>${words}</li>`)}
			<li><svg class="swatch none" viewBox="0 0 16 12" aria-hidden="true"><rect width="16" height="12" rx="2" /></svg>nothing</li>
		</ul>
		${arcs.length > 0 && html`<ul class="legend" aria-label="Colours of the arcs: median RTT"><li>Arcs, as wide as they are used:</li>${RTT_STEPS.map(([, words], i) => html`<li key=${i}><svg viewBox="0 0 22 8" aria-hidden="true" class="arcs"><path class=${`a${i}`} d="M0 4h22" stroke-width="3" /></svg>${words}</li>`)}</ul>`}`;
	}
}

// ---- the tables ----

class Countries extends Component {
	constructor()
	{
		super();
		this.state = { all: false };
	}

	render({ v, view_id, cc }, { all })
	{
		const view = VIEWS[view_id];
		const list = [...v.countries].sort((a, b) => (view.value(b) ?? -1) - (view.value(a) ?? -1) || (b.conns ?? 0) - (a.conns ?? 0));
		const shown = all ? list : list.slice(0, ROWS_FEW);

		return html`<${Panel} id="countries" title="Countries" note=${`${count(list.length)}, by ${view.name.toLowerCase()}`}>
		<div class="wide" tabindex="0" role="group" aria-label="Table of countries"><table class="rows"><thead><tr><th scope="col">Country</th><th scope="col" class="num">Connections</th><th scope="col" class="num">p50 ms</th><th scope="col" class="num">Failed</th><th scope="col" class="num">Knocks</th></tr></thead>
		<tbody>${shown.map((c) => html`<tr key=${c.cc} class=${c.cc === cc ? 'open' : ''}><td><button type="button" class="row" aria-pressed=${c.cc === cc} onclick=${() => choose({ cc: c.cc === cc ? '' : c.cc })}><span class="chip">${c.cc}</span> ${country_name(c.cc)}</button></td>
			<td class="num">${count(c.conns ?? 0)}</td><td class="num"><${Ms} us=${c.rtt_p50_us} /></td><td class="num">${c.conns ? `${percent(c.failed ?? 0, c.conns)} %` : UNKNOWN}</td><td class="num">${count(c.attempts ?? 0)}</td></tr>`)}</tbody></table></div>
		${list.length > ROWS_FEW && html`<button type="button" class="more" aria-expanded=${all} onclick=${() => this.setState({ all: !all })}>${all ? 'Show fewer' : `Show all ${count(list.length)}`}</button>`}</${Panel}>`;
	}
}

const Places = memo(({ v, cc }) => {
	const list = v.places.filter((p) => !cc || p.cc === cc).sort((a, b) => b.conns - a.conns);

	return html`<${Panel} id="places" title="Places" note=${cc ? `${count(list.length)} in ${country_name(cc)}` : count(list.length)}>
		<div class="scroll" tabindex="0" role="group" aria-label="Table of places"><table class="rows"><thead><tr><th scope="col">Place</th><th scope="col" class="num">Connections</th><th scope="col" class="num">Hosts</th><th scope="col" class="num">p50 ms</th><th scope="col" class="num">Failed</th></tr></thead>
		<tbody>${list.slice(0, 200).map((p, i) => html`<tr key=${i}><td><bdi>${p.city ?? 'city not known'}</bdi> <span class="chip">${p.cc}</span></td><td class="num">${count(p.conns)}</td><td class="num">${count(p.hosts_n)}</td><td class="num"><${Ms} us=${p.rtt_p50_us} /></td><td class="num">${percent(p.failed ?? 0, p.conns)} %</td></tr>`)}</tbody></table></div></${Panel}>`;
});

function NoGeo()
{
	return html`<section class="panel start" aria-labelledby="start-h"><header><h2 id="start-h">No country is known yet</h2></header>
		<p>Give the collector a file that says where addresses are. It needs no account and asks nobody: the file stays on this machine. For countries, a free one:</p>
		<pre tabindex="0"><code>${'npm pack @ip-location-db/geo-whois-asn-country-mmdb && tar xzf ip-location-db-*.tgz\nnet-gazer-collector geo import package/*.mmdb'}</code></pre>
		<p>Files of MaxMind (GeoLite2) and DB-IP in the <code>mmdb</code> format work as well; one with cities brings dots and arcs. What is known then also stands beside addresses on the other pages.</p></section>`;
}

const Attribution = ({ list }) => list?.length > 0 && html`<p class="note attribution">${list.map((a, i) => html`<span key=${i}>${/^https:\/\//.test(a.url ?? '') ? html`<a href=${a.url} rel="noreferrer noopener" target="_blank"><bdi>${a.text}</bdi></a>` : html`<bdi>${a.text}</bdi>`} </span>`)} Borders: Natural Earth, public domain.</p>`;

export function View({ state: { view }, of })
{
	const { d, stale } = of('map');
	const v = d?.value, geo = of('geo').d?.value;

	if (!v)
		return html`<${Panel} id="map" title="Map"><${Empty}>${d?.error ? html`The collector says: <bdi>${d.error}</bdi>` : 'Waiting for the collector.'}</${Empty}></${Panel}>`;
	if (!v.countries.length) {
		if (geo && !geo.databases.length)
			return html`<${NoGeo} />`;
		return html`<${Panel} id="map" title="Map"><${Empty}>${v.unknown?.conns > 0 ? html`${count(v.unknown.conns)} connections in this time, and the country of none of them is known yet.`
			: 'No connection in this time: choose a longer one.'}</${Empty}></${Panel}>`;
	}
	const view_id = VIEWS[view.by] ? view.by : 'conns';
	const cc = /^[A-Z]{2}$/.test(view.cc ?? '') ? view.cc : '';
	const total = v.countries.reduce((n, c) => n + (c.conns ?? 0), 0);

	return html`<${Panel} id="map" title="Map" stale=${stale} note=${`${count(total)} connections to ${count(v.countries.filter((c) => c.conns > 0).length)} countries`}
		actions=${html`<div class="segments" role="group" aria-label="Colour of the countries">${Object.keys(VIEWS).map((id) => html`<button type="button" key=${id} aria-pressed=${id === view_id} onclick=${() => choose({ by: id === 'conns' ? '' : id })}>${VIEWS[id].name}</button>`)}</div>`}>
		<${Drawing} v=${v} view_id=${view_id} cc=${cc} />
		${cc && html`<p class="chosen"><b>${country_name(cc)}</b> <a href=${url_of('destinations', { by: 'host', cc })}>its destinations</a> <a href=${url_of('explore', { q: `dst.cc = ${cc}` })}>its connections</a> <button type="button" onclick=${() => choose({ cc: '' })}>All countries</button></p>`}
		${v.unknown?.conns > 0 && html`<p class="note">${count(v.unknown.conns)} more connections went <a href=${url_of('destinations', { by: 'host', cc: '-' })}>where no country is known</a>.</p>`}
		${!v.home && html`<p class="note">Where the sensors are is not known, so there are no arcs: that takes a file of cities that has the address at which strangers knock.</p>`}
		<${Attribution} list=${v.attribution} />
	</${Panel}>
	<${Countries} v=${v} view_id=${view_id} cc=${cc} />
	${v.places?.length > 0 && html`<${Places} v=${v} cc=${cc} />`}`;
}
