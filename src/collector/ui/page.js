// SPDX-License-Identifier: GPL-2.0-or-later
// The header, the page "Now" in the order in which a network engineer wants to know things, and "Paths".
import { age, clock, count, WINDOWS } from './format.js';
import { Chart } from './chart.js';
import { Ledger, sensor_silent } from './ledger.js';
import { pace, refresh_all } from './link.js';
import { Attempts, Destinations, Failures } from './lists.js';
import { Live, Others } from './live.js';
import { Empty, Follow, html, memo, Shape } from './parts.js';
import { Paths } from './paths.js';
import { Tiles } from './tiles.js';
import { held, rows_fresh, rows_release, set, SKIPPED_SHOWN_MS, state, url_write } from './store.js';

function choose_window(window_s)
{
	set({ window_s });
	url_write();
	refresh_all();
}

function open_page(e, page)
{
	e.preventDefault();
	set({ page });
	url_write();
	refresh_all();
}

const PAGES = [['now', 'Now'], ['paths', 'Paths']];

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

const LINKS = {
	connecting: ['ring', 'dim', 'Connecting'],
	live: ['disc', 'good', 'Live'],
	polling: ['half', 'warn', 'Slow updates'],
	lost: ['cross', 'bad', 'Collector lost'],
};

const Header = memo(({ link, paused_at, page, window_s, waiting }) => {
	const [shape, tone, word] = paused_at ? ['bars', 'warn', 'Paused'] : LINKS[link];

	return html`<header class="top">
		<a class="skip" href="#app" onclick=${(e) => { e.preventDefault(); document.querySelector('main input')?.focus(); }}>${page === 'now' ? 'Skip to live handshakes' : 'Skip to the paths'}</a>
		<h1><img src="icon.svg" alt="" width="26" height="26" />net-gazer</h1>
		<nav aria-label="Pages">${PAGES.map(([id, name]) => html`<a key=${id} href=${id === 'now' ? '#' : `#p=${id}`} aria-current=${id === page ? 'page' : undefined}
			onclick=${(e) => open_page(e, id)}>${name}</a>`)}</nav>
		<span class=${`mark link ${tone}`} role="status" data-link=${paused_at ? 'paused' : link}><${Shape} name=${shape} />${word}</span>
		<div class="controls">
			${page === 'now' && html`<div class="segments" role="group" aria-label="Time window">${WINDOWS.map((w) => html`<button type="button" key=${w.id} data-window=${w.id}
				aria-pressed=${w.s === window_s} onclick=${() => choose_window(w.s)}>${w.label}</button>`)}</div>`}
			<button type="button" class="pause" aria-pressed=${paused_at > 0} onclick=${toggle_pause}>${paused_at
		? html`Go on${waiting > 0 && html`<span class="n"> (${count(waiting)} new)</span>`}` : 'Pause'}</button>
		</div>
	</header>`;
});

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
			A sensor on another machine needs an address of this collector that it can reach; unless told otherwise, the collector listens on loopback alone.</p></section>`;
}

function no_rows(sensors)
{
	const s = sensors?.find((x) => !sensor_silent(x));

	if (!sensors)
		return html`<${Empty}>Waiting for the collector.</${Empty}>`;
	if (!s)
		return html`<${Empty}>No handshake is stored, and no sensor is reporting. Is <code>net-gazer</code> still running there?</${Empty}>`;
	if (!s.stat.seen)
		return html`<${Empty}>Sensor <bdi>${s.sensor}</bdi> reports, but its rules have matched no packet. Does traffic pass through that machine? Open a connection, or look at the counters: <code>nft list table inet net_gazer</code></${Empty}>`;
	return html`<${Empty}>Sensor <bdi>${s.sensor}</bdi> has seen ${count(s.stat.seen)} packets, but no handshake has ended yet.</${Empty}>`;
}

// Data older than three turns of its pace is marked, whatever the reason.
function stale_words(name)
{
	const d = state.data[name];

	if (!d?.value || state.paused_at)
		return null;
	const every_ms = name === 'sensors' ? 10000 : name === 'graph' ? 60000 : pace(state.window_s).max_ms;
	const old_ms = Date.now() - d.at_ms;

	return old_ms > 3 * every_ms || (state.link === 'lost' && old_ms > 5000) ? `from ${clock(d.at_ms / 1000)}` : null;
}

export class Page extends Follow {
	componentDidMount()
	{
		super.componentDidMount();
		this.timer = setInterval(() => this.forceUpdate(), 2000);
	}

	componentWillUnmount()
	{
		super.componentWillUnmount();
		clearInterval(this.timer);
	}

	render()
	{
		const { data, window_s, rows } = state;
		const sensors = data.sensors?.value?.sensors;
		const of = (name) => ({ d: data[name]?.window_s === window_s || name === 'sensors' ? data[name] : undefined, window_s, stale: stale_words(name) });
		const nothing = sensors && !sensors.length && !rows.length;

		return html`<${Header} link=${state.link} paused_at=${state.paused_at} page=${state.page} window_s=${window_s} waiting=${state.paused_at ? rows_fresh().length : 0} />
		<${Banner} />
		<main class=${`${state.link === 'lost' ? 'lost' : ''} ${state.page}`}>
			${nothing ? html`<${NoSensor} />` : state.page === 'paths' ? html`<${Paths} d=${data.graph} one=${data.path} stale=${stale_words('graph')} dst=${state.dst} hop=${state.hop} filter=${state.path_filter} />` : html`
			<${Tiles} summary=${of('summary').d} attempts=${of('attempts').d} sensors=${data.sensors} window_s=${window_s} stale=${stale_words('summary')} />
			<${Chart} ...${of('summary')} />
			<${Live} rows=${rows} filter=${state.filter} open=${state.open} waiting=${state.waiting} waiting_lost=${state.waiting_lost}
				skipped=${Date.now() - state.skipped_at < SKIPPED_SHOWN_MS ? state.skipped : 0} is_held=${held()} paused=${state.paused_at > 0} empty=${rows.length ? null : no_rows(sensors)} />
			<div class="side"><${Failures} ...${of('failures')} /><${Attempts} ...${of('attempts')} /></div>
			<${Destinations} ...${of('destinations')} />
			<${Others} others=${state.others} />
			<${Ledger} d=${data.sensors} storage=${data.storage?.value} stale=${stale_words('sensors')} />`}
		</main>`;
	}
}
