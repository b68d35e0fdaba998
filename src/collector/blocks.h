/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * blocks.h - what a block of 4096 report numbers holds: the addresses, ports and sensors that are in it, and
 * between which times.  days.c writes one row a block into each day's file; explore.c passes over blocks in
 * which nothing can be that is asked for.  An index of each row would cost fifty times as much.
 *
 * A block without a row (one that was begun by another run of the program, or is not full yet) is looked at.
 */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "report.h"

#define BLOCKS_IDS 4096
/* One with more terms than this has no row. */
#define BLOCKS_TERMS_MAX 6000

/* What is known of one.  `terms` are sorted, lent by the statement that read them. */
struct block {
	int64_t first_us, last_us; /* times that its reports count at */
	int64_t rtt_max_us;        /* -1: none has one */
	const uint8_t *terms;      /* little endian */
	size_t n;
};

/* A thing that reports have, in 32 bits: two may be taken for one another. */
enum { BLOCKS_IP = 'i', BLOCKS_PORT = 'p', BLOCKS_SENSOR = 's', BLOCKS_TYPE = 't' };
uint32_t blocks_term(char kind, const void *bytes, size_t n);
uint32_t blocks_term_port(uint16_t port);

int blocks_has(const struct block *, uint32_t term);

/* ---- for days.c ---- */

/* SQL that makes the table, if it is not there. */
extern const char blocks_schema[];

/* The block that a file's reports are added to.  Begins as zeroes. */
struct blocks {
	uint32_t *slots;   /* terms, by hash; 0: free */
	size_t n;
	int64_t at;        /* block number */
	int whole;         /* all that the file has of it is in `slots` */
	int64_t first_us, last_us, rtt_max_us;
};

void blocks_free(struct blocks *);
/* The file has no reports yet. */
void blocks_empty(struct blocks *);
/* A report that was added to the file.  Writes the block before, when this one is of another.  0 or an SQLite
 * code. */
int blocks_add(struct blocks *, sqlite3 *, const struct report *, int64_t id, int64_t at_us);
/* After a rollback: numbers will be used again. */
void blocks_forget(struct blocks *);

/* ---- for explore.c ---- */

/* "?1": the block. */
extern const char blocks_select[];
/* Of the row that the statement is at. */
void blocks_get(struct block *, sqlite3_stmt *);

#endif
