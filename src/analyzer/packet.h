/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * packet.h - bytes of an IP packet to a struct ng_packet.  Pure: no I/O, no allocation, no clock.
 */
#ifndef PACKET_H
#define PACKET_H

#include <stddef.h>

#include "plugin.h"

/* Decodes `len` bytes that begin with the IP header.  Fills everything but ts_us, hook, group,
 * iif, oif, mark, vlan and classes, which are zeroed and the caller's; `has` says what is known,
 * also of a packet whose status is not NG_PACKET_OK.  Never fails. */
void packet_decode(struct ng_packet *, const void *bytes, size_t len);

#endif
