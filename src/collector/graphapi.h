/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * graphapi.h - POST /api/cypher: {"query": "MATCH ...", "params": {"ip": "192.0.2.1"}}.
 */
#ifndef GRAPHAPI_H
#define GRAPHAPI_H

#include "answer.h"
#include "cypher.h"

struct graphapi_body {
	char query[CYPHER_TEXT_MAX];
	size_t query_n;
	struct cypher_param params[CYPHER_PARAMS_MAX];
	size_t n_params;
	size_t pool_n;
	char pool[CYPHER_TEXT_MAX]; /* the params' texts */
};

/* 0, or -1 with what is wrong.  Pure. */
int graphapi_read(struct graphapi_body *, const char *body, size_t n, char *why, size_t why_size);

api_fn graphapi_cypher;

#endif
