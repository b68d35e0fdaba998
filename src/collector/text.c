/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * text.c - UTF-8, surrogate escapes and RFC 3339 times.
 */
#include "text.h"

#include <string.h>

#include "lib/json.h"

ssize_t
text_utf8(const char *bytes, size_t n)
{
	const uint8_t *p = (const uint8_t *)bytes, *end = p + n;
	ssize_t points = 0;

	while (p < end) {
		uint64_t word;
		uint32_t c;
		int more;

		if (end - p >= 8) {
			memcpy(&word, p, sizeof word);
			if (!(word & 0x8080808080808080)) {
				p += 8;
				points += 8;
				continue;
			}
		}
		c = *p++;
		points++;
		if (c < 0x80)
			continue;
		if (c >= 0xc2 && c <= 0xdf) {
			more = 1;
			c &= 0x1f;
		} else if ((c & 0xf0) == 0xe0) {
			more = 2;
			c &= 0x0f;
		} else if (c >= 0xf0 && c <= 0xf4) {
			more = 3;
			c &= 0x07;
		} else {
			return -1;
		}
		if (end - p < more)
			return -1;
		for (int i = 0; i < more; i++, p++) {
			if ((*p & 0xc0) != 0x80)
				return -1;
			c = c << 6 | (*p & 0x3f);
		}
		if ((more == 2 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff))) ||
		    (more == 3 && (c < 0x10000 || c > 0x10ffff)))
			return -1;
	}
	return points;
}

#define BYTES(c) (0x0101010101010101u * (c))
/* Not 0 if a byte of it is below c (c <= 0x80).  Bytes above that one may show too. */
#define BELOW(word, c) (((word) - BYTES(c)) & ~(word) & BYTES(0x80u))

size_t
text_plain(const char *bytes, size_t n)
{
	size_t i = 0;
	uint64_t word;

	for (; n - i >= sizeof word; i += sizeof word) {
		memcpy(&word, bytes + i, sizeof word);
		if (BELOW(word, 0x20u) | BELOW(word ^ BYTES('"'), 1u) | BELOW(word ^ BYTES('\\'), 1u))
			break;
	}
	while (i < n && (uint8_t)bytes[i] >= 0x20 && bytes[i] != '"' && bytes[i] != '\\')
		i++;
	return i;
}

int
text_json_bytes(const char *json, size_t n)
{
	uint64_t word;

	for (size_t i = 0; i < n; i++) {
		uint8_t c = (uint8_t)json[i];

		if (n - i >= sizeof word) {
			memcpy(&word, json + i, sizeof word);
			if (!BELOW(word, 0x20u)) {
				i += sizeof word - 1;
				continue;
			}
		}
		if (c < 0x20 && c != '\t' && c != '\r')
			return 0;
	}
	return 1;
}

/* The 4 hex digits behind \u, or -1. */
static int
hex4(const char *p, const char *end)
{
	int v = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		char c = p[i];

		if (c >= '0' && c <= '9')
			v = v << 4 | (c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			v = v << 4 | ((c | 32) - 'a' + 10);
		else
			return -1;
	}
	return v;
}

int
text_surrogates_paired(const char *json, size_t n)
{
	const char *p = json, *end = json + n;

	while ((p = memchr(p, '\\', (size_t)(end - p)))) {
		int v, low;

		if (end - p < 2)
			return 1;
		if (p[1] != 'u') {
			p += 2;
			continue;
		}
		v = hex4(p + 2, end);
		if (v < 0)
			return 1; /* yajl says so */
		p += 6;
		if ((v & 0xf800) != 0xd800)
			continue;
		if (v >= 0xdc00 || end - p < 6 || p[0] != '\\' || p[1] != 'u')
			return 0;
		low = hex4(p + 2, end);
		if (low < 0xdc00 || low > 0xdfff)
			return 0;
		p += 6;
	}
	return 1;
}

static int
digits(const char *s, int n)
{
	int v = 0;

	while (n--)
		v = v * 10 + (*s++ - '0');
	return v;
}

int64_t
text_time_us(const char *s, size_t n)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
	static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day, hour, minute, second;
	int64_t era_day;

	if (n != JSON_TIME_LEN)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (form[i] == 'd' ? s[i] < '0' || s[i] > '9' : s[i] != form[i])
			return -1;
	}
	year = digits(s, 4);
	month = digits(s + 5, 2);
	day = digits(s + 8, 2);
	hour = digits(s + 11, 2);
	minute = digits(s + 14, 2);
	second = digits(s + 17, 2);
	if (year < 1970 || month < 1 || month > 12 || day < 1 || hour > 23 || minute > 59 ||
	    second > 59)
		return -1;
	if (day > days[month - 1] +
		  (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)))
		return -1;
	/* Days since 1970 of a civil date; a year begins in March. */
	year -= month <= 2;
	era_day = 365LL * year + year / 4 - year / 100 + year / 400 +
		  (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1 - 719468;
	return ((era_day * 24 + hour) * 60 + minute) * 60000000 + second * 1000000LL +
	       digits(s + 20, 6);
}

int
text_when(const char *text, int64_t *us)
{
	char whole[JSON_TIME_LEN + 1] = "0000-00-00T00:00:00.000000Z";
	size_t n = strlen(text);
	size_t len = n > 10 ? n - 1 : n;

	if (n != 10 && (n < 20 || n > JSON_TIME_LEN || text[n - 1] != 'Z' || n == 21))
		return -1;
	memcpy(whole, text, len);
	*us = text_time_us(whole, JSON_TIME_LEN);
	return *us < 0 ? -1 : 0;
}
