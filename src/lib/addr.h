/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * addr.h - IPv4 and IPv6 addresses and prefixes as 16 bytes in network order (IPv4: the first
 * four, the rest zero).
 */
#ifndef ADDR_H
#define ADDR_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ADDR_TEXT 46 /* INET6_ADDRSTRLEN */

struct addr_prefix {
	uint8_t ipv; /* 4 or 6 */
	uint8_t len; /* bits */
	uint8_t addr[16]; /* bits behind len are zero */
};

/* Text of an address, NUL-terminated; returns its length.  RFC 5952. */
size_t addr_print(char out[ADDR_TEXT], uint8_t ipv, const uint8_t *addr);

/* "10.0.0.0/8", "fd00::/8", or an address alone.  0; -EINVAL when it is none; -EDOM when bits
 * behind the length are set. */
int addr_prefix_parse(struct addr_prefix *, const char *text);

/* One address.  0 or -EINVAL. */
int addr_parse(uint8_t *ipv, uint8_t addr[16], const char *text);

/* Inline: asked several times for each packet. */
static inline int
addr_in(const struct addr_prefix *p, uint8_t ipv, const uint8_t *addr)
{
	uint64_t a, b;
	unsigned len = p->len;

	if (p->ipv != ipv)
		return 0;
	if (len > 64) {
		if (memcmp(p->addr, addr, 8))
			return 0;
		memcpy(&a, p->addr + 8, 8);
		memcpy(&b, addr + 8, 8);
		len -= 64;
	} else {
		memcpy(&a, p->addr, 8);
		memcpy(&b, addr, 8);
	}
	return !len || be64toh(a ^ b) >> (64 - len) == 0;
}

/* The prefixes that are home unless configured otherwise (RFC 1918, RFC 6598, RFC 3927, RFC 4193,
 * RFC 4291), comma-separated as in the configuration. */
#define ADDR_HOME_DEFAULT \
	"10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,fc00::/7,fe80::/10"

#endif
