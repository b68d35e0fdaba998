/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * segment.h - batches to the image of a spool's segment (lib/spool.h) and back: a record for each
 * line.  Pure.
 *
 * The label is the boot's name, and ".zst" behind it where its batches are packed so: one that was sent
 * before a restart is sent again with the same bytes.
 *
 * A batch made from an image ends where a gap record or damage is: else its key, which names its
 * first and its last line, could have been used for other bytes before.
 */
#ifndef SEGMENT_H
#define SEGMENT_H

#include "batch.h"
#include "line.h"

#include <stddef.h>
#include <stdint.h>

struct segment_facts {
	uint64_t records;   /* that are whole and one report each */
	uint64_t first;     /* seq of the first and of the last of all, gaps included */
	uint64_t last;
	uint64_t gaps;      /* how many reports the gap records speak of */
	uint64_t damaged;   /* places where something was neither */
	char boot[BATCH_BOOT + 1]; /* as the label says; empty: it is damaged */
	enum pack_coding coding;   /* of the posts that its batches were or will be sent with; likewise, else gzip */
};

/* The lines of n batches, with their gaps, and an empty one in front of others that are apart.  *image is to be freed.  0 or -ENOMEM. */
int segment_image(struct line *, const struct batch *const *, size_t n, uint8_t **image, size_t *size);

/* What is in it; *list, if not NULL, gets the batches, linked by `next` in order, to be freed.  Where
 * the label is damaged `boot` takes its place.  0 or -ENOMEM. */
int segment_read(struct line *, const uint8_t *image, size_t size, const char *boot, struct segment_facts *,
		 struct batch **list);

/* The image without its `conn` reports, with a gap record for them.  *removed: how many, then *thin is
 * to be freed; 0: there is none, or it would not be smaller.  0 or -ENOMEM. */
int segment_thin(const uint8_t *image, size_t size, uint8_t **thin, size_t *thin_size, uint64_t *removed);

/* An image that only says what is not there any more; out has room for SEGMENT_GAP bytes. */
#define SEGMENT_GAP 64
size_t segment_gap(uint8_t *out, const char *boot, uint64_t first, uint64_t last, uint64_t n);

#endif
