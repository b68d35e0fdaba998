/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hosts.c - the allow-list for Host and Origin.
 */
#include "hosts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static int
put(struct hosts *h, const char *name, unsigned port)
{
	char *to = h->name[h->n];
	int n;

	if (h->n == HOSTS_MAX)
		return -1;
	n = port ? snprintf(to, sizeof h->name[0], "%s:%u", name, port)
		 : snprintf(to, sizeof h->name[0], "%s", name);
	if (n < 0 || (size_t)n >= sizeof h->name[0])
		return -1;
	h->n++;
	return 0;
}

void
hosts_init(struct hosts *h, const char *listen, unsigned port)
{
	const char *const names[] = { "localhost", "127.0.0.1", "[::1]", listen };
	char brackets[80];

	h->n = 0;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		const char *name = names[i];

		if (i == 3 && strchr(name, ':')) {
			snprintf(brackets, sizeof brackets, "[%s]", name);
			name = brackets;
		}
		put(h, name, port);
		if (port == 80)
			put(h, name, 0);
	}
}

int
hosts_add(struct hosts *h, const char *name, unsigned port)
{
	const char *end = strrchr(name, ']');

	if (strchr(end ? end : name, ':'))
		return put(h, name, 0);
	return put(h, name, 0) || put(h, name, port) ? -1 : 0;
}

int
hosts_known(const struct hosts *h, const char *host)
{
	for (size_t i = 0; i < h->n; i++) {
		if (!strcasecmp(h->name[i], host))
			return 1;
	}
	return 0;
}

int
hosts_origin_known(const struct hosts *h, const char *origin)
{
	if (!strncmp(origin, "http://", 7))
		return hosts_known(h, origin + 7);
	if (!strncmp(origin, "https://", 8))
		return hosts_known(h, origin + 8);
	return 0;
}
