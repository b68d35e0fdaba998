/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as a netlink datagram.  What a message lends lies inside it, the walk goes forward and
 * ends, and gives the same twice.
 */
#include <string.h>

#include "../../src/analyzer/batch.c"
#include "must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cur c = cur_of(data, size), again = c;
	struct batch_msg m, n;
	int r;

	if (size > 2048)
		return 0; /* more of the same, and slower */
	do {
		const uint8_t *before = c.p;

		memset(&m, 0x55, sizeof m);
		memset(&n, 0x55, sizeof n);
		r = batch_next(&c, &m);
		must(batch_next(&again, &n) == r && again.p == c.p, "not the same twice");
		must(r >= -1 && r <= 1, "what is that?");
		must(c.p >= before && c.p <= data + size, "the walk left the datagram");
		must(!r || c.p - before >= NLMSG_HDRLEN, "no step forward");
		if (r <= 0)
			continue;
		must(!memcmp(&m, &n, sizeof m), "not the same twice");
		must(m.payload || !m.payload_len, "bytes of nothing");
		must(!m.payload || (m.payload > before && m.payload + m.payload_len <= c.p),
		     "the payload is not of this message");
		must(!m.has_ts == !m.ts_us && m.ts_us >= 0 && m.ts_us < 253402300800000000, "no such time");
		must(m.vlan < 4096, "no such VLAN");
	} while (r);
	must(batch_next(&c, &m) == 0, "the end is not the end");
	return 0;
}
