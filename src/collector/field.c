/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * field.c - walking along JSON.
 */
#include "field.h"

#include <string.h>

/* Behind the string that begins at p, which is behind its first quote; NULL: it has no end. */
static const char *
string_end(const char *p, const char *end)
{
	for (;;) {
		const char *quote = memchr(p, '"', (size_t)(end - p)), *back;

		if (!quote)
			return NULL;
		for (back = quote; back > p && back[-1] == '\\'; back--)
			;
		if ((quote - back) % 2 == 0)
			return quote + 1;
		p = quote + 1;
	}
}

/* Behind the list or object that begins at p. */
static const char *
nest_end(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p < end) {
		char c = *p++;

		if (c == '"') {
			p = string_end(p, end);
			if (!p)
				return NULL;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']') && !--depth) {
			return p;
		}
	}
	return NULL;
}

static enum field_kind
kind_of_word(const char *s, size_t n)
{
	if (!n)
		return FIELD_NONE;
	if (*s == 't')
		return FIELD_TRUE;
	if (*s == 'f')
		return FIELD_FALSE;
	if (*s == 'n')
		return FIELD_NULL;
	for (size_t i = *s == '-'; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return FIELD_REAL;
	}
	return FIELD_INT;
}

/* The value at p, and what is behind it; NULL: there is no value. */
static const char *
value_at(const char *p, const char *end, struct field *out)
{
	const char *behind;

	*out = (struct field){ .kind = FIELD_NONE };
	if (p >= end)
		return NULL;
	if (*p == '"') {
		behind = string_end(p + 1, end);
		if (behind)
			*out = (struct field){ FIELD_TEXT, p + 1, (size_t)(behind - p) - 2 };
		return behind;
	}
	if (*p == '{' || *p == '[') {
		behind = nest_end(p, end);
		if (behind)
			*out = (struct field){ *p == '[' ? FIELD_LIST : FIELD_MAP, p, (size_t)(behind - p) };
		return behind;
	}
	for (behind = p; behind < end && *behind != ',' && *behind != '}' && *behind != ']'; behind++)
		;
	*out = (struct field){ kind_of_word(p, (size_t)(behind - p)), p, (size_t)(behind - p) };
	return out->kind ? behind : NULL;
}

struct field
field_find(const char *json, size_t n, const char *name)
{
	const char *p = json, *end = json + n;
	size_t name_n = strlen(name);
	struct field f = { .kind = FIELD_NONE };

	if (!n || *p++ != '{')
		return f;
	while (p < end && *p == '"') {
		const char *key = p + 1, *behind = string_end(key, end);

		if (!behind || behind >= end || *behind != ':')
			break;
		p = value_at(behind + 1, end, &f);
		if (!p)
			break;
		if ((size_t)(behind - key) == name_n + 1 && !memcmp(key, name, name_n))
			return f;
		if (p < end && *p == ',')
			p++;
	}
	return (struct field){ .kind = FIELD_NONE };
}

int
field_next(const struct field *list, const char **at, struct field *out)
{
	const char *p, *end;

	if (list->kind != FIELD_LIST && list->kind != FIELD_MAP)
		return 0;
	p = *at ? *at : list->s + 1;
	end = list->s + list->n;
	if (p >= end)
		return 0;
	if (list->kind == FIELD_MAP) {
		p = *p == '"' ? string_end(p + 1, end) : NULL;
		if (!p || p >= end || *p != ':')
			return 0;
		p++;
	}
	p = value_at(p, end, out);
	if (!p)
		return 0;
	*at = p < end && *p == ',' ? p + 1 : end;
	return 1;
}

int64_t
field_int(const struct field *f)
{
	int minus = f->n && f->s[0] == '-';
	int64_t v = 0;

	for (size_t i = (size_t)minus; i < f->n; i++) {
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, f->s[i] - '0', &v))
			return minus ? INT64_MIN : INT64_MAX;
	}
	if (minus)
		return v;
	return v == INT64_MIN ? INT64_MAX : -v;
}

static unsigned
hex4(const char *s)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(s[i] <= '9' ? s[i] - '0' : (s[i] | 32) - 'a' + 10);
	return v & 0xffff;
}

/* validate.c writes \u00XX for control characters alone. */
size_t
field_text(const struct field *f, char *out, size_t size)
{
	static const char named[] = "b\bf\fn\nr\rt\t";
	size_t n = 0;

	for (size_t i = 0; i < f->n && n < size; i++) {
		char c = f->s[i];

		if (c == '\\' && i + 1 < f->n) {
			const char *p;

			c = f->s[++i];
			p = strchr(named, c);
			if (c == 'u' && i + 4 < f->n) {
				c = (char)hex4(f->s + i + 1);
				i += 4;
			} else if (c && p && (p - named) % 2 == 0) {
				c = p[1];
			}
		}
		out[n++] = c;
	}
	return n;
}
