/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * form.h - a small JSON body: one flat object of texts and whole numbers, by name.  Pure (yajl).
 */
#ifndef FORM_H
#define FORM_H

#include <stddef.h>
#include <stdint.h>

struct form_field {
	const char *name;
	char *text;        /* UTF-8 and NUL, of at most size bytes; or NULL: */
	size_t size;
	int64_t *number;   /* from min to max */
	int64_t min, max;
	int needed;
	int given;         /* set by form_read() */
};

/* Each field at most once, no other, no NUL in a text.  0, or -1 with what is wrong in why. */
int form_read(const char *body, size_t n, struct form_field *fields, size_t fields_n, char *why, size_t why_size);

#endif
