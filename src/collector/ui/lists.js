// SPDX-License-Identifier: GPL-2.0-or-later
// The three lists over the window: destinations, failures, inbound attempts.
import { Component } from 'preact';
import { count, percent, service, window_words } from './format.js';
import { Go } from './go.js';
import { Age, Count, Empty, Host, html, Mark, Ms, Panel, Range, Share } from './parts.js';
import { WORDS } from './words.js';

const ASKED = 50;

// `partial`: the collector looked at the newest rows only, because there were too many.
function more_note(list, words, partial)
{
	return `${list.length >= ASKED ? `the first ${ASKED}, ` : ''}last ${words}${partial ? ', newest rows only' : ''}`;
}

class Long extends Component {
	constructor()
	{
		super();
		this.few = 6;
		this.state = { all: false };
	}

	cut(list)
	{
		return this.state.all ? list : list.slice(0, this.few);
	}

	button(list)
	{
		return list.length > this.few && html`<button type="button" class="more" aria-expanded=${this.state.all}
			onclick=${() => this.setState({ all: !this.state.all })}>${this.state.all ? 'Show fewer' : `Show all ${count(list.length)}`}</button>`;
	}

	shouldComponentUpdate(next, next_state)
	{
		return next.d !== this.props.d || next.window_s !== this.props.window_s || next.stale !== this.props.stale
			|| next_state !== this.state;
	}
}

const ORDERS = {
	conns: (a, b) => b.conns - a.conns,
	failed: (a, b) => b.failed - a.failed || b.conns - a.conns,
	syn_retrans: (a, b) => b.syn_retrans - a.syn_retrans,
	rtt_p50_us: (a, b) => (b.rtt_p50_us ?? -1) - (a.rtt_p50_us ?? -1),
	rtt_p95_us: (a, b) => (b.rtt_p95_us ?? -1) - (a.rtt_p95_us ?? -1),
};

export class Destinations extends Long {
	constructor()
	{
		super();
		this.few = 10;
		this.state.by = 'conns';
	}

	head(by, label, title)
	{
		const on = this.state.by === by;

		return html`<th role="columnheader" scope="col" class=${`num ${by === 'syn_retrans' ? 'rtx' : ''}`} aria-sort=${on ? 'descending' : 'none'} title=${title}><button type="button"
			onclick=${() => this.setState({ by })}>${label}</button></th>`;
	}

	render({ d, window_s, until_s, stale }, { by })
	{
		const list = d?.value?.destinations ?? [];
		const words = window_words(window_s, until_s, d?.value);
		const sorted = list.slice().sort(ORDERS[by]);
		const max_us = Math.max(0, ...list.map((x) => x.rtt_p95_us ?? 0));
		const max_conns = Math.max(0, ...list.map((x) => x.conns));

		return html`<${Panel} id="destinations" title="Top destinations" note=${more_note(list, words)} stale=${stale}>
			${!d?.value ? null : !list.length ? html`<${Empty}>No destination in the last ${words}.</${Empty}>` : html`<div class="wide" tabindex="0" role="group" aria-label="Table of top destinations"><table role="table" class="rows dests">
			<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Destination</th>${this.head('conns', 'Handshakes')}${this.head('failed', 'Failed')}
				${this.head('syn_retrans', 'Resent', WORDS.retrans)}${this.head('rtt_p50_us', 'Median ms', WORDS.rtt)}${this.head('rtt_p95_us', 'p95 ms', WORDS.rtt)}
				<th role="columnheader" scope="col" class="bar" title="From the fastest to p95; the tick is the median. Square-root scale, the same for all rows.">Spread</th><th role="columnheader" scope="col" class="num last">Last</th></tr></thead>
			<tbody role="rowgroup">${this.cut(sorted).map((x) => html`<tr role="row" key=${`${x.proto} ${x.dst_ip} ${x.dst_port}`}>
				<td role="cell" class="dst"><${Go} page="destinations" view=${{ dst: x.dst_ip, port: String(x.dst_port) }}><${Host} ip=${x.dst_ip} port=${x.dst_port} name=${x.dst_name} /></${Go}></td>
				<td role="cell" class="num conns"><span class="bars"><${Share} part=${x.conns} whole=${max_conns} /><span>${count(x.conns)}</span></span></td>
				<td role="cell" class="num failed"><${Count} n=${x.failed} loud="bad" /><span class="pc">${x.failed > 0 && `${percent(x.failed, x.conns)} %`}</span></td>
				<td role="cell" class="num rtx"><${Count} n=${x.syn_retrans} loud="warn" /></td>
				<td role="cell" class="num p50"><${Ms} us=${x.rtt_p50_us} /></td>
				<td role="cell" class="num p95"><${Ms} us=${x.rtt_p95_us} /></td>
				<td role="cell" class="bar"><${Range} min=${x.rtt_min_us} p50=${x.rtt_p50_us} p95=${x.rtt_p95_us} max=${max_us} /></td>
				<td role="cell" class="num last"><${Age} ts=${x.last_ts} /></td></tr>`)}</tbody></table></div>${this.button(list)}`}
		</${Panel}>`;
	}
}

export class Failures extends Long {
	render({ d, window_s, until_s, stale })
	{
		const list = d?.value?.failures ?? [];
		const words = window_words(window_s, until_s, d?.value);

		return html`<${Panel} id="failures" title="Failing" note=${more_note(list, words, d?.value?.partial)} stale=${stale}>
			${!d?.value ? null : !list.length ? html`<${Empty} good>No handshake failed in the last ${words}.</${Empty}>` : html`<div class="wide" tabindex="0" role="group" aria-label="Table of failures"><table class="rows fails">
			<thead><tr><th scope="col">Destination</th><th scope="col" class="num">Times</th><th scope="col" class="num last">Last</th></tr></thead>
			<tbody>${this.cut(list).map((x) => html`<tr key=${`${x.dst_ip} ${x.dst_port} ${x.state}`}>
				<td class="dst"><${Go} page="destinations" view=${{ dst: x.dst_ip, port: String(x.dst_port) }}><${Host} ip=${x.dst_ip} port=${x.dst_port} name=${x.dst_name} /></${Go}><span class="under"><${Mark} word=${x.state} /><span>from ${count(x.src_n)} source${x.src_n === 1 ? '' : 's'}</span></span></td>
				<td class="num">${count(x.count)}</td>
				<td class="num last"><${Age} ts=${x.last_ts} /></td></tr>`)}</tbody></table></div>${this.button(list)}`}
		</${Panel}>`;
	}
}

export const KINDS = { __proto__: null, single: 'single tries', vertical_scan: 'port scan', horizontal_scan: 'sweep', flood: 'flood' };
const PORTS_SHOWN = 3;

export function Ports({ ports, n })
{
	const all = ports ?? [];
	const rest = Math.max(n ?? 0, all.length) - Math.min(all.length, PORTS_SHOWN);

	return html`<span class="ports" title=${all.length ? `Ports ${all.join(', ')}${(n ?? 0) > all.length ? ` and ${n - all.length} more` : ''}` : undefined}
		>${all.slice(0, PORTS_SHOWN).map((p) => html`<span class="chip" key=${p}>${p}${service(p) && html`<span class="svc">${service(p)}</span>`}</span>`)}${
		rest > 0 && html`<span class="chip rest">+${count(rest)}</span>`}</span>`;
}

export class Attempts extends Long {
	render({ d, window_s, until_s, stale })
	{
		const list = d?.value?.attempts ?? [];
		const words = window_words(window_s, until_s, d?.value);

		return html`<${Panel} id="attempts" title="Inbound attempts" note=${more_note(list, words, d?.value?.partial)} stale=${stale}>
			${!d?.value ? null : !list.length ? html`<${Empty} good>Nobody knocked from outside in the last ${words}. Attempts are watched by the plugin <code>attempts</code>; the ledger shows whether it runs.</${Empty}>` : html`<div class="wide" tabindex="0" role="group" aria-label="Table of inbound attempts"><table class="rows tries">
			<thead><tr><th scope="col">Source</th><th scope="col" class="num">SYNs</th><th scope="col" class="num last">Last</th></tr></thead>
			<tbody>${this.cut(list).map((x) => html`<tr key=${x.src_ip}>
				<td class="src"><${Host} ip=${x.src_ip} /><span class="under">${Object.entries(x.verdicts ?? {}).map(([v, n]) => html`<${Mark} key=${v} word=${v} text=${Object.keys(x.verdicts).length > 1 ? `${v} ${count(n)}` : v} />`)}<span class="kind" title=${WORDS[x.kind]}>${KINDS[x.kind] ?? x.kind}</span><${Ports} ports=${x.dst_ports} n=${x.dst_ports_n} /></span></td>
				<td class="num">${count(x.count)}</td>
				<td class="num last"><${Age} ts=${x.last_ts} /></td></tr>`)}</tbody></table></div>${this.button(list)}`}
		</${Panel}>`;
	}
}
