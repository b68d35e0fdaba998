/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * api.h - the routes: which path is answered by which function, and what parameters it takes.  A new
 * endpoint is a row in api.c and a function that writes its answer.  http.c judges a request, asks here,
 * and sends.
 */
#ifndef API_H
#define API_H

#include <stddef.h>
#include <stdint.h>

#include "lib/json.h"
#include "params.h"

struct geolink;
struct asker;
struct gate;
struct intake;
struct store;

#define API_BODY_MAX 65536

/* What the functions work with.  All are lent. */
struct api {
	struct store *store;
	struct intake *intake;
	struct geolink *geo;
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
	void *state;          /* the function's own until api_done(), freed with the answer */
	/* Of http.c: for api_done(). */
	void (*done)(struct api_answer *, int);
};

#define API_LATER 1

/* Writes the answer: 0; or an error of store.h, and nothing of what it wrote is sent; or API_LATER: the function
 * keeps both pointers, and calls api_done() once, from the loop, within seconds. */
typedef int api_fn(struct api *, const struct api_request *, struct api_answer *);

/* The answer is there: 0 or an error of store.h.  What is not answered when http_stop() is called must not be
 * touched any more. */
void api_done(struct api_answer *, int result);

enum api_kind {
	API_GET,
	API_POST,    /* a JSON body of up to API_BODY_MAX; reads only, or asks for API_CSRF */
	API_REPORTS, /* http.c's own */
	API_EVENTS,
};

/* api_route.flags */
#define API_OPEN 1 /* without login */
#define API_KEEP 4 /* the same answer as long as the reports, the second and the parameters are: answers.h */
#define API_CSRF 2 /* changes something: needs the X-CSRF-Token of GET /api/session */

#define API_BIG 8  /* may be four times as long as other answers */

struct api_route {
	const char *path;
	enum api_kind kind;
	unsigned takes; /* PARAM_* */
	int64_t limit;  /* default */
	api_fn *fn;
	unsigned flags;
};

/* NULL: no such path. */
const struct api_route *api_find(const char *path);

/* An answer that says what is wrong with what was asked: {"error": why}.  Always 0, as an api_fn is. */
int api_refuse(struct api_answer *, unsigned status, const char *why);

#endif
