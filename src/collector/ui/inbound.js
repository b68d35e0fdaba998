// SPDX-License-Identifier: GPL-2.0-or-later
// The page "Inbound": who knocks from outside, on which ports, and what the firewall said; first of all what
// it let in.
import { Component } from 'preact';
import { count, covered, percent, service, unix_s, UNKNOWN, window_words } from './format.js';
import { Go } from './go.js';
import { choose, question_in_window } from './link.js';
import { KINDS, Ports } from './lists.js';
import { Age, country, Empty, Host, html, Mark, memo, Panel, Place, Shape, Share, Unready } from './parts.js';
import { Charted, Key, step_clock, steps, Twin } from './plot.js';
import { Stacked } from './stacked.js';
import { filter_by, state } from './store.js';
import { Tile } from './tiles.js';
import { WORDS } from './words.js';

const ASKED = 200, ROWS_FEW = 25, PLACES_SHOWN = 8, PORTS_SHOWN = 12, OPEN_SHOWN = 7;

export const resources = {
	inbound: { path: () => question_in_window('api/inbound'), on: ['attempt'] },
	knocks: { path: () => question_in_window('api/attempts', { limit: ASKED, port: port_chosen(state.view) }), on: ['attempt'] },
};

function port_chosen(view)
{
	return /^\d{1,5}$/.test(view.port) && Number(view.port) < 65536 ? view.port : '';
}

// dropped and rejected are both what the firewall kept out.
const VERDICTS = [['dropped', 'bar', 'dropped or rejected'], ['unknown', 'unsure', 'verdict not known'], ['accepted', 'alarm', 'accepted: let in']];

function verdicts_of(series, long_s)
{
	const { step, t, points } = steps((series ?? []).map((p) => ({ ...p, t: unix_s(p.t) })).sort((a, b) => a.t - b.t), long_s);
	const of = (name) => points.map((p) => p?.[name] ?? 0);

	return { step, t, dropped: points.map((p) => (p?.dropped ?? 0) + (p?.rejected ?? 0)), unknown: of('unknown'), accepted: of('accepted') };
}

const total = (list) => list.reduce((a, b) => a + b, 0);

class OverTime extends Charted {
	render({ made, words, stale }, { table, i })
	{
		const { t, step } = made;
		const span_s = t[t.length - 1] - t[0];
		const when = (k) => step_clock(t[k] - step / 2, span_s, step);

		return html`<${Panel} id="chart" title="Over time" stale=${stale}
			note=${t[i] === undefined ? `SYNs of the last ${words}` : html`<span class="readout">${when(i)} ${VERDICTS.map(([name]) => html`<b key=${name}>${count(made[name][i])}</b> ${name} `)}</span>`}
			actions=${this.table_button()}>
			${!t.length ? html`<${Empty} good>Nobody knocked from outside in the last ${words}.<//>`
		: table ? html`<${Twin} head=${['From', 'Dropped or rejected', 'Not known', 'Accepted']} rows=${t.map((_, k) => [when(k), ...VERDICTS.map(([name]) => count(made[name][k]))]).reverse()} />`
			: html`<figure><figcaption>${VERDICTS.map(([name, tone, label]) => html`<${Key} key=${name} kind=${tone}>${label}<//>`)}</figcaption>
				<${Stacked} t=${t} step=${step} parts=${VERDICTS.map(([name, tone]) => [tone === 'alarm' ? 'bad' : tone, made[name]])} sync="inbound" shape=${made.n} on_index=${this.on_index}
					label=${`SYNs from outside over the last ${words}. The same numbers: button "As a table".`} /></figure>`}
		</${Panel}>`;
	}
}

// Ports from 0 to 65535 in cells: 64 of 16 ports up to 1023, 63 of 1024 above; the darker, the more SYNs.
export function cells(ports)
{
	const made = Array.from({ length: 127 }, (_, i) => ({ from: i < 64 ? i * 16 : (i - 63) * 1024, to: i < 64 ? i * 16 + 15 : (i - 62) * 1024 - 1, n: 0, accepted: 0, ports: [] }));

	for (const p of ports) {
		const cell = made[p.port < 1024 ? p.port >> 4 : 63 + (p.port >> 10)];
		cell.n += p.count;
		cell.accepted += p.verdicts?.accepted ?? 0;
		cell.ports.push(p.port);
	}
	return made;
}

const Row = memo(({ row, most, marks, label }) => {
	const shade = (n) => n ? Math.min(5, 1 + Math.floor(Math.sqrt(n / most) * 5)) : 0;

	return html`<div class="strip"><svg viewBox=${`0 0 ${row.length * 10} 20`} preserveAspectRatio="none" role="img" aria-label=${`${label}. The same numbers: the table of ports.`}>${row.map((c, i) => html`<g key=${i}><title>${`Ports ${c.from} to ${c.to}: ${count(c.n)} SYNs${c.accepted ? `, ${count(c.accepted)} let in` : ''}`}</title><rect x=${i * 10} y="0" width="9" height="20" class=${`h${shade(c.n)}`} />${
		c.accepted > 0 && html`<path class="let-in" d=${`M${i * 10 + 4.5} 5l3 10h-6z`} />`}</g>`)}</svg>
		<div class="strip-marks" aria-hidden="true">${marks.map((m) => html`<span key=${m}>${m}</span>`)}</div></div>`;
});

function Strips({ ports })
{
	const made = cells(ports);
	const most = Math.max(1, ...made.map((c) => c.n));

	return html`<${Row} row=${made.slice(0, 64)} most=${most} marks=${[0, 256, 512, 768, 1023]} label="Ports up to 1023, sixteen in a cell, the stronger the more SYNs" /><${Row} row=${made.slice(64)} most=${most} marks=${[1024, 16384, 32768, 49152, 65535]} label="Ports from 1024 on, 1024 in a cell" />`;
}

function Port({ port })
{
	return html`<span class="port-name"><b>${port}</b>${service(port) && html`<span class="svc">${service(port)}</span>`}</span>`;
}

class PortList extends Component {
	constructor()
	{
		super();
		this.state = { all: false };
	}

	render({ ports, chosen, stale }, { all })
	{
		const most = Math.max(1, ...ports.map((p) => p.count));

		return html`<${Panel} id="knocked" title="Ports" stale=${stale} note="choose one to see who knocked there"><${Strips} ports=${ports} />
			<p class="quiet small">The stronger the colour, the more SYNs; a triangle: something was let in there.</p>
			<div class="wide" tabindex="0" role="group" aria-label="Table of ports"><table class="rows ports-of"><thead><tr><th scope="col">Port</th><th scope="col" class="num">SYNs</th><th scope="col" class="num">Sources</th><th scope="col">Verdict</th></tr></thead>
			<tbody>${(all ? ports : ports.slice(0, PORTS_SHOWN)).map((p) => html`<tr key=${p.port} class=${String(p.port) === chosen ? 'open' : ''}><td><button type="button" class="row" aria-pressed=${String(p.port) === chosen}
				onclick=${() => choose({ port: String(p.port) === chosen ? '' : String(p.port) })}><${Port} port=${p.port} /></button></td>
				<td class="num"><span class="bars"><${Share} part=${p.count} whole=${most} /><span>${count(p.count)}</span></span></td><td class="num">${count(p.src_n)}</td>
				<td><span class="under">${Object.entries(p.verdicts ?? {}).map(([v, n]) => html`<${Mark} key=${v} word=${v} text=${Object.keys(p.verdicts).length > 1 ? `${v} ${count(n)}` : v} />`)}</span></td></tr>`)}</tbody></table></div>
			${ports.length > PORTS_SHOWN && html`<button type="button" class="more" aria-expanded=${all} onclick=${() => this.setState({ all: !all })}>${all ? 'Show fewer' : `Show all ${count(ports.length)}`}</button>`}
		</${Panel}>`;
	}
}

// What answered the world: the list that somebody who runs a firewall looks at first.
function Open({ ports, words, stale })
{
	const open = ports.filter((p) => p.verdicts?.accepted > 0).sort((a, b) => b.verdicts.accepted - a.verdicts.accepted);

	return html`<${Panel} id="open" title="Open to the world" stale=${stale} note=${open.length ? 'the firewall let these in' : null}>
		${!open.length ? html`<${Empty} good>The firewall let nothing in from outside in the last ${words}.<//>` : html`<ul class="open-ports">${open.slice(0, OPEN_SHOWN).map((p) => html`<li key=${p.port}>
			<span class="mark warn"><${Shape} name="triangle" /></span><${Port} port=${p.port} /><span class="quiet">${count(p.verdicts.accepted)} SYNs let in; ${count(p.src_n)} source${p.src_n === 1 ? '' : 's'} knocked</span></li>`)}</ul>
		${open.length > OPEN_SHOWN && html`<p class="quiet small">and ${count(open.length - OPEN_SHOWN)} more, marked in the strips below</p>`}
		<p class="quiet small">A port that you do not mean to offer has a rule that is too wide.</p>`}
	</${Panel}>`;
}

function Kinds({ v, stale })
{
	const told = Object.keys(KINDS).map((k) => [k, KINDS[k], v.kinds?.[k] ?? 0]);
	const kinds = [...told, ['', 'not told', v.sources_n - total(told.map(([, , n]) => n))]].filter(([, , n]) => n > 0);
	const most = Math.max(1, ...kinds.map(([, , n]) => n));

	return html`<${Panel} id="kinds" title="What they did" stale=${stale} note=${`the worst of each source${v.partial ? ', busy ones only' : ''}`}>
		${!kinds.length ? html`<${Empty}>Nothing yet.<//>` : html`<ul class="outcomes">${kinds.map(([k, name, n]) => html`<li key=${k}><span class="kind" title=${WORDS[k]}>${name}</span><${Share} part=${n} whole=${most} />
			<span class="num"><b>${count(n)}</b> <span class="pc">${n === 1 ? 'source' : 'sources'}</span></span></li>`)}</ul>`}
	</${Panel}>`;
}

// From where: countries and networks, once the collector has a database of them.
function Places({ v, stale })
{
	const ccs = v.ccs ?? [], asns = v.asns ?? [];
	const list = (rows, name) => {
		const most = Math.max(1, ...rows.map((x) => x.count));
		return html`<ul class="outcomes">${rows.slice(0, PLACES_SHOWN).map((x) => html`<li key=${x.cc ?? x.asn}>${name(x)}<${Share} part=${x.count} whole=${most} /><span class="num"><b>${count(x.count)}</b></span></li>`)}</ul>`;
	};

	return html`<${Panel} id="places" title="From where" stale=${stale} note=${ccs.length || asns.length ? 'SYNs' : null}>
		${!ccs.length && !asns.length ? html`<${Empty}>The collector knows no countries or networks yet: <code>net-gazer-collector geo import</code> takes a free database, and its manual says where to get one.<//>`
		: html`${ccs.length > 0 && html`<h3 class="small">Countries</h3>${list(ccs, (x) => html`<span>${x.cc ? html`<span class="cc">${x.cc}</span> ${country(x.cc)}` : 'not known'}</span>`)}`}
			${asns.length > 0 && html`<h3 class="small">Networks</h3>${list(asns, (x) => html`<span title=${x.asn ? `AS${x.asn}` : undefined}><bdi>${x.as_org ?? (x.asn ? `AS${x.asn}` : 'not known')}</bdi></span>`)}`}`}
	</${Panel}>`;
}

function text_of(x)
{
	return `${x.src_ip} ${x.src_name ?? ''} ${x.src_cc ?? ''} ${x.src_cc ? country(x.src_cc) : ''} ${x.src_asn ? `AS${x.src_asn}` : ''} ${x.src_as_org ?? ''} ${KINDS[x.kind] ?? ''} ${Object.keys(x.verdicts ?? {}).join(' ')} ${(x.dst_ports ?? []).map((p) => `:${p}`).join(' ')}`.toLowerCase();
}

class Sources extends Component {
	constructor()
	{
		super();
		this.state = { all: false };
	}

	shouldComponentUpdate(next, next_state)
	{
		return ['d', 'filter', 'port', 'words', 'stale'].some((k) => next[k] !== this.props[k]) || next_state !== this.state;
	}

	render({ d, filter, port, words, stale }, { all })
	{
		const v = d?.value, asked = v?.attempts ?? [];
		const list = filter_by(asked, filter, text_of);
		const untold = port && v ? v.port_count - v.told_count : 0;
		const most = Math.max(1, ...list.map((x) => x.count));

		return html`<${Panel} id="sources" title=${port ? html`Who knocked at port ${port}` : 'Who knocked'} stale=${stale}
			note=${`${filter ? `${count(list.length)} match among ` : ''}${v?.sources_n > asked.length ? `the ${asked.length} busiest of ${count(v.sources_n)}` : count(asked.length)} in the last ${words}${
		untold > 0 ? `; the sources of ${count(v.told_count)} of its ${count(v.port_count)} SYNs are known, those of the newest` : v?.partial ? ', newest rows only' : ''}`}
			actions=${html`${port && html`<button type="button" onclick=${() => choose({ port: '' })}>All ports</button>`}<label class="filter"><span class="vh">Filter: words that a source must contain; a minus before a word excludes</span>
				<input type="search" value=${filter} oninput=${(e) => choose({ q: e.currentTarget.value })} placeholder="Filter: accepted :22 -scan" spellcheck="false" autocomplete="off" maxlength="200" /></label>`}>
			${!d?.value ? html`<${Unready} d=${d} />` : !asked.length ? html`<${Empty} good>Nobody knocked from outside in the last ${words}. Attempts are watched by the plugin <code>attempts</code>; the page <${Go} page="sensors">Sensors<//> shows whether it runs.<//>`
		: !list.length ? html`<${Empty}>No source matches. <button type="button" onclick=${() => choose({ q: '', port: '' })}>Show all</button><//>` : html`
			<div class="wide" tabindex="0" role="group" aria-label="Table of sources"><table class="rows knockers"><thead><tr><th scope="col">Source</th><th scope="col" class="num" title=${port ? `At port ${port}: where a sensor counted several ports together, they are taken as equal` : 'At all ports'}>SYNs</th><th scope="col">Verdict</th><th scope="col">Kind</th><th scope="col">Ports</th><th scope="col" class="num addresses">Addresses</th><th scope="col" class="num last">Last</th></tr></thead>
			<tbody>${(all ? list : list.slice(0, ROWS_FEW)).map((x) => html`<tr key=${x.src_ip}><td class="src"><${Host} ip=${x.src_ip} name=${x.src_name} /><${Place} x=${x} prefix="src_" /></td>
				<td class="num"><span class="bars"><${Share} part=${x.count} whole=${most} /><span>${count(x.count)}</span></span></td>
				<td class="verdicts"><span class="under">${Object.entries(x.verdicts ?? {}).map(([v, n]) => html`<${Mark} key=${v} word=${v} text=${Object.keys(x.verdicts).length > 1 ? `${v} ${count(n)}` : v} />`)}</span></td>
				<td class="kind" title=${WORDS[x.kind]}>${KINDS[x.kind] ?? x.kind ?? UNKNOWN}</td><td><${Ports} ports=${x.dst_ports} n=${x.dst_ports_n} /></td><td class="num addresses">${count(x.dst_ips_n)}</td><td class="num last"><${Age} ts=${x.last_ts} /></td></tr>`)}</tbody></table></div>
			${list.length > ROWS_FEW && html`<button type="button" class="more" aria-expanded=${all} onclick=${() => this.setState({ all: !all })}>${all ? 'Show fewer' : `Show all ${count(list.length)}`}</button>`}`}
		</${Panel}>`;
	}
}

let made = null, made_of = null, made_n = 0;

// The same object while the answer is the same: the chart is drawn anew only then.
function series_of(d, window_s)
{
	if (made_of !== d) {
		made_of = d;
		made = { ...verdicts_of(d.value.series, covered(d.value, window_s).long_s), n: ++made_n };
	}
	return made;
}

export function View({ state: { view, window_s, until_s }, of })
{
	const { d, stale } = of('inbound');
	const knocks = of('knocks');
	const v = d?.value;
	const words = window_words(window_s, until_s, v);
	const list = html`<${Sources} ...${knocks} filter=${view.q ?? ''} port=${port_chosen(view)} words=${words} />`;

	if (!v)
		return html`<${Panel} id="chart" title="Over time"><${Unready} d=${d} /><//>${list}`;
	const series = series_of(d, window_s);
	const out = total(series.dropped), let_in = total(series.accepted), unknown = total(series.unknown);
	const all = out + let_in + unknown;
	const scans = (v.kinds?.vertical_scan ?? 0) + (v.kinds?.horizontal_scan ?? 0);

	return html`<dl class=${`tiles four ${stale ? 'stale' : ''}`} aria-label=${`The last ${words} in four numbers`}>
			<${Tile} id="t-knocks" label="SYNs from outside" value=${count(all)} sub=${all ? `in the last ${words}` : 'nobody knocked'} values=${series.t.map((_, i) => series.dropped[i] + series.accepted[i] + series.unknown[i])} />
			<${Tile} id="t-kept" label="Kept out" value=${percent(out, all)} unit="%" sub=${unknown ? `of ${count(unknown)} the verdict is not known` : `${count(out)} dropped or rejected`} values=${series.dropped} />
			<${Tile} id="t-let" label="Let in" value=${count(let_in)} sub=${let_in ? `to ${count((v.ports ?? []).filter((p) => p.verdicts?.accepted > 0).length)} ports` : 'nothing'} tone=${let_in ? 'caution' : ''} values=${series.accepted} spark="bad" />
			<${Tile} id="t-scans" label="Scanners" value=${count(scans)} sub=${`of ${v.partial ? 'over ' : ''}${count(v.sources_n)} source${v.sources_n === 1 ? '' : 's'}`} />
		</dl>
		<${OverTime} made=${series} words=${words} stale=${stale} />
		<${Open} ports=${v.ports ?? []} words=${words} stale=${stale} />
		${v.ports?.length > 0 && html`<${PortList} ports=${v.ports} chosen=${view.port} stale=${stale} />`}
		<div class="beside"><${Kinds} v=${v} stale=${stale} /><${Places} v=${v} stale=${stale} /></div>
		${list}`;
}
