// SPDX-License-Identifier: GPL-2.0-or-later
// The six numbers that say whether all is well, each with what puts it into proportion.
import { Change, ChangeOfShare } from './change.js';
import { count, percent, span, unix_s, UNKNOWN, window_words } from './format.js';
import { html, memo, Shape, Spark, Term } from './parts.js';
import { latest_runs, sensor_silent } from './runs.js';
import { now_ms } from './store.js';

export function failed_of(s)
{
	return s.conns - s.established - s.answered;
}

export function Tile({ id, label, term, value, unit, sub, tone, values, spark, change })
{
	return html`<div class=${`tile ${id} ${tone ?? ''}`}>
		<dt><${Term} word=${term}>${label}</${Term}></dt>
		<dd><span class="amount"><span class="big"><b>${value}</b>${unit && html`<span class="unit">${unit}</span>`}</span>${change}</span>
			<span class="sub">${sub}</span></dd>
		${values && html`<${Spark} values=${values} tone=${spark} />`}
	</div>`;
}

function outcomes(s)
{
	const parts = [[s.refused, 'refused'], [s.timeout, 'timed out'], [failed_of(s) - s.refused - s.timeout, 'other']]
		.filter(([n]) => n > 0).sort((a, b) => b[0] - a[0]);

	if (!parts.length)
		return s.conns ? 'none failed' : '';
	return parts.slice(0, 2).map(([n, word]) => `${count(n)} ${word}`).join(', ');
}

// Where an answer's window ends: of the minute that was running then there was but a part.
function end_s(d)
{
	return Math.min(unix_s(d.value.until_ts), (d.at_ms + now_ms() - Date.now()) / 1000);
}

// How much of the window before this one has had time for.
export function part_of_before(d)
{
	const { before, from_ts } = d.value;

	return Math.max(0, end_s(d) - unix_s(from_ts)) / (unix_s(before.until_ts) - unix_s(before.from_ts));
}

// Nobody looked before the first sensor came, unless there is a number of it.
function per_time(n, summary, window_s, list)
{
	const v = summary.value;
	const seen_s = Math.min(...list.map((s) => unix_s(s.first_rx)), ...v.series.filter((p) => p.conns > 0).map((p) => unix_s(p.t)));
	const long_s = end_s(summary) - Math.max(unix_s(v.from_ts), seen_s);
	const per_min = n / ((long_s > 30 ? long_s : window_s) / 60);

	if (per_min >= 10)
		return `${count(Math.round(per_min))} a minute`;
	if (per_min >= 1)
		return `${per_min.toFixed(1)} a minute`;
	return n ? `${(per_min * 60).toFixed(per_min * 60 < 10 ? 1 : 0)} an hour` : 'nothing seen';
}

const LOUD_PERCENT = 50, LOUD_POINTS = 5;

// Each number against that of the window before, which is over: of its counts as much as this one has had time for.
function changes(summary, window_s)
{
	const s = summary.value, b = s.before;

	if (!b)
		return {};
	const part = part_of_before(summary);
	const before = `in the ${window_words(window_s, 0, b)} before`;
	const counted = (k) => html`<${Change} now=${s[k]} expected=${b[k] * part} was=${`${count(b[k])} ${before}`} />`;
	const timed = (k) => {
		const was = span(b[k]);

		return html`<${Change} now=${s[k]} expected=${b[k]} was=${`${was.text} ${was.unit} ${before}`} more="longer" less="shorter" loud=${LOUD_PERCENT} />`;
	};

	return {
		conns: counted('conns'), attempts: counted('attempts'), p50: timed('rtt_p50_us'), p95: timed('rtt_p95_us'),
		failed: s.conns > 0 && b.conns > 0 && html`<${ChangeOfShare} now=${failed_of(s) / s.conns} before=${failed_of(b) / b.conns}
			was=${`${percent(failed_of(b), b.conns)} % ${before}`} loud=${LOUD_POINTS} />`,
	};
}

// Over the latest run of each sensor that has told its ledger.
export function coverage(sensors)
{
	let seen = 0, parsed = 0;

	for (const s of sensors ?? [])
		if (s.stat?.seen !== undefined && s.stat.parsed !== undefined) {
			seen += s.stat.seen;
			parsed += s.stat.parsed;
		}
	return { seen, parsed };
}

export const Tiles = memo(({ summary, sensors, sensor, attempts, window_s, until_s, stale }) => {
	const s = summary?.value;
	const words = window_words(window_s, until_s, s);
	// Without the step that is not over: it would look like a fall.
	const series = (s?.series ?? []).slice(0, -1);
	const p50 = span(s?.rtt_p50_us), p95 = span(s?.rtt_p95_us);
	const ratio = s?.rtt_p50_us > 0 ? s.rtt_p95_us / s.rtt_p50_us : undefined;
	const bad = s && s.conns > 0 ? failed_of(s) / s.conns : 0;
	const all = sensors?.value?.sensors ?? [];
	const list = latest_runs(all).latest.filter((x) => !sensor || x.sensor === sensor);
	const silent = list.filter(sensor_silent).length;
	const { seen, parsed } = coverage(list);
	const { sources_n, partial } = attempts?.value ?? {};
	const cover = seen ? parsed / seen : 1;
	const change = s ? changes(summary, window_s) : {};

	return html`<dl class=${`tiles ${stale ? 'stale' : ''}`} aria-label=${`The last ${words} in six numbers`}>
		<${Tile} id="t-conns" change=${change.conns} label="Handshakes" value=${count(s?.conns)} sub=${s ? per_time(s.conns, summary, window_s, all) : ''}
			values=${series.map((p) => p.conns)} />
		<${Tile} id="t-failed" change=${change.failed} label="Failed" value=${s ? percent(failed_of(s), s.conns) : UNKNOWN} unit="%" sub=${s ? outcomes(s) : ''}
			tone=${bad >= 0.1 ? 'alarm' : ''} values=${series.map((p) => p.failed)} spark="bad" />
		<${Tile} id="t-p50" change=${change.p50} label="Median RTT" term="rtt" value=${p50.text} unit=${p50.unit} sub="half answer faster"
			values=${series.map((p) => p.rtt_p50_us)} />
		<${Tile} id="t-p95" change=${change.p95} label="p95 RTT" term="rtt" value=${p95.text} unit=${p95.unit}
			sub=${ratio ? `${ratio.toFixed(1)} × the median` : 'one in twenty is slower'} values=${series.map((p) => p.rtt_p95_us)} spark="p95" />
		<${Tile} id="t-attempts" change=${change.attempts} label="Inbound attempts" value=${count(s?.attempts)}
			sub=${sources_n ? `from ${partial ? 'over ' : ''}${count(sources_n)} source${sources_n === 1 ? '' : 's'}` : sources_n === 0 ? 'nobody knocked' : ''} />
		<${Tile} id="t-coverage" label="Sensor coverage" term="coverage" value=${seen ? percent(parsed, seen) : UNKNOWN} unit="%"
			tone=${silent || cover < 0.99 ? 'caution' : ''}
			sub=${!list.length ? 'no sensor yet' : silent ? html`<span class="mark warn"><${Shape} name="clock" />${silent} of ${list.length} silent</span>`
		: `${list.length} sensor${list.length === 1 ? '' : 's'} reporting`} />
	</dl>`;
});
