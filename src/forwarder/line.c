/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * line.c - one pass of yajl over a line.  A line that a dying analyzer tore and the next one went
 * on with can look whole to anything less: `{"a":"b{"v":1,...}`.  Hands to batch.
 */
#include "line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

struct line {
	yajl_handle yajl; /* kept from line to line: making one costs more than a line */
	unsigned depth;
	unsigned values;  /* outermost ones */
	unsigned seqs;
	int at_seq;
	int64_t seq;
};

/* Every value passes here.  A `seq` that is no integer counts twice, and that is wrong. */
static int
value(struct line *l, int is_seq)
{
	if (!l->depth)
		return 0; /* the outermost must be an object */
	if (l->depth == 1 && l->at_seq)
		l->seqs += is_seq ? 1 : 2;
	l->at_seq = 0;
	return 1;
}

static int
on_null(void *arg)
{
	return value(arg, 0);
}

static int
on_boolean(void *arg, int v)
{
	(void)v;
	return value(arg, 0);
}

static int
on_integer(void *arg, long long v)
{
	struct line *l = arg;

	if (l->depth == 1 && l->at_seq)
		l->seq = v;
	return value(l, 1);
}

static int
on_double(void *arg, double v)
{
	(void)v;
	return value(arg, 0);
}

static int
on_string(void *arg, const unsigned char *s, size_t n)
{
	(void)s;
	(void)n;
	return value(arg, 0);
}

static int
on_start_map(void *arg)
{
	struct line *l = arg;

	if (l->depth)
		value(l, 0);
	else
		l->values++;
	l->depth++;
	return 1;
}

static int
on_map_key(void *arg, const unsigned char *s, size_t n)
{
	struct line *l = arg;

	l->at_seq = l->depth == 1 && n == 3 && !memcmp(s, "seq", 3);
	return 1;
}

static int
on_start_array(void *arg)
{
	struct line *l = arg;

	if (!value(l, 0))
		return 0;
	l->depth++;
	return 1;
}

static int
on_end(void *arg)
{
	struct line *l = arg;

	l->depth--;
	return 1;
}

static int
line_open(struct line *l)
{
	static const yajl_callbacks callbacks = {
		.yajl_null = on_null, .yajl_boolean = on_boolean, .yajl_integer = on_integer,
		.yajl_double = on_double, .yajl_string = on_string, .yajl_start_map = on_start_map,
		.yajl_map_key = on_map_key, .yajl_end_map = on_end, .yajl_start_array = on_start_array,
		.yajl_end_array = on_end,
	};

	l->yajl = yajl_alloc(&callbacks, NULL, l);
	return l->yajl && yajl_config(l->yajl, yajl_allow_multiple_values, 1) ? 0 : -ENOMEM;
}

static void
line_close(struct line *l)
{
	if (l->yajl)
		yajl_free(l->yajl);
	l->yajl = NULL;
}

struct line *
line_new(void)
{
	struct line *l = calloc(1, sizeof *l);

	if (l && line_open(l)) {
		line_free(l);
		return NULL;
	}
	return l;
}

void
line_free(struct line *l)
{
	if (!l)
		return;
	line_close(l);
	free(l);
}

int
line_seq(struct line *l, const char *bytes, size_t len, uint64_t *seq)
{
	yajl_status status;

	if (!l->yajl && line_open(l)) {
		line_close(l);
		return -ENOMEM;
	}
	l->depth = l->values = l->seqs = 0;
	l->at_seq = 0;
	l->seq = -1;
	status = yajl_parse(l->yajl, (const unsigned char *)bytes, len);
	if (status != yajl_status_ok || l->depth) {
		line_close(l); /* it has no way back to the start */
		return -EINVAL;
	}
	if (l->values != 1 || l->seqs != 1 || l->seq < 0 || l->seq > LINE_SEQ_MAX)
		return -EINVAL;
	*seq = (uint64_t)l->seq;
	return 0;
}
