/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * answer.h - what a function that answers a request is given, and what it makes of it.  api.c has the table of
 * them.
 */
#ifndef ANSWER_H
#define ANSWER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/json.h"
#include "params.h"

struct geolink;
struct projection;
struct asker;
struct gate;
struct intake;
struct store;

/* What the functions work with.  All are lent. */
struct api {
	struct store *store;
	struct intake *intake;
	struct geolink *geo;
	struct projection *graph; /* or NULL */
	struct gate *gate;
	int64_t started_us;
	unsigned connections, streams;
};

struct api_request {
	struct params params;
	const char *body;  /* POST: the whole of it, NUL behind */
	size_t body_n;
	const struct asker *asker; /* gate.h */
};

struct api_answer {
	struct json json;     /* the answer is written here: one object */
	const char *type;     /* set: json.buf has json.len bytes of this type instead */
	const char *download; /* the name that a browser saves it under, or NULL */
	unsigned status;      /* 200 */
	int64_t next;         /* of a download that was cut: `before` of what is left, in the header Net-Gazer-Next */
	unsigned retry_s;     /* Retry-After, or 0 */
	char cookie[200];     /* Set-Cookie, or "" */
	void *state;          /* the function's own until answer_done(), freed with the answer */
	/* Of http.c: for answer_done(). */
	void (*done)(struct api_answer *, int);
};

#define API_LATER 1

/* Writes the answer: 0; or an error of store.h, and nothing of what it wrote is sent; or API_LATER: the function
 * keeps both pointers, and calls answer_done() once, from the loop, within seconds. */
typedef int api_fn(struct api *, const struct api_request *, struct api_answer *);

/* The answer is there: 0 or an error of store.h.  What is not answered when http_stop() is called must not be
 * touched any more. */
void answer_done(struct api_answer *, int result);

/* An answer that says what is wrong with what was asked: {"error": why}.  Always 0, as an api_fn is. */
int answer_refuse(struct api_answer *, unsigned status, const char *why);

#endif
