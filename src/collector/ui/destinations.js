// SPDX-License-Identifier: GPL-2.0-or-later
// The page "Destinations": whom the network talks to, by port, host, network or country; and all about one.
import { Component } from 'preact';
import { Change } from './change.js';
import { count, percent, UNKNOWN, window_words } from './format.js';
import { Destination, resource as destination } from './destination.js';
import { Go } from './go.js';
import { choose, question_in_window } from './link.js';
import { Age, Count, country, Empty, Host, html, Ms, Panel, Place, Range, Share, Unready } from './parts.js';
import { address, filter_by, state } from './store.js';
import { part_of_before } from './tiles.js';
import { WORDS } from './words.js';

const ASKED = 200, ROWS_FEW = 50;

const BY = [['port', 'Port'], ['host', 'Host'], ['as', 'Network'], ['cc', 'Country']];

function by_of(view)
{
	return BY.some(([id]) => id === view.by) ? view.by : 'port';
}

// A network or country alone, as the address of the page has it: unknown are network 0 and country "-".
export const NO_CC = '-';
const asn_chosen = (view) => /^\d{1,10}$/.test(view.asn) ? view.asn : '';
const cc_chosen = (view) => view.cc === NO_CC || /^[A-Z]{2}$/.test(view.cc) ? view.cc : '';

function list_path()
{
	const { view } = state;
	const path = question_in_window('api/destinations', { by: by_of(view) === 'port' ? '' : by_of(view), asn: asn_chosen(view), cc: cc_chosen(view).replace(NO_CC, ''), limit: ASKED });

	return cc_chosen(view) === NO_CC ? `${path}&cc=` : path;
}

export const resources = {
	dests: { path: () => !address(state.view.dst) && list_path(), on: ['conn'] },
	destination,
};

const share = (x) => x.conns > 0 ? x.failed / x.conns : 0;
const grown = (x, part) => Number.isFinite(x.trend) ? x.conns - x.trend * part : -Infinity;

const ORDERS = {
	__proto__: null,
	conns: (x) => x.conns, trend: grown, failed: (x) => x.failed, share, syn_retrans: (x) => x.syn_retrans ?? 0,
	p50: (x) => x.rtt_p50_us ?? -1, p95: (x) => x.rtt_p95_us ?? -1, last: (x) => Date.parse(x.last_ts ?? '') || 0,
};

function text_of(x)
{
	return `${x.dst_name ?? ''} ${x.dst_ip ?? ''}${x.dst_port === undefined ? '' : `:${x.dst_port}`} ${cc_of(x) ?? ''} ${cc_of(x) ? country(cc_of(x)) : ''} ${asn_of(x) ? `AS${asn_of(x)}` : ''} ${x.as_org ?? x.dst_as_org ?? ''} ${x.dst_city ?? ''}`.toLowerCase();
}

const cc_of = (x) => x.cc ?? x.dst_cc;
const asn_of = (x) => x.asn ?? x.dst_asn;

function Trend({ x, part })
{
	if (!Number.isFinite(x.trend))
		return html`<span class="unknown" title="Nothing is known of the window before">${UNKNOWN}</span>`;
	return html`<${Change} now=${x.conns} expected=${x.trend * part} was=${`${count(x.trend)} in the window before`} />`;
}

function What({ x, by, view })
{
	if (by === 'as') {
		const asn = asn_of(x), org = x.as_org ?? x.dst_as_org;
		return html`<${Go} page="destinations" view=${{ ...view, by: 'host', q: '', asn: String(asn) }}>${asn ? html`<bdi class="name">${org ?? `AS${asn}`}</bdi>` : html`<span class="dim">No network known</span>`}<//>${asn > 0 && html` <span class="second">AS${asn}</span>`}`;
	}
	if (by === 'cc') {
		const cc = cc_of(x);
		return html`<${Go} page="destinations" view=${{ ...view, by: 'host', q: '', cc: cc || NO_CC }}>${cc ? html`<span class="cc">${cc}</span> ${country(cc)}` : html`<span class="dim">No country known</span>`}<//>`;
	}
	return html`<${Go} page="destinations" view=${{ dst: x.dst_ip, port: by === 'port' ? String(x.dst_port) : '' }}><${Host} ip=${x.dst_ip} port=${by === 'port' ? x.dst_port : undefined} name=${x.dst_name} /><//><${Place} x=${x} prefix="dst_" />`;
}

// What the list is narrowed to, each to be taken back.
function Chosen({ view, list })
{
	const asn = asn_chosen(view), cc = cc_chosen(view);
	const org = list.map((x) => x.as_org ?? x.dst_as_org).find(Boolean);

	return (asn || cc) && html`<p class="chosen">Only${asn && html` <span><b>${asn === '0' ? 'where no network is known' : html`<bdi>${org ?? `AS${asn}`}</bdi>`}</b>${org && asn !== '0' ? ` AS${asn}` : ''} <button type="button" class="any-asn" onclick=${() => choose({ asn: '' })}>All networks</button></span>`}${
		cc && html` <span><b>${cc === NO_CC ? 'where no country is known' : country(cc)}</b> <button type="button" class="any-cc" onclick=${() => choose({ cc: '' })}>All countries</button></span>`}</p>`;
}

function key_of(x)
{
	return `${x.proto ?? ''} ${x.dst_ip ?? ''} ${x.dst_port ?? ''} ${asn_of(x) ?? ''} ${cc_of(x) ?? ''}`;
}

class List extends Component {
	constructor()
	{
		super();
		this.state = { all: false };
	}

	shouldComponentUpdate(next, next_state)
	{
		return ['d', 'view', 'window_s', 'until_s', 'stale'].some((k) => next[k] !== this.props[k]) || next_state !== this.state;
	}

	head(id, label, title, cls)
	{
		const on = (this.props.view.sort ?? 'conns') === id;

		return html`<th role="columnheader" scope="col" class=${`num ${cls ?? ''}`} aria-sort=${on ? 'descending' : 'none'} title=${title}><button type="button"
			onclick=${() => choose({ sort: id === 'conns' ? '' : id })}>${label}</button></th>`;
	}

	render({ d, view, window_s, until_s, stale }, { all })
	{
		const by = by_of(view);
		const words = window_words(window_s, until_s, d?.value);
		const filter = view.q ?? '';
		const asked = d?.value?.destinations ?? [], more = d?.value?.more_n ?? 0;
		const order = ORDERS[view.sort] ?? ORDERS.conns, part = d?.value?.before ? part_of_before(d) : 1;
		const list = filter_by(asked, filter, text_of).slice().sort((a, b) => order(b, part) - order(a, part) || b.conns - a.conns);
		const shown = all ? list : list.slice(0, ROWS_FEW);
		const max_us = Math.max(0, ...list.map((x) => x.rtt_p95_us ?? 0));
		const max_conns = Math.max(0, ...list.map((x) => x.conns));
		const grouped = by === 'as' || by === 'cc';

		return html`<${Panel} id="destinations" title="Destinations" stale=${stale}
			note=${`${filter ? `${count(list.length)} match among ` : ''}${more ? `the busiest ${asked.length} of ${count(asked.length + more)}` : count(asked.length)} in the last ${words}`}
			actions=${html`<div class="segments" role="group" aria-label="Group by">${BY.map(([id, label]) => html`<button type="button" key=${id} data-by=${id} aria-pressed=${id === by}
				onclick=${() => choose({ by: id === 'port' ? '' : id })}>${label}</button>`)}</div>
				<label class="filter"><span class="vh">Filter: words that a row must contain; a minus before a word excludes</span>
				<input type="search" value=${filter} oninput=${(e) => choose({ q: e.currentTarget.value })} placeholder="Filter: example.com :443 -DE" spellcheck="false" autocomplete="off" maxlength="200" /></label>`}>
			<${Chosen} view=${view} list=${asked} />
			${!d?.value ? html`<${Unready} d=${d} />` : !asked.length ? html`<${Empty}>No destination in the last ${words}. A longer window may have one.</${Empty}>`
		: !list.length ? html`<${Empty}>No destination matches <q><bdi>${filter}</bdi></q>. <button type="button" onclick=${() => choose({ q: '' })}>Clear the filter</button></${Empty}>` : html`
			${grouped && asked.every((x) => !asn_of(x) && !cc_of(x)) && html`<p class="hint">Nothing is known of ${by === 'as' ? 'networks' : 'countries'} yet: <code>net-gazer-collector geo import</code> takes a free database, and its manual says where to get one.</p>`}
			<div class="wide" tabindex="0" role="group" aria-label="Table of destinations"><table role="table" class=${`rows dests by-${by}`}>
			<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">${BY.find(([id]) => id === by)[1]}</th>${grouped && html`<th role="columnheader" scope="col" class="num hosts">Hosts</th>`}
				${this.head('conns', 'Handshakes')}${this.head('trend', 'Trend', 'Against the window before', 'trend')}${this.head('failed', 'Failed')}${this.head('share', 'Failed %', undefined, 'share-of')}
				${this.head('syn_retrans', 'Resent', WORDS.retrans, 'rtx')}${this.head('p50', 'Median ms', WORDS.rtt)}${this.head('p95', 'p95 ms', WORDS.rtt)}
				<th role="columnheader" scope="col" class="bar" title="From the fastest to p95; the tick is the median. Square-root scale, the same for all rows.">Spread</th>${this.head('last', 'Last', undefined, 'last')}</tr></thead>
			<tbody role="rowgroup">${shown.map((x) => html`<tr role="row" key=${key_of(x)}>
				<td role="cell" class="dst"><${What} x=${x} by=${by} view=${view} /></td>${grouped && html`<td role="cell" class="num hosts">${count(x.hosts_n)}</td>`}
				<td role="cell" class="num conns"><span class="bars"><${Share} part=${x.conns} whole=${max_conns} /><span>${count(x.conns)}</span></span></td>
				<td role="cell" class="num trend"><${Trend} x=${x} part=${part} /></td>
				<td role="cell" class="num failed"><${Count} n=${x.failed} loud="bad" /></td>
				<td role="cell" class="num share-of">${x.failed > 0 ? html`<span class=${share(x) >= 0.1 ? 'bad' : ''}>${percent(x.failed, x.conns)}</span>` : html`<span class="zero">0</span>`}</td>
				<td role="cell" class="num rtx"><${Count} n=${x.syn_retrans} loud="warn" /></td>
				<td role="cell" class="num p50"><${Ms} us=${x.rtt_p50_us} /></td>
				<td role="cell" class="num p95"><${Ms} us=${x.rtt_p95_us} /></td>
				<td role="cell" class="bar"><${Range} min=${x.rtt_min_us} p50=${x.rtt_p50_us} p95=${x.rtt_p95_us} max=${max_us} /></td>
				<td role="cell" class="num last"><${Age} ts=${x.last_ts} /></td></tr>`)}</tbody></table></div>
			${list.length > ROWS_FEW && html`<button type="button" class="more" aria-expanded=${all} onclick=${() => this.setState({ all: !all })}>${all ? 'Show fewer' : `Show all ${count(list.length)}`}</button>`}`}
		</${Panel}>`;
	}
}

export function View({ state: { view, window_s, until_s }, of })
{
	if (address(view.dst))
		return html`<${Destination} ...${of('destination')} dst=${view.dst} port=${view.port} window_s=${window_s} until_s=${until_s} />`;
	return html`<${List} ...${of('dests')} view=${view} />`;
}
