/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * segment.c - see segment.h.  Receives from and hands to queue.
 */
#include "segment.h"

#include "lib/spool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ZSTD_LABEL ".zst"

/* With its newline. */
static size_t
line_length(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));

	return (size_t)((newline ? newline + 1 : end) - at);
}

static size_t
put_gap(uint8_t *out, const struct batch_gap *gap)
{
	return spool_put_gap(out, gap->first, gap->last, gap->n);
}

int
segment_image(struct line *line, const struct batch *const *list, size_t n, uint8_t **image_out, size_t *size_out)
{
	char label[SPOOL_LABEL + 1];
	size_t records = 0, payload = 0, at;
	uint8_t *image;

	for (size_t i = 0; i < n; i++) {
		records += list[i]->n + 2;
		payload += list[i]->len + 2 * 16;
	}
	image = malloc(spool_image_size(records, payload));
	if (!image)
		return -ENOMEM;
	snprintf(label, sizeof label, "%s%s", list[0]->boot, list[0]->wanted == PACK_ZSTD ? ZSTD_LABEL : "");
	at = spool_put_header(image, label);
	for (size_t i = 0; i < n; i++) {
		char *lines = batch_lines(list[i]);
		const char *p = lines, *end;
		size_t len;

		if (!lines)
			goto fail;
		end = lines + list[i]->len;
		if (list[i]->before.n)
			at += put_gap(image + at, &list[i]->before);
		else if (i && list[i]->apart && !list[i - 1]->behind.n)
			at += spool_put_gap(image + at, list[i]->first, list[i]->first, 0);
		for (; p < end; p += len) {
			uint64_t seq;

			len = line_length(p, end);
			if (line_seq(line, p, len, &seq)) {
				free(lines);
				goto fail; /* it was checked when it came in */
			}
			at += spool_put_record(image + at, seq, p, (uint32_t)len);
		}
		free(lines);
		if (list[i]->behind.n)
			at += put_gap(image + at, &list[i]->behind);
	}
	*image_out = image;
	*size_out = at;
	return 0;
fail:
	free(image);
	return -ENOMEM;
}

static int
is_report(struct line *line, const struct spool_record *r)
{
	const char *p = (const char *)r->data;
	uint64_t seq;

	if (!r->len || r->len > BATCH_LINE_MAX || line_length(p, p + r->len) != r->len || p[r->len - 1] != '\n')
		return 0;
	return !line_seq(line, p, r->len, &seq) && seq == r->seq;
}

/* Neither: the label is damaged. */
static void
read_label(const char *label, struct segment_facts *facts)
{
	const char *rest = label + BATCH_BOOT;

	facts->coding = PACK_GZIP;
	if (strspn(label, "0123456789abcdef") != BATCH_BOOT || (*rest && strcmp(rest, ZSTD_LABEL)))
		return;
	memcpy(facts->boot, label, BATCH_BOOT);
	if (*rest && pack_can(PACK_ZSTD))
		facts->coding = PACK_ZSTD;
}

/* The lines that are gathered; they become a batch. */
struct run {
	char *bytes;
	size_t len;
	uint32_t n;
	uint64_t first, last;
	int apart;
	struct batch_gap gap; /* in front of it */
	struct batch *made;   /* the one before */
};

/* At a gap, at damage, at the end. */
static int
end_run(struct run *run, enum pack_coding coding, const char *boot, struct batch ***tail)
{
	int apart = run->apart;
	struct batch *b;

	run->apart = 1;
	if (!run->n || !tail)
		return 0;
	b = batch_new(coding, run->bytes, run->len, run->n, run->first, run->last);
	if (!b)
		return -ENOMEM;
	memcpy(b->boot, boot, sizeof b->boot);
	b->apart = (uint8_t)apart;
	b->before = run->gap;
	run->gap = (struct batch_gap){ 0 };
	run->made = b;
	**tail = b;
	*tail = &b->next;
	run->n = 0;
	run->len = 0;
	return 0;
}

int
segment_read(struct line *line, const uint8_t *image, size_t size, const char *boot, struct segment_facts *facts,
	     struct batch **list)
{
	struct batch **tail = list;
	struct run run = { 0 };
	struct spool_scan scan;
	struct spool_record r;
	uint64_t broken = 0, before;
	int e = 0;

	*facts = (struct segment_facts){ .first = UINT64_MAX };
	if (list)
		*list = NULL;
	spool_scan(&scan, image, size);
	read_label(scan.label, facts);
	boot = facts->boot[0] ? facts->boot : boot;
	if (list && !(run.bytes = malloc(size + 1)))
		return -ENOMEM;
	for (before = scan.damaged; !e && spool_next(&scan, &r); before = scan.damaged) {
		uint64_t last = r.gap ? r.gap_last : r.seq;
		int bad = !r.gap && !is_report(line, &r);

		broken += (uint64_t)bad;
		if (r.gap || bad || scan.damaged > before)
			e = end_run(&run, facts->coding, boot, list ? &tail : NULL);
		if (bad)
			continue;
		facts->first = r.seq < facts->first ? r.seq : facts->first;
		facts->last = last > facts->last ? last : facts->last;
		facts->gaps += r.gap_n;
		facts->records += !r.gap;
		if (r.gap)
			batch_gap_add(&run.gap, &(struct batch_gap){ r.seq, r.gap_last, r.gap_n });
		if (r.gap || !list || e)
			continue;
		memcpy(run.bytes + run.len, r.data, r.len);
		run.len += r.len;
		run.first = run.n ? run.first : r.seq;
		run.last = r.seq;
		run.n++;
	}
	if (!e)
		e = end_run(&run, facts->coding, boot, list ? &tail : NULL);
	if (run.made)
		run.made->behind = run.gap;
	facts->damaged = scan.damaged + broken;
	free(run.bytes);
	if (e && list) {
		batch_free_list(*list);
		*list = NULL;
	}
	return e;
}

int
segment_thin(const uint8_t *image, size_t size, uint8_t **thin_out, size_t *thin_size, uint64_t *removed)
{
	struct spool_scan scan;
	struct spool_record r;
	uint64_t first = 0, last = 0;
	size_t at;
	uint8_t *thin;

	*removed = 0;
	spool_scan(&scan, image, size);
	while (spool_next(&scan, &r)) {
		if (r.gap || !batch_is_conn((const char *)r.data, r.len))
			continue;
		first = *removed ? first : r.seq;
		last = r.seq;
		++*removed;
	}
	if (!*removed)
		return 0;
	thin = malloc(size + SEGMENT_GAP);
	if (!thin)
		return -ENOMEM;
	at = spool_put_header(thin, scan.label);
	spool_scan(&scan, image, size);
	for (int said = 0; spool_next(&scan, &r);) {
		if (r.gap) {
			at += spool_put_gap(thin + at, r.seq, r.gap_last, r.gap_n);
		} else if (!batch_is_conn((const char *)r.data, r.len)) {
			at += spool_put_record(thin + at, r.seq, r.data, r.len);
		} else if (!said) {
			said = 1;
			at += spool_put_gap(thin + at, first, last, *removed);
		}
	}
	if (at >= size) {
		free(thin);
		*removed = 0;
		return 0;
	}
	*thin_out = thin;
	*thin_size = at;
	return 0;
}

size_t
segment_gap(uint8_t *out, const char *boot, uint64_t first, uint64_t last, uint64_t n)
{
	size_t at = spool_put_header(out, boot);

	return at + spool_put_gap(out + at, first, last, n);
}
