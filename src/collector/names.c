/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * names.c - networks and their names, read once and looked through for each address: there are few.
 */
#include "names.h"

#include <stdio.h>
#include <string.h>

/* Letters, digits and what joins them; the bytes of UTF-8's longer characters too (the page shows all as text). */
static int
name_ok(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > NAMES_LEN)
		return 0;
	for (; *name; name++) {
		if ((unsigned char)*name <= ' ' || *name == 127 || strchr("=,\"\\", *name))
			return 0;
	}
	return 1;
}

const char *
names_add(struct names *s, const char *text)
{
	const char *equals = strchr(text, '=');
	char net[ADDR_TEXT + 4];
	size_t i = s->n;
	int r;

	if (!equals || (size_t)(equals - text) >= sizeof net || !name_ok(equals + 1))
		return "NETWORK=NAME such as 192.168.1.0/24=lan; a name has 1 to 63 bytes, no blanks, none of = , \" \\";
	if (i == NAMES_MAX)
		return "at most 256 networks";
	snprintf(net, sizeof net, "%.*s", (int)(equals - text), text);
	r = addr_prefix_parse(&s->net[i].net, net);
	if (r)
		return "a network such as 192.168.1.0/24 or fd00:1::/64 before the =, with no bits behind its length";
	snprintf(s->net[i].name, sizeof s->net[i].name, "%s", equals + 1);
	s->n++;
	return NULL;
}

const char *
names_find(const struct names *s, uint8_t ipv, const uint8_t addr[16])
{
	const char *found = NULL;
	unsigned len = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (addr_in(&s->net[i].net, ipv, addr) && (!found || s->net[i].net.len > len)) {
			found = s->net[i].name;
			len = s->net[i].net.len;
		}
	}
	return found;
}
