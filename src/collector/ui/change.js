// SPDX-License-Identifier: GPL-2.0-or-later
// More or less than in the window before: an arrow and how much of it, in words for who hovers and for who hears it.
// Colour only repeats what the arrow says.
import { count } from './format.js';
import { html, Shape } from './parts.js';

const EVEN_PERCENT = 5;
const TIMES_FROM = 10; // fold, from where percent would be hard to read

function Shown({ shape, text, words, tone })
{
	return html`<span class=${`mark change ${tone ?? 'dim'}`} title=${words}><${Shape} name=${shape} /><span aria-hidden="true">${text}</span><span class="vh">${words}</span></span>`;
}

// Against what was expected from before; `was` says that in words, [more, less] how this differs: "more", "less".
export function Change({ now, expected, was, more = 'more', less = 'less', loud })
{
	if (!Number.isFinite(now) || !Number.isFinite(expected))
		return null;
	if (!expected)
		return now ? html`<${Shown} shape="out" text="new" words=${`new: ${was}`} />` : null;
	const by = (now / expected - 1) * 100;
	const up = by > 0;

	if (Math.abs(by) < EVEN_PERCENT)
		return html`<${Shown} shape="dash" text="even" words=${`about the same: ${was}`} />`;
	const much = by >= (TIMES_FROM - 1) * 100 ? `${count(Math.round(now / expected))} ×` : `${Math.round(Math.abs(by))} %`;
	return html`<${Shown} shape=${up ? 'up' : 'down'} text=${much} tone=${loud && by >= loud ? 'warn' : 'dim'}
		words=${`${by >= (TIMES_FROM - 1) * 100 ? `${count(Math.round(now / expected))} times as much` : `${much} ${up ? more : less}`}: ${was}`} />`;
}

// Of shares: percent of percent would mislead, so it is told in points.
export function ChangeOfShare({ now, before, was, loud })
{
	if (!Number.isFinite(now) || !Number.isFinite(before))
		return null;
	const points = (now - before) * 100;
	const text = Math.abs(points).toFixed(Math.abs(points) < 10 ? 1 : 0);

	if (Number(text) === 0)
		return html`<${Shown} shape="dash" text="even" words=${`about the same: ${was}`} />`;
	return html`<${Shown} shape=${points > 0 ? 'up' : 'down'} text=${`${text} pt`} tone=${loud && points >= loud ? 'warn' : 'dim'}
		words=${`${text} percentage points ${points > 0 ? 'more' : 'less'}: ${was}`} />`;
}
