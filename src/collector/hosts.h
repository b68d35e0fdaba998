/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * hosts.h - which names a browser may know us by.  A page of another site can make its own name
 * point to 127.0.0.1 (DNS rebinding); its requests then carry that name, and are refused.
 */
#ifndef HOSTS_H
#define HOSTS_H

#include <stddef.h>

#define HOSTS_MAX 80

struct hosts {
	char name[HOSTS_MAX][264]; /* lower-case, with port */
	size_t n;
};

/* localhost, 127.0.0.1, [::1] and the address listened on (an IPv6 one with its brackets), each
 * with the port; and without it when that is 80. */
void hosts_init(struct hosts *, const char *listen, unsigned port);

/* One more, "name" or "name:port"; a name alone is known with our port, and with none, as a proxy in
 * front of us has it.  0 or -1: full or too long. */
int hosts_add(struct hosts *, const char *name, unsigned port);

/* Whether a Host header's value is one of them: case is ignored, nothing else. */
int hosts_known(const struct hosts *, const char *host);

/* Whether an Origin header's value is http:// or https:// and one of them. */
int hosts_origin_known(const struct hosts *, const char *origin);

#endif
