/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * route.h - asks the kernel how it would send: through which source address, and whether it is an
 * address of this machine at all (RTM_GETROUTE).
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdint.h>

#include "prober.h"

/* fd: a NETLINK_ROUTE socket; mark: of the probes, for policy routing. */
void route_start(int fd, uint32_t mark);

/* PROBER_DONE and the source address; or PROBER_OWN, PROBER_BOGON (a broadcast address),
 * PROBER_NO_ROUTE.  The kernel answers within the call: nothing is waited for. */
enum prober_status route_source(uint8_t ipv, const uint8_t dst[16], uint8_t src[16]);

#endif
