// SPDX-License-Identifier: GPL-2.0-or-later
// What is not well with the collector itself, as /health says it: a line on every page that a person can put away
// until the browser is closed.  The page "Sensors" says all of it.
import { count, day_clock, unix_s } from './format.js';
import { Go } from './go.js';
import { Follow, html, Shape } from './parts.js';
import { now_ms } from './store.js';

const RECENT_S = 3600;   // what had no room, and has again since then, is not worth a line any more
const AWAY_MAX = 20;

const many = (n, one, more) => `${count(n)} ${n === 1 ? one : more}`;
const since = (ts) => day_clock(unix_s(ts));

function no_room(r)
{
	if (!r?.last_ts || now_ms() / 1000 - unix_s(r.last_ts) > RECENT_S)
		return null;
	return { id: 'full', key: `full ${r.first_ts}`, tone: 'warn', text: r.reports
		? `The database is full: since ${since(r.first_ts)}, ${many(r.reports, 'report', 'reports')} made room for newer ones before the time.`
		: `The database is full: since ${since(r.first_ts)}, what is rare is counted with the rest.` };
}

// What is wrong, worst first.  `key` changes when it happens anew.
export function alarms(h)
{
	const list = [];

	if (h?.status === 'degraded')
		list.push({ id: 'refused', key: `refused ${h.since_ts}`, tone: 'bad', text: `Reports have not been stored since ${since(h.since_ts)}. The sensors keep them and try again.` });
	if (h?.damaged > 0)
		list.push({ id: 'damaged', key: `damaged ${h.damaged}`, tone: 'bad', text: `${many(h.damaged, 'damaged file of the database was', 'damaged files of the database were')} set aside. The rest goes on.` });
	list.push(no_room(h?.removed));
	if (h?.graph && ['away', 'refused'].includes(h.graph.state))
		list.push({ id: 'graph', key: `graph ${h.graph.state}`, tone: 'warn', text: h.graph.state === 'away' ? 'The server of graph-url does not answer: nothing is copied there.'
			: 'The server of graph-url refuses what it is sent: nothing is copied there.' });
	return list.filter(Boolean);
}

function away_read()
{
	try {
		return JSON.parse(sessionStorage.getItem('away')) ?? [];
	} catch {
		return []; // a browser that keeps nothing
	}
}

export class Alarms extends Follow {
	constructor()
	{
		super();
		this.away = away_read();
	}

	put_away(key)
	{
		this.away = [key, ...this.away].slice(0, AWAY_MAX);
		try {
			sessionStorage.setItem('away', JSON.stringify(this.away));
		} catch {
			// It holds until the page is left.
		}
		this.forceUpdate();
		document.querySelector('main')?.focus();
	}

	render({ health })
	{
		const list = alarms(health).filter((a) => !this.away.includes(a.key));

		return list.length > 0 && html`<section class="alarms" aria-label="What needs a look">${list.map((a) => html`<p key=${a.key} class=${`banner slim ${a.tone}`} data-alarm=${a.id}
			role=${a.tone === 'bad' ? 'alert' : 'status'}><${Shape} name="triangle" /><span>${a.text} <${Go} page="sensors">What to do</${Go}></span><button type="button"
			onclick=${() => this.put_away(a.key)} title="Until this browser is closed">Put away<span class="vh">: ${a.text}</span></button></p>`)}</section>`;
	}
}
