/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * dns.h - the question which name an address has, and its answer (RFC 1035, RFC 3596).  Pure.
 */
#ifndef DNS_H
#define DNS_H

#include <stddef.h>
#include <stdint.h>

#include "geo.h"

#define DNS_QUERY_MAX 128
#define DNS_PACKET_MAX 1232

/* Returns its length. */
size_t dns_query(uint8_t out[DNS_QUERY_MAX], uint16_t id, const struct geo_addr *);

/* 0: an answer to that question, with state, name and time to live; -1: not to it. */
int dns_answer(const uint8_t *packet, size_t n, uint16_t id, const struct geo_addr *, struct geo_name *);

#endif
