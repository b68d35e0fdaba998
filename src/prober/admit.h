/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * admit.h - may this be traced?  Bytes from a stranger become a request whose every field is in
 * range, or the reason why not.  Pure.
 */
#ifndef ADMIT_H
#define ADMIT_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"
#include "prober.h"

struct admit {
	const struct addr_prefix *home, *exclude; /* lent */
	unsigned n_home, n_exclude;
	int any_target; /* bogons may be traced */
	/* A socket is there for this family (0: IPv4, 1: IPv6) and method. */
	uint8_t sockets[2][PROBER_METHODS];
};

/* Takes the bytes of one packet.  -1: they are no request at all.  Else *out has it, and PROBER_DONE: its
 * defaults are filled in, it may be traced as far as the address says; or the reason of a refusal. */
int admit_request(const struct admit *, const void *bytes, size_t len, struct prober_request *out);

/* Of an address alone: PROBER_DONE, PROBER_BOGON, PROBER_HOME or PROBER_EXCLUDED. */
enum prober_status admit_address(const struct admit *, uint8_t ipv, const uint8_t addr[16]);

#endif
