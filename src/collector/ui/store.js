// SPDX-License-Identifier: GPL-2.0-or-later
// The page's one state and its rules: what came from the collector, what the reader chose.  link.js
// writes what arrives, the parts read; every list here is bounded.
import { host_port, iso_s, service, WINDOWS } from './format.js';
import { page_of } from './pages.js';
import { WAYS } from './words.js';

const ROWS_KEPT = 1000;    // what the filter searches
const WAITING_MAX = 1000;  // arrived while the reader holds the list still
const OTHERS_KEPT = 50;
const CHOICE_MAX = 4000;   // characters of one choice in the address
const WINDOW_FIRST_S = 300;
export const SKIPPED_SHOWN_MS = 15000;

export const state = {
	page: 'now',           // id of a row of PAGES
	window_s: WINDOW_FIRST_S,
	until_s: 0,            // where the window ends, unix time; 0: now, and it moves on
	sensor: '',            // name; '': all
	view: {},              // what the page itself keeps in the address: its keys, strings
	paused_at: 0,          // ms, 0: not paused
	reading: false,        // pointer or keyboard is inside the live list
	open: null,            // key of the row that shows its details
	link: 'connecting',    // connecting | live | polling | lost
	lost_at: 0,            // ms
	retry_at: 0,           // ms
	skew_ms: 0,            // collector's clock minus this browser's
	session: null,         // what the collector says of who we are
	locked: false,         // it wants a login first
	rows: [],              // conn reports, newest first
	waiting: [],
	waiting_lost: 0,
	skipped: 0,            // events that the stream left out lately
	skipped_at: 0,
	others: [],            // trace and plugin reports, newest first
	data: {},              // resource -> { path, value, at_ms, error, status, tried_ms }
};

const watchers = new Set();
let scheduled = false;

export function watch(fn)
{
	watchers.add(fn);
	return () => watchers.delete(fn);
}

export function set(patch)
{
	Object.assign(state, patch);
	if (scheduled)
		return;
	scheduled = true;
	queueMicrotask(() => {
		scheduled = false;
		for (const fn of watchers)
			fn();
	});
}

export function now_ms()
{
	return Date.now() + state.skew_ms;
}

export function held()
{
	return state.paused_at > 0 || state.reading || state.open !== null;
}

// (sensor, boot, seq) is a report's identity: a row that comes by stream and by fetch is shown once.
export function key(r)
{
	return `${r.sensor}/${r.boot}/${r.seq}`;
}

export function rows_arrive(reports)
{
	let waiting = reports.concat(state.waiting);
	let lost = 0;

	if (waiting.length > WAITING_MAX) {
		lost = waiting.length - WAITING_MAX;
		waiting = waiting.slice(0, WAITING_MAX);
	}
	set({ waiting, waiting_lost: state.waiting_lost + lost });
	if (!held())
		rows_release();
}

export function rows_release()
{
	if (!state.waiting.length)
		return;
	const known = new Set(state.rows.map(key));
	const fresh = state.waiting.filter((r) => !known.has(key(r)) && known.add(key(r)));

	// By the collector's number: what was fetched after a gap lies between what the stream brought.
	const rows = fresh.concat(state.rows).sort((a, b) => (b.id ?? 0) - (a.id ?? 0));
	set({ rows: rows.slice(0, ROWS_KEPT), waiting: [], waiting_lost: 0 });
}

// How many wait that the list does not show yet.
export function rows_fresh()
{
	const known = new Set(state.rows.map(key));

	return state.waiting.filter((r) => !known.has(key(r)) && known.add(key(r)));
}

export function others_arrive(reports)
{
	set({ others: reports.concat(state.others).slice(0, OTHERS_KEPT) });
}

// '': it is none; the collector looks closer.
export function address(text)
{
	return /^[0-9a-f:.]{2,45}$/i.test(text ?? '') ? text : '';
}

// The address keeps the reader's choices, so that a link shows another person the same view.
export function url_read()
{
	const q = new URLSearchParams(location.hash.slice(1));
	const page = page_of(q.get('p')) ?? page_of('now');
	const w = WINDOWS.find((x) => x.id === q.get('w'));
	const until_s = Date.parse(q.get('u') ?? '') / 1000;
	const view = {};

	for (const k of page.keys)
		if (q.get(k))
			view[k] = q.get(k).slice(0, CHOICE_MAX);
	set({ page: page.id, view, window_s: w ? w.s : WINDOW_FIRST_S, until_s: until_s > 0 ? until_s : 0,
		sensor: (q.get('s') ?? '').slice(0, 64), open: null });
	if (!held())
		rows_release();
}

// The address of a page with choices of its own; the window and the sensor go with it.
export function url_of(page, view)
{
	const q = new URLSearchParams();

	if (page !== 'now')
		q.set('p', page);
	if (state.window_s !== WINDOW_FIRST_S)
		q.set('w', WINDOWS.find((x) => x.s === state.window_s).id);
	if (state.until_s)
		q.set('u', iso_s(state.until_s));
	if (state.sensor)
		q.set('s', state.sensor);
	for (const k of page_of(page).keys)
		if (view?.[k])
			q.set(k, view[k]);
	const hash = q.toString();
	return hash ? `#${hash}` : '#';
}

export function url_write()
{
	const hash = url_of(state.page, state.view);
	const was = new URLSearchParams(location.hash.slice(1));
	const step = page_of(state.page).steps?.some((k) => (was.get(k) ?? '') !== (state.view[k] ?? ''));

	history[step ? 'pushState' : 'replaceState'](null, '', hash === '#' ? location.pathname : hash);
}

const texts = new WeakMap();

// What a row says in words, and its sensor.  Anything else would match what nobody sees: 442 microseconds, the
// interface br-lan, the port that the client happened to take.
function row_text(r)
{
	let t = texts.get(r);

	if (t === undefined) {
		t = [r.sensor, r.dir, WAYS[r.dir], r.host, r.src_ip, r.dst_name, host_port(r.dst_ip, r.dst_port), `${r.dst_ip}:${r.dst_port}`,
			service(r.dst_port), r.state].filter((x) => x !== undefined).join(' ').toLowerCase();
		texts.set(r, t);
	}
	return t;
}

// All words must occur in the text; a word after a minus must not.
export function filter_by(list, filter, text)
{
	const words = filter.toLowerCase().split(/\s+/).filter((w) => w && w !== '-');

	if (!words.length)
		return list;
	return list.filter((x) => words.every((w) => w[0] === '-' ? !text(x).includes(w.slice(1)) : text(x).includes(w)));
}

export function filter_rows(rows, filter)
{
	return filter_by(rows, filter, row_text);
}
