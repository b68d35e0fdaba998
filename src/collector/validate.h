/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * validate.h - one line of NDJSON against the rules of docs/schema: parsed by yajl (SAX), checked
 * by tables, handed on as a struct report.
 *
 * Beyond the schema file, as its own description says or as JSON leaves open (docs/API.md):
 * at most 16,383 bytes and 8 levels, UTF-8 without BOM, no key twice in one object, no lone
 * surrogate, integers without fraction or exponent and within 2^53 - 1, numbers of at most 64
 * characters and finite, times that exist and lie in 1970 to 9999.  Fields that only a collector
 * may set are checked, then dropped.
 */
#ifndef VALIDATE_H
#define VALIDATE_H

#include <stddef.h>

#include "report.h"

struct validate;

/* About 170 KiB; NULL: out of memory. */
struct validate *validate_new(void);
void validate_free(struct validate *);

/* 0 and the report, or -1.  report->seq is set whenever it could be read, for the answer. */
int validate_line(struct validate *, const char *line, size_t len, struct report *);

/* Why the last line was refused: "dst_port: 70000 is above 65535".  Any bytes may be in it. */
const char *validate_why(const struct validate *);

/* What the value of a report's field is in JSON; NONE: it is no field. */
enum validate_kind { VALIDATE_NONE, VALIDATE_STRING, VALIDATE_NUMBER, VALIDATE_BOOL, VALIDATE_NESTED };
enum validate_kind validate_kind_of(const char *name, size_t len);

#endif
