// SPDX-License-Identifier: GPL-2.0-or-later
// The line to the collector: one event stream, and the tables fetched again when an event says that
// they changed, never faster than their window needs.  A lost collector is retried with back-off;
// a hidden tab costs the collector nothing.
import { others_arrive, rows_arrive, set, SKIPPED_SHOWN_MS, state } from './store.js';

const FETCH_TIMEOUT_MS = 10000;
const FLUSH_MS = 400;      // rows are shown in groups: a burst costs a redraw, not a thousand
const RETRY_MIN_MS = 1000, RETRY_MAX_MS = 15000;
const BURST_MAX = 1000;
const ROWS_EVERY_MS = 5000;
const GRAPH_LIMIT = 200;
const PATHS_EVERY = { min_ms: 3000, max_ms: 60000 };

// `page`: asked for only while that page is looked at; without one: always.
const RESOURCES = {
	summary: { page: 'now', path: () => `api/summary?window_s=${state.window_s}`, on: ['conn', 'attempt'] },
	destinations: { page: 'now', path: () => `api/destinations?window_s=${state.window_s}&limit=50`, on: ['conn'] },
	failures: { page: 'now', path: () => `api/failures?window_s=${state.window_s}&limit=50`, on: ['conn'] },
	attempts: { page: 'now', path: () => `api/attempts?window_s=${state.window_s}&limit=50`, on: ['attempt'] },
	sensors: { path: () => 'api/sensors', on: ['stat'], every: { min_ms: 2000, max_ms: 10000 } },
	storage: { page: 'now', path: () => 'api/storage', on: ['stat'], every: { min_ms: 10000, max_ms: 60000 } },
	graph: { page: 'paths', path: () => `api/graph?limit=${GRAPH_LIMIT}`, on: ['trace'], every: PATHS_EVERY },
	path: { page: 'paths', path: () => state.dst && `api/paths?dst=${encodeURIComponent(state.dst).replaceAll('%3A', ':')}`,
		on: ['trace'], every: PATHS_EVERY },
};

// A day's figures do not change by the second, and cost the collector more.
export function pace(window_s)
{
	if (window_s <= 300)
		return { min_ms: 3000, max_ms: 15000 };
	if (window_s <= 3600)
		return { min_ms: 10000, max_ms: 30000 };
	return { min_ms: 30000, max_ms: 60000 };
}

let stream = null;
let stream_open = false;
let opened_before = false;
let retry_ms = RETRY_MIN_MS;
let retry_timer = 0;
let burst = [], others = [];
let missed = false;        // the list has holes that a fetch can fill
let rows_at_ms = 0;
const busy = new Set(), dirty = new Set();

async function get(path)
{
	const stop = new AbortController();
	const timer = setTimeout(() => stop.abort(), FETCH_TIMEOUT_MS);

	try {
		const res = await fetch(path, { signal: stop.signal, cache: 'no-store' });
		if (!res.ok)
			throw Object.assign(new Error(`${path}: HTTP ${res.status}`), { refused: res.status === 400 });
		const date = Date.parse(res.headers.get('date') ?? '');
		const skew_ms = date - Date.now();
		const value = await res.json();
		// The header counts whole seconds: less than two is no skew that we could know.
		return { value, skew_ms: Math.abs(skew_ms) > 2000 ? skew_ms : 0 };
	} finally {
		clearTimeout(timer);
	}
}

function answered(skew_ms)
{
	set({ skew_ms, link: stream_open ? 'live' : 'polling', lost_at: 0 });
}

function failed()
{
	if (state.link !== 'lost')
		set({ link: 'lost', lost_at: Date.now() });
}

function wanted(name)
{
	return (RESOURCES[name].page ?? state.page) === state.page && RESOURCES[name].path();
}

async function refresh(name)
{
	const window_s = state.window_s;
	const path = wanted(name);

	if (busy.has(name) || !path)
		return;
	busy.add(name);
	dirty.delete(name);
	try {
		const { value, skew_ms } = await get(path);
		answered(skew_ms);
		// The reader may have chosen something else, or to look at what is there, while we asked.
		if (path === wanted(name) && !state.paused_at)
			set({ data: { ...state.data, [name]: { value, window_s, at_ms: Date.now() } } });
	} catch (e) {
		const old = state.data[name];
		set({ data: { ...state.data, [name]: { ...old, error: e.message, tried_ms: Date.now() } } });
		// A link may have asked for what is no address.
		if (!e.refused)
			failed();
	} finally {
		busy.delete(name);
	}
	if (path !== wanted(name))
		refresh(name);
}

async function load_rows()
{
	rows_at_ms = Date.now();
	missed = false;
	try {
		const { value, skew_ms } = await get('api/conns?limit=200');
		answered(skew_ms);
		rows_arrive(value.conns);
	} catch {
		failed();
	}
}

export function refresh_all()
{
	for (const name in RESOURCES)
		refresh(name);
}

function turn()
{
	if (document.hidden || state.paused_at)
		return;
	for (const name in RESOURCES) {
		const d = state.data[name];
		const every = RESOURCES[name].every ?? pace(state.window_s);
		const old_ms = Date.now() - Math.max(d?.at_ms ?? 0, d?.tried_ms ?? 0);

		if (wanted(name) && state.link !== 'lost' && old_ms >= (dirty.has(name) ? every.min_ms : every.max_ms))
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
	if (document.hidden)
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

export function start()
{
	document.addEventListener('visibilitychange', () => document.hidden ? close() : open());
	setInterval(turn, 500);
	setInterval(flush, FLUSH_MS);
	load_rows();
	refresh_all();
	open();
}
