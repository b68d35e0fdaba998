/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * target.c - takes HOST[:PORT] apart, and asks the resolver.
 */
#include "target.h"

#include <ctype.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/addr.h"

static int
parse_port(uint16_t *port, const char *text)
{
	unsigned n = 0;

	if (!*text)
		return -1;
	for (const char *p = text; *p; p++) {
		if (!isdigit((unsigned char)*p) || (n = n * 10 + (unsigned)(*p - '0')) > 65535)
			return -1;
	}
	*port = (uint16_t)n;
	return n ? 0 : -1;
}

int
target_parse(struct target *t, const char *text, char *err, size_t size)
{
	const char *host = text, *end = text + strlen(text), *port = NULL, *colon = strchr(text, ':');

	*t = (struct target){ 0 };
	if (*text == '[') {
		host = text + 1;
		end = strchr(host, ']');
		if (!end || (end[1] && end[1] != ':')) {
			snprintf(err, size, "%s: an address in brackets is [ADDRESS] or [ADDRESS]:PORT", text);
			return -1;
		}
		port = end[1] ? end + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) { /* more than one: an IPv6 address */
		end = colon;
		port = colon + 1;
	}
	if (end == host || end - host >= TARGET_HOST_MAX) {
		snprintf(err, size, "%s: a host's name or address is wanted, of at most %d letters", text, TARGET_HOST_MAX - 1);
		return -1;
	}
	memcpy(t->host, host, (size_t)(end - host));
	for (const char *p = t->host; *p; p++) {
		if (*p <= ' ' || *p == 0x7f || *p == '/') {
			snprintf(err, size, "%s: a host's name or address has no such letters", text);
			return -1;
		}
	}
	if (port && parse_port(&t->port, port)) {
		snprintf(err, size, "%s: port %s: a number from 1 to 65535 is wanted", text, *port ? port : "(none)");
		return -1;
	}
	if (*text == '[' && (addr_parse(&t->ipv, t->addr, t->host) || t->ipv != 6)) {
		snprintf(err, size, "%s: only an IPv6 address is written in brackets", text);
		return -1;
	}
	return 0;
}

int
target_resolve(struct target *t, int ipv, char *err, size_t size)
{
	struct addrinfo want = { .ai_family = ipv == 4 ? AF_INET : ipv == 6 ? AF_INET6 : AF_UNSPEC,
				 .ai_socktype = SOCK_DGRAM }, *got;
	int r;

	if (!addr_parse(&t->ipv, t->addr, t->host)) {
		if (!ipv || t->ipv == ipv)
			return 0;
		snprintf(err, size, "%s is an IPv%d address, and -%d was given", t->host, t->ipv, ipv);
		return -1;
	}
	r = getaddrinfo(t->host, NULL, &want, &got);
	if (r) {
		snprintf(err, size, "%s: %s%s", t->host, gai_strerror(r),
			 ipv == 4 ? " (IPv4)" : ipv == 6 ? " (IPv6)" : "");
		return -1;
	}
	/* The resolver's order (RFC 6724) puts what cannot be reached last. */
	memset(t->addr, 0, sizeof t->addr);
	if (got->ai_family == AF_INET) {
		t->ipv = 4;
		memcpy(t->addr, &((const struct sockaddr_in *)(const void *)got->ai_addr)->sin_addr, 4);
	} else {
		t->ipv = 6;
		memcpy(t->addr, &((const struct sockaddr_in6 *)(const void *)got->ai_addr)->sin6_addr, 16);
	}
	freeaddrinfo(got);
	return 0;
}
