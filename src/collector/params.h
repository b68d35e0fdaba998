/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * params.h - the parameters of a URL, checked: what is unknown, there twice, or out of range is refused.
 * Pure; http.c brings each as it stands behind the "?".
 */
#ifndef PARAMS_H
#define PARAMS_H

#include <stdint.h>

#include "lib/addr.h"

#define PARAMS_TEXT_MAX 2048 /* of q and cols, decoded */
#define PARAMS_SENSOR_MAX 64

enum {
	PARAM_LIMIT = 1,
	PARAM_WINDOW = 2, /* window_s */
	PARAM_UNTIL = 4,
	PARAM_AT = 8,
	PARAM_BEFORE = 16,
	PARAM_PORT = 32,
	PARAM_SENSOR = 64,
	PARAM_DST = 128,
	PARAM_IP = 256,
	PARAM_BY = 512,
	PARAM_FORMAT = 1024,
	PARAM_Q = 2048,
	PARAM_COLS = 4096,
	PARAM_ASN = 8192,
	PARAM_CC = 16384,
};

/* What was not given has its default. */
struct params {
	unsigned given;    /* PARAM_* */
	int64_t limit;     /* 1 to 1000 */
	int64_t window_s;  /* 60 to 31,622,400; default 3600 */
	int64_t until_us;  /* the window ends here; default now, and now when it is later */
	int64_t at_us;     /* the same */
	int64_t before;    /* an id; default INT64_MAX */
	int64_t port;      /* default -1 */
	int64_t asn;       /* 0: unknown; default -1 */
	char sensor[PARAMS_SENSOR_MAX + 1]; /* as the schema writes one; default "" */
	char dst[ADDR_TEXT]; /* RFC 5952; default "" */
	char ip[ADDR_TEXT];
	char cc[3];          /* two capitals, or "": unknown; default "" */
	const char *by;      /* "port", "host", "as", "cc"; default "port" */
	const char *format;  /* "json", "csv", "ndjson"; default "json" */
	char q[PARAMS_TEXT_MAX + 1]; /* UTF-8 without NUL; default "" */
	char cols[PARAMS_TEXT_MAX + 1];
};

/* Defaults. */
void params_begin(struct params *, int64_t limit, int64_t now_us);

/* One parameter; `takes` says which are allowed (PARAM_*), value NULL: there is no "=".  Numbers and words
 * have no % escapes; in the rest they are read.  NULL, or what is wrong. */
const char *params_add(struct params *, unsigned takes, const char *name, const char *value, int64_t now_us);

/* 0 and the number; -1: it is none (decimal digits alone), or out of range. */
int params_number(const char *text, int64_t min, int64_t max, int64_t *out);

#endif
