/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * form.c - the body of a small POST.
 */
#include "form.h"

#include <stdio.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "lib/anyother.h"

struct form {
	struct form_field *fields, *field; /* whose value comes */
	size_t n;
	int depth;
	char *why;
	size_t why_size;
};

static int
wrong(struct form *f, const char *what)
{
	if (f->field)
		snprintf(f->why, f->why_size, "%s: %s", f->field->name, what);
	else
		snprintf(f->why, f->why_size, "%s", what);
	return 0;
}

static int
on_open(void *arg)
{
	struct form *f = arg;

	if (f->depth++)
		return wrong(f, "must be a text or a number");
	return 1;
}

static int
on_list(void *arg)
{
	struct form *f = arg;

	return wrong(f, f->depth ? "must be a text or a number" : "must be an object");
}

static int
on_close(void *arg)
{
	struct form *f = arg;

	f->field = NULL;
	return 1;
}

static int
on_key(void *arg, const unsigned char *key, size_t n)
{
	struct form *f = arg;

	f->field = NULL;
	for (size_t i = 0; i < f->n; i++) {
		if (strlen(f->fields[i].name) != n || memcmp(f->fields[i].name, key, n))
			continue;
		f->field = &f->fields[i];
		if (f->field->given)
			return wrong(f, "is there twice");
		f->field->given = 1;
		return 1;
	}
	return wrong(f, "an unknown field; see docs/API.md");
}

static int
on_text(void *arg, const unsigned char *text, size_t n)
{
	struct form *f = arg;

	if (!f->field)
		return wrong(f, "must be an object");
	if (!f->field->text)
		return wrong(f, "must be a number");
	if (memchr(text, 0, n) || n >= f->field->size)
		return wrong(f, n >= f->field->size ? "is too long" : "has a NUL");
	memcpy(f->field->text, text, n);
	f->field->text[n] = 0;
	return 1;
}

static int
on_integer(void *arg, long long v)
{
	struct form *f = arg;
	char range[80];

	if (!f->field)
		return wrong(f, "must be an object");
	if (f->field->text)
		return wrong(f, "must be a text");
	if (v < f->field->min || v > f->field->max) {
		snprintf(range, sizeof range, "must be from %lld to %lld", (long long)f->field->min,
			 (long long)f->field->max);
		return wrong(f, range);
	}
	*f->field->number = v;
	return 1;
}

static int
on_other(void *arg)
{
	struct form *f = arg;

	return wrong(f, f->field ? "must be a text or a whole number" : "must be an object");
}

ANY_OTHER(on_other)

int
form_read(const char *body, size_t n, struct form_field *fields, size_t fields_n, char *why, size_t why_size)
{
	static const yajl_callbacks callbacks = { ANY_OTHER_CALLBACKS(on_other), .yajl_integer = on_integer,
						  .yajl_string = on_text, .yajl_start_map = on_open,
						  .yajl_map_key = on_key, .yajl_end_map = on_close,
						  .yajl_start_array = on_list };
	struct form f = { .fields = fields, .n = fields_n, .why = why, .why_size = why_size };
	yajl_handle y = yajl_alloc(&callbacks, NULL, &f);
	int bad;

	snprintf(why, why_size, "the body must be a JSON object");
	for (size_t i = 0; i < fields_n; i++)
		fields[i].given = 0;
	if (!y)
		return -1;
	bad = yajl_parse(y, (const unsigned char *)body, n) != yajl_status_ok || yajl_complete_parse(y) != yajl_status_ok;
	yajl_free(y);
	for (size_t i = 0; !bad && i < fields_n; i++) {
		if (!fields[i].needed || fields[i].given)
			continue;
		snprintf(why, why_size, "%s: is missing", fields[i].name);
		bad = 1;
	}
	return bad || !f.depth ? -1 : 0;
}
