/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * community.h - Community ID v1 (github.com/corelight/community-id-spec): a flow hash that Zeek,
 * Suricata and others compute the same way, in either direction.
 */
#ifndef COMMUNITY_H
#define COMMUNITY_H

#include <stdint.h>

#define COMMUNITY_LEN 30 /* "1:" and 28 of base64 */

/* Seed 0, a transport with ports.  NUL-terminated. */
void community_id(char out[COMMUNITY_LEN + 1], uint8_t ipv, const uint8_t *src, const uint8_t *dst,
		  uint8_t proto, uint16_t sport, uint16_t dport);

#endif
