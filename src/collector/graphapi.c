/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * graphapi.c - the body of a question, read by yajl's callbacks; the answer is graphdb.c's.
 */
#include "graphapi.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "graphdb.h"
#include "store.h"

#define HTTP_BAD_REQUEST 400

enum place { AT_START, AT_TOP, AT_QUERY, AT_PARAMS, IN_PARAMS, AT_PARAM, AT_END };

struct reader {
	struct graphapi_body *out;
	enum place place;
	unsigned seen;      /* 1: query, 2: params */
	const char *why;
};

static int
wrong(struct reader *r, const char *why)
{
	r->why = why;
	return 0; /* yajl ends */
}

static int
on_value(struct reader *r, const struct cypher_value *v)
{
	if (r->place != AT_PARAM)
		return wrong(r, r->place == AT_QUERY ? "query must be a text" : "params must be an object, the whole too");
	r->out->params[r->out->n_params++].value = *v;
	r->place = IN_PARAMS;
	return 1;
}

static int
on_null(void *arg)
{
	return on_value(arg, &(struct cypher_value){ .type = CYPHER_NULL });
}

static int
on_bool(void *arg, int b)
{
	return on_value(arg, &(struct cypher_value){ .type = CYPHER_BOOL, .i = b });
}

static int
on_integer(void *arg, long long n)
{
	return on_value(arg, &(struct cypher_value){ .type = CYPHER_INT, .i = n });
}

static int
on_double(void *arg, double d)
{
	return on_value(arg, &(struct cypher_value){ .type = CYPHER_FLOAT, .f = d });
}

static int
on_string(void *arg, const unsigned char *s, size_t n)
{
	struct reader *r = arg;
	struct graphapi_body *b = r->out;

	if (r->place == AT_QUERY) {
		if (n > sizeof b->query)
			return wrong(r, "query is too long: 8192 bytes at most");
		memcpy(b->query, s, n);
		b->query_n = n;
		r->place = AT_TOP;
		return 1;
	}
	if (n > sizeof b->pool - b->pool_n)
		return wrong(r, "params are too long: 8192 bytes of text at most");
	memcpy(b->pool + b->pool_n, s, n);
	b->pool_n += n;
	return on_value(r, &(struct cypher_value){ .type = CYPHER_TEXT, .s = b->pool + b->pool_n - n, .n = n });
}

static int
on_map(void *arg)
{
	struct reader *r = arg;

	if (r->place == AT_START)
		r->place = AT_TOP;
	else if (r->place == AT_PARAMS)
		r->place = IN_PARAMS;
	else
		return wrong(r, r->place == AT_PARAM ? "params are texts, numbers, true, false and null" : "query must be a text");
	return 1;
}

static int
on_key(void *arg, const unsigned char *s, size_t n)
{
	struct reader *r = arg;
	struct graphapi_body *b = r->out;
	struct cypher_param *p;
	unsigned bit = n == 5 && !memcmp(s, "query", 5) ? 1 : n == 6 && !memcmp(s, "params", 6) ? 2 : 0;

	if (r->place == AT_TOP) {
		if (!bit || r->seen & bit)
			return wrong(r, "query and params, once each, are all that is known here");
		r->seen |= bit;
		r->place = bit == 1 ? AT_QUERY : AT_PARAMS;
		return 1;
	}
	if (b->n_params == CYPHER_PARAMS_MAX)
		return wrong(r, "too many params: 32 at most");
	p = &b->params[b->n_params];
	if (!n || n >= sizeof p->name || memchr(s, 0, n))
		return wrong(r, "a param's name has 1 to 31 characters");
	memset(p->name, 0, sizeof p->name);
	memcpy(p->name, s, n);
	for (size_t i = 0; i < b->n_params; i++) {
		if (!strcmp(b->params[i].name, p->name))
			return wrong(r, "a param is there twice");
	}
	r->place = AT_PARAM;
	return 1;
}

static int
on_map_end(void *arg)
{
	struct reader *r = arg;

	r->place = r->place == IN_PARAMS ? AT_TOP : AT_END;
	return 1;
}

static int
on_list(void *arg)
{
	return wrong(arg, "no lists here: query is a text, params is an object of texts and numbers");
}

static int
on_list_end(void *arg)
{
	(void)arg;
	return 0;
}

int
graphapi_read(struct graphapi_body *b, const char *body, size_t n, char *why, size_t why_size)
{
	static const yajl_callbacks calls = { on_null, on_bool, on_integer, on_double, NULL, on_string,
					      on_map, on_key, on_map_end, on_list, on_list_end };
	struct reader r = { .out = b };
	yajl_handle y = yajl_alloc(&calls, NULL, &r);
	int ok;

	memset(b, 0, sizeof *b);
	ok = y && yajl_parse(y, (const unsigned char *)body, n) == yajl_status_ok &&
	     yajl_complete_parse(y) == yajl_status_ok && r.place == AT_END && r.seen & 1;
	if (y)
		yajl_free(y);
	if (ok)
		return 0;
	snprintf(why, why_size, "%s", r.why ? r.why : r.place == AT_END ? "query is missing"
				      : "the body must be a JSON object: {\"query\": \"MATCH ...\", \"params\": {}}");
	return -1;
}

int
graphapi_cypher(struct api *a, const struct api_request *q, struct api_answer *r)
{
	struct work {
		struct graphapi_body body;
		struct cypher cypher;
	} *w = malloc(sizeof *w);
	struct cypher_error err;
	char why[200];
	int e = 0;

	if (!w)
		return -ENOMEM;
	if (graphapi_read(&w->body, q->body, q->body_n, why, sizeof why)) {
		free(w);
		return answer_refuse(r, HTTP_BAD_REQUEST, why);
	}
	json_map(&r->json, NULL);
	if (cypher_parse(&w->cypher, w->body.query, w->body.query_n, w->body.params, w->body.n_params, &err)) {
		r->status = HTTP_BAD_REQUEST;
		json_str(&r->json, "error", err.why, strlen(err.why));
		json_uint(&r->json, "at", err.at);
	} else {
		e = graphdb_answer(store_db(a->store), &w->cypher, &r->json);
	}
	json_close(&r->json);
	if (e == -EUCLEAN)
		store_blame(a->store, store_db(a->store));
	free(w);
	return e;
}
