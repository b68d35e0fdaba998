/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * line.h - is this line one whole report, and which number has it?
 */
#ifndef LINE_H
#define LINE_H

#include <stddef.h>
#include <stdint.h>

#define LINE_SEQ_MAX 9007199254740991 /* 2^53 - 1, schema rule */

struct line;

/* NULL: out of memory. */
struct line *line_new(void);
void line_free(struct line *);

/* bytes end with the newline.  0 and *seq; -EINVAL when it is not exactly one JSON object with one
 * integer `seq` from 0 to LINE_SEQ_MAX; -ENOMEM. */
int line_seq(struct line *, const char *bytes, size_t len, uint64_t *seq);

#endif
