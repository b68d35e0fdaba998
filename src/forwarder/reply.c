/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * reply.c - receives the body from upload, hands the verdict to deliver.
 */
#include "reply.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/anyother.h"

enum { KEY_OTHER, KEY_ACCEPTED, KEY_DUPLICATE, KEY_REJECTED, KEY_SEQ, KEY_WHY, KEY_CLASH };

static int
on_integer(void *arg, long long v)
{
	struct reply *r = arg;

	if (r->key == KEY_ACCEPTED)
		r->accepted = v;
	else if (r->key == KEY_DUPLICATE)
		r->duplicate = v;
	else if (r->key == KEY_SEQ)
		r->seq = v;
	r->key = KEY_OTHER;
	return 1;
}

static int
on_string(void *arg, const unsigned char *s, size_t n)
{
	struct reply *r = arg;
	char *to = r->in_rejected ? r->entry : r->why;

	if (r->key == KEY_CLASH && n < sizeof r->clash) {
		memcpy(r->clash, s, n);
		r->clash[n] = 0;
	}
	if (r->key == KEY_WHY && !*to) {
		if (n >= REPLY_WHY_MAX)
			n = REPLY_WHY_MAX - 1;
		memcpy(to, s, n);
		to[n] = 0;
	}
	r->key = KEY_OTHER;
	return 1;
}

static int
on_other(void *arg)
{
	((struct reply *)arg)->key = KEY_OTHER;
	return 1;
}

ANY_OTHER(on_other)

static int
is(const unsigned char *s, size_t n, const char *name)
{
	return n == strlen(name) && !memcmp(s, name, n);
}

static int
on_map_key(void *arg, const unsigned char *s, size_t n)
{
	struct reply *r = arg;

	r->key = KEY_OTHER;
	if (r->depth == 1) {
		if (is(s, n, "accepted"))
			r->key = KEY_ACCEPTED;
		else if (is(s, n, "duplicate"))
			r->key = KEY_DUPLICATE;
		else if (is(s, n, "rejected"))
			r->key = KEY_REJECTED;
		else if (is(s, n, "error") || is(s, n, "why") || is(s, n, "message"))
			r->key = KEY_WHY;
		else if (is(s, n, "clash"))
			r->key = KEY_CLASH;
	} else if (r->in_rejected && r->depth == 3) {
		if (is(s, n, "seq"))
			r->key = KEY_SEQ;
		else if (is(s, n, "why"))
			r->key = KEY_WHY;
	}
	return 1;
}

static int
on_start_map(void *arg)
{
	struct reply *r = arg;

	r->depth++;
	r->key = KEY_OTHER;
	if (r->in_rejected && r->depth == 3) {
		r->seq = -1;
		r->entry[0] = 0;
	}
	return 1;
}

static int
on_end_map(void *arg)
{
	struct reply *r = arg;

	/* One that is not of this batch is somebody's mistake and counts for nothing. */
	if (r->in_rejected && r->depth == 3 && r->seq >= 0 && (uint64_t)r->seq >= r->seq_first &&
	    (uint64_t)r->seq <= r->seq_last && r->rejected < r->n) {
		if (!r->rejected++) {
			r->rejected_seq = (uint64_t)r->seq;
			memcpy(r->why, r->entry, sizeof r->why);
		}
	}
	r->depth--;
	return 1;
}

static int
on_start_array(void *arg)
{
	struct reply *r = arg;

	r->depth++;
	if (r->depth == 2 && r->key == KEY_REJECTED)
		r->in_rejected = 1;
	r->key = KEY_OTHER;
	return 1;
}

static int
on_end_array(void *arg)
{
	struct reply *r = arg;

	if (r->depth == 2)
		r->in_rejected = 0;
	r->depth--;
	return 1;
}

int
reply_begin(struct reply *r, uint64_t seq_first, uint64_t seq_last, uint32_t n)
{
	static const yajl_callbacks callbacks = {
		ANY_OTHER_CALLBACKS(on_other), .yajl_integer = on_integer, .yajl_string = on_string, .yajl_start_map = on_start_map,
		.yajl_map_key = on_map_key, .yajl_end_map = on_end_map,
		.yajl_start_array = on_start_array, .yajl_end_array = on_end_array,
	};

	memset(r, 0, sizeof *r);
	r->seq_first = seq_first;
	r->seq_last = seq_last;
	r->n = n;
	r->accepted = -1;
	r->yajl = yajl_alloc(&callbacks, NULL, r);
	return r->yajl ? 0 : -ENOMEM;
}

int
reply_body(struct reply *r, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len && !r->first_byte; i++) {
		if (!strchr(" \t\r\n", bytes[i]))
			r->first_byte = bytes[i];
	}
	r->len += len;
	if (r->len > REPLY_BODY_MAX)
		return -EMSGSIZE;
	if (r->len > REPLY_READ_MAX)
		r->bad = 1;
	if (!r->bad && yajl_parse(r->yajl, (const unsigned char *)bytes, len) != yajl_status_ok)
		r->bad = 1;
	return 0;
}

/* Of a list: "gzip, zstd;q=0.5".  Zero is a refusal. */
static int
accepts(const char *list, const char *coding)
{
	size_t n = strlen(coding);

	for (const char *p = list; *p; p += *p == ',') {
		const char *weight;
		int same;

		p += strspn(p, " \t");
		same = !strncasecmp(p, coding, n) && strchr(" \t;,", p[n]);
		weight = p + strcspn(p, ",;");
		p += strcspn(p, ",");
		if (!same)
			continue;
		if (weight >= p)
			return 1;
		weight += 1 + strspn(weight + 1, " \t");
		return strncasecmp(weight, "q=", 2) || weight + 2 + strspn(weight + 2, "0. \t") != p;
	}
	return 0;
}

void
reply_accepts(struct reply *r, const char *value)
{
	r->zstd |= accepts(value, "zstd");
}

static enum reply_action
action_of(long status, int64_t retry_after_s)
{
	switch (status) {
	case 400:
	case 415:
	case 422:
		return REPLY_HALVE;
	case 413:
		return REPLY_TOO_LARGE;
	case 401:
	case 403:
	case 409:
		return REPLY_HOLD;
	default:
		if (status >= 200 && status < 300)
			return REPLY_FORGET;
		return retry_after_s > 0 ? REPLY_WAIT : REPLY_RETRY;
	}
}

void
reply_end(struct reply *r, const char *error, long status, int64_t retry_after_s, struct reply_verdict *v)
{
	memset(v, 0, sizeof *v);
	if (!r->bad && r->len && yajl_complete_parse(r->yajl) != yajl_status_ok)
		r->bad = 1;
	yajl_free(r->yajl);
	r->yajl = NULL;
	v->status = status;
	v->zstd = r->zstd;
	/* A 413 whose connection is then reset is still a 413: sending the same again would get the
	 * same.  A 200 that is cut off acknowledges nothing. */
	if (error && status < 400) {
		v->action = REPLY_RETRY;
		snprintf(v->why, sizeof v->why, "%s", error);
		return;
	}
	v->action = action_of(status, retry_after_s);
	if (!r->bad) {
		memcpy(v->why, r->why, sizeof v->why);
		memcpy(v->clash, r->clash, sizeof v->clash);
	}
	if (v->action == REPLY_WAIT)
		v->wait_us = (retry_after_s > REPLY_WAIT_MAX_S ? REPLY_WAIT_MAX_S : retry_after_s) * 1000000;
	if (v->action != REPLY_FORGET)
		return;
	if (r->bad && r->first_byte == '<') {
		/* The login page of a hotel's network answers 200 to everything. */
		v->action = REPLY_RETRY;
		snprintf(v->why, sizeof v->why, "a web page answered, not a collector");
		return;
	}
	if (r->bad || r->accepted < 0)
		return; /* other collectors say "ok", or nothing */
	v->rejected = r->rejected;
	v->rejected_seq = r->rejected_seq;
	v->mismatch = r->duplicate < 0 || r->duplicate > r->n || r->accepted > r->n ||
		      r->accepted + r->duplicate + r->rejected != r->n;
}
