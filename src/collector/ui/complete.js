// SPDX-License-Identifier: GPL-2.0-or-later
// What could stand where the reader is writing a filter: fields, their operators, their words, and, or.
// Pure; the collector alone decides what a filter means.
const ITEMS_MAX = 12;
const TOKEN = /"(?:[^"\\]|\\.)*"?|[()]|,|!=|!~|<=|>=|[=<>~]|[^\s()=<>~!,"]+|!/gy;
const UNITS = ['us', 'ms', 's'];

// Tokens that end before the caret; the one that the caret is in is apart.
function tokens(text, caret)
{
	const list = [];
	let at = 0, part = '';

	while (at < caret) {
		const blank = /\s*/y;
		blank.lastIndex = at;
		at += blank.exec(text)[0].length;
		TOKEN.lastIndex = at;
		const m = at < caret && TOKEN.exec(text);
		if (!m)
			break;
		const end = at + m[0].length;
		// A word goes on until something else stands behind it.
		if (end >= caret && /[^()=<>~!,\s]$/.test(text.slice(at, caret))) {
			part = text.slice(at, caret);
			break;
		}
		list.push(m[0]);
		at = Math.min(end, caret);
	}
	return { list, part, from: part ? at : caret };
}

const is_op = (t, ops) => ops.includes(t) || t === 'in';

// Where the grammar stands behind these tokens: what comes next, and the field that it is about.
function stand(list, fields, ops)
{
	let next = 'field', field, in_list = false, depth = 0;

	for (const t of list) {
		const low = t.toLowerCase();
		if (next === 'field') {
			if (t === '(') {
				depth++;
			} else if (low === 'has') {
				next = 'had';
			} else if (low !== 'not') {
				field = fields.get(low);
				next = 'op';
			}
		} else if (next === 'had') {
			next = 'join';
		} else if (next === 'op') {
			if (low === 'in')
				next = 'open';
			else if (low !== 'not' && is_op(t, ops))
				next = 'value';
			else if (low === 'and' || low === 'or')
				next = 'field';
			else if (t === ')')
				next = 'join';
		} else if (next === 'open') {
			if (t === '(') {
				in_list = true;
				next = 'value';
			}
		} else if (next === 'value') {
			if (t === '(')
				in_list = true;
			else if (t !== ',')
				next = in_list ? 'comma' : 'join';
		} else if (next === 'comma') {
			if (t === ',') {
				next = 'value';
			} else if (t === ')') {
				in_list = false;
				next = 'join';
			}
		} else if (low === 'and' || low === 'or') {
			next = 'field';
		} else if (t === ')') {
			depth = Math.max(0, depth - 1);
		}
	}
	return { next, field, depth, in_list };
}

// Names of a field: the shortest one is what a person writes.
function names_of(f)
{
	return [f.name, ...f.also ?? []];
}

export function fields_by_name(fields)
{
	const map = new Map();

	for (const f of fields)
		for (const name of names_of(f))
			map.set(name.toLowerCase(), f);
	return map;
}

function begins(list, part)
{
	const low = part.toLowerCase();
	const first = list.filter((x) => x.text.toLowerCase().startsWith(low)), inside = low.length > 1 ? list.filter((x) => !first.includes(x) && `${x.text} ${x.names ?? ''}`.toLowerCase().includes(low)) : [];

	return [...first, ...inside];
}

function values_of(field, part)
{
	if (field.words?.length)
		return field.words.map((text) => ({ text, kind: 'value' }));
	if (/^\d+(\.\d+)?$/.test(part) && field.type === 'duration')
		return UNITS.map((u) => ({ text: part + u, kind: 'value' }));
	if (field.type === 'yes or no')
		return ['yes', 'no'].map((text) => ({ text, kind: 'value' }));
	return [];
}

// { from, to, in_list, items: [{ text, help, kind }] }: what could replace text[from, to).
export function complete(text, caret, { fields, ops })
{
	const { list, part, from } = tokens(text, caret);
	const by_name = fields_by_name(fields);
	const { next, field, depth, in_list } = stand(list, by_name, ops);
	let items = [];

	if (next === 'field' || next === 'had')
		items = fields.map((f) => ({ text: [...names_of(f)].sort((a, b) => a.length - b.length)[0], names: names_of(f).join(' '), help: f.help, kind: 'field' }));
	if (next === 'field')
		items.push({ text: 'not', help: 'the opposite of what follows', kind: 'word' }, { text: 'has', help: 'the report has this field', kind: 'word' });
	else if (next === 'op')
		items = (field?.ops ?? ops.filter((t) => t !== 'has')).map((t) => ({ text: t, kind: 'operator' }));
	else if (next === 'open')
		items = [{ text: '(', help: 'a list of values', kind: 'word' }];
	else if (next === 'value' && field)
		items = values_of(field, part);
	else if (next === 'comma')
		items = [{ text: ',', kind: 'word' }, { text: ')', kind: 'word' }];
	else if (next === 'join')
		items = [...['and', 'or'].map((t) => ({ text: t, kind: 'word' })), ...depth ? [{ text: ')', kind: 'word' }] : []];
	items = begins(items, part).filter((x) => x.text.toLowerCase() !== part.toLowerCase());
	return { from, to: caret, in_list, items: items.slice(0, ITEMS_MAX) };
}

// The text with an item in its place, and where the caret then stands.
export function put_in(text, { from, to, in_list }, item)
{
	const before = text.slice(0, from), blank = item.kind === 'word' && /^[,)]$/.test(item.text);
	const lead = before && !/[\s(]$/.test(before) && !blank ? ' ' : '';
	const rest = text.slice(to), tail = item.text === '(' || (in_list && item.kind === 'value') || /^\s/.test(rest) ? '' : ' ';
	const made = before + lead + item.text + tail;

	return { text: made + rest, caret: made.length };
}
