// SPDX-License-Identifier: GPL-2.0-or-later
// What the collector says is wrong with a question, and where in it.
import { html, Shape } from './parts.js';

// The line of the text in which byte `at` lies, with that letter marked and a pointer under it.
function place(text, at)
{
	const bytes = new TextEncoder().encode(text);
	const before = new TextDecoder().decode(bytes.slice(0, at)), line = before.slice(before.lastIndexOf('\n') + 1);
	const [letter, ...rest] = new TextDecoder().decode(bytes.slice(at)).split('\n')[0];

	return html`${line}<mark>${letter ?? ' '}</mark>${rest.join('')}${'\n'}${' '.repeat([...line].length)}^`;
}

export function Wrong({ id, text, message, at, expected })
{
	return html`<div class="wrong" role="alert" id=${id}><p class="mark bad"><${Shape} name="cross" /><bdi>${message}</bdi></p>
		${Number.isFinite(at) && html`<pre tabindex="0">${place(text, at)}</pre>`}
		${expected?.length > 0 && html`<p class="note">Expected here: ${expected.map((w, i) => html`<span key=${i}>${i > 0 && ' '}<code>${w}</code></span>`)}</p>`}</div>`;
}
