/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * json.h - writes one JSON text into a fixed buffer: no allocation, commas and escaping done.
 * Reading is yajl's work.  After the first thing that does not fit, nothing more is written and
 * json_end() says so.
 */
#ifndef JSON_H
#define JSON_H

#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH 8

struct json {
	char *buf;
	size_t len;
	size_t size;
	uint8_t depth;
	uint8_t bad;
	uint8_t comma;                 /* the next value needs one */
	char close[JSON_DEPTH];        /* ']' or '}' of each open level */
};

void json_begin(struct json *, char *buf, size_t size);

/* name NULL inside a list (and for the outermost value), a name inside a map; else the text is bad. */
void json_map(struct json *, const char *name);
void json_list(struct json *, const char *name);
void json_close(struct json *); /* the innermost open map or list */

void json_int(struct json *, const char *name, int64_t);
void json_uint(struct json *, const char *name, uint64_t);
void json_bool(struct json *, const char *name, int);

/* Bytes 0x20 to 0x7e but " and \ as they are, any other byte as \u00XX: the result is ASCII
 * whatever came in, and reads back as the same bytes in Latin-1. */
void json_str(struct json *, const char *name, const char *bytes, size_t len);

/* A string known to need no escaping. */
void json_raw_str(struct json *, const char *name, const char *text, size_t len);

/* A value that is JSON already. */
void json_raw(struct json *, const char *name, const char *json, size_t len);

/* "2026-11-21T19:04:05.123456Z"; the schema's 27 characters.  Years 1970 to 9999. */
void json_time(struct json *, const char *name, int64_t wall_us);
#define JSON_TIME_LEN 27
void json_time_text(char out[JSON_TIME_LEN + 1], int64_t wall_us);

/* "2026-11-21", of days since 1970; to 9999 also where time_t has 32 bits. */
#define JSON_DATE_LEN 10
void json_date_text(char out[JSON_DATE_LEN + 1], int64_t day);

/* 0, or -EMSGSIZE when it did not fit, or -EPROTO when a level is open.  The text is
 * NUL-terminated when there is room, len does not count that. */
int json_end(struct json *);

#endif
