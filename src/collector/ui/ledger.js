// SPDX-License-Identifier: GPL-2.0-or-later
// The sensor's ledger: where every packet and every report went, as sums that must come out even,
// and what the sensor says about its plugins and its sandbox.
import { age, count, exact, kib, percent, span, UNKNOWN } from './format.js';
import { Age, Empty, html, Mark, memo, Panel, Shape, Share, Term } from './parts.js';
import { latest_runs, sensor_silent } from './runs.js';
import { LEDGER_HELP, WORDS } from './words.js';

// [total, label, parts]: total = sum of the parts.  A part that the sensor left out counts as 0 when
// the total is known; without the total there is nothing to check.
function sums(s)
{
	const t = s.stat;

	return [
		{ of: 'The rules', total: ['seen', t.seen], parts: [['logged', t.logged], ['sampled_out', t.sampled_out]] },
		{ of: 'The kernel', total: ['logged', t.logged], parts: [['received', t.received], ['gap', t.gap], ['tail', t.tail]] },
		{ of: 'The decoder', total: ['received', t.received], parts: [['parsed', t.parsed], ['truncated', t.truncated],
			['malformed', t.malformed], ['unsupported', t.unsupported], ['in_hand', t.in_hand]] },
		{ of: 'The way here', total: ['numbered', Number.isFinite(s.seq_max) && Number.isFinite(s.seq_first) ? s.seq_max - s.seq_first + 1 : undefined],
			parts: [['stored', s.stored], ['missing', s.missing]] },
	];
}

const LOSS = { __proto__: null, sampled_out: 'warn', gap: 'bad', truncated: 'warn', malformed: 'warn', in_hand: 'bad', missing: 'bad', reports_dropped: 'bad', flows_evicted: 'warn' };
const LABELS = { __proto__: null, sampled_out: 'sampled out', in_hand: 'in hand', reports_dropped: 'dropped', flows_live: 'followed now', flows_evicted: 'evicted', no_ts: 'without kernel time', clock_steps: 'clock steps', rss_kib: 'memory', cpu_us: 'processor', kernel_drops: 'kernel drops' };

function Figure({ name, n, total, text })
{
	return html`<span class=${`figure f-${name} ${total ? 'total' : ''} ${n > 0 && LOSS[name] ? LOSS[name] : n === 0 ? 'zero' : ''}`}>
		<b>${text ?? count(n)}</b><${Term} word=${name}>${LABELS[name] ?? name}</${Term}></span>`;
}

function Sum({ sum })
{
	const [name, total] = sum.total;
	const added = sum.parts.reduce((n, [, v]) => n + (v ?? 0), 0);
	const known = total !== undefined;
	const off = known ? total - added : 0;

	return html`<div class=${`sum ${known && off ? 'uneven' : ''}`} role="group" aria-label=${`${sum.of}: ${name}`}>
		<h4>${sum.of}</h4>
		<div class="terms"><${Figure} name=${name} n=${total} total />${sum.parts.map(([p, v], i) =>
		html`<span class="pair" key=${p}><span class="op" aria-hidden="true">${i ? '+' : '='}</span><${Figure} name=${p} n=${v ?? (known ? 0 : undefined)} /></span>`)}</div>
		<span class="even">${!known ? html`<span class="mark dim"><${Shape} name="dash" />not told</span>`
		: off ? html`<span class="mark bad"><${Shape} name="cross" />off by ${count(Math.abs(off))}</span>`
			: html`<span class="mark good"><${Shape} name="check" />adds up</span>`}</span>
	</div>`;
}

function Sandbox({ sandbox })
{
	const words = [['no_caps', 'no capabilities'], ['no_new_privs', 'no new privileges'], ['seccomp', 'seccomp filter'], ['landlock', 'Landlock']];

	if (!sandbox)
		return html`<p class="quiet">The sensor did not say.</p>`;
	return html`<ul class="posture">${words.map(([k, label]) => {
		const v = sandbox[k];
		return html`<li key=${k}><span class=${`mark ${v === true ? 'good' : v === false ? 'bad' : 'dim'}`}><${Shape} name=${v === true ? 'check' : v === false ? 'cross' : 'dash'}
			/><${Term} word=${k}>${label}</${Term}><span class="yes">${v === true ? 'on' : v === false ? 'off' : 'not told'}</span></span></li>`;
	})}</ul>`;
}

function Plugins({ plugins })
{
	if (!plugins)
		return html`<p class="quiet">The sensor did not say.</p>`;
	if (!plugins.length)
		return html`<p class="quiet">No plugin is loaded.</p>`;
	return html`<div class="wide" tabindex="0" role="group" aria-label="Table of plugins"><table class="rows plugins"><thead><tr><th scope="col">Plugin</th><th scope="col">State</th>
		<th scope="col" class="num" title=${WORDS.calls}>Calls</th><th scope="col" class="num" title=${WORDS.cpu_per_call}>µs a call</th>
		<th scope="col" class="num" title=${WORDS.max_us}>Slowest</th><th scope="col">Its own counters</th></tr></thead>
	<tbody>${plugins.map((p, i) => {
		const slow = span(p.max_us);
		return html`<tr key=${i}><td><bdi class="pname">${p.name}</bdi>${p.version !== undefined && html` <bdi class="version">${p.version}</bdi>`}</td>
		<td>${p.state === undefined ? UNKNOWN : html`<${Mark} word=${p.state} />`}</td><td class="num">${count(p.calls)}</td>
		<td class="num">${p.calls > 0 && p.cpu_us !== undefined ? (p.cpu_us / p.calls).toFixed(2) : UNKNOWN}</td>
		<td class="num">${slow.text} ${slow.unit}</td>
		<td class="counters">${Object.entries(p.counters ?? {}).map(([k, v]) => html`<span class="counter" key=${k}><bdi>${k}</bdi> <b>${count(v)}</b></span>`)}</td></tr>`;
	})}</tbody></table></div>`;
}

function Sensor({ s, latest })
{
	const t = s.stat;
	const silent = sensor_silent(s);
	const cpu = span(t?.cpu_us);

	return html`<article class=${`sensor ${latest ? '' : 'older'}`} aria-label=${`Sensor ${s.sensor}`}>
		<header><h3><bdi>${s.sensor}</bdi></h3>
			${!latest ? html`<span class="mark dim"><${Shape} name="ring" />an earlier run</span>`
		: silent ? html`<span class="mark warn"><${Shape} name="clock" />${t ? `silent for ${age(s.stat_age_s)}` : 'no ledger yet'}</span>`
			: html`<span class="mark good"><${Shape} name="disc" />reporting</span>`}
			<span class="about">${t?.version !== undefined && html`<span>version <bdi>${t.version}</bdi></span>`}
				<span title=${exact(s.first_rx)}>boot <code>${s.boot}</code></span>
				<span>last report <${Age} ts=${s.last_rx} /></span></span>
			${t?.seen !== undefined && html`<span class="cover"><${Share} part=${t.parsed ?? 0} whole=${t.seen} /><b>${percent(t.parsed, t.seen)} %</b><${Term} word="coverage">coverage</${Term}></span>`}
		</header>
		${!t ? html`<${Empty}>This sensor has sent reports, but no ledger yet: one comes every 10 seconds. It stored ${count(s.stored)} here; ${count(s.missing)} are missing.</${Empty}>` : html`
		<div class="sums">${sums(s).map((sum) => html`<${Sum} key=${sum.of} sum=${sum} />`)}</div>
		<div class="rest">
			<div class="box"><h4>Reports and state</h4><div class="terms">
				<${Figure} name="reports" n=${t.reports} /><${Figure} name="reports_dropped" n=${t.reports_dropped} />
				<${Figure} name="flows_live" n=${t.flows_live} text=${t.flows_max ? `${count(t.flows_live)} of ${count(t.flows_max)}` : undefined} />
				<${Figure} name="flows_evicted" n=${t.flows_evicted} />
				${t.filtered !== undefined && html`<${Figure} name="filtered" n=${t.filtered} />`}
				${t.no_ts !== undefined && html`<${Figure} name="no_ts" n=${t.no_ts} />`}
				${t.clock_steps !== undefined && html`<${Figure} name="clock_steps" n=${t.clock_steps} />`}
				${t.kernel_drops !== undefined && html`<${Figure} name="kernel_drops" n=${t.kernel_drops} />`}
				${t.enobufs !== undefined && html`<${Figure} name="enobufs" n=${t.enobufs} />`}
				${t.rss_kib !== undefined && html`<${Figure} name="rss_kib" text=${kib(t.rss_kib)} />`}
				${t.cpu_us !== undefined && html`<${Figure} name="cpu_us" text=${`${cpu.text} ${cpu.unit}`} />`}
				${t.offload !== undefined && html`<${Figure} name="offload" text=${t.offload} />`}
			</div></div>
			<div class="box"><h4>Sandbox of the packet reader</h4><${Sandbox} sandbox=${t.sandbox} /></div>
		</div>
		${t.groups?.length > 0 && html`<div class="box"><h4>By NFLOG group</h4><div class="wide" tabindex="0" role="group" aria-label="Table of NFLOG groups"><table class="rows groups"><thead><tr><th scope="col">Group</th><th scope="col">Class</th>
			<th scope="col" class="num">Seen</th><th scope="col" class="num">Logged</th><th scope="col" class="num">Received</th><th scope="col" class="num">Gap</th></tr></thead>
			<tbody>${t.groups.map((g, i) => html`<tr key=${i}><td>${g.group}</td><td><bdi>${g.class ?? UNKNOWN}</bdi></td><td class="num">${count(g.seen)}</td><td class="num">${count(g.logged)}</td>
				<td class="num">${count(g.received)}</td><td class="num">${count(g.gap)}</td></tr>`)}</tbody></table></div></div>`}
		<div class="box"><h4>Plugins</h4><${Plugins} plugins=${t.plugins} /></div>`}
	</article>`;
}

export const Ledger = memo(({ d, stale }) => {
	const list = d?.value?.sensors ?? [];
	const { latest, older } = latest_runs(list);

	if (!list.length)
		return null;
	return html`<${Panel} id="ledger" title="The ledger" note="where every packet and every report went, since the sensor started" stale=${stale}>
		${latest.map((s) => html`<${Sensor} key=${s.sensor} s=${s} latest />`)}
		${older.length > 0 && html`<details class="more"><summary>${count(older.length)} earlier run${older.length === 1 ? '' : 's'}</summary>
			${older.map((s) => html`<${Sensor} key=${`${s.sensor} ${s.boot}`} s=${s} />`)}</details>`}
		<details class="help"><summary>What do these numbers mean?</summary><dl>${LEDGER_HELP.map(([k, label]) => html`<div key=${k}><dt>${label}</dt><dd>${WORDS[k]}</dd></div>`)}</dl></details>
	</${Panel}>`;
});
