/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * text.h - what yajl leaves unchecked in a line of JSON, and the report's time stamps.
 */
#ifndef TEXT_H
#define TEXT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Code points of valid UTF-8 (RFC 3629: shortest form, no surrogate, up to U+10FFFF), or -1. */
ssize_t text_utf8(const char *bytes, size_t n);

/* How many bytes from the first on need no escape in JSON: none is below 0x20, a quote or a backslash. */
size_t text_plain(const char *bytes, size_t n);

/* False when there is a byte below 0x20 that JSON does not allow: yajl takes some for blanks. */
int text_json_bytes(const char *json, size_t n);

/* False when a \uD800 to \uDFFF escape is not one of a pair: yajl makes '?' or bad UTF-8 of it. */
int text_surrogates_paired(const char *json, size_t n);

/* "2026-11-21T19:04:05.123456Z" in microseconds since 1970.  -1 when it has another form, is no
 * date of the calendar, has a leap second, or is not in the years 1970 to 9999. */
int64_t text_time_us(const char *s, size_t n);

/* What people write: "2026-11-21", or "2026-11-21T19:04:05Z" with up to 6 digits of a second.  0 or -1. */
int text_when(const char *text, int64_t *us);

#endif
