/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * dns.c - PTR questions and answers.  A name that has anything but letters, digits, hyphens and underscores between
 * its dots is no host's, whatever a server says, and is taken for none.
 */
#include "dns.h"

#include <stdio.h>
#include <string.h>

#include "lib/cur.h"

#define TYPE_PTR 12
#define CLASS_IN 1
#define JUMPS_MAX 16
#define ANSWERS_MAX 32
#define TTL_MIN_S 3600
#define TTL_MAX_S (7 * 86400)
#define TTL_NONE_S 14400
#define TTL_FAILED_S 900

/* "34.2.0.192.in-addr.arpa" */
static size_t
question(char out[80], const struct geo_addr *a)
{
	size_t n = 0;

	if (a->ipv == 4)
		return (size_t)snprintf(out, 80, "%u.%u.%u.%u.in-addr.arpa", a->addr[3], a->addr[2], a->addr[1], a->addr[0]);
	for (int i = 15; i >= 0; i--) {
		out[n++] = "0123456789abcdef"[a->addr[i] & 15];
		out[n++] = '.';
		out[n++] = "0123456789abcdef"[a->addr[i] >> 4];
		out[n++] = '.';
	}
	memcpy(out + n, "ip6.arpa", 9);
	return n + 8;
}

size_t
dns_query(uint8_t out[DNS_QUERY_MAX], uint16_t id, const struct geo_addr *a)
{
	static const uint8_t head[] = { 1 /* recursion desired */, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	static const uint8_t tail[] = { 0, 0, TYPE_PTR, 0, CLASS_IN };
	char name[80];
	uint8_t *p = out;

	question(name, a);
	*p++ = (uint8_t)(id >> 8);
	*p++ = (uint8_t)id;
	memcpy(p, head, sizeof head);
	p += sizeof head;
	for (const char *label = name; *label;) {
		size_t n = strcspn(label, ".");

		*p++ = (uint8_t)n;
		memcpy(p, label, n);
		p += n;
		label += n + (label[n] == '.');
	}
	memcpy(p, tail, sizeof tail);
	return (size_t)(p - out) + sizeof tail;
}

static int
host_byte(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Copies a name with dots; "" when it is none of a host.  The cursor is behind it. */
static void
name_at(struct cur *c, const uint8_t *packet, size_t packet_n, char out[GEO_NAME_MAX])
{
	struct cur here = *c, *at = c;
	size_t n = 0, jumps = 0, limit = (size_t)(c->p - packet);
	int good = 1;
	uint8_t len;

	while ((len = cur_u8(at)) != 0) {
		const uint8_t *label;

		if ((len & 0xc0) == 0xc0) {
			size_t to = (size_t)(len & 0x3f) << 8 | cur_u8(at);

			/* Only ever backwards: so it ends. */
			if (at->bad || to >= limit || ++jumps > JUMPS_MAX) {
				c->bad = 1;
				break;
			}
			limit = to;
			here = cur_of(packet + to, packet_n - to);
			at = &here;
			continue;
		}
		label = len & 0xc0 ? NULL : cur_take(at, len);
		if (!label || n + len + 1 >= GEO_NAME_MAX) {
			c->bad = 1;
			break;
		}
		for (uint8_t i = 0; i < len; i++)
			good &= host_byte(label[i]);
		if (n)
			out[n++] = '.';
		memcpy(out + n, label, len);
		n += len;
	}
	if (at->bad)
		c->bad = 1;
	out[good && !c->bad ? n : 0] = 0;
}

static int
same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		char x = *a >= 'A' && *a <= 'Z' ? (char)(*a | 0x20) : *a;

		if (x != *b)
			return 0;
	}
	return *a == *b;
}

static uint32_t
within(uint32_t ttl_s)
{
	return ttl_s < TTL_MIN_S ? TTL_MIN_S : ttl_s > TTL_MAX_S ? TTL_MAX_S : ttl_s;
}

/* The first PTR of the answers: what is in front of it are aliases (RFC 2317). */
static void
find_ptr(struct cur *c, const uint8_t *packet, size_t n, unsigned answers, struct geo_name *out)
{
	char owner[GEO_NAME_MAX];

	for (unsigned i = 0; i < answers && i < ANSWERS_MAX && !c->bad; i++) {
		uint16_t type, class, len;
		uint32_t ttl_s;

		name_at(c, packet, n, owner);
		type = cur_be16(c);
		class = cur_be16(c);
		ttl_s = cur_be32(c);
		len = cur_be16(c);
		if (type != TYPE_PTR || class != CLASS_IN) {
			cur_skip(c, len);
			continue;
		}
		name_at(c, packet, n, out->name);
		if (!c->bad && out->name[0]) {
			out->state = GEO_NAME_FOUND;
			out->ttl_s = within(ttl_s);
		}
		return;
	}
}

int
dns_answer(const uint8_t *packet, size_t n, uint16_t id, const struct geo_addr *a, struct geo_name *out)
{
	struct cur c = cur_of(packet, n);
	char asked[80], name[GEO_NAME_MAX];
	uint16_t got = cur_be16(&c), flags = cur_be16(&c), questions = cur_be16(&c), answers = cur_be16(&c);
	unsigned code = flags & 15;

	*out = (struct geo_name){ .state = GEO_NAME_NONE, .ttl_s = TTL_NONE_S };
	cur_skip(&c, 4);
	if (c.bad || got != id || !(flags & 0x8000) || flags & 0x7800 || questions != 1)
		return -1;
	question(asked, a);
	name_at(&c, packet, n, name);
	if (cur_be16(&c) != TYPE_PTR || cur_be16(&c) != CLASS_IN || c.bad || !same_name(name, asked))
		return -1;
	if (code && code != 3 /* there is no such name */) {
		out->state = GEO_NAME_FAILED;
		out->ttl_s = TTL_FAILED_S;
		return 0;
	}
	if (!code)
		find_ptr(&c, packet, n, answers, out);
	return 0;
}
