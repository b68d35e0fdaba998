// SPDX-License-Identifier: GPL-2.0-or-later
// One hop: who uses it, since when, its round trip time over time, the links to it and from it.
import { count, day_clock, exact, ms, percent, span, unix_s, UNKNOWN } from './format.js';
import { choose } from './link.js';
import { Age, Empty, Host, html, memo, Ms, Panel } from './parts.js';
import { WORDS } from './words.js';

const ROWS_MAX = 50;
const H = 120, X0 = 44, TICKS = [1, 2, 5];

// A hop in a table of hops: a button that leads to all that goes through it.
export function Hop({ h })
{
	if (!h)
		return html`<span class="unknown">${UNKNOWN}</span>`;
	if (!h.ip)
		return html`<span class="silent" title=${WORDS.silent}>no answer</span>`;
	return html`<button type="button" class="row" onclick=${() => choose({ hop: h.ip, dst: '' })}><${Host} ip=${h.ip} name=${h.name} /></button>`;
}

// Two or three round numbers up to the largest.
function marks(max_us)
{
	let step = 10;

	for (let i = 0; max_us / step > 3; i++)
		step = TICKS[i % 3] * 10 ** (1 + Math.floor(i / 3));
	return Array.from({ length: Math.floor(max_us / step) }, (_, i) => (i + 1) * step);
}

const RttOverTime = memo(({ points }) => {
	const list = points.filter((p) => Number.isFinite(p.rtt_us)).map((p) => ({ ...p, t: unix_s(p.ts) })).sort((a, b) => a.t - b.t);

	if (list.length < 2)
		return html`<p class="note">Its time over time shows once two traces have measured it.</p>`;
	const from = list[0].t, to = list[list.length - 1].t, most = Math.max(...list.map((p) => p.rtt_us)) * 1.08;
	const x = (t) => `${((t - from) / Math.max(1, to - from) * 100).toFixed(2)}%`, y = (us) => (H - us / most * (H - 8)).toFixed(1);
	return html`<figure class="overtime"><figcaption>Round trip time of ${count(list.length)} traces</figcaption>
		<svg class="dots" height=${H + 20} role="img" aria-label=${`Round trip times from ${day_clock(from)} to ${day_clock(to)}, up to ${span(most / 1.08).text} ${span(most / 1.08).unit}; the table below has them.`}>
		${marks(most).map((us) => html`<g key=${us}><line class="rail" x1=${X0} x2="100%" y1=${y(us)} y2=${y(us)} /><text x=${X0 - 6} y=${y(us)} text-anchor="end">${span(us).text.replace(/\.?0+$/, '')} ${span(us).unit}</text></g>`)}
		<svg x=${X0} width="100%" height=${H + 20} class="in">${list.map((p, i) => html`<circle key=${i} cx=${x(p.t)} cy=${y(p.rtt_us)} r="2.6" />`)}</svg>
		<text x=${X0} y=${H + 14}>${day_clock(from)}</text><text x="100%" y=${H + 14} text-anchor="end">${day_clock(to)}</text></svg>
		<details class="more"><summary>These times as a table</summary><div class="scroll" tabindex="0" role="group" aria-label="Round trip times, the latest first"><table class="rows numbers"><thead><tr><th scope="col">Time</th><th scope="col">RTT ms</th></tr></thead>
		<tbody>${list.slice(-ROWS_MAX).reverse().map((p, i) => html`<tr key=${i}><th scope="row">${exact(p.ts)}</th><td><${Ms} us=${p.rtt_us} /></td></tr>`)}</tbody></table></div></details></figure>`;
});

function Neighbours({ title, list })
{
	return html`<article><h3>${title}</h3>${list.length ? html`<table class="rows near"><thead><tr><th scope="col">Hop</th><th scope="col" class="num">TTL</th><th scope="col" class="num" title=${WORDS.added}>Added ms</th><th scope="col" class="num">Traces</th><th scope="col" class="num">Lost</th></tr></thead>
		<tbody>${list.slice(0, ROWS_MAX).map((x, i) => html`<tr key=${i}><td>${x.ip ? html`<${Hop} h=${x} />` : html`<bdi>${x.sensor}</bdi>`}${x.gap > 0 && html` <span class="chip">over ${x.gap} silent</span>`}</td><td class="num">${count(x.ttl)}</td><td class="num">${ms(x.added_p50_us).text}</td><td class="num">${count(x.traces)}</td>
			<td class="num">${x.loss === undefined ? UNKNOWN : `${percent(x.loss, 1)} %`}</td></tr>`)}</tbody></table>` : html`<p class="note">None.</p>`}</article>`;
}

export const HopPanel = memo(({ d, hop }) => {
	const v = d?.value;

	return html`<${Panel} id="hop" title=${html`Hop <bdi>${v?.name ?? hop}</bdi>`} note=${v?.name !== undefined && html`<bdi class="addr">${hop}</bdi>`}
		actions=${html`<button type="button" onclick=${() => choose({ hop: '' })}>Close</button>`}>
		${!v ? html`<${Empty}>${d?.error ? html`No answer about <bdi>${hop}</bdi>: <bdi>${d.error}</bdi>` : 'Asking the collector.'}</${Empty}>` : html`
		<p class="about">${v.asn ? html`<span>AS${v.asn} <bdi>${v.as_org}</bdi></span>` : ''}${v.cc && html`<span><bdi>${v.cc}</bdi></span>`}
			${v.first_ts && html`<span>seen since ${day_clock(unix_s(v.first_ts))}, last <${Age} ts=${v.last_ts} /> ago</span>`}${v.traces !== undefined && html`<span>in ${count(v.traces)} traces</span>`}</p>
		<${RttOverTime} points=${v.rtt ?? []} />
		<div class="halves"><${Neighbours} title="From" list=${v.links_in ?? []} /><${Neighbours} title="To" list=${v.links_out ?? []} />
		<article><h3>Used on the way to</h3><table class="rows users"><thead><tr><th scope="col">Destination</th><th scope="col">Sensor</th><th scope="col" class="num">Traces</th><th scope="col" class="num">Last</th></tr></thead>
		<tbody>${(v.destinations ?? []).slice(0, ROWS_MAX).map((p) => html`<tr key=${`${p.sensor} ${p.dst_ip}`}><td><button type="button" class="row" onclick=${() => choose({ dst: p.dst_ip, hop: '' })}><${Host} ip=${p.dst_ip} port=${p.dst_port} name=${p.dst_name} /></button></td><td><bdi>${p.sensor}</bdi></td><td class="num">${count(p.traces)}</td><td class="num"><${Age} ts=${p.last_ts} /></td></tr>`)}</tbody></table>
		${v.partial && html`<p class="note">There are more.</p>`}</article></div>`}
	</${Panel}>`;
});
