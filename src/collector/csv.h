/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * csv.h - tables as text (RFC 4180: quotes, doubled quotes, lines inside quotes), and a row of one as a report: each
 * column is a field of the schema, by its name; an empty cell is a field that is absent,
 * "" an empty text.  What import.c reads.
 */
#ifndef CSV_H
#define CSV_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CSV_COLUMNS_MAX 160
#define CSV_ROW_MAX 65536
#define CSV_WHY_MAX 200

struct csv {
	FILE *file;
	long long line;      /* where the row at hand begins; the first is 1 */
	long long next_line;
	size_t n;            /* cells of the row at hand */
	size_t start[CSV_COLUMNS_MAX + 1]; /* of each in text, and the end of the last */
	uint8_t quoted[CSV_COLUMNS_MAX + 1];
	char text[CSV_ROW_MAX];
	char why[CSV_WHY_MAX];
	/* Of the header. */
	size_t columns;
	char name[CSV_COLUMNS_MAX][64];
	int kind[CSV_COLUMNS_MAX]; /* enum validate_kind */
	int has_type;
};

/* Reads the header.  0, or -1 with `why`.  `file` is lent. */
int csv_begin(struct csv *, FILE *file);
/* The next row: 1; 0 at the end; -1: it is none, `why` says why, and the next may be one. */
int csv_next(struct csv *);
/* The row as one line of JSON; type is that of rows without a column of this name.  Its length, or -1 with `why`. */
long csv_json(struct csv *, const char *type, char *out, size_t size);

#endif
