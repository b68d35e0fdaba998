/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * addr.c - addresses and prefixes: parse, print, contain.
 */
#include "addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static size_t
print_u8(char *out, unsigned v)
{
	size_t n = 0;

	if (v >= 100)
		out[n++] = (char)('0' + v / 100);
	if (v >= 10)
		out[n++] = (char)('0' + v / 10 % 10);
	out[n++] = (char)('0' + v % 10);
	return n;
}

size_t
addr_print(char out[ADDR_TEXT], uint8_t ipv, const uint8_t *addr)
{
	size_t n = 0;

	if (ipv != 4) {
		if (!inet_ntop(AF_INET6, addr, out, ADDR_TEXT))
			out[0] = 0;
		return strlen(out);
	}
	/* inet_ntop goes through sprintf: three times the cost, for each address of each report. */
	for (int i = 0; i < 4; i++) {
		n += print_u8(out + n, addr[i]);
		out[n++] = '.';
	}
	out[--n] = 0;
	return n;
}

int
addr_parse(uint8_t *ipv, uint8_t addr[16], const char *text)
{
	memset(addr, 0, 16);
	if (inet_pton(AF_INET, text, addr) == 1)
		*ipv = 4;
	else if (inet_pton(AF_INET6, text, addr) == 1)
		*ipv = 6;
	else
		return -EINVAL;
	return 0;
}

static void
addr_mask(uint8_t addr[16], unsigned len)
{
	for (unsigned i = 0; i < 16; i++) {
		if (len >= 8 * (i + 1))
			continue;
		addr[i] &= len <= 8 * i ? 0 : (uint8_t)(0xff00 >> (len - 8 * i));
	}
}

int
addr_prefix_parse(struct addr_prefix *p, const char *text)
{
	char buf[64], *slash, *end;
	uint8_t masked[16];
	unsigned long len;

	if (strlen(text) >= sizeof buf)
		return -EINVAL;
	memcpy(buf, text, strlen(text) + 1);
	slash = strchr(buf, '/');
	if (slash)
		*slash++ = 0;
	if (addr_parse(&p->ipv, p->addr, buf))
		return -EINVAL;
	p->len = p->ipv == 4 ? 32 : 128;
	if (slash) {
		len = strtoul(slash, &end, 10);
		if (end == slash || *end || *slash < '0' || *slash > '9' || len > p->len)
			return -EINVAL;
		p->len = (uint8_t)len;
	}
	memcpy(masked, p->addr, 16);
	addr_mask(masked, p->len);
	return memcmp(masked, p->addr, 16) ? -EDOM : 0;
}
