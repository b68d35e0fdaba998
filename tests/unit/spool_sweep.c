/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A segment of 64 KiB of reports, damaged in every single bit and cut off at every single byte: what is read is
 * what was written, only what the damage touches is lost, and the damage is counted.  Some of the cases go on
 * to batches, as the forwarder makes them.
 *
 * Every seventh bit and every third byte; each case reads from the record in front of the damage to the second one
 * behind it: the others are read as without it.  With NG_SOAK=1 (make soak) each bit and each byte, and each 16th case
 * reads all.
 */
#include "forwarder/segment.h"
#include "lib/spool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SIZE 65536
#define FIRST 8123456789ULL
#define GAP 70 /* this one is a gap record */
#define BATCH_EVERY 1021 /* cases: all bits of a byte, all places in a record */

static uint8_t image[SIZE + 1024];
static size_t size;
static size_t at[1024]; /* where record i begins; at[n]: the end */
static unsigned n;
static int all;
static struct line *line;

static int
setup(void **state)
{
	char text[1024];
	int len;

	(void)state;
	all = getenv("NG_SOAK") != NULL;
	line = line_new();
	size = spool_put_header(image, "9f1c2ab0");
	for (n = 0; size < SIZE; n++) {
		at[n] = size;
		/* A gap among them, lines of a few bytes and of many, bytes of all kinds. */
		if (n == GAP) {
			size += spool_put_gap(image + size, FIRST + n, FIRST + n, 1);
			continue;
		}
		len = snprintf(text, sizeof text, "{\"v\":1,\"type\":\"%s\",\"sensor\":\"r1\",\"boot\":\"9f1c2ab0\",\"seq\":%llu,\"x\":\"%0*x\\u00e5%s\"}\n",
			       n % 3 ? "conn" : "attempt", FIRST + n, n % 7 ? 1 + (int)(n * 37 % 600) : 1,
			       n * 2654435761u, n % 5 ? "" : "\xc3\xa5\x7f");
		size += spool_put_record(image + size, FIRST + n, text, (uint32_t)len);
	}
	at[n] = size;
	return !line;
}

static int
teardown(void **state)
{
	(void)state;
	line_free(line);
	return 0;
}

/* The record that a byte is in; the header's are in front of the first. */
static unsigned
record_of(size_t byte)
{
	unsigned low = 0, high = n;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (at[mid + 1] <= byte)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Reads from record `from` on, which ends at `end` bytes: all must be there, as they were written, but `lost` (n: none). */
static void
check(const uint8_t *copy, size_t end, unsigned from, unsigned to, unsigned lost, int header, uint64_t damaged)
{
	struct spool_record r;
	struct spool_scan scan;

	assert_int_equal(spool_scan(&scan, copy, end), header ? 0 : -EBADMSG);
	if (from) {
		scan.at = at[from];
		scan.damaged = 0;
	}
	for (unsigned i = from; i < to; i++) {
		if (i == lost)
			continue;
		assert_true(spool_next(&scan, &r));
		if (r.seq != FIRST + i || r.len != at[i + 1] - at[i] - SPOOL_RECORD || r.gap != (i == GAP) ||
		    memcmp(r.data, image + at[i] + SPOOL_RECORD, r.len))
			fail_msg("record %u is another: seq %llu", i, (unsigned long long)r.seq);
	}
	if (to == n)
		assert_false(spool_next(&scan, &r));
	assert_int_equal(scan.damaged, damaged);
}

/* The lines of all batches are lines that were written, in their order, and so many. */
static void
check_batches(const uint8_t *copy, size_t end, unsigned lost, unsigned to)
{
	struct segment_facts facts;
	struct batch *list;
	unsigned i = 0;

	assert_int_equal(segment_read(line, copy, end, "9f1c2ab0", &facts, &list), 0);
	for (struct batch *b = list; b; b = b->next) {
		char *lines = batch_lines(b);
		size_t done = 0;

		assert_non_null(lines);
		for (; done < b->len; i++) {
			size_t len = at[i + 1] - at[i] - SPOOL_RECORD;

			if (i == lost || i == GAP)
				continue;
			assert_true(done + len <= b->len);
			assert_memory_equal(lines + done, image + at[i] + SPOOL_RECORD, len);
			done += len;
		}
		free(lines);
	}
	assert_int_equal(facts.records, to - (to > GAP) - (lost < to && lost != GAP));
	batch_free_list(list);
}

static void
test_every_bit(void **state)
{
	static uint8_t copy[sizeof image]; /* it is compared with the sound one */
	size_t cases = 0;

	(void)state;
	memcpy(copy, image, size);
	for (size_t bit = 0; bit < size * 8; bit += all ? 1 : 7, cases++) {
		size_t byte = bit / 8;
		unsigned hit = byte < SPOOL_HEADER ? n : record_of(byte);
		int header = byte >= 28, whole = all && cases % 16 == 0;
		unsigned from = whole || hit == n || hit < 1 ? 0 : hit - 1, to = whole || hit + 3 > n ? n : hit + 3;

		if (!whole && hit == n)
			to = 3;
		copy[byte] ^= (uint8_t)(1 << bit % 8);
		check(copy, size, from, to, hit, header, hit < n || !header);
		if (cases % BATCH_EVERY == 0)
			check_batches(copy, size, hit, n);
		copy[byte] ^= (uint8_t)(1 << bit % 8);
	}
	printf("%zu bits of %zu, %u records\n", cases, size * 8, n);
}

static void
test_every_cut(void **state)
{
	size_t cases = 0;

	(void)state;
	for (size_t cut = 0; cut < size; cut += all ? 1 : 3, cases++) {
		unsigned whole = cut < at[0] ? 0 : record_of(cut);
		unsigned from = (all && cases % 16 == 0) || whole < 2 ? 0 : whole - 2;
		int header = cut >= SPOOL_HEADER;
		struct spool_scan scan;
		struct spool_record r;
		/* Its own allocation: ASan watches the end. */
		uint8_t *copy = malloc(cut ? cut : 1);

		memcpy(copy, image, cut);
		assert_int_equal(spool_scan(&scan, copy, cut), header ? 0 : -EBADMSG);
		if (from)
			scan.at = at[from];
		for (unsigned i = from; i < whole; i++) {
			assert_true(spool_next(&scan, &r));
			assert_int_equal(r.seq, FIRST + i);
			assert_memory_equal(r.data, image + at[i] + SPOOL_RECORD, r.len);
		}
		assert_false(spool_next(&scan, &r));
		assert_int_equal(scan.damaged, !header || cut > at[whole]);
		if (cases % BATCH_EVERY == 0)
			check_batches(copy, cut, n, whole);
		free(copy);
	}
	printf("%zu cuts of %zu\n", cases, size);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_every_bit), cmocka_unit_test(test_every_cut) };

	return cmocka_run_group_tests(tests, setup, teardown);
}
