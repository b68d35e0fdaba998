/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * params.c - the parameters of a URL.
 */
#include "params.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "text.h"

#define WINDOW_MAX_S 31622400 /* a leap year */
#define TIME_MAX 27

static const char *const by_words[] = { "port", "host", "as", "cc", NULL };
static const char *const format_words[] = { "json", "csv", "ndjson", NULL };

static const struct {
	const char *name;
	unsigned bit;
	const char *wrong;
} table[] = {
	{ "limit", PARAM_LIMIT, "limit must be a number from 1 to 1000" },
	{ "window_s", PARAM_WINDOW, "window_s must be a number from 60 to 31622400" },
	{ "until", PARAM_UNTIL, "until must be a UTC time such as 2026-11-21T19:04:05Z" },
	{ "at", PARAM_AT, "at must be a UTC time such as 2026-11-21T19:04:05Z" },
	{ "before", PARAM_BEFORE, "before must be an id" },
	{ "port", PARAM_PORT, "port must be a number from 0 to 65535" },
	{ "sensor", PARAM_SENSOR, "sensor must be a sensor's name" },
	{ "dst", PARAM_DST, "dst must be an IP address" },
	{ "ip", PARAM_IP, "ip must be an IP address" },
	{ "by", PARAM_BY, "by must be port, host, as or cc" },
	{ "format", PARAM_FORMAT, "format must be json, csv or ndjson" },
	{ "q", PARAM_Q, "q must be UTF-8 of at most 2048 bytes" },
	{ "cols", PARAM_COLS, "cols must be UTF-8 of at most 2048 bytes" },
	{ "asn", PARAM_ASN, "asn must be a number from 0 to 4294967295" },
	{ "cc", PARAM_CC, "cc must be two capitals, or nothing" },
};

void
params_begin(struct params *p, int64_t limit, int64_t now_us)
{
	*p = (struct params){ .limit = limit, .window_s = 3600, .until_us = now_us, .at_us = now_us,
			      .before = INT64_MAX, .port = -1, .asn = -1, .by = by_words[0], .format = format_words[0] };
}

int
params_number(const char *s, int64_t min, int64_t max, int64_t *out)
{
	if (!s || !*s || strlen(s) > 16 || s[strspn(s, "0123456789")])
		return -1;
	*out = strtoll(s, NULL, 10);
	return *out < min || *out > max ? -1 : 0;
}

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* % escapes read.  -1 when that gives a NUL, something that is not UTF-8, or too much. */
static int
decode(char *out, size_t size, const char *s)
{
	size_t n = 0;

	for (; s && *s; s++) {
		int c = (unsigned char)*s;

		if (c == '%') {
			int high = hex(s[1]), low = high < 0 ? -1 : hex(s[2]);

			if (low < 0)
				return -1;
			c = high << 4 | low;
			s += 2;
		}
		if (!c || n + 1 >= size)
			return -1;
		out[n++] = (char)c;
	}
	out[n] = 0;
	return s && text_utf8(out, n) >= 0 ? 0 : -1;
}

/* An address as we write it. */
static int
address(char out[ADDR_TEXT], const char *s)
{
	uint8_t ipv, addr[16];
	char text[ADDR_TEXT];

	if (decode(text, sizeof text, s) || addr_parse(&ipv, addr, text))
		return -1;
	addr_print(out, ipv, addr);
	return 0;
}

static int
point_in_time(int64_t *us, const char *s, int64_t now_us)
{
	char text[TIME_MAX + 1];

	if (decode(text, sizeof text, s) || text_when(text, us))
		return -1;
	if (*us > now_us) /* a browser's clock may be ahead of ours */
		*us = now_us;
	return 0;
}

static int
sensor(char out[PARAMS_SENSOR_MAX + 1], const char *s)
{
	char text[PARAMS_SENSOR_MAX + 1];

	if (decode(text, sizeof text, s) || !report_sensor_ok(text, strlen(text)))
		return -1;
	memcpy(out, text, sizeof text);
	return 0;
}

static int
country(char out[3], const char *s)
{
	if (!s || (*s && (strlen(s) != 2 || strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 2)))
		return -1;
	memcpy(out, s, strlen(s) + 1);
	return 0;
}

/* One of the words, which live as long as the program. */
static int
word(const char **out, const char *const *words, const char *s)
{
	for (; *words; words++) {
		if (s && !strcmp(*words, s)) {
			*out = *words;
			return 0;
		}
	}
	return -1;
}

static int
take(struct params *p, unsigned bit, const char *s, int64_t now_us)
{
	switch (bit) {
	case PARAM_LIMIT:
		return params_number(s, 1, 1000, &p->limit);
	case PARAM_WINDOW:
		return params_number(s, 60, WINDOW_MAX_S, &p->window_s);
	case PARAM_UNTIL:
		return point_in_time(&p->until_us, s, now_us);
	case PARAM_AT:
		return point_in_time(&p->at_us, s, now_us);
	case PARAM_BEFORE:
		return params_number(s, 1, REPORT_INT_MAX, &p->before);
	case PARAM_PORT:
		return params_number(s, 0, 65535, &p->port);
	case PARAM_SENSOR:
		return sensor(p->sensor, s);
	case PARAM_DST:
		return address(p->dst, s);
	case PARAM_IP:
		return address(p->ip, s);
	case PARAM_BY:
		return word(&p->by, by_words, s);
	case PARAM_FORMAT:
		return word(&p->format, format_words, s);
	case PARAM_ASN:
		return params_number(s, 0, UINT32_MAX, &p->asn);
	case PARAM_CC:
		return country(p->cc, s);
	case PARAM_Q:
		return decode(p->q, sizeof p->q, s);
	default:
		return decode(p->cols, sizeof p->cols, s);
	}
}

const char *
params_add(struct params *p, unsigned takes, const char *name, const char *value, int64_t now_us)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		if (!(takes & table[i].bit) || strcmp(table[i].name, name))
			continue;
		if (p->given & table[i].bit)
			return "a parameter is there twice";
		p->given |= table[i].bit;
		return take(p, table[i].bit, value, now_us) ? table[i].wrong : NULL;
	}
	return "unknown parameter; see docs/API.md";
}
