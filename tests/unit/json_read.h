/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * json_read.h - JSON back through yajl, as one flat text of events: "{", "}", "[", "]", "k:NAME",
 * "i:NUMBER", "b:0", "s:BYTES".  Strings are taken as the writer means them: Latin-1, so that each
 * code point below 256 is one byte again.
 */
#ifndef JSON_READ_H
#define JSON_READ_H

#include <stdint.h>
#include <string.h>
#include <yajl/yajl_parse.h>

struct json_read {
	uint8_t text[16 * 1024];
	size_t n;
	int wide; /* a code point beyond Latin-1, or too much text */
};

static void
json_read_put(struct json_read *r, const void *bytes, size_t n)
{
	if (n > sizeof r->text - r->n) {
		r->wide = 1;
		return;
	}
	memcpy(r->text + r->n, bytes, n);
	r->n += n;
}

static void
json_read_utf8(struct json_read *r, const unsigned char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t c = s[i];

		if (c >= 0x80) {
			if ((c & 0xfc) != 0xc0 || i + 1 == n) {
				r->wide = 1;
				return;
			}
			c = (uint8_t)(c << 6 | (s[++i] & 0x3f));
		}
		json_read_put(r, &c, 1);
	}
}

static int
json_read_bool(void *arg, int v)
{
	json_read_put(arg, v ? "b:1" : "b:0", 3);
	return 1;
}

static int
json_read_number(void *arg, const char *s, size_t n)
{
	json_read_put(arg, "i:", 2);
	json_read_put(arg, s, n);
	return 1;
}

static int
json_read_string(void *arg, const unsigned char *s, size_t n)
{
	json_read_put(arg, "s:", 2);
	json_read_utf8(arg, s, n);
	return 1;
}

static int
json_read_key(void *arg, const unsigned char *s, size_t n)
{
	json_read_put(arg, "k:", 2);
	json_read_utf8(arg, s, n);
	return 1;
}

static int
json_read_open(void *arg)
{
	json_read_put(arg, "{", 1);
	return 1;
}

static int
json_read_close(void *arg)
{
	json_read_put(arg, "}", 1);
	return 1;
}

static int
json_read_list(void *arg)
{
	json_read_put(arg, "[", 1);
	return 1;
}

static int
json_read_list_end(void *arg)
{
	json_read_put(arg, "]", 1);
	return 1;
}

/* 0 when it is one whole JSON text within Latin-1. */
static int
json_read(struct json_read *r, const char *text, size_t len)
{
	static const yajl_callbacks callbacks = {
		.yajl_boolean = json_read_bool,
		.yajl_number = json_read_number,
		.yajl_string = json_read_string,
		.yajl_start_map = json_read_open,
		.yajl_map_key = json_read_key,
		.yajl_end_map = json_read_close,
		.yajl_start_array = json_read_list,
		.yajl_end_array = json_read_list_end,
	};
	yajl_handle h = yajl_alloc(&callbacks, NULL, r);
	int ok;

	r->n = 0;
	r->wide = 0;
	ok = h && yajl_parse(h, (const unsigned char *)text, len) == yajl_status_ok &&
	     yajl_complete_parse(h) == yajl_status_ok && !r->wide;
	if (h)
		yajl_free(h);
	return ok ? 0 : -1;
}

#endif
