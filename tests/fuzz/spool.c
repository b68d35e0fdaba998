/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fuzz target: a segment of the spool as a disk gives it back.  A record that comes out passed its
 * CRC; written again and read again it is the same; a scan ends.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/crc32c.h"
#include "lib/spool.h"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);

static void
check_record(const uint8_t *image, size_t size, const struct spool_record *r)
{
	uint8_t *again = malloc(SPOOL_RECORD + (size_t)r->len);
	size_t n;

	if (!again || r->data < image + SPOOL_RECORD || r->data + r->len > image + size)
		abort();
	n = r->gap ? spool_put_gap(again, r->seq, r->gap_last, r->gap_n) :
		     spool_put_record(again, r->seq, r->data, r->len);
	if (n != SPOOL_RECORD + (size_t)r->len || memcmp(again, r->data - SPOOL_RECORD, n))
		abort();
	free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct spool_scan s;
	struct spool_record r;
	size_t records = 0;

	spool_scan(&s, data, size);
	while (spool_next(&s, &r)) {
		check_record(data, size, &r);
		records++;
	}
	if (s.at != size || records > size / SPOOL_RECORD || s.damaged > records + 2)
		abort();
	return 0;
}
