/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Any bytes as operations on the flow table and on the naive one of tests/unit/flow_model.h: what
 * comes out must be the same, and the table's lists and chains whole.  Behind a first byte of 255: as what a predecessor
 * left, which the table must survive.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/analyzer/flow.c"
#define MODEL_FAIL(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), abort())
#include "../unit/flow_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct drive d;
	int fd;

	if (!size)
		return 0;
	if (*data == 255) {
		drive_start(&d, 16, FLOW_ACKS_NONE);
		fd = memfd_create("flows", MFD_CLOEXEC);
		if (fd < 0 || write(fd, data + 1, size - 1) != (ssize_t)size - 1)
			abort();
		flow_take_over(d.t, fd, d.wall_us, d.now_us);
		close(fd);
		flow_check(d.t, 0);
		for (int i = 0; i < 9; i++)
			flow_expire(d.t, d.now_us += 10000000, 3);
		flow_check(d.t, 0);
		flow_free(d.t);
		return 0;
	}
	drive_start(&d, *data & 1 ? 64 : 16, (enum flow_acks)((*data >> 1) % 3));
	for (data++, size--; size >= DRIVE_OP; data += DRIVE_OP, size -= DRIVE_OP) {
		drive_op(&d, data);
		if (d.ops % 64 == 0)
			flow_check(d.t, 0);
	}
	flow_check(d.t, 0);
	drive_end(&d);
	return 0;
}
