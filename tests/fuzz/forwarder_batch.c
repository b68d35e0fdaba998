/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * The report pipe, as a taken-over analyzer could fill it: first byte: chunk length, the rest: the
 * stream.  Every batch is whole lines within its limits; halving one loses nothing.
 */
#include "../../src/forwarder/batch.c"
#include "../../src/forwarder/line.c"

static uint64_t records;

static void
on_sealed(void *arg, struct batch *b)
{
	struct batch *one, *two;
	char *text = batch_lines(b);
	uint32_t lines = 0;

	(void)arg;
	if (!text)
		abort();
	for (uint32_t i = 0; i < b->len; i++)
		lines += text[i] == '\n';
	if (lines != b->n || !b->n || b->n > 5 || b->len > BATCH_LINE_MAX || text[b->len - 1] != '\n')
		abort();
	free(text);
	if (b->n > 1) {
		if (batch_halve(b, &one, &two) || one->n + two->n != b->n || one->len + two->len != b->len ||
		    one->first != b->first || two->last != b->last)
			abort();
		batch_free(one);
		batch_free(two);
	}
	records += b->n;
	batch_free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* Freed buffers are kept by the hundred megabytes otherwise, which is the limit of a run. */
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=16";
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct batch_limits limits = { 5, BATCH_LINE_MAX };
	struct batch_maker *m = batch_maker_new(&limits, on_sealed, NULL);
	const struct batch_counts *c;
	size_t step = size ? 1 + data[0] : 1, ends = 0;

	if (!m)
		abort();
	c = batch_counts(m);
	records = 0;
	for (size_t at = 1; at < size; at += step)
		batch_feed(m, (const char *)data + at, size - at < step ? size - at : step);
	batch_eof(m);
	for (size_t i = 1; i < size; i++)
		ends += data[i] == '\n';
	if (size > 1 && data[size - 1] != '\n')
		ends++;
	if (records != c->received || c->received + c->torn + c->overlong != ends)
		abort();
	batch_maker_free(m);
	return 0;
}
