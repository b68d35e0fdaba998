/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * enrolledit.c - net-gazer.conf with other lines for the collector.
 */
#include "enrolledit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char mark[] = "# before enrolment: ";

/* The length of the name at the line's beginning, when a "=" follows; *name is where it begins. */
static size_t
assigned(const char *line, size_t n, const char **name)
{
	size_t len = 0, i = 0;

	while (i < n && (line[i] == ' ' || line[i] == '\t'))
		i++;
	*name = line + i;
	while (i + len < n && ((line[i + len] >= 'a' && line[i + len] <= 'z') || line[i + len] == '-'))
		len++;
	for (i += len; i < n && (line[i] == ' ' || line[i] == '\t'); i++)
		;
	return i < n && line[i] == '=' ? len : 0;
}

static int
replaced(const char *line, size_t n, const char *lines)
{
	const char *name, *other;
	size_t len = assigned(line, n, &name), other_len, line_n;

	for (; len && *lines; lines += line_n + (lines[line_n] == '\n')) {
		line_n = strcspn(lines, "\n");
		other_len = assigned(lines, line_n, &other);
		if (other_len == len && !memcmp(name, other, len))
			return 1;
	}
	return 0;
}

/* How many braces are open behind the line; strings and comments have none. */
static int
braces(const char *line, size_t n, int depth)
{
	char quote = 0;

	for (size_t i = 0; i < n; i++) {
		if (quote) {
			if (line[i] == '\\' && quote == '"')
				i++;
			else if (line[i] == quote)
				quote = 0;
		} else if (line[i] == '"' || line[i] == '\'') {
			quote = line[i];
		} else if (line[i] == '#' || (line[i] == '/' && i + 1 < n && line[i + 1] == '/')) {
			break;
		} else if (line[i] == '{' || line[i] == '}') {
			depth += line[i] == '{' ? 1 : -1;
		}
	}
	return depth;
}

char *
enrolledit_text(const char *text, const char *lines)
{
	size_t rows = 1, n;
	char *out, *p;
	int depth = 0;

	for (const char *t = text; *t; t++)
		rows += *t == '\n';
	out = malloc(strlen(text) + strlen(lines) + rows * sizeof mark + 3);
	if (!out)
		return NULL;
	p = out;
	for (const char *t = text; *t; t += n) {
		size_t whole = strcspn(t, "\n");

		n = whole + (t[whole] == '\n');
		if (!depth && replaced(t, whole, lines)) {
			memcpy(p, mark, sizeof mark - 1);
			p += sizeof mark - 1;
		}
		depth = braces(t, whole, depth);
		memcpy(p, t, n);
		p += n;
	}
	if (depth) {
		free(out);
		return NULL;
	}
	if (p > out && p[-1] != '\n')
		*p++ = '\n';
	memcpy(p, lines, strlen(lines) + 1);
	return out;
}
