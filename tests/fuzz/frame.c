/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as a frame; the first byte chooses the link type.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/replay/frame.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const int dlts[] = { DLT_EN10MB, DLT_LINUX_SLL, DLT_LINUX_SLL2, DLT_NULL,
				    DLT_LOOP,	DLT_RAW,       DLT_IPV4,       DLT_IPV6, -1 };
	int dlt, r;
	struct frame f;

	if (!size)
		return 0;
	dlt = dlts[*data % (sizeof dlts / sizeof *dlts)];
	data++;
	size--;
	memset(&f, 0x55, sizeof f);
	r = frame_decode(&f, dlt, data, size);
	/* What is behind the framing goes to the end of the capture, and is not empty. */
	if (r != (dlt == -1 ? -ENOTSUP : 0) || f.vlan > 4095 || (!f.ip != !f.len) ||
	    (f.ip && (f.ip < data || f.ip + f.len != data + size)) || (r && f.ip)) {
		fprintf(stderr, "link type %d: %d, vlan %d, %zu of %zu bytes\n", dlt, r, f.vlan, f.len, size);
		abort();
	}
	return 0;
}
