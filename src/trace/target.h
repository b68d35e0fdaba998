/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * target.h - HOST[:PORT] as a person writes it, and the address behind a name.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <stdint.h>

#define TARGET_HOST_MAX 254 /* with the NUL */

struct target {
	char host[TARGET_HOST_MAX]; /* without brackets */
	uint16_t port;              /* 0: none given */
	uint8_t ipv;
	uint8_t addr[16];
};

/* "HOST", "HOST:PORT", "[V6]", "[V6]:PORT", or an IPv6 address alone.  0; or -1 with what would be
 * right in err. */
int target_parse(struct target *, const char *text, char *err, size_t size);

/* ipv 4, 6, or 0 for what the name has and this machine can reach.  0; or -1 with why not in err.
 * Asks the resolver: may take seconds. */
int target_resolve(struct target *, int ipv, char *err, size_t size);

#endif
