/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * csv.c - rows to lines of JSON.  Whether a value is a good one is validate.c's to say; here it only gets the quotes
 * that its field has.
 */
#include "csv.h"

#include <stdarg.h>
#include <string.h>

#include "text.h"
#include "validate.h"

static int __attribute__((format(printf, 2, 3)))
wrong(struct csv *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(c->why, sizeof c->why, fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- cells ---- */

/* To the end of the line, when a row is no row. */
static void
skip(struct csv *c)
{
	int b;

	while ((b = getc_unlocked(c->file)) != EOF && b != '\n')
		;
	c->next_line++;
}

/* A row of anything.  1, 0 at the end, -1. */
static int
read_row(struct csv *c)
{
	size_t n = 0;
	int quoted = 0, b;

	c->line = c->next_line;
	c->n = 0;
	c->start[0] = 0;
	c->quoted[0] = 0;
	b = getc_unlocked(c->file);
	if (b == EOF)
		return 0;
	for (;; b = getc_unlocked(c->file)) {
		int at_start = n == c->start[c->n];

		if (b == EOF && quoted)
			return wrong(c, "a quote is open at the end");
		if (b == '\n')
			c->next_line++;
		if (!quoted && (b == ',' || b == '\n' || b == EOF)) {
			if (b != ',' && n > c->start[c->n] && c->text[n - 1] == '\r')
				n--;
			if (++c->n > CSV_COLUMNS_MAX || n >= sizeof c->text - 1) {
				if (b == ',')
					skip(c);
				return wrong(c, "a row of more than %d columns or %d bytes", CSV_COLUMNS_MAX, CSV_ROW_MAX);
			}
			c->start[c->n] = n;
			c->quoted[c->n] = 0;
			if (b != ',')
				return 1;
			continue;
		}
		if (b == '"' && !quoted && at_start) {
			quoted = c->quoted[c->n] = 1;
			continue;
		}
		if (b == '"' && quoted) {
			b = getc_unlocked(c->file);
			if (b != '"') {
				quoted = 0;
				ungetc(b, c->file);
				continue;
			}
		}
		if (n < sizeof c->text - 1)
			c->text[n++] = (char)b;
	}
}

int
csv_next(struct csv *c)
{
	int r;

	/* Blank lines are no rows. */
	while ((r = read_row(c)) == 1 && c->n == 1 && !c->start[1] && !c->quoted[0])
		;
	if (r == 1 && c->n != c->columns)
		return wrong(c, "%zu columns, the header has %zu", c->n, c->columns);
	return r;
}

int
csv_begin(struct csv *c, FILE *file)
{
	static const char bom[] = "\xef\xbb\xbf";
	int r;

	c->file = file;
	c->next_line = 1;
	c->has_type = 0;
	r = read_row(c);
	if (r < 1)
		return r ? r : wrong(c, "there is no header");
	c->columns = c->n;
	for (size_t i = 0; i < c->n; i++) {
		const char *name = c->text + c->start[i];
		size_t n = c->start[i + 1] - c->start[i];

		if (!i && n >= 3 && !memcmp(name, bom, 3)) {
			name += 3;
			n -= 3;
		}
		c->kind[i] = validate_kind_of(name, n);
		if (c->kind[i] == VALIDATE_NONE || n >= sizeof c->name[i])
			return wrong(c, "column %zu: \"%.*s\" is no field of a report", i + 1, (int)(n < 60 ? n : 60), name);
		memcpy(c->name[i], name, n);
		c->name[i][n] = 0;
		for (size_t k = 0; k < i; k++) {
			if (!strcmp(c->name[k], c->name[i]))
				return wrong(c, "column %zu: %s is there twice", i + 1, c->name[i]);
		}
		c->has_type |= !strcmp(c->name[i], "type");
	}
	return 0;
}

/* ---- JSON ---- */

struct out {
	char *p;
	size_t n, size;
};

static void
put(struct out *o, const char *bytes, size_t n)
{
	if (n < o->size - o->n)
		memcpy(o->p + o->n, bytes, n);
	o->n += n < o->size - o->n ? n : o->size - o->n;
}

static void
put_string(struct out *o, const char *s, size_t n)
{
	put(o, "\"", 1);
	for (;;) {
		size_t plain = text_plain(s, n);
		char escape[7];

		put(o, s, plain);
		if (plain == n)
			break;
		put(o, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned char)s[plain]));
		s += plain + 1;
		n -= plain + 1;
	}
	put(o, "\"", 1);
}

/* What is no string must not become more than one value. */
static int
one_value(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (!strchr("+-.0123456789eE", s[i]) || !s[i])
			return 0;
	}
	return n > 0;
}

static int
put_cell(struct csv *c, struct out *o, size_t i)
{
	const char *s = c->text + c->start[i];
	size_t n = c->start[i + 1] - c->start[i];
	int yes = (n == 1 && *s == '1') || (n == 4 && !memcmp(s, "true", 4));
	int no = (n == 1 && *s == '0') || (n == 5 && !memcmp(s, "false", 5));

	switch (c->kind[i]) {
	case VALIDATE_NUMBER:
		if (!one_value(s, n))
			return wrong(c, "%s: must be a number, is \"%.*s\"", c->name[i], (int)(n < 40 ? n : 40), s);
		put(o, s, n);
		return 0;
	case VALIDATE_BOOL:
		if (!yes && !no)
			return wrong(c, "%s: must be true or false, is \"%.*s\"", c->name[i], (int)(n < 40 ? n : 40), s);
		put(o, yes ? "true" : "false", yes ? 4 : 5);
		return 0;
	case VALIDATE_NESTED: /* JSON of its own, and the line is checked as a whole */
		if (!n || (*s != '[' && *s != '{'))
			return wrong(c, "%s: must be JSON, a list or an object", c->name[i]);
		put(o, s, n);
		return 0;
	default:
		put_string(o, s, n);
		return 0;
	}
}

long
csv_json(struct csv *c, const char *type, char *out, size_t size)
{
	struct out o = { out, 0, size };

	put(&o, "{\"v\":1", 6);
	if (!c->has_type) {
		put(&o, ",\"type\":", 8);
		put_string(&o, type, strlen(type));
	}
	for (size_t i = 0; i < c->columns; i++) {
		if ((c->start[i] == c->start[i + 1] && !c->quoted[i]) || !strcmp(c->name[i], "v"))
			continue;
		put(&o, ",", 1);
		put_string(&o, c->name[i], strlen(c->name[i]));
		put(&o, ":", 1);
		if (put_cell(c, &o, i))
			return -1;
	}
	put(&o, "}", 1);
	return o.n < size ? (long)o.n : wrong(c, "longer than a report may be");
}
