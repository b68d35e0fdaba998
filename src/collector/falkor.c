/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * falkor.c - one connection; arguments go as they are, so no text of ours is ever taken for a command.
 */
#include "falkor.h"

#include <hiredis/hiredis.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define UNIX "unix://"
#define REDIS "redis://"
#define PORT 6379

struct falkor {
	redisContext *redis;
	char graph[64], mark[80];
};

static int
split(const char *url, char host[256], int *port)
{
	const char *start = url + strlen(REDIS), *colon = strrchr(start, ':'), *bracket = strchr(start, ']');
	size_t n;

	if (colon && bracket && colon < bracket)
		colon = NULL;
	*port = colon ? (int)strtol(colon + 1, NULL, 10) : PORT;
	if (colon && (strlen(colon + 1) > 5 || colon[1 + strspn(colon + 1, "0123456789")]))
		return -1;
	n = colon ? (size_t)(colon - start) : strcspn(start, "/");
	if (n > 2 && *start == '[' && start[n - 1] == ']') {
		start++;
		n -= 2;
	}
	if (!n || n > 255 || strchr(start, '/') || strchr(start, '@') || *port < 1 || *port > 65535)
		return -1;
	memcpy(host, start, n);
	host[n] = 0;
	return 0;
}

const char *
falkor_check_url(const char *url)
{
	char host[256];
	int port;

	if (!strncmp(url, UNIX "/", strlen(UNIX) + 1) ||
	    (!strncmp(url, REDIS, strlen(REDIS)) && !split(url, host, &port)))
		return NULL;
	return "unix:///PATH, or redis://HOST:PORT without a password, which graph-password-file has";
}

static redisReply *__attribute__((format(printf, 4, 5)))
command(struct falkor *f, char *err, size_t size, const char *fmt, ...)
{
	redisReply *reply;
	va_list ap;

	va_start(ap, fmt);
	reply = redisvCommand(f->redis, fmt, ap);
	va_end(ap);
	if (reply && reply->type != REDIS_REPLY_ERROR)
		return reply;
	snprintf(err, size, "%s", reply ? reply->str : f->redis->errstr);
	freeReplyObject(reply);
	return NULL;
}

struct falkor *
falkor_open(const char *url, const char *password, const char *graph, char *err, size_t size)
{
	const struct timeval patience = { .tv_sec = FALKOR_TIMEOUT_S };
	struct falkor *f = calloc(1, sizeof *f);
	redisReply *reply;
	char host[256];
	int port;

	if (!f) {
		snprintf(err, size, "out of memory");
		return NULL;
	}
	snprintf(f->graph, sizeof f->graph, "%s", graph);
	snprintf(f->mark, sizeof f->mark, "%s:cursor", graph);
	if (!strncmp(url, UNIX, strlen(UNIX)))
		f->redis = redisConnectUnixWithTimeout(url + strlen(UNIX), patience);
	else if (!split(url, host, &port))
		f->redis = redisConnectWithTimeout(host, port, patience);
	if (!f->redis || f->redis->err) {
		snprintf(err, size, "%s", f->redis ? f->redis->errstr : "out of memory");
		goto fail;
	}
	redisSetTimeout(f->redis, patience);
	if (password) {
		reply = command(f, err, size, "AUTH %s", password);
		if (!reply)
			goto fail;
		freeReplyObject(reply);
	}
	return f;
fail:
	falkor_close(f);
	return NULL;
}

void
falkor_close(struct falkor *f)
{
	if (f && f->redis)
		redisFree(f->redis);
	free(f);
}

int
falkor_query(struct falkor *f, const char *query, char *err, size_t size)
{
	redisReply *reply = command(f, err, size, "GRAPH.QUERY %s %s --compact", f->graph, query);

	freeReplyObject(reply);
	return reply ? 0 : -1;
}

struct redisReply *
falkor_ask(struct falkor *f, const char *query, int timeout_ms, char *err, size_t size)
{
	return command(f, err, size, "GRAPH.RO_QUERY %s %s timeout %d", f->graph, query, timeout_ms);
}

void
falkor_free(struct redisReply *reply)
{
	freeReplyObject(reply);
}

int
falkor_mark(struct falkor *f, char *text, size_t text_size, char *err, size_t size)
{
	redisReply *reply = command(f, err, size, "EXISTS %s", f->graph);
	int there = reply && reply->type == REDIS_REPLY_INTEGER && reply->integer;

	if (!reply)
		return -1;
	freeReplyObject(reply);
	if (!there)
		return 0;
	reply = command(f, err, size, "GET %s", f->mark);
	if (!reply)
		return -1;
	there = reply->type == REDIS_REPLY_STRING;
	if (there)
		snprintf(text, text_size, "%s", reply->str);
	freeReplyObject(reply);
	return there;
}

int
falkor_set_mark(struct falkor *f, const char *text, char *err, size_t size)
{
	redisReply *reply = command(f, err, size, "SET %s %s", f->mark, text);

	freeReplyObject(reply);
	return reply ? 0 : -1;
}

int
falkor_drop(struct falkor *f, char *err, size_t size)
{
	redisReply *reply = command(f, err, size, "DEL %s %s", f->mark, f->graph);

	freeReplyObject(reply);
	return reply ? 0 : -1;
}
