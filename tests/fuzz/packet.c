/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as an IP packet.  The decoder must not overrun (the sanitizers' part), must give the same
 * twice, and must keep the rules of tests/unit/packet_rules.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/analyzer/packet.c"
#include "../unit/packet_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ng_packet a, b;
	const char *broken;

	memset(&a, 0x55, sizeof a);
	memset(&b, 0xaa, sizeof b);
	packet_decode(&a, data, size);
	packet_decode(&b, data, size);
	if (memcmp(&a, &b, sizeof a)) {
		fprintf(stderr, "not the same twice\n");
		abort();
	}
	broken = packet_rules(&a, size);
	/* What the IP header says the packet has is here: nothing can be cut off.  (0 says nothing.) */
	if (!broken && a.status == NG_PACKET_TRUNCATED && a.ipv && a.ip_len < size)
		broken = "what is whole is not truncated";
	if (!broken && a.status == NG_PACKET_OK && a.ip_len < (a.ipv == 4 ? 24U : 44U))
		broken = "a packet that is all right has room for its transport";
	if (broken) {
		fprintf(stderr, "%s: status %d, has 0x%x, proto %d, ip_len %u, %zu bytes\n", broken, a.status, a.has,
			a.proto, a.ip_len, size);
		abort();
	}
	return 0;
}
