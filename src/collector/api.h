/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * api.h - the routes: which path is answered by which function, and what parameters it takes.  A new
 * endpoint is a row in api.c and a function that writes its answer.  http.c judges a request, asks here,
 * and sends.
 */
#ifndef API_H
#define API_H

#include <stdint.h>

#include "answer.h"

#define API_BODY_MAX 65536

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

#endif
