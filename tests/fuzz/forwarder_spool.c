/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * Fuzz target: what the forwarder makes of a segment that a disk, or somebody, has changed.  Every
 * batch is whole reports in the order of its key; written again it is read as the same; without its
 * connections it is what was no connection.
 */
#include "../../src/forwarder/segment.c"

int LLVMFuzzerTestOneInput(const uint8_t *, size_t);
const char *__asan_default_options(void);

const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=16";
}

#define BATCHES 4096

/* Reports, and of these connections. */
static void
check_batch(struct line *line, const struct batch *b, uint64_t *reports, uint64_t *conns)
{
	char *lines = batch_lines(b);
	uint64_t seq = 0;
	uint32_t n = 0;
	size_t len;

	if (!lines || strspn(b->boot, "0123456789abcdef") != BATCH_BOOT)
		abort();
	for (const char *p = lines, *end = lines + b->len; p < end; p += len) {
		len = line_length(p, end);
		if (line_seq(line, p, len, &seq) || (!n && seq != b->first))
			abort();
		*conns += (uint64_t)batch_is_conn(p, len);
		n++;
	}
	if (!n || n != b->n || seq != b->last)
		abort();
	*reports += n;
	free(lines);
}

static uint64_t
records_of(struct line *line, const uint8_t *image, size_t size)
{
	struct segment_facts facts;

	if (segment_read(line, image, size, "9f1c2ab0", &facts, NULL))
		abort();
	return facts.records;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct batch *list[BATCHES];
	struct line *line = line_new();
	uint64_t reports = 0, conns = 0, removed;
	struct segment_facts facts;
	struct batch *batches;
	uint8_t *image;
	size_t n = 0, image_size;

	if (!line || segment_read(line, data, size, "9f1c2ab0", &facts, &batches))
		abort();
	for (struct batch *b = batches; b; b = b->next) {
		check_batch(line, b, &reports, &conns);
		if (n < BATCHES)
			list[n++] = b;
	}
	if (reports != facts.records || records_of(line, data, size) != reports)
		abort();
	if (n && n < BATCHES) {
		if (segment_image(line, list, n, &image, &image_size) || records_of(line, image, image_size) != reports)
			abort();
		free(image);
	}
	if (segment_thin(data, size, &image, &image_size, &removed))
		abort();
	if (removed) {
		if (image_size >= size || removed < conns || records_of(line, image, image_size) != reports - conns)
			abort();
		free(image);
	}
	batch_free_list(batches);
	line_free(line);
	return 0;
}
