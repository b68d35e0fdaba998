/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * url.c - what libcurl would not take, or not as it was meant, said where no libcurl is.
 */
#include "url.h"

#include <stdlib.h>
#include <string.h>

#include "addr.h"

#define DIGITS "0123456789"
#define NAME DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz.-_"

/* What follows the host, or NULL. */
static const char *
behind_host(const char *host)
{
	size_t n = strspn(host, NAME);
	char text[ADDR_TEXT];
	uint8_t ipv, addr[16];

	if (*host != '[')
		return n ? host + n : NULL;
	n = strcspn(++host, "%]");
	if (n >= sizeof text)
		return NULL;
	memcpy(text, host, n);
	text[n] = 0;
	if (addr_parse(&ipv, addr, text) || ipv != 6)
		return NULL;
	host += n;
	if (*host == '%') {
		n = strspn(++host, NAME);
		if (n < 1 || n > 15)
			return NULL;
		host += n;
	}
	return *host == ']' ? host + 1 : NULL;
}

int
url_ok(const char *text)
{
	const char *p = behind_host(!strncmp(text, "https://", 8) ? text + 8 : !strncmp(text, "http://", 7) ? text + 7 : "");

	if (p && *p == ':') {
		size_t n = strspn(++p, DIGITS);
		long port = n && n <= 5 ? strtol(p, NULL, 10) : 0;

		if (port < 1 || port > 65535)
			return 0;
		p += n;
	}
	if (!p || (*p && *p != '/' && *p != '?'))
		return 0;
	for (; *p; p++) {
		if (*p <= ' ' || *p > '~' || *p == '#')
			return 0;
	}
	return 1;
}
