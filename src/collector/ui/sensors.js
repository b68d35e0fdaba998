// SPDX-License-Identifier: GPL-2.0-or-later
// The page "Sensors": is each of them well, does its ledger add up, who may report; and what the collector
// itself keeps and is made of.
import { Component } from 'preact';
import { alarms } from './alarms.js';
import { age, clock, count, day_clock, kib, percent, unix_s, UNKNOWN } from './format.js';
import { Ledger } from './ledger.js';
import { post, question, refresh_all } from './link.js';
import { Age, Empty, html, memo, Panel, Shape, Share } from './parts.js';
import { latest_runs, sensor_silent } from './runs.js';
import { state } from './store.js';
import { WORDS } from './words.js';

const CLOCK_AHEAD_S = 2, CLOCK_BEHIND_S = 300; // reports of an hour that was spooled are late, and that is well
const SLOW = { min_ms: 10000, max_ms: 60000 };

export const resources = {
	storage: { path: () => question('api/storage'), on: ['stat'], every: SLOW },
	bases: { path: () => question('api/geo'), every: SLOW },
};

function Status({ s })
{
	if (!s.stat)
		return html`<span class="mark warn"><${Shape} name="clock" />no ledger yet</span>`;
	return sensor_silent(s) ? html`<span class="mark warn"><${Shape} name="clock" />silent for ${age(s.stat_age_s)}</span>`
		: html`<span class="mark good"><${Shape} name="disc" />reporting</span>`;
}

// What its reports say of its clock, against the collector's at their receipt.
export function clock_of(s)
{
	const late_s = unix_s(s.last_rx) - unix_s(s.last_ts), steps = s.stat?.clock_steps ?? 0;

	if (late_s < -CLOCK_AHEAD_S)
		return { tone: 'bad', words: `${age(-late_s)} ahead` };
	if (late_s > CLOCK_BEHIND_S)
		return { tone: 'warn', words: `${age(late_s)} behind` };
	return steps ? { tone: 'warn', words: `${count(steps)} step${steps === 1 ? '' : 's'}` } : { tone: 'good', words: 'in step' };
}

const Health = memo(({ d, stale }) => {
	const { latest } = latest_runs(d?.value?.sensors ?? []);

	return html`<${Panel} id="health" title="Sensors" stale=${stale} note=${latest.length ? `${count(latest.filter((s) => !sensor_silent(s)).length)} of ${count(latest.length)} reporting` : null}>
		${!latest.length ? html`<${Empty}>No sensor has reported yet. Enrol one below, or start one on this machine: <code>net-gazer --collector-url ${location.origin}</code><//>` : html`
		<div class="wide" tabindex="0" role="group" aria-label="Table of sensors"><table class="rows health"><thead><tr><th scope="col">Sensor</th><th scope="col">State</th><th scope="col" class="num">Last report</th>
			<th scope="col">Coverage</th><th scope="col" class="num" title=${WORDS.missing}>Missing</th><th scope="col" class="num" title=${WORDS.gap}>Gaps</th><th scope="col" class="num" title=${WORDS.reports_dropped}>Dropped</th>
			<th scope="col">Clock</th><th scope="col" title=${WORDS.offload}>Offload</th><th scope="col" class="num" title="Reports that wait in the sensor to be sent">Spool</th>
			<th scope="col" class="num" title="What the sensor wrote to flash since it started">Flash</th><th scope="col" class="num" title=${WORDS.cpu_us}>CPU</th><th scope="col" class="num" title=${WORDS.rss_kib}>Memory</th><th scope="col">Version</th></tr></thead>
		<tbody>${latest.map((s) => {
		const t = s.stat ?? {};
		const c = clock_of(s);
		const run_us = (unix_s(t.ts) - unix_s(s.first_rx)) * 1e6;
		const bytes = (n) => n === undefined ? UNKNOWN : n === 0 ? html`<span class="zero">0</span>` : kib(n / 1024);
		const loud = (n, tone) => n === undefined ? html`<span class="unknown">${UNKNOWN}</span>` : html`<span class=${n > 0 ? tone : 'zero'}>${count(n)}</span>`;
		return html`<tr key=${s.sensor}><th scope="row"><bdi>${s.sensor}</bdi></th><td data-of="State"><${Status} s=${s} /></td><td class="num" data-of="Last report"><${Age} ts=${s.last_rx} /></td>
			<td data-of="Coverage">${t.seen === undefined ? UNKNOWN : html`<span class="covered"><${Share} part=${t.parsed ?? 0} whole=${t.seen} tone="good" />${percent(t.parsed, t.seen)} %</span>`}</td>
			<td class="num" data-of="Missing">${loud(s.missing, 'bad')}</td><td class="num" data-of="Gaps">${loud(t.gap, 'bad')}</td><td class="num" data-of="Dropped">${loud(t.reports_dropped, 'bad')}</td>
			<td data-of="Clock"><span class=${`mark ${c.tone === 'good' ? 'dim' : c.tone}`}><${Shape} name=${c.tone === 'good' ? 'check' : 'clock'} />${c.words}</span></td>
			<td data-of="Offload"><bdi>${t.offload ?? UNKNOWN}</bdi></td><td class="num" data-of="Spool">${bytes(t.spool_bytes)}</td><td class="num" data-of="Flash">${bytes(t.flash_written_bytes)}</td>
			<td class="num" data-of="CPU">${t.cpu_us === undefined || !(run_us > 0) ? UNKNOWN : `${percent(t.cpu_us, run_us)} %`}</td><td class="num" data-of="Memory">${kib(t.rss_kib)}</td><td data-of="Version"><bdi>${t.version ?? UNKNOWN}</bdi></td></tr>`;
	})}</tbody></table></div>`}
	</${Panel}>`;
});

// A line to paste, and a button that copies it.
class Line extends Component {
	constructor()
	{
		super();
		this.state = { copied: false };
	}

	async copy()
	{
		try {
			await navigator.clipboard.writeText(this.props.text);
			this.setState({ copied: true });
		} catch {
			// A page that is not from a safe origin may not: then it is marked, and Ctrl-C copies it.
			getSelection().selectAllChildren(this.code);
		}
	}

	render({ text }, { copied })
	{
		return html`<div class="line"><pre tabindex="0" ref=${(e) => { this.code = e; }}><code>${text}</code></pre><button type="button" onclick=${() => this.copy()}>${copied ? 'Copied' : 'Copy'}</button></div>`;
	}
}

const NAME = '[A-Za-z0-9][A-Za-z0-9._\\-]{0,63}';

class Enrol extends Component {
	constructor()
	{
		super();
		this.state = { busy: false, said: '', made: null };
		this.on_submit = (e) => {
			e.preventDefault();
			this.send(e.currentTarget.elements);
		};
	}

	async send({ sensor, minutes })
	{
		this.setState({ busy: true, said: '', made: null });
		try {
			this.setState({ busy: false, made: { ...await post('api/enroll', { sensor: sensor.value, minutes: Number(minutes.value) }), sensor: sensor.value } });
			refresh_all();
		} catch (e) {
			this.setState({ busy: false, said: e.status ? e.message : 'The collector does not answer.' });
		}
	}

	render({ session }, { busy, said, made })
	{
		if (!session?.csrf || session.can_admin === false)
			return html`<p>A sensor that is enrolled has a token of its own, that can be revoked. On the collector's machine, this prints the line to paste on the router:</p>
				<${Line} text="net-gazer-collector enroll NAME" />`;
		return html`<p>A sensor that is enrolled has a token of its own, that can be revoked. Make a code here and paste the line on the router before it expires; it works once.</p>
			<form class="enrol" onsubmit=${this.on_submit}><label>Name of the sensor<input type="text" name="sensor" required maxlength="64" pattern=${NAME} title="letters, digits, dot, dash, underscore; the first a letter or digit" placeholder="branch-2" autocomplete="off" autocapitalize="none" spellcheck="false" /></label>
				<label>Valid for<select name="minutes"><option value="15">15 minutes</option><option value="60">an hour</option><option value="1440">a day</option></select></label>
				<button type="submit" class="main" disabled=${busy}>Make a code</button></form>
			<div role="status" class="made">${said && html`<p class="mark bad"><${Shape} name="cross" />${said}</p>`}
			${made && html`<p>For <b><bdi>${made.sensor}</bdi></b>, until ${clock(unix_s(made.expires_ts))}. On the router:</p><${Line} key=${made.code} text=${made.line} />`}</div>`;
	}
}

class Enrolled extends Component {
	constructor()
	{
		super();
		this.state = { asked: '', said: '' };
	}

	async revoke(sensor)
	{
		try {
			await post('api/revoke', { sensor });
			this.setState({ asked: '', said: '' });
			refresh_all();
		} catch (e) {
			this.setState({ asked: '', said: `${sensor}: ${e.message}` });
		}
	}

	render({ list, session }, { asked, said })
	{
		if (!list.length)
			return html`<${Empty}>No sensor is enrolled.<//>`;
		return html`${said && html`<p class="mark bad" role="alert"><${Shape} name="cross" />${said}</p>`}
		<div class="wide" tabindex="0" role="group" aria-label="Table of enrolled sensors"><table class="rows enrolled"><thead><tr><th scope="col">Sensor</th><th scope="col">State</th><th scope="col" class="num">Enrolled</th><th scope="col" class="num">Last report</th><th scope="col">Sent today</th><th scope="col"><span class="vh">What to do</span></th></tr></thead>
		<tbody>${list.map((x) => html`<tr key=${`${x.sensor} ${x.enrolled_ts}`}><th scope="row"><bdi>${x.sensor}</bdi></th>
			<td>${x.revoked_ts ? html`<span class="mark dim"><${Shape} name="cross" />revoked <${Age} ts=${x.revoked_ts} /> ago</span>` : html`<span class="mark good"><${Shape} name="check" />may report</span>`}</td>
			<td class="num"><${Age} ts=${x.enrolled_ts} /></td><td class="num">${x.last_rx ? html`<${Age} ts=${x.last_rx} />` : 'never'}</td><td><${Quota} q=${x.quota} /></td>
			<td class="num">${x.revoked_ts || !session?.csrf || session.can_admin === false ? null : asked === x.sensor ? html`<span class="sure"><button type="button" class="danger" onclick=${() => this.revoke(x.sensor)}>Revoke ${x.sensor}</button><button type="button" onclick=${() => this.setState({ asked: '' })}>Keep</button></span>`
		: html`<button type="button" onclick=${() => this.setState({ asked: x.sensor })} aria-label=${`Revoke ${x.sensor}`}>Revoke</button>`}</td></tr>`)}</tbody></table></div>`;
	}
}

function Quota({ q })
{
	if (q?.bytes_day === undefined)
		return html`<span class="unknown">${UNKNOWN}</span>`;
	return html`<span class="quota"><${Share} part=${q.bytes_today} whole=${q.bytes_day} tone=${q.bytes_today > 0.8 * q.bytes_day ? 'bad' : ''} /><span>${kib(q.bytes_today / 1024)} of ${kib(q.bytes_day / 1024)}</span>${
		q.refused > 0 && html`<span class="mark bad"><${Shape} name="cross" />${count(q.refused)} refused</span>`}</span>`;
}

// What to say of an alarm beside its line: [what is kept, what is lost, what to do].
const SAID = {
	__proto__: null,
	refused: (h) => [html`All that was stored before.`,
		html`Nothing yet: ${count(h.not_stored)} batch${h.not_stored === 1 ? '' : 'es'} of reports ${h.not_stored === 1 ? 'was' : 'were'} refused since the collector started, and a sensor sends again what was refused, as far back as its spool reaches.`,
		html`Is the collector's disk full, or read-only? Its log says what failed. If the disk has room, raise <code>max-bytes</code>.`],
	damaged: (h) => [html`Every other file: it is read and written as before.`,
		html`What was in ${h.damaged === 1 ? 'that file' : 'those files'}. Numbers are counted again from the reports that are there.`,
		html`Look at the disk, then remove the files called <code>*.damaged-*</code> beside the database and in its folder of days: this goes when they are gone and the collector is started again.`],
	full: ({ removed: r }, s) => {
		const oldest = s?.days?.[s.days.length - 1]?.day, rows = s && s.rows > 0.95 * s.max_rows;

		return [s ? html`${count(s.rows)} reports${oldest && `, back to ${oldest}`}, and the numbers of the time before.` : html`The newest reports.`,
			html`${r.reports > 0 && `${count(r.reports)} of the oldest reports: Explore and lists of single connections begin later. `}${
				r.merged > 0 && `${count(r.merged)} times a rare destination, source or port went into the rest of its minute, hour or day: sums stay right, but it is no longer listed by itself. `}${
				r.rollups > 0 && `${count(r.rollups)} rows of the oldest numbers. `}Last ${day_clock(unix_s(r.last_ts))}.`,
			html`Raise <code>${rows ? 'max-rows' : 'max-bytes'}</code>${s && ` (now ${rows ? count(s.max_rows) : kib(s.max_bytes / 1024)})`}${s?.days_fit >= 1 && s.days_fit < s.days_max
				&& html`, or lower <code>days</code> from ${count(s.days_max)} to the ${count(s.days_fit)} that fit`}. This goes an hour after the last time that room was short.`];
	},
	graph: (h) => [html`The graph of the pages: it is in the database, and all there.`, html`Nothing: ${count(h.graph.lag)} change${h.graph.lag === 1 ? '' : 's'} wait${h.graph.lag === 1 ? 's' : ''} to be copied.`,
		html`Is the server of <code>graph-url</code> running, and does it take the password of <code>graph-password-file</code>? Copying goes on by itself once it answers.`],
};

function Needs({ health, storage })
{
	const list = alarms(health);

	return list.length > 0 && html`<${Panel} id="needs" title="What needs a look">${list.map((a) => {
		const [kept, lost, to_do] = SAID[a.id](health, storage);

		return html`<div key=${a.id} data-alarm=${a.id}><p class=${a.tone} role="status"><b><${Shape} name="triangle" /> ${a.text}</b></p>
			<dl><dt>Kept</dt><dd>${kept}</dd><dt>Lost</dt><dd>${lost}</dd><dt>To do</dt><dd>${to_do}</dd></dl></div>`;
	})}</${Panel}>`;
}

// What the collector keeps, and how long that lasts.
function Storage({ s })
{
	const days = s.days.length;

	return html`<div class="box storage"><h3 class="small">What is kept</h3>
		<p><${Share} part=${s.bytes} whole=${s.max_bytes} /> ${kib(s.bytes / 1024)} of ${kib(s.max_bytes / 1024)}: ${count(s.rows)} reports of ${count(days)} day${days === 1 ? '' : 's'}.
			${s.days_fit === undefined ? ' How many days fit is known after an hour of reports.'
		: s.days_fit >= s.days_max ? ` At this rate all ${count(s.days_max)} days fit that are to be kept.`
			: ` At this rate ${s.days_fit < 1 ? 'less than a day fits' : `${count(s.days_fit)} day${s.days_fit === 1 ? '' : 's'} fit`}.`}</p>
		${s.graph && html`<p>Copy of the graph in FalkorDB: ${s.graph.state}${s.graph.lag > 0 && `, ${count(s.graph.lag)} change${s.graph.lag === 1 ? '' : 's'} behind`}.</p>`}
	</div>`;
}

const KINDS = { __proto__: null, country: 'Countries', city: 'Cities', asn: 'Networks' };

// A licence may ask for its text to be shown: it is the database's own, and only https leaves this page.
function Geo({ g })
{
	const list = g?.databases ?? [];

	return html`<div class="box"><h3 class="small">Countries, cities, networks</h3>${!list.length ? html`<p>None is known. <code>net-gazer-collector geo import FILE</code> takes a free database; its manual says where to get one.</p>`
		: html`<ul>${list.map((x, i) => html`<li key=${i}>${KINDS[x.kind] ?? x.kind}${x.built_ts && html`, of ${String(x.built_ts).slice(0, 10)}`}${x.attribution?.text && html`: ${/^https:\/\/[\w.-]+(\/|$)/.test(x.attribution.url ?? '')
			? html`<a href=${x.attribution.url} rel="noreferrer noopener" target="_blank"><bdi>${x.attribution.text}</bdi></a>` : html`<bdi>${x.attribution.text}</bdi>`}`}</li>`)}</ul>`}</div>`;
}

function About({ storage, health, geo })
{

	return html`<${Panel} id="collector" title="About this collector" note=${health ? html`version <bdi>${health.version}</bdi>, up for ${age(health.up_s)}` : null}><div class="thirds">
		${storage ? html`<${Storage} s=${storage} />` : html`<div class="box"></div>`}
		<${Geo} g=${geo} />
		<div class="box"><h3 class="small">Made of</h3><p>net-gazer is free software under the GNU GPL, version 2 or later; this page holds preact (MIT), htm (Apache-2.0), uPlot (MIT) and outlines of Natural Earth (public domain).</p>
			<p><a href="schema/report-1.json">Schema of the reports</a>, <a href="metrics">metrics</a>, <a href="health">health</a></p></div></div>
	</${Panel}>`;
}

export function View({ of })
{
	const { d, stale } = of('sensors');
	const enrolled = d?.value?.enrolled ?? [];

	const health = of('health').d?.value, storage = of('storage').d?.value;

	return html`<${Needs} health=${health} storage=${storage} />
		<${Health} d=${d} stale=${stale} />
		<${Panel} id="enrolment" title="Enrolment" note=${enrolled.length ? `${count(enrolled.filter((x) => !x.revoked_ts).length)} may report` : null}><${Enrol} session=${state.session} />${enrolled.length > 0 && html`<${Enrolled} list=${enrolled} session=${state.session} />`}</${Panel}>
		<${Ledger} d=${d} stale=${stale} />
		<${About} storage=${storage} health=${health} geo=${of('bases').d?.value} />`;
}
