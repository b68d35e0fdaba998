/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * json.c - the writer.  yajl_gen does the same with four times the CPU and malloc; a report is
 * made for each handshake.
 */
#include "json.h"

#include <errno.h>
#include <string.h>

void
json_begin(struct json *j, char *buf, size_t size)
{
	*j = (struct json){ .buf = buf, .size = size };
}

static char *
json_room(struct json *j, size_t n)
{
	char *p = j->buf + j->len;

	if (j->bad || n > j->size - j->len) {
		j->bad = 1;
		return NULL;
	}
	j->len += n;
	return p;
}

static void
json_put(struct json *j, const char *text, size_t n)
{
	char *p = json_room(j, n);

	if (p)
		memcpy(p, text, n);
}

/* Comma and name; then the value follows. */
static void
json_name(struct json *j, const char *name)
{
	size_t n = name ? strlen(name) : 0;
	char *p;

	/* In a map everything has a name, in a list and outside nothing has. */
	if (!name == (j->depth && j->close[j->depth - 1] == '}'))
		j->bad = 1;
	p = json_room(j, j->comma + (name ? n + 3 : 0));

	if (p) {
		if (j->comma)
			*p++ = ',';
		if (name) {
			*p++ = '"';
			memcpy(p, name, n);
			p[n] = '"';
			p[n + 1] = ':';
		}
	}
	j->comma = 1;
}

static void
json_open(struct json *j, const char *name, char open, char close)
{
	if (j->depth == JSON_DEPTH) {
		j->bad = 1;
		return;
	}
	json_name(j, name);
	json_put(j, &open, 1);
	j->close[j->depth++] = close;
	j->comma = 0;
}

void
json_map(struct json *j, const char *name)
{
	json_open(j, name, '{', '}');
}

void
json_list(struct json *j, const char *name)
{
	json_open(j, name, '[', ']');
}

void
json_close(struct json *j)
{
	if (!j->depth) {
		j->bad = 1;
		return;
	}
	json_put(j, &j->close[--j->depth], 1);
	j->comma = 1;
}

static void
json_number(struct json *j, const char *name, uint64_t v, int negative)
{
	char digits[24];
	size_t n = sizeof digits;

	do {
		digits[--n] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	if (negative)
		digits[--n] = '-';
	json_name(j, name);
	json_put(j, digits + n, sizeof digits - n);
}

void
json_uint(struct json *j, const char *name, uint64_t v)
{
	json_number(j, name, v, 0);
}

void
json_int(struct json *j, const char *name, int64_t v)
{
	json_number(j, name, v < 0 ? -(uint64_t)v : (uint64_t)v, v < 0);
}

void
json_bool(struct json *j, const char *name, int v)
{
	json_name(j, name);
	json_put(j, v ? "true" : "false", v ? 4 : 5);
}

void
json_raw_str(struct json *j, const char *name, const char *text, size_t len)
{
	char *p;

	json_name(j, name);
	p = json_room(j, len + 2);
	if (!p)
		return;
	p[0] = '"';
	memcpy(p + 1, text, len);
	p[len + 1] = '"';
}

void
json_raw(struct json *j, const char *name, const char *json, size_t len)
{
	json_name(j, name);
	json_put(j, json, len);
}

void
json_str(struct json *j, const char *name, const char *bytes, size_t len)
{
	static const char hex[] = "0123456789abcdef";

	json_name(j, name);
	json_put(j, "\"", 1);
	for (size_t i = 0; i < len && !j->bad; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '"' || c == '\\') {
			char esc[2] = { '\\', (char)c };

			json_put(j, esc, 2);
		} else if (c >= 0x20 && c < 0x7f) {
			json_put(j, bytes + i, 1);
		} else {
			char esc[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };

			json_put(j, esc, 6);
		}
	}
	json_put(j, "\"", 1);
}

static void
put_digits(char *out, unsigned v, int n)
{
	while (n--) {
		out[n] = (char)('0' + v % 10);
		v /= 10;
	}
}

void
json_date_text(char out[JSON_DATE_LEN + 1], int64_t day)
{
	/* Civil date from a day number, days counted from 0000-03-01. */
	int64_t z = day + 719468;
	int64_t era = z / 146097;
	unsigned doe = (unsigned)(z - era * 146097);
	unsigned yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	unsigned doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	unsigned mp = (5 * doy + 2) / 153;
	unsigned month = mp < 10 ? mp + 3 : mp - 9;
	unsigned year = yoe + (unsigned)era * 400 + (month <= 2);

	memcpy(out, "0000-00-00", JSON_DATE_LEN + 1);
	put_digits(out, year, 4);
	put_digits(out + 5, month, 2);
	put_digits(out + 8, doy - (153 * mp + 2) / 5 + 1, 2);
}

void
json_time_text(char out[JSON_TIME_LEN + 1], int64_t wall_us)
{
	/* The date is worked out once a day: reports come in order of time, nearly. */
	static int64_t cached_day = INT64_MIN;
	static char cached[JSON_DATE_LEN + 1];
	int64_t us = wall_us < 0 ? 0 : wall_us;
	int64_t day = us / 86400000000, rest = us % 86400000000;
	unsigned s = (unsigned)(rest / 1000000);

	if (day != cached_day) {
		json_date_text(cached, day);
		cached_day = day;
	}
	memcpy(out, cached, JSON_DATE_LEN);
	memcpy(out + JSON_DATE_LEN, "T00:00:00.000000Z", 18);
	put_digits(out + 11, s / 3600, 2);
	put_digits(out + 14, s / 60 % 60, 2);
	put_digits(out + 17, s % 60, 2);
	put_digits(out + 20, (unsigned)(rest % 1000000), 6);
}

void
json_time(struct json *j, const char *name, int64_t wall_us)
{
	char text[JSON_TIME_LEN + 1];

	json_time_text(text, wall_us);
	json_raw_str(j, name, text, JSON_TIME_LEN);
}

int
json_end(struct json *j)
{
	if (j->bad)
		return -EMSGSIZE;
	if (j->depth)
		return -EPROTO;
	if (j->len < j->size)
		j->buf[j->len] = 0;
	return 0;
}
