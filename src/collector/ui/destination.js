// SPDX-License-Identifier: GPL-2.0-or-later
// All about one destination: how long its handshakes took and when, on its side of the firewall and on ours,
// how they ended, on which ports, from whom.
import { Component } from 'preact';
import { count, host_port, ms, percent, service, span, UNKNOWN, unix_s, window_words } from './format.js';
import { Go } from './go.js';
import { question_in_window } from './link.js';
import { Count, Empty, Host, html, Mark, Ms, Panel, Place, Shape, Share, Unready } from './parts.js';
import { Key, step_clock, steps } from './plot.js';
import { reach, Smoke, smoke, SmokeTwin } from './smoke.js';
import { Stacked } from './stacked.js';
import { address, state } from './store.js';
import { Tile } from './tiles.js';

const PORT = /^\d{1,5}$/;

export const resource = { path: () => address(state.view.dst) && question_in_window('api/destination', { dst: state.view.dst, port: PORT.test(state.view.port) ? state.view.port : '' }), on: ['conn'] };

const OUTCOMES = ['established', 'answered', 'refused', 'timeout', 'other'];

function Outcomes({ totals })
{
	const known = OUTCOMES.filter((k) => totals[k] > 0);

	return html`<ul class="outcomes">${known.map((k) => html`<li key=${k}><${Mark} word=${k} /><${Share} part=${totals[k]} whole=${totals.conns} tone=${k} /><span class="num"><b>${count(totals[k])}</b> <span class="pc">${percent(totals[k], totals.conns)} %</span></span></li>`)}</ul>`;
}

const ROWS_FEW = 10;

// A bounded list beside others: rows are [key, name, counts].
class Side extends Component {
	constructor()
	{
		super();
		this.state = { all: false };
	}

	render({ id, title, partial, head, rows }, { all })
	{
		return html`<${Panel} id=${id} title=${title} note=${partial ? 'the busiest among the newest rows' : null}>
			${!rows.length ? html`<${Empty}>None in this window.</${Empty}>` : html`<div class="wide" tabindex="0" role="group" aria-label=${title}><table class="rows"><thead><tr><th scope="col">${head}</th><th scope="col" class="num">Handshakes</th><th scope="col" class="num">Failed</th></tr></thead>
			<tbody>${(all ? rows : rows.slice(0, ROWS_FEW)).map(([key, name, x]) => html`<tr key=${key}><td class="cutting">${name}</td><td class="num">${count(x.conns)}</td><td class="num"><${Count} n=${x.failed} loud="bad" /></td></tr>`)}</tbody></table></div>`}
			${rows.length > ROWS_FEW && html`<button type="button" class="more" aria-expanded=${all} onclick=${() => this.setState({ all: !all })}>${all ? 'Show fewer' : `Show all ${count(rows.length)}`}</button>`}
		</${Panel}>`;
	}
}

export class Destination extends Component {
	constructor()
	{
		super();
		this.state = { table: false, i: null };
		this.on_index = (i) => {
			if (i !== this.state.i)
				this.setState({ i: i ?? null });
		};
	}

	shouldComponentUpdate(next, next_state)
	{
		return ['d', 'dst', 'port', 'window_s', 'until_s', 'stale'].some((k) => next[k] !== this.props[k]) || next_state !== this.state;
	}

	made()
	{
		const { d, window_s } = this.props;

		if (this.for_d !== d) {
			this.for_d = d;
			const series = d.value.series ?? [];
			const wan = smoke(series, 'hist', window_s), lan = smoke(series, 'src_hist', window_s);
			const { points } = steps(series.map((p) => ({ ...p, t: unix_s(p.t) })).sort((a, b) => a.t - b.t), window_s);
			const ok = points.map((p) => p ? p.conns - p.failed : 0);
			this.was_made = { wan, lan, range: reach([wan, lan]), parts: [['bar', ok], ['bad', points.map((p) => p?.failed ?? 0)]], n: (this.was_made?.n ?? 0) + 1 };
		}
		return this.was_made;
	}

	readout(m)
	{
		const { i } = this.state;
		const { wan, lan, parts } = m;
		const text = (v) => v === null || v === undefined ? UNKNOWN : `${ms(v * 1000).text} ms`;

		if (wan.t[i] === undefined)
			return null;
		const all = parts[0][1][i] + parts[1][1][i];
		return html`<span class="readout">${step_clock(wan.t[i] - wan.step / 2, wan.t[wan.t.length - 1] - wan.t[0], wan.step)} <b>${count(all)}</b> handshakes <b>${count(parts[1][1][i])}</b> failed
			WAN median <b>${text(wan.p50[i])}</b> p95 <b>${text(wan.p95[i])}</b> LAN median <b>${text(lan.p50[i])}</b></span>`;
	}

	render({ d, dst, port, window_s, until_s, stale }, { table })
	{
		const v = d?.value, t = v?.totals;
		const words = window_words(window_s, until_s);
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
		const tile = (us) => { const s = span(us); return { value: s.text, unit: s.unit }; };

		return html`${head}
		<dl class="tiles" aria-label=${`The last ${words} in six numbers`}>
			<${Tile} id="t-conns" label="Handshakes" value=${count(t.conns)} sub=${`in the last ${words}`} values=${m.parts[0][1].map((x, i) => x + m.parts[1][1][i])} />
			<${Tile} id="t-failed" label="Failed" value=${percent(failed, t.conns)} unit="%" sub=${failed ? `${count(failed)} of them` : 'none'} tone=${failed / t.conns >= 0.1 ? 'alarm' : ''} values=${m.parts[1][1]} spark="bad" />
			<${Tile} id="t-p50" label="WAN median" term="rtt" ...${tile(t.rtt_p50_us)} sub="beyond the firewall" values=${m.wan.p50.map((x) => x ?? undefined)} />
			<${Tile} id="t-p95" label="WAN p95" term="rtt" ...${tile(t.rtt_p95_us)} sub="one in twenty is slower" values=${m.wan.p95.map((x) => x ?? undefined)} spark="p95" />
			<${Tile} id="t-lan50" label="LAN median" term="rtt_src" ...${tile(t.src_rtt_p50_us)} sub="on this side of it" values=${m.lan.p50.map((x) => x ?? undefined)} />
			<${Tile} id="t-lan95" label="LAN p95" term="rtt_src" ...${tile(t.src_rtt_p95_us)} sub="one in twenty is slower" values=${m.lan.p95.map((x) => x ?? undefined)} spark="p95" />
		</dl>
		<${Panel} id="smoke" title="RTT over time" note=${this.readout(m) ?? 'the stronger the colour, the more handshakes took that long; the line is the median'}
			actions=${html`<button type="button" aria-pressed=${table} onclick=${() => this.setState({ table: !table })}>As a table</button>`}>
			${table ? html`<${SmokeTwin} wan=${m.wan} lan=${m.lan} series=${v.series} />` : html`<div class="plots">
				<figure><figcaption><${Key} kind="wan">WAN half: SYN to SYN-ACK</${Key}><span>log scale</span></figcaption>
					<${Smoke} half=${m.wan} range=${m.range} tone="accent" shape=${m.n} on_index=${this.on_index} label=${`RTT of the WAN half over the last ${words}: median ${ms(t.rtt_p50_us).text} ms. The same numbers: button "As a table".`} /></figure>
				<figure><figcaption><${Key} kind="lan">LAN half: SYN-ACK to ACK</${Key}><span>the same scale</span></figcaption>
					<${Smoke} half=${m.lan} range=${m.range} tone="good" shape=${m.n} on_index=${this.on_index} label=${`RTT of the LAN half over the last ${words}: median ${ms(t.src_rtt_p50_us).text} ms. The same numbers: button "As a table".`} /></figure></div>`}
		</${Panel}>
		<${Panel} id="ends" title="How they ended" note=${`last ${words}`}><div class="ends-in">
			<figure><figcaption><${Key} kind="bar">stood or answered</${Key}><${Key} kind="failed">failed</${Key}></figcaption><${Stacked} t=${m.wan.t} step=${m.wan.step} parts=${m.parts} sync="destination" shape=${m.n} on_index=${this.on_index}
				label=${`Handshakes over the last ${words}: ${count(t.conns)}, ${count(failed)} failed. The same numbers: button "As a table" above.`} /></figure>
			<${Outcomes} totals=${t} /></div></${Panel}>
		<div class="thirds">
			<${Side} id="dst-ports" title="Ports" head="Port" partial=${v.partial} rows=${(v.ports ?? []).map((x) => [x.dst_port ?? x.port, html`<${Go} page="destinations" view=${{ dst, port: String(x.dst_port ?? x.port) }}>${x.dst_port ?? x.port}<//>${service(x.dst_port ?? x.port) && html`<span class="svc">${service(x.dst_port ?? x.port)}</span>`}${x.rtt_p50_us !== undefined && html` <span class="quiet"><${Ms} us=${x.rtt_p50_us} /> ms</span>`}`, x])} />
			<${Side} id="dst-sources" title="From whom" head="Source" partial=${v.partial || v.sources_n > (v.sources ?? []).length} rows=${(v.sources ?? []).map((x) => [x.src_ip, html`<${Host} ip=${x.src_ip} name=${x.host ?? x.src_name} />`, x])} />
			<${Side} id="by-sensor" title="Seen by" head="Sensor" rows=${(v.sensors ?? []).map((x) => [x.sensor, html`<bdi>${x.sensor}</bdi>${x.rtt_p50_us !== undefined && html` <span class="quiet"><${Ms} us=${x.rtt_p50_us} /> ms</span>`}`, x])} />
		</div>`;
	}
}
