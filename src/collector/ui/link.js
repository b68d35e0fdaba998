// SPDX-License-Identifier: GPL-2.0-or-later
// The line to the collector: one event stream, and the tables fetched again when an event says that
// they changed, never faster than their window needs.  A lost collector is retried with back-off;
// a hidden tab costs the collector nothing.
import { iso_s, unix_s } from './format.js';
import { now_ms, others_arrive, rows_arrive, set, SKIPPED_SHOWN_MS, state, url_write } from './store.js';

const FETCH_TIMEOUT_MS = 10000;
const FLUSH_MS = 400;      // rows are shown in groups: a burst costs a redraw, not a thousand
const RETRY_MIN_MS = 1000, RETRY_MAX_MS = 15000;
const BURST_MAX = 1000;
const ROWS_EVERY_MS = 5000;

// name -> { page, path(), on: [types of reports that change it], every: { min_ms, max_ms } }.  Asked for only
// while its page is looked at; without a page: always.  A path that is '' asks for nothing.
const RESOURCES = {
	sensors: { path: () => 'api/sensors', on: ['stat'], every: { min_ms: 2000, max_ms: 10000 } },
	health: { path: () => 'health', on: [], every: { min_ms: 10000, max_ms: 30000 } },
};

// What a page needs; once, when it is loaded.  A name is one page's.
export function resources_add(page, resources)
{
	for (const name in resources) {
		if (RESOURCES[name])
			throw new Error(`${name} is another page's`);
		RESOURCES[name] = { page, on: [], ...resources[name] };
	}
}

// A day's figures do not change by the second, and cost the collector more.
function pace(name)
{
	if (RESOURCES[name].every)
		return RESOURCES[name].every;
	if (state.window_s <= 300)
		return { min_ms: 3000, max_ms: 15000 };
	if (state.window_s <= 3600)
		return { min_ms: 10000, max_ms: 30000 };
	if (state.window_s <= 86400)
		return { min_ms: 30000, max_ms: 60000 };
	return { min_ms: 60000, max_ms: 300000 };
}

// The path of a question.  What is undefined or '' is left out; the collector reads no escape but in a
// filter, and needs none in what is allowed elsewhere.
export function question(path, params)
{
	const q = Object.entries(params ?? {}).filter(([, v]) => v !== undefined && v !== '')
		.map(([k, v]) => `${k}=${encodeURIComponent(v).replaceAll('%3A', ':')}`);

	return q.length ? `${path}?${q.join('&')}` : path;
}

// The same about the window and the sensor that the reader chose.
export function question_in_window(path, params)
{
	return question(path, { window_s: state.window_s, until: state.until_s ? iso_s(state.until_s) : '', sensor: state.sensor, ...params });
}

let started = false;       // we know who we are: questions may go out
let stream = null;
let stream_open = false;
let opened_before = false;
let retry_ms = RETRY_MIN_MS;
let retry_timer = 0;
let burst = [], others = [];
let missed = false;        // the list has holes that a fetch can fill
let rows_at_ms = 0;
const busy = new Set(), dirty = new Set();

// The answer, or an error with `status` (absent: there was none) and the collector's own words.
export async function get(path, options)
{
	const stop = new AbortController();
	const timer = setTimeout(() => stop.abort(), FETCH_TIMEOUT_MS);

	try {
		const res = await fetch(path, { signal: stop.signal, cache: 'no-store', ...options });
		const date = Date.parse(res.headers.get('date') ?? '');
		const skew_ms = date - Date.now();
		const value = await res.json().catch(() => undefined);
		if (res.status === 401 && path !== 'api/login')
			lock();
		if (!res.ok || value === undefined)
			throw Object.assign(new Error(value?.error ?? `HTTP ${res.status}`), { status: res.status, said: value });
		// The header counts whole seconds: less than two is no skew that we could know.
		return { value, skew_ms: Math.abs(skew_ms) > 2000 ? skew_ms : 0 };
	} finally {
		clearTimeout(timer);
	}
}

// A change, as the person who is logged in.
export async function post(path, body)
{
	const { value } = await get(path, { method: 'POST', body: JSON.stringify(body ?? {}),
		headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': state.session?.csrf ?? '' } });

	return value;
}

function answered(skew_ms)
{
	set({ skew_ms, link: stream_open ? 'live' : 'polling', lost_at: 0 });
}

// What a proxy says in the collector's place is no answer either.
function failed(e)
{
	if (e?.status && e.status !== 502 && e.status !== 504)
		return;
	if (state.link !== 'lost')
		set({ link: 'lost', lost_at: Date.now() });
}

function wanted(name)
{
	const r = RESOURCES[name];

	return r && (r.page ?? state.page) === state.page && r.path();
}

// What is there for the question that the page asks now: { value, at_ms, error }, or undefined.
export function answer(name)
{
	const d = state.data[name];

	return d && d.path === wanted(name) ? d : undefined;
}

// Data older than three turns of its pace, whatever the reason: since when, else 0.
export function stale_since_ms(name)
{
	const d = answer(name);

	if (!d?.value || state.paused_at || fixed(d.path))
		return 0;
	const old_ms = Date.now() - d.at_ms;
	return old_ms > 3 * pace(name).max_ms || (state.link === 'lost' && old_ms > 5000) ? d.at_ms : 0;
}

// A window of the past changes only by reports that come late.
function fixed(path)
{
	return path.includes('until=');
}

async function refresh(name)
{
	const path = wanted(name);

	if (busy.has(name) || !path || !started || state.locked)
		return;
	busy.add(name);
	dirty.delete(name);
	try {
		const { value, skew_ms } = await get(path);
		answered(skew_ms);
		// The reader may have chosen something else, or to look at what is there, while we asked.
		if (path === wanted(name) && (!state.paused_at || !answer(name)?.value))
			set({ data: { ...state.data, [name]: { value, path, at_ms: Date.now() } } });
	} catch (e) {
		const old = state.data[name];
		set({ data: { ...state.data, [name]: { ...old?.path === path ? old : {}, path, error: e.message, status: e.status, said: e.said, tried_ms: Date.now() } } });
		failed(e);
	} finally {
		busy.delete(name);
	}
	if (path !== wanted(name))
		refresh(name);
}

async function load_rows()
{
	if (state.locked)
		return;
	rows_at_ms = Date.now();
	missed = false;
	try {
		const { value, skew_ms } = await get('api/conns?limit=200');
		answered(skew_ms);
		rows_arrive(value.conns);
	} catch (e) {
		failed(e);
	}
}

export function refresh_all()
{
	for (const name in RESOURCES)
		refresh(name);
}

// A choice of the page: into its part of the address, and asked for anew.
export function choose(choices)
{
	const view = { ...state.view, ...choices };

	for (const k in view)
		if (!view[k])
			delete view[k];
	set({ view });
	url_write();
	refresh_changed();
}

// The same for what all pages share: window_s, until_s, sensor, page (with its view).
export function choose_all(choices)
{
	set(choices);
	url_write();
	refresh_changed();
}

// An answer of the page that says which time it is of; all of a page's are of the same.
export function timed_answer()
{
	return Object.keys(RESOURCES).map((name) => RESOURCES[name].page === state.page && answer(name)?.value).find((v) => v?.from_ts && v.until_ts);
}

// Where the window would end that is the one before (-1) or behind (1) what the page shows.  That may be wider than was
// asked, so its own ends count: nothing is shown twice or left out.
export function until_beside(step)
{
	const v = timed_answer();
	const end_s = v ? unix_s(v.until_ts) : state.until_s || Math.ceil(now_ms() / 60000) * 60;

	return step > 0 ? end_s + state.window_s : v ? unix_s(v.from_ts) : end_s - state.window_s;
}

// Asks for what the choices made another question, and nothing else.
export function refresh_changed()
{
	for (const name in RESOURCES)
		if (!answer(name)?.value)
			refresh(name);
}

function turn()
{
	if (document.hidden || state.paused_at || state.locked)
		return;
	for (const name in RESOURCES) {
		const d = answer(name);
		const every = pace(name);
		const old_ms = Date.now() - Math.max(d?.at_ms ?? 0, d?.tried_ms ?? 0);

		if (wanted(name) && state.link !== 'lost' && !(d?.value && fixed(d.path))
			&& old_ms >= (dirty.has(name) ? every.min_ms : every.max_ms))
			refresh(name);
	}
	if (missed && state.link !== 'lost' && Date.now() - rows_at_ms >= ROWS_EVERY_MS)
		load_rows();
}

function flush()
{
	if (burst.length) {
		rows_arrive(burst);
		burst = [];
	}
	if (others.length) {
		others_arrive(others);
		others = [];
	}
}

function on_report(e)
{
	let r;

	try {
		r = JSON.parse(e.data);
	} catch {
		return;
	}
	for (const name in RESOURCES)
		if (RESOURCES[name].on.includes(e.type))
			dirty.add(name);
	if (e.type === 'conn') {
		burst.unshift(r);
		if (burst.length > BURST_MAX) {
			missed = true;
			burst.pop();
		}
	} else if (e.type === 'trace' || e.type === 'plugin') {
		others.unshift(r);
		if (others.length > BURST_MAX)
			others.pop();
	}
}

// The collector leaves events out rather than wait for a slow reader, and says how many.
function on_skipped(e)
{
	try {
		const { n } = JSON.parse(e.data);
		const quiet = Date.now() - state.skipped_at > SKIPPED_SHOWN_MS;
		set({ skipped: (quiet ? 0 : state.skipped) + n, skipped_at: Date.now() });
	} catch {
		return;
	}
	for (const name in RESOURCES)
		dirty.add(name);
	missed = true;
}

function close()
{
	clearTimeout(retry_timer);
	stream?.close();
	stream = null;
	stream_open = false;
}

function reconnect()
{
	close();
	// Half fixed, half random: a hundred pages do not come back in one moment.
	const wait_ms = retry_ms / 2 + Math.random() * retry_ms / 2;
	retry_ms = Math.min(retry_ms * 2, RETRY_MAX_MS);
	set({ retry_at: Date.now() + wait_ms });
	retry_timer = setTimeout(open, wait_ms);
}

function open()
{
	close();
	if (document.hidden || !started || state.locked)
		return;
	// A proxy may hold back the stream and still let questions through: then we poll.
	if (state.link === 'lost')
		refresh('sensors');
	stream = new EventSource('events');
	stream.onopen = () => {
		stream_open = true;
		retry_ms = RETRY_MIN_MS;
		set({ link: 'live', lost_at: 0 });
		// What was stored while we were away, or between the first fetch and the stream.
		load_rows();
		// A collector that was started again knows no session of before.
		if (opened_before || !state.session)
			session_read();
		if (opened_before)
			refresh_all();
		opened_before = true;
	};
	stream.onerror = () => {
		failed();
		reconnect();
	};
	for (const type of ['conn', 'attempt', 'stat', 'trace', 'plugin'])
		stream.addEventListener(type, on_report);
	stream.addEventListener('skipped', on_skipped);
}

// Nothing more is asked until somebody has logged in; what was there is forgotten.
function lock()
{
	if (state.locked)
		return;
	close();
	set({ locked: true, data: {}, rows: [], waiting: [], others: [], open: null, link: 'connecting', lost_at: 0 });
	session_read();
}

// Who we are to the collector.
export async function session_read()
{
	let session;

	try {
		session = (await get('api/session')).value;
	} catch {
		return; // asked again when the line is there
	}
	set({ session });
	if (session.login_needed && !session.user)
		lock();
	else if (state.locked)
		unlock();
}

function unlock()
{
	set({ locked: false });
	load_rows();
	refresh_all();
	open();
}

export async function login(user, password)
{
	await post('api/login', { user, password });
	await session_read();
}

export async function logout()
{
	await post('api/logout');
	lock();
}

export async function start()
{
	document.addEventListener('visibilitychange', () => document.hidden ? close() : open());
	setInterval(turn, 500);
	setInterval(flush, FLUSH_MS);
	// First who we are: what a login is needed for is not asked in vain.
	await session_read();
	started = true;
	load_rows();
	refresh_all();
	open();
}
