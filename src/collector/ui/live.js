// SPDX-License-Identifier: GPL-2.0-or-later
// Live handshakes: the newest 200 that match the filter.  The list stands still while somebody
// points at it or reads a row's details, and says what waits.
import { count } from './format.js';
import { Age, Count, Dir, Empty, Host, html, Mark, memo, Ms, Panel, Term } from './parts.js';
import { choose } from './link.js';
import { filter_rows, held, key, rows_fresh, rows_release, set, state } from './store.js';
import { WORDS } from './words.js';

const ROWS_SHOWN = 200;
const READING_MS = 20000;

// What a person asks first; the rest follows as the sensor wrote it.
const ORDER = ['ts', 'sensor', 'dir', 'host', 'src_ip', 'src_port', 'dst_name', 'dst_ip', 'dst_port', 'state', 'history',
	'rtt_us', 'rtt_src_us', 'rtt_ambiguous_us', 'setup_us', 'syn_retrans', 'synack_retrans', 'icmp', 'iif', 'oif'];

function value_text(name, v)
{
	if (typeof v === 'string')
		return v;
	if (typeof v === 'number' && name.endsWith('_us'))
		return `${count(v)} µs`;
	return typeof v === 'number' ? String(v) : JSON.stringify(v);
}

function Details({ r })
{
	const names = [...ORDER.filter((n) => r[n] !== undefined), ...Object.keys(r).filter((n) => !ORDER.includes(n))];

	return html`<dl class="fields">${names.map((n) => html`<div key=${n}><dt>${n}</dt><dd><bdi>${value_text(n, r[n])}</bdi></dd></div>`)}</dl>`;
}

function toggle(k)
{
	set({ open: state.open === k ? null : k });
	if (!held())
		rows_release();
}

const Row = memo(({ r, k, open }) => html`<tr role="row" class=${open ? 'open' : ''} onclick=${() => toggle(k)}>
	<td role="cell" class="when"><button type="button" class="row" aria-expanded=${open}
		onclick=${(e) => { e.stopPropagation(); toggle(k); }}><${Age} ts=${r.ts} /><span class="vh">, details of this handshake</span></button></td>
	<td role="cell" class="dir"><${Dir} dir=${r.dir} /></td>
	<td role="cell" class="src"><${Host} ip=${r.src_ip} name=${r.host} /></td>
	<td role="cell" class="dst"><${Host} ip=${r.dst_ip} port=${r.dst_port} name=${r.dst_name} /></td>
	<td role="cell" class="state"><${Mark} word=${r.state} /></td>
	<td role="cell" class="num rtt">${r.rtt_us === undefined && r.rtt_ambiguous_us !== undefined
		? html`<span class="ambiguous" title=${WORDS.ambiguous}>~<${Ms} us=${r.rtt_ambiguous_us} /></span>` : html`<${Ms} us=${r.rtt_us} />`}</td>
	<td role="cell" class="num setup"><${Ms} us=${r.setup_us} /></td>
	<td role="cell" class="num rtx"><${Count} n=${r.syn_retrans} loud="warn" /></td>
</tr>${open && html`<tr role="row" class="detail"><td role="cell" colspan="8"><${Details} r=${r} /></td></tr>`}`);

// A pointer that rests somewhere on a wall screen does not stop the list for good.
let rest_timer = 0;

function hold(reading, for_ms)
{
	clearTimeout(rest_timer);
	if (for_ms)
		rest_timer = setTimeout(() => hold(false), for_ms);
	if (state.reading === reading)
		return;
	set({ reading });
	if (!held())
		rows_release();
}

// A click puts the focus here too, and then the reader goes away: only the keyboard's focus holds.
function enter(e)
{
	if (e.target.matches(':focus-visible'))
		hold(true);
}

function leave(e)
{
	if (!e.currentTarget.contains(e.relatedTarget))
		hold(false);
}

function on_filter(e)
{
	set({ open: null });
	choose({ q: e.currentTarget.value });
}

function show_waiting()
{
	document.activeElement.blur();
	set({ open: null, reading: false });
	rows_release();
	document.querySelector('.live .scroll').scrollTop = 0;
}

export const Live = memo(({ rows: all, sensor, filter, until_s, open, waiting, waiting_lost, skipped, is_held, paused, empty }) => {
	const rows = sensor ? all.filter((r) => r.sensor === sensor) : all;
	const match = filter_rows(rows, filter);
	const shown = match.slice(0, ROWS_SHOWN);
	const fresh = waiting.length ? filter_rows(rows_fresh(), filter).length : 0;
	const note = paused ? null : is_held && fresh > 0
		? html`<button type="button" class="waiting" onclick=${show_waiting}>${count(fresh)}${waiting_lost ? '+' : ''} new, list held still</button>`
		: filter ? `${count(match.length)} of the last ${count(rows.length)} match` : rows.length ? `last ${count(shown.length)}${until_s ? ', of now' : ''}` : null;

	return html`<${Panel} id="live" title="Live handshakes" note=${note}
		actions=${html`<label class="filter"><span class="vh">Filter: words that a row must contain; a minus before a word excludes</span>
			<input type="search" value=${filter} oninput=${on_filter} placeholder="Filter: 443 refused -10.0.0" spellcheck="false" autocomplete="off" maxlength="200" /></label>`}>
		${skipped > 0 && html`<p class="hint" role="status">${count(skipped)} event${skipped === 1 ? '' : 's'} came faster than a page can follow and ${skipped === 1 ? 'is' : 'are'} not all in this list. The numbers count them.</p>`}
		${!rows.length ? empty ?? html`<${Empty}>Sensor <bdi>${sensor}</bdi> has no handshake among the latest.</${Empty}>` : !shown.length ? html`<${Empty}>No handshake matches <q><bdi>${filter}</bdi></q>. <button type="button" onclick=${() => choose({ q: '' })}>Clear the filter</button></${Empty}>`
		: html`<div class="scroll" tabindex="0" role="group" aria-label="Live handshakes, newest first"
			onmousemove=${() => hold(true, READING_MS)} onmouseleave=${() => hold(false)} onfocusin=${enter} onfocusout=${leave}>
		<table role="table" class="rows conns">
			<colgroup><col class="c-when" /><col class="c-dir" /><col class="c-src" /><col class="c-dst" /><col class="c-state" /><col class="c-num" /><col class="c-num" /><col class="c-rtx" /></colgroup>
			<thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Age</th><th role="columnheader" scope="col">Way</th>
				<th role="columnheader" scope="col">Source</th><th role="columnheader" scope="col">Destination</th>
				<th role="columnheader" scope="col">State</th>
				<th role="columnheader" scope="col" class="num" title=${WORDS.rtt}>RTT ms</th>
				<th role="columnheader" scope="col" class="num" title=${WORDS.setup}>Setup ms</th>
				<th role="columnheader" scope="col" class="num" title=${WORDS.retrans}>Resent</th></tr></thead>
			<tbody role="rowgroup">${shown.map((r) => {
		const k = key(r);
		return html`<${Row} key=${k} k=${k} r=${r} open=${open === k} />`;
	})}</tbody>
		</table></div>`}
	</${Panel}>`;
});

export const Others = memo(({ others }) => !others.length ? null : html`<${Panel} id="others" title="Other reports" note="paths and plugins, since this page was opened">
	<div class="scroll" tabindex="0" role="group" aria-label="Other reports, newest first"><table class="rows"><thead><tr>
		<th scope="col">Age</th><th scope="col">From</th><th scope="col">Kind</th><th scope="col">What it says</th></tr></thead>
	<tbody>${others.map((r) => html`<tr key=${key(r)}><td class="when"><${Age} ts=${r.ts} /></td>
		<td><bdi>${r.type === 'trace' ? 'traceroute' : r.plugin}</bdi></td><td><bdi>${r.type === 'trace' ? r.method : r.kind}</bdi></td>
		<td class="says"><bdi>${r.type === 'trace' ? path_words(r) : JSON.stringify(r.data ?? {})}</bdi></td></tr>`)}</tbody></table></div>
</${Panel}>`);

function path_words(r)
{
	const hops = r.hops.map((x) => x.name ?? x.ip ?? '*').join(' > ');

	return `${r.reached ? 'reached' : 'did not reach'} ${r.dst_name ?? r.dst_ip} in ${r.hops.length} hops: ${hops}`;
}
