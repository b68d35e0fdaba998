/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * csv.c - RFC 4180 as far as a table of ranges needs it: fields with or without quotes.
 */
#include "csv.h"

#include <string.h>

#include "tidy.h"

#define FIELDS 4

struct field {
	char text[CSV_LINE_MAX];
	size_t n;
};

/* Takes one field off the line.  0, or -1 when quotes do not match. */
static int
take(const char **p, const char *end, struct field *f)
{
	const char *s = *p;
	int quoted = s < end && *s == '"';

	f->n = 0;
	for (s += quoted; s < end; s++) {
		if (quoted && *s == '"') {
			if (s + 1 == end || s[1] != '"')
				break;
			s++;
		} else if (!quoted && *s == ',') {
			break;
		}
		f->text[f->n++] = *s;
	}
	f->text[f->n] = 0;
	if (quoted) {
		if (s == end || (s + 1 < end && s[1] != ','))
			return -1;
		s++;
	}
	*p = s < end ? s + 1 : end;
	return 0;
}

static int
number(const struct field *f, uint32_t *out)
{
	uint64_t v = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (f->text[i] < '0' || f->text[i] > '9' || v > UINT32_MAX)
			return -1;
		v = v * 10 + (uint64_t)(f->text[i] - '0');
	}
	*out = (uint32_t)v;
	return !f->n || v > UINT32_MAX ? -1 : 0;
}

const char *
csv_line(struct csv_range *r, const char *line, size_t n)
{
	static struct field f[FIELDS];
	const char *p = line, *end = line + n;
	uint8_t ipv;

	*r = (struct csv_range){ .ipv = 0 };
	if (n >= CSV_LINE_MAX)
		return "the line is longer than 4095 bytes";
	for (int i = 0; i < FIELDS; i++) {
		if (take(&p, end, &f[i]))
			return "a quote has no second one";
	}
	if (strlen(f[0].text) != f[0].n || addr_parse(&r->ipv, r->first, f[0].text))
		return "the first field is no IP address (of the tables with numbers for addresses take the one without -num)";
	if (strlen(f[1].text) != f[1].n || addr_parse(&ipv, r->last, f[1].text) || ipv != r->ipv)
		return "the second field is no IP address of the same family";
	if (memcmp(r->first, r->last, 16) > 0)
		return "the range ends before it begins";
	if (number(&f[2], &r->asn))
		return "the third field is no number of an autonomous system, 0 to 4294967295";
	tidy_text(r->name, sizeof r->name, f[3].text, f[3].n);
	return NULL;
}
