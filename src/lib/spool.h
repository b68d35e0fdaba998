/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * spool.h - records that survive the process: a directory of segments, each an immutable file.
 *
 *   segment  NUMBER.seg, 16 hex digits, in the order of writing
 *   header   "NGSPOOL1", label[16] (the writer's, NUL-padded), u32 CRC-32C of these 24 bytes, u32 0
 *   record   u32 len, u32 CRC-32C of the other fields, u64 seq, payload[len & SPOOL_LEN]
 *   gap      a record with SPOOL_GAP in len and a payload of u64 last, u64 n: n records with numbers
 *            from seq to last were dropped for room
 *
 * All numbers are little-endian.  Nothing that can be counted is stored.  A segment is written to
 * NUMBER.tmp, synced, renamed, and the directory synced: it is there whole or not at all; what a disk
 * or a hand does to it later costs the records that were touched, and these are counted.
 *
 * One process at a time has the directory (flock(2) on "lock").
 */
#ifndef SPOOL_H
#define SPOOL_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SPOOL_HEADER 32
#define SPOOL_RECORD 16           /* in front of the payload */
#define SPOOL_GAP 0x80000000U
#define SPOOL_LEN 0x7fffffffU
#define SPOOL_PAYLOAD_MAX 65536
#define SPOOL_SEGMENT_MAX (4 << 20)
#define SPOOL_LABEL 16

/* ---- an image of a segment: pure ---- */

struct spool_record {
	uint64_t seq;
	const uint8_t *data;      /* lent from the image */
	uint32_t len;
	int gap;                  /* then data says nothing, and: */
	uint64_t gap_last;
	uint64_t gap_n;
};

struct spool_scan {
	const uint8_t *image;
	size_t size;
	size_t at;
	char label[SPOOL_LABEL + 1];
	uint64_t damaged;         /* places where something was no record: at least so many are lost */
};

/* 0; -EBADMSG: the header is damaged or not ours (the records can be read all the same: label ""). */
int spool_scan(struct spool_scan *, const void *image, size_t size);

/* 1; 0 at the end.  Passes over what is damaged. */
int spool_next(struct spool_scan *, struct spool_record *);

/* Bytes that a segment of n records with `payload` bytes in all takes. */
size_t spool_image_size(size_t n, size_t payload);

/* Writers return how many bytes they put. */
size_t spool_put_header(uint8_t *out, const char *label);
size_t spool_put_record(uint8_t *out, uint64_t seq, const void *data, uint32_t len);
size_t spool_put_gap(uint8_t *out, uint64_t first, uint64_t last, uint64_t n);

/* ---- the directory ---- */

struct spool;

struct spool_limits {
	uint64_t bytes;           /* of all segments */
	uint64_t day_bytes;       /* written in 24 hours; 0: no limit (tmpfs) */
};

struct spool_segment {
	uint64_t number;
	uint64_t bytes;
	uint64_t tag;             /* the caller's, see spool_tag() */
};

/* Takes dirfd over, also on failure.  Sweeps unfinished files.  0 or -errno; -EWOULDBLOCK: another
 * process has it. */
int spool_open(struct spool **, int dirfd, const struct spool_limits *);
void spool_close(struct spool *);

/* Writes one segment.  Its number; -ENOSPC: over the limit of bytes, or the disk is full (make room,
 * try again); -EDQUOT: over the day's; -EIO and others: the disk failed, nothing is left of it.
 * now_us: CLOCK_BOOTTIME. */
int64_t spool_write(struct spool *, const void *image, size_t size, int64_t now_us);

/* Writes the image in the place of another segment, whose number it keeps, in one step.  It may only
 * shrink.  0 or -errno as above; a failure leaves the old one. */
int spool_replace(struct spool *, uint64_t number, const void *image, size_t size, int64_t now_us);

/* Segments in order: the first one numbered `from` or later; 0 when there is none. */
int spool_find(const struct spool *, uint64_t from, struct spool_segment *);

/* The last one numbered lower than `below`; 0 when there is none. */
int spool_find_below(const struct spool *, uint64_t below, struct spool_segment *);

/* A word of the caller's that goes with a segment while the spool is open; 0 at first. */
void spool_tag(struct spool *, uint64_t number, uint64_t tag);

/* The bytes of a segment, to be freed by the caller.  0 or -errno. */
int spool_load(const struct spool *, uint64_t number, uint8_t **image, size_t *size);

/* It is not needed any more.  0 or -errno. */
int spool_drop(struct spool *, uint64_t number);

uint64_t spool_bytes(const struct spool *);
uint64_t spool_limit(const struct spool *); /* of these */
uint64_t spool_segments(const struct spool *);

/* Written since spool_open(), unlinked or not. */
uint64_t spool_written(const struct spool *);

#endif
