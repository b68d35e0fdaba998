// SPDX-License-Identifier: GPL-2.0-or-later
// The page "Explore": every stored report that a filter finds.  The address holds the whole question.
import { Component } from 'preact';
import { complete, put_in } from './complete.js';
import { count, exact, ms } from './format.js';
import { answer, choose, get, question_in_window, refresh_all } from './link.js';
import { Age, Dir, Empty, html, Mark, memo, Panel } from './parts.js';
import { state } from './store.js';
import { Wrong } from './wrong.js';

const PAGE = 100, ROWS_MAX = 5000, TEXT_MAX = 2000;
const COLS = ['ts', 'type', 'sensor', 'src_ip', 'dst_ip', 'dst_port', 'state', 'verdict', 'rtt_us'];
const EXAMPLES = [['Slow', 'rtt > 80ms'], ['Failed', 'state in (refused, timeout, unreachable)'], ['Knocks that got in', 'type = attempt and verdict = accepted'],
	['Web, not established', 'port in (80, 443) and not state = established'], ['One network', 'dst = 198.18.0.0/24']];
const STATES = ['established', 'answered', 'refused', 'timeout', 'unreachable', 'aborted', 'orphan', 'accepted', 'dropped', 'rejected'];

const cols_of = (view) => (view.cols ?? '').split(',').filter((c) => /^[a-z0-9_.]{1,40}$/.test(c)).slice(0, 40);

function chosen_cols(view)
{
	const list = cols_of(view);

	return list.length ? list : COLS;
}

// Spaces, & and the like are escaped; the collector reads that in q and cols.
function ask(more)
{
	return question_in_window('api/explore', { q: state.view.q ?? '', cols: chosen_cols(state.view).join(','), ...more });
}

const NEVER_MS = 1e9;

// Asked when the reader asks, so that rows do not move away below a reader; again by itself only after a failure,
// or where there was none.
export const resources = {
	explore: { path: () => ask({ limit: PAGE }), every: { min_ms: NEVER_MS, get max_ms() { const v = answer('explore')?.value; return !v ? 15000 : v.rows.length ? NEVER_MS : 5000; } } },
	explore_fields: { path: () => 'api/explore/fields', every: { min_ms: 600000, max_ms: 3600000 } },
};

// ---- the field with its completion ----

class FilterField extends Component {
	constructor({ q })
	{
		super();
		this.state = { text: q, open: false, at: -1, offer: null };
		for (const name of ['on_input', 'on_key', 'on_blur'])
			this[name] = this[name].bind(this);
	}

	componentDidUpdate(before)
	{
		// By an example, or by the browser's way back.
		if (before.q !== this.props.q && this.props.q !== this.state.text)
			this.setState({ text: this.props.q, open: false });
	}

	offer(text, caret)
	{
		const { spec } = this.props;
		const offer = spec ? complete(text, caret, spec) : null;

		this.setState({ text, offer, open: Boolean(offer?.items.length), at: -1 });
	}

	on_input(e)
	{
		this.offer(e.currentTarget.value, e.currentTarget.selectionStart);
	}

	take(item)
	{
		const made = put_in(this.state.text, this.state.offer, item);

		this.setState({ text: made.text }, () => {
			this.field.focus();
			this.field.setSelectionRange(made.caret, made.caret);
			this.offer(made.text, made.caret);
		});
	}

	on_key(e)
	{
		const { open, at, offer } = this.state;
		const n = open ? offer.items.length : 0;

		if ((e.key === 'ArrowDown' || e.key === 'ArrowUp') && n) {
			const step = e.key === 'ArrowDown' ? 1 : -1;
			this.setState({ at: at < 0 && step < 0 ? n - 1 : (at + step + n) % n });
		} else if (e.key === 'ArrowDown' || (e.key === ' ' && e.ctrlKey)) {
			this.offer(this.state.text, this.field.selectionStart);
		} else if (e.key === 'Tab' && n && !e.shiftKey) {
			this.take(offer.items[Math.max(0, at)]);
		} else if (e.key === 'Enter' && n && at >= 0) {
			this.take(offer.items[at]);
		} else if (e.key === 'Enter') {
			this.setState({ open: false });
			this.props.run(this.state.text.trim());
		} else if (e.key === 'Escape') {
			// Closes what is open; without it a browser would empty the field.
			this.setState({ open: false });
		} else {
			return;
		}
		e.preventDefault();
	}

	on_blur()
	{
		this.setState({ open: false });
	}

	render({ run, wrong }, { text, open, at, offer })
	{
		return html`<div class="combo"><label class="vh" for="explore-q">Filter</label>
			<input id="explore-q" type="search" ref=${(e) => { this.field = e; }} role="combobox" aria-autocomplete="list" aria-expanded=${open} aria-controls="explore-list" aria-activedescendant=${open && at >= 0 ? `explore-item${at}` : undefined}
				aria-invalid=${wrong} aria-describedby=${wrong ? 'explore-wrong' : undefined} value=${text} maxlength=${TEXT_MAX} spellcheck="false" autocomplete="off" autocapitalize="off"
				placeholder="Filter: dst = 192.0.2.0/24 and rtt > 80ms" oninput=${this.on_input} onkeydown=${this.on_key} onblur=${this.on_blur} onclick=${this.on_input} />
			<button type="button" class="run" onclick=${() => run(text.trim())}>Search</button>
			<ul id="explore-list" role="listbox" aria-label="What could stand here" hidden=${!open}>${open && offer.items.map((x, i) => html`<li key=${`${x.kind} ${x.text}`} id=${`explore-item${i}`} role="option" aria-selected=${i === at}
				onmousedown=${(e) => { e.preventDefault(); this.take(x); }}><code>${x.text}</code><span class="kind">${x.kind}</span>${x.help && html`<span class="help">${x.help}</span>`}</li>`)}</ul></div>`;
	}
}

// ---- columns ----

const Columns = memo(({ cols, spec }) => {
	const put = (list) => choose({ cols: list.join() === COLS.join() ? '' : list.join() });

	return html`<details class="columns"><summary>Columns (${cols.length})</summary><fieldset><legend class="vh">Columns of the table</legend>${(spec?.fields ?? []).map((f) => html`<label key=${f.name} title=${f.help}><input type="checkbox" checked=${cols.includes(f.name)}
		onchange=${() => put(cols.includes(f.name) ? cols.filter((c) => c !== f.name) : [...cols, f.name])} /> ${f.name}</label>`)}
		<button type="button" onclick=${() => put(COLS)}>As at first</button></fieldset></details>`;
});

// ---- the table ----

function Cell({ v, name })
{
	if (v === null || v === undefined || v === '')
		return html`<span class="unknown">–</span>`;
	if (name === 'ts')
		return html`<span class="ago"><${Age} ts=${v} /></span><span class="exact">${exact(v).split(',')[0].replace(/(\.\d{3})\d*/, '$1')}</span>`;
	if (name === 'dir')
		return html`<${Dir} dir=${v} />`;
	if (STATES.includes(v))
		return html`<${Mark} word=${v} />`;
	if (typeof v === 'number')
		return /_us$/.test(name) ? ms(v).text : /_port$|^id$|asn$|^seq$/.test(name) ? String(v) : count(v);
	return html`<bdi title=${String(v)}>${typeof v === 'object' ? JSON.stringify(v) : String(v)}</bdi>`;
}

const is_number = (rows, i) => rows.some((r) => typeof r[i] === 'number') && rows.every((r) => r[i] === null || r[i] === undefined || typeof r[i] === 'number');

const label = (c) => c.endsWith('_us') ? `${c.slice(0, -3)} ms` : c;

// By one column; what is unknown stands last, either way.
function sorted(rows, i, down)
{
	const known = (v) => v !== null && v !== undefined;

	return [...rows].sort((a, b) => known(b[i]) - known(a[i]) || (known(a[i]) ? (typeof a[i] === 'number' && typeof b[i] === 'number' ? a[i] - b[i] : String(a[i]).localeCompare(String(b[i]), 'en', { numeric: true })) * (down ? -1 : 1) : 0));
}

const Rows = memo(({ cols, rows, sort }) => {
	const [by, down] = [sort.replace(/^-/, ''), sort[0] === '-'];
	const i = cols.indexOf(by);
	const list = i < 0 ? rows : sorted(rows, i, down);
	const numbers = cols.map((_, k) => is_number(rows, k));

	return html`<div class="scroll found" tabindex="0" role="group" aria-label="Reports found"><table class="rows"><thead><tr>${cols.map((c, k) => html`<th key=${c} scope="col" class=${numbers[k] ? 'num' : ''} aria-sort=${k === i ? down ? 'descending' : 'ascending' : undefined}>
		<button type="button" onclick=${() => choose({ sort: c !== by ? `-${c}` : down ? c : '' })}>${label(c)}</button></th>`)}</tr></thead>
		<tbody>${list.map((r, n) => html`<tr key=${n}>${r.map((v, k) => html`<td key=${k} class=${`${numbers[k] ? 'num' : ''} c-${cols[k].replaceAll('.', '_')}`}><${Cell} v=${v} name=${cols[k]} /></td>`)}</tr>`)}</tbody></table></div>`;
});

// What the first answer and those asked for after it found.  Once there are more, the first one stays.
class Found extends Component {
	constructor()
	{
		super();
		this.state = { first: null, more: [], busy: false, error: '', copied: '' };
	}

	async next(id)
	{
		const first = this.state.first ?? this.props.first;

		this.setState({ first, busy: true, error: '' });
		try {
			const { value } = await get(ask({ limit: PAGE, before: id }));
			this.setState((s) => ({ more: [...s.more, value] }));
		} catch (e) {
			this.setState({ error: e.message });
		}
		this.setState({ busy: false });
	}

	// The line for a shell: the whole address in quotes that the shell does not look into.
	async copy()
	{
		const url = new URL(ask({ format: 'ndjson' }), location.href).href.replaceAll("'", '%27');

		try {
			await navigator.clipboard.writeText(`curl -s '${url}'`);
			this.setState({ copied: 'Copied.' });
		} catch {
			this.setState({ copied: `curl -s '${url}'` });
		}
	}

	render({ first: newest, sort }, { first: kept, more, busy, error, copied })
	{
		const first = kept ?? newest;
		const answers = [first, ...more], end = answers[answers.length - 1];
		const rows = answers.length > 1 ? answers.flatMap((a) => a.rows) : first.rows;
		const looked = answers.reduce((n, a) => n + (a.looked ?? 0), 0);
		const full = rows.length >= ROWS_MAX;
		const go_on = end.next !== undefined && !full;

		return html`<div class="under-field"><span class="note" role="status">${count(rows.length)} row${rows.length === 1 ? '' : 's'}${end.next !== undefined ? '' : ' in all'}${rows.length > 1 ? ', newest first' : ''}${looked > 0 && `, ${count(looked)} looked at`}${end.partial && end.next !== undefined ? '; the search stopped at its time limit and can go on' : ''}</span>
			<span class="downloads"><a href=${ask({ format: 'csv' })} download="net-gazer.csv">CSV</a><a href=${ask({ format: 'ndjson' })} download="net-gazer.ndjson">NDJSON</a><button type="button" class="as-link curl" onclick=${() => this.copy()}>Copy as curl</button></span></div>
			${copied && html`<p class="copied" role="status">${copied.startsWith('curl') ? html`<code>${copied}</code>` : copied}</p>`}
			${rows.length ? html`<${Rows} cols=${first.cols} rows=${rows} sort=${sort} />` : html`<${Empty}>${end.next !== undefined ? 'Nothing yet; the search can go on.' : 'No report matches. A longer time window may have some.'}</${Empty}>`}
			${error && html`<p class="hint" role="alert">${error}</p>`}
			${go_on && html`<button type="button" class="more" disabled=${busy} onclick=${() => this.next(end.next)}>${rows.length ? 'More' : 'Go on'}</button>`}
			${full && html`<p class="note">The page shows ${count(ROWS_MAX)} rows at most: narrow the filter, or download.</p>`}
			${sort && end.next !== undefined && html`<p class="note">Sorted among the ${count(rows.length)} rows that are here.</p>`}`;
	}
}

let asked = 0;      // how often the reader pressed the button: each time begins anew

function run(text)
{
	asked++;
	if (text === (state.view.q ?? ''))
		refresh_all();
	else
		choose({ q: text });
}

export function View({ state: { view }, of })
{
	const { d, stale } = of('explore');
	const spec = of('explore_fields').d?.value;
	const q = view.q ?? '', cols = chosen_cols(view);
	const wrong = d?.status === 400 && !d.value;

	return html`<${Panel} id="explore" title="Explore" stale=${stale} note="every stored report: connections, attempts, traces">
		<${FilterField} q=${q} spec=${spec} wrong=${wrong} run=${run} />
		${wrong && html`<${Wrong} id="explore-wrong" text=${q} message=${d.error} at=${d.said?.in === 'q' ? d.said.at : undefined} expected=${d.said?.expected} />`}
		<p class="examples">${EXAMPLES.map(([words, text]) => html`<button key=${text} type="button" class="as-link" title=${text} onclick=${() => choose({ q: text })}>${words}</button>`)}</p>
		<${Columns} cols=${cols} spec=${spec} />
		${d?.value ? html`<${Found} key=${`${d.path} ${asked}`} first=${d.value} sort=${view.sort ?? ''} />` : !wrong && html`<${Empty}>${d?.error ? html`The collector says: <bdi>${d.error}</bdi>` : 'Asking the collector.'}</${Empty}>`}
	</${Panel}>`;
}
