// SPDX-License-Identifier: GPL-2.0-or-later
// Cypher over the hops: a question, its answer as a table; the hops in it are lit in the graph.
import { Component } from 'preact';
import { count, exact, span } from './format.js';
import { choose, post } from './link.js';
import { Empty, html, Host, Panel } from './parts.js';
import { Wrong } from './wrong.js';

const ROWS_SHOWN = 200, TEXT_MAX = 2000;

function examples(ip)
{
	return [['Up to five hops behind one', `MATCH (a:hop{ip:'${ip}'})-[:next*1..5]->(b) RETURN a,b`],
		['What leads to one', `MATCH (a:hop)-[:next*1..3]->(b:hop{ip:'${ip}'}) RETURN a,b`],
		['The links of one, slowest first', `MATCH (a:hop{ip:'${ip}'})-[r:next]->(b) RETURN b.ip, r.rtt_us, r.count ORDER BY r.rtt_us DESC LIMIT 20`]];
}

// Every address in an answer, however deep.
function addresses(value, into)
{
	if (Array.isArray(value))
		value.forEach((v) => addresses(v, into));
	else if (typeof value === 'string' && /^[0-9a-f:.]{3,45}$/i.test(value) && /[.:]/.test(value))
		into.add(value);
	else if (value && typeof value === 'object')
		Object.values(value).forEach((v) => addresses(v, into));
	return into;
}

function Cell({ v, name })
{
	if (v === null || v === undefined)
		return html`<span class="unknown">–</span>`;
	if (Array.isArray(v))
		return html`<span class="ports">${v.slice(0, 20).map((x, i) => html`<span key=${i} class="chip"><${Cell} v=${x} /></span>`)}</span>`;
	if (typeof v === 'object' && v.ip !== undefined)
		return html`<button type="button" class="row" onclick=${() => choose({ hop: String(v.ip), dst: '' })}><${Host} ip=${String(v.ip)} name=${v.name} /></button>`;
	if (typeof v === 'object')
		return html`<span class="ports">${Object.entries(v).map(([k, x]) => html`<span key=${k} class="chip"><bdi>${k}</bdi> <${Cell} v=${x} name=${k} /></span>`)}</span>`;
	if (typeof v === 'number')
		return /_us$/.test(name ?? '') ? html`${span(v).text} ${span(v).unit}` : html`<span class="num">${count(v)}</span>`;
	return html`<bdi title=${/_(seen|ts)$/.test(name ?? '') ? exact(v) : undefined}>${String(v)}</bdi>`;
}

export class Cypher extends Component {
	constructor()
	{
		super();
		this.state = { text: null, busy: false, said: null, wrong: null };
	}

	componentDidMount()
	{
		if (this.props.query)
			this.run(this.props.query);
	}

	async run(text)
	{
		this.setState({ busy: true });
		choose({ cy: text });
		try {
			const said = await post('api/cypher', { query: text, params: {} });
			this.setState({ busy: false, said, wrong: null });
			this.props.found(addresses(said.rows, new Set()));
		} catch (e) {
			this.setState({ busy: false, said: null, wrong: { text, message: e.message, at: e.said?.at } });
			this.props.found(null);
		}
	}

	clear()
	{
		this.setState({ said: null, wrong: null, text: null });
		choose({ cy: '' });
		this.props.found(null);
	}

	render({ ip, query }, { text, busy, said, wrong })
	{
		const list = examples(ip);
		const shown = text ?? (query || list[0][1]);
		const go = () => shown.trim() && this.run(shown.trim());

		return html`<${Panel} id="cypher" title="Ask the graph" note="Cypher, read only"
			actions=${(said || wrong) && html`<button type="button" onclick=${() => this.clear()}>Clear</button>`}>
		<div class="ask">
			<label class="vh" for="cypher-q">Question in Cypher</label>
			<textarea id="cypher-q" rows="2" maxlength=${TEXT_MAX} spellcheck="false" autocomplete="off" value=${shown} aria-invalid=${wrong !== null} aria-describedby=${wrong ? 'cypher-wrong' : undefined}
				oninput=${(e) => this.setState({ text: e.currentTarget.value })} onkeydown=${(e) => (e.ctrlKey || e.metaKey) && e.key === 'Enter' && go()}></textarea>
			<button type="button" disabled=${busy} onclick=${go}>Ask</button></div>
		<p class="examples">${list.map(([words, q], i) => html`<button key=${i} type="button" class="as-link" onclick=${() => { this.setState({ text: q }); this.run(q); }}>${words}</button>`)}</p>
		${wrong && html`<${Wrong} id="cypher-wrong" ...${wrong} />`}
		${said && (said.rows.length ? html`<p class="note" role="status">${count(said.rows.length)} row${said.rows.length === 1 ? '' : 's'}${said.partial ? ', and there are more' : ''}, from ${said.engine}; the hops in them are lit above.</p>
			<div class="scroll" tabindex="0" role="group" aria-label="Answer"><table class="rows answer"><thead><tr>${said.columns.map((c, i) => html`<th key=${i} scope="col"><bdi>${c}</bdi></th>`)}</tr></thead>
			<tbody>${said.rows.slice(0, ROWS_SHOWN).map((r, i) => html`<tr key=${i}>${r.map((v, k) => html`<td key=${k}><${Cell} v=${v} name=${said.columns[k]} /></td>`)}</tr>`)}</tbody></table></div>
			${said.rows.length > ROWS_SHOWN && html`<p class="note">The first ${ROWS_SHOWN} are shown.</p>`}` : html`<${Empty}>No row. Is the address one of a hop that was traced?</${Empty}>`)}
		</${Panel}>`;
	}
}
