/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * batch.h - bytes from the pipe become lines, lines become sealed batches, packed once.  A sealed
 * batch never changes: what is sent again is the same bytes under the same key.  (Halving it, after a
 * refusal, makes two others.)
 */
#ifndef BATCH_H
#define BATCH_H

#include "pack.h"

#include <stddef.h>
#include <stdint.h>

#define BATCH_BOOT 8 /* characters of a boot's name */

/* Reports that were dropped for room. */
struct batch_gap {
	uint64_t first, last; /* their seqs, or a little more */
	uint64_t n;           /* 0: none */
};

struct batch {
	struct batch *next; /* the queue's */
	uint64_t first;     /* seq of the first and of the last line */
	uint64_t last;
	uint32_t n;         /* lines, at least one */
	uint32_t len;       /* bytes of the lines */
	uint32_t size;      /* of bytes[] */
	uint8_t coding;     /* enum pack_coding of bytes[]; where there was no memory, the lines as they are */
	uint8_t wanted;     /* the coding that was asked for, and is asked for of its parts */
	uint32_t refused;   /* how often it, or what it was halved from, was called wrong */
	/* The queue's too. */
	uint64_t segment;   /* of the spool, that holds its lines as well; 0: none */
	uint8_t apart;      /* of the one in front of it in the segment: something between them is gone */
	struct batch_gap before; /* of the segment's gap records: what this batch keeps the account of */
	struct batch_gap behind;
	uint8_t backlog;    /* it waited while the collector was away */
	uint8_t thinned;    /* there is no `conn` report in it (any more) */
	char boot[BATCH_BOOT + 1];
	char bytes[];       /* as they are sent */
};

struct batch_limits {
	uint32_t lines; /* of a batch, at least 1 */
	uint32_t bytes; /* of a batch, at least BATCH_LINE_MAX */
};

#define BATCH_LINE_MAX 16384 /* WORKER_REPORT_MAX: a report with its newline */

struct batch_counts {
	uint64_t received; /* records: whole lines */
	uint64_t open;     /* of these, not yet sealed */
	uint64_t dropped;  /* of these, no memory to seal them */
	uint64_t sealed;   /* batches */
	uint64_t torn;     /* lines that are no report: not among received */
	uint64_t overlong; /* likewise */
};

struct batch_maker;

/* Takes over the batch. */
typedef void batch_sealed_fn(void *arg, struct batch *);

/* NULL: out of memory. */
struct batch_maker *batch_maker_new(const struct batch_limits *, batch_sealed_fn *, void *arg);
void batch_maker_free(struct batch_maker *);

/* Any chunk of the stream. */
void batch_feed(struct batch_maker *, const char *bytes, size_t len);

/* Seals what is open, if anything: it is old enough. */
void batch_seal(struct batch_maker *);

/* The stream is at its end: a line without its newline is torn; seals. */
void batch_eof(struct batch_maker *);

/* True while the last byte fed was not a line's last. */
int batch_inside_line(const struct batch_maker *);

/* From now on batches are packed so; at first with gzip. */
void batch_pack(struct batch_maker *, enum pack_coding);

/* From now on batches are smaller; never larger than at the start, never below BATCH_LINE_MAX. */
void batch_shrink(struct batch_maker *, uint32_t bytes);

const struct batch_counts *batch_counts(const struct batch_maker *);

/* A lone batch: bytes are n lines, first and last as found by the caller.  NULL: out of memory. */
struct batch *batch_new(enum pack_coding, const char *bytes, size_t len, uint32_t n, uint64_t first, uint64_t last);
void batch_free(struct batch *);
void batch_free_list(struct batch *); /* linked by `next` */

/* Whether a line is one of the reports that go first when there is no room. */
int batch_is_conn(const char *line, size_t len);

/* A batch without its `conn` reports, *removed of them: what was in front of the first one, and what
 * was behind it; NULL where nothing is left.  0: the caller frees all three; -ENOMEM. */
int batch_thin(const struct batch *, struct batch **front, struct batch **rest, uint32_t *removed);

/* Its lines, unpacked, to be freed; NULL: out of memory. */
char *batch_lines(const struct batch *);

/* Halves a batch of two lines or more.  0: *one_out and *two_out are new, the caller
 * frees all three; -ENOMEM. */
int batch_halve(const struct batch *, struct batch **one_out, struct batch **two_out);

/* Adds what one gap tells to another. */
void batch_gap_add(struct batch_gap *, const struct batch_gap *);

/* What it takes of the queue's bound. */
size_t batch_size(const struct batch *);

#endif
