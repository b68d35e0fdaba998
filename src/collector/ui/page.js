// SPDX-License-Identifier: GPL-2.0-or-later
// The shell around the pages: header, window and sensor, what is wrong with the line; loads a page when it
// is first looked at.
import { Alarms } from './alarms.js';
import { Covers } from './covers.js';
import { age, clock, count, day_clock, WINDOWS } from './format.js';
import { latest_runs } from './runs.js';
import { follow } from './go.js';
import { answer, choose_all, logout, refresh_all, refresh_changed, resources_add, stale_since_ms, timed_answer, until_beside } from './link.js';
import { Login } from './login.js';
import * as now from './now.js';
import { PAGES, page_of } from './pages.js';
import { Empty, Follow, html, memo, Shape } from './parts.js';
import { held, now_ms, rows_fresh, rows_release, set, state, url_of } from './store.js';
import { theme, theme_set, THEMES } from './theme.js';

const modules = { now };           // page -> its module, once it is here
const loading = new Set();
const failed = new Map();          // page -> why it could not be loaded

resources_add('now', now.resources);

// A page's file; what it needs is asked for as soon as it is here.
async function load(page)
{
	if (modules[page.id] || loading.has(page.id))
		return;
	loading.add(page.id);
	failed.delete(page.id);
	try {
		const module = await page.load();
		resources_add(page.id, module.resources);
		modules[page.id] = module;
	} catch (e) {
		failed.set(page.id, e.message);
	}
	loading.delete(page.id);
	set({});
	refresh_changed();
}

function toggle_pause()
{
	if (state.paused_at) {
		set({ paused_at: 0 });
		if (!held())
			rows_release();
		refresh_all();
	} else {
		set({ paused_at: Date.now() });
	}
}

// Back by a window, or forth; what would end behind now ends with now.
function move(step)
{
	const until_s = until_beside(step);

	choose_all({ until_s: until_s >= now_ms() / 1000 - 60 ? 0 : until_s });
}

const LINKS = {
	connecting: ['ring', 'dim', 'Connecting'],
	live: ['disc', 'good', 'Live'],
	polling: ['half', 'warn', 'Slow updates'],
	lost: ['cross', 'bad', 'Collector lost'],
};

const THEME_SHAPES = { __proto__: null, auto: 'half', light: 'ring', dark: 'disc' };

function next_theme()
{
	theme_set(THEMES[(THEMES.indexOf(theme.choice) + 1) % THEMES.length]);
	set({});
}

const Header = memo(({ link, paused_at, page, address, session, locked, choice }) => {
	const [shape, tone, word] = paused_at ? ['bars', 'warn', 'Paused'] : LINKS[link];

	return html`<header class="top" data-address=${address}>
		<a class="skip" href="#app" onclick=${(e) => { e.preventDefault(); (document.querySelector('main input') ?? document.querySelector('main :is(button, a, [tabindex])'))?.focus(); }}>${page === 'now' ? 'Skip to live handshakes' : 'Skip to the page'}</a>
		<h1><img src="icon.svg" alt="" width="26" height="26" />net-gazer</h1>
		${!locked && html`<nav aria-label="Pages">${PAGES.map(({ id, name }) => html`<a key=${id} href=${url_of(id)} aria-current=${id === page ? 'page' : undefined}
			onclick=${(e) => follow(e, id)}>${name}</a>`)}</nav>`}
		<div class="about-us">
			${!locked && html`<span class=${`mark link ${tone}`} role="status" data-link=${paused_at ? 'paused' : link}><${Shape} name=${shape} />${word}</span>`}
			<button type="button" class="theme" onclick=${next_theme} title="Colours: as the system, light, dark"><${Shape} name=${THEME_SHAPES[choice]} /><span><span class="vh">Colours: </span>${choice}</span></button>
			${!locked && session?.user && html`<button type="button" class="logout" onclick=${logout}>Log out <bdi>${session.user}</bdi></button>`}
		</div>
	</header>`;
});

// The window of time, the sensor, and whether the page moves on.
const Toolbar = memo(({ has_window, has_sensor, window_s, until_s, sensor, sensors, paused_at, waiting }) => html`<section class="toolbar" aria-label="What is shown">
	${has_window && html`<div class="segments" role="group" aria-label="Time window">${WINDOWS.map((w) => html`<button type="button" key=${w.id} data-window=${w.id}
		aria-pressed=${w.s === window_s} onclick=${() => choose_all({ window_s: w.s })}>${w.label}</button>`)}</div>
	<div class="segments move" role="group" aria-label="Earlier and later">
		<button type="button" class="earlier" onclick=${() => move(-1)} aria-label="Earlier by one window" title="Earlier by one window"><${Shape} name="left" /></button>
		${until_s > 0 && html`<button type="button" class="until" onclick=${() => choose_all({ until_s: 0 })} title="Back to now"><${Shape} name="clock" />until ${day_clock(until_s)}<span class="vh">: back to now</span></button>`}
		<button type="button" class="later" disabled=${!until_s} onclick=${() => move(1)} aria-label="Later by one window" title="Later by one window"><${Shape} name="right" /></button></div>`}
	${has_sensor && sensors.length > 1 && html`<label class="choice"><span class="vh">Sensor</span><select value=${sensor} onchange=${(e) => choose_all({ sensor: e.currentTarget.value, open: null })}>
		<option value="">All ${sensors.length} sensors</option>${sensors.map((s) => html`<option key=${s} value=${s}>${s}</option>`)}</select></label>`}
	<button type="button" class="pause" aria-pressed=${paused_at > 0} onclick=${toggle_pause}>${paused_at
		? html`Go on${waiting > 0 && html`<span class="n"> (${count(waiting)} new)</span>`}` : 'Pause'}</button>
</section>`);

// Ticks each second while the collector is away.
class Banner extends Follow {
	componentDidMount()
	{
		super.componentDidMount();
		this.timer = setInterval(() => (state.link === 'lost' || state.paused_at) && this.forceUpdate(), 1000);
	}

	componentWillUnmount()
	{
		super.componentWillUnmount();
		clearInterval(this.timer);
	}

	render()
	{
		if (state.link === 'lost') {
			const wait_s = Math.max(0, Math.ceil((state.retry_at - Date.now()) / 1000));
			return html`<p class="banner bad" role="alert"><${Shape} name="cross" /><span>The collector has not answered since ${clock(state.lost_at / 1000)} (${age((Date.now() - state.lost_at) / 1000)}).
				What you see is from then. ${wait_s ? `Trying again in ${wait_s} s.` : 'Trying again now.'}</span></p>`;
		}
		if (state.paused_at)
			return html`<p class="banner warn"><${Shape} name="bars" /><span>Paused at ${clock(state.paused_at / 1000)}: nothing below changes until you go on.</span></p>`;
		return null;
	}
}

function NoSensor()
{
	return html`<section class="panel start" aria-labelledby="start-h"><header><h2 id="start-h">No sensor has reported yet</h2></header>
		<p>Start one on the router, or on this machine, and tell it where this collector is:</p>
		<pre tabindex="0"><code>net-gazer --collector-url ${location.origin}</code></pre>
		<p>Rows appear here as soon as it sees a TCP handshake. If none come, <code>net-gazer -n</code> checks its configuration and says what is wrong.
			A sensor on another machine needs an address of this collector that it can reach; unless told otherwise, the collector listens on loopback alone.
			The page <a href=${url_of('sensors')} onclick=${(e) => follow(e, 'sensors')}>Sensors</a> makes the line to paste there.</p></section>`;
}

function NotLoaded({ page, why })
{
	return html`<section class="panel start" aria-labelledby="start-h"><header><h2 id="start-h">${page.name} could not be loaded</h2></header>
		<p>${why}</p><p>Was the collector updated? Then this page is older than it. <button type="button" onclick=${() => location.reload()}>Load it anew</button></p></section>`;
}

// What a part of a page gets for one of its resources.
function of(name)
{
	const since_ms = stale_since_ms(name);

	return { d: answer(name), window_s: state.window_s, until_s: state.until_s, stale: since_ms ? `from ${clock(since_ms / 1000)}` : null };
}

export class Page extends Follow {
	componentDidMount()
	{
		super.componentDidMount();
		this.timer = setInterval(() => this.forceUpdate(), 2000);
	}

	// Where the names of the pages do not all fit, that of this one does.
	componentDidUpdate()
	{
		if (this.shown === state.page)
			return;
		this.shown = state.page;
		document.querySelector('nav [aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
	}

	componentWillUnmount()
	{
		super.componentWillUnmount();
		clearInterval(this.timer);
	}

	render()
	{
		const page = page_of(state.page);
		const module = modules[page.id];
		const sensors = answer('sensors')?.value?.sensors;
		const nothing = sensors && !sensors.length && !state.rows.length && !page.without_sensors;
		const header = html`<${Header} link=${state.link} paused_at=${state.paused_at} page=${page.id} session=${state.session} locked=${state.locked} choice=${theme.choice}
			address=${url_of('now')} />`;

		document.title = state.locked ? 'Log in: net-gazer' : `${page.name}: net-gazer`;
		if (state.locked)
			return html`${header}<${Login} />`;
		if (!module && !failed.has(page.id))
			load(page);
		return html`${header}
		<${Toolbar} has_window=${page.window} has_sensor=${page.window || page.sensor} window_s=${state.window_s} until_s=${state.until_s} sensor=${state.sensor} sensors=${sensor_names(sensors, state.sensor)}
			paused_at=${state.paused_at} waiting=${state.paused_at ? rows_fresh().length : 0} />
		<${Banner} />
		${page.id !== 'sensors' && html`<${Alarms} health=${answer('health')?.value} />`}
		${page.window && html`<${Covers} v=${timed_answer()} window_s=${state.window_s} until_s=${state.until_s} />`}
		<main tabindex="-1" class=${`${state.link === 'lost' ? 'lost' : ''} ${page.id}`}>
			${nothing ? html`<${NoSensor} />` : module ? html`<${module.View} state=${state} of=${of} />`
		: failed.has(page.id) ? html`<${NotLoaded} page=${page} why=${failed.get(page.id)} />` : html`<${Empty}>Loading.</${Empty}>`}
		</main>`;
	}
}

let names = [];

// The same list while it says the same.  One that only the address names can be left again.
function sensor_names(sensors, chosen)
{
	const list = latest_runs(sensors ?? []).latest.map((s) => s.sensor);

	if (chosen && !list.includes(chosen))
		list.push(chosen);
	if (list.join(' ') !== names.join(' '))
		names = list;
	return names;
}
