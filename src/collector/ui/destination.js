// SPDX-License-Identifier: GPL-2.0-or-later
// All about one destination: how long its handshakes took and when, on its side of the firewall and on ours,
// how they ended, on which ports, from whom.
import { Component } from 'preact';
import { count, covered, host_port, ms, percent, service, span, UNKNOWN, unix_s, window_words } from './format.js';
import { Go } from './go.js';
import { question_in_window } from './link.js';
import { Count, Empty, Host, html, Mark, Panel, Place, Shape, Share, Unready } from './parts.js';
import { Charted, Key, step_clock, steps, Twin } from './plot.js';
import { reach, Smoke, smoke, SmokeTwin } from './smoke.js';
import { Stacked } from './stacked.js';
import { address, state } from './store.js';
import { Tile } from './tiles.js';

const PORT = /^\d{1,5}$/;

export const resource = { path: () => address(state.view.dst) && question_in_window('api/destination', { dst: state.view.dst, port: PORT.test(state.view.port) ? state.view.port : '' }), on: ['conn'] };

// The words of the report's schema, as they are stacked; the last is what an earlier collector counted as failed
// without keeping how.
const OUTCOMES = ['established', 'answered', 'refused', 'timeout', 'unreachable', 'aborted', 'orphan', 'untold'];
const untold = (x) => x.other - x.unreachable - x.aborted - x.orphan;
const outcome = (x, k) => (k === 'untold' ? untold(x) : x[k]);
const named = (k) => (k === 'untold' ? 'not told how' : k);

function Outcomes({ totals, known })
{
	return html`<ul class="outcomes">${known.map((k) => html`<li key=${k}><span class="told"><${Swatch} of=${k} /><${Mark} word=${k} text=${named(k)} /></span><${Share} part=${outcome(totals, k)} whole=${totals.conns} tone=${k} /><span class="num"><b>${count(outcome(totals, k))}</b> <span class="pc">${percent(outcome(totals, k), totals.conns)} %</span></span></li>`)}</ul>`;
}

const Swatch = ({ of }) => html`<svg class=${`swatch o-${of}`} viewBox="0 0 8 10" aria-hidden="true"><rect width="8" height="10" rx="1" /></svg>`;

// How they ended, step by step: the bars' colours are those of the list beside them.
function EndsTwin({ m, known })
{
	const span_s = m.wan.t[m.wan.t.length - 1] - m.wan.t[0];

	return html`<${Twin} label="How they ended as a table" head=${['From', 'Handshakes', ...known.map((k) => named(k)[0].toUpperCase() + named(k).slice(1))]}
		rows=${m.wan.t.map((t, i) => [step_clock(t - m.wan.step / 2, span_s, m.wan.step), count(m.conns[i]), ...known.map((k) => count(m.ends[k][i]))]).reverse()} />`;
}

const ROWS_FEW = 10;

// A bounded list beside others: rows are [key, name, counts].
class Side extends Component {
	constructor()
	{
		super();
		this.state = { all: false };
	}

	render({ id, title, note, head, rows }, { all })
	{
		return html`<${Panel} id=${id} title=${title} note=${note}>
			${!rows.length ? html`<${Empty}>None in this window.</${Empty}>` : html`<div class="wide" tabindex="0" role="group" aria-label=${title}><table class="rows"><thead><tr><th scope="col">${head}</th><th scope="col" class="num">Handshakes</th><th scope="col" class="num">Failed</th></tr></thead>
			<tbody>${(all ? rows : rows.slice(0, ROWS_FEW)).map(([key, name, x]) => html`<tr key=${key}><td class="cutting">${name}</td><td class="num">${count(x.conns)}</td><td class="num"><${Count} n=${x.failed} loud="bad" /></td></tr>`)}</tbody></table></div>`}
			${rows.length > ROWS_FEW && html`<button type="button" class="more" aria-expanded=${all} onclick=${() => this.setState({ all: !all })}>${all ? 'Show fewer' : `Show all ${count(rows.length)}`}</button>`}
		</${Panel}>`;
	}
}

const Median = ({ us }) => html` <span class="quiet" title="Median RTT">${ms(us).text} ms</span>`;

const busiest = (list, n) => n > (list ?? []).length ? `the busiest ${count(list.length)} of ${count(n)}` : null;

export class Destination extends Charted {
	made()
	{
		const { d, window_s } = this.props;

		if (this.for_d !== d) {
			this.for_d = d;
			const series = d.value.series ?? [], long_s = covered(d.value, window_s).long_s;
			const wan = smoke(series, 'hist', long_s), lan = smoke(series, 'src_hist', long_s);
			const { points } = steps(series.map((p) => ({ ...p, t: unix_s(p.t) })).sort((a, b) => a.t - b.t), long_s);
			const ends = Object.fromEntries(OUTCOMES.map((k) => [k, points.map((p) => (p ? outcome(p, k) : 0))]));
			this.was_made = { wan, lan, range: reach([wan, lan]), conns: points.map((p) => p?.conns ?? 0), failed: points.map((p) => p?.failed ?? 0), ends, n: (this.was_made?.n ?? 0) + 1 };
		}
		return this.was_made;
	}

	readout(m)
	{
		const { i } = this.state;
		const { wan, lan } = m;
		const text = (v) => v === null || v === undefined ? UNKNOWN : `${ms(v * 1000).text} ms`;

		if (wan.t[i] === undefined)
			return null;
		return html`<span class="readout">${step_clock(wan.t[i] - wan.step / 2, wan.t[wan.t.length - 1] - wan.t[0], wan.step)} <b>${count(m.conns[i])}</b> handshakes <b>${count(m.failed[i])}</b> failed
			WAN median <b>${text(wan.p50[i])}</b> p95 <b>${text(wan.p95[i])}</b> LAN median <b>${text(lan.p50[i])}</b></span>`;
	}

	// Of the step under the cursor; else nothing.
	ends_readout(m, known)
	{
		const { i } = this.state;

		if (m.wan.t[i] === undefined)
			return null;
		return html`<span class="readout">${step_clock(m.wan.t[i] - m.wan.step / 2, m.wan.t[m.wan.t.length - 1] - m.wan.t[0], m.wan.step)}${known.filter((k) => m.ends[k][i]).map((k) => html` <b>${count(m.ends[k][i])}</b> ${named(k)}`)}</span>`;
	}

	render({ d, dst, port, window_s, until_s, stale }, { table, ends_table })
	{
		const v = d?.value, t = v?.totals;
		const words = window_words(window_s, until_s, v);
		const title = html`<span class="of">To</span> <bdi>${v?.dst_name ?? host_port(dst, PORT.test(port) ? Number(port) : undefined)}</bdi>`;
		const head = html`<${Panel} id="dest" title=${title} stale=${stale} note=${html`${v?.dst_name !== undefined && html`<bdi class="addr">${host_port(dst, PORT.test(port) ? Number(port) : undefined)}</bdi> `}${PORT.test(port) && service(Number(port)) && html`<span class="svc">${service(Number(port))}</span> `}${v && html`<${Place} x=${v} prefix="dst_" />`}`}
			actions=${html`<${Go} page="paths" view=${{ dst }} tone="button"><${Shape} name="both" />Path<//><${Go} page="explore" view=${{ q: `dst = ${dst}${PORT.test(port) ? ` and port = ${port}` : ''}` }} tone="button">Explore<//>${
			PORT.test(port) && html`<${Go} page="destinations" view=${{ dst }} tone="button">All its ports<//>`}<${Go} page="destinations" tone="button"><${Shape} name="left" />All destinations<//>`}>
			${!v && html`<${Unready} d=${d} />`}
			${t && t.conns === 0 && html`<${Empty}>No handshake with it in the last ${words}. A longer window may have some.</${Empty}>`}
		</${Panel}>`;

		if (!t || !t.conns)
			return head;
		const m = this.made();
		const failed = t.conns - t.established - t.answered;
		const known = OUTCOMES.filter((k) => outcome(t, k) > 0);
		const tile = (us) => { const s = span(us); return { value: s.text, unit: s.unit }; };

		return html`${head}
		<dl class="tiles" aria-label=${`The last ${words} in six numbers`}>
			<${Tile} id="t-conns" label="Handshakes" value=${count(t.conns)} sub=${`in the last ${words}`} values=${m.conns} />
			<${Tile} id="t-failed" label="Failed" value=${percent(failed, t.conns)} unit="%" sub=${failed ? `${count(failed)} of them` : 'none'} tone=${failed / t.conns >= 0.1 ? 'alarm' : ''} values=${m.failed} spark="bad" />
			<${Tile} id="t-p50" label="WAN median" term="rtt" ...${tile(t.rtt_p50_us)} sub="beyond the firewall" values=${m.wan.p50.map((x) => x ?? undefined)} />
			<${Tile} id="t-p95" label="WAN p95" term="rtt" ...${tile(t.rtt_p95_us)} sub="one in twenty is slower" values=${m.wan.p95.map((x) => x ?? undefined)} spark="p95" />
			<${Tile} id="t-lan50" label="LAN median" term="rtt_src" ...${tile(t.src_rtt_p50_us)} sub="on this side of it" values=${m.lan.p50.map((x) => x ?? undefined)} />
			<${Tile} id="t-lan95" label="LAN p95" term="rtt_src" ...${tile(t.src_rtt_p95_us)} sub="one in twenty is slower" values=${m.lan.p95.map((x) => x ?? undefined)} spark="p95" />
		</dl>
		<${Panel} id="smoke" title="RTT over time" note=${this.readout(m) ?? 'the stronger the colour, the more handshakes took that long; the line is the median'}
			actions=${this.table_button()}>
			${table ? html`<${SmokeTwin} wan=${m.wan} lan=${m.lan} series=${v.series} />` : html`<div class="plots">
				<figure><figcaption><${Key} kind="wan">WAN half: SYN to SYN-ACK</${Key}><span>log scale</span></figcaption>
					<${Smoke} half=${m.wan} range=${m.range} tone="accent" shape=${m.n} on_index=${this.on_index} label=${`RTT of the WAN half over the last ${words}: median ${ms(t.rtt_p50_us).text} ms. The same numbers: button "As a table".`} /></figure>
				<figure><figcaption><${Key} kind="lan">LAN half: SYN-ACK to ACK</${Key}><span>the same scale</span></figcaption>
					<${Smoke} half=${m.lan} range=${m.range} tone="good" shape=${m.n} on_index=${this.on_index} label=${`RTT of the LAN half over the last ${words}: median ${ms(t.src_rtt_p50_us).text} ms. The same numbers: button "As a table".`} /></figure></div>`}
		</${Panel}>
		<${Panel} id="ends" title="How they ended" note=${this.ends_readout(m, known) ?? `last ${words}`} actions=${this.table_button('ends_table')}>
			${ends_table ? html`<${EndsTwin} m=${m} known=${known} />` : html`<div class="ends-in">
			<figure><${Stacked} t=${m.wan.t} step=${m.wan.step} parts=${known.map((k) => [`o-${k}`, m.ends[k]])} sync="destination" shape=${`${m.n} ${known}`} on_index=${this.on_index}
				label=${`Handshakes over the last ${words}: ${known.map((k) => `${count(outcome(t, k))} ${named(k)}`).join(', ')}. The same numbers: button "As a table".`} /></figure>
			<${Outcomes} totals=${t} known=${known} /></div>`}</${Panel}>
		<div class="thirds">
			<${Side} id="dst-ports" title="Ports" head="Port" note=${busiest(v.ports, v.ports_n)} rows=${(v.ports ?? []).map((x) => [x.dst_port ?? x.port, html`<${Go} page="destinations" view=${{ dst, port: String(x.dst_port ?? x.port) }}>${x.dst_port ?? x.port}<//>${service(x.dst_port ?? x.port) && html`<span class="svc">${service(x.dst_port ?? x.port)}</span>`}${x.rtt_p50_us !== undefined && html`<${Median} us=${x.rtt_p50_us} />`}`, x])} />
			<${Side} id="dst-sources" title="From whom" head="Source" note=${v.partial ? `in the newest ${count(v.sources_conns)} of ${count(t.conns)} handshakes` : busiest(v.sources, v.sources_n)} rows=${(v.sources ?? []).map((x) => [x.src_ip, html`<${Host} ip=${x.src_ip} name=${x.host ?? x.src_name} />`, x])} />
			<${Side} id="by-sensor" title="Seen by" head="Sensor" rows=${(v.sensors ?? []).map((x) => [x.sensor, html`<bdi>${x.sensor}</bdi>${x.rtt_p50_us !== undefined && html`<${Median} us=${x.rtt_p50_us} />`}`, x])} />
		</div>`;
	}
}
